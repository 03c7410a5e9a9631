//! A misbehaving peer with the keys of DTLS 1.3, record by record.

use super::key_update::{Pair, pair};
use crate::alert::AlertDescription;
use crate::connection::Connection;
use crate::discard::Discard;
use crate::dtls13::ack;
use crate::error::Error;
use crate::event::{Admitted, ClosedBy, Event};
use crate::failure::{Failure, Misbehaved};
use crate::record::epoch::Epoch;
use crate::record::epoch::FIRST_APPLICATION_EPOCH;
use crate::record::unified::UnifiedHeader;
use crate::record::{ContentType, RecordNumber};
use std::time::Duration;

const FIRST: Epoch = Epoch::Application(FIRST_APPLICATION_EPOCH);

/// A record of this peer with any content.
fn record(from: &mut Connection, epoch: Epoch, content_type: ContentType, content: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    from.link.records.write(epoch, content_type, content, &mut record).unwrap();
    record
}

/// A whole handshake message.
fn message(kind: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
    let [high, low] = sequence.to_be_bytes();
    let mut message = vec![kind];
    message.extend(length);
    message.extend([high, low, 0, 0, 0]);
    message.extend(length);
    message.extend(body);
    message
}

/// The sequence number of the next message that this side expects.
fn next(connection: &Connection) -> u16 {
    connection.established().unwrap().dtls13().next_sequence()
}

fn connected13(connection: &mut Connection) -> &mut crate::dtls13::connected::Connected {
    connection.state.established_mut().unwrap().dtls13_mut().connected_mut()
}

fn datagrams(connection: &mut Connection) -> Vec<Vec<u8>> {
    let next = || {
        let mut datagram = Vec::new();
        connection.poll_transmit(&mut datagram).map(|_| datagram)
    };
    std::iter::from_fn(next).collect()
}

/// Deprotects a datagram of one record at the other side.
fn opened(by: &mut Connection, datagram: &mut [u8]) -> (RecordNumber, ContentType, Vec<u8>) {
    let header = UnifiedHeader::read(datagram).unwrap();
    let opened = by.link.records.open_unified(header, datagram).unwrap();
    (opened.number, opened.content_type, opened.content.to_vec())
}

fn failure(connection: &mut Connection) -> Option<Failure> {
    std::iter::from_fn(|| connection.poll_event()).find_map(|event| match event {
        Event::Failed(failure) => Some(failure),
        _ => None,
    })
}

/// The server gets this record from its client, fails, and sends the alert.
#[track_caller]
fn assert_ends(pair: &mut Pair, mut datagram: Vec<u8>, fault: Misbehaved, alert: AlertDescription) {
    pair.server.handle_input(pair.now, &mut datagram);
    assert_eq!(failure(&mut pair.server), Some(Failure::Peer(fault)));
    pair.exchange();
    assert_eq!(failure(&mut pair.client), Some(Failure::AlertReceived(alert)));
}

//= rfc9147-7.1-acked
//= rfc9147-7.1-all-other-flights
#[test]
fn ticket_is_acknowledged_and_not_used() {
    let mut pair = pair();
    let ticket = message(4, next(&pair.client), &[7; 40]);
    let mut datagram = Vec::new();
    let number =
        pair.server.link.records.write(FIRST, ContentType::Handshake, &ticket, &mut datagram).unwrap();
    pair.client.handle_input(pair.now, &mut datagram);
    let mut answers = datagrams(&mut pair.client);
    assert_eq!(answers.len(), 1);
    let (_, content_type, content) = opened(&mut pair.server, &mut answers[0]);
    assert_eq!(content_type, ContentType::Ack);
    assert!(ack::decode(&content).unwrap().eq([number]));
    assert_eq!(pair.client.poll_event(), None);
}

//= rfc9147-7-not-processed
//= rfc9147-7-not-next
#[test]
fn record_with_a_discarded_message_is_not_acknowledged() {
    let mut pair = pair();
    let expected = next(&pair.client);
    let far = message(4, expected + 200, &[7; 40]);
    let ticket_and_far = [message(4, expected, &[7; 40]), far.clone()].concat();
    for content in [far, ticket_and_far] {
        let mut datagram = record(&mut pair.server, FIRST, ContentType::Handshake, &content);
        pair.client.handle_input(pair.now, &mut datagram);
        assert!(pair.client.link.stats.discarded(Discard::UnexpectedMessage) > 0);
        assert_eq!(datagrams(&mut pair.client), Vec::<Vec<u8>>::new());
    }
    assert!(pair.client.is_connected());
}

//= rfc9147-7.1-handshake-alone
#[test]
fn data_and_alerts_are_not_acknowledged() {
    let mut pair = pair();
    for (content_type, content) in [
        (ContentType::ApplicationData, &b"data"[..]),
        (ContentType::Alert, &[1, AlertDescription::USER_CANCELED.0]),
        (ContentType::Ack, &[0, 0]),
    ] {
        let mut datagram = record(&mut pair.server, FIRST, content_type, content);
        assert_eq!(pair.client.handle_input(pair.now, &mut datagram), Admitted::Authenticated);
        assert_eq!(datagrams(&mut pair.client), Vec::<Vec<u8>>::new(), "{content_type:?}");
    }
}

//= rfc9147-9-unnegotiated-messages
//= rfc9147-9-violation
#[test]
fn connection_id_messages_are_unexpected() {
    for (kind, body) in [(9, &[1][..]), (10, &[0, 0, 0])] {
        let mut pair = pair();
        let content = message(kind, next(&pair.server), body);
        let datagram = record(&mut pair.client, FIRST, ContentType::Handshake, &content);
        let unexpected = Misbehaved::UnexpectedMessage;
        assert_ends(&mut pair, datagram, unexpected, AlertDescription::UNEXPECTED_MESSAGE);
    }
}

//= rfc9147bis-4.5.2-content-is-the-peers
#[test]
fn undecodable_authenticated_record_fails() {
    for (content_type, content) in
        [(ContentType::Handshake, &[4, 0, 0][..]), (ContentType::Ack, &[0, 1]), (ContentType::Alert, &[2])]
    {
        let mut pair = pair();
        let datagram = record(&mut pair.client, FIRST, content_type, content);
        assert_ends(&mut pair, datagram, Misbehaved::Malformed, AlertDescription::DECODE_ERROR);
    }
}

/// A client whose final flight the server has not received.
fn before_the_final_flight() -> Pair {
    let mut pair = pair();
    let fresh = |connection: &Connection| (connection.link.config.clone(), pair.now);
    let ((client, now), (server, _)) = (fresh(&pair.client), fresh(&pair.server));
    pair.client = Connection::client(now, client).unwrap();
    pair.server = Connection::server(now, server).unwrap();
    pair.client.start(now, None).unwrap();
    for mut datagram in datagrams(&mut pair.client) {
        pair.server.handle_input(now, &mut datagram);
    }
    for mut datagram in datagrams(&mut pair.server) {
        pair.client.handle_input(now, &mut datagram);
    }
    assert!(pair.client.is_connected() && !pair.server.is_connected());
    pair
}

fn acknowledgement(epoch: u64) -> Vec<u8> {
    [&[0, 16][..], &epoch.to_be_bytes(), &0_u64.to_be_bytes()].concat()
}

//= rfc9147bis-7.2-higher-epoch
#[test]
fn handshake_ack_cannot_name_a_later_epoch() {
    for (epoch, is_possible) in [(0, true), (2, true), (3, false), (1 << 40, false)] {
        let mut pair = before_the_final_flight();
        let content = acknowledgement(epoch);
        let mut datagram = record(&mut pair.client, Epoch::Handshake, ContentType::Ack, &content);
        pair.server.handle_input(pair.now, &mut datagram);
        let expected = (!is_possible).then_some(Failure::Peer(Misbehaved::ImpossibleAck));
        assert_eq!(failure(&mut pair.server), expected, "epoch {epoch}");
        if !is_possible {
            let alerts = datagrams(&mut pair.server);
            let (_, _, alert) = opened(&mut pair.client, &mut alerts[0].clone());
            assert_eq!(alert, [2, AlertDescription::ILLEGAL_PARAMETER.0]);
        }
    }
}

#[test]
fn epochs_are_numbered_per_direction() {
    let mut pair = pair();
    pair.client.update_keys(pair.now).unwrap();
    pair.exchange();
    // The server follows on the client's request, and could also be behind it.
    let content = acknowledgement(5);
    let mut datagram = record(&mut pair.server, Epoch::Application(4), ContentType::Ack, &content);
    assert_eq!(pair.client.handle_input(pair.now, &mut datagram), Admitted::Authenticated);
    assert!(pair.client.is_connected());
}

//= rfc9147-7.2-implicit
#[test]
fn fragment_of_the_final_flight_acknowledges_the_servers() {
    let mut pair = before_the_final_flight();
    let mut certificate = message(11, 1, &[0; 100]);
    // The first ten bytes of it.
    certificate[11] = 10;
    certificate.truncate(12 + 10);
    let mut datagram = record(&mut pair.client, Epoch::Handshake, ContentType::Handshake, &certificate);
    pair.server.handle_input(pair.now, &mut datagram);
    let before = pair.server.link.stats.flights_retransmitted;
    for _ in 0..20 {
        pair.now += pair.server.link.rto;
        pair.server.handle_timeout(pair.now);
        for mut datagram in datagrams(&mut pair.server) {
            let (_, content_type, _) = opened(&mut pair.client, &mut datagram);
            assert_eq!(content_type, ContentType::Ack);
        }
    }
    assert_eq!(pair.server.link.stats.flights_retransmitted, before);
}

/// The handshake messages of a flight with the handshake keys.
fn messages_of_flight(by: &mut Connection, flight: Vec<Vec<u8>>) -> Vec<u8> {
    let mut messages = Vec::new();
    for mut datagram in flight {
        // A plaintext hello precedes them.
        let mut rest = &mut datagram[..];
        while rest.first() == Some(&ContentType::Handshake.number()) {
            rest = crate::record::Record::split_first(rest).unwrap().1;
        }
        if !rest.is_empty() {
            messages.extend(opened(by, rest).2);
        }
    }
    messages
}

#[test]
fn retransmitted_flight_has_the_same_signature() {
    // ECDSA signatures are randomised, so a second one would differ.
    let mut pair = before_the_final_flight();
    datagrams(&mut pair.client);
    let (mut of_server, mut of_client) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        pair.now += pair.server.link.rto;
        pair.server.handle_timeout(pair.now);
        pair.client.handle_timeout(pair.now);
        let [server, client] = [datagrams(&mut pair.server), datagrams(&mut pair.client)];
        of_server.push(messages_of_flight(&mut pair.client, server));
        of_client.push(messages_of_flight(&mut pair.server, client));
    }
    for sent in [of_server, of_client] {
        assert!(sent[0].len() > 300 && sent[0] == sent[1] && sent[1] == sent[2]);
    }
}

#[test]
fn empty_ack_causes_a_retransmission() {
    let mut pair = before_the_final_flight();
    // The timeout of the ninth transmission has doubled, so an ACK can precede it.
    for _ in 0..8 {
        pair.now += pair.server.link.rto;
        pair.server.handle_timeout(pair.now);
    }
    datagrams(&mut pair.server);
    let mut ask = |after: Duration| {
        pair.now += after;
        let mut ack = record(&mut pair.client, Epoch::Handshake, ContentType::Ack, &[0, 0]);
        pair.server.handle_input(pair.now, &mut ack);
        datagrams(&mut pair.server).len()
    };
    let moment = Duration::from_millis(1);
    let rto = Duration::from_millis(400);
    assert_eq!(ask(rto.saturating_sub(moment)), 0, "the flight may still arrive");
    assert!(ask(moment) > 0);
    assert_eq!(ask(moment), 0);
}

//= rfc9147bis-8-nothing-after-update
#[test]
fn key_update_is_the_last_message_of_its_epoch() {
    let mut pair = pair();
    pair.client.update_keys(pair.now).unwrap();
    let [mut update] = <[Vec<u8>; 1]>::try_from(datagrams(&mut pair.client)).unwrap();
    // This causes another KeyUpdate.
    pair.server.update_keys(pair.now).unwrap();
    for mut datagram in datagrams(&mut pair.server) {
        pair.client.handle_input(pair.now, &mut datagram);
    }
    let answers = datagrams(&mut pair.client);
    assert_eq!(answers.len(), 1);
    let (_, content_type, _) = opened(&mut pair.server, &mut answers[0].clone());
    assert_eq!(content_type, ContentType::Ack);
    // After the first one is acknowledged, the second one follows in the next epoch.
    pair.server.handle_input(pair.now, &mut update);
    let mut acks = datagrams(&mut pair.server);
    pair.client.handle_input(pair.now, &mut acks[0]);
    assert_eq!(datagrams(&mut pair.client).first().map(|owed| owed[0] & 0b11), Some(0), "epoch 4");
}

//= rfc9147bis-8-last-of-its-epoch
#[test]
fn message_with_old_keys_after_a_key_update_is_refused() {
    // A ticket would be allowed elsewhere. Behind the KeyUpdate, and before it.
    for is_behind in [true, false] {
        let mut pair = pair();
        let expected = next(&pair.client);
        let update = message(24, expected, &[0]);
        let ticket = message(4, expected + 1, &[7; 40]);
        let contents = if is_behind { [update, ticket] } else { [ticket, update] };
        let [first, second] =
            contents.map(|content| record(&mut pair.server, FIRST, ContentType::Handshake, &content));
        pair.client.handle_input(pair.now, &mut first.clone());
        assert!(pair.client.is_connected());
        pair.client.handle_input(pair.now, &mut second.clone());
        let unexpected = Failure::Peer(Misbehaved::UnexpectedMessage);
        assert_eq!(failure(&mut pair.client), Some(unexpected), "behind: {is_behind}");
        // Both records were protected by hand, so the server's read keys are unchanged.
        let alert = datagrams(&mut pair.client).pop().unwrap();
        let (_, _, alert) = opened(&mut pair.server, &mut alert.clone());
        assert_eq!(alert, [2, AlertDescription::UNEXPECTED_MESSAGE.0]);
    }
}

#[test]
fn message_behind_a_key_update_in_its_record_is_refused() {
    let mut pair = pair();
    let expected = next(&pair.server);
    let content = [message(24, expected, &[0]), message(24, expected + 1, &[0])].concat();
    let datagram = record(&mut pair.client, FIRST, ContentType::Handshake, &content);
    let unexpected = Misbehaved::UnexpectedMessage;
    assert_ends(&mut pair, datagram, unexpected, AlertDescription::UNEXPECTED_MESSAGE);
}

//= rfc9147-9-violation
#[test]
fn unknown_handshake_messages_are_unexpected() {
    // Hellos, a CertificateRequest, and a ticket from a client.
    for kind in [0, 1, 2, 4, 13, 20] {
        let mut pair = pair();
        let content = message(kind, next(&pair.server), &[0; 40]);
        let datagram = record(&mut pair.client, FIRST, ContentType::Handshake, &content);
        let unexpected = Misbehaved::UnexpectedMessage;
        assert_ends(&mut pair, datagram, unexpected, AlertDescription::UNEXPECTED_MESSAGE);
    }
}

#[test]
fn invalid_key_update_is_illegal() {
    for (body, fault, alert) in [
        (&[2][..], Misbehaved::IllegalKeyUpdate, AlertDescription::ILLEGAL_PARAMETER),
        (&[0, 0], Misbehaved::Malformed, AlertDescription::DECODE_ERROR),
        (&[], Misbehaved::Malformed, AlertDescription::DECODE_ERROR),
    ] {
        let mut pair = pair();
        let content = message(24, next(&pair.server), body);
        let datagram = record(&mut pair.client, FIRST, ContentType::Handshake, &content);
        assert_ends(&mut pair, datagram, fault, alert);
    }
}

//= rfc9147-5.10-after-close
#[test]
fn records_after_a_close_are_ignored() {
    let mut pair = pair();
    let close = [1, AlertDescription::CLOSE_NOTIFY.0];
    let mut close = record(&mut pair.client, FIRST, ContentType::Alert, &close);
    let mut data = record(&mut pair.client, FIRST, ContentType::ApplicationData, b"too late");
    pair.server.handle_input(pair.now, &mut close);
    pair.server.handle_input(pair.now, &mut data);
    let events: Vec<_> = std::iter::from_fn(|| pair.server.poll_event()).collect();
    assert_eq!(events, [Event::PeerClosing]);
    assert_eq!(pair.server.stats().discarded(Discard::AfterClose), 1);
}

//= rfc9147-4.2.1-no-epoch-wrap
//= rfc9147-4.2.1-new-association
//= rfc9147-6.1-no-wrap
//= rfc9147-8-epoch-limit
//= rfc9147bis-8-epoch-limit-checked
#[test]
fn epochs_never_wrap() {
    let mut pair = pair();
    connected13(&mut pair.client).skip_to_writing(u16::MAX);
    assert_eq!(pair.client.update_keys(pair.now), Err(Error::KeyExhausted));
    connected13(&mut pair.server).skip_to_reading(u16::MAX);
    let update = message(24, next(&pair.server), &[0]);
    let mut datagram = record(&mut pair.client, FIRST, ContentType::Handshake, &update);
    pair.server.handle_input(pair.now, &mut datagram);
    let events: Vec<_> = std::iter::from_fn(|| pair.server.poll_event()).collect();
    assert!(events.contains(&Event::Closed(ClosedBy::Us)), "{events:?}");
}
