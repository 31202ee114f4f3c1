//! The limits of connections and clients, as the settings give them.

use std::sync::Arc;

use ipnet::IpNet;

use crate::{
    config::Settings,
    files,
    http::{ConnectionLimits, HttpLimits},
};

/// Returns the limits of open connections.
pub(super) fn connection_limits(settings: &Settings, trusted_proxies: &Arc<[IpNet]>) -> Arc<ConnectionLimits> {
    let (database, address) = (settings.database_connections, settings.address_connections);
    ConnectionLimits::new(files::limit(), database, address, Arc::clone(trusted_proxies))
}

/// Returns the limits of a single client.
pub(super) fn http_limits(settings: &Settings) -> HttpLimits {
    HttpLimits {
        max_body_bytes: settings.max_body_bytes,
        socket_operations: settings.socket_operations,
        gateway_operations: settings.gateway_operations,
        ..HttpLimits::default()
    }
}
