//! Who is asking, as the token says it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::kato::KatoCode;

/// Up to which moment of issue whose tokens are withdrawn, by subject.
pub type Withdrawals = HashMap<String, DateTime<Utc>>;

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
