//! Decodes request bodies by `Content-Encoding`.

use std::io::Read as _;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, header},
};
use flate2::read::MultiGzDecoder;

/// A supported content encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum ContentEncoding {
    /// Not encoded.
    Identity,
    /// gzip.
    Gzip,
}

/// Why a body cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum DecodeError {
    /// It exceeds the size limit, once decompressed.
    TooLarge,
    /// It is not valid in its encoding.
    Malformed,
}

impl ContentEncoding {
    /// Returns the encoding that the headers name, or `None` if it is not supported.
    pub(in crate::http) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut encoding = Self::Identity;
        for value in headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::to_str) {
            for name in value.ok()?.split(',').map(|name| name.trim().to_ascii_lowercase()) {
                encoding = match (name.as_str(), encoding) {
                    ("" | "identity", known) => known,
                    ("gzip" | "x-gzip", Self::Identity) => Self::Gzip,
                    _ => return None,
                };
            }
        }
        Some(encoding)
    }

    /// Decodes the body. Decompression stops at `max_bytes`.
    ///
    /// # Errors
    /// When the body is larger than `max_bytes`, or malformed.
    pub(in crate::http) fn decode(self, body: Bytes, max_bytes: usize) -> Result<Bytes, DecodeError> {
        if self == Self::Identity {
            return Ok(body);
        }
        let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
        let mut decompressed = Vec::new();
        // An empty body is not gzip, but the decoder accepts it.
        let broken = body.is_empty() || MultiGzDecoder::new(&*body).take(limit).read_to_end(&mut decompressed).is_err();
        match decompressed.len() > max_bytes {
            true => Err(DecodeError::TooLarge),
            false if broken => Err(DecodeError::Malformed),
            false => Ok(decompressed.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn parsed(values: &[&str]) -> Option<ContentEncoding> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
        }
        ContentEncoding::of(&headers)
    }

    #[test]
    fn accepts_identity_and_a_single_gzip() {
        for (values, encoding) in [
            (&[][..], Some(ContentEncoding::Identity)),
            (&["identity"], Some(ContentEncoding::Identity)),
            (&[""], Some(ContentEncoding::Identity)),
            (&["GZIP"], Some(ContentEncoding::Gzip)),
            (&["x-gzip"], Some(ContentEncoding::Gzip)),
            (&["identity, gzip"], Some(ContentEncoding::Gzip)),
            (&["gzip, gzip"], None),
            (&["gzip", "gzip"], None),
            (&["br"], None),
            (&["deflate"], None),
            (&["gzip, br"], None),
            (&["gz ip"], None),
        ] {
            assert_eq!(parsed(values), encoding, "{values:?}");
        }
    }

    #[test]
    fn decompresses_up_to_the_limit() {
        let decode = |body: Vec<u8>, max_bytes| ContentEncoding::Gzip.decode(body.into(), max_bytes);
        assert_eq!(decode(gzip(b"hello"), 5).as_deref(), Ok(&b"hello"[..]));
        assert_eq!(decode(gzip(b"hello"), 4), Err(DecodeError::TooLarge));
        assert_eq!(decode([gzip(b"hel"), gzip(b"lo")].concat(), 5).as_deref(), Ok(&b"hello"[..]));
        let bomb = gzip(&vec![0; 50 << 20]);
        assert!(bomb.len() < 60_000);
        assert_eq!(decode(bomb, 1 << 20), Err(DecodeError::TooLarge));
        let whole = gzip(b"hello");
        for broken in [&b""[..], b"hello", &whole[..whole.len() - 1], &whole[..12], &[&whole[..], b"x"].concat()] {
            assert_eq!(decode(broken.to_vec(), 100), Err(DecodeError::Malformed), "{broken:?}");
        }
        assert_eq!(ContentEncoding::Identity.decode(Bytes::from_static(b"hello"), 1).as_deref(), Ok(&b"hello"[..]));
    }
}
