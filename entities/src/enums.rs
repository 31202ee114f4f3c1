//! Sets that are stored as text, under the names the public API uses.
//!
//! A later version may have stored a name that this one does not know: while replicas are replaced one by one, and after a return
//! to an older version. Such a name never fails a read. It reads as `Unknown`, which is no member: it is not in `ALL`, is never
//! shown, and is never written; or, where the set has a member that means no more than "none of the others", as that one.

use sea_orm::{
    ActiveEnum, ActiveValue, ColIdx, ColumnDef, ColumnType, DbErr, EnumIter, IntoActiveValue, QueryResult, TryGetError,
    TryGetable,
    prelude::{ColumnTypeTrait, StringLen},
    sea_query::{Alias, ArrayType, DynIden, IntoIden, Nullable, Value, ValueType, ValueTypeErr},
};
use serde::{Deserialize, Serialize};

/// What is stored as text.
pub trait Stored {
    /// Whether this version knows what is stored.
    fn is_known(&self) -> bool;
}

impl<T: Stored> Stored for Option<T> {
    fn is_known(&self) -> bool {
        self.as_ref().is_none_or(T::is_known)
    }
}

/// Reads and writes an enum as text; a name that it does not know is `$unknown`.
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
            /// Every member, in the order of the public API.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name under which the member is stored and shown.
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

/// A set that no version adds to, or whose unknown names another member stands for.
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

/// A set that a later version may add to.
macro_rules! open_text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
            /// What a later version has stored.
            #[serde(skip)]
            Unknown,
        }

        named_members!($name { $($variant = $text),* } unknown Unknown);
        stored_as_text!($name, Unknown, |member: &Self| *member != Self::Unknown);
    };
}

/// A text names no member of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownName;

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no such name in this set")
    }
}

impl std::error::Error for UnknownName {}

text_enum! {
    /// A language of the product. Kazakh is the state language, Russian is used officially beside it, English is for developers.
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
    /// What a unit of the classifier is.
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
        /// The town itself within the land of an oblast city.
        CityProper = "CITY_PROPER",
        /// A place without an akim: village, siding, winter camp.
        Locality = "LOCALITY",
    } else Locality
}

text_enum! {
    /// What sort of place a locality is: only villages, settlements and towns count for coverage.
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
    /// Where a meeting is in its life.
    MeetingPhase {
        /// In the calendar or planned outside it; not announced.
        Planned = "PLANNED",
        /// Announced to the population (p. 3.4).
        Announced = "ANNOUNCED",
        /// Under way.
        Live = "LIVE",
        /// Over; its results are due.
        Ended = "ENDED",
        /// Over, with its results published.
        Closed = "CLOSED",
        /// Will not be held.
        Cancelled = "CANCELLED",
    }
}

open_text_enum! {
    /// Whether a meeting comes from the approved calendar.
    MeetingOrigin {
        /// From the year's calendar (p. 2.1).
        Calendar = "CALENDAR",
        /// Outside the calendar, on demand or when needed (p. 3.1).
        OffCalendar = "OFF_CALENDAR",
    }
}

open_text_enum! {
    /// What a live meeting spends its time on.
    Stage {
        /// The akim presents; at most one quarter of the planned time (p. 3.3).
        Presentation = "PRESENTATION",
        /// Questions and answers.
        Questions = "QUESTIONS",
        /// A pause; counts as neither.
        Break = "BREAK",
    }
}

open_text_enum! {
    /// When a comment becomes public.
    ModerationMode {
        /// Once a moderator has approved it.
        Before = "BEFORE",
        /// At once; a moderator may hide it later.
        After = "AFTER",
    }
}

open_text_enum! {
    /// Where a meeting is broadcast.
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
    /// What the author wants.
    CommentKind {
        /// Asks.
        Question = "QUESTION",
        /// Proposes.
        Proposal = "PROPOSAL",
        /// Remarks.
        Remark = "REMARK",
    }
}

open_text_enum! {
    /// Where a comment is on its way from the author to the answer.
    CommentState {
        /// Waits for a moderator.
        Pending = "PENDING",
        /// Public.
        Published = "PUBLISHED",
        /// Public, and being answered on air now.
        Selected = "SELECTED",
        /// Public and answered.
        Answered = "ANSWERED",
        /// Refused by a moderator.
        Rejected = "REJECTED",
        /// Was public, taken down by a moderator.
        Hidden = "HIDDEN",
        /// Taken back by its author or deleted on its platform.
        Withdrawn = "WITHDRAWN",
        /// Joined to another that asks the same.
        Merged = "MERGED",
    }
}

text_enum! {
    /// By which way people were told of a meeting (p. 3.4).
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
