//! Encryption of outgoing connections: one provider for the whole process.

/// Makes the provider known. Called before anything connects; a second call changes nothing.
pub fn provide() {
    // An error means that one is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
