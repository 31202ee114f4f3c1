//! Rendering of what is published: pages that print well, and files beside them.
//!
//! Only rendering: what a page shows is handed in, and `http` answers requests with it. Pages have no script, and
//! templates escape every text. A page is in Kazakh or in Russian.

mod edition;
mod format;
mod language;
mod page;
pub mod protocol;

pub use edition::{EditionPage, FeedAbout, FeedEntry, FeedPage, NewerEdition, PlacementLine, parts_of};
pub use language::PageLanguage;
pub use page::{MessagePage, Page, PageAddress, RenderError, content_security_policy};
