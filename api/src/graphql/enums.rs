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

pub(in crate::graphql) use {open_enum, remote_enum};
remote_enum! {
    /// A language of the service. Kazakh is the state language, Russian is also official, English is for
    /// developers.
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
    /// The kind of a unit of the classifier.
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
    /// The type of a locality. Only villages, settlements and towns count for coverage.
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
    /// The phase of a meeting.
    MeetingPhase {
        /// In the calendar or planned outside it; not announced.
        Planned,
        /// Announced to the population (p. 3.4).
        Announced,
        /// In progress.
        Live,
        /// Ended; its results are due.
        Ended,
        /// Ended, with its results published.
        Closed,
        /// Cancelled.
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
    /// The stage of a live meeting.
    Stage {
        /// The akim presents; at most one quarter of the planned time (p. 3.3).
        Presentation,
        /// Questions and answers.
        Questions,
        /// A break. Counts as neither presentation nor questions.
        Break,
    } unknown Break
}

open_enum! {
    /// When a comment becomes public.
    ModerationMode {
        /// After a moderator approves it.
        Before,
        /// Immediately. A moderator may hide it later.
        After,
    } unknown Before
}

open_enum! {
    /// A broadcast platform.
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
    /// The kind of comment.
    CommentKind {
        /// A question.
        Question,
        /// A proposal.
        Proposal,
        /// A remark.
        Remark,
    } unknown Remark
}

open_enum! {
    /// The state of a comment.
    CommentState {
        /// Waiting for a moderator.
        Pending,
        /// Public.
        Published,
        /// Public, and being answered on air now.
        Selected,
        /// Public and answered.
        Answered,
        /// Rejected by a moderator.
        Rejected,
        /// Hidden by a moderator after publication.
        Hidden,
        /// Withdrawn by its author or deleted on its platform.
        Withdrawn,
        /// Merged into another comment with the same question.
        Merged,
    } unknown Hidden
}

open_enum! {
    /// The state of a personal reception (p. 3.5).
    ReceptionState {
        /// Prepared by staff; not public.
        Draft,
        /// Public; people can register.
        Open,
        /// People are being received.
        Running,
        /// Over.
        Closed,
        /// Cancelled.
        Cancelled,
    } unknown Draft
}

remote_enum! {
    /// The role of a host of a personal reception (p. 3.5).
    "entities::enums::ReceptionHostRole" ReceptionHostRole {
        /// Head of a local executive body.
        LocalExecutive,
        /// Of the prosecutor's office.
        Prosecutor,
        /// Of the police.
        Police,
        /// A deputy of the maslikhat.
        MaslikhatDeputy,
        /// A member of a public council.
        PublicCouncil,
        /// Of the local intelligentsia.
        Intelligentsia,
        /// The akim.
        Akim,
        /// Anybody else.
        Other,
    }
}

open_enum! {
    /// The state of a registration for a personal reception.
    RegistrationState {
        /// In the waiting line, without a slot.
        Waiting,
        /// A freed slot is offered until `offerExpiresAt`.
        Offered,
        /// Has a slot.
        Booked,
        /// Called to a desk.
        Called,
        /// Was received.
        Served,
        /// Was called and did not come.
        NoShow,
        /// Cancelled.
        Cancelled,
    } unknown Cancelled
}

remote_enum! {
    /// A channel by which a meeting is announced (p. 3.4).
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

open_enum! {
    /// The state of a delivery to a webhook.
    DeliveryState {
        /// Not sent yet, or to be sent again.
        Waiting,
        /// The receiver has taken it.
        Delivered,
        /// Given up, until it is replayed.
        Parked,
    } unknown Waiting
}

remote_enum! {
    /// A role of an authenticated person.
    "crate::domain::viewer::Role" Role {
        /// Authenticated; may post, vote and withdraw comments.
        Citizen,
        /// Moderates the meetings in the region and below it.
        Moderator,
        /// Staff of an akimat: plans, announces and runs the meetings in the region and below it.
        Akimat,
        /// A maslikhat's secretariat.
        Maslikhat,
        /// A central body, national holding or company.
        Agency,
        /// The Government.
        Government,
        /// The Presidential Administration: may read everything and change nothing (p. 7).
        Administration,
        /// A connector that imports comments from a broadcast platform.
        Connector,
        /// Operates the service. Has all permissions.
        Admin,
    }
}

remote_enum! {
    /// The order of comments.
    "crate::app::reads::CommentOrder" CommentOrder {
        /// Oldest first.
        Oldest,
        /// Newest first.
        Newest,
        /// Most votes first, then oldest first.
        MostVoted,
    }
}

open_enum! {
    /// The kind of a body to which issues are assigned.
    AgencyKind {
        /// A ministry or another central state body.
        CentralBody,
        /// A national holding.
        NationalHolding,
        /// A national company.
        NationalCompany,
        /// An akimat or another local executive body.
        LocalExecutive,
    } unknown CentralBody
}
