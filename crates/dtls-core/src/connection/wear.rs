//! Keys wear out, by what they seal and by what is forged under them (RFC 9147 section 4.5.3). In DTLS 1.3 a KeyUpdate
//! replaces them, in DTLS 1.2 the application is told in time.

use super::Connection;
use super::post_handshake::Outstanding;
use super::state::State;
use crate::event::Event;
use crate::message::key_update::KeyUpdate;

impl Connection {
    /// Something was sealed under the newest key.
    #[inline]
    pub(super) fn mind_wear(&mut self) {
        if self.records.is_worn() {
            self.relieve_worn_key();
        }
    }

    fn relieve_worn_key(&mut self) {
        if self.has_key_updates() {
            self.replace_worn_key();
            self.end_spent_key();
        } else {
            self.announce_wear();
        }
    }

    /// Keys that have sealed much are replaced, one KeyUpdate at a time (RFC 9147 section 8).
    fn replace_worn_key(&mut self) {
        if self.outstanding() != Some(Outstanding::Nothing) {
            return;
        }
        if self.can_update_keys() {
            self.begin_key_update(KeyUpdate::NotRequested);
        } else {
            self.announce_wear();
        }
    }

    /// A key that has sealed all that it may, and has no successor, ends the association (RFC 9147 section 4.5.3).
    fn end_spent_key(&mut self) {
        if self.records.epochs().is_spent() {
            self.close_by_us();
        }
    }

    /// In DTLS 1.3 each key has a count of its own.
    pub(super) fn count_forgery(&mut self, epoch_bits: Option<u8>) {
        /// Half of what RFC 9147 section 4.5.3 allows for ChaCha20-Poly1305 and AES-GCM (2^36).
        const MANY_FORGERIES: u64 = 1 << 35;
        self.stats.forgeries = self.stats.forgeries.saturating_add(1);
        if self.records.note_forgery(epoch_bits) {
            self.replace_forged_key();
        } else if !self.has_key_updates() && self.stats.forgeries >= MANY_FORGERIES {
            self.announce_wear();
        }
    }

    /// Forgeries have us ask for new keys, and never end anything.
    fn replace_forged_key(&mut self) {
        if self.outstanding() != Some(Outstanding::Nothing) {
            return;
        }
        if self.can_update_keys() {
            self.records.epochs().forget_forgeries();
            self.begin_key_update(KeyUpdate::Requested);
        } else {
            self.announce_wear();
        }
    }

    fn announce_wear(&mut self) {
        if let State::Connected(established) = &mut self.state
            && !established.wear_announced
        {
            established.wear_announced = true;
            self.events.push(Event::RekeyNeeded);
        }
    }
}
