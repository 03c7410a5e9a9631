//! XOR-MAPPED-ADDRESS (RFC 8489 section 14.2): a transport address in a form that address-rewriting NATs do not
//! recognise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{MAGIC_COOKIE, TransactionId};

/// The families of MAPPED-ADDRESS (RFC 8489 section 14.1).
pub(crate) const IPV4: u8 = 0x01;
pub(crate) const IPV6: u8 = 0x02;

/// Decodes a value. Returns `None` if the family and the length are not those of IPv4 or IPv6.
pub(crate) fn decode_xor(value: &[u8], id: TransactionId) -> Option<SocketAddr> {
    let (&[_reserved, family, port_high, port_low], address) = value.split_first_chunk()?;
    let ip = match family {
        IPV4 => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        IPV6 => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
        _ => return None,
    };
    Some(xor(SocketAddr::new(ip, u16::from_be_bytes([port_high, port_low])), id))
}

/// Applies or removes the XOR mask. The result has no scope id and no flow label, because the attribute has none.
pub(crate) fn xor(address: SocketAddr, id: TransactionId) -> SocketAddr {
    let [port_mask @ .., _, _] = MAGIC_COOKIE.to_be_bytes();
    let port = address.port() ^ u16::from_be_bytes(port_mask);
    let ip = match address.ip() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() ^ MAGIC_COOKIE)),
        IpAddr::V6(ip) => {
            let low = id.as_bytes().iter().fold(0, |bits, byte| (bits << 8) | u128::from(*byte));
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() ^ (u128::from(MAGIC_COOKIE) << 96) ^ low))
        }
    };
    SocketAddr::new(ip, port)
}
