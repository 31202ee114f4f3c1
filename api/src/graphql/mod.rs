//! The public API: translation only. What a resolver decides, a use case or a rule decides for it.

pub mod budgets;
pub mod context;
pub mod engine;
pub mod enums;
pub mod error;
pub mod expensive_queries;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod groups;
pub mod limits;
pub mod literals;
pub mod live;
mod loader_dispatch;
pub mod loaders;
pub mod localized;
pub mod meetings;
mod merge;
pub mod meter;
mod mutation;
pub mod node;
pub mod notifications;
pub mod outline;
pub mod page;
mod prepare;
mod query;
pub mod questions;
mod references;
pub mod refusal;
pub mod regions;
pub mod scalars;
pub mod schema;
mod shape;
pub mod time_split;
mod type_index;
mod variables;
pub mod viewer;

pub use engine::Engine;
pub use schema::{ApiSchema, client_sdl, sdl};
