//! Claims of a token, and the caller they describe.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entities::{enums::Platform, kato::KatoCode};
use serde::{Deserialize, Serialize};

use crate::{
    auth::{
        claim_values::{optional_text, parse_broadcast_id, parse_role},
        error::AuthError,
        grants::GrantsClaim,
        jwks::Fingerprint,
    },
    domain::viewer::{Grant, ImportRestriction, Person, Role, Viewer, display_name},
};

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The viewer.
    pub viewer: Viewer,
    /// The token; `None` for an anonymous viewer.
    pub token: Option<VerifiedToken>,
}

/// What is re-checked of a token while its session is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The `kid` of the key that signed it.
    pub(in crate::auth) kid: String,
    /// The fingerprint of that key.
    pub(in crate::auth) fingerprint: Fingerprint,
    /// The `sub` claim.
    pub(in crate::auth) subject: String,
    /// The `iat` claim, if present.
    pub(in crate::auth) issued_at: Option<DateTime<Utc>>,
    /// The `exp` claim.
    pub expires_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::auth) struct Claims {
    pub(in crate::auth) iss: String,
    pub(in crate::auth) aud: AudienceClaim,
    pub(in crate::auth) sub: String,
    pub(in crate::auth) exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) iat: Option<i64>,
    #[serde(default)]
    pub(in crate::auth) name: Option<String>,
    /// Roles with one scope for all, `region` and `agency`. Unknown names are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::auth) roles: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) agency: Option<String>,
    /// Roles with a scope each, in addition to `roles`.
    #[serde(default, skip_serializing_if = "GrantsClaim::is_empty")]
    pub(in crate::auth) grants: GrantsClaim,
    /// The only platform that a connector may import from. Ignored for other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) platform: Option<serde_json::Value>,
    /// The only broadcast that a connector may import from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) broadcast: Option<serde_json::Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(in crate::auth) enum AudienceClaim {
    One(String),
    Several(Vec<String>),
}

impl AudienceClaim {
    pub(in crate::auth) fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// Maximum length of a subject, in bytes: it becomes part of keys.
const MAX_SUBJECT_LENGTH: usize = 255;

impl Claims {
    pub(in crate::auth) fn person(&self) -> Result<Person, AuthError> {
        if self.sub.is_empty() || self.sub.len() > MAX_SUBJECT_LENGTH || self.sub.chars().any(char::is_control) {
            return Err(AuthError::BadClaim);
        }
        let grants = self.all_grants()?;
        let is_connector = grants.iter().any(|grant| grant.role == Role::Connector);
        let imports = if is_connector { self.imports()? } else { ImportRestriction::default() };
        let name = display_name(self.name.as_deref(), &self.sub);
        Ok(Person { subject: self.sub.clone(), name, grants, imports })
    }

    /// Returns the grants of both forms, sorted and without duplicates.
    fn all_grants(&self) -> Result<Vec<Grant>, AuthError> {
        let region: Option<KatoCode> =
            self.region.as_ref().map(|code| code.parse()).transpose().map_err(|_| AuthError::BadClaim)?;
        let roles = self.roles.iter().filter_map(|name| parse_role(name));
        let of_roles = roles.map(|role| Grant { role, region, agency: self.agency.clone() });
        let grants: BTreeSet<Grant> = of_roles.chain(self.grants.0.iter().cloned()).collect();
        Ok(grants.into_iter().collect())
    }

    /// Rejects a restriction that is not understood, because ignoring it would lift it.
    fn imports(&self) -> Result<ImportRestriction, AuthError> {
        let platform = optional_text(self.platform.as_ref())?.map(str::parse::<Platform>).transpose();
        let broadcast = optional_text(self.broadcast.as_ref())?
            .map(|id| parse_broadcast_id(id).ok_or(AuthError::BadClaim))
            .transpose()?;
        Ok(ImportRestriction { platform: platform.map_err(|_| AuthError::BadClaim)?, broadcast })
    }
}
