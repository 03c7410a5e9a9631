//! A capture file of UDP datagrams, with the headers that they would have on a wire.
//!
//! Writes pcap, IPv4 and UDP headers with invented addresses. It does not read the datagrams.

use std::net::SocketAddrV4;
use std::time::Duration;

/// A capture in the original pcap format, with microseconds, whose packets begin with an IPv4 header.
pub(super) struct Capture {
    bytes: Vec<u8>,
    packets: u16,
}

impl Capture {
    pub(super) fn new() -> Self {
        const VERSION: [u16; 2] = [2, 4];
        const LARGEST_PACKET: u32 = 65_535;
        const LINKTYPE_IPV4: u32 = 228;
        let mut bytes = 0xA1B2_C3D4_u32.to_le_bytes().to_vec();
        bytes.extend(VERSION.iter().flat_map(|number| number.to_le_bytes()));
        // The time zone and the accuracy, which capture programs leave at zero.
        bytes.extend([0; 8]);
        bytes.extend(LARGEST_PACKET.to_le_bytes());
        bytes.extend(LINKTYPE_IPV4.to_le_bytes());
        Self { bytes, packets: 0 }
    }

    /// Adds one datagram, at this time since the start of the capture.
    pub(super) fn add(&mut self, at: Duration, from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) {
        self.packets += 1;
        let packet = packet(self.packets, from, to, payload);
        let length = u32::try_from(packet.len()).expect("a datagram is short");
        let seconds = u32::try_from(at.as_secs()).expect("a capture is short");
        for field in [seconds, at.subsec_micros(), length, length] {
            self.bytes.extend(field.to_le_bytes());
        }
        self.bytes.extend(packet);
    }

    /// The file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// RFC 791 section 3.1 and RFC 768.
fn packet(identification: u16, from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    const IPV4_HEADER: usize = 20;
    const UDP_HEADER: usize = 8;
    const DO_NOT_FRAGMENT: u16 = 0x4000;
    let length = |bytes: usize| u16::try_from(bytes).expect("a datagram is short").to_be_bytes();
    let mut packet = vec![0x45, 0];
    packet.extend(length(IPV4_HEADER + UDP_HEADER + payload.len()));
    packet.extend(identification.to_be_bytes());
    packet.extend(DO_NOT_FRAGMENT.to_be_bytes());
    // Time to live, UDP, and a placeholder for the checksum.
    packet.extend([64, 17, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    let checksum = checksum(&packet).to_be_bytes();
    packet[10..12].copy_from_slice(&checksum);
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(length(UDP_HEADER + payload.len()));
    // Over IPv4 a checksum of zero means that there is none.
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// RFC 1071.
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_a_header_with_its_checksum_is_zero() {
        let addresses = ["192.0.2.1:4433".parse().unwrap(), "192.0.2.2:4434".parse().unwrap()];
        let packet = packet(7, addresses[0], addresses[1], b"hello");
        assert_eq!((packet.len(), checksum(&packet[..20])), (33, 0));
    }

    #[test]
    fn each_record_begins_with_time_and_length() {
        let (from, to) = ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
        let mut capture = Capture::new();
        capture.add(Duration::from_millis(2500), from, to, b"hello");
        let record = &capture.bytes()[24..];
        assert_eq!(record[..16], [2, 0, 0, 0, 0x20, 0xA1, 7, 0, 33, 0, 0, 0, 33, 0, 0, 0]);
        assert!(record.ends_with(b"hello") && record.len() == 16 + 33);
    }
}
