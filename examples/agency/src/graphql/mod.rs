//! The register as a subgraph: translation only. What a caller may do is decided in the register.

mod case;
mod context;
mod engine;
mod error;
mod joined;
mod limits;
mod loaders;
mod mutation;
mod page;
mod query;

pub use engine::{Engine, sdl};

#[cfg(test)]
mod tests;
