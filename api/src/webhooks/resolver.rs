//! Resolves host names, so that every address is checked before a connection to it.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::webhooks::{AddressError, AddressRules};

/// The addresses of a host, once they are known.
pub type Resolution = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Resolves host names.
pub trait Resolver: Send + Sync + 'static {
    /// Returns the addresses of a host.
    fn resolve(&self, host: &str) -> Resolution;
}

/// Host names that are resolved at once. Each takes a thread, for as long as the servers of its domain like, also when nobody
/// waits for the result any more; the runtime has 512 threads for all such work.
const LOOKUPS_AT_ONCE: usize = 64;

/// A blocking look-up of the addresses of a host.
type Lookup = fn(&str) -> io::Result<Vec<IpAddr>>;

/// Resolves host names as the operating system does.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    lookup: Lookup,
    permits: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::with(look_up, LOOKUPS_AT_ONCE)
    }
}

impl SystemResolver {
    pub(in crate::webhooks) fn with(lookup: Lookup, at_once: usize) -> Self {
        Self { lookup, permits: Arc::new(Semaphore::new(at_once)) }
    }
}

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> Resolution {
        let (host, lookup, permits) = (host.to_owned(), self.lookup, Arc::clone(&self.permits));
        Box::pin(async move {
            let permit = permits.acquire_owned().await.map_err(io::Error::other)?;
            let resolving = tokio::task::spawn_blocking(move || {
                // Free again when the thread is, whoever has given up waiting.
                let _permit = permit;
                lookup(&host)
            });
            resolving.await.map_err(io::Error::other)?
        })
    }
}

fn look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
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
