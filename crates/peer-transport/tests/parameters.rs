//! The SDP attributes of a transport: browser offers parse, written attributes parse back, errors are
//! described.

#![expect(clippy::unwrap_used, reason = "test fixtures")]

use ice_agent::{CandidateLine, Password, Ufrag};
use peer_transport::{
    Attribute, Description, Fingerprint, Fragment, IceOptions, Parameters, Problem, Setup, TlsId,
};
use proptest::prelude::*;

const UFRAG: &str = "a=ice-ufrag:8hhY";
const PASSWORD: &str = "a=ice-pwd:asd88fgpdd777uzjYhagZg";
const SETUP: &str = "a=setup:actpass";
const FINGERPRINT: &str = "a=fingerprint:sha-256 \
    E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
const OTHER_FINGERPRINT: &str = "a=fingerprint:sha-256 \
    6B:86:B2:73:FF:34:FC:E1:9D:6B:80:4E:FF:5A:3F:57:47:AD:A4:EA:A2:2F:1D:49:C0:1E:52:DD:B7:87:5B:4B";
const SHA1: &str = "a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";

/// An offer in the form that Chromium writes.
const CHROMIUM: &str = "v=0\r
o=- 4611731400430051336 2 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
a=group:BUNDLE 0 1\r
a=extmap-allow-mixed\r
a=msid-semantic: WMS\r
m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r
c=IN IP4 0.0.0.0\r
a=rtcp:9 IN IP4 0.0.0.0\r
a=candidate:1467250027 1 udp 2122260223 192.0.2.17 46243 typ host generation 0 network-id 1 network-cost 10\r
a=candidate:435653019 1 tcp 1518280447 192.0.2.17 9 typ host tcptype active generation 0 network-id 1\r
a=candidate:842163049 1 udp 1677729535 203.0.113.9 51472 typ srflx raddr 0.0.0.0 rport 0 generation 0\r
a=candidate:2 1 udp 2122194687 4f9a3c52-7c2e-4a5b-9f0e-1c1c5a3e0d11.local 50000 typ host\r
a=ice-ufrag:yqEp\r
a=ice-pwd:9QXPfQd4vM2qRRVn5R5QpWw0\r
a=ice-options:trickle\r
a=fingerprint:sha-256 E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55\r
a=setup:actpass\r
a=mid:0\r
a=rtcp-mux\r
m=video 9 UDP/TLS/RTP/SAVPF 96\r
a=ice-ufrag:none\r
a=ice-pwd:oftheabovebutlongenough0\r
a=setup:passive\r
";

/// An offer in the form that Firefox writes: fingerprint and options at session level, setup at media level.
const FIREFOX: &str = "v=0\r
o=mozilla...THIS_IS_SDPARTA-99.0 4172139023 0 IN IP4 0.0.0.0\r
s=-\r
t=0 0\r
a=sendrecv\r
a=fingerprint:sha-256 6B:86:B2:73:FF:34:FC:E1:9D:6B:80:4E:FF:5A:3F:57:47:AD:A4:EA:A2:2F:1D:49:C0:1E:52:DD:B7:87:5B:4B\r
a=group:BUNDLE 0\r
a=ice-options:trickle\r
a=msid-semantic:WMS *\r
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r
c=IN IP4 0.0.0.0\r
a=candidate:0 1 UDP 2122252543 198.51.100.4 58321 typ host\r
a=candidate:0 2 UDP 2122252542 198.51.100.4 58322 typ host\r
a=candidate:1 1 TCP 2105524479 198.51.100.4 9 typ host tcptype active\r
a=sendrecv\r
a=end-of-candidates\r
a=ice-pwd:0123456789abcdef0123456789abcdef\r
a=ice-ufrag:deadbeef\r
a=mid:0\r
a=setup:actpass\r
a=sctp-port:5000\r
";

#[test]
fn chromium_offer_uses_first_media_description() {
    let description = Description::from_lines(CHROMIUM.lines()).unwrap();
    let parameters = &description.parameters;
    assert_eq!(parameters.ice.ufrag.as_str(), "yqEp");
    assert_eq!(parameters.ice.password.expose(), "9QXPfQd4vM2qRRVn5R5QpWw0");
    assert!(!parameters.ice.lite);
    assert_eq!(parameters.ice_options, IceOptions { trickle: true, ..IceOptions::default() });
    assert_eq!(parameters.fingerprints, [fingerprint(FINGERPRINT)]);
    assert_eq!(parameters.setup, Setup::ActPass);
    assert_eq!(parameters.tls_id, None);
    assert!(!description.end_of_candidates);
    assert!(
        matches!(
            description.candidates[..],
            [
                CandidateLine::Candidate { .. },
                CandidateLine::Tcp(_),
                CandidateLine::Candidate { .. },
                CandidateLine::Unresolved(_)
            ]
        ),
        "{:?}",
        description.candidates
    );
}

#[test]
fn firefox_offer_uses_session_fingerprint() {
    let description = Description::from_lines(FIREFOX.lines()).unwrap();
    assert_eq!(description.parameters.fingerprints, [fingerprint(OTHER_FINGERPRINT)]);
    assert_eq!(description.parameters.ice.ufrag.as_str(), "deadbeef");
    assert!(description.parameters.ice_options.trickle);
    assert!(description.end_of_candidates);
    assert_eq!(description.candidates.len(), 2, "component 2 is skipped");
}

#[test]
fn last_of_two_values_applies() {
    let description = Description::from_lines([
        UFRAG,
        PASSWORD,
        FINGERPRINT,
        SETUP,
        "a=ice-ufrag:later",
        "a=setup:passive",
    ])
    .unwrap();
    assert_eq!(description.parameters.ice.ufrag.as_str(), "later");
    assert_eq!(description.parameters.setup, Setup::Passive);
}

#[test]
fn fingerprints_accumulate_without_duplicates() {
    let lines = [UFRAG, PASSWORD, SETUP, FINGERPRINT, OTHER_FINGERPRINT, FINGERPRINT];
    let description = Description::from_lines(lines).unwrap();
    assert_eq!(description.parameters.fingerprints, [FINGERPRINT, OTHER_FINGERPRINT].map(fingerprint));
}

#[test]
fn media_fingerprint_replaces_session_fingerprints() {
    let lines = [FINGERPRINT, UFRAG, PASSWORD, SETUP, "m=audio 9 UDP/TLS/RTP/SAVPF 0", OTHER_FINGERPRINT];
    let description = Description::from_lines(lines).unwrap();
    assert_eq!(description.parameters.fingerprints, [fingerprint(OTHER_FINGERPRINT)]);

    // An unsupported fingerprint also replaces the session level, so that its fingerprint is not accepted
    // instead.
    let lines = [FINGERPRINT, UFRAG, PASSWORD, SETUP, "m=audio 9 UDP/TLS/RTP/SAVPF 0", SHA1];
    let error = Description::from_lines(lines).unwrap_err();
    assert_eq!(error.problem, Problem::NoKnownHash);
}

#[test]
fn weak_hash_is_skipped_beside_strong_one() {
    let description = Description::from_lines([UFRAG, PASSWORD, SETUP, SHA1, FINGERPRINT]).unwrap();
    assert_eq!(description.parameters.fingerprints, [fingerprint(FINGERPRINT)]);

    let error = Description::from_lines([UFRAG, PASSWORD, SETUP, SHA1]).unwrap_err();
    assert_eq!(error.to_string(), "a=fingerprint: no fingerprint with sha-256, sha-384 or sha-512");
}

#[test]
fn each_missing_attribute_is_named() {
    let all = [UFRAG, PASSWORD, FINGERPRINT, SETUP];
    for missing in all {
        let error = Description::from_lines(all.into_iter().filter(|line| *line != missing)).unwrap_err();
        let name = missing.strip_prefix("a=").unwrap().split(':').next().unwrap();
        assert_eq!(error.to_string(), format!("a={name}: missing"));
    }
}

#[test]
fn grammar_error_names_line_and_problem() {
    let cases = [
        ("a=ice-ufrag:abc", "line 5, a=ice-ufrag: an ice-ufrag has 4 to 256 characters"),
        ("a=ice-ufrag:ab cd", "line 5, a=ice-ufrag: an ice-ufrag consists of letters, digits, + and /"),
        ("a=ice-pwd:short", "line 5, a=ice-pwd: an ice-pwd has 22 to 256 characters"),
        ("a=setup:holdconn", "line 5, a=setup: holdconn is not supported: leave the transport out instead"),
        ("a=setup:ACTPASS", "line 5, a=setup: not actpass, active or passive"),
        ("a=setup", "line 5, a=setup: not actpass, active or passive"),
        ("a=tls-id:short", "line 5, a=tls-id: shorter than 20 characters"),
        ("a=tls-id:twenty%or%more%characters", "line 5, a=tls-id: invalid character"),
        ("a=fingerprint:sha-256 AB:CD", "line 5, a=fingerprint: the number of bytes is not that of the hash"),
        ("a=fingerprint:sha-256", "line 5, a=fingerprint: not of the form `sha-256 AB:CD:..`"),
        ("a=candidate:1 1 udp", "line 5, a=candidate: the candidate line ends too early"),
    ];
    for (line, words) in cases {
        let error = Description::from_lines([UFRAG, PASSWORD, FINGERPRINT, SETUP, line]).unwrap_err();
        assert_eq!(error.to_string(), words);
        let mut alone = line.parse::<Attribute>().unwrap_err();
        alone.line = error.line;
        assert_eq!(alone, error, "the attribute alone has the same error");
    }
}

#[test]
fn unusable_candidates_are_skipped() {
    for line in [
        "a=candidate:1 2 udp 1 192.0.2.1 5000 typ host",
        "a=candidate:1 1 sctp 1 192.0.2.1 5000 typ host",
        "a=candidate:1 1 udp 1 192.0.2.1 5000 typ telepathic",
        "a=candidate:1 1 udp 1 0.0.0.0 5000 typ host",
    ] {
        let description = Description::from_lines([UFRAG, PASSWORD, FINGERPRINT, SETUP, line]).expect(line);
        assert_eq!(description.candidates, [], "{line}");
    }
}

#[test]
fn values_above_limits_are_refused() {
    let candidate = |n: usize| format!("a=candidate:1 1 udp 1 192.0.2.1 {} typ host", 1000 + n);
    let with_candidates = |count| {
        let lines: Vec<String> = (0..count).map(candidate).collect();
        let fixed = [UFRAG, PASSWORD, FINGERPRINT, SETUP];
        Description::from_lines(fixed.into_iter().chain(lines.iter().map(String::as_str)))
            .map(|description| description.candidates.len())
    };
    assert_eq!(with_candidates(256), Ok(256));
    let error = with_candidates(257).unwrap_err();
    assert_eq!(error.to_string(), "line 261, a=candidate: more than 256");

    let with_fingerprints = |count| {
        let lines: Vec<String> = (0..count).map(numbered_fingerprint).collect();
        let fixed = [UFRAG, PASSWORD, SETUP];
        Description::from_lines(fixed.into_iter().chain(lines.iter().map(String::as_str)))
            .map(|description| description.parameters.fingerprints.len())
    };
    let max = Parameters::MAX_FINGERPRINTS;
    assert_eq!(with_fingerprints(max), Ok(max));
    assert_eq!(with_fingerprints(max + 1).unwrap_err().problem, Problem::TooMany { max });
}

#[test]
fn fragment_attributes_are_optional() {
    let fragment = Fragment::from_lines([
        "a=ice-ufrag:8hhY",
        "a=ice-pwd:asd88fgpdd777uzjYhagZg",
        "m=audio 9 RTP/AVP 0",
        "a=mid:0",
        "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host",
        "a=end-of-candidates",
    ])
    .unwrap();
    assert_eq!(fragment.ufrag, Some("8hhY".parse().unwrap()));
    assert_eq!(fragment.candidates.len(), 1);
    assert!(fragment.end_of_candidates);

    assert_eq!(Fragment::from_lines([""; 3]), Ok(Fragment::default()));
    assert!(Fragment::from_lines(["a=ice-ufrag:8"]).is_err());
}

#[test]
fn attributes_are_written_in_recommended_order() {
    let description =
        Description::from_lines([SETUP, FINGERPRINT, PASSWORD, UFRAG, "a=ice-lite", "a=ice-options:ice2 x"])
            .unwrap();
    let written: Vec<String> = description.attributes().map(|attribute| format!("a={attribute}")).collect();
    assert_eq!(written, ["a=ice-lite", UFRAG, PASSWORD, "a=ice-options:ice2", FINGERPRINT, SETUP]);
}

#[test]
fn debug_output_hides_password() {
    let description = Description::from_lines([UFRAG, PASSWORD, FINGERPRINT, SETUP]).unwrap();
    let secret = description.parameters.ice.password.expose();
    assert!(!format!("{description:?}").contains(secret));
    let attribute: Attribute = PASSWORD.parse().unwrap();
    assert!(!format!("{attribute:?}").contains(secret));
    assert!(attribute.to_string().contains(secret));
}

proptest! {
    #[test]
    fn written_description_parses_back(description in descriptions(), ending in "(\r|\r\n| )?", a in "(a=)?") {
        let lines: Vec<String> =
            description.attributes().map(|attribute| format!("{a}{attribute}{ending}")).collect();
        let read = Description::from_lines(lines.iter().map(String::as_str));
        prop_assert_eq!(read, Ok(description));
    }

    #[test]
    fn each_attribute_parses_back(description in descriptions()) {
        for attribute in description.attributes() {
            prop_assert_eq!(attribute.to_string().parse(), Ok(attribute));
        }
    }

    #[test]
    fn arbitrary_text_is_parsed_or_refused(lines in proptest::collection::vec(line(), 0..20)) {
        let lines = || lines.iter().map(String::as_str);
        if let Ok(description) = Description::from_lines(lines()) {
            prop_assert!(!description.parameters.fingerprints.is_empty());
        }
        if let Err(error) = Fragment::from_lines(lines()) {
            let number = error.line.unwrap().get();
            prop_assert!(number <= lines().count());
        }
    }
}

fn fingerprint(line: &str) -> Fingerprint {
    line.strip_prefix("a=fingerprint:").unwrap().parse().unwrap()
}

fn numbered_fingerprint(number: usize) -> String {
    format!("a=fingerprint:sha-256 {number:02X}{}", ":00".repeat(31))
}

/// Lines of a transport, partly malformed, and arbitrary lines.
fn line() -> impl Strategy<Value = String> {
    let names = "(a=)?(ice-ufrag|ice-pwd|ice-options|ice-lite|fingerprint|setup|tls-id|candidate|m)";
    prop_oneof![
        "\\PC{0,60}",
        (names, "[:=]?", "\\PC{0,60}").prop_map(|(name, colon, value)| format!("{name}{colon}{value}")),
        prop::sample::select(vec![UFRAG, PASSWORD, SETUP, FINGERPRINT, SHA1]).prop_map(str::to_owned),
    ]
}

fn descriptions() -> impl Strategy<Value = Description> {
    let candidate = (any::<[u8; 4]>(), 1u16.., 1u32..0x7fff_ffff).prop_map(|(ip, port, priority)| {
        let [_, b, c, d] = ip;
        format!("1 1 udp {priority} 10.{b}.{c}.{d} {port} typ host").parse::<CandidateLine>().unwrap()
    });
    let parameters = (
        "[A-Za-z0-9+/]{4,256}",
        "[A-Za-z0-9+/]{22,256}",
        any::<bool>(),
        any::<[bool; 3]>(),
        prop::collection::hash_set(0usize..100, 1..=Parameters::MAX_FINGERPRINTS),
        prop::sample::select(vec![Setup::ActPass, Setup::Active, Setup::Passive]),
        prop::option::of("[A-Za-z0-9+/_-]{20,255}"),
    );
    (parameters, prop::collection::vec(candidate, 0..5), any::<bool>()).prop_map(
        |((ufrag, password, lite, options, numbers, setup, tls_id), candidates, end_of_candidates)| {
            let [trickle, ice2, renomination] = options;
            let ufrag: Ufrag = ufrag.parse().unwrap();
            let password: Password = password.parse().unwrap();
            let parameters = Parameters {
                ice: ice_agent::Parameters::new(ufrag, password).with_lite(lite),
                ice_options: IceOptions { trickle, ice2, renomination },
                fingerprints: numbers.into_iter().map(|n| fingerprint(&numbered_fingerprint(n))).collect(),
                setup,
                tls_id: tls_id.map(|text| text.parse::<TlsId>().unwrap()),
            };
            Description { parameters, candidates, end_of_candidates }
        },
    )
}
