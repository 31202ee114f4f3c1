//! The GraphQL API. It only translates: commands and rules make every decision.

pub mod caller;
pub mod context;
pub mod cost_budget;
mod document_scan;
pub mod engine;
mod entity;
pub mod enums;
pub mod error;
pub mod expensive_queries;
pub mod feed_heads;
mod field_merge;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod literals;
mod loader_dispatch;
pub mod loaders;
pub mod localized;
pub mod meetings;
pub mod meter;
mod mutation;
pub mod node;
pub mod notifications;
pub mod operation_cache;
pub mod operation_limits;
pub mod operation_response;
pub mod page;
mod preparation;
pub mod prepared_operation;
mod query;
mod query_root;
pub mod questions;
pub mod refusal;
pub mod regions;
pub mod render_cache;
mod request_purpose;
pub mod response_shape;
pub mod scalars;
pub mod schema;
pub mod subscription_stream;
pub mod time_split;
mod type_index;
mod variables;
pub mod viewer;

pub use engine::Engine;
pub use schema::{ApiSchema, client_sdl, sdl};
