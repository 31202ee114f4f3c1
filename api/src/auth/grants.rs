//! The `grants` claim: roles, each with its scope.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    auth::{
        claim_values::{optional_text, parse_role},
        error::AuthError,
    },
    domain::viewer::{Grant, MAX_GRANTS},
};

/// The grants that a token lists and this version understands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Option<Vec<GrantClaim>>", into = "Vec<GrantClaim>")]
pub(in crate::auth) struct GrantsClaim(pub(in crate::auth) Vec<Grant>);

/// A grant as it is written in a token.
#[derive(Debug, Serialize, Deserialize)]
struct GrantClaim {
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agency: Option<Value>,
    /// Members that this version does not know.
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl GrantsClaim {
    pub(in crate::auth) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl GrantClaim {
    /// Returns the grant, or `None` if its role is unknown, or it has another member, which may restrict it.
    fn parse(&self) -> Result<Option<Grant>, AuthError> {
        let Some(role) = parse_role(&self.role).filter(|_| self.others.values().all(Value::is_null)) else {
            return Ok(None);
        };
        let region = optional_text(self.region.as_ref())?.map(str::parse).transpose();
        let agency = optional_text(self.agency.as_ref())?.map(str::to_owned);
        Ok(Some(Grant { role, region: region.map_err(|_| AuthError::BadClaim)?, agency }))
    }
}

impl TryFrom<Option<Vec<GrantClaim>>> for GrantsClaim {
    type Error = AuthError;

    fn try_from(listed: Option<Vec<GrantClaim>>) -> Result<Self, AuthError> {
        let listed = listed.unwrap_or_default();
        if listed.len() > MAX_GRANTS {
            return Err(AuthError::BadClaim);
        }
        let grants = listed.iter().filter_map(|grant| grant.parse().transpose());
        Ok(Self(grants.collect::<Result<_, _>>()?))
    }
}

impl From<GrantsClaim> for Vec<GrantClaim> {
    fn from(claim: GrantsClaim) -> Self {
        let written = |Grant { role, region, agency }| GrantClaim {
            role: role.as_str().to_owned(),
            region: region.map(|code| code.to_string().into()),
            agency: agency.map(Into::into),
            others: Map::new(),
        };
        claim.0.into_iter().map(written).collect()
    }
}
