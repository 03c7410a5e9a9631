//! What goes on after a handshake of DTLS 1.3: acknowledgements, KeyUpdate, tickets (RFC 9147 sections 7 and 8).

use super::Connection;
use super::receive::Keys;
use super::state::{Established, State};
use crate::codec::Malformed;
use crate::config::DtlsRole;
use crate::connected::Connected;
use crate::discard::Discard;
use crate::dtls13::ack::{self, Received};
use crate::error::Error;
use crate::event::{Admitted, Event};
use crate::failure::{Failure, Misbehaved, Operation};
use crate::handshake::flight::Flight;
use crate::handshake::reassembly::Reassembly;
use crate::handshake::transcript::Transcript;
use crate::handshake::{Fragment, HandshakeType, Message, Outgoing};
use crate::message::key_update::KeyUpdate;
use crate::record::epochs::FIRST_APPLICATION_EPOCH;
use crate::record::protect::Epoch;
use crate::record::{ContentType, RecordNumber};
use crate::timer::Timer;

/// What both sides may still say to each other.
pub(super) struct PostHandshake {
    pub(super) reassembly: Reassembly,
    pub(super) outgoing: Outgoing,
    pub(super) received: Received,
    pub(super) outstanding: Outstanding,
    /// The peer asked for a KeyUpdate of ours while something else was outstanding.
    update_wanted: bool,
}

/// What of ours is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outstanding {
    Nothing,
    /// The client's last flight of the handshake.
    FinalFlight,
    KeyUpdate,
}

impl PostHandshake {
    /// What the handshake leaves: the server's received records are to be acknowledged, the client's own are
    /// outstanding.
    pub(super) fn new(
        role: DtlsRole,
        reassembly: Reassembly,
        mut outgoing: Outgoing,
        mut received: Received,
    ) -> Self {
        outgoing.transcript = Transcript::default();
        let (received, outstanding) = match role {
            DtlsRole::Client => (Received::default(), Outstanding::FinalFlight),
            DtlsRole::Server => {
                outgoing.flight = Flight::default();
                // Under the keys of the application it says that we are connected.
                received.tell_again();
                (received, Outstanding::Nothing)
            }
        };
        Self { reassembly, outgoing, received, outstanding, update_wanted: false }
    }
}

impl Connection {
    /// A handshake record of the peer was used.
    pub(super) fn note_received(&mut self, number: RecordNumber) {
        match &mut self.state {
            State::Handshaking(handshaking) if handshaking.machine.notes_records() => {
                handshaking.received.note(number);
            }
            State::Connected(Established { post: Some(post), .. }) => post.received.note(number),
            _ => {}
        }
    }

    /// At the end of a datagram: is there something to acknowledge, now or soon? (RFC 9147 section 7.1)
    pub(super) fn settle_acknowledgements(&mut self) {
        match &self.state {
            State::Handshaking(handshaking)
                if handshaking.received.has_news() && handshaking.machine.is_dtls13_protected() =>
            {
                if handshaking.reassembly.is_disrupted() {
                    self.send_ack();
                } else if !self.timers.is_set(Timer::Acknowledge) {
                    self.timers.set(Timer::Acknowledge, self.now, self.rto / 4);
                }
            }
            State::Connected(Established { post: Some(post), .. }) if post.received.has_news() => {
                self.send_ack();
            }
            _ => {}
        }
    }

    pub(super) fn send_ack(&mut self) {
        self.timers.stop(Timer::Acknowledge);
        // The peer repeats what is not acknowledged, so nothing is lost by waiting until somebody fetches.
        if self.is_outbox_full() {
            return;
        }
        let (epoch, received) = match &mut self.state {
            State::Handshaking(handshaking) => (Epoch::Handshake, &mut handshaking.received),
            State::Connected(established) => {
                let epoch = established.connected.epoch();
                let Some(post) = &mut established.post else { return };
                (epoch, &mut post.received)
            }
            _ => return,
        };
        let room = self.config.mtu.saturating_sub(self.records.overhead(epoch));
        let content = received.encode(room);
        received.told();
        let out = self.outbox.datagram();
        if self.records.write(epoch, ContentType::Ack, &content, out).is_ok() {
            self.finish_datagram();
        } else {
            self.outbox.abandon_datagram();
        }
        if let State::Connected(Established { post: Some(post), .. }) = &mut self.state {
            post.received.clear();
        }
    }

    /// An ACK that the peer protected.
    pub(super) fn receive_ack(&mut self, epoch: u16, content: &[u8]) {
        let Ok(numbers) = ack::decode(content) else {
            return self.fail(Misbehaved::Malformed.into());
        };
        // Both sides go through the epochs of the handshake together; afterwards each side counts its own.
        if epoch < FIRST_APPLICATION_EPOCH && numbers.clone().any(|number| number.epoch > epoch) {
            return self.fail(Misbehaved::ImpossibleAck.into());
        }
        let (now, rto) = (self.now, self.rto);
        let Some(flight) = self.flight_in_the_air() else { return };
        // The peer has nothing that it could name, and waits (RFC 9147 section 7.1).
        if numbers.clone().next().is_none() && flight.may_repeat(now, rto) {
            return self.repeat_flight();
        }
        let is_news = flight.acknowledge(numbers);
        if flight.is_acknowledged() {
            self.timers.stop(Timer::Retransmit);
            if self.outstanding() == Some(Outstanding::KeyUpdate) {
                self.complete_outstanding();
            }
        } else if is_news && flight.has_lost() {
            self.resend_lost();
        }
    }

    /// An ACK that anybody could have sent: it never suppresses anything. It means nothing before both sides have
    /// settled for DTLS 1.3, nor where it names records that were protected.
    pub(super) fn receive_plaintext_ack(&mut self, content: &[u8]) -> Admitted {
        let rto = self.rto;
        let now = self.now;
        let is_possible =
            ack::decode(content).is_ok_and(|mut numbers| numbers.all(|number| number.epoch == 0));
        let may_repeat = match &self.state {
            State::Handshaking(handshaking) if is_possible && handshaking.machine.has_settled_dtls13() => {
                handshaking.outgoing.flight.may_repeat(now, rto)
            }
            _ => false,
        };
        if may_repeat {
            self.repeat_flight();
        }
        self.discard(Discard::PlaintextAck)
    }

    fn outstanding(&self) -> Option<Outstanding> {
        self.established()?.post.as_ref().map(|post| post.outstanding)
    }

    /// A record of this epoch authenticated. A server that has the client's last flight may still judge it; it is
    /// connected when it says something under the keys of the application.
    pub(super) fn note_server_connected(&mut self, epoch: u16) {
        if epoch >= FIRST_APPLICATION_EPOCH
            && let State::Connected(Established { post: Some(post), .. }) = &self.state
            && post.outstanding == Outstanding::FinalFlight
            && post.outgoing.flight.is_acknowledged()
        {
            self.complete_outstanding();
        }
    }

    fn flight_in_the_air(&mut self) -> Option<&mut Flight> {
        match &mut self.state {
            State::Handshaking(handshaking) => Some(&mut handshaking.outgoing.flight),
            State::Connected(Established { post: Some(post), .. }) => Some(&mut post.outgoing.flight),
            _ => None,
        }
    }

    /// Everything of ours was acknowledged.
    fn complete_outstanding(&mut self) {
        let State::Connected(established) = &mut self.state else { return };
        let Established { connected: Connected::Dtls13(connected), post: Some(post), .. } = established
        else {
            return;
        };
        post.outgoing.flight = Flight::default();
        match std::mem::replace(&mut post.outstanding, Outstanding::Nothing) {
            Outstanding::Nothing => {}
            Outstanding::FinalFlight => {
                // The server has the whole handshake, so nothing of epoch 2 is sent any more by either side.
                let epochs = self.records.epochs();
                epochs.end_writing_below(FIRST_APPLICATION_EPOCH);
                epochs.end_reading_below(FIRST_APPLICATION_EPOCH);
                self.timers.stop(Timer::FinalFlight);
                self.events.push(Event::FinalFlightReleased);
            }
            Outstanding::KeyUpdate => {
                let Some((epoch, key)) = connected.advance_writing() else {
                    return self.fail(Failure::Crypto(Operation::Seal));
                };
                let epochs = self.records.epochs();
                epochs.begin_writing(epoch, key);
                epochs.end_writing_below(epoch);
            }
        }
        self.answer_update_request();
    }

    fn answer_update_request(&mut self) {
        if let State::Connected(Established { post: Some(post), .. }) = &mut self.state
            && post.update_wanted
            && post.outstanding == Outstanding::Nothing
        {
            post.update_wanted = false;
            // Without another epoch the wish is ignored, as RFC 9147 section 8 asks for.
            if self.can_update_keys() {
                self.begin_key_update(KeyUpdate::NotRequested);
            }
        }
    }

    /// The client's last flight is no longer repeated, although nobody acknowledged it.
    pub(super) fn give_up_final_flight(&mut self) {
        match (&mut self.state, self.role) {
            (State::Connected(Established { post: Some(post), .. }), DtlsRole::Client)
                if post.outstanding == Outstanding::FinalFlight =>
            {
                post.outstanding = Outstanding::Nothing;
                post.outgoing.flight = Flight::default();
                self.timers.stop(Timer::Retransmit);
                let epochs = self.records.epochs();
                epochs.end_writing_below(FIRST_APPLICATION_EPOCH);
                epochs.end_reading_below(FIRST_APPLICATION_EPOCH);
                self.answer_update_request();
            }
            (State::Connected(Established { post: Some(_), .. }), DtlsRole::Server) => {
                // Nobody repeats a handshake that is so old.
                self.records.epochs().end_reading_below(FIRST_APPLICATION_EPOCH);
            }
            _ => {}
        }
    }

    /// New keys for what we send, and by our wish for what the peer sends.
    pub(super) fn request_key_update(&mut self) -> Result<(), Error> {
        match &self.state {
            State::Connected(Established { post: None, .. }) => Err(Error::NoKeyUpdate),
            State::Connected(Established { post: Some(post), .. })
                if post.outstanding != Outstanding::Nothing =>
            {
                Err(Error::WouldBlock)
            }
            State::Connected(_) if !self.can_update_keys() => Err(Error::KeyExhausted),
            State::Connected(_) => {
                self.begin_key_update(KeyUpdate::Requested);
                Ok(())
            }
            State::Idle { .. } | State::Handshaking(_) => Err(Error::NotConnected),
            State::Closed | State::Failed => Err(Error::Closed),
        }
    }

    /// Keys that have sealed much are replaced, one KeyUpdate at a time (RFC 9147 section 8).
    pub(super) fn replace_worn_key(&mut self) {
        if let State::Connected(Established { post: Some(post), .. }) = &self.state
            && post.outstanding == Outstanding::Nothing
            && self.records.epochs().is_worn()
            && self.can_update_keys()
        {
            self.begin_key_update(KeyUpdate::NotRequested);
        }
    }

    /// A key that has sealed all that it may, and has no successor, ends the association (RFC 9147 section 4.5.3).
    pub(super) fn end_spent_key(&mut self) {
        if self.has_key_updates() && self.records.epochs().is_spent() {
            self.close_by_us();
        }
    }

    pub(super) const fn has_key_updates(&self) -> bool {
        matches!(self.state, State::Connected(Established { post: Some(_), .. }))
    }

    /// Whether the keys of DTLS 1.3 are there.
    pub(super) fn is_dtls13(&self) -> bool {
        match &self.state {
            State::Handshaking(handshaking) => handshaking.machine.is_dtls13_protected(),
            _ => self.has_key_updates(),
        }
    }

    /// Forgeries have us ask for new keys, and never end anything.
    pub(super) fn replace_forged_key(&mut self) {
        if self.records.epochs().note_forgery()
            && self.outstanding() == Some(Outstanding::Nothing)
            && self.can_update_keys()
        {
            self.begin_key_update(KeyUpdate::Requested);
        }
    }

    /// Whether there is another epoch, and a message to begin it with (RFC 9147 section 8).
    fn can_update_keys(&self) -> bool {
        let State::Connected(Established {
            connected: Connected::Dtls13(connected), post: Some(post), ..
        }) = &self.state
        else {
            return false;
        };
        connected.writing() < u16::MAX && post.outgoing.has_sequence()
    }

    fn begin_key_update(&mut self, request: KeyUpdate) {
        let State::Connected(established) = &mut self.state else { return };
        let epoch = established.connected.epoch();
        let Some(post) = &mut established.post else { return };
        post.outstanding = Outstanding::KeyUpdate;
        post.outgoing.flight.begin();
        post.outgoing.push(epoch, HandshakeType::KEY_UPDATE, |writer| request.write(writer));
        post.outgoing.transcript.restart();
        self.transmit_flight();
    }

    /// A handshake message under the keys of the application, or a repeated one under those of the handshake.
    pub(super) fn receive_post_handshake(&mut self, fragment: &Fragment<'_>, keys: Keys) -> Admitted {
        let State::Connected(Established { post: Some(post), .. }) = &mut self.state else {
            return self.discard(Discard::UnexpectedMessage);
        };
        if fragment.sequence < post.reassembly.next() {
            return self.discard(Discard::RepeatedMessage);
        }
        if keys != Keys::Newest {
            self.fail(Misbehaved::UnexpectedMessage.into());
            return Admitted::Authenticated;
        }
        if let Err(reason) = post.reassembly.insert(fragment, true, &self.config.limits) {
            return self.discard(reason);
        }
        while let State::Connected(Established { post: Some(post), .. }) = &mut self.state
            && let Some(assembled) = post.reassembly.take_complete()
        {
            post.reassembly.advance();
            self.handle_post_handshake(&assembled.message());
        }
        Admitted::Authenticated
    }

    fn handle_post_handshake(&mut self, message: &Message<'_>) {
        match (message.kind, self.role) {
            (HandshakeType::KEY_UPDATE, _) => match KeyUpdate::decode(message.body) {
                Ok(request) => self.obey_key_update(request),
                Err(Malformed) => self.fail(Misbehaved::Malformed.into()),
            },
            // Acknowledged like everything else, and not used: nothing is resumed.
            (HandshakeType::NEW_SESSION_TICKET, DtlsRole::Client) => {}
            _ => self.fail(Misbehaved::UnexpectedMessage.into()),
        }
    }

    /// The peer sends under new keys from the moment that our ACK reaches it. The old ones read until something
    /// under the new ones has arrived.
    fn obey_key_update(&mut self, request: KeyUpdate) {
        let State::Connected(Established {
            connected: Connected::Dtls13(connected), post: Some(post), ..
        }) = &mut self.state
        else {
            return;
        };
        // One at a time, and the last message of its epoch: the next one comes under the keys that this one begins.
        if !self.records.epochs().newest_is_heard() || post.reassembly.holds_protected() {
            return self.fail(Misbehaved::UnexpectedMessage.into());
        }
        // Epochs are used up, which ends the association (RFC 9147 section 8).
        let Some((epoch, key)) = connected.advance_reading() else { return self.close_by_us() };
        self.records.epochs().begin_reading(epoch, key);
        if request == KeyUpdate::Requested {
            post.update_wanted = true;
            self.answer_update_request();
        }
    }

    /// A record of this epoch authenticated.
    pub(super) fn note_epoch(&mut self, epoch: u16) {
        if epoch > FIRST_APPLICATION_EPOCH {
            self.records.epochs().end_reading_below(epoch);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::certificate::Certificate;
    use crate::config::{Authentication, Config, PeerPolicy, Versions};
    use crate::event::ClosedBy;
    use crate::record::epochs::Wear;
    use std::time::{Duration, Instant, SystemTime};

    const WEAR: Wear = Wear { update_after: 100, end_after: 200, forgeries: 50 };

    pub(in crate::connection) struct Pair {
        pub(in crate::connection) now: Instant,
        pub(in crate::connection) client: Connection,
        pub(in crate::connection) server: Connection,
    }

    /// Connected, and with keys that wear out soon.
    pub(in crate::connection) fn pair() -> Pair {
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
            connection.records.epochs().wear = WEAR;
        }
        pair
    }

    impl Pair {
        pub(in crate::connection) fn exchange(&mut self) {
            let mut bytes = Vec::new();
            loop {
                let before = (self.client.stats.datagrams_sent, self.server.stats.datagrams_sent);
                while self.client.poll_transmit(&mut bytes).is_some() {
                    self.server.handle_input(self.now, &mut std::mem::take(&mut bytes));
                }
                while self.server.poll_transmit(&mut bytes).is_some() {
                    self.client.handle_input(self.now, &mut std::mem::take(&mut bytes));
                }
                if before == (self.client.stats.datagrams_sent, self.server.stats.datagrams_sent) {
                    return;
                }
            }
        }
    }

    fn writing(connection: &Connection) -> Epoch {
        connection.established().unwrap().connected.epoch()
    }

    //= rfc9147-4.2.1-rekey-or-abandon
    //= rfc9147-4.5.3-update-before-limit
    #[test]
    fn a_worn_key_is_replaced_by_itself() {
        let mut pair = pair();
        for _ in 0..WEAR.update_after * 5 {
            pair.client.send(pair.now, b"data").unwrap();
            pair.exchange();
            assert!(matches!(pair.server.poll_event(), Some(Event::Data(data)) if data == b"data"[..]));
        }
        let Epoch::Application(epoch) = writing(&pair.client) else { panic!("DTLS 1.3") };
        assert!((7..=8).contains(&epoch), "{epoch}");
        assert_eq!(writing(&pair.server), Epoch::Application(FIRST_APPLICATION_EPOCH), "nobody asked it to");
    }

    //= rfc9147-4.2.1-rekey-or-abandon
    #[test]
    fn a_key_whose_update_nobody_acknowledges_ends_cleanly_before_its_limit() {
        let mut pair = pair();
        let mut bytes = Vec::new();
        let mut sent = 0;
        while pair.client.send(pair.now, b"data").is_ok() {
            bytes.clear();
            while pair.client.poll_transmit(&mut bytes).is_some() {}
            sent += 1;
        }
        assert!(sent <= WEAR.end_after);
        assert_eq!(pair.client.poll_event(), Some(Event::Closed(ClosedBy::Us)));
        assert_eq!(pair.client.send(pair.now, b"data"), Err(Error::Closed));
    }

    //= rfc9147-4.5.3-count-forgeries
    //= rfc9147-4.5.3-update-before-forgery-limit
    #[test]
    fn forgeries_make_it_ask_for_new_keys_and_never_end_it() {
        let mut pair = pair();
        for round in 1..=4 {
            for _ in 0..WEAR.forgeries {
                let mut forged = [&[0b0010_1111, 0, 0, 0, 40][..], &[7; 40]].concat();
                forged[0] = 0b0010_1100 | u8::try_from((FIRST_APPLICATION_EPOCH + round - 1) & 3).unwrap();
                pair.client.handle_input(pair.now, &mut forged);
            }
            pair.exchange();
            assert_eq!(writing(&pair.server), Epoch::Application(FIRST_APPLICATION_EPOCH + round));
            pair.server.send(pair.now, b"data").unwrap();
            pair.exchange();
        }
        assert!(pair.client.is_connected() && pair.server.is_connected());
    }

    #[test]
    fn updates_that_cross_leave_both_sides_with_new_keys() {
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
    fn without_another_message_number_there_is_no_update_and_a_wish_is_ignored() {
        let mut pair = pair();
        let State::Connected(Established { post: Some(post), .. }) = &mut pair.server.state else {
            panic!("connected")
        };
        post.outgoing.use_up_sequence();
        assert_eq!(pair.server.update_keys(pair.now), Err(Error::KeyExhausted));
        pair.client.update_keys(pair.now).unwrap();
        pair.exchange();
        assert_eq!(writing(&pair.client), Epoch::Application(FIRST_APPLICATION_EPOCH + 1));
        assert_eq!(writing(&pair.server), Epoch::Application(FIRST_APPLICATION_EPOCH));
        assert!(pair.client.is_connected() && pair.server.is_connected());
    }

    //= rfc9147bis-5.2-message-seq-association
    #[test]
    fn without_another_message_number_a_spent_key_ends_the_association() {
        let mut pair = pair();
        let State::Connected(Established { post: Some(post), .. }) = &mut pair.client.state else {
            panic!("connected")
        };
        post.outgoing.use_up_sequence();
        for _ in 0..WEAR.end_after {
            pair.client.send(pair.now, b"data").unwrap();
            pair.exchange();
        }
        assert_eq!(pair.client.send(pair.now, b"data"), Err(Error::Closed));
        assert!(
            std::iter::from_fn(|| pair.server.poll_event())
                .any(|event| event == Event::Closed(ClosedBy::Peer))
        );
    }

    #[test]
    fn a_second_update_under_the_old_keys_is_refused_so_that_epochs_cannot_pile_up() {
        let mut pair = pair();
        for _ in 0..2 {
            pair.client.update_keys(pair.now).unwrap();
            let mut bytes = Vec::new();
            while pair.client.poll_transmit(&mut bytes).is_some() {
                pair.server.handle_input(pair.now, &mut std::mem::take(&mut bytes));
            }
            // The client does not wait for the ACK.
            let State::Connected(Established { post: Some(post), .. }) = &mut pair.client.state else {
                panic!("connected")
            };
            post.outstanding = Outstanding::Nothing;
        }
        let mut events = std::iter::from_fn(|| pair.server.poll_event());
        let unexpected = Failure::Peer(Misbehaved::UnexpectedMessage);
        assert!(events.any(|event| event == Event::Failed(unexpected)));
    }

    #[test]
    fn the_keys_and_the_flight_of_the_handshake_are_gone_from_a_client_that_was_acknowledged() {
        let mut pair = pair();
        assert!(!pair.client.records.can_read(2));
        assert!(pair.server.records.can_read(2), "the client's last flight may come again");
        pair.server.handle_timeout(pair.now + Duration::from_secs(240));
        assert!(!pair.server.records.can_read(2));
        assert_eq!(pair.server.poll_timeout(), None);
    }
}
