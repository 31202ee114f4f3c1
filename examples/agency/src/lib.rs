//! The register of cases of a central agency: a subgraph beside Kezdesu's, with data, a store and a token check of its own.
//!
//! It uses nothing of Kezdesu but the public graph, as any agency's developer would.

pub mod auth;
pub mod case;
pub mod graphql;
pub mod http;
pub mod register;
pub mod settings;
pub mod sources;
pub mod store;
#[cfg(test)]
mod testing;
