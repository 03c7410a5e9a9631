//! Key usage limits: records that a key protects, and authentication failures (RFC 9147 section 4.5.3). In DTLS 1.3 a
//! KeyUpdate replaces the key; in DTLS 1.2 the application is told in time.

use super::Connection;
use super::post_handshake::Outstanding;
use super::state::State;
use crate::event::Event;
use crate::message::key_update::KeyUpdate;

impl Connection {
    /// Checks the limits after the newest key has protected a record.
    #[inline]
    pub(super) fn check_key_limits(&mut self) {
        if self.records.is_near_limit() {
            self.on_key_limit();
        }
    }

    fn on_key_limit(&mut self) {
        if self.has_key_updates() {
            self.update_key_near_limit();
            self.close_at_key_limit();
        } else {
            self.announce_key_limit();
        }
    }

    /// Starts a KeyUpdate near the confidentiality limit, one at a time (RFC 9147 section 8).
    fn update_key_near_limit(&mut self) {
        if self.outstanding() != Some(Outstanding::Nothing) {
            return;
        }
        if self.can_update_keys() {
            self.begin_key_update(KeyUpdate::NotRequested);
        } else {
            self.announce_key_limit();
        }
    }

    /// Closes the association when the key is at its limit and has no successor (RFC 9147 section 4.5.3).
    fn close_at_key_limit(&mut self) {
        if self.records.epochs().is_at_limit() {
            self.close_by_us();
        }
    }

    /// Counts an authentication failure. In DTLS 1.3 each key has its own count.
    pub(super) fn count_authentication_failure(&mut self, epoch_bits: Option<u8>) {
        /// Half of the integrity limit of RFC 9147 section 4.5.3 for ChaCha20-Poly1305 and AES-GCM (2^36).
        const MANY_AUTHENTICATION_FAILURES: u64 = 1 << 35;
        self.stats.authentication_failures = self.stats.authentication_failures.saturating_add(1);
        if self.records.on_authentication_failure(epoch_bits) {
            self.request_key_near_limit();
        } else if !self.has_key_updates()
            && self.stats.authentication_failures >= MANY_AUTHENTICATION_FAILURES
        {
            self.announce_key_limit();
        }
    }

    /// Requests new keys near the integrity limit. Authentication failures never end a connection.
    fn request_key_near_limit(&mut self) {
        if self.outstanding() != Some(Outstanding::Nothing) {
            return;
        }
        if self.can_update_keys() {
            self.records.epochs().reset_authentication_failures();
            self.begin_key_update(KeyUpdate::Requested);
        } else {
            self.announce_key_limit();
        }
    }

    fn announce_key_limit(&mut self) {
        if let State::Connected(established) = &mut self.state
            && !established.key_limit_announced
        {
            established.key_limit_announced = true;
            self.events.push(Event::RekeyNeeded);
        }
    }
}
