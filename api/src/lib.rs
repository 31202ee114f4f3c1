//! Kezdesu: meetings of akims with the population, as a GraphQL subgraph with live streams.
//!
//! `docs/architecture.md` describes the modules; `tests/it/architecture.rs` enforces which may import which.

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod encryption;
pub mod feed;
pub mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod graphql;
pub mod http;
pub mod idgen;
pub mod jobs;
pub mod lifecycle;
pub mod network;
pub mod publications;
pub mod secret_file;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod tls;
pub mod webhooks;
