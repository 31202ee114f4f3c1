//! Algorithm confusion, and keys embedded in tokens (RFC 8725).

use jsonwebtoken::jwk::Jwk;

use super::{
    super::jwks::{KeyError, parse},
    *,
};

const RSA: &str = include_str!("rsa.pem");
const EC: &str = include_str!("ec.pem");
/// A key that is not in the JWKS.
const ATTACKER: &str = include_str!("attacker.pem");

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap()
}

fn ec() -> EncodingKey {
    EncodingKey::from_ec_pem(EC.as_bytes()).unwrap()
}

fn attacker() -> EncodingKey {
    EncodingKey::from_ed_pem(ATTACKER.as_bytes()).unwrap()
}

/// Returns the public JWK of a key, with `fields` replacing its own; null removes one.
fn public(key: &EncodingKey, kid: &str, algorithm: Algorithm, fields: Value) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    let jwk = jwk.as_object_mut().unwrap();
    jwk.insert("kid".to_owned(), json!(kid));
    let Value::Object(fields) = fields else { panic!("fields must be an object") };
    jwk.extend(fields);
    jwk.retain(|_, value| !value.is_null());
    json!(jwk)
}

fn signed(key: &EncodingKey, header: &Header) -> String {
    format!("Bearer {}", encode(header, &claims(), key).unwrap())
}

fn by(kid: &str, algorithm: Algorithm) -> Header {
    Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) }
}

#[tokio::test]
async fn a_key_verifies_only_its_own_algorithm() {
    let keys = json!({ "keys": [
        public(&rsa(), "rsa", Algorithm::RS256, json!({})),
        public(&rsa(), "rsa by default", Algorithm::RS256, json!({ "alg": null })),
        public(&rsa(), "pss", Algorithm::PS256, json!({})),
        public(&ec(), "ec", Algorithm::ES256, json!({ "alg": null })),
    ] });
    let fixture = fixture_with(&keys.to_string()).await;
    let ask = |token: String| fixture.auth.authenticate(Some(&token)).map(|_| ());
    for (kid, algorithm, error) in [
        ("rsa", Algorithm::RS256, None),
        ("rsa", Algorithm::PS256, Some(AuthError::WrongAlgorithm)),
        ("rsa", Algorithm::RS512, Some(AuthError::WrongAlgorithm)),
        ("rsa by default", Algorithm::RS256, None),
        ("rsa by default", Algorithm::PS256, Some(AuthError::WrongAlgorithm)),
        ("pss", Algorithm::PS256, None),
        ("pss", Algorithm::RS256, Some(AuthError::WrongAlgorithm)),
        ("ec", Algorithm::RS256, Some(AuthError::WrongAlgorithm)),
    ] {
        // Each signature is valid for its key: only the pinned algorithm differs.
        assert_eq!(ask(signed(&rsa(), &by(kid, algorithm))).err(), error, "{kid} {algorithm:?}");
    }
    assert_eq!(ask(signed(&ec(), &by("ec", Algorithm::ES256))), Ok(()));
    let other = json!({ "alg": "ES384", "kid": "ec" });
    assert_eq!(ask(forged(&other, &claims(), "AAAA")), Err(AuthError::WrongAlgorithm));
    // The public key used as an HMAC secret.
    let confused = EncodingKey::from_secret(RSA.as_bytes());
    assert_eq!(ask(signed(&confused, &by("rsa", Algorithm::HS256))), Err(AuthError::WrongAlgorithm));
}

#[tokio::test]
async fn ignores_keys_embedded_in_a_token() {
    let fixture = fixture().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let own = public(&attacker(), "one", Algorithm::EdDSA, json!({}));
    let own: Jwk = serde_json::from_value(own).unwrap();
    let headers = [
        Header { jwk: Some(own.clone()), ..header() },
        Header { jku: Some(url.clone()), ..header() },
        Header { x5u: Some(url.clone()), ..header() },
        Header { x5c: Some(vec!["MIIB".to_owned()]), ..header() },
    ];
    for header in headers {
        let error = fixture.auth.authenticate(Some(&signed(&attacker(), &header))).unwrap_err();
        assert_eq!(error, AuthError::BadSignature, "{header:?}");
        let unnamed = Header { kid: None, ..header.clone() };
        let error = fixture.auth.authenticate(Some(&signed(&attacker(), &unnamed))).unwrap_err();
        assert_eq!(error, AuthError::UnknownKey, "{unnamed:?}");
        // Embedded keys beside a valid signature are ignored.
        assert!(fixture.auth.authenticate(Some(&sign(&header, &claims()))).is_ok(), "{header:?}");
    }
    let asked = std::pin::pin!(listener.accept());
    assert!(futures_util::poll!(asked).is_pending(), "no URL of a token is fetched");
}

#[test]
fn skips_keys_with_another_use_or_algorithm() {
    let is_skipped = |key: Value| {
        let kept = json!({ "kty": "OKP", "crv": "Ed25519", "x": PUBLIC, "kid": "kept", "use": "sig" });
        let keys = parse(json!({ "keys": [key, kept] }).to_string().as_bytes()).unwrap();
        assert!(keys.contains_key("kept"), "other keys stay");
        keys.len() == 1
    };
    let of_ec = |fields| public(&ec(), "ec", Algorithm::ES256, fields);
    let of_rsa = |fields| public(&rsa(), "rsa", Algorithm::RS256, fields);
    for fields in [json!({}), json!({ "use": "sig" }), json!({ "key_ops": ["verify"] })] {
        assert!(!is_skipped(of_ec(fields.clone())) && !is_skipped(of_rsa(fields.clone())), "{fields}");
    }
    for fields in [
        json!({ "use": "enc" }),
        json!({ "use": "other" }),
        json!({ "key_ops": ["encrypt", "wrapKey"] }),
        json!({ "kid": null }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "RSA-OAEP-256" }),
    ] {
        assert!(is_skipped(of_ec(fields.clone())) && is_skipped(of_rsa(fields.clone())), "{fields}");
    }
    for alg in ["ES384", "RS256", "PS256", "EdDSA"] {
        assert!(is_skipped(of_ec(json!({ "alg": alg }))), "a P-256 key with {alg}");
    }
    for alg in ["ES256", "EdDSA"] {
        assert!(is_skipped(of_rsa(json!({ "alg": alg }))), "an RSA key with {alg}");
    }
    let secret = EncodingKey::from_secret(b"secret");
    assert!(is_skipped(public(&secret, "shared", Algorithm::HS256, json!({}))));
}

#[test]
fn skips_rsa_keys_below_2048_bits() {
    let of_bits = |bits: usize| {
        let mut modulus = vec![0xff_u8; bits.div_ceil(8)];
        modulus[0] >>= (8 - bits % 8) % 8;
        // A leading zero byte adds no bits.
        modulus.insert(0, 0);
        json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB", "kid": bits.to_string(), "alg": "RS256" })
    };
    let parsed = |keys: &[Value]| parse(json!({ "keys": keys }).to_string().as_bytes());
    for bits in [2048, 3072, 4096] {
        assert!(parsed(&[of_bits(bits)]).is_ok(), "{bits}");
    }
    for bits in [512, 1024, 2040, 2047] {
        let error = parsed(&[of_bits(bits)]).err().unwrap();
        assert!(matches!(error, KeyError::Weak), "{bits}: {error}");
        assert!(error.to_string().starts_with("KEZDESU_JWKS: an RSA key must have 2,048 bits or more"), "{error}");
    }
    let both = parsed(&[of_bits(1024), of_bits(2048)]).unwrap();
    assert_eq!(both.keys().collect::<Vec<_>>(), ["2048"], "only the weak key is skipped");
}
