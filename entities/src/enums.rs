//! Closed sets, stored as text under the names the public API uses.

use sea_orm::{DeriveActiveEnum, EnumIter, prelude::StringLen};
use serde::{Deserialize, Serialize};

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
        #[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] #[sea_orm(string_value = $text)] $variant,)*
        }

        impl $name {
            /// Every member, in the order of the public API.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name under which the member is stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
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
    }
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
    }
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
    }
}

text_enum! {
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

text_enum! {
    /// Whether a meeting comes from the approved calendar.
    MeetingOrigin {
        /// From the year's calendar (p. 2.1).
        Calendar = "CALENDAR",
        /// Outside the calendar, on demand or when needed (p. 3.1).
        OffCalendar = "OFF_CALENDAR",
    }
}

text_enum! {
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

text_enum! {
    /// When a comment becomes public.
    ModerationMode {
        /// Once a moderator has approved it.
        Before = "BEFORE",
        /// At once; a moderator may hide it later.
        After = "AFTER",
    }
}

text_enum! {
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

text_enum! {
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

text_enum! {
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
