//! The client's IP address, taken from `X-Forwarded-For` where the peer is a trusted proxy.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap, HeaderName, HeaderValue},
};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a request comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct ClientIp {
    /// The client's address, if it is known.
    pub(in crate::http) address: Option<IpAddr>,
    /// Whether a trusted proxy forwarded the request.
    pub(in crate::http) through_proxy: bool,
}

/// Returns the client's address, which is the first untrusted hop.
///
/// Each proxy appends the address of its own peer to `X-Forwarded-For`, so the header is read from its end,
/// and only as far as the hops are trusted.
pub(in crate::http) fn of(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> ClientIp {
    let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() else { return ClientIp::default() };
    let address = forwarded_for(peer.ip(), headers, trusted);
    ClientIp { address: Some(address), through_proxy: is_in(peer.ip().to_canonical(), trusted) }
}

/// Returns whether the request comes from, or passed through, one of `networks`. A gateway may stand behind a
/// proxy, and may itself be a trusted proxy.
pub(in crate::http) fn passes_through(
    extensions: &Extensions,
    headers: &HeaderMap,
    trusted: &[IpNet],
    networks: &[IpNet],
) -> bool {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| hops(peer.ip(), headers, trusted).any(|address| is_in(address, networks)))
}

fn is_in(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    hops(peer, headers, trusted).last().unwrap_or(peer)
}

/// Returns the hops of a request, nearest first: the peer, then for each trusted hop the address it forwarded
/// for.
fn hops<'a>(peer: IpAddr, headers: &'a HeaderMap, trusted: &'a [IpNet]) -> impl Iterator<Item = IpAddr> + 'a {
    let values: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    let mut hops_rev = values.into_iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
    // An unreadable entry ends the walk: anything before it may be forged.
    std::iter::successors(Some(peer.to_canonical()), move |address| {
        let next = is_in(*address, trusted).then(|| hops_rev.next()).flatten();
        next.and_then(parse_address).map(|address| address.to_canonical())
    })
}

/// Parses an address as proxies write it, with or without a port.
fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let bytes: Vec<&[u8]> = forwarded.iter().map(|text| text.as_bytes()).collect();
        client_from_bytes(peer, &bytes)
    }

    fn client_from_bytes(peer: &str, forwarded: &[&[u8]]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(value).unwrap());
        }
        forwarded_for(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn believes_only_trusted_proxies() {
        assert_eq!(client("203.0.113.7", &[]), "203.0.113.7");
        assert_eq!(client("203.0.113.7", &["198.51.100.1"]), "203.0.113.7", "anyone can send the header");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]),
            "198.51.100.1",
            "entries that a client adds do not count"
        );
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client_from_bytes("10.0.0.1", &[b"1.1.1.1", b"\xff, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            client_from_bytes("10.0.0.1", &[b"1.1.1.1", b"\xff"]),
            "10.0.0.1",
            "entries before it are not believed"
        );
    }

    #[test]
    fn finds_a_gateway_at_any_hop() {
        let through = |peer: &str, forwarded: &str| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
            let headers = HeaderMap::from_iter([(FORWARDED_FOR, forwarded.parse().unwrap())]);
            let trusted = ["10.0.0.1/32".parse().unwrap(), "10.0.0.2/32".parse().unwrap()];
            let gateways = ["10.0.0.2/32".parse().unwrap(), "192.0.2.7/32".parse().unwrap()];
            passes_through(&extensions, &headers, &trusted, &gateways)
        };
        assert!(through("192.0.2.7", ""), "directly connected");
        assert!(through("10.0.0.1", "192.0.2.7"), "behind a proxy");
        assert!(through("10.0.0.1", "203.0.113.7, 10.0.0.2"), "a gateway that is a trusted proxy");
        assert!(!through("10.0.0.1", "203.0.113.7"));
        assert!(!through("10.0.0.1", "192.0.2.7, 203.0.113.7"), "anyone can send the header");
        assert!(!through("203.0.113.7", "192.0.2.7"));
    }
}
