//! Names a datagram for the trace, from its first byte (RFC 7983) and its unencrypted fields.
//!
//! Written from the wire formats, and tolerant: its output is read by add_pair and checks nothing.

use std::fmt::Write as _;

/// The class by the first byte (RFC 7983 section 7, and RFC 5761 section 4 between RTP and RTCP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// First byte 0 to 3.
    Stun,
    /// First byte 20 to 63.
    Dtls,
    /// First byte 128 to 191 and no RTCP packet type behind it.
    Rtp,
    /// First byte 128 to 191 and a packet type of 192 to 223.
    Rtcp,
    /// Any other first byte, and an empty datagram.
    Other,
}

impl Class {
    /// The class of a datagram.
    #[must_use]
    pub fn of(datagram: &[u8]) -> Self {
        match datagram {
            [0..=3, ..] => Self::Stun,
            [20..=63, ..] => Self::Dtls,
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, ..] => Self::Rtp,
            _ => Self::Other,
        }
    }
}

/// One line about a datagram: method and class of STUN; type, epoch and number of each DTLS record with the unencrypted
/// handshake messages; payload type and number of RTP; packet type of RTCP.
#[must_use]
pub fn describe(datagram: &[u8]) -> String {
    match Class::of(datagram) {
        Class::Stun => stun(datagram),
        Class::Dtls => dtls(datagram),
        Class::Rtp => rtp(datagram),
        Class::Rtcp => format!("RTCP {}", datagram.get(1).copied().map_or("?", rtcp_type)),
        Class::Other if datagram.is_empty() => "empty".into(),
        Class::Other => format!("unknown {:02x}", datagram.first().copied().unwrap_or_default()),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(pair.try_into().ok()?))
}

fn u24_at(bytes: &[u8], at: usize) -> Option<u32> {
    let three = bytes.get(at..at.checked_add(3)?)?;
    Some(three.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

fn stun(bytes: &[u8]) -> String {
    let Some(message_type) = u16_at(bytes, 0) else { return "STUN truncated".into() };
    let class = match message_type & 0x0110 {
        0x0000 => "request",
        0x0010 => "indication",
        0x0100 => "success",
        _ => "error",
    };
    let method = (message_type & 0x3e00) >> 2 | (message_type & 0x00e0) >> 1 | message_type & 0x000f;
    let mut line = match method {
        1 => format!("STUN Binding {class}"),
        other => format!("STUN method {other:#05x} {class}"),
    };
    if let Some([a, b, c]) = bytes.get(8..11) {
        let _ = write!(line, " {a:02x}{b:02x}{c:02x}");
    }
    let mut at = 20;
    while let (Some(kind), Some(len)) = (u16_at(bytes, at), u16_at(bytes, at + 2)) {
        let len = usize::from(len);
        let Some(value) = bytes.get(at + 4..at + 4 + len) else {
            line.push_str(" cut short");
            break;
        };
        match (kind, value) {
            (0x0006, name) => {
                let _ = write!(line, " {}", String::from_utf8_lossy(name).escape_debug());
            }
            (0x0009, [_, _, hundreds, rest, ..]) => {
                let _ = write!(line, " {}", u16::from(*hundreds & 7) * 100 + u16::from(*rest));
            }
            (0x0025, _) => line.push_str(" USE-CANDIDATE"),
            (0x8029, _) => line.push_str(" controlled"),
            (0x802a, _) => line.push_str(" controlling"),
            _ => {}
        }
        at += 4 + len.next_multiple_of(4);
    }
    line
}

fn dtls(mut bytes: &[u8]) -> String {
    let mut records = Vec::new();
    while let Some(&first) = bytes.first() {
        let (line, len) = if first >= 32 { unified(bytes) } else { plaintext(bytes) };
        records.push(line);
        bytes = bytes.get(len..).unwrap_or_default();
    }
    format!("DTLS {}", records.join(" + "))
}

/// A record with the header of RFC 6347 section 4.1; protected wherever its epoch is not 0.
fn plaintext(bytes: &[u8]) -> (String, usize) {
    let (Some(epoch), Some(len)) = (u16_at(bytes, 3), u16_at(bytes, 11)) else {
        return ("truncated".into(), bytes.len());
    };
    let number = bytes.get(5..11).unwrap_or_default().iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let len = usize::from(len);
    let body = bytes.get(13..).unwrap_or_default();
    let cut = if body.len() < len { " cut short" } else { "" };
    let body = body.get(..len).unwrap_or(body);
    let what = match bytes.first() {
        Some(20) => "ChangeCipherSpec".into(),
        Some(21) if epoch == 0 => alert(body),
        Some(21) => "alert".into(),
        Some(22) if epoch == 0 => handshake(body),
        Some(22) => "handshake".into(),
        Some(23) => format!("data {len}"),
        Some(26) => "ACK".into(),
        Some(other) => format!("type {other}"),
        None => "nothing".into(),
    };
    (format!("{what} e{epoch} #{number}{cut}"), 13 + len)
}

/// A ciphertext with the unified header of RFC 9147 section 4; the number is encrypted.
fn unified(bytes: &[u8]) -> (String, usize) {
    let first = bytes.first().copied().unwrap_or_default();
    let number_len = if first & 0x08 == 0 { 1 } else { 2 };
    let epoch = first & 0x03;
    if first & 0x10 != 0 {
        return (format!("ciphertext e{epoch} with a connection id"), bytes.len());
    }
    if first & 0x04 == 0 {
        return (format!("ciphertext e{epoch} {} bytes", bytes.len()), bytes.len());
    }
    match u16_at(bytes, 1 + number_len) {
        Some(len) => (format!("ciphertext e{epoch} {len} bytes"), 3 + number_len + usize::from(len)),
        None => ("ciphertext cut short".into(), bytes.len()),
    }
}

fn alert(body: &[u8]) -> String {
    match body {
        [1, 0] => "alert close_notify".into(),
        [1, code] => format!("alert warning {code}"),
        [2, code] => format!("alert fatal {code}"),
        _ => "alert malformed".into(),
    }
}

fn handshake(mut body: &[u8]) -> String {
    let mut messages = Vec::new();
    while let (Some(&kind), Some(len), Some(sequence), Some(offset), Some(fragment)) =
        (body.first(), u24_at(body, 1), u16_at(body, 4), u24_at(body, 6), u24_at(body, 9))
    {
        let name = match kind {
            0 => "HelloRequest",
            1 => "ClientHello",
            2 => "ServerHello",
            3 => "HelloVerifyRequest",
            4 => "NewSessionTicket",
            8 => "EncryptedExtensions",
            11 => "Certificate",
            12 => "ServerKeyExchange",
            13 => "CertificateRequest",
            14 => "ServerHelloDone",
            15 => "CertificateVerify",
            16 => "ClientKeyExchange",
            20 => "Finished",
            24 => "KeyUpdate",
            _ => "message?",
        };
        let mut line = format!("{name}({sequence}");
        if fragment != len {
            let _ = write!(line, ", {offset}..{} of {len}", offset.saturating_add(fragment));
        }
        line.push(')');
        messages.push(line);
        let Some(rest) = usize::try_from(fragment).ok().and_then(|len| body.get(12 + len..)) else { break };
        body = rest;
    }
    if messages.is_empty() { "handshake truncated".into() } else { messages.join(" ") }
}

fn rtp(bytes: &[u8]) -> String {
    match (bytes.get(1), u16_at(bytes, 2), bytes.get(8..12)) {
        (Some(second), Some(sequence), Some(ssrc)) => format!(
            "RTP pt {} seq {sequence} ssrc {:02x}{:02x}{:02x}{:02x}",
            second & 0x7f,
            ssrc[0],
            ssrc[1],
            ssrc[2],
            ssrc[3]
        ),
        _ => "RTP truncated".into(),
    }
}

const fn rtcp_type(packet_type: u8) -> &'static str {
    match packet_type {
        200 => "SR",
        201 => "RR",
        202 => "SDES",
        203 => "BYE",
        204 => "APP",
        205 => "RTPFB",
        206 => "PSFB",
        207 => "XR",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_request_shows_its_ufrags_and_its_nomination() {
        let mut request =
            vec![0, 1, 0, 16, 0x21, 0x12, 0xa4, 0x42, 0xab, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        request.extend([0, 6, 0, 7, b'a', b'b', b'c', b':', b'd', b'e', b'f', 0, 0, 0x25, 0, 0]);
        assert_eq!(describe(&request), "STUN Binding request abcdef abc:def USE-CANDIDATE");
    }

    #[test]
    fn a_refusal_shows_its_code() {
        let mut refusal = vec![1, 0x11, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        refusal.extend([0, 9, 0, 4, 0, 0, 4, 3]);
        assert_eq!(describe(&refusal), "STUN Binding error 010203 403");
    }

    #[test]
    fn each_record_of_a_flight_is_named_while_it_is_in_the_clear() {
        let mut flight =
            vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 5, 0, 12, 14, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0];
        flight.extend([20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1, 1]);
        flight.extend([22, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 9, 9]);
        assert_eq!(
            describe(&flight),
            "DTLS ServerHelloDone(3) e0 #5 + ChangeCipherSpec e0 #6 + handshake e1 #0"
        );
    }

    #[test]
    fn a_ciphertext_of_dtls_1_3_shows_its_epoch() {
        assert_eq!(describe(&[0x2e, 1, 2, 0, 3, 9, 9, 9]), "DTLS ciphertext e2 3 bytes");
    }

    #[test]
    fn media_shows_what_its_header_says() {
        let rtp = [0x80, 0xe0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(describe(&rtp), "RTP pt 96 seq 7 ssrc 00000009");
        assert_eq!(describe(&[0x81, 206, 0, 2]), "RTCP PSFB");
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut rng = crate::Rng::new(5);
        for _ in 0..20_000 {
            let len = rng.index(80);
            let malformed = rng.bytes(len);
            assert!(!describe(&malformed).is_empty());
        }
    }
}
