//! What counts as one address.

use std::net::{IpAddr, Ipv6Addr};

/// Returns what counts as one address: of IPv6 the /64 network, since a household has as many addresses in it as it likes.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(long) => IpAddr::V6(Ipv6Addr::from_bits(long.to_bits() & !u128::from(u64::MAX))),
        short @ IpAddr::V4(_) => short,
    }
}
