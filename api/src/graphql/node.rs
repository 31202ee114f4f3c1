//! The registry of entities. Each type is registered once, in the list below.
//!
//! The `Node` interface and its look-up come from that list.

use async_graphql::{Context, ID, Interface};

use crate::graphql::{
    agencies::Agency,
    entity::{Entity, parse},
    error::ApiResult,
    issues::{Issue, PublicRequest},
    meetings::{Broadcast, Meeting},
    publications::Publication,
    questions::Comment,
    receptions::{Reception, Registration},
    regions::Region,
    webhooks::Webhook,
};

macro_rules! entities {
    ($($(#[$doc:meta])* $object:ident,)+) => {
        /// A global id.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum GlobalId {
            $($(#[$doc])* $object(<$object as Entity>::Id),)+
        }

        impl GlobalId {
            /// Parses a global id, or returns `None` if it is malformed or of an unknown type.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                None$(.or_else(|| parse::<$object>(text).map(Self::$object)))+
            }

            /// Returns the id as the API shows it.
            #[must_use]
            pub fn show(self) -> ID {
                match self {
                    $(Self::$object(id) => $object::global_id(id),)+
                }
            }
        }

        /// An object with a global id.
        #[derive(Interface)]
        #[graphql(field(name = "id", ty = "ID", desc = "Global id, opaque."))]
        pub enum Node {
            $($(#[$doc])* $object($object),)+
        }

        impl Node {
            /// Loads the object with an id, or returns `None` if it does not exist or is not for the viewer.
            ///
            /// # Errors
            /// If the database fails.
            pub async fn load(ctx: &Context<'_>, id: &str) -> ApiResult<Option<Self>> {
                Ok(match GlobalId::parse(id) {
                    None => None,
                    $(Some(GlobalId::$object(id)) => $object::load(ctx, id).await?.map(Self::$object),)+
                })
            }
        }
    };
}

entities! {
    /// A unit of the classifier.
    Region,
    /// A meeting.
    Meeting,
    /// A broadcast.
    Broadcast,
    /// A comment.
    Comment,
    /// A personal reception.
    Reception,
    /// A registration for a personal reception.
    Registration,
    /// A body to which issues are assigned.
    Agency,
    /// A problem issue.
    Issue,
    /// A request sent in before a meeting.
    PublicRequest,
    /// A receiver of events about issues.
    Webhook,
    /// An edition of a publication.
    Publication,
}

#[cfg(test)]
mod tests {
    use entities::ids::{
        AgencyId, BroadcastId, CommentId, IssueId, MeetingId, PublicationId, ReceptionId, RegistrationId, RequestId,
        WebhookId,
    };
    use uuid::Uuid;

    use super::*;
    use crate::domain::agencies::agency_id;

    #[test]
    fn parses_the_ids_that_it_shows() {
        let uuid = Uuid::from_u128(0x0193_5f3e_7c00_7000_8000_0000_0000_0001);
        for id in [
            GlobalId::Region("751110000".parse().unwrap()),
            GlobalId::Meeting(MeetingId(uuid)),
            GlobalId::Broadcast(BroadcastId(uuid)),
            GlobalId::Comment(CommentId(uuid)),
            GlobalId::Reception(ReceptionId(uuid)),
            GlobalId::Registration(RegistrationId(uuid)),
            GlobalId::Agency(AgencyId(uuid)),
            GlobalId::Agency(agency_id("min-finance")),
            GlobalId::Issue(IssueId(uuid)),
            GlobalId::PublicRequest(RequestId(uuid)),
            GlobalId::Webhook(WebhookId(uuid)),
            GlobalId::Publication(PublicationId(uuid)),
        ] {
            assert_eq!(GlobalId::parse(&id.show()), Some(id));
        }
    }

    #[test]
    fn rejects_malformed_ids() {
        for text in [
            "",
            "mtg",
            "mtg_",
            "mtg_1",
            "region_",
            "region_75111000x",
            "user_01h455vb4pex5vsknk084sn02q",
            "_01h455vb4pex5vsknk084sn02q",
            "mtg_cmt_01h455vb4pex5vsknk084sn02q",
        ] {
            assert_eq!(GlobalId::parse(text), None, "{text}");
        }
        assert_eq!(GlobalId::parse(&format!("{}_01h455vb4pex5vsknk084sn02q", "ж".repeat(64))), None);
    }
}
