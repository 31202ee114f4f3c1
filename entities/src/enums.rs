//! Enums that are stored as text, under the names of the public API.
//!
//! A later version may have stored a name that this one does not know, during a rolling upgrade or after a rollback.
//! Such a name never fails a read. It reads as `Unknown`, which is never shown or written, or as "none of the others".

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
    /// A language: Kazakh, the state language; Russian, used officially beside it; English, for developers.
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

open_text_enum! {
    /// State of a personal reception (p. 3.5).
    ReceptionState {
        /// Prepared by staff, not public.
        Draft = "DRAFT",
        /// Public; people can register.
        Open = "OPEN",
        /// People are called.
        Running = "RUNNING",
        /// Over.
        Closed = "CLOSED",
        /// Cancelled.
        Cancelled = "CANCELLED",
    }
}

text_enum! {
    /// Role of a host of a personal reception (p. 3.5).
    ReceptionHostRole {
        /// Head of a local executive body.
        LocalExecutive = "LOCAL_EXECUTIVE",
        /// Of the prosecutor's office.
        Prosecutor = "PROSECUTOR",
        /// Of the police.
        Police = "POLICE",
        /// Deputy of the maslikhat.
        MaslikhatDeputy = "MASLIKHAT_DEPUTY",
        /// Member of a public council.
        PublicCouncil = "PUBLIC_COUNCIL",
        /// Of the local intelligentsia.
        Intelligentsia = "INTELLIGENTSIA",
        /// The akim.
        Akim = "AKIM",
        /// Anybody else.
        Other = "OTHER",
    } else Other
}

open_text_enum! {
    /// State of a registration for a personal reception.
    RegistrationState {
        /// On the waiting list, or in the line without a slot.
        Waiting = "WAITING",
        /// A freed slot is offered.
        Offered = "OFFERED",
        /// Has a slot.
        Booked = "BOOKED",
        /// Called to a desk.
        Called = "CALLED",
        /// Was received.
        Served = "SERVED",
        /// Was called and did not come.
        NoShow = "NO_SHOW",
        /// Cancelled.
        Cancelled = "CANCELLED",
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

open_text_enum! {
    /// Kind of a body to which issues are assigned.
    AgencyKind {
        /// A ministry or another central state body.
        CentralBody = "CENTRAL_BODY",
        /// A national holding.
        NationalHolding = "NATIONAL_HOLDING",
        /// A national company.
        NationalCompany = "NATIONAL_COMPANY",
        /// An akimat or another local executive body.
        LocalExecutive = "LOCAL_EXECUTIVE",
    }
}

open_text_enum! {
    /// Which bodies an issue needs: local ones, or central ones (p. 5.2).
    IssueLevel {
        /// Local bodies can solve it.
        Local = "LOCAL",
        /// It needs central bodies, national holdings or companies.
        Central = "CENTRAL",
    }
}

open_text_enum! {
    /// Kind of a publication (p. 2.1, 3.5, 5.2, 5.3).
    PublicationKind {
        /// Results of a meeting.
        MeetingResults = "MEETING_RESULTS",
        /// Progress on the issues of a unit in a quarter.
        Progress = "PROGRESS",
        /// Issues that need central bodies, in a half-year.
        CentralList = "CENTRAL_LIST",
        /// Issues of a body in a quarter.
        AgencyList = "AGENCY_LIST",
        /// Calendar of a unit.
        Calendar = "CALENDAR",
    }
}

open_text_enum! {
    /// State of a problem issue.
    IssueState {
        /// Raised, without a responsible body.
        Registered = "REGISTERED",
        /// A body is responsible, with a deadline.
        Assigned = "ASSIGNED",
        /// It has a plan or a report.
        InProgress = "IN_PROGRESS",
        /// Solved.
        Resolved = "RESOLVED",
        /// Declined with a reason.
        Declined = "DECLINED",
    }
}

open_text_enum! {
    /// What a maslikhat session decided about the money for an issue (p. 3.5).
    FundingDecision {
        /// No money is needed.
        NotNeeded = "NOT_NEEDED",
        /// Not decided yet.
        Pending = "PENDING",
        /// Granted.
        Funded = "FUNDED",
        /// Refused.
        Refused = "REFUSED",
    }
}

open_text_enum! {
    /// Kind of what an issue was raised from.
    IssueSourceKind {
        /// A comment on a meeting.
        Comment = "COMMENT",
        /// A registration for a personal reception.
        Registration = "REGISTRATION",
        /// A request sent in before a meeting.
        Request = "REQUEST",
    }
}

text_enum! {
    /// Channel by which a request came (p. 3.4).
    RequestChannel {
        /// The open-data portal.
        OpenDataPortal = "OPEN_DATA_PORTAL",
        /// The blog platform of state bodies, which closed in January 2023.
        BlogPlatform = "BLOG_PLATFORM",
        /// The system of electronic appeals.
        EOtinish = "E_OTINISH",
        /// A call centre.
        CallCentre = "CALL_CENTRE",
        /// The form of a meeting, or this API.
        MeetingForm = "MEETING_FORM",
        /// A letter.
        Letter = "LETTER",
        /// A messenger.
        Messenger = "MESSENGER",
        /// A social network.
        SocialNetwork = "SOCIAL_NETWORK",
        /// Another channel.
        Other = "OTHER",
    } else Other
}

open_text_enum! {
    /// State of the delivery of an event to a webhook.
    DeliveryState {
        /// Not sent yet, or to be sent again.
        Waiting = "WAITING",
        /// The receiver has taken it.
        Delivered = "DELIVERED",
        /// Given up, until it is replayed.
        Parked = "PARKED",
    }
}
