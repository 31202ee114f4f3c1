//! The enums of publications.

use async_graphql::Enum;

use crate::graphql::enums::open_enum;

open_enum! {
    /// The kind of a publication.
    PublicationKind {
        /// Results of a meeting with its issues and their plans (p. 3.5). Published by the akimat of the host.
        MeetingResults,
        /// Progress on the issues of a unit in a quarter (p. 3.5). Published by its akimat.
        Progress,
        /// Issues that need central bodies, in a half-year (p. 5.2). Published by the Government.
        CentralList,
        /// Issues of a body in a quarter (p. 5.3). Published by the body.
        AgencyList,
        /// Calendar of meetings (p. 2.1).
        Calendar,
    } unknown Calendar
}
