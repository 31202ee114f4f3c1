//! From which address a request comes, where proxies stand between.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap, HeaderName, HeaderValue},
};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whoever asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Peer {
    /// The address, where it is known.
    pub(in crate::http) address: Option<IpAddr>,
    /// Whether a trusted proxy has passed the request on.
    pub(in crate::http) through_proxy: bool,
}

/// Whoever stands in front of the outermost proxy that is trusted. Each proxy adds the address it was asked from at the end of
/// `X-Forwarded-For`, so the header is read from its end, and no further than those who are trusted to write it.
pub(in crate::http) fn of(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> Peer {
    let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() else { return Peer::default() };
    let address = behind(peer.ip(), headers, trusted);
    Peer { address: Some(address), through_proxy: is_among(peer.ip().to_canonical(), trusted) }
}

/// Whether a request comes from one of these networks, or through one of them: a gateway may stand behind a proxy, and may be
/// trusted to say who is behind it.
pub(in crate::http) fn is_through(
    extensions: &Extensions,
    headers: &HeaderMap,
    trusted: &[IpNet],
    networks: &[IpNet],
) -> bool {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| hops(peer.ip(), headers, trusted).any(|address| is_among(address, networks)))
}

fn is_among(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    hops(peer, headers, trusted).last().unwrap_or(peer)
}

/// Those whom a request has come through, the nearest first: the peer, and of each who is trusted the one by whom it says it was asked.
fn hops<'a>(peer: IpAddr, headers: &'a HeaderMap, trusted: &'a [IpNet]) -> impl Iterator<Item = IpAddr> + 'a {
    let values: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    let mut told = values.into_iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
    // What cannot be read ends the walk: what stands before it may be anybody's.
    std::iter::successors(Some(peer.to_canonical()), move |address| {
        let before = is_among(*address, trusted).then(|| told.next()).flatten();
        before.and_then(read).map(|address| address.to_canonical())
    })
}

/// An address as proxies write it, some with a port.
fn read(told: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(told).ok()?.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|place| place.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, forwarded: &[&str]) -> String {
        let bytes: Vec<&[u8]> = forwarded.iter().map(|text| text.as_bytes()).collect();
        found_in(peer, &bytes)
    }

    fn found_in(peer: &str, forwarded: &[&[u8]]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(value).unwrap());
        }
        behind(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_those_who_are_trusted_say_who_is_behind_them() {
        assert_eq!(found("203.0.113.7", &[]), "203.0.113.7");
        assert_eq!(found("203.0.113.7", &["198.51.100.1"]), "203.0.113.7", "anybody can write a header");
        assert_eq!(found("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            found("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]),
            "198.51.100.1",
            "what a client adds counts not"
        );
        assert_eq!(found("10.0.0.1", &["1.1.1.1", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(found("::ffff:10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(found("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(found("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(found("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(found("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(found_in("10.0.0.1", &[b"1.1.1.1", b"\xff, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(found_in("10.0.0.1", &[b"1.1.1.1", b"\xff"]), "10.0.0.1", "what stands before is not believed");
    }

    #[test]
    fn a_gateway_is_known_by_its_own_address_wherever_it_stands() {
        let through = |peer: &str, forwarded: &str| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
            let headers = HeaderMap::from_iter([(FORWARDED_FOR, forwarded.parse().unwrap())]);
            let trusted = ["10.0.0.1/32".parse().unwrap(), "10.0.0.2/32".parse().unwrap()];
            let gateways = ["10.0.0.2/32".parse().unwrap(), "192.0.2.7/32".parse().unwrap()];
            is_through(&extensions, &headers, &trusted, &gateways)
        };
        assert!(through("192.0.2.7", ""), "nothing stands between");
        assert!(through("10.0.0.1", "192.0.2.7"), "behind a proxy");
        assert!(through("10.0.0.1", "203.0.113.7, 10.0.0.2"), "and trusted to say who is behind it");
        assert!(!through("10.0.0.1", "203.0.113.7"));
        assert!(!through("10.0.0.1", "192.0.2.7, 203.0.113.7"), "anybody can write a header");
        assert!(!through("203.0.113.7", "192.0.2.7"));
    }
}
