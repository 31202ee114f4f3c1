//! Cache of the blocked words of meetings. Each post needs them, and they seldom change.

use std::{num::NonZeroUsize, sync::Arc};

use entities::{ids::MeetingId, meeting};
use lru::LruCache;
use parking_lot::Mutex;

use crate::{
    domain::blocked_words::BlockedWords,
    store::{StoreError, Tx},
};

/// Maximum number of cached meetings.
const MAX_MEETINGS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// Blocked words by meeting, with the version of the meeting at which they were read. Setting them raises it.
pub(in crate::app) struct BlockedWordsCache(Mutex<LruCache<MeetingId, (i32, Arc<BlockedWords>)>>);

impl Default for BlockedWordsCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_MEETINGS)))
    }
}

impl BlockedWordsCache {
    /// Returns the words that are blocked at a locked meeting.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn of(&self, tx: &Tx, meeting: &meeting::Model) -> Result<Arc<BlockedWords>, StoreError> {
        if let Some((version, words)) = self.0.lock().get(&meeting.id)
            && *version == meeting.version
        {
            return Ok(Arc::clone(words));
        }
        let words: Vec<String> = serde_json::from_str(&tx.blocked_words(meeting.id).await?).unwrap_or_default();
        let words = Arc::new(BlockedWords::new(&words));
        self.0.lock().put(meeting.id, (meeting.version, Arc::clone(&words)));
        Ok(words)
    }
}
