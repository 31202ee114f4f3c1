//! How often a person, and an address, may post and vote at one replica.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
};

use chrono::TimeDelta;
use governor::{
    Quota, RateLimiter,
    clock::{Clock as Ticks, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::keyed::HashMapStateStore,
};

use crate::{app::Refused, clock::Clock};

/// What is counted, each for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// A comment is posted.
    Post,
    /// A vote is cast or taken back.
    Vote,
}

/// How many posts, and how many votes, are taken a minute; none: any number. As many may come at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowances {
    /// From one person.
    pub person: Option<NonZeroU32>,
    /// From one address: a network of phones may share it.
    pub address: Option<NonZeroU32>,
}

/// The injected clock as the limiter reads it.
#[derive(Clone)]
struct Injected(Arc<dyn Clock>);

impl Ticks for Injected {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let nanos = self.0.now().timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok());
        Nanos::from(nanos.unwrap_or_default())
    }
}

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, Injected, NoOpMiddleware<Nanos>>;

/// Counts posts and votes.
pub struct Rates {
    person: Option<Limiter<(Counted, String)>>,
    address: Option<Limiter<(Counted, IpAddr)>>,
    clock: Injected,
}

impl Rates {
    /// Counts by these allowances.
    #[must_use]
    pub fn new(allowed: Allowances, clock: &Arc<dyn Clock>) -> Self {
        let clock = Injected(Arc::clone(clock));
        Self { person: limiter(allowed.person, &clock), address: limiter(allowed.address, &clock), clock }
    }

    /// Counts an act, unless there were too many.
    pub(in crate::app) fn count(&self, what: Counted, subject: &str, from: Option<IpAddr>) -> Result<(), Refused> {
        self.one(self.person.as_ref(), || (what, subject.to_owned()))?;
        match from {
            Some(address) => self.one(self.address.as_ref(), || (what, network(address))),
            None => Ok(()),
        }
    }

    fn one<K: Clone + Eq + Hash>(&self, limiter: Option<&Limiter<K>>, key: impl FnOnce() -> K) -> Result<(), Refused> {
        let Some(limiter) = limiter else { return Ok(()) };
        limiter.check_key(&key()).map_err(|until| {
            let wait = until.earliest_possible().duration_since(self.clock.now());
            Refused::TooFast { retry_after: TimeDelta::nanoseconds(u64::from(wait).try_into().unwrap_or(i64::MAX)) }
        })
    }

    /// Forgets those who have been quiet for long enough to begin anew.
    pub fn forget(&self) {
        if let Some(limiter) = &self.person {
            limiter.retain_recent();
        }
        if let Some(limiter) = &self.address {
            limiter.retain_recent();
        }
    }
}

fn limiter<K: Clone + Eq + Hash>(a_minute: Option<NonZeroU32>, clock: &Injected) -> Option<Limiter<K>> {
    Some(RateLimiter::new(Quota::per_minute(a_minute?), HashMapStateStore::default(), clock.clone()))
}

/// What counts as one address: of IPv6 the network, since a household has as many addresses in it as it likes.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => IpAddr::V6(Ipv6Addr::from_bits(long.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn waits(result: &Result<(), Refused>) -> Option<i64> {
        match result {
            Err(Refused::TooFast { retry_after }) => Some(retry_after.num_milliseconds()),
            _ => None,
        }
    }

    #[test]
    fn whoever_is_too_fast_is_told_how_long_to_wait_and_may_go_on_then() {
        let clock = ManualClock::at("2026-03-02T04:00:00Z".parse().unwrap());
        let allowed = Allowances { person: NonZeroU32::new(60), address: NonZeroU32::new(100) };
        let injected: Arc<dyn Clock> = clock.clone();
        let rates = Rates::new(allowed, &injected);
        let from = Some("2001:db8::1".parse().unwrap());
        for _ in 0..60 {
            assert!(rates.count(Counted::Post, "ana", from).is_ok());
        }
        assert_eq!(waits(&rates.count(Counted::Post, "ana", from)), Some(1000));
        assert!(rates.count(Counted::Vote, "ana", from).is_ok(), "votes are counted for themselves");
        clock.advance(TimeDelta::milliseconds(999));
        assert_eq!(waits(&rates.count(Counted::Post, "ana", from)), Some(1));
        clock.advance(TimeDelta::milliseconds(1));
        assert!(rates.count(Counted::Post, "ana", from).is_ok());
        let neighbour = Some("2001:db8::2".parse().unwrap());
        let others = (0..60).map(|n| rates.count(Counted::Post, &format!("guest {n}"), neighbour));
        assert_eq!(others.filter(Result::is_ok).count(), 40, "the network is counted too");
        clock.advance(TimeDelta::minutes(2));
        rates.forget();
        assert_eq!(rates.person.as_ref().unwrap().len(), 0);
    }
}
