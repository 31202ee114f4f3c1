//! The caller of an operation, and the record of whether a response depends on them.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use entities::enums::Language;

use crate::{app::rate_limit::Requester, domain::viewer::Viewer};

/// The caller of an operation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The authenticated viewer.
    pub viewer: Viewer,
    /// The language of the response.
    pub language: Language,
    /// The client's address, if it is known.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// Returns the caller for rate limits.
    #[must_use]
    pub fn requester(&self) -> Requester<'_> {
        Requester { subject: self.viewer.subject(), address: self.address }
    }
}

/// Records whether a resolver read the viewer. A response that did not is the same for every viewer.
#[derive(Clone, Debug, Default)]
pub struct ViewerAccess(Arc<AtomicBool>);

impl ViewerAccess {
    /// Records an access.
    pub fn record(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether there was an access.
    #[must_use]
    pub fn was_accessed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
