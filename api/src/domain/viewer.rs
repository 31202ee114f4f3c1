//! The viewer: who sends a request, according to the token.

use std::collections::{BTreeSet, HashMap};

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

    /// Returns whether the role holds in the whole country, whatever the scope of its grant.
    #[must_use]
    pub const fn is_nationwide(self) -> bool {
        matches!(self, Self::Administration | Self::Admin)
    }

    /// Returns the name of the role in tokens and in the public API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Citizen => "CITIZEN",
            Self::Moderator => "MODERATOR",
            Self::Akimat => "AKIMAT",
            Self::Maslikhat => "MASLIKHAT",
            Self::Agency => "AGENCY",
            Self::Government => "GOVERNMENT",
            Self::Administration => "ADMINISTRATION",
            Self::Connector => "CONNECTOR",
            Self::Admin => "ADMIN",
        }
    }
}

/// The most grants that the `grants` claim of a token may list.
pub const MAX_GRANTS: usize = 100;

/// A role, and the scope in which it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Root of the subtree that the role applies to.
    pub region: Option<KatoCode>,
    /// Code of the agency that the role is for.
    pub agency: Option<String>,
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
    /// The person's roles, each with its scope; sorted, without duplicates.
    pub grants: Vec<Grant>,
    /// Restrictions of a connector.
    pub imports: ImportRestriction,
}

impl Person {
    /// Returns the roles of all grants, without duplicates.
    #[must_use]
    pub fn roles(&self) -> Vec<Role> {
        let roles: BTreeSet<_> = self.grants.iter().map(|grant| grant.role).collect();
        roles.into_iter().collect()
    }

    /// Returns the region of the grants, or `None` if they name no region or several.
    ///
    /// For display only: a role holds in the region of its own grant.
    #[must_use]
    pub fn region(&self) -> Option<KatoCode> {
        only(self.grants.iter().filter_map(|grant| grant.region))
    }

    /// Returns the agency of the grants, or `None` if they name no agency or several.
    ///
    /// For display only: a role holds for the agency of its own grant.
    #[must_use]
    pub fn agency(&self) -> Option<&str> {
        only(self.grants.iter().filter_map(|grant| grant.agency.as_deref()))
    }
}

/// Returns the value that all items have, or `None` if there is no item or they differ.
fn only<T: PartialEq>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.all(|item| item == first).then_some(first)
}

/// Restricts what a connector may import. `None` does not restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ImportRestriction {
    /// Only broadcasts on this platform.
    pub platform: Option<Platform>,
    /// Only this broadcast.
    pub broadcast: Option<BroadcastId>,
}

impl ImportRestriction {
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

    /// Returns the person's grants; an anonymous viewer has none.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        self.person().map_or(&[], |person| &person.grants)
    }

    /// Returns whether the viewer is anonymous or has no role but citizen.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.grants().iter().all(|grant| grant.role == Role::Citizen)
    }

    /// Returns whether the viewer has the role, in any scope.
    #[must_use]
    pub fn has_role(&self, role: Role) -> bool {
        self.grants().iter().any(|grant| grant.role == role)
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

    fn person(grants: &[(Role, Option<&str>, Option<&str>)]) -> Person {
        let grants = grants.iter().map(|(role, region, agency)| Grant {
            role: *role,
            region: region.map(|code| code.parse().unwrap()),
            agency: agency.map(str::to_owned),
        });
        Person {
            subject: "ana".to_owned(),
            name: "Ana".to_owned(),
            grants: grants.collect(),
            imports: ImportRestriction::default(),
        }
    }

    #[test]
    fn shows_the_union_of_the_grants() {
        let own = person(&[
            (Role::Moderator, Some("103200000"), None),
            (Role::Akimat, Some("103200000"), None),
            (Role::Moderator, None, Some("water")),
        ]);
        assert_eq!(own.roles(), [Role::Moderator, Role::Akimat]);
        assert_eq!((own.region(), own.agency()), (Some("103200000".parse().unwrap()), Some("water")));
        let several = person(&[
            (Role::Agency, Some("103200000"), Some("water")),
            (Role::Agency, Some("113200000"), Some("roads")),
        ]);
        assert_eq!((several.roles(), several.region(), several.agency()), (vec![Role::Agency], None, None));
        assert_eq!((person(&[]).roles(), person(&[]).region()), (Vec::new(), None));
    }

    #[test]
    fn only_citizens_and_the_anonymous_are_the_public() {
        let is_public = |grants| Viewer::Person(person(grants)).is_public();
        assert!(Viewer::Anonymous.is_public() && is_public(&[]) && is_public(&[(Role::Citizen, None, None)]));
        assert!(!is_public(&[(Role::Citizen, None, None), (Role::Moderator, Some("103200000"), None)]));
    }

    #[test]
    fn import_restrictions_cover_only_what_they_name() {
        let [one, other] = [1, 2].map(|n| BroadcastId(uuid::Uuid::from_u128(n)));
        let vk = ImportRestriction { platform: Some(Platform::Vk), broadcast: None };
        assert!(vk.covers(Platform::Vk, one) && !vk.covers(Platform::Youtube, one));
        let single = ImportRestriction { platform: None, broadcast: Some(one) };
        assert!(single.covers(Platform::Vk, one) && !single.covers(Platform::Vk, other));
        assert!(ImportRestriction::default().covers(Platform::Youtube, other));
    }
}
