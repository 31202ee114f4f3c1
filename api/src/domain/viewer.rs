//! Who is asking, as the token says it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::{enums::Platform, ids::BroadcastId, kato::KatoCode};

use crate::domain::text::sanitize;

/// How many characters a shown name may have.
pub const MAX_NAME_LENGTH: usize = 100;

/// Up to which second of issue whose tokens are withdrawn, by subject.
pub type Revocations = HashMap<String, DateTime<Utc>>;

/// What a signed-in person may be. The public API uses the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Signed in; may post, vote and withdraw.
    Citizen,
    /// Runs the live questions of the meetings of its region's subtree.
    Moderator,
    /// Staff of an akimat: plans, announces and runs the meetings of its region's subtree.
    Akimat,
    /// A maslikhat's secretariat.
    Maslikhat,
    /// A central body, national holding or company.
    Agency,
    /// The Government.
    Government,
    /// The Presidential Administration: sees everything, changes nothing (p. 7).
    Administration,
    /// A connector that brings comments from a broadcast platform.
    Connector,
    /// Operates the service; may do everything.
    Admin,
}

impl Role {
    /// Every role, in the order of the public API.
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

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Viewer {
    /// No token: sees what is public.
    Anonymous,
    /// A verified token.
    Person(Person),
}

/// A signed-in caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Person {
    /// The token's `sub`: one person, whatever their roles.
    pub subject: String,
    /// Name shown beside what the person writes.
    pub name: String,
    /// What the person may be.
    pub roles: Vec<Role>,
    /// Authority over this unit's subtree.
    pub region: Option<KatoCode>,
    /// Code of the agency the person speaks for.
    pub agency: Option<String>,
    /// What a connector may import.
    pub imports: ImportGrant,
}

/// Restricts what a connector may import. A part that is not named restricts nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ImportGrant {
    /// Only from broadcasts on this platform.
    pub platform: Option<Platform>,
    /// Only from this broadcast.
    pub broadcast: Option<BroadcastId>,
}

impl ImportGrant {
    /// Whether comments of a broadcast may be imported.
    #[must_use]
    pub fn covers(&self, platform: Platform, broadcast: BroadcastId) -> bool {
        self.platform.is_none_or(|own| own == platform) && self.broadcast.is_none_or(|own| own == broadcast)
    }
}

/// Returns the name to show for a token: its own, else its subject, made fit to be shown and cut at [`MAX_NAME_LENGTH`].
#[must_use]
pub fn display_name(name: Option<&str>, subject: &str) -> String {
    let shown = |text: &str| sanitize(text, MAX_NAME_LENGTH);
    name.and_then(shown).or_else(|| shown(subject)).unwrap_or_else(|| "?".to_owned())
}

impl Viewer {
    /// The signed-in caller, if any.
    #[must_use]
    pub const fn person(&self) -> Option<&Person> {
        match self {
            Self::Anonymous => None,
            Self::Person(person) => Some(person),
        }
    }

    /// The caller's subject, if signed in.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.person().map(|person| person.subject.as_str())
    }

    /// Whether the caller is one of the public: anonymous, or nothing but a citizen.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.person().is_none_or(|person| person.roles.iter().all(|role| *role == Role::Citizen))
    }

    /// Whether the caller has the role, wherever.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.person().is_some_and(|person| person.roles.contains(&role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_without_what_cannot_be_seen_and_cut_at_its_end() {
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
    fn an_import_grant_restricts_by_what_it_names() {
        let [one, other] = [1, 2].map(|n| BroadcastId(uuid::Uuid::from_u128(n)));
        let vk = ImportGrant { platform: Some(Platform::Vk), broadcast: None };
        assert!(vk.covers(Platform::Vk, one) && !vk.covers(Platform::Youtube, one));
        let single = ImportGrant { platform: None, broadcast: Some(one) };
        assert!(single.covers(Platform::Vk, one) && !single.covers(Platform::Vk, other));
        assert!(ImportGrant::default().covers(Platform::Youtube, other));
    }
}
