//! The viewer: who sends a request, according to the token.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::{enums::Platform, ids::BroadcastId, kato::KatoCode};

use crate::domain::text::sanitize;

/// The longest author name, in characters.
pub const MAX_NAME_LENGTH: usize = 100;

/// Revoked tokens: tokens issued to a subject up to this time are invalid.
pub type Revocations = HashMap<String, DateTime<Utc>>;

/// Roles of a signed-in person, named as in the public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Signed in; may post, vote and withdraw.
    Citizen,
    /// Moderates the live questions of meetings in its region's subtree.
    Moderator,
    /// Staff of an akimat: plans, announces and runs the meetings in its region's subtree.
    Akimat,
    /// Secretariat of a maslikhat.
    Maslikhat,
    /// A central agency, national holding or company.
    Agency,
    /// The Government.
    Government,
    /// The Presidential Administration: sees everything, changes nothing (p. 7).
    Administration,
    /// A connector that imports comments from a broadcast platform.
    Connector,
    /// Operator of the service, with all permissions.
    Admin,
}

impl Role {
    /// All roles, in the order of the public API.
    pub const ALL: [Self; 9] = [
        Self::Citizen,
        Self::Moderator,
        Self::Akimat,
        Self::Maslikhat,
        Self::Agency,
        Self::Government,
        Self::Administration,
        Self::Connector,
        Self::Admin,
    ];
}

/// The sender of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Viewer {
    /// No token. Sees public data.
    Anonymous,
    /// A verified token.
    Person(Person),
}

/// A signed-in caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Person {
    /// The token's `sub`, which identifies the person whatever their roles.
    pub subject: String,
    /// Author name of the person's comments.
    pub name: String,
    /// The person's roles.
    pub roles: Vec<Role>,
    /// Root of the subtree that the roles apply to.
    pub region: Option<KatoCode>,
    /// Code of the person's agency.
    pub agency: Option<String>,
    /// Restrictions of a connector.
    pub imports: ImportGrant,
}

/// Restricts what a connector may import. `None` does not restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ImportGrant {
    /// Only broadcasts on this platform.
    pub platform: Option<Platform>,
    /// Only this broadcast.
    pub broadcast: Option<BroadcastId>,
}

impl ImportGrant {
    /// Returns whether comments of a broadcast may be imported.
    #[must_use]
    pub fn covers(&self, platform: Platform, broadcast: BroadcastId) -> bool {
        self.platform.is_none_or(|own| own == platform) && self.broadcast.is_none_or(|own| own == broadcast)
    }
}

/// Returns a token's name, or its subject, sanitised and truncated to [`MAX_NAME_LENGTH`].
#[must_use]
pub fn display_name(name: Option<&str>, subject: &str) -> String {
    let shown = |text: &str| sanitize(text, MAX_NAME_LENGTH);
    name.and_then(shown).or_else(|| shown(subject)).unwrap_or_else(|| "?".to_owned())
}

impl Viewer {
    /// Returns the signed-in person, if any.
    #[must_use]
    pub const fn person(&self) -> Option<&Person> {
        match self {
            Self::Anonymous => None,
            Self::Person(person) => Some(person),
        }
    }

    /// Returns the person's subject, if signed in.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.person().map(|person| person.subject.as_str())
    }

    /// Returns whether the viewer is anonymous or has no role but citizen.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.person().is_none_or(|person| person.roles.iter().all(|role| *role == Role::Citizen))
    }

    /// Returns whether the viewer has the role, in any region.
    #[must_use]
    pub fn has_role(&self, role: Role) -> bool {
        self.person().is_some_and(|person| person.roles.contains(&role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_are_sanitised_and_truncated() {
        let long = display_name(Some(&"ә".repeat(150)), "ana");
        assert_eq!(long.chars().count(), MAX_NAME_LENGTH);
        assert!(long.starts_with('ә') && long.ends_with('…'), "{long}");
        for (name, shown) in [
            (Some("Ана\u{0}\u{200b} Мария\u{202e}"), "Ана Мария"),
            (Some("\u{200b}\u{feff} "), "ana"),
            (Some(" "), "ana"),
            (None, "ana"),
        ] {
            assert_eq!(display_name(name, "ana"), shown, "{name:?}");
        }
        assert_eq!(display_name(None, "\u{200b}"), "?");
    }

    #[test]
    fn import_grants_restrict_by_what_they_name() {
        let [one, other] = [1, 2].map(|n| BroadcastId(uuid::Uuid::from_u128(n)));
        let vk = ImportGrant { platform: Some(Platform::Vk), broadcast: None };
        assert!(vk.covers(Platform::Vk, one) && !vk.covers(Platform::Youtube, one));
        let single = ImportGrant { platform: None, broadcast: Some(one) };
        assert!(single.covers(Platform::Vk, one) && !single.covers(Platform::Vk, other));
        assert!(ImportGrant::default().covers(Platform::Youtube, other));
    }
}
