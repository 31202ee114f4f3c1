//! Publications in the schema.

mod draft;
mod entity;
mod enums;
mod input;
mod list;
mod loaders;
mod missing;
mod mutation;
mod object;

pub use draft::{PublicationDraft, draft_publication};
pub use entity::Publication;
pub use input::{PublicationDraftInput, PublicationFilterInput};
pub use list::{PublicationConnection, list_publications};
pub use loaders::PublicationsOf;
pub use missing::MissingPart;
pub use mutation::PublicationMutation;
