//! The enums.

use async_graphql::Enum;

macro_rules! remote_enum {
    ($(#[$doc:meta])* $remote:literal $name:ident { $($(#[$vdoc:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
        #[graphql(remote = $remote)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }
    };
}

/// Declares an enum over stored values. A stored value of a later version is shown as the fallback.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),* $(,)? } unknown $fallback:ident) => {
        $(#[$doc])*
        #[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }

        impl From<entities::enums::$name> for $name {
            fn from(stored: entities::enums::$name) -> Self {
                match stored {
                    $(entities::enums::$name::$variant => Self::$variant,)*
                    entities::enums::$name::Unknown => Self::$fallback,
                }
            }
        }

        impl From<$name> for entities::enums::$name {
            fn from(shown: $name) -> Self {
                match shown { $($name::$variant => Self::$variant,)* }
            }
        }
    };
}

remote_enum! {
    /// A language of the product. Kazakh is the state language, Russian is used officially beside it, English is for developers.
    "entities::enums::Language" Language {
        /// Kazakh.
        Kk,
        /// Russian.
        Ru,
        /// English.
        En,
    }
}

remote_enum! {
    /// What a unit of the classifier is.
    "entities::enums::RegionKind" RegionKind {
        /// An oblast.
        Oblast,
        /// The capital.
        Capital,
        /// A city of republican significance.
        RepublicanCity,
        /// A district of an oblast.
        District,
        /// A city of oblast significance, with the land it administers.
        OblastCity,
        /// A district within a city.
        CityDistrict,
        /// A city of district significance.
        DistrictCity,
        /// A rural okrug.
        RuralOkrug,
        /// A settlement (kent) with an akim of its own.
        Settlement,
        /// A village with an akim of its own.
        Village,
        /// The town itself within the land of an oblast city.
        CityProper,
        /// A place without an akim: village, siding, winter camp.
        Locality,
    }
}

remote_enum! {
    /// What sort of place a locality is: only villages, settlements and towns count for coverage.
    "entities::enums::LocalityKind" LocalityKind {
        /// A village.
        Village,
        /// A settlement (kent).
        Kent,
        /// A town.
        Town,
        /// A siding, winter camp, farm or the like.
        Other,
    }
}

open_enum! {
    /// Where a meeting is in its life.
    MeetingPhase {
        /// In the calendar or planned outside it; not announced.
        Planned,
        /// Announced to the population (p. 3.4).
        Announced,
        /// Under way.
        Live,
        /// Over; its results are due.
        Ended,
        /// Over, with its results published.
        Closed,
        /// Will not be held.
        Cancelled,
    } unknown Planned
}

open_enum! {
    /// Whether a meeting comes from the approved calendar.
    MeetingOrigin {
        /// From the year's calendar (p. 2.1).
        Calendar,
        /// Outside the calendar, on demand or when needed (p. 3.1).
        OffCalendar,
    } unknown OffCalendar
}

open_enum! {
    /// What a live meeting spends its time on.
    Stage {
        /// The akim presents; at most one quarter of the planned time (p. 3.3).
        Presentation,
        /// Questions and answers.
        Questions,
        /// A pause; counts as neither.
        Break,
    } unknown Break
}

open_enum! {
    /// When a comment becomes public.
    ModerationMode {
        /// Once a moderator has approved it.
        Before,
        /// At once; a moderator may hide it later.
        After,
    } unknown Before
}

open_enum! {
    /// Where a meeting is broadcast.
    Platform {
        /// YouTube.
        Youtube,
        /// Facebook.
        Facebook,
        /// Instagram.
        Instagram,
        /// Telegram.
        Telegram,
        /// TikTok.
        Tiktok,
        /// VK.
        Vk,
        /// Twitch.
        Twitch,
        /// Television.
        Television,
        /// A videoconference.
        Videoconference,
        /// Any other platform.
        Other,
    } unknown Other
}

open_enum! {
    /// What the author wants.
    CommentKind {
        /// Asks.
        Question,
        /// Proposes.
        Proposal,
        /// Remarks.
        Remark,
    } unknown Remark
}

open_enum! {
    /// Where a comment is on its way from the author to the answer.
    CommentState {
        /// Waits for a moderator.
        Pending,
        /// Public.
        Published,
        /// Public, and being answered on air now.
        Selected,
        /// Public and answered.
        Answered,
        /// Refused by a moderator.
        Rejected,
        /// Was public, taken down by a moderator.
        Hidden,
        /// Taken back by its author or deleted on its platform.
        Withdrawn,
        /// Joined to another that asks the same.
        Merged,
    } unknown Hidden
}

remote_enum! {
    /// By which way people were told of a meeting (p. 3.4).
    "entities::enums::OutreachChannel" OutreachChannel {
        /// Newspapers.
        Press,
        /// Radio.
        Radio,
        /// Television.
        Television,
        /// The akimat's official site.
        OfficialSite,
        /// The eGov portal.
        EgovPortal,
        /// The open-data portal.
        OpenData,
        /// Official accounts in social networks.
        SocialNetworks,
        /// Notices in public places.
        PublicPlaces,
    }
}

remote_enum! {
    /// What a signed-in person may be.
    "crate::domain::viewer::Role" Role {
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
}

remote_enum! {
    /// In which order comments are listed.
    "crate::store::comments::CommentOrder" CommentOrder {
        /// As they were posted.
        Oldest,
        /// The other way round.
        Newest,
        /// The most wanted first, then as they were posted.
        MostVoted,
    }
}
