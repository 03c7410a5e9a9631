//! New keys by KeyUpdate (RFC 9147 section 8): one at a time, by wish, by wear and by the peer's wish.

use super::Connection;
use super::post_handshake::Outstanding;
use super::state::{Established, State};
use crate::connected::Connected;
use crate::error::Error;
use crate::failure::Misbehaved;
use crate::handshake::HandshakeType;
use crate::message::key_update::KeyUpdate;
use crate::record::epochs::FIRST_APPLICATION_EPOCH;

impl Connection {
    /// New keys for what we send, and by our wish for what the peer sends.
    pub(super) fn request_key_update(&mut self) -> Result<(), Error> {
        match &self.state {
            State::Connected(established) if !established.directions.may_send() => Err(Error::Closed),
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

    pub(super) const fn has_key_updates(&self) -> bool {
        matches!(self.state, State::Connected(Established { post: Some(_), .. }))
    }

    /// Whether there is another epoch, and a message that may begin it (RFC 9147 section 8).
    pub(super) fn can_update_keys(&self) -> bool {
        let State::Connected(Established {
            connected: Connected::Dtls13(connected),
            post: Some(post),
            directions,
            ..
        }) = &self.state
        else {
            return false;
        };
        directions.may_send() && connected.writing() < u16::MAX && post.outgoing.has_sequence()
    }

    pub(super) fn begin_key_update(&mut self, request: KeyUpdate) {
        let State::Connected(established) = &mut self.state else { return };
        let epoch = established.connected.epoch();
        let Some(post) = &mut established.post else { return };
        post.outstanding = Outstanding::KeyUpdate;
        post.outgoing.flight.begin();
        post.outgoing.push(epoch, HandshakeType::KEY_UPDATE, |writer| request.write(writer));
        post.outgoing.transcript.restart();
        self.transmit_flight();
    }

    pub(super) fn answer_update_request(&mut self) {
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

    /// The peer sends under new keys from the moment that our ACK reaches it. The old ones read until something
    /// under the new ones has arrived.
    pub(super) fn obey_key_update(&mut self, request: KeyUpdate) {
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
    use crate::config::DtlsRole;
    use crate::config::{Authentication, Config, PeerPolicy, Versions};
    use crate::event::{ClosedBy, Event};
    use crate::failure::Failure;
    use crate::record::ContentType;
    use crate::record::epochs::Wear;
    use crate::record::protect::Epoch;
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
    fn each_key_bears_its_own_forgeries_and_a_former_one_ends_by_them() {
        let mut pair = pair();
        let server = &mut pair.server;
        assert!(server.records.can_read(2), "kept for the client's last flight");
        // Those under a former key do not wear the newest one out.
        for _ in 1..WEAR.forgeries {
            server.handle_input(pair.now, &mut forge(2));
            server.handle_input(pair.now, &mut forge(3));
        }
        assert!(server.records.can_read(2) && server.outstanding() == Some(Outstanding::Nothing));
        server.handle_input(pair.now, &mut forge(2));
        assert!(!server.records.can_read(2) && server.records.can_read(3));
        assert_eq!(server.outstanding(), Some(Outstanding::Nothing));
        server.handle_input(pair.now, &mut forge(3));
        assert_eq!(server.outstanding(), Some(Outstanding::KeyUpdate));
        assert!(server.records.can_read(3), "the newest one stays");
        assert_eq!(server.stats.forgeries, 2 * WEAR.forgeries);
        pair.exchange();
        assert!(pair.client.is_connected() && pair.server.is_connected());
    }

    #[test]
    fn a_forgery_of_which_nobody_knows_whose_it_was_counts_against_each_key() {
        let mut pair = pair();
        for _ in 0..WEAR.forgeries {
            pair.server.note_forgery(pair.now);
        }
        assert!(!pair.server.records.can_read(2) && pair.server.records.can_read(3));
        assert_eq!(pair.server.outstanding(), Some(Outstanding::KeyUpdate));
    }

    #[test]
    fn forgeries_while_another_update_is_outstanding_have_their_turn_after_it() {
        let mut pair = pair();
        pair.server.update_keys(pair.now).unwrap();
        for _ in 0..2 * WEAR.forgeries {
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
    fn nothing_is_kept_of_the_keys_before_an_update() {
        let mut pair = pair();
        pair.client.update_keys(pair.now).unwrap();
        pair.exchange();
        for connection in [&mut pair.client, &mut pair.server] {
            connection.send(pair.now, b"data").unwrap();
        }
        pair.exchange();
        let former = Epoch::Application(FIRST_APPLICATION_EPOCH);
        for connection in [&mut pair.client, &mut pair.server] {
            assert!(!connection.records.can_read(3) && connection.records.can_read(4 & 3));
            let write = connection.records.write(former, ContentType::ApplicationData, b"", &mut Vec::new());
            assert!(write.is_err());
        }
    }

    #[test]
    fn forgeries_ask_once_however_long_the_peer_takes_to_replace_its_key() {
        let mut pair = pair();
        let mut bytes = Vec::new();
        for _ in 0..WEAR.forgeries {
            pair.server.handle_input(pair.now, &mut forge(3));
        }
        let _ = pair.server.poll_transmit(&mut bytes).unwrap();
        pair.client.handle_input(pair.now, &mut std::mem::take(&mut bytes));
        // The client's own KeyUpdate is lost, and its ACK is not.
        let _ = pair.client.poll_transmit(&mut bytes).unwrap();
        bytes.clear();
        let _ = pair.client.poll_transmit(&mut bytes).unwrap();
        pair.server.handle_input(pair.now, &mut std::mem::take(&mut bytes));
        assert_eq!(writing(&pair.server), Epoch::Application(FIRST_APPLICATION_EPOCH + 1));
        for _ in 1..WEAR.forgeries {
            pair.server.handle_input(pair.now, &mut forge(3));
        }
        assert_eq!(pair.server.outstanding(), Some(Outstanding::Nothing));
        pair.server.handle_input(pair.now, &mut forge(3));
        assert_eq!(
            pair.server.outstanding(),
            Some(Outstanding::KeyUpdate),
            "half of what the key bears is over again"
        );
    }

    #[test]
    fn who_cannot_replace_its_keys_tells_the_application_once() {
        for by_forgeries in [true, false] {
            let mut pair = pair();
            let State::Connected(Established { post: Some(post), .. }) = &mut pair.server.state else {
                panic!("connected")
            };
            post.outgoing.use_up_sequence();
            for _ in 0..WEAR.update_after + 50 {
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
        assert!(std::iter::from_fn(|| pair.server.poll_event()).any(|event| event == Event::PeerClosing));
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
