//! Kezdesu: meetings of akims with the population, as a GraphQL subgraph with live streams.
//!
//! The rooms and the arrows between them are described in `docs/architecture.md` and held by `tests/it/architecture.rs`.

pub mod clock;
pub mod domain;
pub mod idgen;
