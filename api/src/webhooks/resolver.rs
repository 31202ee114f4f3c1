//! Resolves host names, so that every address is checked before a connection to it.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::webhooks::{AddressError, AddressRules};

/// The addresses of a host, once they are known.
pub type Resolution = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Resolves host names.
pub trait Resolver: Send + Sync + 'static {
    /// Returns the addresses of a host.
    fn resolve(&self, host: &str) -> Resolution;
}

/// Resolves host names as the operating system does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> Resolution {
        let host = host.to_owned();
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host, 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

/// Resolves host names to addresses that are all allowed. The client connects to these and no others.
#[derive(Clone)]
pub(in crate::webhooks) struct CheckedResolver {
    pub(in crate::webhooks) rules: Arc<AddressRules>,
    pub(in crate::webhooks) resolver: Arc<dyn Resolver>,
}

impl CheckedResolver {
    /// Returns the addresses of a host.
    ///
    /// # Errors
    /// When the host has none, or one that is not allowed: a host with both kinds is not trusted.
    pub(in crate::webhooks) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, AddressError> {
        let addresses = self.resolver.resolve(host).await.map_err(|_| AddressError::Unresolved)?;
        if addresses.is_empty() {
            return Err(AddressError::Unresolved);
        }
        addresses.iter().try_for_each(|address| self.rules.check_address(*address))?;
        Ok(addresses)
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            // The port of the URL replaces this one.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
