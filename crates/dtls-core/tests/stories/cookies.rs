//! A gate in front of the server: nobody gets a connection who does not receive what is sent to its address.

use crate::world::{
    CLIENT_ADDRESS, Dice, Fate, Packet, Side, World, client_config, fragment_record, message_record,
    message_types, ms, plaintext_record, records, server_config, without_ml_kem,
};
use dtls_core::{
    Admitted, Authentication, CipherSuite, Config, Connection, CookieGate, Discard, Error, Event, Failure,
    GateConfig, GateVerdict, Misbehaved, Misconfigured, NamedGroup, ProtocolVersion, Psk, Versions,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BOTH: [Versions; 2] = [Versions::Dtls12, Versions::Dtls13];
/// More than a flood brings between two pieces of one hello.
const SECOND: Duration = Duration::from_secs(1);

/// With hellos that fit a datagram; the long ones have stories of their own.
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
        // A sealed record begins with any byte.
        packet.from == Side::Server
            && (content_type, epoch) == (22, 0)
            && (content[0] == 3 || (content[0] == 2 && content[14..18] == [0xcf, 0x21, 0xad, 0x74]))
    };
    world.sent.iter().filter(is_request).collect()
}

//= rfc6347-4.2.1-version-is-format
//= rfc6347-4.2.1-version-assumed
#[test]
fn clients_and_servers_of_all_versions_meet_through_the_gate() {
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
fn a_post_quantum_hello_passes_in_two_datagrams_and_leaves_nothing_behind() {
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
                            if Some(packet.index) == late { Fate::Delay(ms(5)) } else { Fate::Deliver }
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
fn a_repeated_second_half_of_the_admitted_hello_is_nothing_fresh() {
    let dtls13 = |config| Config { versions: Versions::Dtls13, ..config };
    let mut world = World::gated(dtls13(client_config()), dtls13(server_config())).started();
    world.run_until(|world| world.admissions == 1);
    let from_client = world.sent.iter().filter(|packet| packet.from == Side::Client);
    let second: Vec<_> = from_client.skip(2).map(|packet| packet.bytes.clone()).collect();
    assert_eq!(second.len(), 2);
    for half in second {
        assert_eq!(world.inject(Side::Server, &half), Admitted::Discarded(Discard::RepeatedMessage));
    }
}

#[test]
fn every_suite_of_1_3_finds_its_transcript_again() {
    for suite in CipherSuite::SUPPORTED.into_iter().filter(|suite| suite.0 >> 8 == 0x13) {
        let only = |config| Config { suites: vec![suite], ..with(config, Versions::Dtls13) };
        let mut world = World::gated(only(client_config()), only(server_config())).started();
        world.run_until(World::are_connected);
        world.settle();
        world.assert_works();
    }
}

#[test]
fn a_device_with_a_shared_key_passes_the_gate() {
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
fn a_cookie_alone_changes_nothing_else_of_the_hello() {
    let mut world = gated(Versions::Dtls13).started();
    world.run_until(|world| world.sent.len() == 3);
    let [first, second] = [0, 2].map(|index| records(&world.sent[index].bytes)[0].3[12..].to_vec());
    let cookie = 2 + 2 + 2 + 4 + 12 + 1 + 32 + 16;
    assert_eq!(second.len(), first.len() + cookie);
    // Behind the length of the extensions, which counts it, all of the first hello follows.
    assert!(second.ends_with(&first[first.len() - 60..]));
    let share = |hello: &[u8]| {
        hello.windows(4).position(|bytes| bytes == [0, 29, 0, 32]).map(|at| hello[at..at + 36].to_vec())
    };
    assert!(share(&first).is_some());
    assert_eq!(share(&first), share(&second));
}

#[test]
fn a_group_that_was_not_shared_is_asked_for_together_with_the_cookie() {
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
fn an_answer_has_the_number_of_the_record_that_it_answers() {
    for versions in BOTH {
        // The first hello is lost, so that the second transmission has another number.
        let mut world = gated(versions)
            .network(|packet| if packet.index == 0 { Fate::Drop } else { Fate::Deliver })
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
fn hellos_in_small_pieces_pass_and_leave_nothing_behind() {
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
fn the_loss_of_any_datagram_costs_one_timeout_and_repetition_costs_nothing() {
    for versions in BOTH {
        for fate in 0..3 {
            for lost in 0..6 {
                let mut world = gated(versions)
                    .network(move |packet| match fate {
                        _ if packet.index != lost => Fate::Deliver,
                        0 => Fate::Drop,
                        1 => Fate::Duplicate,
                        _ => Fate::Delay(ms(50)),
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
fn heavy_loss_and_reordering_only_take_time() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        for seed in 0..30 {
            let small = |config| Config { mtu: 256, versions, ..config };
            let mut dice = Dice::new(seed);
            let mut world = World::gated(small(client_config()), small(server_config()))
                .network(move |_| match dice.roll(10) {
                    0 | 1 => Fate::Drop,
                    2 => Fate::Duplicate,
                    3 | 4 => Fate::Delay(ms(dice.roll(60))),
                    _ => Fate::Deliver,
                })
                .started();
            world.run_until(World::are_connected);
            world.set_network(|_| Fate::Deliver);
            world.pass(ms(5000));
            world.assert_works();
        }
    }
}

#[test]
fn the_first_timeout_follows_from_the_round_trip_of_the_cookie() {
    for (latency, timeout) in [(ms(40), ms(120)), (ms(5), ms(50)), (ms(190), ms(400))] {
        let mut world = gated(Versions::Dtls13);
        world.latency = latency;
        let mut world = world.started();
        world.run_until(|world| world.admissions == 1);
        assert_eq!(world.server.poll_timeout(), Some(world.now + timeout), "{}", world.trace());
    }
}

#[test]
fn a_client_that_begins_anew_passes_the_gate_again() {
    for versions in BOTH {
        for is_connected in [true, false] {
            let mut world = gated(versions).started();
            if is_connected {
                world.run_until(World::are_connected);
                world.settle();
            } else {
                // What the server says reaches nobody, for its client is gone.
                world.set_network(|packet| if packet.index >= 3 { Fate::Drop } else { Fate::Deliver });
                world.pass(ms(85));
                assert_eq!(world.admissions, 1);
                world.set_network(|_| Fate::Deliver);
            }
            // The client restarts at the same address and knows nothing of the past.
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
fn behind_the_gate_a_hello_without_a_cookie_takes_no_attempts_place() {
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

// From here on nobody is honest.

const HERE: &[u8] = CLIENT_ADDRESS;

/// A client and a gate, and nothing between them.
struct Doorstep {
    start: Instant,
    now: Instant,
    client: Connection,
    gate: CookieGate,
}

impl Doorstep {
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

    /// The gate's verdict, and what it sends.
    fn knock(&mut self, from: &[u8], datagram: &[u8]) -> (GateVerdict, Vec<u8>) {
        let mut answer = Vec::new();
        let verdict = self.gate.handle_input(self.now, from, datagram, &mut answer);
        (verdict, answer)
    }

    /// The client's hellos without and with a cookie, both in one datagram.
    fn hellos(&mut self) -> [Vec<u8>; 2] {
        let first = self.says().concat();
        let (verdict, mut request) = self.knock(HERE, &first);
        assert!(matches!(verdict, GateVerdict::Respond(_)));
        // The client is in a time of its own, in which it has not given up.
        self.client.handle_input(self.start, &mut request);
        [first, self.says().concat()]
    }

    fn is_admitted(&mut self, from: &[u8], datagram: &[u8]) -> bool {
        matches!(self.knock(from, datagram).0, GateVerdict::Accept(_))
    }

    /// What a stranger's cookie is answered with.
    #[track_caller]
    fn assert_refused(&mut self, versions: Versions, from: &[u8], datagram: &[u8]) {
        let before = self.gate.stats().bad_cookies;
        let (verdict, answer) = self.knock(from, datagram);
        assert!(matches!(verdict, GateVerdict::Respond(_)), "{verdict:?}");
        let (kind, _, _, content) = records(&answer)[0];
        match versions {
            // RFC 6347 section 4.2.1: as if there was none.
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

/// The pieces of a message of the client.
fn pieces(sequence: u8, body: &[u8], at: usize) -> [Vec<u8>; 2] {
    [0..at, at..body.len()].map(|range| fragment_record(1, sequence, body, range))
}

#[test]
fn a_hello_in_one_datagram_leaves_nothing_behind_and_gets_no_more_than_it_brought() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Auto] {
        let mut doorstep = Doorstep::of(versions);
        let hello = doorstep.says().concat();
        for address in 0..1000_u32 {
            let (verdict, answer) = doorstep.knock(&address.to_be_bytes(), &hello);
            assert!(matches!(verdict, GateVerdict::Respond(_)));
            assert!(answer.len() <= hello.len(), "{} for {}", answer.len(), hello.len());
        }
        assert_eq!(doorstep.gate.held(), 0);
    }
}

#[test]
fn a_hello_that_was_admitted_is_not_admitted_again_by_a_piece_of_it_that_comes_late() {
    for versions in BOTH {
        for waits in 0..2 {
            let mut doorstep = Doorstep::of(versions);
            let [_, second] = doorstep.hellos();
            let halves = pieces(1, &body(&second), 120);
            assert!(matches!(doorstep.knock(HERE, &halves[waits]).0, GateVerdict::Wait));
            assert!(doorstep.is_admitted(HERE, &second));
            assert_eq!(doorstep.gate.held(), 0);
            assert!(matches!(doorstep.knock(HERE, &halves[1 - waits]).0, GateVerdict::Wait));
        }
    }
}

//= rfc9147-11-cookie-address
#[test]
fn a_cookie_is_worth_nothing_at_another_address() {
    for versions in BOTH {
        let mut doorstep = Doorstep::of(versions);
        let [_, second] = doorstep.hellos();
        doorstep.assert_refused(versions, b"198.51.100.7:5000", &second);
        doorstep.assert_refused(versions, b"", &second);
        assert!(doorstep.is_admitted(HERE, &second));
    }
}

//= rfc9147-5.1-invalid-cookie
//= rfc9147-5.1-two-secrets
#[test]
fn a_cookie_is_good_for_its_lifetime_and_no_millisecond_longer() {
    for versions in BOTH {
        // The secret changes meanwhile.
        for begin in [0, 45_000] {
            let mut doorstep = Doorstep::of(versions);
            doorstep.now += ms(begin);
            let [_, second] = doorstep.hellos();
            doorstep.now += ms(30_000);
            assert!(doorstep.is_admitted(HERE, &second));
            doorstep.now += ms(1);
            doorstep.assert_refused(versions, HERE, &second);
        }
    }
}

//= rfc9147-11-cookie-unforgeable
#[test]
fn a_gate_whose_cookies_are_never_good_is_refused() {
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
fn another_gate_does_not_know_the_cookie() {
    for versions in BOTH {
        let [mut one, mut other] = [Doorstep::of(versions), Doorstep::of(versions)];
        let [_, second] = one.hellos();
        other.now = one.now;
        other.assert_refused(versions, HERE, &second);
    }
}

#[test]
fn a_client_whose_cookie_grew_old_gets_another_in_1_2() {
    let mut doorstep = Doorstep::of(Versions::Dtls12);
    let [_, second] = doorstep.hellos();
    doorstep.now += ms(40_000);
    let (_, mut request) = doorstep.knock(HERE, &second);
    let fresh = records(&request)[0].3.to_vec();
    assert_eq!(fresh[5], 1, "the second answer to this client");
    doorstep.client.handle_input(doorstep.start, &mut request);
    let third = doorstep.says().concat();
    assert!(doorstep.is_admitted(HERE, &third));
}

#[test]
fn a_cookie_belongs_to_one_hello() {
    for versions in BOTH {
        let mut doorstep = Doorstep::of(versions);
        let [_, second] = doorstep.hellos();
        let hello = body(&second);
        // The random, and a suite behind the cookie.
        let suites = if versions == Versions::Dtls12 { 2 + 32 + 1 + 1 + 32 + 2 } else { 2 + 32 + 1 + 1 + 2 };
        for at in [5, suites + 1] {
            let mut changed = hello.clone();
            changed[at] ^= 1;
            doorstep.assert_refused(versions, HERE, &message_record(1, 1, &changed));
        }
        assert!(doorstep.is_admitted(HERE, &message_record(1, 1, &hello)));
    }
}

//= rfc9147-11-cookie-unforgeable
#[test]
fn a_second_hello_of_1_3_that_differs_in_any_bit_is_not_admitted() {
    let mut doorstep = Doorstep::of(Versions::Dtls13);
    let [_, second] = doorstep.hellos();
    let hello = body(&second);
    for bit in 0..hello.len() * 8 {
        let mut changed = hello.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!doorstep.is_admitted(HERE, &message_record(1, 1, &changed)), "bit {bit}");
    }
    assert!(doorstep.is_admitted(HERE, &second));
    assert_eq!(doorstep.gate.held(), 0);
}

#[test]
fn a_second_hello_has_the_one_share_that_was_asked_for() {
    let only = |config: Config, groups: &[NamedGroup]| Config {
        groups: groups.to_vec(),
        ..with(config, Versions::Dtls13)
    };
    let client = only(client_config(), &[NamedGroup::SECP384R1, NamedGroup::SECP256R1]);
    let mut doorstep = Doorstep::new(client, only(server_config(), &[NamedGroup::SECP256R1]));
    let [first, second] = doorstep.hellos();
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
    // Behind version, random, session id, cookie, three suites and the compression method.
    let extensions = 36 + 2 + 6 + 2 + 2;
    for entries in [vec![], old.clone(), [&new[..], &old].concat(), [&new[..], &new].concat()] {
        let mut changed = second.clone();
        changed.splice(share(&second), extension(&entries));
        let len = u16::try_from(changed.len() - extensions).unwrap();
        changed[extensions - 2..extensions].copy_from_slice(&len.to_be_bytes());
        let (verdict, answer) = doorstep.knock(HERE, &message_record(1, 1, &changed));
        assert!(matches!(verdict, GateVerdict::Respond(_)), "{verdict:?}");
        assert_eq!(records(&answer)[0].3, [2, 47]);
    }
    assert!(doorstep.is_admitted(HERE, &message_record(1, 1, &second)));
}

#[test]
fn a_client_refuses_a_second_request_of_1_3() {
    let mut doorstep = Doorstep::of(Versions::Dtls13);
    let first = doorstep.says().concat();
    let (_, request) = doorstep.knock(HERE, &first);
    doorstep.client.handle_input(doorstep.now, &mut request.clone());
    let mut again = request;
    // The next message in the next record.
    again[10] = 1;
    again[13 + 5] = 1;
    doorstep.client.handle_input(doorstep.now, &mut again);
    let failed = Event::Failed(Failure::Peer(Misbehaved::UnexpectedMessage));
    assert_eq!(doorstep.client.poll_event(), Some(failed));
}

#[test]
fn pieces_in_any_order_are_put_together_and_forgotten() {
    for versions in BOTH {
        for order in [[0, 1], [1, 0]] {
            let mut doorstep = Doorstep::of(versions);
            let first = doorstep.says().concat();
            let first = pieces(0, &body(&first), 100);
            assert!(matches!(doorstep.knock(HERE, &first[order[0]]).0, GateVerdict::Wait));
            assert!(doorstep.gate.held() > 0);
            let (verdict, mut request) = doorstep.knock(HERE, &first[order[1]]);
            assert!(matches!(verdict, GateVerdict::Respond(_)));
            assert_eq!(doorstep.gate.held(), 0);
            doorstep.client.handle_input(doorstep.now, &mut request);
            let second = doorstep.says().concat();
            let second = pieces(1, &body(&second), 100);
            assert!(matches!(doorstep.knock(HERE, &second[order[0]]).0, GateVerdict::Wait));
            assert!(doorstep.is_admitted(HERE, &second[order[1]]));
            assert_eq!(doorstep.gate.held(), 0);
            // In one datagram they are as good as whole.
            assert!(doorstep.is_admitted(HERE, &second.concat()));
            assert_eq!(doorstep.gate.held(), 0);
        }
    }
}

#[test]
fn the_rest_of_a_hello_is_waited_for_five_seconds() {
    for (late, verdict) in [(ms(4999), true), (ms(5000), false)] {
        let mut doorstep = Doorstep::of(Versions::Dtls12);
        let hello = doorstep.says().concat();
        let [first, second] = pieces(0, &body(&hello), 60);
        let _ = doorstep.knock(HERE, &first);
        doorstep.now += late;
        assert_eq!(matches!(doorstep.knock(HERE, &second).0, GateVerdict::Respond(_)), verdict);
    }
}

/// First halves of hellos from everywhere.
fn flood(doorstep: &mut Doorstep, count: u32) {
    let half = fragment_record(1, 0, &[0xee; 1400], 0..1150);
    for address in 0..count {
        let _ = doorstep.knock(&address.to_be_bytes(), &half);
        assert!(doorstep.gate.held() <= 2 * GateConfig::default().reassembly);
    }
}

#[test]
fn a_flood_of_first_halves_stays_within_its_bound_and_evicts_the_oldest() {
    let mut doorstep = Doorstep::of(Versions::Dtls13);
    flood(&mut doorstep, 4000);
    assert!(doorstep.gate.held() <= GateConfig::default().reassembly);
    assert!(doorstep.gate.stats().evicted > 3500);
    // The two halves of an honest hello come together.
    let hello = doorstep.says().concat();
    let [first, second] = pieces(0, &body(&hello), 100);
    let _ = doorstep.knock(HERE, &first);
    flood(&mut doorstep, 100);
    assert!(matches!(doorstep.knock(HERE, &second).0, GateVerdict::Respond(_)));
    doorstep.now += 5 * SECOND;
    let _ = doorstep.knock(HERE, &[]);
    assert_eq!(doorstep.gate.held(), 0, "it leaves with the time");
}

#[test]
fn no_flood_pushes_out_a_hello_that_has_shown_its_cookie() {
    for versions in BOTH {
        let mut doorstep = Doorstep::of(versions);
        let [_, second] = doorstep.hellos();
        let [first, second] = pieces(1, &body(&second), 150);
        assert!(matches!(doorstep.knock(HERE, &first).0, GateVerdict::Wait));
        flood(&mut doorstep, 4000);
        assert!(doorstep.is_admitted(HERE, &second));
    }
}

#[test]
fn a_forged_piece_costs_a_repetition_and_no_more() {
    for versions in BOTH {
        let mut doorstep = Doorstep::of(versions);
        let [_, second] = doorstep.hellos();
        let hello = body(&second);
        let [first, rest] = pieces(1, &hello, 150);
        let [_, forged] = pieces(1, &vec![0xee; hello.len()], 150);
        let [lie, _] = pieces(1, &vec![0xee; hello.len()], 150);
        // Faster than the client.
        let _ = doorstep.knock(HERE, &lie);
        let contradiction = doorstep.knock(HERE, &first).0;
        assert!(matches!(contradiction, GateVerdict::Discard(Discard::ContradictingFragment)));
        assert!(doorstep.is_admitted(HERE, &rest));
        // Between its pieces: what has shown a cookie is not displaced, and nobody is told off.
        let _ = doorstep.knock(HERE, &first);
        let (verdict, answer) = doorstep.knock(HERE, &lie);
        assert!(matches!(verdict, GateVerdict::Discard(Discard::ContradictingFragment)), "{verdict:?}");
        assert_eq!(answer, []);
        let (verdict, answer) = doorstep.knock(HERE, &forged);
        assert!(matches!(verdict, GateVerdict::Discard(_)), "{verdict:?}");
        assert_eq!(answer, []);
        let _ = doorstep.knock(HERE, &first);
        assert!(doorstep.is_admitted(HERE, &rest));
    }
}

#[test]
fn a_second_hello_put_together_with_a_strangers_piece_is_dropped_in_silence() {
    let mut doorstep = Doorstep::of(Versions::Dtls13);
    let [_, second] = doorstep.hellos();
    let hello = body(&second);
    let mut changed = hello.clone();
    let share = changed.windows(4).position(|bytes| bytes == [0, 29, 0, 32]).unwrap();
    changed[share + 10] ^= 1;
    let [first, _] = pieces(1, &hello, share);
    let [_, forged] = pieces(1, &changed, share);
    let _ = doorstep.knock(HERE, &first);
    let (verdict, answer) = doorstep.knock(HERE, &forged);
    assert!(matches!(verdict, GateVerdict::Discard(Discard::CookieMismatch)), "{verdict:?}");
    assert_eq!(answer, []);
}

#[test]
fn an_answer_that_would_be_longer_than_the_hello_is_not_given() {
    let mut doorstep = Doorstep::of(Versions::Dtls13);
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
    let (verdict, answer) = doorstep.knock(HERE, &message_record(1, 0, &hello));
    assert!(matches!(verdict, GateVerdict::Discard(Discard::Amplification)), "{verdict:?}");
    assert_eq!(answer, []);
    assert_eq!(doorstep.gate.stats().discarded(Discard::Amplification), 1);
}

#[test]
fn a_hello_that_leads_nowhere_is_told_so_at_the_gate() {
    for (client, server, alert) in
        [(Versions::Dtls13, Versions::Dtls12, 70), (Versions::Dtls12, Versions::Dtls13, 70)]
    {
        let mut doorstep = Doorstep::new(with(client_config(), client), with(server_config(), server));
        let hello = doorstep.says().concat();
        let (_, answer) = doorstep.knock(HERE, &hello);
        assert_eq!((records(&answer)[0].0, records(&answer)[0].3), (21, &[2, alert][..]));
        assert_eq!(doorstep.gate.stats().refusals, 1);
    }
    let only = |config, suite| Config { suites: vec![suite], ..with(config, Versions::Dtls13) };
    let client = only(client_config(), CipherSuite::AES_128_GCM_SHA256);
    let mut doorstep = Doorstep::new(client, only(server_config(), CipherSuite::AES_256_GCM_SHA384));
    let hello = doorstep.says().concat();
    let (_, answer) = doorstep.knock(HERE, &hello);
    assert_eq!(records(&answer)[0].3, [2, 40]);
}

#[test]
fn everything_else_is_dropped_for_a_named_reason() {
    let mut doorstep = Doorstep::of(Versions::Auto);
    let hello = doorstep.says().concat();
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
        let (verdict, answer) = doorstep.knock(HERE, &datagram);
        assert!(matches!(verdict, GateVerdict::Discard(given) if given == reason), "{reason:?}: {verdict:?}");
        assert_eq!(answer, []);
    }
    assert_eq!((doorstep.gate.held(), doorstep.gate.stats().discarded_total()), (0, 15));
    // A ChangeCipherSpec in front of the hello is passed over (RFC 8446 section 4.2.2).
    let behind = [plaintext_record(20, 0, &[1]), hello].concat();
    assert!(matches!(doorstep.knock(HERE, &behind).0, GateVerdict::Respond(_)));
}
