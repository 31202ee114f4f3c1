//! Keys that a token brings along, and algorithms that are not its key's (RFC 8725).

use jsonwebtoken::jwk::Jwk;

use super::{
    super::keys::{KeyError, parse},
    *,
};

const RSA: &str = include_str!("rsa.pem");
const EC: &str = include_str!("ec.pem");
/// A key that is nobody's here.
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

/// The public half of a key as one of a JWKS, with these fields in place of its own; null takes one away.
fn public(key: &EncodingKey, kid: &str, algorithm: Algorithm, fields: Value) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    let jwk = jwk.as_object_mut().unwrap();
    jwk.insert("kid".to_owned(), json!(kid));
    let Value::Object(fields) = fields else { panic!("fields are wanted") };
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
async fn a_key_is_used_with_its_own_algorithm_only() {
    let keys = json!({ "keys": [
        public(&rsa(), "rsa", Algorithm::RS256, json!({})),
        public(&rsa(), "rsa by default", Algorithm::RS256, json!({ "alg": null })),
        public(&rsa(), "pss", Algorithm::PS256, json!({})),
        public(&ec(), "ec", Algorithm::ES256, json!({ "alg": null })),
    ] });
    let bench = bench_with(&keys.to_string()).await;
    let ask = |token: String| bench.auth.authenticate(Some(&token)).map(|_| ());
    for (kid, algorithm, refusal) in [
        ("rsa", Algorithm::RS256, None),
        ("rsa", Algorithm::PS256, Some(AuthRefused::WrongAlgorithm)),
        ("rsa", Algorithm::RS512, Some(AuthRefused::WrongAlgorithm)),
        ("rsa by default", Algorithm::RS256, None),
        ("rsa by default", Algorithm::PS256, Some(AuthRefused::WrongAlgorithm)),
        ("pss", Algorithm::PS256, None),
        ("pss", Algorithm::RS256, Some(AuthRefused::WrongAlgorithm)),
        ("ec", Algorithm::RS256, Some(AuthRefused::WrongAlgorithm)),
    ] {
        // Each signature holds for its key: only the pin tells them apart.
        assert_eq!(ask(signed(&rsa(), &by(kid, algorithm))).err(), refusal, "{kid} {algorithm:?}");
    }
    assert_eq!(ask(signed(&ec(), &by("ec", Algorithm::ES256))), Ok(()));
    let other = json!({ "alg": "ES384", "kid": "ec" });
    assert_eq!(ask(forged(&other, &claims(), "AAAA")), Err(AuthRefused::WrongAlgorithm));
    // The public key as the secret of a symmetric signature.
    let confused = EncodingKey::from_secret(RSA.as_bytes());
    assert_eq!(ask(signed(&confused, &by("rsa", Algorithm::HS256))), Err(AuthRefused::WrongAlgorithm));
}

#[tokio::test]
async fn a_key_that_a_token_brings_along_is_not_looked_at() {
    let bench = bench().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}/jwks", listener.local_addr().unwrap());
    let own = public(&attacker(), "one", Algorithm::EdDSA, json!({}));
    let own: Jwk = serde_json::from_value(own).unwrap();
    let headers = [
        Header { jwk: Some(own.clone()), ..header() },
        Header { jku: Some(place.clone()), ..header() },
        Header { x5u: Some(place.clone()), ..header() },
        Header { x5c: Some(vec!["MIIB".to_owned()]), ..header() },
    ];
    for header in headers {
        let refused = bench.auth.authenticate(Some(&signed(&attacker(), &header))).unwrap_err();
        assert_eq!(refused, AuthRefused::BadSignature, "{header:?}");
        let unnamed = Header { kid: None, ..header.clone() };
        let refused = bench.auth.authenticate(Some(&signed(&attacker(), &unnamed))).unwrap_err();
        assert_eq!(refused, AuthRefused::UnknownKey, "{unnamed:?}");
        // The same beside the right signature changes nothing.
        assert!(bench.auth.authenticate(Some(&sign(&header, &claims()))).is_ok(), "{header:?}");
    }
    let asked = std::pin::pin!(listener.accept());
    assert!(futures_util::poll!(asked).is_pending(), "nothing is fetched from where a token says");
}

#[test]
fn keys_that_are_not_for_signatures_or_not_of_their_algorithm_are_left_out() {
    let left_out = |key: Value| {
        let kept = json!({ "kty": "OKP", "crv": "Ed25519", "x": PUBLIC, "kid": "kept", "use": "sig" });
        let keys = parse(json!({ "keys": [key, kept] }).to_string().as_bytes()).unwrap();
        assert!(keys.contains_key("kept"), "another key does not suffer from it");
        keys.len() == 1
    };
    let of_ec = |fields| public(&ec(), "ec", Algorithm::ES256, fields);
    let of_rsa = |fields| public(&rsa(), "rsa", Algorithm::RS256, fields);
    for fields in [json!({}), json!({ "use": "sig" }), json!({ "key_ops": ["verify"] })] {
        assert!(!left_out(of_ec(fields.clone())) && !left_out(of_rsa(fields.clone())), "{fields}");
    }
    for fields in [
        json!({ "use": "enc" }),
        json!({ "use": "other" }),
        json!({ "key_ops": ["encrypt", "wrapKey"] }),
        json!({ "kid": null }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "RSA-OAEP-256" }),
    ] {
        assert!(left_out(of_ec(fields.clone())) && left_out(of_rsa(fields.clone())), "{fields}");
    }
    for alg in ["ES384", "RS256", "PS256", "EdDSA"] {
        assert!(left_out(of_ec(json!({ "alg": alg }))), "a P-256 key with {alg}");
    }
    for alg in ["ES256", "EdDSA"] {
        assert!(left_out(of_rsa(json!({ "alg": alg }))), "an RSA key with {alg}");
    }
    let secret = EncodingKey::from_secret(b"secret");
    assert!(left_out(public(&secret, "shared", Algorithm::HS256, json!({}))));
}

#[test]
fn an_rsa_key_of_fewer_than_2048_bits_is_not_used() {
    let of_bits = |bits: usize| {
        let mut modulus = vec![0xff_u8; bits.div_ceil(8)];
        modulus[0] >>= (8 - bits % 8) % 8;
        // A zero before it adds no bit.
        modulus.insert(0, 0);
        json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB", "kid": bits.to_string(), "alg": "RS256" })
    };
    let parsed = |keys: &[Value]| parse(json!({ "keys": keys }).to_string().as_bytes());
    for bits in [2048, 3072, 4096] {
        assert!(parsed(&[of_bits(bits)]).is_ok(), "{bits}");
    }
    for bits in [512, 1024, 2040, 2047] {
        let refused = parsed(&[of_bits(bits)]).err().unwrap();
        assert!(matches!(refused, KeyError::Weak), "{bits}: {refused}");
        assert!(refused.to_string().starts_with("KEZDESU_JWKS: an RSA key must have 2,048 bits or more"), "{refused}");
    }
    let both = parsed(&[of_bits(1024), of_bits(2048)]).unwrap();
    assert_eq!(both.keys().collect::<Vec<_>>(), ["2048"], "a weak one is left out, and the others stay");
}
