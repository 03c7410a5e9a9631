//! Candidate lines (RFC 8839 section 5.1): lines of browsers parse, and parsed lines format as before.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::{IpAddr, SocketAddr};

use ice_agent::{
    BadCandidateLine, Candidate, CandidateKind, CandidateLine, InvalidCandidate, TcpType, Ufrag,
};
use proptest::prelude::*;

fn candidate(line: &str) -> (Candidate, ice_agent::Extensions) {
    match line.parse().unwrap() {
        CandidateLine::Candidate { candidate, extensions } => (candidate, extensions),
        other => panic!("{other:?}"),
    }
}

#[test]
fn example_of_the_rfc_parses() {
    let line = "a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998";
    let (candidate, _) = candidate(line);
    assert_eq!(candidate.kind(), CandidateKind::ServerReflexive);
    assert_eq!(candidate.address(), "192.0.2.3:45664".parse().unwrap());
    assert_eq!(candidate.related(), Some("203.0.113.141:8998".parse().unwrap()));
    assert_eq!((candidate.priority(), candidate.foundation().as_str()), (1_694_498_815, "2"));
}

#[test]
fn lines_of_chromium_parse() {
    let line = "candidate:1467250027 1 udp 2122260223 192.168.0.196 46243 typ host generation 0 \
                ufrag 14k8 network-id 1 network-cost 10";
    let (candidate, extensions) = candidate(line);
    assert_eq!(candidate.kind(), CandidateKind::Host);
    assert_eq!(extensions.ufrag, Some("14k8".parse().unwrap()));
    assert_eq!((extensions.generation, extensions.network_id), (Some(0), Some(1)));
    assert_eq!(extensions.network_cost, Some(10));
}

#[test]
fn mdns_names_are_unresolved_candidates() {
    let line = "candidate:0 1 UDP 2122252543 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 54321 typ host";
    let CandidateLine::Unresolved(unresolved) = line.parse().unwrap() else { panic!() };
    assert_eq!(unresolved.host, "9b36eaac-bb2e-49bb-bb78-21c41c499900.local");
    let candidate = unresolved.resolve("192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!(candidate.address(), "192.0.2.1:54321".parse().unwrap());
    assert_eq!(candidate.priority(), 2_122_252_543);
}

#[test]
fn tcp_candidates_parse_as_tcp() {
    let line = "candidate:3 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0";
    let CandidateLine::Tcp(tcp) = line.parse().unwrap() else { panic!() };
    assert_eq!((tcp.tcp_type, tcp.port), (TcpType::Active, 9));
    assert_eq!(CandidateLine::Tcp(tcp).to_string(), line);
    let without = "candidate:3 1 tcp 1518280447 192.0.2.1 9 typ host";
    assert_eq!(without.parse::<CandidateLine>(), Err(BadCandidateLine::TcpType));
}

#[test]
fn host_candidate_does_not_reveal_its_base() {
    let address = "203.0.113.1:1".parse().unwrap();
    let candidate = Candidate::host(address).unwrap().with_base("10.0.0.1:1".parse().unwrap()).unwrap();
    assert!(!CandidateLine::of(candidate, None).to_string().contains("10.0.0.1"));
}

#[test]
fn malformed_lines_are_rejected_with_a_reason() {
    let cases = [
        ("", BadCandidateLine::Candidate(InvalidCandidate::Foundation)),
        ("candidate:1 1 udp 1 192.0.2.1", BadCandidateLine::Truncated),
        ("candidate:1 2 udp 1 192.0.2.1 1 typ host", BadCandidateLine::Component),
        ("candidate:1 1 sctp 1 192.0.2.1 1 typ host", BadCandidateLine::Transport),
        ("candidate:1 1 udp 1 192.0.2.1 65536 typ host", BadCandidateLine::Number),
        ("candidate:1 1 udp +1 192.0.2.1 1 typ host", BadCandidateLine::Number),
        ("candidate:1 1 udp 1 192.0.2.1 1 typ relocated", BadCandidateLine::Type),
        ("candidate:1 1 udp 1 192.0.2.1 1 typ host ufrag a:b", BadCandidateLine::Ufrag),
        ("candidate:1 1 udp 1 192.0.2.1 1 typ host generation", BadCandidateLine::Truncated),
        ("candidate:1 1 udp 1 192.0.2.1 0 typ host", BadCandidateLine::Candidate(InvalidCandidate::Address)),
        ("candidate:1 1 udp 1 224.0.0.1 1 typ host", BadCandidateLine::Candidate(InvalidCandidate::Address)),
        (
            "candidate:1 1 udp 2147483648 192.0.2.1 1 typ host",
            BadCandidateLine::Candidate(InvalidCandidate::Priority),
        ),
    ];
    for (line, reason) in cases {
        match line.parse::<CandidateLine>() {
            Err(found) => assert!(
                found == reason || (line.is_empty() && found == BadCandidateLine::Truncated),
                "{line}: {found:?}"
            ),
            Ok(read) => panic!("{line}: {read:?}"),
        }
    }
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
    let v6 = any::<[u8; 16]>().prop_map(IpAddr::from);
    (prop_oneof![v4, v6], 1..=u16::MAX).prop_map(SocketAddr::from)
}

fn any_line() -> impl Strategy<Value = CandidateLine> {
    let ufrag = proptest::option::of("[A-Za-z0-9+/]{4,32}");
    (any_address(), any_address(), 0..3_u8, 1..=0x7fff_ffff_u32, ufrag).prop_filter_map(
        "an address that packets can reach",
        |(address, base, kind, priority, ufrag)| {
            let candidate = match kind {
                0 => Candidate::host(address),
                1 => Candidate::server_reflexive(address, base),
                _ => Candidate::relayed(address, base),
            };
            let candidate = candidate.and_then(|candidate| candidate.with_priority(priority)).ok()?;
            let ufrag = ufrag.map(|ufrag| ufrag.parse::<Ufrag>().unwrap());
            Some(CandidateLine::of(candidate, ufrag))
        },
    )
}

proptest! {
    #[test]
    fn formatted_lines_parse_again(line in any_line()) {
        let text = line.to_string();
        let read: CandidateLine = text.parse().unwrap();
        prop_assert_eq!(read.to_string(), text);
        let (CandidateLine::Candidate { candidate: a, extensions: x },
             CandidateLine::Candidate { candidate: b, extensions: y }) = (line, read) else { panic!() };
        prop_assert_eq!((a.kind(), a.address(), a.related()), (b.kind(), b.address(), b.related()));
        prop_assert_eq!((a.priority(), a.foundation(), x), (b.priority(), b.foundation(), y));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(candidate:)?[ -~]{0,80}") {
        let _ = text.parse::<CandidateLine>();
    }
}
