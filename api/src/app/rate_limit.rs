//! Rate limits for each person and address on one replica: mutations by kind, and the cost of all operations.

use std::{hash::Hash, net::IpAddr, num::NonZeroU32, sync::Arc};

use chrono::TimeDelta;
use governor::{
    Quota,
    clock::{Clock as Ticks, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::keyed::HashMapStateStore,
};
use ipnet::IpNet;

use crate::{clock::Clock, network::network};

/// Kinds of mutations, each counted separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MutationKind {
    /// Posting a comment.
    Post,
    /// Casting or retracting a vote.
    Vote,
    /// Any other mutation.
    Other,
}

/// Limits a minute, which are also the largest burst. `None` means no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Mutations of each kind from one person.
    pub person: Option<NonZeroU32>,
    /// Mutations of each kind from one address, which many people may share.
    pub address: Option<NonZeroU32>,
    /// Cost units of one person's operations.
    pub person_cost: Option<NonZeroU32>,
    /// Cost units of one address's operations.
    pub address_cost: Option<NonZeroU32>,
    /// Networks of gateways, whose addresses are not limited because they forward requests of many people.
    pub gateways: Vec<IpNet>,
}

/// Whose limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitScope {
    /// The signed-in person's limit.
    Person,
    /// The address's limit.
    Address,
    /// The replica's limit, which all callers share.
    Service,
}

impl LimitScope {
    /// Returns the name that clients see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "PERSON",
            Self::Address => "ADDRESS",
            Self::Service => "SERVICE",
        }
    }
}

/// Why a request exceeds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReached {
    /// The request can be retried after a wait.
    Until {
        /// Whose limit was reached.
        scope: LimitScope,
        /// Time to wait.
        retry_after: TimeDelta,
    },
    /// The request exceeds the largest burst and can never succeed.
    Never,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// Subject of the token, if there is one.
    pub subject: Option<&'a str>,
    /// Client address, if it is known.
    pub address: Option<IpAddr>,
}

/// Adapts the injected clock to governor's clock trait.
#[derive(Clone)]
struct GovernorClock(Arc<dyn Clock>);

impl Ticks for GovernorClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let nanos = self.0.now().timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok());
        Nanos::from(nanos.unwrap_or_default())
    }
}

/// Token buckets by key.
struct Buckets<K: Clone + Eq + Hash> {
    limiter: Option<Limiter<K>>,
    /// Time after which one token is refilled.
    refill_time: TimeDelta,
}

type Limiter<K> = governor::RateLimiter<K, HashMapStateStore<K>, GovernorClock, NoOpMiddleware<Nanos>>;

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn new(per_minute: Option<NonZeroU32>, clock: &GovernorClock) -> Self {
        let limiter = |per_minute| {
            governor::RateLimiter::new(Quota::per_minute(per_minute), HashMapStateStore::default(), clock.clone())
        };
        let refill_time = per_minute.map_or(0, |per_minute| 60_000_000_000 / i64::from(per_minute.get()));
        Self { limiter: per_minute.map(limiter), refill_time: TimeDelta::nanoseconds(refill_time) }
    }

    fn take(&self, key: impl FnOnce() -> K, tokens: NonZeroU32, scope: LimitScope) -> Result<(), LimitReached> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        match limiter.check_key_n(&key(), tokens) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                let wait = until.earliest_possible().duration_since(limiter.clock().now());
                let retry_after = TimeDelta::nanoseconds(u64::from(wait).try_into().unwrap_or(i64::MAX));
                Err(LimitReached::Until { scope, retry_after })
            }
            Err(_) => Err(LimitReached::Never),
        }
    }

    /// Adds the time that refilling `tokens` more tokens takes to a limit's wait.
    fn after_paying(&self, tokens: usize, limit: LimitReached) -> LimitReached {
        match limit {
            LimitReached::Until { scope, retry_after } => {
                let more = self.refill_time * i32::try_from(tokens).unwrap_or(i32::MAX);
                LimitReached::Until { scope, retry_after: retry_after + more }
            }
            LimitReached::Never => limit,
        }
    }

    fn evict_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// The rate limiter of one replica.
pub struct RateLimiter {
    person: Buckets<(MutationKind, String)>,
    address: Buckets<(MutationKind, IpAddr)>,
    person_cost: Buckets<String>,
    address_cost: Buckets<IpAddr>,
    gateways: Vec<IpNet>,
}

impl RateLimiter {
    /// Creates a rate limiter with these limits.
    #[must_use]
    pub fn new(limits: RateLimits, clock: &Arc<dyn Clock>) -> Self {
        let clock = GovernorClock(Arc::clone(clock));
        Self {
            person: Buckets::new(limits.person, &clock),
            address: Buckets::new(limits.address, &clock),
            person_cost: Buckets::new(limits.person_cost, &clock),
            address_cost: Buckets::new(limits.address_cost, &clock),
            gateways: limits.gateways,
        }
    }

    /// Takes tokens for mutations of a kind from the person and from the address.
    ///
    /// # Errors
    /// When either has too few tokens left.
    pub fn count(&self, kind: MutationKind, times: usize, from: Requester<'_>) -> Result<(), LimitReached> {
        let Some(times) = tokens(times) else { return Ok(()) };
        if let Some(subject) = from.subject {
            self.person.take(|| (kind, subject.to_owned()), times, LimitScope::Person)?;
        }
        match self.limited_network(from.address) {
            Some(network) => self.address.take(|| (kind, network), times, LimitScope::Address),
            None => Ok(()),
        }
    }

    /// Charges cost units to the person and to the address.
    ///
    /// A retry pays the `paid` units of this attempt again, so they are included in the wait.
    ///
    /// # Errors
    /// When either has too few units left.
    pub fn charge(&self, units: usize, paid: usize, from: Requester<'_>) -> Result<(), LimitReached> {
        let Some(units) = tokens(units) else { return Ok(()) };
        if let Some(subject) = from.subject {
            let taken = self.person_cost.take(|| subject.to_owned(), units, LimitScope::Person);
            taken.map_err(|limit| self.person_cost.after_paying(paid, limit))?;
        }
        match self.limited_network(from.address) {
            Some(network) => {
                let taken = self.address_cost.take(|| network, units, LimitScope::Address);
                taken.map_err(|limit| self.address_cost.after_paying(paid, limit))
            }
            None => Ok(()),
        }
    }

    /// Returns the network that an address is limited by, or `None` if it is a gateway.
    fn limited_network(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        let address = address?.to_canonical();
        let is_gateway = self.gateways.iter().any(|network| network.contains(&address));
        (!is_gateway).then(|| network(address))
    }

    /// Removes buckets that are full again.
    pub fn evict_idle(&self) {
        self.person.evict_idle();
        self.address.evict_idle();
        self.person_cost.evict_idle();
        self.address_cost.evict_idle();
    }
}

fn tokens(count: usize) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const POST: MutationKind = MutationKind::Post;

    fn limiter(limits: RateLimits) -> (RateLimiter, Arc<ManualClock>) {
        let clock = ManualClock::at("2026-03-02T04:00:00Z".parse().unwrap());
        let injected: Arc<dyn Clock> = clock.clone();
        (RateLimiter::new(limits, &injected), clock)
    }

    fn requester<'a>(subject: &'a str, address: &str) -> Requester<'a> {
        Requester { subject: Some(subject), address: Some(address.parse().unwrap()) }
    }

    fn wait_ms(result: Result<(), LimitReached>) -> Option<(LimitScope, i64)> {
        match result {
            Err(LimitReached::Until { scope, retry_after }) => Some((scope, retry_after.num_milliseconds())),
            _ => None,
        }
    }

    #[test]
    fn tells_how_long_to_wait_and_accepts_after_that() {
        let limits = RateLimits { person: NonZeroU32::new(60), address: NonZeroU32::new(100), ..RateLimits::default() };
        let (limiter, clock) = limiter(limits);
        let ana = requester("ana", "2001:db8::1");
        for _ in 0..60 {
            assert!(limiter.count(POST, 1, ana).is_ok());
        }
        assert_eq!(wait_ms(limiter.count(POST, 1, ana)), Some((LimitScope::Person, 1000)));
        assert!(limiter.count(MutationKind::Vote, 1, ana).is_ok(), "votes are counted separately");
        assert!(limiter.count(MutationKind::Other, 1, ana).is_ok(), "and so are other mutations");
        clock.advance(TimeDelta::milliseconds(999));
        assert_eq!(wait_ms(limiter.count(POST, 1, ana)), Some((LimitScope::Person, 1)));
        clock.advance(TimeDelta::milliseconds(1));
        assert!(limiter.count(POST, 1, ana).is_ok());
        let others = (0..60).map(|n| limiter.count(POST, 1, requester(&format!("guest {n}"), "2001:db8::2")));
        assert_eq!(others.filter(Result::is_ok).count(), 40, "the network is limited too");
        clock.advance(TimeDelta::minutes(2));
        limiter.evict_idle();
        assert_eq!(limiter.person.limiter.as_ref().unwrap().len(), 0);
    }

    #[test]
    fn charges_cost_units_to_the_person_and_the_address() {
        let limits = RateLimits {
            person_cost: NonZeroU32::new(600),
            address_cost: NonZeroU32::new(1000),
            ..RateLimits::default()
        };
        let (limiter, clock) = limiter(limits);
        let (ana, ben) = (requester("ana", "192.0.2.1"), requester("ben", "::ffff:192.0.2.1"));
        assert_eq!(limiter.charge(601, 0, ana), Err(LimitReached::Never), "it exceeds the largest burst");
        assert!(limiter.charge(600, 0, ana).is_ok());
        assert_eq!(wait_ms(limiter.charge(20, 0, ana)), Some((LimitScope::Person, 2000)));
        let again = limiter.charge(20, 10, ana);
        assert_eq!(wait_ms(again), Some((LimitScope::Person, 3000)), "a retry pays for reading again");
        assert!(limiter.charge(400, 0, ben).is_ok());
        assert_eq!(
            wait_ms(limiter.charge(100, 0, ben)),
            Some((LimitScope::Address, 6000)),
            "mapped addresses are equal"
        );
        assert!(limiter.charge(600, 0, requester("cyd", "192.0.2.2")).is_ok());
        clock.advance(TimeDelta::minutes(2));
        assert!(limiter.charge(600, 0, ana).is_ok());
        clock.advance(TimeDelta::minutes(2));
        limiter.evict_idle();
        assert!(
            limiter.person_cost.limiter.as_ref().unwrap().is_empty()
                && limiter.address_cost.limiter.as_ref().unwrap().is_empty()
        );
    }

    #[test]
    fn does_not_limit_the_address_of_a_gateway() {
        let limits = RateLimits {
            address: NonZeroU32::new(1),
            address_cost: NonZeroU32::new(10),
            person_cost: NonZeroU32::new(15),
            gateways: vec!["192.0.2.0/24".parse().unwrap()],
            ..RateLimits::default()
        };
        let (limiter, _) = limiter(limits);
        let gateway = Requester { subject: None, address: Some("192.0.2.9".parse().unwrap()) };
        for _ in 0..5 {
            assert!(limiter.charge(10, 0, gateway).is_ok() && limiter.count(POST, 1, gateway).is_ok());
        }
        assert!(limiter.charge(10, 0, requester("ana", "192.0.2.9")).is_ok());
        assert_eq!(
            wait_ms(limiter.charge(10, 0, requester("ana", "192.0.2.9"))).map(|(scope, _)| scope),
            Some(LimitScope::Person)
        );
    }
}
