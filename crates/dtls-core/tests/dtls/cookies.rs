//! The cookie gate: only clients that receive datagrams at their address get a connection.

use crate::world::{
    Action, CLIENT_ADDRESS, Dice, Packet, Side, World, client_config, fragment_record, message_record,
    message_types, ms, plaintext_record, records, server_config, without_ml_kem,
};
use dtls_core::{
    Admitted, Authentication, CipherSuite, Config, Connection, CookieGate, Discard, Error, Event, Failure,
    GateConfig, GateVerdict, Misbehaved, Misconfigured, NamedGroup, ProtocolVersion, Psk, Versions,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BOTH: [Versions; 2] = [Versions::Dtls12, Versions::Dtls13];
/// Longer than the time between two fragments of a hello during a flood.
const SECOND: Duration = Duration::from_secs(1);

/// ClientHellos that fit a datagram; other tests use the long ones.
fn with(config: Config, versions: Versions) -> Config {
    Config { versions, ..without_ml_kem(config) }
}

/// Both sides with these versions, and a gate.
fn gated(versions: Versions) -> World {
    World::gated(with(client_config(), versions), with(server_config(), versions))
}

fn requests(world: &World) -> Vec<&Packet> {
    let is_request = |packet: &&Packet| {
        let (content_type, epoch, _, content) = records(&packet.bytes)[0];
        // A protected record may begin with any byte.
        packet.from == Side::Server
            && (content_type, epoch) == (22, 0)
            && (content[0] == 3 || (content[0] == 2 && content[14..18] == [0xcf, 0x21, 0xad, 0x74]))
    };
    world.sent.iter().filter(is_request).collect()
}

//= rfc6347-4.2.1-version-is-format
//= rfc6347-4.2.1-version-assumed
#[test]
fn all_versions_connect_through_the_gate() {
    use ProtocolVersion as Version;
    use Versions::{Auto, Dtls12, Dtls13};
    for (client, server, version, request) in [
        (Dtls12, Dtls12, Version::DTLS12, 3),
        (Dtls12, Auto, Version::DTLS12, 3),
        (Auto, Dtls12, Version::DTLS12, 3),
        (Dtls13, Dtls13, Version::DTLS13, 2),
        (Dtls13, Auto, Version::DTLS13, 2),
        (Auto, Dtls13, Version::DTLS13, 2),
        (Auto, Auto, Version::DTLS13, 2),
    ] {
        let mut world = World::gated(with(client_config(), client), with(server_config(), server)).started();
        world.run_until(World::are_connected);
        assert_eq!(message_types(&world.sent[1].bytes), [request], "{}", world.trace());
        assert_eq!(world.client.negotiated().unwrap().version, version);
        let last_ack = if version == Version::DTLS12 { 10 } else { 0 };
        assert_eq!(world.elapsed(), ms(50 + last_ack), "one round trip more\n{}", world.trace());
        world.settle();
        world.assert_works();
        let gate = world.gate.as_ref().unwrap();
        assert_eq!((gate.stats().requests, gate.stats().admissions, gate.held()), (1, 1, 0));
        assert_eq!(gate.stats().discarded_total(), 0);
    }
}

#[test]
fn post_quantum_hello_passes_in_two_datagrams() {
    for (client, server) in [
        (Versions::Dtls13, Versions::Dtls13),
        (Versions::Auto, Versions::Auto),
        (Versions::Auto, Versions::Dtls12),
    ] {
        for late in [None, Some(0), Some(1), Some(3), Some(4)] {
            let versions = |config, versions| Config { versions, ..config };
            let mut world =
                World::gated(versions(client_config(), client), versions(server_config(), server))
                    .network(
                        move |packet| {
                            if Some(packet.index) == late { Action::Delay(ms(5)) } else { Action::Deliver }
                        },
                    )
                    .started();
            assert_eq!(world.sent.len(), 2, "two datagrams");
            world.run_until(World::are_connected);
            assert!(world.elapsed() <= ms(70), "{}", world.trace());
            let ml_kem = world.client.negotiated().unwrap().group == Some(NamedGroup::X25519MLKEM768);
            assert_eq!(ml_kem, server != Versions::Dtls12, "{}", world.trace());
            world.settle();
            world.assert_works();
            let gate = world.gate.as_ref().unwrap();
            assert_eq!((gate.stats().requests, gate.stats().admissions, gate.held()), (1, 1, 0));
        }
    }
}

#[test]
fn retransmitted_half_of_the_hello_is_not_fresh() {
    let dtls13 = |config| Config { versions: Versions::Dtls13, ..config };
    let mut world = World::gated(dtls13(client_config()), dtls13(server_config())).started();
    world.run_until(|world| world.admissions == 1);
    let from_client = world.sent.iter().filter(|packet| packet.from == Side::Client);
    let second: Vec<_> = from_client.skip(2).map(|packet| packet.bytes.clone()).collect();
    assert_eq!(second.len(), 2);
    for half in second {
        assert_eq!(world.inject(Side::Server, &half), Admitted::Discarded(Discard::RetransmittedMessage));
    }
}

#[test]
fn every_dtls13_suite_continues_its_transcript() {
    for suite in CipherSuite::SUPPORTED.into_iter().filter(|suite| suite.0 >> 8 == 0x13) {
        let only = |config| Config { suites: vec![suite], ..with(config, Versions::Dtls13) };
        let mut world = World::gated(only(client_config()), only(server_config())).started();
        world.run_until(World::are_connected);
        world.settle();
        world.assert_works();
    }
}

#[test]
fn psk_client_passes_the_gate() {
    let authentication = Authentication::Psk { hint: None };
    let config = Config { authentication, ..Config::default() };
    let mut world = World::gated(config.clone(), config).started();
    while !world.are_connected() {
        let asked = [Side::Client, Side::Server].map(|side| {
            let events = world.events(side);
            events.iter().any(|event| matches!(event, Event::PskRequested(_)))
        });
        for (side, _) in [Side::Client, Side::Server].into_iter().zip(asked).filter(|(_, asked)| *asked) {
            let now = world.now;
            let psk = Psk::new(b"device", b"a key of good length").unwrap();
            let _ = world.connection(side).provide_psk(now, Some(psk));
        }
        world.collect();
        assert!(world.are_connected() || world.step(), "{}", world.trace());
    }
    world.settle();
    world.assert_works();
}

#[test]
fn cookie_is_the_only_change_of_the_hello() {
    let mut world = gated(Versions::Dtls13).started();
    world.run_until(|world| world.sent.len() == 3);
    let [first, second] = [0, 2].map(|index| records(&world.sent[index].bytes)[0].3[12..].to_vec());
    let cookie = 2 + 2 + 2 + 4 + 12 + 1 + 32 + 16;
    assert_eq!(second.len(), first.len() + cookie);
    // The rest of the first hello follows the length of the extensions, which changes.
    assert!(second.ends_with(&first[first.len() - 60..]));
    let share = |hello: &[u8]| {
        hello.windows(4).position(|bytes| bytes == [0, 29, 0, 32]).map(|at| hello[at..at + 36].to_vec())
    };
    assert!(share(&first).is_some());
    assert_eq!(share(&first), share(&second));
}

#[test]
fn missing_share_is_requested_with_the_cookie() {
    let only = |config: Config, groups: &[NamedGroup]| Config {
        groups: groups.to_vec(),
        ..with(config, Versions::Dtls13)
    };
    let mut world = World::gated(
        only(client_config(), &[NamedGroup::SECP384R1, NamedGroup::SECP256R1]),
        only(server_config(), &[NamedGroup::SECP256R1]),
    )
    .started();
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), ms(50), "{}", world.trace());
    assert_eq!(requests(&world).len(), 1);
    assert_eq!(world.server.negotiated().unwrap().group, Some(NamedGroup::SECP256R1));
    world.settle();
    world.assert_works();
}

//= rfc6347-4.2.1-request-number
//= rfc6347-4.2.1-hello-number
#[test]
fn response_has_the_number_of_its_record() {
    for versions in BOTH {
        // The first hello is lost, so that the second transmission has another number.
        let mut world = gated(versions)
            .network(|packet| if packet.index == 0 { Action::Drop } else { Action::Deliver })
            .started();
        world.run_until(World::are_connected);
        let number = |packet: &Packet| records(&packet.bytes)[0].2;
        let numbers: Vec<_> = world.sent[1..5].iter().map(number).collect();
        assert_eq!(numbers, [1, 1, 2, 2], "{}", world.trace());
        world.settle();
        world.assert_works();
    }
}

#[test]
fn small_fragments_pass_and_free_their_memory() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Auto] {
        let small = |config| Config { mtu: 256, versions, ..config };
        let mut world = World::gated(small(client_config()), small(server_config())).started();
        world.run_until(World::are_connected);
        world.settle();
        world.assert_works();
        assert_eq!(world.gate.as_ref().unwrap().held(), 0, "{}", world.trace());
    }
}

#[test]
fn loss_costs_one_timeout_and_duplicates_nothing() {
    for versions in BOTH {
        for fate in 0..3 {
            for lost in 0..6 {
                let mut world = gated(versions)
                    .network(move |packet| match fate {
                        _ if packet.index != lost => Action::Deliver,
                        0 => Action::Drop,
                        1 => Action::Duplicate,
                        _ => Action::Delay(ms(50)),
                    })
                    .started();
                world.run_until(World::are_connected);
                assert!(world.elapsed() <= ms(60 + 400 + 20), "{}", world.trace());
                assert!(fate != 1 || world.elapsed() <= ms(60), "{}", world.trace());
                world.pass(ms(2000));
                world.assert_works();
                assert_eq!(world.admissions, 1, "{}", world.trace());
            }
        }
    }
}

#[test]
fn heavy_loss_and_reordering_only_delay() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        for seed in 0..30 {
            let small = |config| Config { mtu: 256, versions, ..config };
            let mut dice = Dice::new(seed);
            let mut world = World::gated(small(client_config()), small(server_config()))
                .network(move |_| match dice.roll(10) {
                    0 | 1 => Action::Drop,
                    2 => Action::Duplicate,
                    3 | 4 => Action::Delay(ms(dice.roll(60))),
                    _ => Action::Deliver,
                })
                .started();
            world.run_until(World::are_connected);
            world.set_network(|_| Action::Deliver);
            world.pass(ms(5000));
            world.assert_works();
        }
    }
}

#[test]
fn cookie_round_trip_sets_the_first_timeout() {
    for (latency, timeout) in [(ms(40), ms(120)), (ms(5), ms(50)), (ms(190), ms(400))] {
        let mut world = gated(Versions::Dtls13);
        world.latency = latency;
        let mut world = world.started();
        world.run_until(|world| world.admissions == 1);
        assert_eq!(world.server.poll_timeout(), Some(world.now + timeout), "{}", world.trace());
    }
}

#[test]
fn restarted_client_passes_the_gate_again() {
    for versions in BOTH {
        for is_connected in [true, false] {
            let mut world = gated(versions).started();
            if is_connected {
                world.run_until(World::are_connected);
                world.settle();
            } else {
                // The server's datagrams are lost, because its client is gone.
                world.set_network(|packet| if packet.index >= 3 { Action::Drop } else { Action::Deliver });
                world.pass(ms(85));
                assert_eq!(world.admissions, 1);
                world.set_network(|_| Action::Deliver);
            }
            // The client restarts at the same address without state.
            let client = with(client_config(), versions);
            world.client = Connection::client(world.now, client).unwrap();
            world.client.start(world.now, None).unwrap();
            world.client_events.clear();
            world.collect();
            world.run_until(|world| world.admissions == 2 && world.are_connected());
            assert_eq!(world.server_events.contains(&Event::FreshClientHello), is_connected);
            world.pass(ms(1000));
            world.assert_works();
        }
    }
}

#[test]
fn hello_without_cookie_does_not_replace_an_attempt() {
    for versions in BOTH {
        let mut world = gated(versions).started();
        world.run_until(|world| world.admissions == 1);
        let attempt = world.server.local_random();
        let mut stranger = world.sent[0].bytes[13 + 12..].to_vec();
        stranger[10] ^= 1;
        for at in [0, 2000] {
            world.now += ms(at);
            for sequence in 0..3 {
                let fresh = message_record(1, sequence, &stranger);
                let admitted = world.inject(Side::Server, &fresh);
                let expected =
                    if sequence < 2 { Discard::FreshClientHello } else { Discard::UnexpectedMessage };
                if versions == Versions::Dtls13 || sequence < 2 {
                    assert_eq!(admitted, Admitted::Discarded(expected));
                }
            }
        }
        assert_eq!(world.server.local_random(), attempt);
    }
}

// From here on the traffic is malicious.

const HERE: &[u8] = CLIENT_ADDRESS;

/// A client and a gate without a network.
struct GateFixture {
    start: Instant,
    now: Instant,
    client: Connection,
    gate: CookieGate,
}

impl GateFixture {
    fn new(client: Config, server: Config) -> Self {
        Self::with(client, server, GateConfig::default())
    }

    fn with(client: Config, server: Config, gate: GateConfig) -> Self {
        let now = Instant::now();
        let mut client = Connection::client(now, client).unwrap();
        client.start(now, None).unwrap();
        let server: Arc<Config> = Arc::new(server);
        Self { start: now, now, client, gate: CookieGate::new(now, server, gate).unwrap() }
    }

    fn of(versions: Versions) -> Self {
        Self::new(with(client_config(), versions), with(server_config(), versions))
    }

    fn says(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        let mut bytes = Vec::new();
        while self.client.poll_transmit(&mut bytes).is_some() {
            datagrams.push(std::mem::take(&mut bytes));
        }
        datagrams
    }

    /// Returns the gate's decision and its response.
    fn pass(&mut self, from: &[u8], datagram: &[u8]) -> (GateVerdict, Vec<u8>) {
        let mut answer = Vec::new();
        let verdict = self.gate.handle_input(self.now, from, datagram, &mut answer);
        (verdict, answer)
    }

    /// The client's hellos without and with a cookie, each in one datagram.
    fn hellos(&mut self) -> [Vec<u8>; 2] {
        let first = self.says().concat();
        let (verdict, mut request) = self.pass(HERE, &first);
        assert!(matches!(verdict, GateVerdict::Respond(_)));
        // The client has its own clock, in which it has not given up.
        self.client.handle_input(self.start, &mut request);
        [first, self.says().concat()]
    }

    fn is_admitted(&mut self, from: &[u8], datagram: &[u8]) -> bool {
        matches!(self.pass(from, datagram).0, GateVerdict::Accept(_))
    }

    /// Checks the response to an invalid cookie.
    #[track_caller]
    fn assert_refused(&mut self, versions: Versions, from: &[u8], datagram: &[u8]) {
        let before = self.gate.stats().bad_cookies;
        let (verdict, answer) = self.pass(from, datagram);
        assert!(matches!(verdict, GateVerdict::Respond(_)), "{verdict:?}");
        let (kind, _, _, content) = records(&answer)[0];
        match versions {
            // RFC 6347 section 4.2.1: as without a cookie.
            Versions::Dtls12 => assert_eq!((kind, content[0]), (22, 3)),
            // RFC 9147 section 5.1: illegal_parameter.
            _ => assert_eq!((kind, content), (21, &[2, 47][..])),
        }
        assert_eq!(self.gate.stats().bad_cookies, before + 1);
    }
}

/// The body of a hello in one record.
fn body(datagram: &[u8]) -> Vec<u8> {
    records(datagram)[0].3[12..].to_vec()
}

/// The fragments of a message of the client.
fn fragments(sequence: u8, body: &[u8], at: usize) -> [Vec<u8>; 2] {
    [0..at, at..body.len()].map(|range| fragment_record(1, sequence, body, range))
}

#[test]
fn response_is_not_longer_than_the_hello() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Auto] {
        let mut fixture = GateFixture::of(versions);
        let hello = fixture.says().concat();
        for address in 0..1000_u32 {
            let (verdict, answer) = fixture.pass(&address.to_be_bytes(), &hello);
            assert!(matches!(verdict, GateVerdict::Respond(_)));
            assert!(answer.len() <= hello.len(), "{} for {}", answer.len(), hello.len());
        }
        assert_eq!(fixture.gate.held(), 0);
    }
}

#[test]
fn late_fragment_does_not_admit_a_hello_again() {
    for versions in BOTH {
        for waits in 0..2 {
            let mut fixture = GateFixture::of(versions);
            let [_, second] = fixture.hellos();
            let halves = fragments(1, &body(&second), 120);
            assert!(matches!(fixture.pass(HERE, &halves[waits]).0, GateVerdict::Wait));
            assert!(fixture.is_admitted(HERE, &second));
            assert_eq!(fixture.gate.held(), 0);
            assert!(matches!(fixture.pass(HERE, &halves[1 - waits]).0, GateVerdict::Wait));
        }
    }
}

//= rfc9147-11-cookie-address
#[test]
fn cookie_is_invalid_for_another_address() {
    for versions in BOTH {
        let mut fixture = GateFixture::of(versions);
        let [_, second] = fixture.hellos();
        fixture.assert_refused(versions, b"198.51.100.7:5000", &second);
        fixture.assert_refused(versions, b"", &second);
        assert!(fixture.is_admitted(HERE, &second));
    }
}

//= rfc9147-5.1-invalid-cookie
//= rfc9147-5.1-two-secrets
#[test]
fn cookie_expires_exactly_at_its_lifetime() {
    for versions in BOTH {
        // The secret changes in between.
        for begin in [0, 45_000] {
            let mut fixture = GateFixture::of(versions);
            fixture.now += ms(begin);
            let [_, second] = fixture.hellos();
            fixture.now += ms(30_000);
            assert!(fixture.is_admitted(HERE, &second));
            fixture.now += ms(1);
            fixture.assert_refused(versions, HERE, &second);
        }
    }
}

//= rfc9147-11-cookie-unforgeable
#[test]
fn gate_without_cookie_lifetime_is_refused() {
    let config = Arc::new(server_config());
    let refused = |gate: GateConfig| {
        let made = CookieGate::new(Instant::now(), Arc::clone(&config), gate);
        matches!(made, Err(Error::Config(Misconfigured::NoCookieLifetime)))
    };
    assert!(refused(GateConfig { cookie_lifetime: Duration::ZERO, ..GateConfig::default() }));
    assert!(refused(GateConfig { secret_period: Duration::ZERO, ..GateConfig::default() }));
    assert!(!refused(GateConfig { cookie_lifetime: ms(1), secret_period: ms(1), ..GateConfig::default() }));
}

#[test]
fn cookie_of_another_gate_is_invalid() {
    for versions in BOTH {
        let [mut one, mut other] = [GateFixture::of(versions), GateFixture::of(versions)];
        let [_, second] = one.hellos();
        other.now = one.now;
        other.assert_refused(versions, HERE, &second);
    }
}

#[test]
fn expired_dtls12_cookie_is_replaced() {
    let mut fixture = GateFixture::of(Versions::Dtls12);
    let [_, second] = fixture.hellos();
    fixture.now += ms(40_000);
    let (_, mut request) = fixture.pass(HERE, &second);
    let fresh = records(&request)[0].3.to_vec();
    assert_eq!(fresh[5], 1, "the second response to this client");
    fixture.client.handle_input(fixture.start, &mut request);
    let third = fixture.says().concat();
    assert!(fixture.is_admitted(HERE, &third));
}

#[test]
fn cookie_is_valid_for_one_hello() {
    for versions in BOTH {
        let mut fixture = GateFixture::of(versions);
        let [_, second] = fixture.hellos();
        let hello = body(&second);
        // The random, and a suite behind the cookie.
        let suites = if versions == Versions::Dtls12 { 2 + 32 + 1 + 1 + 32 + 2 } else { 2 + 32 + 1 + 1 + 2 };
        for at in [5, suites + 1] {
            let mut changed = hello.clone();
            changed[at] ^= 1;
            fixture.assert_refused(versions, HERE, &message_record(1, 1, &changed));
        }
        assert!(fixture.is_admitted(HERE, &message_record(1, 1, &hello)));
    }
}

//= rfc9147-11-cookie-unforgeable
#[test]
fn changed_second_dtls13_hello_is_not_admitted() {
    let mut fixture = GateFixture::of(Versions::Dtls13);
    let [_, second] = fixture.hellos();
    let hello = body(&second);
    for bit in 0..hello.len() * 8 {
        let mut changed = hello.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!fixture.is_admitted(HERE, &message_record(1, 1, &changed)), "bit {bit}");
    }
    assert!(fixture.is_admitted(HERE, &second));
    assert_eq!(fixture.gate.held(), 0);
}

#[test]
fn second_hello_has_exactly_the_requested_share() {
    let only = |config: Config, groups: &[NamedGroup]| Config {
        groups: groups.to_vec(),
        ..with(config, Versions::Dtls13)
    };
    let client = only(client_config(), &[NamedGroup::SECP384R1, NamedGroup::SECP256R1]);
    let mut fixture = GateFixture::new(client, only(server_config(), &[NamedGroup::SECP256R1]));
    let [first, second] = fixture.hellos();
    let [first, second] = [body(&first), body(&second)];
    // key_share: type, length, length of the list, entries.
    let share = |hello: &[u8]| {
        let at = (36..hello.len()).find(|at| hello[*at..].starts_with(&[0, 51, 0])).unwrap();
        let len = usize::from(hello[at + 3]);
        at..at + 4 + len
    };
    let extension = |entries: &[u8]| {
        let len = u8::try_from(entries.len()).unwrap();
        [&[0, 51, 0, len + 2, 0, len][..], entries].concat()
    };
    let [old, new] = [&first, &second].map(|hello| hello[share(hello)][6..].to_vec());
    // The offset behind version, random, session id, cookie, three suites and the compression method.
    let extensions = 36 + 2 + 6 + 2 + 2;
    for entries in [vec![], old.clone(), [&new[..], &old].concat(), [&new[..], &new].concat()] {
        let mut changed = second.clone();
        changed.splice(share(&second), extension(&entries));
        let len = u16::try_from(changed.len() - extensions).unwrap();
        changed[extensions - 2..extensions].copy_from_slice(&len.to_be_bytes());
        let (verdict, answer) = fixture.pass(HERE, &message_record(1, 1, &changed));
        assert!(matches!(verdict, GateVerdict::Respond(_)), "{verdict:?}");
        assert_eq!(records(&answer)[0].3, [2, 47]);
    }
    assert!(fixture.is_admitted(HERE, &message_record(1, 1, &second)));
}

#[test]
fn client_refuses_a_second_dtls13_request() {
    let mut fixture = GateFixture::of(Versions::Dtls13);
    let first = fixture.says().concat();
    let (_, request) = fixture.pass(HERE, &first);
    fixture.client.handle_input(fixture.now, &mut request.clone());
    let mut again = request;
    // The next message in the next record.
    again[10] = 1;
    again[13 + 5] = 1;
    fixture.client.handle_input(fixture.now, &mut again);
    let failed = Event::Failed(Failure::Peer(Misbehaved::UnexpectedMessage));
    assert_eq!(fixture.client.poll_event(), Some(failed));
}

#[test]
fn fragments_are_reassembled_in_any_order() {
    for versions in BOTH {
        for order in [[0, 1], [1, 0]] {
            let mut fixture = GateFixture::of(versions);
            let first = fixture.says().concat();
            let first = fragments(0, &body(&first), 100);
            assert!(matches!(fixture.pass(HERE, &first[order[0]]).0, GateVerdict::Wait));
            assert!(fixture.gate.held() > 0);
            let (verdict, mut request) = fixture.pass(HERE, &first[order[1]]);
            assert!(matches!(verdict, GateVerdict::Respond(_)));
            assert_eq!(fixture.gate.held(), 0);
            fixture.client.handle_input(fixture.now, &mut request);
            let second = fixture.says().concat();
            let second = fragments(1, &body(&second), 100);
            assert!(matches!(fixture.pass(HERE, &second[order[0]]).0, GateVerdict::Wait));
            assert!(fixture.is_admitted(HERE, &second[order[1]]));
            assert_eq!(fixture.gate.held(), 0);
            // In one datagram they count as a whole hello.
            assert!(fixture.is_admitted(HERE, &second.concat()));
            assert_eq!(fixture.gate.held(), 0);
        }
    }
}

#[test]
fn fragments_expire_after_five_seconds() {
    for (late, verdict) in [(ms(4999), true), (ms(5000), false)] {
        let mut fixture = GateFixture::of(Versions::Dtls12);
        let hello = fixture.says().concat();
        let [first, second] = fragments(0, &body(&hello), 60);
        let _ = fixture.pass(HERE, &first);
        fixture.now += late;
        assert_eq!(matches!(fixture.pass(HERE, &second).0, GateVerdict::Respond(_)), verdict);
    }
}

/// First halves of hellos from many addresses.
fn flood(fixture: &mut GateFixture, count: u32) {
    let half = fragment_record(1, 0, &[0xee; 1400], 0..1150);
    for address in 0..count {
        let _ = fixture.pass(&address.to_be_bytes(), &half);
        assert!(fixture.gate.held() <= 2 * GateConfig::default().reassembly);
    }
}

#[test]
fn flood_of_first_halves_is_bounded() {
    let mut fixture = GateFixture::of(Versions::Dtls13);
    flood(&mut fixture, 4000);
    assert!(fixture.gate.held() <= GateConfig::default().reassembly);
    assert!(fixture.gate.stats().evicted > 3500);
    // The two halves of a legitimate hello arrive together.
    let hello = fixture.says().concat();
    let [first, second] = fragments(0, &body(&hello), 100);
    let _ = fixture.pass(HERE, &first);
    flood(&mut fixture, 100);
    assert!(matches!(fixture.pass(HERE, &second).0, GateVerdict::Respond(_)));
    fixture.now += 5 * SECOND;
    let _ = fixture.pass(HERE, &[]);
    assert_eq!(fixture.gate.held(), 0, "entries expire");
}

#[test]
fn flood_does_not_evict_a_hello_with_a_cookie() {
    for versions in BOTH {
        let mut fixture = GateFixture::of(versions);
        let [_, second] = fixture.hellos();
        let [first, second] = fragments(1, &body(&second), 150);
        assert!(matches!(fixture.pass(HERE, &first).0, GateVerdict::Wait));
        flood(&mut fixture, 4000);
        assert!(fixture.is_admitted(HERE, &second));
    }
}

#[test]
fn forged_fragment_costs_one_retransmission() {
    for versions in BOTH {
        let mut fixture = GateFixture::of(versions);
        let [_, second] = fixture.hellos();
        let hello = body(&second);
        let [first, rest] = fragments(1, &hello, 150);
        let [_, forged_rest] = fragments(1, &vec![0xee; hello.len()], 150);
        let [forged_first, _] = fragments(1, &vec![0xee; hello.len()], 150);
        // The attacker is faster than the client.
        let _ = fixture.pass(HERE, &forged_first);
        let contradiction = fixture.pass(HERE, &first).0;
        assert!(matches!(contradiction, GateVerdict::Discard(Discard::ContradictingFragment)));
        assert!(fixture.is_admitted(HERE, &rest));
        // Between its fragments: those with a valid cookie are not displaced, and the client gets no alert.
        let _ = fixture.pass(HERE, &first);
        let (verdict, answer) = fixture.pass(HERE, &forged_first);
        assert!(matches!(verdict, GateVerdict::Discard(Discard::ContradictingFragment)), "{verdict:?}");
        assert_eq!(answer, []);
        let (verdict, answer) = fixture.pass(HERE, &forged_rest);
        assert!(matches!(verdict, GateVerdict::Discard(_)), "{verdict:?}");
        assert_eq!(answer, []);
        let _ = fixture.pass(HERE, &first);
        assert!(fixture.is_admitted(HERE, &rest));
    }
}

#[test]
fn hello_with_a_foreign_fragment_is_dropped_silently() {
    let mut fixture = GateFixture::of(Versions::Dtls13);
    let [_, second] = fixture.hellos();
    let hello = body(&second);
    let mut changed = hello.clone();
    let share = changed.windows(4).position(|bytes| bytes == [0, 29, 0, 32]).unwrap();
    changed[share + 10] ^= 1;
    let [first, _] = fragments(1, &hello, share);
    let [_, forged] = fragments(1, &changed, share);
    let _ = fixture.pass(HERE, &first);
    let (verdict, answer) = fixture.pass(HERE, &forged);
    assert!(matches!(verdict, GateVerdict::Discard(Discard::CookieMismatch)), "{verdict:?}");
    assert_eq!(answer, []);
}

#[test]
fn longer_response_than_hello_is_not_sent() {
    let mut fixture = GateFixture::of(Versions::Dtls13);
    let mut hello = vec![0xfe, 0xfd];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0, 2, 0x13, 1, 1, 0]);
    let extensions = [
        &[0, 43, 0, 3, 2, 0xfe, 0xfc][..],
        &[0, 10, 0, 4, 0, 2, 0, 29],
        &[0, 13, 0, 4, 0, 2, 4, 3],
        &[0, 51, 0, 2, 0, 0],
    ]
    .concat();
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(&extensions);
    let (verdict, answer) = fixture.pass(HERE, &message_record(1, 0, &hello));
    assert!(matches!(verdict, GateVerdict::Discard(Discard::Amplification)), "{verdict:?}");
    assert_eq!(answer, []);
    assert_eq!(fixture.gate.stats().discarded(Discard::Amplification), 1);
}

#[test]
fn unacceptable_hello_gets_an_alert_at_the_gate() {
    for (client, server, alert) in
        [(Versions::Dtls13, Versions::Dtls12, 70), (Versions::Dtls12, Versions::Dtls13, 70)]
    {
        let mut fixture = GateFixture::new(with(client_config(), client), with(server_config(), server));
        let hello = fixture.says().concat();
        let (_, answer) = fixture.pass(HERE, &hello);
        assert_eq!((records(&answer)[0].0, records(&answer)[0].3), (21, &[2, alert][..]));
        assert_eq!(fixture.gate.stats().refusals, 1);
    }
    let only = |config, suite| Config { suites: vec![suite], ..with(config, Versions::Dtls13) };
    let client = only(client_config(), CipherSuite::AES_128_GCM_SHA256);
    let mut fixture = GateFixture::new(client, only(server_config(), CipherSuite::AES_256_GCM_SHA384));
    let hello = fixture.says().concat();
    let (_, answer) = fixture.pass(HERE, &hello);
    assert_eq!(records(&answer)[0].3, [2, 40]);
}

#[test]
fn other_input_is_discarded_with_its_reason() {
    let mut fixture = GateFixture::of(Versions::Auto);
    let hello = fixture.says().concat();
    let mut protected = hello.clone();
    protected[4] = 1;
    let broken = body(&hello)[..60].to_vec();
    for (datagram, reason) in [
        (vec![], Discard::Truncated),
        (vec![0x80, 0x60, 1], Discard::NotDtls),
        (vec![0x2f, 0, 0, 0, 1, 9], Discard::UnknownEpoch),
        (protected, Discard::UnknownEpoch),
        (hello[..60].to_vec(), Discard::Truncated),
        (plaintext_record(20, 0, &[1]), Discard::UnexpectedMessage),
        (plaintext_record(21, 0, &[2, 40]), Discard::PlaintextAlert),
        (plaintext_record(23, 0, &[1]), Discard::PlaintextData),
        (plaintext_record(26, 0, &[0, 0]), Discard::PlaintextAck),
        (plaintext_record(22, 0, &[]), Discard::Truncated),
        (plaintext_record(22, 0, &[1, 0, 0]), Discard::Truncated),
        (message_record(2, 0, &body(&hello)), Discard::UnexpectedMessage),
        (message_record(1, 16, &body(&hello)), Discard::UnexpectedMessage),
        (message_record(1, 0, &broken), Discard::Malformed),
        (fragment_record(1, 0, &vec![0; 8193], 0..10), Discard::ReassemblyFull),
    ] {
        let (verdict, answer) = fixture.pass(HERE, &datagram);
        assert!(matches!(verdict, GateVerdict::Discard(given) if given == reason), "{reason:?}: {verdict:?}");
        assert_eq!(answer, []);
    }
    assert_eq!((fixture.gate.held(), fixture.gate.stats().discarded_total()), (0, 15));
    // A ChangeCipherSpec before the hello is skipped (RFC 8446 section 4.2.2).
    let behind = [plaintext_record(20, 0, &[1]), hello].concat();
    assert!(matches!(fixture.pass(HERE, &behind).0, GateVerdict::Respond(_)));
}
