//! A misbehaving peer with valid keys. It needs private access to a connection.

use crate::alert::{Alert, AlertDescription};
use crate::certificate::Certificate;
use crate::config::{Authentication, Config, DtlsRole, PeerPolicy, Versions};
use crate::connection::Connection;
use crate::discard::Discard;
use crate::error::Error;
use crate::event::{ClosedBy, Event};
use crate::failure::{Failure, Misbehaved, Refusal};
use crate::handshake::HandshakeType;
use crate::record::ContentType;
use crate::record::epoch::Epoch;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) client: Connection,
    pub(super) server: Connection,
}

pub(super) fn config(versions: Versions, own: &Certificate, peer: PeerPolicy) -> Config {
    let authentication = Authentication::Certificates { own: vec![own.clone()], peer, require_peer: true };
    Config { versions, authentication, ..Config::default() }
}

fn pair(versions: Versions, policy: impl Fn(&Certificate) -> PeerPolicy) -> Pair {
    let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let [client, server] =
        [(); 2].map(|()| Certificate::generate(today, Duration::from_secs(86_400)).unwrap());
    let now = Instant::now();
    Pair {
        now,
        client: Connection::client(now, config(versions, &client, policy(&server))).unwrap(),
        server: Connection::server(now, config(versions, &server, policy(&client))).unwrap(),
    }
}

pub(super) fn by_fingerprint(certificate: &Certificate) -> PeerPolicy {
    PeerPolicy::Fingerprints(vec![certificate.fingerprint(crate::HashAlgorithm::Sha256)])
}

impl Pair {
    fn connected(versions: Versions) -> Self {
        let mut pair = pair(versions, by_fingerprint);
        pair.client.start(pair.now, None).unwrap();
        pair.exchange();
        for connection in [&mut pair.client, &mut pair.server] {
            assert!(connection.is_connected());
            while connection.poll_event().is_some() {}
        }
        pair
    }

    fn exchange(&mut self) {
        while deliver(self.now, &mut self.client, &mut self.server)
            | deliver(self.now, &mut self.server, &mut self.client)
        {}
    }
}

/// Returns whether there was a datagram.
fn deliver(now: Instant, from: &mut Connection, to: &mut Connection) -> bool {
    let (mut bytes, mut any) = (Vec::new(), false);
    while from.poll_transmit(&mut bytes).is_some() {
        to.handle_input(now, &mut bytes);
        bytes.clear();
        any = true;
    }
    any
}

fn waiting(connection: &mut Connection) -> usize {
    let mut bytes = Vec::new();
    std::iter::from_fn(|| connection.poll_transmit(&mut bytes)).count()
}

/// A record of epoch 1 with any content.
fn protected(connection: &mut Connection, content_type: ContentType, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    connection.link.records.write(Epoch::Protected, content_type, content, &mut bytes).unwrap();
    bytes
}

#[test]
fn renegotiation_is_refused_by_a_warning() {
    let mut pair = Pair::connected(Versions::Dtls12);
    let message = |kind: HandshakeType, sequence: u8| [kind.0, 0, 0, 0, 0, sequence, 0, 0, 0, 0, 0, 0];
    let hello = message(HandshakeType::CLIENT_HELLO, 5);
    let mut hello = protected(&mut pair.client, ContentType::Handshake, &hello);
    let request = message(HandshakeType::HELLO_REQUEST, 6);
    let mut request = protected(&mut pair.server, ContentType::Handshake, &request);
    pair.server.handle_input(pair.now, &mut hello);
    pair.client.handle_input(pair.now, &mut request);
    for role in [DtlsRole::Server, DtlsRole::Client] {
        let Pair { client, server, .. } = &mut pair;
        let (asked, asking) = if role == DtlsRole::Server { (server, client) } else { (client, server) };
        assert_eq!(asked.stats().discarded(Discard::UnexpectedMessage), 1);
        let mut alert = Vec::new();
        assert!(asked.poll_transmit(&mut alert).is_some());
        let (record, _) = crate::record::Record::split_first(&mut alert).unwrap();
        let refusal = Alert::warning(AlertDescription::NO_RENEGOTIATION).encode();
        assert_eq!(asking.link.records.open(&record.header, record.content).unwrap(), refusal);
        assert_eq!(waiting(asked), 0, "one alert for one request");
        assert!(asked.is_connected() && asked.poll_event().is_none());
    }
    pair.client.send(pair.now, b"still here").unwrap();
    pair.exchange();
    let mut events = std::iter::from_fn(|| pair.server.poll_event());
    assert!(events.any(|event| event == Event::Data(b"still here"[..].into())));
}

fn events(connection: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.poll_event()).collect()
}

#[test]
fn dtls12_key_limit_is_announced_once() {
    let mut pair = Pair::connected(Versions::Dtls12);
    let last = (1 << 48) - 1;
    pair.client.link.records.skip_to_writing(last - (1 << 20) - 1);
    assert_eq!(pair.client.send(pair.now, b"one"), Ok(()));
    assert_eq!(events(&mut pair.client), [Event::RekeyNeeded], "a million records early");
    assert_eq!(pair.client.send(pair.now, b"two"), Ok(()));
    pair.client.link.records.skip_to_writing(last);
    assert_eq!(pair.client.send(pair.now, b"three"), Ok(()));
    let sent = waiting(&mut pair.client);
    for _ in 0..2 {
        assert_eq!(pair.client.send(pair.now, b"four"), Err(Error::KeyExhausted));
    }
    assert_eq!((sent, waiting(&mut pair.client)), (3, 0));
    assert_eq!(events(&mut pair.client), []);
    assert!(pair.client.is_connected(), "it still receives");
    pair.server.send(pair.now, b"still here").unwrap();
    pair.exchange();
    assert_eq!(events(&mut pair.client), [Event::Data(b"still here"[..].into())]);
}

#[test]
fn dtls12_authentication_failures_are_announced_once() {
    let mut pair = Pair::connected(Versions::Dtls12);
    pair.server.link.stats.authentication_failures = (1 << 35) - 2;
    let mut forge = || {
        let mut datagram = protected(&mut pair.client, ContentType::ApplicationData, b"forged");
        *datagram.last_mut().unwrap() ^= 1;
        pair.server.handle_input(pair.now, &mut datagram);
        events(&mut pair.server)
    };
    assert_eq!([forge(), forge(), forge()], [vec![], vec![Event::RekeyNeeded], vec![]]);
    pair.client.send(pair.now, b"still here").unwrap();
    pair.exchange();
    assert!(events(&mut pair.server).contains(&Event::Data(b"still here"[..].into())));
}

#[test]
fn unfetched_refusals_do_not_accumulate() {
    let mut pair = Pair::connected(Versions::Dtls12);
    let hello = [HandshakeType::CLIENT_HELLO.0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0];
    for _ in 0..20_000 {
        let mut hello = protected(&mut pair.client, ContentType::Handshake, &hello);
        pair.server.handle_input(pair.now, &mut hello);
    }
    let limit = pair.server.link.config.limits.outgoing;
    assert!(pair.server.link.outbox.held() <= limit + 100, "{} bytes", pair.server.link.outbox.held());
    assert!(pair.server.is_connected());
}

#[test]
fn unfetched_acks_do_not_accumulate() {
    let mut pair = Pair::connected(Versions::Dtls13);
    let Epoch::Application(epoch) = pair.client.established().unwrap().epoch() else { panic!("DTLS 1.3") };
    // A handled handshake message, in new records.
    let old = [HandshakeType::KEY_UPDATE.0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    for _ in 0..20_000 {
        let mut bytes = Vec::new();
        let epoch = Epoch::Application(epoch);
        pair.client.link.records.write(epoch, ContentType::Handshake, &old, &mut bytes).unwrap();
        pair.server.handle_input(pair.now, &mut bytes);
    }
    let limit = pair.server.link.config.limits.outgoing;
    assert!(pair.server.link.outbox.held() <= limit + 1000, "{} bytes", pair.server.link.outbox.held());
    assert!(pair.server.is_connected());
}

#[test]
fn acks_count_for_the_key_limit() {
    let mut pair = Pair::connected(Versions::Dtls13);
    let limits = &mut pair.server.link.records.epochs().limits;
    (limits.update_after, limits.end_after) = (30, 50);
    let Epoch::Application(epoch) = pair.client.established().unwrap().epoch() else { panic!("DTLS 1.3") };
    // A handled handshake message, in new records. Their sender acknowledges no KeyUpdate.
    let old = [HandshakeType::KEY_UPDATE.0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    let mut answered = 0;
    for _ in 0..200 {
        let mut bytes = Vec::new();
        let epoch = Epoch::Application(epoch);
        pair.client.link.records.write(epoch, ContentType::Handshake, &old, &mut bytes).unwrap();
        pair.server.handle_input(pair.now, &mut bytes);
        answered += waiting(&mut pair.server);
    }
    assert!((45..=51).contains(&answered), "{answered}");
    assert_eq!(events(&mut pair.server), [Event::Closed(ClosedBy::Us)]);
}

/// No configuration allows a client without a certificate.
fn without_certificate(client: &mut Connection) {
    let mut config = Config::clone(&client.link.config);
    if let Authentication::Certificates { own, .. } = &mut config.authentication {
        own.clear();
    }
    client.link.config = Arc::new(config);
}

fn judging(server: &mut Connection, policy: Option<PeerPolicy>, asks_for_one: bool) {
    let mut config = Config::clone(&server.link.config);
    if let Authentication::Certificates { peer, require_peer, .. } = &mut config.authentication {
        *peer = policy.unwrap_or_else(|| peer.clone());
        *require_peer = asks_for_one;
    }
    server.link.config = Arc::new(config);
}

#[test]
fn client_without_certificate_is_refused_under_fingerprint_policy() {
    for (versions, told) in [
        (Versions::Dtls12, AlertDescription::HANDSHAKE_FAILURE),
        (Versions::Dtls13, AlertDescription::CERTIFICATE_REQUIRED),
    ] {
        for asks_for_one in [true, false] {
            let mut pair = pair(versions, by_fingerprint);
            without_certificate(&mut pair.client);
            judging(&mut pair.server, None, asks_for_one);
            pair.client.start(pair.now, None).unwrap();
            pair.exchange();
            let mut of_server = std::iter::from_fn(|| pair.server.poll_event());
            let refused = Event::Failed(Failure::Refused(Refusal::NoCertificate));
            assert_eq!(of_server.next(), Some(refused), "and no earlier event, {versions:?}");
            if versions == Versions::Dtls12 {
                // A plaintext alert is pending, and is accepted if the handshake makes no progress.
                pair.client.handle_timeout(pair.now + pair.client.link.rto * 3);
            }
            let mut of_client = std::iter::from_fn(|| pair.client.poll_event());
            let heard = Event::Failed(Failure::AlertReceived(told));
            assert!(of_client.any(|event| event == heard), "{versions:?}");
        }
    }
}

#[test]
fn client_without_certificate_is_accepted_if_allowed() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        for asks_for_one in [false, true] {
            let mut pair = pair(versions, by_fingerprint);
            without_certificate(&mut pair.client);
            judging(&mut pair.server, Some(PeerPolicy::Application), asks_for_one);
            pair.client.start(pair.now, None).unwrap();
            pair.exchange();
            let first = std::iter::from_fn(|| pair.server.poll_event()).next();
            let refused = Event::Failed(Failure::Refused(Refusal::NoCertificate));
            assert_eq!(first == Some(refused), asks_for_one, "{versions:?}");
            assert_eq!(pair.server.is_connected(), !asks_for_one, "{versions:?}");
            assert_eq!(pair.server.remote_certificate(), None);
        }
    }
}

/// The Finished of DTLS 1.2 in flight to `to`, changed and protected again by its sender.
fn forged_finished(now: Instant, from: &mut Connection, to: &mut Connection) -> Vec<u8> {
    let mut flight = Vec::new();
    while from.poll_transmit(&mut flight).is_some() {}
    let mut rest = flight.as_mut_slice();
    while rest[4] == 0 {
        let len = 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
        let (record, after) = rest.split_at_mut(len);
        to.handle_input(now, record);
        rest = after;
    }
    let (record, _) = crate::record::Record::split_first(rest).unwrap();
    let mut finished = to.link.records.open(&record.header, record.content).unwrap().to_vec();
    *finished.last_mut().unwrap() ^= 1;
    protected(from, ContentType::Handshake, &finished)
}

#[test]
fn wrong_dtls12_finished_is_a_decrypt_error() {
    for misbehaving in [DtlsRole::Client, DtlsRole::Server] {
        let mut pair = pair(Versions::Dtls12, by_fingerprint);
        let now = pair.now;
        let Pair { client, server, .. } = &mut pair;
        client.start(now, None).unwrap();
        deliver(now, client, server);
        deliver(now, server, client);
        let (from, to) = if misbehaving == DtlsRole::Client {
            (client, server)
        } else {
            deliver(now, client, server);
            (server, client)
        };
        let mut forged = forged_finished(now, from, to);
        to.handle_input(now, &mut forged);
        let failed = Event::Failed(Failure::Peer(Misbehaved::BadFinished));
        assert!(std::iter::from_fn(|| to.poll_event()).any(|event| event == failed));
        let mut alert = Vec::new();
        assert!(to.poll_transmit(&mut alert).is_some());
        let told = Alert::fatal(AlertDescription::DECRYPT_ERROR).encode();
        // A server uses no keys of its own before the Finished.
        if misbehaving == DtlsRole::Client {
            assert_eq!(alert[13..], told);
        } else {
            let (record, _) = crate::record::Record::split_first(&mut alert).unwrap();
            assert_eq!(from.link.records.open(&record.header, record.content).unwrap(), told);
        }
        assert_eq!(waiting(to), 0, "one alert");
    }
}
