//! The feeds: their names, and what one event of them says.
//!
//! A feed is an ordered log. An event says which subject changed, how, and who may see it; what is shown is the subject as it
//! stands when rendered. Which feeds there are is for their topics to say.

use std::{fmt, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use entities::kato::KatoCode;
use uuid::Uuid;

/// Selects one feed of a topic: the second part of its name.
pub trait FeedScope: Clone + Send + 'static {
    /// Returns it as text; empty for a topic with one feed.
    fn text(&self) -> String;
    /// Parses it from a name.
    fn parse(text: &str) -> Option<Self>;
}

impl FeedScope for () {
    fn text(&self) -> String {
        String::new()
    }

    fn parse(text: &str) -> Option<Self> {
        text.is_empty().then_some(())
    }
}

/// The name of a feed: its topic, and its scope if the topic has several feeds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedName(Arc<str>);

impl FeedName {
    /// Names the feed of a topic and a scope.
    #[must_use]
    pub fn new(topic: &str, scope: &impl FeedScope) -> Self {
        let scope = scope.text();
        Self(if scope.is_empty() { topic.into() } else { format!("{topic}:{scope}").into() })
    }

    /// Reads a stored name.
    #[must_use]
    pub fn stored(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as it is stored and sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(topic, _)| topic)
    }

    /// Its scope; empty for the topic's only feed.
    #[must_use]
    pub fn scope(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, scope)| scope)
    }
}

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the subject of an event changed: one of the kinds that its topic declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventKind(&'static str);

impl EventKind {
    /// The subject changed in a way that no other kind names.
    pub const CHANGED: Self = Self::new("CHANGED");
    /// A kind that only a later version knows. It is shown as a change and never recorded.
    pub const UNKNOWN: Self = Self::new("");

    /// Declares a kind by its stored name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Reads a stored name as one of the declared kinds, else as [`Self::UNKNOWN`].
    #[must_use]
    pub fn parse(name: &str, declared: &[Self]) -> Self {
        declared.iter().copied().find(|kind| kind.0 == name).unwrap_or(Self::UNKNOWN)
    }
}

/// Whom an event is for, beside those who may see everything of the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everyone, as of its public kind, and the owner of its subject.
    #[default]
    Everyone,
    /// Nobody, not even the owner of its subject.
    Staff,
    /// The agency of the event.
    Agency,
}

impl Audience {
    /// The stored name; `None` means everyone.
    #[must_use]
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Everyone => None,
            Self::Staff => Some("STAFF"),
            Self::Agency => Some("AGENCY"),
        }
    }

    /// Reads a stored name. An audience of a later version may be narrow, so it is read as the narrowest.
    #[must_use]
    pub fn parse(name: Option<&str>) -> Self {
        match name {
            None => Self::Everyone,
            Some("AGENCY") => Self::Agency,
            Some(_) => Self::Staff,
        }
    }
}

/// The values of an event by which followers filter. A topic sets those that its filters use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilterValues {
    /// The unit that the event is about.
    pub region: Option<KatoCode>,
    /// The agency that was responsible at the event, by its id.
    pub agency: Option<Uuid>,
}

/// A filter on the events of a feed, which the database answers from an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventFilter {
    /// Events about a unit or one below it.
    Within(KatoCode),
    /// Events for which an agency was responsible, by its id.
    OfAgency(Uuid),
}

impl EventFilter {
    /// Returns whether it selects an event with these values.
    #[must_use]
    pub fn selects(self, values: FilterValues) -> bool {
        match self {
            Self::Within(unit) => values.region.is_some_and(|region| unit.contains(region)),
            Self::OfAgency(agency) => values.agency == Some(agency),
        }
    }
}

/// An event to be recorded in the transaction of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What changed.
    pub subject: Uuid,
    /// How, for those who may see everything of the feed.
    pub kind: EventKind,
    /// How, for everyone else; `None` hides the event from them.
    pub public_kind: Option<EventKind>,
    /// Whom it is for.
    pub audience: Audience,
    /// Subject of whoever did it; `None` for the service itself.
    pub actor: Option<String>,
    /// The values by which followers filter.
    pub filter_values: FilterValues,
}

/// A recorded event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the feed, from 1 without gaps, in commit order.
    pub seq: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What changed.
    pub subject: Uuid,
    /// How, for those who may see everything of the feed.
    pub kind: EventKind,
    /// How, for everyone else; `None` hides the event from them.
    pub public_kind: Option<EventKind>,
    /// Whom it is for.
    pub audience: Audience,
    /// The agency that was responsible at the event, by its id.
    pub agency: Option<Uuid>,
}

/// How long events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// At most so many of each feed; `None` takes the service's setting.
    pub events: Option<i64>,
    /// At most for so long; `None` means for ever.
    pub age: Option<TimeDelta>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_selects_exactly_the_codes_with_its_prefix() {
        let codes: Vec<KatoCode> =
            ["000000000", "100000000", "103200000", "103230000", "103230100", "103230101", "110000000", "751110000"]
                .iter()
                .map(|code| code.parse().unwrap())
                .collect();
        for unit in &codes {
            for region in &codes {
                let values = FilterValues { region: Some(*region), ..FilterValues::default() };
                let is_prefixed = region.as_str().starts_with(unit.prefix());
                assert_eq!(EventFilter::Within(*unit).selects(values), is_prefixed, "{region} within {unit}");
            }
            assert!(!EventFilter::Within(*unit).selects(FilterValues::default()));
        }
    }
}
