//! Why a token is rejected.

/// Why a token is rejected. Contains nothing of the token itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The header is not `Bearer <token>`, or the token is not a JWT.
    #[error("the token is malformed")]
    Malformed,
    /// The `kid` is not known.
    #[error("unknown key")]
    UnknownKey,
    /// The algorithm is not the key's.
    #[error("the algorithm is not the key's")]
    WrongAlgorithm,
    /// The signature is invalid.
    #[error("the signature is invalid")]
    BadSignature,
    /// A claim is missing or malformed.
    #[error("a claim is missing or malformed")]
    BadClaim,
    /// The issuer is not ours.
    #[error("wrong issuer")]
    WrongIssuer,
    /// The audience is not ours.
    #[error("wrong audience")]
    WrongAudience,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token was revoked.
    #[error("the token is revoked")]
    Revoked,
}
