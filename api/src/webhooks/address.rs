//! Which addresses webhooks may be sent to: public ones, and those of networks that the operator allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

/// The longest URL, in bytes.
pub const MAX_URL_LENGTH: usize = 2_000;

/// IPv4 networks that are not public, by their first address and the length of the prefix.
///
/// Cloud metadata services are in the link-local network, but for the one of Azure.
const INNER_V4: &[(Ipv4Addr, u32)] = &[
    // This network.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    // Private.
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Carrier-grade NAT.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Loopback.
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Metadata and name servers of Azure.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Link-local.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Private.
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocol assignments.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // Relays of 6to4.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Private.
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Benchmarking.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Documentation.
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, and broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The only IPv6 network with public addresses. NAT64, mapped, unique local, link-local, site-local and multicast
/// addresses are outside.
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Networks of global unicast that are not public.
const INNER_V6: &[(Ipv6Addr, u32)] = &[
    // Protocol assignments: Teredo, benchmarking, overlays.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    // Documentation.
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Why webhooks are not sent to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The URL is longer than [`MAX_URL_LENGTH`].
    #[error("the URL is too long")]
    TooLong,
    /// The text is not an HTTP or HTTPS URL.
    #[error("the text is not an HTTP URL")]
    Malformed,
    /// Only HTTPS is allowed.
    #[error("the URL is not an HTTPS URL")]
    NotHttps,
    /// The URL contains a user name or a password.
    #[error("the URL contains credentials")]
    Credentials,
    /// The URL contains a fragment, which is never sent.
    #[error("the URL contains a fragment")]
    Fragment,
    /// The address, or one of the host's, belongs to an inner network.
    #[error("the address belongs to an inner network")]
    Inner,
    /// The host has no address.
    #[error("the host has no address")]
    Unresolved,
}

/// Decides to which addresses webhooks may be sent.
#[derive(Clone, Debug, Default)]
pub struct AddressRules {
    /// Whether only HTTPS is allowed.
    pub https_only: bool,
    /// Inner networks that are allowed.
    pub networks: Vec<IpNet>,
}

impl AddressRules {
    /// Parses and normalises the URL of a receiver. A host that is an address is checked too, in any notation.
    ///
    /// # Errors
    /// When webhooks are not sent to such a URL.
    pub fn check_url(&self, text: &str) -> Result<Url, AddressError> {
        if text.len() > MAX_URL_LENGTH {
            return Err(AddressError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| AddressError::Malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if !self.https_only => {}
            "http" => return Err(AddressError::NotHttps),
            _ => return Err(AddressError::Malformed),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(AddressError::Fragment);
        }
        // Normalising may percent-encode characters.
        if url.as_str().len() > MAX_URL_LENGTH {
            return Err(AddressError::TooLong);
        }
        match host_address(&url) {
            Some(address) => self.check_address(address)?,
            None if url.domain().is_none_or(str::is_empty) => return Err(AddressError::Malformed),
            None => {}
        }
        Ok(url)
    }

    /// Checks an address before a connection to it.
    ///
    /// # Errors
    /// When it belongs to an inner network that is not allowed.
    pub fn check_address(&self, address: IpAddr) -> Result<(), AddressError> {
        let embedded = embedded_v4(address).map(IpAddr::V4);
        let is_allowed = |address: &IpAddr| self.networks.iter().any(|network| network.contains(address));
        if is_public(address) || is_allowed(&address) || embedded.as_ref().is_some_and(is_allowed) {
            Ok(())
        } else {
            Err(AddressError::Inner)
        }
    }
}

/// Returns the host of a URL if it is an address.
fn host_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !INNER_V4.iter().any(|(first, length)| {
            address.to_bits().checked_shr(32 - length) == first.to_bits().checked_shr(32 - length)
        }),
        IpAddr::V6(address) => {
            is_in_v6(address, &GLOBAL_UNICAST) && !INNER_V6.iter().any(|network| is_in_v6(address, network))
        }
    }
}

fn is_in_v6(address: Ipv6Addr, (first, length): &(Ipv6Addr, u32)) -> bool {
    address.to_bits().checked_shr(128 - length) == first.to_bits().checked_shr(128 - length)
}

/// Returns the IPv4 address of a mapped or compatible IPv6 address.
fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => address.to_ipv4(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn production() -> AddressRules {
        AddressRules { https_only: true, networks: Vec::new() }
    }

    fn development(networks: &[&str]) -> AddressRules {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        AddressRules { https_only: false, networks }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn accepts_and_normalises_public_urls() {
        for (text, normalised) in [
            ("https://hooks.example.kz", "https://hooks.example.kz/"),
            ("HTTPS://Hooks.Example.KZ:8443/a?b=c", "https://hooks.example.kz:8443/a?b=c"),
            ("https://8.8.8.8/", "https://8.8.8.8/"),
            ("https://134744072/", "https://8.8.8.8/"),
            ("https://[2a00:1450::1]/", "https://[2a00:1450::1]/"),
            ("https://сайт.қаз/қ", "https://xn--80aswg.xn--80ao21a/%D2%9B"),
        ] {
            assert_eq!(production().check_url(text).unwrap().as_str(), normalised);
        }
    }

    #[test]
    fn rejects_other_urls() {
        for (text, error) in [
            ("", AddressError::Malformed),
            ("hooks.example.kz", AddressError::Malformed),
            ("ftp://hooks.example.kz/", AddressError::Malformed),
            ("file:///etc/passwd", AddressError::Malformed),
            ("gopher://127.0.0.1/", AddressError::Malformed),
            ("https://", AddressError::Malformed),
            ("https://hooks.example.kz:65536/", AddressError::Malformed),
            ("https://1.2.3.4.5/", AddressError::Malformed),
            ("https://[::1%25lo]/", AddressError::Malformed),
            ("http://hooks.example.kz/", AddressError::NotHttps),
            ("https://ana@hooks.example.kz/", AddressError::Credentials),
            ("https://:secret@hooks.example.kz/", AddressError::Credentials),
            ("https://hooks.example.kz/#", AddressError::Fragment),
            ("https://hooks.example.kz/#a", AddressError::Fragment),
        ] {
            assert_eq!(production().check_url(text), Err(error), "{text}");
        }
        let long = |length| format!("https://e.kz/{}", "a".repeat(length - "https://e.kz/".len()));
        assert!(production().check_url(&long(MAX_URL_LENGTH)).is_ok());
        assert_eq!(production().check_url(&long(MAX_URL_LENGTH + 1)), Err(AddressError::TooLong));
        assert_eq!(production().check_url(&format!("https://e.kz/{}", "қ".repeat(900))), Err(AddressError::TooLong));
    }

    #[test]
    fn http_is_allowed_in_development_only() {
        assert!(development(&[]).check_url("http://hooks.example.kz/").is_ok());
        assert_eq!(development(&[]).check_url("http://127.0.0.1/"), Err(AddressError::Inner));
    }

    #[test]
    fn rejects_inner_addresses_in_every_notation() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "１２７.0.0.1",
            "127。0。0。1",
            "%31%32%37.0.0.1",
            "0",
            "169.254.169.254",
            "0xa9fea9fe",
            "168.63.129.16",
            "100.100.100.200",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::ffff:8.8.8.8]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::808:808]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2001:0:a9fe:a9fe::]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[100::1]",
        ] {
            let url = format!("https://{host}/");
            assert_eq!(production().check_url(&url), Err(AddressError::Inner), "{host}");
        }
    }

    #[test]
    fn allows_the_networks_of_the_operator_only() {
        let rules = development(&["127.0.0.0/8", "fd00::/8"]);
        for (host, allowed) in [
            ("127.0.0.1", true),
            ("0x7f000001", true),
            ("[::ffff:127.0.0.1]", true),
            ("[fd00::1]", true),
            ("10.0.0.1", false),
            ("[::1]", false),
            ("[64:ff9b::7f00:1]", false),
            ("[::ffff:10.0.0.1]", false),
        ] {
            assert_eq!(rules.check_url(&format!("http://{host}/")).is_ok(), allowed, "{host}");
        }
    }

    /// Says which IPv4 addresses are public by octets, as an oracle that shares nothing with the implementation.
    fn is_public_by_octets(address: Ipv4Addr) -> bool {
        let by_library = address.is_private()
            || address.is_loopback()
            || address.is_link_local()
            || address.is_broadcast()
            || address.is_documentation()
            || address.is_unspecified()
            || address.is_multicast();
        let by_octets = match address.octets() {
            [0 | 240..=255, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [168, 63, 129, 16] => true,
            [100, second, ..] => (64..=127).contains(&second),
            [198, second, ..] => second == 18 || second == 19,
            _ => false,
        };
        !by_library && !by_octets
    }

    /// The same for IPv6 addresses, by segments.
    fn is_public_by_segments(address: Ipv6Addr) -> bool {
        match address.segments() {
            [0x2001, 0x0000..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0x0000..=0x0fff, ..] => false,
            [first, ..] => (0x2000..=0x3fff).contains(&first),
        }
    }

    /// Addresses in and around the networks that matter.
    fn interesting_v4() -> impl Strategy<Value = Ipv4Addr> {
        let near = (0..INNER_V4.len(), any::<bool>(), any::<u32>(), -2_i64..=2).prop_map(|(at, edge, random, off)| {
            let (first, length) = INNER_V4[at];
            let size = 1_u64 << (32 - length);
            let within = if edge { size } else { u64::from(random) % size };
            let bits = i64::from(first.to_bits()) + i64::try_from(within).unwrap() + off;
            Ipv4Addr::from_bits(u32::try_from(bits.clamp(0, i64::from(u32::MAX))).unwrap())
        });
        prop_oneof![any::<u32>().prop_map(Ipv4Addr::from_bits), near]
    }

    fn interesting_v6() -> impl Strategy<Value = Ipv6Addr> {
        let first = prop_oneof![
            any::<u16>(),
            proptest::sample::select(vec![0, 0x64, 0x100, 0x1fff, 0x2000, 0x2001, 0x2002, 0x2003, 0x3ffe, 0x3fff]),
            proptest::sample::select(vec![0x4000, 0xfc00, 0xfd00, 0xfe80, 0xfec0, 0xff02]),
        ];
        let second =
            prop_oneof![any::<u16>(), proptest::sample::select(vec![0, 1, 2, 0x1ff, 0x200, 0xdb8, 0xfff, 0x1000])];
        (first, second, any::<[u16; 6]>()).prop_map(|(first, second, rest)| {
            let [c, d, e, f, g, h] = rest;
            Ipv6Addr::new(first, second, c, d, e, f, g, h)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn ipv4_addresses_are_public_as_an_oracle_says(address in interesting_v4()) {
            prop_assert_eq!(is_public(address.into()), is_public_by_octets(address), "{}", address);
        }

        #[test]
        fn ipv6_addresses_are_public_as_an_oracle_says(address in interesting_v6()) {
            prop_assert_eq!(is_public(address.into()), is_public_by_segments(address), "{}", address);
        }

        #[test]
        fn no_ipv6_notation_reaches_an_inner_ipv4_address(inner in interesting_v4()) {
            let bits = u128::from(inner.to_bits());
            let [a, b] = [inner.to_bits() >> 16, inner.to_bits() & 0xffff].map(|half| u16::try_from(half).unwrap());
            for wrapped in [
                inner.to_ipv6_mapped(),
                Ipv6Addr::from_bits(bits),
                Ipv6Addr::from_bits(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0).to_bits() | bits),
                Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, a, b, 0, 0, !a, !b),
            ] {
                prop_assert_eq!(production().check_address(wrapped.into()), Err(AddressError::Inner));
            }
        }
    }

    proptest! {
        #[test]
        fn every_url_is_either_refused_or_stays_as_it_is(text in "\\PC{0,40}|https?://[^/]{1,30}/?") {
            if let Ok(url) = production().check_url(&text) {
                prop_assert_eq!(production().check_url(url.as_str()), Ok(url));
            }
        }
    }

    #[test]
    fn an_address_is_judged_whatever_the_url() {
        assert_eq!(production().check_address(address("192.168.1.1")), Err(AddressError::Inner));
        assert_eq!(production().check_address(address("2a00:1450::1")), Ok(()));
    }
}
