//! Invalid input: counted by its reason, and without effect.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use ice_agent::{Agent, Config, Datagram, Discard, IceRole, Path, Seed, State};
use stun::{AttributeType, IntegrityKey, MessageType, MessageWriter};
use world::{LEFT, Packet, RIGHT, World, address, error_code, host, ms};

const APART: [IceRole; 2] = [IceRole::Controlling, IceRole::Controlled];

fn path() -> Path {
    Path::udp(address("192.0.2.1:1000"), address("192.0.2.2:2000"))
}

/// A request to `agent` from `ufrag`, with the attributes of the test.
fn request(agent: &Agent, ufrag: &str, extra: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
    let local = agent.local_parameters();
    let mut bytes = Vec::new();
    let mut writer = MessageWriter::new(&mut bytes, MessageType::BINDING_REQUEST, [7; 12].into());
    writer.username(&format!("{}:{ufrag}", local.ufrag)).unwrap();
    extra(&mut writer);
    writer.finish(Some(&IntegrityKey::short_term(local.password.expose())));
    bytes
}

fn plain(writer: &mut MessageWriter<'_>) {
    writer.priority(1_845_501_695).unwrap().ice_controlled(1).unwrap();
}

fn answers(agent: &mut Agent) -> Vec<Vec<u8>> {
    let mut buf = Vec::new();
    let mut out = Vec::new();
    while let Some(transmit) = agent.poll_transmit(&mut buf) {
        out.push(transmit.bytes(&buf).to_vec());
    }
    out.retain(|bytes| !world::is_request(bytes));
    out
}

/// One world for each state of the left agent, with the datagrams that it received until then.
fn states() -> Vec<(&'static str, World, Vec<Packet>)> {
    let record = |world: &mut World| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&log);
        world.network = Box::new(move |_, packet| {
            if packet.from == RIGHT {
                sink.lock().unwrap().push(packet.clone());
            }
            vec![(ms(10), packet)]
        });
        log
    };
    let mut worlds = Vec::new();
    for name in ["new", "checking", "connected", "restarting", "failed", "closed"] {
        let mut world = World::unconnected(40, APART, [Config::default(), Config::default()]);
        let log = record(&mut world);
        world.add(LEFT, host("192.0.2.1:1000"));
        world.add(RIGHT, host("192.0.2.2:2000"));
        world.tell_parameters(LEFT);
        world.tell_candidates(LEFT);
        if name != "new" {
            world.exchange_parameters();
            world.tell_candidates(RIGHT);
        }
        if name == "checking" {
            world.drain();
            world.network = Box::new(|_, _| Vec::new());
        } else {
            world.run_for(ms(12_000));
        }
        match name {
            "restarting" => {
                world.agents[LEFT].restart(world.now).unwrap();
            }
            "failed" => world.agents[LEFT].revoke_consent(world.now),
            "closed" => world.agents[LEFT].close(world.now),
            _ => {}
        }
        world.drain();
        let received = log.lock().unwrap().clone();
        worlds.push((name, world, received));
    }
    worlds
}

/// The state that must not change.
fn fingerprint(agent: &Agent) -> String {
    let pairs: Vec<_> = agent.pairs().collect();
    let bound: Vec<_> = agent.bound_paths().collect();
    format!("{:?} {pairs:?} {bound:?} {:?} {:?}", agent.state(), agent.role(), agent.poll_timeout())
}

fn assert_discarded(name: &str, world: &mut World, bytes: &[u8]) {
    let now = world.now;
    let agent = &mut world.agents[LEFT];
    let (before, count) = (fingerprint(agent), agent.stats().discarded_total());
    agent.handle_input(now, Datagram { path: path(), payload: bytes });
    assert_eq!(agent.stats().discarded_total(), count + 1, "{name}: {bytes:02x?}");
    assert_eq!(fingerprint(agent), before, "{name}: {bytes:02x?}");
    assert!(answers(agent).is_empty(), "{name}: {bytes:02x?}");
}

#[test]
fn random_bytes_are_discarded_in_every_state() {
    for (name, mut world, _) in states() {
        let seed = Seed::new([5; 32]);
        for length in 0..1500 {
            let mut bytes = vec![0; length];
            seed.fill(u64::try_from(length).unwrap(), &mut bytes);
            assert_discarded(name, &mut world, &bytes);
            // The same bytes behind a header that looks like STUN.
            if let Some(header) = bytes.first_chunk_mut::<8>() {
                let body = u16::try_from(length.saturating_sub(20)).unwrap().to_be_bytes();
                *header = [0, 1, body[0], body[1], 0x21, 0x12, 0xa4, 0x42];
                assert_discarded(name, &mut world, &bytes);
            }
        }
    }
}

#[test]
fn truncated_or_changed_datagram_is_discarded() {
    for (name, mut world, received) in states() {
        assert!(!received.is_empty(), "{name}");
        // A request and a response suffice: the others differ in values only.
        for packet in received.iter().take(2).chain(received.last()) {
            for end in 0..packet.bytes.len() {
                assert_discarded(name, &mut world, &packet.bytes[..end]);
            }
            for bit in 0..packet.bytes.len() * 8 {
                let mut bytes = packet.bytes.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_discarded(name, &mut world, &bytes);
            }
        }
    }
}

#[test]
fn replayed_response_is_unknown_and_request_answered() {
    let mut states = states();
    let (_, world, received) = states.iter_mut().find(|(name, ..)| *name == "connected").unwrap();
    let now = world.now;
    let agent = &mut world.agents[LEFT];
    let before = fingerprint(agent);
    for packet in received {
        agent.handle_input(now, Datagram { path: path(), payload: &packet.bytes });
    }
    assert_eq!(fingerprint(agent), before);
    assert!(agent.stats().discarded(Discard::UnknownTransaction) > 0);
    assert_eq!(agent.stats().discarded_total(), agent.stats().discarded(Discard::UnknownTransaction));
}

#[test]
fn each_discard_reason_is_counted() {
    let mut world = World::connected(41);
    let ufrag = world.agents[RIGHT].local_parameters().ufrag.to_string();
    let now = world.now;
    let agent = &mut world.agents[LEFT];
    let good = request(agent, &ufrag, plain);
    let local = agent.local_parameters().clone();
    let mut unsigned = Vec::new();
    let mut writer = MessageWriter::new(&mut unsigned, MessageType::BINDING_REQUEST, [7; 12].into());
    writer.username(&format!("{}:{ufrag}", local.ufrag)).unwrap();
    writer.finish(None);
    let mut unknown_ufrag = Vec::new();
    let mut writer = MessageWriter::new(&mut unknown_ufrag, MessageType::BINDING_REQUEST, [7; 12].into());
    writer.username("unknown:me").unwrap();
    writer.finish(None);
    let mut nameless = Vec::new();
    MessageWriter::new(&mut nameless, MessageType::BINDING_REQUEST, [7; 12].into()).finish(None);
    let mut wrong = Vec::new();
    let mut writer = MessageWriter::new(&mut wrong, MessageType::BINDING_REQUEST, [7; 12].into());
    writer.username(&format!("{}:{ufrag}", local.ufrag)).unwrap();
    writer.finish(Some(&IntegrityKey::short_term("wrongwrongwrongwrongwrong")));
    let mut bare = Vec::new();
    let mut writer = MessageWriter::new(&mut bare, MessageType::BINDING_REQUEST, [7; 12].into());
    writer.username(&format!("{}:{ufrag}", local.ufrag)).unwrap();
    writer.finish_without_fingerprint(Some(&IntegrityKey::short_term(local.password.expose())));
    let mut indication = Vec::new();
    MessageWriter::new(&mut indication, MessageType::BINDING_INDICATION, [7; 12].into()).finish(None);
    let other_ufrag = request(agent, "else", plain);
    let local_address = address("192.0.2.1:1000");
    let cases = [
        (path(), b"hello".to_vec(), Discard::NotStun),
        (path(), vec![0; 3000], Discard::NotStun),
        (path(), [&good[..], &vec![0; 3000]].concat(), Discard::TooLong),
        (path(), good[..good.len() - 4].to_vec(), Discard::Malformed),
        (path(), nameless, Discard::Malformed),
        (path(), indication, Discard::NotBinding),
        (path(), bare, Discard::FingerprintMismatch),
        (path(), unknown_ufrag, Discard::UnknownUfrag),
        (path(), other_ufrag, Discard::UnknownUfrag),
        (path(), unsigned, Discard::IntegrityMissing),
        (path(), wrong, Discard::IntegrityMismatch),
        (Path::udp(address("192.0.2.9:1"), address("192.0.2.2:2000")), good.clone(), Discard::UnknownBase),
        (Path::udp(local_address, address("224.0.0.1:2000")), good.clone(), Discard::Filtered),
        (Path::udp(local_address, address("192.0.2.2:0")), good.clone(), Discard::Filtered),
    ];
    for (path, bytes, reason) in cases {
        let before = agent.stats().discarded(reason);
        agent.handle_input(now, Datagram { path, payload: &bytes });
        assert_eq!(agent.stats().discarded(reason), before + 1, "{reason} on {path}");
    }
    assert!(answers(agent).is_empty());
    agent.handle_input(now, Datagram { path: path(), payload: &good });
    assert_eq!(answers(agent).len(), 1, "the good one is answered after all of that");
    agent.close(now);
    agent.handle_input(now, Datagram { path: path(), payload: &good });
    assert_eq!(agent.stats().discarded(Discard::Closed), 1);
    assert_eq!(agent.state(), State::Closed);
}

#[test]
fn unknown_required_attribute_gets_a_420() {
    let mut world = World::connected(42);
    let ufrag = world.agents[RIGHT].local_parameters().ufrag.to_string();
    let now = world.now;
    let agent = &mut world.agents[LEFT];
    let bytes = request(agent, &ufrag, |writer| {
        plain(writer);
        writer.attribute(AttributeType(0x7777), b"what").unwrap();
        writer.attribute(AttributeType(0x8777), b"fine").unwrap();
    });
    agent.handle_input(now, Datagram { path: path(), payload: &bytes });
    let [answer] = answers(agent).try_into().unwrap();
    let answer = stun::Message::decode(&answer).unwrap();
    assert_eq!(answer.error_code().unwrap().unwrap().0.number(), 420);
    let unknown: Vec<_> = answer.unknown_attributes().unwrap().unwrap().collect();
    assert_eq!(unknown, [AttributeType(0x7777)]);
}

#[test]
fn unknown_source_without_priority_gets_a_400() {
    let mut world = World::connected(43);
    let ufrag = world.agents[RIGHT].local_parameters().ufrag.to_string();
    let now = world.now;
    let agent = &mut world.agents[LEFT];
    let bytes = request(agent, &ufrag, |_| {});
    let elsewhere = Path::udp(path().local(), address("203.0.113.1:1"));
    for (path, code) in [(elsewhere, Some(400)), (path(), None)] {
        agent.handle_input(now, Datagram { path, payload: &bytes });
        let [answer] = answers(agent).try_into().unwrap();
        assert_eq!(error_code(&answer), code);
    }
    assert_eq!(agent.pairs().count(), 1);
}

#[test]
fn growth_by_an_authenticated_peer_is_bounded() {
    let mut world = World::connected(44);
    let ufrag = world.agents[RIGHT].local_parameters().ufrag.to_string();
    let now = world.now;
    let agent = &mut world.agents[LEFT];
    let bytes = request(agent, &ufrag, plain);
    let config = Config::default();
    for port in 1..=u16::MAX {
        let remote: SocketAddr = ([203, 0, 113, 5], port).into();
        agent.handle_input(now, Datagram { path: Path::udp(path().local(), remote), payload: &bytes });
        while agent.poll_event().is_some() {}
    }
    assert!(agent.pairs().count() <= config.max_pairs);
    assert!(agent.bound_paths().count() <= config.max_pairs);
    assert!(agent.stats().discarded(Discard::PairLimit) > 60_000);
    assert!(answers(agent).len() <= config.max_queued_transmits);
    assert!(agent.permission(now).is_some());
    // Without polling, the queue is bounded too.
    for _ in 0..1000 {
        agent.handle_input(now, Datagram { path: path(), payload: &bytes });
    }
    assert_eq!(agent.stats().discarded(Discard::RateLimited), 1000 - 64);
}

#[test]
fn early_checks_are_bounded() {
    let mut world = World::unconnected(45, APART, [Config::default(), Config::default()]);
    world.add(LEFT, host("192.0.2.1:1000"));
    let now = world.now;
    let agent = &mut world.agents[LEFT];
    let bytes = request(agent, "peer", plain);
    for port in 1..=100 {
        let remote: SocketAddr = ([203, 0, 113, 5], port).into();
        agent.handle_input(now, Datagram { path: Path::udp(path().local(), remote), payload: &bytes });
    }
    assert_eq!(agent.stats().discarded(Discard::PairLimit), 84);
    assert_eq!(agent.bound_paths().count(), 16);
    assert_eq!(answers(agent).len(), 16);
}

#[test]
fn ipv4_mapped_address_is_the_same_path() {
    let mut world = World::connected(46);
    let ufrag = world.agents[RIGHT].local_parameters().ufrag.to_string();
    let now = world.now;
    let agent = &mut world.agents[LEFT];
    let bytes = request(agent, &ufrag, plain);
    let mapped = Path::udp(address("[::ffff:192.0.2.1]:1000"), address("[::ffff:192.0.2.2]:2000"));
    assert_eq!(mapped, path());
    agent.handle_input(now, Datagram { path: mapped, payload: &bytes });
    assert_eq!(answers(agent).len(), 1);
    assert_eq!(agent.pairs().count(), 1);
}

#[test]
fn older_time_is_treated_as_the_latest() {
    let mut world = World::connected(47);
    let early = world.start;
    let before = fingerprint(&world.agents[LEFT]);
    world.agents[LEFT].handle_timeout(early);
    world.agents[LEFT].handle_input(early, Datagram { path: path(), payload: b"nonsense" });
    assert_eq!(fingerprint(&world.agents[LEFT]), before);
    world.run_for(ms(60_000));
    assert!(world.permitted(LEFT));
}
