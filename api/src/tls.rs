//! TLS for outgoing connections: one crypto provider for the process.

/// Installs the crypto provider. Called before any connection; a second call changes nothing.
pub fn install_provider() {
    // An error means that a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
