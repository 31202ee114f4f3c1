//! The encoding in which the body of a request comes.

use std::io::Read as _;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, header},
};
use flate2::read::MultiGzDecoder;

/// An encoding that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Encoding {
    /// The body is as it is.
    Identity,
    /// It is compressed with gzip.
    Gzip,
}

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Unreadable {
    /// It is larger than it may be, once it is decompressed.
    TooLarge,
    /// It is not in its encoding.
    Broken,
}

impl Encoding {
    /// The encoding that the headers name; none if it is not taken.
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

    /// The body itself, of at most so many bytes. It is decompressed no further than to where it is larger.
    ///
    /// # Errors
    /// When it is larger, or broken.
    pub(in crate::http) fn read(self, body: Bytes, most: usize) -> Result<Bytes, Unreadable> {
        if self == Self::Identity {
            return Ok(body);
        }
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let mut decompressed = Vec::new();
        // An empty body is no gzip: the decoder reads it as nothing.
        let broken = body.is_empty() || MultiGzDecoder::new(&*body).take(limit).read_to_end(&mut decompressed).is_err();
        match decompressed.len() > most {
            true => Err(Unreadable::TooLarge),
            false if broken => Err(Unreadable::Broken),
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

    fn named(values: &[&str]) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
        }
        Encoding::of(&headers)
    }

    #[test]
    fn takes_gzip_once_and_what_is_not_encoded() {
        for (values, encoding) in [
            (&[][..], Some(Encoding::Identity)),
            (&["identity"], Some(Encoding::Identity)),
            (&[""], Some(Encoding::Identity)),
            (&["GZIP"], Some(Encoding::Gzip)),
            (&["x-gzip"], Some(Encoding::Gzip)),
            (&["identity, gzip"], Some(Encoding::Gzip)),
            (&["gzip, gzip"], None),
            (&["gzip", "gzip"], None),
            (&["br"], None),
            (&["deflate"], None),
            (&["gzip, br"], None),
            (&["gz ip"], None),
        ] {
            assert_eq!(named(values), encoding, "{values:?}");
        }
    }

    #[test]
    fn decompresses_up_to_the_limit() {
        let read = |body: Vec<u8>, most| Encoding::Gzip.read(body.into(), most);
        assert_eq!(read(gzip(b"hello"), 5).as_deref(), Ok(&b"hello"[..]));
        assert_eq!(read(gzip(b"hello"), 4), Err(Unreadable::TooLarge));
        assert_eq!(read([gzip(b"hel"), gzip(b"lo")].concat(), 5).as_deref(), Ok(&b"hello"[..]));
        let bomb = gzip(&vec![0; 50 << 20]);
        assert!(bomb.len() < 60_000);
        assert_eq!(read(bomb, 1 << 20), Err(Unreadable::TooLarge));
        let whole = gzip(b"hello");
        for broken in [&b""[..], b"hello", &whole[..whole.len() - 1], &whole[..12], &[&whole[..], b"x"].concat()] {
            assert_eq!(read(broken.to_vec(), 100), Err(Unreadable::Broken), "{broken:?}");
        }
        assert_eq!(Encoding::Identity.read(Bytes::from_static(b"hello"), 1).as_deref(), Ok(&b"hello"[..]));
    }
}
