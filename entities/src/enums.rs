//! Enums that are stored as text, under the names of the public API.
//!
//! A later version may have stored a name that this one does not know, during a rolling upgrade or after a rollback.
//! Such a name never fails a read. It reads as `Unknown`, which is not in `ALL` and is never shown or written, or as
//! the member that means "none of the others" if the enum has one.

use sea_orm::{
    ActiveEnum, ActiveValue, ColIdx, ColumnDef, ColumnType, DbErr, EnumIter, IntoActiveValue, QueryResult, TryGetError,
    TryGetable,
    prelude::{ColumnTypeTrait, StringLen},
    sea_query::{Alias, ArrayType, DynIden, IntoIden, Nullable, Value, ValueType, ValueTypeErr},
};
use serde::{Deserialize, Serialize};

/// A value that is stored as text.
pub trait Stored {
    /// Returns whether this version knows the stored value.
    fn is_known(&self) -> bool;
}

impl<T: Stored> Stored for Option<T> {
    fn is_known(&self) -> bool {
        self.as_ref().is_none_or(T::is_known)
    }
}

/// Implements reading and writing an enum as text. Unknown names read as `$unknown`.
macro_rules! stored_as_text {
    ($name:ident, $unknown:ident, $is_known:expr) => {
        impl Stored for $name {
            fn is_known(&self) -> bool {
                $is_known(self)
            }
        }

        impl ActiveEnum for $name {
            type Value = String;
            type ValueVec = Vec<String>;

            fn name() -> DynIden {
                Alias::new(stringify!($name)).into_iden()
            }

            fn to_value(&self) -> String {
                self.as_str().to_owned()
            }

            fn try_from_value(text: &String) -> Result<Self, DbErr> {
                Ok(text.parse().unwrap_or(Self::$unknown))
            }

            fn db_type() -> ColumnDef {
                ColumnType::String(StringLen::N(24)).def()
            }
        }

        impl TryGetable for $name {
            fn try_get_by<I: ColIdx>(row: &QueryResult, column: I) -> Result<Self, TryGetError> {
                let text = String::try_get_by(row, column)?;
                Self::try_from_value(&text).map_err(TryGetError::DbErr)
            }
        }

        impl ValueType for $name {
            fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
                let text = <String as ValueType>::try_from(value)?;
                Self::try_from_value(&text).map_err(|_| ValueTypeErr)
            }

            fn type_name() -> String {
                stringify!($name).to_owned()
            }

            fn array_type() -> ArrayType {
                <String as ValueType>::array_type()
            }

            fn column_type() -> ColumnType {
                Self::db_type().get_column_type().to_owned().into()
            }
        }

        impl Nullable for $name {
            fn null() -> Value {
                <String as Nullable>::null()
            }
        }

        impl From<$name> for Value {
            fn from(member: $name) -> Self {
                member.to_value().into()
            }
        }

        impl IntoActiveValue<$name> for $name {
            fn into_active_value(self) -> ActiveValue<$name> {
                ActiveValue::set(self)
            }
        }
    };
}

macro_rules! named_members {
    ($name:ident { $($variant:ident = $text:literal),* } $(unknown $unknown:ident)?) => {
        impl $name {
            /// All members, in the order of the public API.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the name under which the member is stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* $(Self::$unknown => "UNKNOWN",)? }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(UnknownName) }
            }
        }
    };
}

/// Declares an enum that no version adds to, or that has a fallback for unknown names.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? } $(else $fallback:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        named_members!($name { $($variant = $text),* });
        $(stored_as_text!($name, $fallback, |_: &Self| true);)?
    };
}

/// Declares an enum that a later version may add to.
macro_rules! open_text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
            /// A name that a later version stored.
            #[serde(skip)]
            Unknown,
        }

        named_members!($name { $($variant = $text),* } unknown Unknown);
        stored_as_text!($name, Unknown, |member: &Self| *member != Self::Unknown);
    };
}

/// A text is not the name of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownName;

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no such name in this set")
    }
}

impl std::error::Error for UnknownName {}

text_enum! {
    /// A language of the product: Kazakh, the state language; Russian, used officially beside it; English, for
    /// developers.
    Language {
        /// Kazakh.
        Kk = "KK",
        /// Russian.
        Ru = "RU",
        /// English.
        En = "EN",
    } else Kk
}

text_enum! {
    /// Kind of a unit of the classifier.
    RegionKind {
        /// An oblast.
        Oblast = "OBLAST",
        /// The capital.
        Capital = "CAPITAL",
        /// A city of republican significance.
        RepublicanCity = "REPUBLICAN_CITY",
        /// A district of an oblast.
        District = "DISTRICT",
        /// A city of oblast significance, with the land it administers.
        OblastCity = "OBLAST_CITY",
        /// A district within a city.
        CityDistrict = "CITY_DISTRICT",
        /// A city of district significance.
        DistrictCity = "DISTRICT_CITY",
        /// A rural okrug.
        RuralOkrug = "RURAL_OKRUG",
        /// A settlement (kent) with an akim of its own.
        Settlement = "SETTLEMENT",
        /// A village with an akim of its own.
        Village = "VILLAGE",
        /// The town within the territory of an oblast city.
        CityProper = "CITY_PROPER",
        /// A place without an akim: village, siding, winter camp.
        Locality = "LOCALITY",
    } else Locality
}

text_enum! {
    /// Kind of a locality. Only villages, settlements and towns count for coverage.
    LocalityKind {
        /// A village.
        Village = "VILLAGE",
        /// A settlement (kent).
        Kent = "KENT",
        /// A town.
        Town = "TOWN",
        /// A siding, winter camp, farm or the like.
        Other = "OTHER",
    } else Other
}

open_text_enum! {
    /// Phase of a meeting.
    MeetingPhase {
        /// Planned, in the calendar or outside it, but not announced.
        Planned = "PLANNED",
        /// Announced to the population (p. 3.4).
        Announced = "ANNOUNCED",
        /// Under way.
        Live = "LIVE",
        /// Ended, with its results due.
        Ended = "ENDED",
        /// Ended, with its results published.
        Closed = "CLOSED",
        /// Cancelled.
        Cancelled = "CANCELLED",
    }
}

open_text_enum! {
    /// Origin of a meeting.
    MeetingOrigin {
        /// From the year's calendar (p. 2.1).
        Calendar = "CALENDAR",
        /// Outside the calendar, on demand or when needed (p. 3.1).
        OffCalendar = "OFF_CALENDAR",
    }
}

open_text_enum! {
    /// Stage of a live meeting.
    Stage {
        /// The akim presents; at most one quarter of the planned time (p. 3.3).
        Presentation = "PRESENTATION",
        /// Questions and answers.
        Questions = "QUESTIONS",
        /// A pause, which counts as neither.
        Break = "BREAK",
    }
}

open_text_enum! {
    /// When a comment becomes public.
    ModerationMode {
        /// After a moderator approves it.
        Before = "BEFORE",
        /// At once. A moderator may hide it later.
        After = "AFTER",
    }
}

open_text_enum! {
    /// Platform of a broadcast.
    Platform {
        /// YouTube.
        Youtube = "YOUTUBE",
        /// Facebook.
        Facebook = "FACEBOOK",
        /// Instagram.
        Instagram = "INSTAGRAM",
        /// Telegram.
        Telegram = "TELEGRAM",
        /// TikTok.
        Tiktok = "TIKTOK",
        /// VK.
        Vk = "VK",
        /// Twitch.
        Twitch = "TWITCH",
        /// Television.
        Television = "TELEVISION",
        /// A videoconference.
        Videoconference = "VIDEOCONFERENCE",
        /// Any other platform.
        Other = "OTHER",
    }
}

open_text_enum! {
    /// Kind of a comment.
    CommentKind {
        /// A question.
        Question = "QUESTION",
        /// A proposal.
        Proposal = "PROPOSAL",
        /// A remark.
        Remark = "REMARK",
    }
}

open_text_enum! {
    /// State of a comment.
    CommentState {
        /// Waits for moderation.
        Pending = "PENDING",
        /// Public.
        Published = "PUBLISHED",
        /// Public and selected to be answered now.
        Selected = "SELECTED",
        /// Public and answered.
        Answered = "ANSWERED",
        /// Rejected by a moderator.
        Rejected = "REJECTED",
        /// Hidden by a moderator after it was public.
        Hidden = "HIDDEN",
        /// Withdrawn by its author or deleted on its platform.
        Withdrawn = "WITHDRAWN",
        /// Merged into another comment that asks the same.
        Merged = "MERGED",
    }
}

text_enum! {
    /// Channel through which a meeting was announced (p. 3.4).
    OutreachChannel {
        /// Newspapers.
        Press = "PRESS",
        /// Radio.
        Radio = "RADIO",
        /// Television.
        Television = "TELEVISION",
        /// The akimat's official site.
        OfficialSite = "OFFICIAL_SITE",
        /// The eGov portal.
        EgovPortal = "EGOV_PORTAL",
        /// The open-data portal.
        OpenData = "OPEN_DATA",
        /// Official accounts in social networks.
        SocialNetworks = "SOCIAL_NETWORKS",
        /// Notices in public places.
        PublicPlaces = "PUBLIC_PLACES",
    }
}
