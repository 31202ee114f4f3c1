//! Rate limits of a person and of an address at one replica: mutations by kind, and the cost of all operations.

use std::{hash::Hash, net::IpAddr, num::NonZeroU32, sync::Arc};

use chrono::TimeDelta;
use governor::{
    Quota, RateLimiter,
    clock::{Clock as Ticks, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::keyed::HashMapStateStore,
};
use ipnet::IpNet;

use crate::{clock::Clock, network::network};

/// What is counted, each for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MutationKind {
    /// A comment is posted.
    Post,
    /// A vote is cast or taken back.
    Vote,
    /// Any other mutation.
    Other,
}

/// How much is taken a minute; none: any amount. As much may come at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Mutations of each kind from one person.
    pub person: Option<NonZeroU32>,
    /// Mutations of each kind from one address: a network of phones may share it.
    pub address: Option<NonZeroU32>,
    /// Cost units of one person's operations.
    pub person_cost: Option<NonZeroU32>,
    /// Cost units of one address's operations.
    pub address_cost: Option<NonZeroU32>,
    /// Networks of gateways, which ask for everybody behind them: their addresses are not limited.
    pub gateways: Vec<IpNet>,
}

/// Whose limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitScope {
    /// That of the signed-in person.
    Person,
    /// That of the address.
    Address,
    /// That of the replica, whoever asks.
    Service,
}

impl LimitScope {
    /// The scope as clients are told it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "PERSON",
            Self::Address => "ADDRESS",
            Self::Service => "SERVICE",
        }
    }
}

/// Why something is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReached {
    /// Not now.
    Until {
        /// Whose limit was reached.
        scope: LimitScope,
        /// How long to wait.
        retry_after: TimeDelta,
    },
    /// Never: it is more than may come at once.
    Never,
}

/// Who sends something.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// The subject of the token; none where there was no token.
    pub subject: Option<&'a str>,
    /// The address, where that is known.
    pub address: Option<IpAddr>,
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

/// Token buckets, one a key.
struct Buckets<K: Clone + Eq + Hash> {
    limiter: Option<Limiter<K>>,
    /// How long one token takes to come back.
    a_token: TimeDelta,
}

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, Injected, NoOpMiddleware<Nanos>>;

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn new(a_minute: Option<NonZeroU32>, clock: &Injected) -> Self {
        let limiter =
            |a_minute| RateLimiter::new(Quota::per_minute(a_minute), HashMapStateStore::default(), clock.clone());
        let a_token = a_minute.map_or(0, |a_minute| 60_000_000_000 / i64::from(a_minute.get()));
        Self { limiter: a_minute.map(limiter), a_token: TimeDelta::nanoseconds(a_token) }
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

    /// The limit for whoever has to pay so many tokens more before the next attempt.
    fn after_paying(&self, tokens: usize, limit: LimitReached) -> LimitReached {
        match limit {
            LimitReached::Until { scope, retry_after } => {
                let more = self.a_token * i32::try_from(tokens).unwrap_or(i32::MAX);
                LimitReached::Until { scope, retry_after: retry_after + more }
            }
            LimitReached::Never => limit,
        }
    }

    fn forget_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// The rate limits of one replica.
pub struct Rates {
    person: Buckets<(MutationKind, String)>,
    address: Buckets<(MutationKind, IpAddr)>,
    person_cost: Buckets<String>,
    address_cost: Buckets<IpAddr>,
    gateways: Vec<IpNet>,
}

impl Rates {
    /// Limits by these numbers.
    #[must_use]
    pub fn new(limits: RateLimits, clock: &Arc<dyn Clock>) -> Self {
        let clock = Injected(Arc::clone(clock));
        Self {
            person: Buckets::new(limits.person, &clock),
            address: Buckets::new(limits.address, &clock),
            person_cost: Buckets::new(limits.person_cost, &clock),
            address_cost: Buckets::new(limits.address_cost, &clock),
            gateways: limits.gateways,
        }
    }

    /// Counts mutations of a kind, all or none for each of the person and the address.
    ///
    /// # Errors
    /// When there were too many.
    pub fn count(&self, kind: MutationKind, times: usize, from: Requester<'_>) -> Result<(), LimitReached> {
        let Some(times) = tokens(times) else { return Ok(()) };
        if let Some(subject) = from.subject {
            self.person.take(|| (kind, subject.to_owned()), times, LimitScope::Person)?;
        }
        match self.limited(from.address) {
            Some(network) => self.address.take(|| (kind, network), times, LimitScope::Address),
            None => Ok(()),
        }
    }

    /// Charges cost units to the person and the address. What was paid for this attempt already is to be paid again at the next,
    /// so whoever is refused is told to wait for that too.
    ///
    /// # Errors
    /// When one of them has too few left.
    pub fn charge(&self, units: usize, paid: usize, from: Requester<'_>) -> Result<(), LimitReached> {
        let Some(units) = tokens(units) else { return Ok(()) };
        if let Some(subject) = from.subject {
            let taken = self.person_cost.take(|| subject.to_owned(), units, LimitScope::Person);
            taken.map_err(|limit| self.person_cost.after_paying(paid, limit))?;
        }
        match self.limited(from.address) {
            Some(network) => {
                let taken = self.address_cost.take(|| network, units, LimitScope::Address);
                taken.map_err(|limit| self.address_cost.after_paying(paid, limit))
            }
            None => Ok(()),
        }
    }

    /// The address as it is limited; none where it is not.
    fn limited(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        let address = address?.to_canonical();
        let is_gateway = self.gateways.iter().any(|network| network.contains(&address));
        (!is_gateway).then(|| network(address))
    }

    /// Forgets those who have been quiet for long enough to begin anew.
    pub fn forget(&self) {
        self.person.forget_idle();
        self.address.forget_idle();
        self.person_cost.forget_idle();
        self.address_cost.forget_idle();
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

    fn rates(limits: RateLimits) -> (Rates, Arc<ManualClock>) {
        let clock = ManualClock::at("2026-03-02T04:00:00Z".parse().unwrap());
        let injected: Arc<dyn Clock> = clock.clone();
        (Rates::new(limits, &injected), clock)
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
    fn tells_how_long_to_wait_and_lets_go_on_then() {
        let limits = RateLimits { person: NonZeroU32::new(60), address: NonZeroU32::new(100), ..RateLimits::default() };
        let (rates, clock) = rates(limits);
        let ana = requester("ana", "2001:db8::1");
        for _ in 0..60 {
            assert!(rates.count(POST, 1, ana).is_ok());
        }
        assert_eq!(wait_ms(rates.count(POST, 1, ana)), Some((LimitScope::Person, 1000)));
        assert!(rates.count(MutationKind::Vote, 1, ana).is_ok(), "votes are counted for themselves");
        assert!(rates.count(MutationKind::Other, 1, ana).is_ok(), "and so is the rest");
        clock.advance(TimeDelta::milliseconds(999));
        assert_eq!(wait_ms(rates.count(POST, 1, ana)), Some((LimitScope::Person, 1)));
        clock.advance(TimeDelta::milliseconds(1));
        assert!(rates.count(POST, 1, ana).is_ok());
        let others = (0..60).map(|n| rates.count(POST, 1, requester(&format!("guest {n}"), "2001:db8::2")));
        assert_eq!(others.filter(Result::is_ok).count(), 40, "the network is counted too");
        clock.advance(TimeDelta::minutes(2));
        rates.forget();
        assert_eq!(rates.person.limiter.as_ref().unwrap().len(), 0);
    }

    #[test]
    fn charges_cost_units_to_the_person_and_the_address() {
        let limits = RateLimits {
            person_cost: NonZeroU32::new(600),
            address_cost: NonZeroU32::new(1000),
            ..RateLimits::default()
        };
        let (rates, clock) = rates(limits);
        let (ana, ben) = (requester("ana", "192.0.2.1"), requester("ben", "::ffff:192.0.2.1"));
        assert_eq!(rates.charge(601, 0, ana), Err(LimitReached::Never), "it would be too much at any time");
        assert!(rates.charge(600, 0, ana).is_ok());
        assert_eq!(wait_ms(rates.charge(20, 0, ana)), Some((LimitScope::Person, 2000)));
        let again = rates.charge(20, 10, ana);
        assert_eq!(wait_ms(again), Some((LimitScope::Person, 3000)), "the reading is to be paid again");
        assert!(rates.charge(400, 0, ben).is_ok());
        assert_eq!(
            wait_ms(rates.charge(100, 0, ben)),
            Some((LimitScope::Address, 6000)),
            "mapped addresses are the same"
        );
        assert!(rates.charge(600, 0, requester("cyd", "192.0.2.2")).is_ok());
        clock.advance(TimeDelta::minutes(2));
        assert!(rates.charge(600, 0, ana).is_ok());
        clock.advance(TimeDelta::minutes(2));
        rates.forget();
        assert!(
            rates.person_cost.limiter.as_ref().unwrap().is_empty()
                && rates.address_cost.limiter.as_ref().unwrap().is_empty()
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
        let (rates, _) = rates(limits);
        let gateway = Requester { subject: None, address: Some("192.0.2.9".parse().unwrap()) };
        for _ in 0..5 {
            assert!(rates.charge(10, 0, gateway).is_ok() && rates.count(POST, 1, gateway).is_ok());
        }
        assert!(rates.charge(10, 0, requester("ana", "192.0.2.9")).is_ok());
        assert_eq!(
            wait_ms(rates.charge(10, 0, requester("ana", "192.0.2.9"))).map(|(scope, _)| scope),
            Some(LimitScope::Person)
        );
    }
}
