//! DTLS 1.3: hellos that violate a rule, and the alert for each.

use crate::world::{
    Action, Side, World, client_config, message_record, message_types, messages, records, server_config,
};
use dtls_core::{CipherSuite, Config, Failure, Incompatible, Misbehaved, NamedGroup, Versions};

const UNOFFERED: Failure = Failure::Peer(Misbehaved::SelectedUnoffered);
const MISSING: Failure = Failure::Peer(Misbehaved::MissingExtension);
const MISPLACED: Failure = Failure::Peer(Misbehaved::MisplacedExtension);
const MALFORMED: Failure = Failure::Peer(Misbehaved::Malformed);
const INVALID_SHARE: Failure = Failure::Peer(Misbehaved::InvalidKeyShare);

/// RFC 8446 section 4.1.3.
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

fn dtls13(config: Config) -> Config {
    let groups = vec![NamedGroup::X25519, NamedGroup::SECP256R1];
    let suites = vec![CipherSuite::AES_128_GCM_SHA256, CipherSuite::AES_256_GCM_SHA384];
    Config { versions: Versions::Dtls13, groups, suites, ..config }
}

fn lonely() -> World {
    World::with(dtls13(client_config()), dtls13(server_config())).network(|_| Action::Drop).started()
}

fn extension(number: u16, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap();
    [&number.to_be_bytes()[..], &len.to_be_bytes(), body].concat()
}

/// The fields of a server's hello, to be changed.
#[derive(Clone)]
struct ServerHello {
    version: [u8; 2],
    random: [u8; 32],
    session_id: Vec<u8>,
    suite: u16,
    compression: u8,
    extensions: Vec<Vec<u8>>,
}

impl ServerHello {
    fn new() -> Self {
        Self {
            version: [0xfe, 0xfd],
            random: [7; 32],
            session_id: Vec::new(),
            suite: 0x1301,
            compression: 0,
            extensions: vec![extension(43, &[0xfe, 0xfc]), extension(51, &share(29, &[9; 32]))],
        }
    }

    /// A HelloRetryRequest.
    fn retry(extensions: &[Vec<u8>]) -> Self {
        let extensions = [&[extension(43, &[0xfe, 0xfc])], extensions].concat();
        Self { random: RETRY, extensions, ..Self::new() }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn record(&self, sequence: u8) -> Vec<u8> {
        let mut body = self.version.to_vec();
        body.extend(self.random);
        body.push(u8::try_from(self.session_id.len()).unwrap());
        body.extend(&self.session_id);
        body.extend(self.suite.to_be_bytes());
        body.push(self.compression);
        let extensions = self.extensions.concat();
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        message_record(2, sequence, &body)
    }
}

fn share(group: u16, share: &[u8]) -> Vec<u8> {
    [&group.to_be_bytes()[..], &u16::try_from(share.len()).unwrap().to_be_bytes(), share].concat()
}

#[track_caller]
fn assert_refuses(world: &World, side: Side, failure: Failure, alert: u8, why: &str) {
    assert_eq!(world.failure(side), Some(failure), "{why}\n{}", world.trace());
    let sent = world.sent.iter().filter(|packet| packet.from == side);
    let records = sent.flat_map(|packet| records(&packet.bytes));
    let alerts: Vec<_> = records.filter(|record| record.0 == 21).map(|record| record.3).collect();
    assert_eq!(alerts, [[2, alert]], "{why}\n{}", world.trace());
}

//= rfc9147-5.3-session-id
#[test]
fn invalid_server_hello_is_refused() {
    let hello = ServerHello::new;
    for (why, hello, failure, alert) in [
        ("1.2 in supported_versions", hello().with(|it| it.extensions[0][5] = 0xfd), UNOFFERED, 47),
        ("another legacy version", hello().with(|it| it.version = [0xfe, 0xfc]), UNOFFERED, 47),
        ("an echo of nothing", hello().with(|it| it.session_id = vec![5; 32]), UNOFFERED, 47),
        ("compression", hello().with(|it| it.compression = 1), UNOFFERED, 47),
        ("a suite that was not offered", hello().with(|it| it.suite = 0x1303), UNOFFERED, 47),
        ("a suite of 1.2", hello().with(|it| it.suite = 0xc02b), UNOFFERED, 47),
        ("no key share", hello().with(|it| drop(it.extensions.pop())), MISSING, 109),
        (
            "a key share of a group that was not shared",
            hello().with(|it| it.extensions[1] = extension(51, &share(23, &[4; 65]))),
            UNOFFERED,
            47,
        ),
        (
            "a key share of zeros",
            hello().with(|it| it.extensions[1] = extension(51, &share(29, &[0; 32]))),
            INVALID_SHARE,
            47,
        ),
        (
            "half a key share",
            hello().with(|it| it.extensions[1] = extension(51, &share(29, &[9; 16]))),
            INVALID_SHARE,
            47,
        ),
        (
            "an unknown extension",
            hello().with(|it| it.extensions.push(extension(0xfafa, &[]))),
            Failure::Peer(Misbehaved::UnsolicitedExtension),
            110,
        ),
        (
            "an SRTP profile that is not encrypted",
            hello().with(|it| it.extensions.push(extension(14, &[0, 2, 0, 7, 0]))),
            MISPLACED,
            47,
        ),
        ("a cookie", hello().with(|it| it.extensions.push(extension(44, &[0, 1, 7]))), MISPLACED, 47),
    ] {
        let mut world = lonely();
        world.inject(Side::Client, &hello.record(0));
        assert_refuses(&world, Side::Client, failure, alert, why);
    }
}

#[test]
fn invalid_retry_is_refused() {
    let cookie = || extension(44, &[0, 1, 7]);
    let retry = || ServerHello::retry(&[cookie()]);
    let group = |group: u16| ServerHello::retry(&[extension(51, &group.to_be_bytes())]);
    for (why, retry, failure, alert) in [
        ("nothing would change", ServerHello::retry(&[]), UNOFFERED, 47),
        ("a group that was shared", group(29), UNOFFERED, 47),
        ("a group that was not offered", group(24), UNOFFERED, 47),
        ("an unknown group", group(0xfafa), UNOFFERED, 47),
        ("an echo of nothing", retry().with(|it| it.session_id = vec![5]), UNOFFERED, 47),
        ("another legacy version", retry().with(|it| it.version = [0xfe, 0xff]), UNOFFERED, 47),
        ("compression", retry().with(|it| it.compression = 1), UNOFFERED, 47),
        ("a suite that was not offered", retry().with(|it| it.suite = 0x1303), UNOFFERED, 47),
        ("an empty cookie", ServerHello::retry(&[extension(44, &[0, 0])]), MALFORMED, 50),
        (
            "a share in place of a group",
            ServerHello::retry(&[extension(51, &share(23, &[4; 65]))]),
            MALFORMED,
            50,
        ),
        (
            "an unknown extension",
            retry().with(|it| it.extensions.push(extension(0xfafa, &[]))),
            Failure::Peer(Misbehaved::UnsolicitedExtension),
            110,
        ),
        (
            "an extended master secret in 1.3",
            retry().with(|it| it.extensions.push(extension(23, &[]))),
            MISPLACED,
            47,
        ),
    ] {
        let mut world = lonely();
        world.inject(Side::Client, &retry.record(0));
        assert_refuses(&world, Side::Client, failure, alert, why);
    }
}

#[test]
fn server_hello_after_a_retry_keeps_suite_and_group() {
    let for_group = || ServerHello::retry(&[extension(51, &[0, 23])]);
    let for_cookie = || ServerHello::retry(&[extension(44, &[0, 1, 7])]);
    let hello = ServerHello::new;
    let of_p256 = || hello().with(|it| it.extensions[1] = extension(51, &share(23, &[4; 65])));
    for (why, retry, hello, failure, alert) in [
        ("another suite", for_cookie(), hello().with(|it| it.suite = 0x1302), UNOFFERED, 47),
        ("another group than asked for", for_group(), hello(), UNOFFERED, 47),
        ("another group than shared", for_cookie(), of_p256(), UNOFFERED, 47),
        // Of the right group, but not a point of it.
        ("invalid point", for_group(), of_p256(), INVALID_SHARE, 47),
        (
            "a second retry, for a group",
            for_cookie(),
            for_group(),
            Failure::Peer(Misbehaved::UnexpectedMessage),
            10,
        ),
        (
            "a second retry, for a cookie",
            for_group(),
            for_cookie(),
            Failure::Peer(Misbehaved::UnexpectedMessage),
            10,
        ),
    ] {
        let mut world = lonely();
        world.inject(Side::Client, &retry.record(0));
        assert_eq!(world.failure(Side::Client), None, "{why}");
        world.inject(Side::Client, &hello.record(1));
        assert_refuses(&world, Side::Client, failure, alert, why);
    }
}

/// The body of our ClientHello up to its extensions, and the extensions.
fn client_hello() -> (Vec<u8>, Vec<(u16, Vec<u8>)>) {
    let world = lonely();
    let body = messages(&world.sent[0].bytes)[0][12..].to_vec();
    // Version, random, two empty vectors, suites and compression.
    let suites = usize::from(u16::from_be_bytes([body[36], body[37]]));
    let (head, mut rest) = (body[..38 + suites + 2].to_vec(), &body[38 + suites + 2 + 2..]);
    let mut extensions = Vec::new();
    while let [a, b, c, d, after @ ..] = rest {
        let (extension, after) = after.split_at(usize::from(u16::from_be_bytes([*c, *d])));
        extensions.push((u16::from_be_bytes([*a, *b]), extension.to_vec()));
        rest = after;
    }
    (head, extensions)
}

fn joined(sequence: u8, mut head: Vec<u8>, extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let list: Vec<_> = extensions.iter().flat_map(|(number, body)| extension(*number, body)).collect();
    head.extend(u16::try_from(list.len()).unwrap().to_be_bytes());
    head.extend(list);
    message_record(1, sequence, &head)
}

/// The server's response to a ClientHello with one extension changed or removed.
fn answer_to(number: u16, body: Option<&[u8]>) -> World {
    let (head, mut extensions) = client_hello();
    let at = extensions.iter().position(|(each, _)| *each == number).unwrap();
    match body {
        Some(body) => extensions[at].1 = body.to_vec(),
        None => drop(extensions.remove(at)),
    }
    let mut world = lonely();
    world.inject(Side::Server, &joined(0, head, &extensions));
    world
}

#[test]
fn client_hello_without_mandatory_extension_is_refused() {
    for number in [10, 13, 51] {
        assert_refuses(&answer_to(number, None), Side::Server, MISSING, 109, &format!("extension {number}"));
    }
}

#[test]
fn client_hello_without_common_parameters_is_refused() {
    let no_overlap = Failure::NoOverlap;
    for (why, number, body, failure, alert) in [
        ("groups", 10, &[0, 2, 0, 24][..], no_overlap(Incompatible::Group), 40),
        ("signatures", 13, &[0, 2, 8, 4], no_overlap(Incompatible::SignatureScheme), 40),
        ("signatures of 1.2", 13, &[0, 2, 4, 1], no_overlap(Incompatible::SignatureScheme), 40),
        ("an empty list of groups", 10, &[0, 0], MALFORMED, 50),
        ("a share of no bytes", 51, &[0, 4, 0, 29, 0, 0], MALFORMED, 50),
        ("a share that is too short", 51, &[0, 5, 0, 29, 0, 1, 9], INVALID_SHARE, 47),
        ("versions of odd length", 43, &[3, 0xfe, 0xfc, 0xfe], MALFORMED, 50),
        ("an SRTP list that is empty", 14, &[0, 0, 0], MALFORMED, 50),
    ] {
        assert_refuses(&answer_to(number, Some(body)), Side::Server, failure, alert, why);
    }
    for (why, at, with, failure, alert) in [
        ("suites", 39, 0x05, no_overlap(Incompatible::Suite), 40),
        ("compression", usize::MAX, 1, UNOFFERED, 47),
    ] {
        let (mut head, extensions) = client_hello();
        let at = at.min(head.len() - 1);
        head[at] = with;
        // Both suites.
        head[41] = if why == "suites" { 0x05 } else { head[41] };
        let mut world = lonely();
        world.inject(Side::Server, &joined(0, head, &extensions));
        assert_refuses(&world, Side::Server, failure, alert, why);
    }
}

#[test]
fn client_hello_without_share_gets_a_retry() {
    let world = answer_to(51, Some(&[0, 0]));
    let answer = world.sent.iter().find(|packet| packet.from == Side::Server).unwrap();
    assert_eq!(message_types(&answer.bytes), [2], "{}", world.trace());
    let retry = messages(&answer.bytes)[0];
    assert_eq!(retry[12 + 2..][..32], RETRY);
    assert!(retry.ends_with(&[0, 51, 0, 2, 0, 29]), "{retry:?}");
}

#[test]
fn second_client_hello_has_the_requested_share() {
    let with_share = |group, bytes: &[u8]| {
        let share = share(group, bytes);
        [&u16::try_from(share.len()).unwrap().to_be_bytes()[..], &share].concat()
    };
    let wanted = || (51, with_share(29, &[9; 32]));
    for (why, suite, (number, body), is_refused) in [
        ("what was asked for", 0x01, wanted(), false),
        ("a share of another group", 0x01, (51, with_share(23, &[4; 65])), true),
        ("no share", 0x01, (51, vec![0, 0]), true),
        ("another suite", 0x02, wanted(), true),
        ("another version", 0x01, (43, vec![2, 0xfe, 0xfd]), true),
    ] {
        // No share, so the server requests one of X25519.
        let mut world = answer_to(51, Some(&[0, 0]));
        let (mut head, mut extensions) = client_hello();
        // The same client, with the second of the two suites instead of the first.
        head[2..34].copy_from_slice(&world.server.remote_random().unwrap());
        head[39] = suite;
        let at = extensions.iter().position(|(each, _)| *each == number).unwrap();
        extensions[at].1 = body;
        world.inject(Side::Server, &joined(1, head, &extensions));
        if is_refused {
            assert_refuses(&world, Side::Server, UNOFFERED, 47, why);
        } else {
            assert_eq!(world.failure(Side::Server), None, "{why}\n{}", world.trace());
            let hellos = world.sent.iter().filter(|packet| packet.from == Side::Server);
            assert!(hellos.count() >= 2, "{why}\n{}", world.trace());
        }
    }
}
