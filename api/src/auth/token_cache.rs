//! Cache of verified signatures. Verifying one costs more than most requests, and a client sends the same
//! token each time. All other checks run every time.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::auth::{claims::Claims, jwks::Fingerprint};

/// Maximum number of cached tokens.
const MAX_TOKENS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// The digest of a token, and the key that signed it.
type CacheKey = ([u8; 32], Fingerprint);

/// Claims of tokens whose signature was verified.
pub(in crate::auth) struct VerifiedTokens(Mutex<LruCache<CacheKey, Arc<Claims>>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_TOKENS)))
    }
}

impl VerifiedTokens {
    /// Returns the claims of a token, from the cache or by calling `verify`.
    ///
    /// # Errors
    /// Those of `verify`; failures are not cached.
    pub(in crate::auth) fn claims<E>(
        &self,
        token: &str,
        key: Fingerprint,
        verify: impl FnOnce() -> Result<Claims, E>,
    ) -> Result<Arc<Claims>, E> {
        let cache_key = (Sha256::digest(token).into(), key);
        if let Some(claims) = self.0.lock().get(&cache_key) {
            return Ok(Arc::clone(claims));
        }
        let claims = Arc::new(verify()?);
        self.0.lock().put(cache_key, Arc::clone(&claims));
        Ok(claims)
    }
}
