//! Signatures that were found to hold. To check one takes longer than most of what is asked with it, and the same token comes
//! with every request of its holder. Everything else about a token is judged each time.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::auth::{claims::Claims, keys::Print};

/// How many are remembered.
const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// A token by its digest, and the key that its signature holds for.
type Known = ([u8; 32], Print);

/// What is remembered.
pub(in crate::auth) struct Seen(Mutex<LruCache<Known, Arc<Claims>>>);

impl Default for Seen {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Seen {
    /// The claims of a token whose signature holds for a key: as remembered, or as `check` finds them.
    ///
    /// # Errors
    /// What `check` finds wrong; nothing is remembered of that.
    pub(in crate::auth) fn claims<E>(
        &self,
        token: &str,
        key: Print,
        check: impl FnOnce() -> Result<Claims, E>,
    ) -> Result<Arc<Claims>, E> {
        let known = (Sha256::digest(token).into(), key);
        if let Some(claims) = self.0.lock().get(&known) {
            return Ok(Arc::clone(claims));
        }
        let claims = Arc::new(check()?);
        self.0.lock().put(known, Arc::clone(&claims));
        Ok(claims)
    }
}
