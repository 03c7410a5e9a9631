//! Tests of KeyUpdate and of the key usage limits, with limits that are reached soon.

use crate::certificate::Certificate;
use crate::config::DtlsRole;
use crate::config::{Authentication, Config, PeerPolicy, Versions};
use crate::connection::Connection;
use crate::dtls13::established::Outstanding;
use crate::error::Error;
use crate::event::{ClosedBy, Event};
use crate::failure::Failure;
use crate::failure::Misbehaved;
use crate::record::ContentType;
use crate::record::dtls13::KeyLimits;
use crate::record::epoch::Epoch;
use crate::record::epoch::FIRST_APPLICATION_EPOCH;
use std::time::{Duration, Instant, SystemTime};

const KEY_LIMITS: KeyLimits = KeyLimits { update_after: 100, end_after: 200, authentication_failures: 50 };

pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) client: Connection,
    pub(super) server: Connection,
}

/// A connected pair with low key limits.
pub(super) fn pair() -> Pair {
    let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let [client, server] =
        [(); 2].map(|()| Certificate::generate(today, Duration::from_secs(86_400)).unwrap());
    let config = |own: &Certificate, peer: &Certificate| Config {
        versions: Versions::Dtls13,
        authentication: Authentication::Certificates {
            own: vec![own.clone()],
            peer: PeerPolicy::Fingerprints(vec![peer.fingerprint(crate::HashAlgorithm::Sha256)]),
            require_peer: true,
        },
        ..Config::default()
    };
    let now = Instant::now();
    let client_config = config(&client, &server);
    let mut pair = Pair {
        now,
        client: Connection::client(now, client_config).unwrap(),
        server: Connection::server(now, config(&server, &client)).unwrap(),
    };
    pair.client.start(now, None).unwrap();
    pair.exchange();
    for connection in [&mut pair.client, &mut pair.server] {
        assert!(connection.is_connected());
        while connection.poll_event().is_some() {}
        connection.link.records.epochs().limits = KEY_LIMITS;
    }
    pair
}

impl Pair {
    pub(super) fn exchange(&mut self) {
        let mut bytes = Vec::new();
        loop {
            let before = (self.client.link.stats.datagrams_sent, self.server.link.stats.datagrams_sent);
            while self.client.poll_transmit(&mut bytes).is_some() {
                self.server.handle_input(self.now, &mut std::mem::take(&mut bytes));
            }
            while self.server.poll_transmit(&mut bytes).is_some() {
                self.client.handle_input(self.now, &mut std::mem::take(&mut bytes));
            }
            if before == (self.client.link.stats.datagrams_sent, self.server.link.stats.datagrams_sent) {
                return;
            }
        }
    }
}

fn outstanding(connection: &Connection) -> Outstanding {
    connection.established().unwrap().dtls13().outstanding()
}

fn writing(connection: &Connection) -> Epoch {
    connection.established().unwrap().epoch()
}

//= rfc9147-4.2.1-rekey-or-abandon
//= rfc9147-4.5.3-update-before-limit
#[test]
fn key_at_its_limit_is_updated_automatically() {
    let mut pair = pair();
    for _ in 0..KEY_LIMITS.update_after * 5 {
        pair.client.send(pair.now, b"data").unwrap();
        pair.exchange();
        assert!(matches!(pair.server.poll_event(), Some(Event::Data(data)) if data == b"data"[..]));
    }
    let Epoch::Application(epoch) = writing(&pair.client) else { panic!("DTLS 1.3") };
    assert!((7..=8).contains(&epoch), "{epoch}");
    assert_eq!(writing(&pair.server), Epoch::Application(FIRST_APPLICATION_EPOCH), "no update was requested");
}

//= rfc9147-4.2.1-rekey-or-abandon
#[test]
fn unacknowledged_update_closes_before_the_key_limit() {
    let mut pair = pair();
    let mut bytes = Vec::new();
    let mut sent = 0;
    while pair.client.send(pair.now, b"data").is_ok() {
        bytes.clear();
        while pair.client.poll_transmit(&mut bytes).is_some() {}
        sent += 1;
    }
    assert!(sent <= KEY_LIMITS.end_after);
    assert_eq!(pair.client.poll_event(), Some(Event::Closed(ClosedBy::Us)));
    assert_eq!(pair.client.send(pair.now, b"data"), Err(Error::Closed));
}

//= rfc9147-4.5.3-count-forgeries
//= rfc9147-4.5.3-update-before-forgery-limit
#[test]
fn authentication_failures_request_new_keys_only() {
    let mut pair = pair();
    for round in 1..=4 {
        for _ in 0..KEY_LIMITS.authentication_failures {
            pair.client.handle_input(pair.now, &mut forge(FIRST_APPLICATION_EPOCH + round - 1));
        }
        pair.exchange();
        assert_eq!(writing(&pair.server), Epoch::Application(FIRST_APPLICATION_EPOCH + round));
        pair.server.send(pair.now, b"data").unwrap();
        pair.exchange();
    }
    assert!(pair.client.is_connected() && pair.server.is_connected());
}

fn forge(under: u16) -> Vec<u8> {
    let epoch_bits = u8::try_from(under & 0b11).unwrap();
    [&[0b0010_1100 | epoch_bits, 0, 0, 0, 40][..], &[7; 40]].concat()
}

//= rfc9147-4.5.3-count-forgeries
#[test]
fn authentication_failures_are_counted_per_key() {
    let mut pair = pair();
    let server = &mut pair.server;
    assert!(server.link.records.can_read(2), "kept for the client's final flight");
    // Failures of a former key do not count for the newest one.
    for _ in 1..KEY_LIMITS.authentication_failures {
        server.handle_input(pair.now, &mut forge(2));
        server.handle_input(pair.now, &mut forge(3));
    }
    assert!(server.link.records.can_read(2) && outstanding(server) == Outstanding::Nothing);
    server.handle_input(pair.now, &mut forge(2));
    assert!(!server.link.records.can_read(2) && server.link.records.can_read(3));
    assert_eq!(outstanding(server), Outstanding::Nothing);
    server.handle_input(pair.now, &mut forge(3));
    assert_eq!(outstanding(server), Outstanding::KeyUpdate);
    assert!(server.link.records.can_read(3), "the newest key stays");
    assert_eq!(server.link.stats.authentication_failures, 2 * KEY_LIMITS.authentication_failures);
    pair.exchange();
    assert!(pair.client.is_connected() && pair.server.is_connected());
}

#[test]
fn failure_of_unknown_epoch_counts_for_each_key() {
    let mut pair = pair();
    for _ in 0..KEY_LIMITS.authentication_failures {
        pair.server.on_authentication_failure(pair.now);
    }
    assert!(!pair.server.link.records.can_read(2) && pair.server.link.records.can_read(3));
    assert_eq!(outstanding(&pair.server), Outstanding::KeyUpdate);
}

#[test]
fn failures_during_an_update_request_another_one() {
    let mut pair = pair();
    pair.server.update_keys(pair.now).unwrap();
    for _ in 0..2 * KEY_LIMITS.authentication_failures {
        pair.server.handle_input(pair.now, &mut forge(3));
    }
    let mut update = Vec::new();
    while pair.server.poll_transmit(&mut update).is_some() {}
    assert!(update.len() < 100, "one KeyUpdate");
    pair.now += Duration::from_secs(1);
    pair.server.handle_timeout(pair.now);
    pair.exchange();
    assert_eq!(writing(&pair.client), Epoch::Application(FIRST_APPLICATION_EPOCH + 1));
    assert!(pair.client.is_connected() && pair.server.is_connected());
}

#[test]
fn old_keys_are_dropped_after_an_update() {
    let mut pair = pair();
    pair.client.update_keys(pair.now).unwrap();
    pair.exchange();
    for connection in [&mut pair.client, &mut pair.server] {
        connection.send(pair.now, b"data").unwrap();
    }
    pair.exchange();
    let former = Epoch::Application(FIRST_APPLICATION_EPOCH);
    for connection in [&mut pair.client, &mut pair.server] {
        assert!(!connection.link.records.can_read(3) && connection.link.records.can_read(4 & 3));
        let write = connection.link.records.write(former, ContentType::ApplicationData, b"", &mut Vec::new());
        assert!(write.is_err());
    }
}

#[test]
fn failures_request_one_update_at_a_time() {
    let mut pair = pair();
    let mut bytes = Vec::new();
    for _ in 0..KEY_LIMITS.authentication_failures {
        pair.server.handle_input(pair.now, &mut forge(3));
    }
    let _ = pair.server.poll_transmit(&mut bytes).unwrap();
    pair.client.handle_input(pair.now, &mut std::mem::take(&mut bytes));
    // The client's own KeyUpdate is lost, and its ACK arrives.
    let _ = pair.client.poll_transmit(&mut bytes).unwrap();
    bytes.clear();
    let _ = pair.client.poll_transmit(&mut bytes).unwrap();
    pair.server.handle_input(pair.now, &mut std::mem::take(&mut bytes));
    assert_eq!(writing(&pair.server), Epoch::Application(FIRST_APPLICATION_EPOCH + 1));
    for _ in 1..KEY_LIMITS.authentication_failures {
        pair.server.handle_input(pair.now, &mut forge(3));
    }
    assert_eq!(outstanding(&pair.server), Outstanding::Nothing);
    pair.server.handle_input(pair.now, &mut forge(3));
    assert_eq!(outstanding(&pair.server), Outstanding::KeyUpdate, "half of what the key bears is over again");
}

#[test]
fn exhausted_updates_emit_rekey_needed_once() {
    for by_forgeries in [true, false] {
        let mut pair = pair();
        let established = pair.server.state.established_mut().unwrap().dtls13_mut();
        established.use_up_sequence();
        for _ in 0..KEY_LIMITS.update_after + 50 {
            if by_forgeries {
                pair.server.handle_input(pair.now, &mut forge(3));
            } else {
                pair.server.send(pair.now, b"data").unwrap();
            }
        }
        let events: Vec<_> = std::iter::from_fn(|| pair.server.poll_event()).collect();
        assert_eq!(events, [Event::RekeyNeeded]);
        assert!(pair.server.is_connected());
    }
}

#[test]
fn crossing_updates_give_both_sides_new_keys() {
    let mut pair = pair();
    pair.client.update_keys(pair.now).unwrap();
    pair.server.update_keys(pair.now).unwrap();
    pair.exchange();
    for connection in [&mut pair.client, &mut pair.server] {
        assert_eq!(writing(connection), Epoch::Application(FIRST_APPLICATION_EPOCH + 2));
        connection.send(pair.now, b"data").unwrap();
    }
    pair.exchange();
    for connection in [&mut pair.client, &mut pair.server] {
        assert!(matches!(connection.poll_event(), Some(Event::Data(_))));
        assert_eq!(connection.poll_timeout().is_some(), connection.role() == DtlsRole::Server);
    }
}

//= rfc9147-8-wish-ignored
//= rfc9147bis-5.2-message-seq
#[test]
fn update_needs_an_unused_message_number() {
    let mut pair = pair();
    let established = pair.server.state.established_mut().unwrap().dtls13_mut();
    established.use_up_sequence();
    assert_eq!(pair.server.update_keys(pair.now), Err(Error::KeyExhausted));
    pair.client.update_keys(pair.now).unwrap();
    pair.exchange();
    assert_eq!(writing(&pair.client), Epoch::Application(FIRST_APPLICATION_EPOCH + 1));
    assert_eq!(writing(&pair.server), Epoch::Application(FIRST_APPLICATION_EPOCH));
    assert!(pair.client.is_connected() && pair.server.is_connected());
}

//= rfc9147bis-5.2-message-seq-association
#[test]
fn key_limit_without_message_number_closes() {
    let mut pair = pair();
    let established = pair.client.state.established_mut().unwrap().dtls13_mut();
    established.use_up_sequence();
    for _ in 0..KEY_LIMITS.end_after {
        pair.client.send(pair.now, b"data").unwrap();
        pair.exchange();
    }
    assert_eq!(pair.client.send(pair.now, b"data"), Err(Error::Closed));
    assert!(std::iter::from_fn(|| pair.server.poll_event()).any(|event| event == Event::PeerClosing));
}

#[test]
fn second_update_with_the_old_keys_is_refused() {
    let mut pair = pair();
    for _ in 0..2 {
        pair.client.update_keys(pair.now).unwrap();
        let mut bytes = Vec::new();
        while pair.client.poll_transmit(&mut bytes).is_some() {
            pair.server.handle_input(pair.now, &mut std::mem::take(&mut bytes));
        }
        // The client does not wait for the ACK.
        let established = pair.client.state.established_mut().unwrap().dtls13_mut();
        established.forget_outstanding();
    }
    let mut events = std::iter::from_fn(|| pair.server.poll_event());
    let unexpected = Failure::Peer(Misbehaved::UnexpectedMessage);
    assert!(events.any(|event| event == Event::Failed(unexpected)));
}

#[test]
fn acknowledged_client_drops_handshake_keys_and_flight() {
    let mut pair = pair();
    assert!(!pair.client.link.records.can_read(2));
    assert!(pair.server.link.records.can_read(2), "the client may retransmit its final flight");
    pair.server.handle_timeout(pair.now + Duration::from_secs(240));
    assert!(!pair.server.link.records.can_read(2));
    assert_eq!(pair.server.poll_timeout(), None);
}
