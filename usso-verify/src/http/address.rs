//! Which addresses may be connected to.
//!
//! # Spec
//!
//! The IANA registries of special-purpose IPv4 and IPv6 addresses (RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses beyond the public internet that may be connected to.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// Addresses of this machine.
    pub(super) loopback: bool,
    /// RFC 1918, RFC 6598 and RFC 4193 addresses.
    pub(super) private: bool,
    pub(super) networks: Vec<(IpAddr, u8)>,
}

impl Reach {
    /// Says whether an address may be connected to.
    ///
    /// An IPv6 address that carries an IPv4 address is judged twice: a translator on the way
    /// connects to what it carries.
    pub(super) fn allows(&self, ip: IpAddr) -> bool {
        if let IpAddr::V6(v6) = ip
            && let Some(v4) = carried(v6)
        {
            return self.names(ip) && self.allows(IpAddr::V4(v4));
        }
        self.names(ip)
            || match kind(ip) {
                Kind::Public => true,
                Kind::Loopback => self.loopback,
                Kind::Private => self.private,
                Kind::Special => false,
            }
    }

    fn names(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|(network, prefix)| contains(*network, *prefix, ip))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Loopback,
    Private,
    Public,
    /// Multicast, metadata services, documentation and whatever else no issuer is found at.
    Special,
}

fn kind(ip: IpAddr) -> Kind {
    let is_in = |networks: &[(IpAddr, u8)]| {
        networks.iter().any(|(network, prefix)| contains(*network, *prefix, ip))
    };
    if is_in(METADATA) {
        Kind::Special
    } else if is_in(LOOPBACK) {
        Kind::Loopback
    } else if is_in(PRIVATE) {
        Kind::Private
    } else if is_in(SPECIAL) || (ip.is_ipv6() && !is_in(GLOBAL_V6)) {
        Kind::Special
    } else {
        Kind::Public
    }
}

/// Gives the IPv4 address in a mapped, compatible, NAT64 or 6to4 address.
fn carried(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [first, second, third, rest @ ..] = ip.segments();
    let [.., high, low] = rest;
    let (high, low) = match (first, second, third, rest) {
        // `::` and `::1` carry nothing.
        (0, 0, 0, [0, 0, 0, 0, 0 | 1]) => return None,
        // Compatible, mapped, and RFC 6052 §2.1.
        (0, 0, 0, [0, 0, 0 | 0xffff, ..])
        | (0x64, 0xff9b, 0, [0, 0, 0, ..])
        // RFC 8215: a network of one's own, the address at its end.
        | (0x64, 0xff9b, 1, _) => (high, low),
        (0x2002, ..) => (second, third),
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

fn contains(network: IpAddr, prefix: u8, ip: IpAddr) -> bool {
    let (network, ip, width) = match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            (u128::from(network.to_bits()), u128::from(ip.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => (network.to_bits(), ip.to_bits(), 128),
        _ => return false,
    };
    let shift = u32::saturating_sub(width, u32::from(prefix));
    // A shift by the whole width leaves nothing to differ.
    (network ^ ip).checked_shr(shift).unwrap_or(0) == 0
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(a: u16, b: u16, c: u16, low: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, low))
}

const LOOPBACK: &[(IpAddr, u8)] = &[(v4(127, 0, 0, 0), 8), (v6(0, 0, 0, 1), 128)];

/// Metadata services that lie in private or public networks.
const METADATA: &[(IpAddr, u8)] =
    &[(v4(100, 100, 100, 200), 32), (v4(168, 63, 129, 16), 32), (v6(0xfd00, 0xec2, 0, 0x254), 128)];

const PRIVATE: &[(IpAddr, u8)] = &[
    (v4(10, 0, 0, 0), 8),
    (v4(100, 64, 0, 0), 10),
    (v4(172, 16, 0, 0), 12),
    (v4(192, 168, 0, 0), 16),
    (v6(0xfc00, 0, 0, 0), 7),
];

const SPECIAL: &[(IpAddr, u8)] = &[
    (v4(0, 0, 0, 0), 8),
    (v4(169, 254, 0, 0), 16),
    (v4(192, 0, 0, 0), 24),
    (v4(192, 0, 2, 0), 24),
    (v4(192, 88, 99, 0), 24),
    (v4(198, 18, 0, 0), 15),
    (v4(198, 51, 100, 0), 24),
    (v4(203, 0, 113, 0), 24),
    (v4(224, 0, 0, 0), 3),
    (v6(0x2001, 0, 0, 0), 23),
    (v6(0x2001, 0xdb8, 0, 0), 32),
    (v6(0x3fff, 0, 0, 0), 20),
];

/// All of IPv6 that is assigned to anybody.
const GLOBAL_V6: &[(IpAddr, u8)] = &[(v6(0x2000, 0, 0, 0), 3)];

#[cfg(test)]
mod tests {
    use super::{Reach, contains};

    fn allows(reach: &Reach, ip: &str) -> bool {
        reach.allows(ip.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_allowed() {
        let strict = Reach::default();
        for ip in [
            "1.1.1.1",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "223.255.255.1",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
        ] {
            assert!(allows(&strict, ip), "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:1.1.1.1",
            "::ffff:127.0.0.1",
            "::ffff:0:1.1.1.1",
            "::1.1.1.1",
            "64:ff9b::1.1.1.1",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:0101:0101::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!allows(&strict, ip), "{ip}");
        }
    }

    #[test]
    fn private_networks_are_private_addresses_and_nothing_else() {
        let reach = Reach { private: true, ..Reach::default() };
        for ip in ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "fd12::1", "1.1.1.1"] {
            assert!(allows(&reach, ip), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "::1",
            "169.254.169.254",
            "fd00:ec2::254",
            "100.100.100.200",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "224.0.0.1",
            "0.0.0.0",
            "fe80::1",
        ] {
            assert!(!allows(&reach, ip), "{ip}");
        }
    }

    #[test]
    fn a_named_network_is_allowed_and_what_it_carries_is_judged() {
        let networks =
            vec![("169.254.0.0".parse().unwrap(), 16), ("64:ff9b::".parse().unwrap(), 96)];
        let reach = Reach { networks, ..Reach::default() };
        assert!(allows(&reach, "169.254.170.2"));
        assert!(allows(&reach, "64:ff9b::1.1.1.1"));
        assert!(!allows(&reach, "64:ff9b::10.0.0.1"));
        assert!(!allows(&reach, "10.0.0.1"));
    }

    #[test]
    fn a_network_contains_what_shares_its_prefix() {
        let holds = |network: &str, prefix, ip: &str| {
            contains(network.parse().unwrap(), prefix, ip.parse().unwrap())
        };
        assert!(holds("10.0.0.0", 8, "10.255.255.255"));
        assert!(!holds("10.0.0.0", 8, "11.0.0.0"));
        assert!(holds("10.0.0.1", 32, "10.0.0.1"));
        assert!(!holds("10.0.0.1", 32, "10.0.0.0"));
        assert!(holds("0.0.0.0", 0, "255.0.0.1"));
        assert!(holds("::", 0, "ffff::1"));
        assert!(!holds("::", 0, "1.1.1.1"));
        assert!(!holds("0.0.0.0", 0, "::1"));
    }
}
