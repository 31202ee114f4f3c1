//! What a token says.

use chrono::{DateTime, Utc};
use entities::{enums::Platform, ids::BroadcastId, kato::KatoCode};
use serde::{Deserialize, Serialize};
use type_safe_id::{DynamicType, TypeSafeId};

use crate::{
    auth::keys::Print,
    domain::viewer::{ImportGrant, Person, Role, Viewer, display_name},
};

/// A verified caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub viewer: Viewer,
    /// What the caller is known by; none for the anonymous.
    pub token: Option<Token>,
}

/// What must hold for as long as a caller is known by a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The name of the key that has signed it.
    pub(in crate::auth) kid: String,
    /// Which key that was.
    pub(in crate::auth) print: Print,
    /// Whose it is.
    pub(in crate::auth) subject: String,
    /// When it was issued, where it says so.
    pub(in crate::auth) issued_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Why a token is not accepted. Holds nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthRefused {
    /// The header is not `Bearer` and a token, or the token is not one.
    #[error("the token is malformed")]
    Malformed,
    /// The key that it names is not known.
    #[error("the key is not known")]
    UnknownKey,
    /// Its algorithm is not the key's.
    #[error("the algorithm is not the key's")]
    WrongAlgorithm,
    /// Its signature does not hold.
    #[error("the signature does not hold")]
    BadSignature,
    /// A claim that must be there is not, or is malformed.
    #[error("a claim is missing or malformed")]
    BadClaim,
    /// It is of another issuer.
    #[error("another issuer")]
    WrongIssuer,
    /// It is for another service.
    #[error("another audience")]
    WrongAudience,
    /// It has ended.
    #[error("the token has ended")]
    Expired,
    /// It has not begun.
    #[error("the token has not begun")]
    NotYet,
    /// It was withdrawn before its end.
    #[error("the token was withdrawn")]
    Withdrawn,
}

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::auth) struct Claims {
    pub(in crate::auth) iss: String,
    pub(in crate::auth) aud: Audience,
    pub(in crate::auth) sub: String,
    pub(in crate::auth) exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) iat: Option<i64>,
    #[serde(default)]
    pub(in crate::auth) name: Option<String>,
    /// Names that are not ours are no roles here.
    #[serde(default)]
    pub(in crate::auth) roles: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) agency: Option<String>,
    /// The only platform a connector may import from. Of other roles it may mean anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) platform: Option<serde_json::Value>,
    /// The only broadcast a connector may import from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) broadcast: Option<serde_json::Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(in crate::auth) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    pub(in crate::auth) fn names(&self, wished: &str) -> bool {
        match self {
            Self::One(one) => one == wished,
            Self::Several(several) => several.iter().any(|one| one == wished),
        }
    }
}

/// How long a subject may be: it becomes part of keys.
const LONGEST_SUBJECT: usize = 255;

impl Claims {
    pub(in crate::auth) fn person(&self) -> Result<Person, AuthRefused> {
        if self.sub.is_empty() || self.sub.len() > LONGEST_SUBJECT || self.sub.chars().any(char::is_control) {
            return Err(AuthRefused::BadClaim);
        }
        let region: Option<KatoCode> =
            self.region.as_ref().map(|code| code.parse()).transpose().map_err(|_| AuthRefused::BadClaim)?;
        let named = |name: &String| Role::ALL.into_iter().find(|role| role_name(*role) == name);
        let mut roles: Vec<Role> = self.roles.iter().filter_map(named).collect();
        roles.sort_unstable();
        roles.dedup();
        let imports = if roles.contains(&Role::Connector) { self.imports()? } else { ImportGrant::default() };
        let name = display_name(self.name.as_deref(), &self.sub);
        Ok(Person { subject: self.sub.clone(), name, roles, region, agency: self.agency.clone(), imports })
    }

    /// A restriction that is not understood is refused: it must not become none.
    fn imports(&self) -> Result<ImportGrant, AuthRefused> {
        let text = |claim: &Option<serde_json::Value>| match claim {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(AuthRefused::BadClaim),
        };
        let platform = text(&self.platform)?.map(|name| name.parse::<Platform>()).transpose();
        let broadcast = text(&self.broadcast)?.map(|id| broadcast_id(&id).ok_or(AuthRefused::BadClaim)).transpose()?;
        Ok(ImportGrant { platform: platform.map_err(|_| AuthRefused::BadClaim)?, broadcast })
    }
}

/// Reads the public identity of a broadcast, `brd_…`.
#[must_use]
pub fn broadcast_id(text: &str) -> Option<BroadcastId> {
    // The library panics at text that is not ASCII.
    let id: TypeSafeId<DynamicType> = Some(text).filter(|text| text.is_ascii())?.parse().ok()?;
    (id.type_prefix() == "brd").then(|| BroadcastId(id.uuid()))
}

/// Writes the public identity of a broadcast.
pub(in crate::auth) fn broadcast_text(id: BroadcastId) -> Option<String> {
    Some(TypeSafeId::from_type_and_uuid(DynamicType::new("brd").ok()?, id.0).to_string())
}

/// The name of a role in a token, as in the public API.
#[must_use]
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Citizen => "CITIZEN",
        Role::Moderator => "MODERATOR",
        Role::Akimat => "AKIMAT",
        Role::Maslikhat => "MASLIKHAT",
        Role::Agency => "AGENCY",
        Role::Government => "GOVERNMENT",
        Role::Administration => "ADMINISTRATION",
        Role::Connector => "CONNECTOR",
        Role::Admin => "ADMIN",
    }
}
