//! Keyed hashing against collision attacks: peers choose paths and username fragments, and must not be able to
//! fill one bucket.
//!
//! The key comes from the endpoint's seed and not from the operating system, because no layer below the driver
//! reads system entropy. Maps with this hash are never iterated.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use ice_agent::{Path, Protocol, Seed};

/// Builds hashers with a secret initial state.
#[derive(Clone)]
pub(super) struct Keyed([u64; 2]);

impl Keyed {
    pub(super) fn from_seed(seed: &Seed) -> Self {
        let mut key = [[0; 8]; 2];
        seed.fill(0, key.as_flattened_mut());
        Self(key.map(u64::from_be_bytes))
    }
}

impl BuildHasher for Keyed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        let [high, low] = self.0;
        hasher.write_u64(high);
        hasher.write_u64(low);
        hasher
    }
}

/// A path as a map key. It is hashed for every datagram, so it writes few words: three for IPv4.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PathKey(pub(super) Path);

impl Hash for PathKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Self(path) = self;
        let (local, remote) = (path.local(), path.remote());
        hash_ip(local.ip(), hasher);
        hash_ip(remote.ip(), hasher);
        let protocol = match path.protocol() {
            Protocol::Udp => 0,
            Protocol::Tcp => 1,
        };
        let ports = u64::from(local.port()) << 16 | u64::from(remote.port());
        hasher.write_u64(protocol << 32 | ports);
        for address in [local, remote] {
            // Zero except for link-local addresses.
            if let SocketAddr::V6(address) = address
                && address.scope_id() != 0
            {
                hasher.write_u32(address.scope_id());
            }
        }
    }
}

fn hash_ip<H: Hasher>(ip: IpAddr, hasher: &mut H) {
    match ip {
        IpAddr::V4(ip) => hasher.write_u64(ip.to_bits().into()),
        IpAddr::V6(ip) => hasher.write_u128(ip.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;
    use std::net::{SocketAddr, SocketAddrV6};

    use ice_agent::{Path, Protocol};

    use super::{Keyed, PathKey};

    #[test]
    fn path_hash_covers_all_fields() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let link_local = |scope| SocketAddr::V6(SocketAddrV6::new("fe80::1".parse().unwrap(), 1, 0, scope));
        let paths = [
            Path::udp(address("192.0.2.1:1"), address("192.0.2.2:2")),
            Path::udp(address("192.0.2.2:1"), address("192.0.2.1:2")),
            Path::udp(address("192.0.2.1:2"), address("192.0.2.2:1")),
            Path::udp(address("192.0.2.1:1"), address("192.0.2.2:3")),
            Path::new(address("192.0.2.1:1"), address("192.0.2.2:2"), Protocol::Tcp),
            Path::udp(address("[2001:db8::1]:1"), address("[2001:db8::2]:2")),
            Path::udp(address("[2001:db8::2]:1"), address("[2001:db8::1]:2")),
            Path::udp(link_local(1), link_local(1)),
            Path::udp(link_local(2), link_local(1)),
        ];
        let keyed = Keyed([1, 2]);
        for (entry, one) in paths.iter().enumerate() {
            for other in paths.iter().skip(entry + 1) {
                let [one, other] = [one, other].map(|path| keyed.hash_one(PathKey(*path)));
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn different_keys_give_different_hashes() {
        let (one, two) = (Keyed([1, 2]), Keyed([1, 3]));
        let low_bits = |keyed: &Keyed| (0..64).map(|n| keyed.hash_one(n) % 64).collect::<Vec<_>>();
        assert_eq!(low_bits(&one), low_bits(&one.clone()));
        assert_ne!(low_bits(&one), low_bits(&two));
    }
}
