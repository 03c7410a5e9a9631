//! Key usage limits: records that a key protects, and authentication failures (RFC 9147 section 4.5.3). In DTLS 1.3 a
//! KeyUpdate replaces the key; in DTLS 1.2 the application is told in time.

use super::{Established, Version};
use crate::dtls13::established::KeyChange;
use crate::end::End;
use crate::event::Event;
use crate::link::Link;
use crate::message::key_update::KeyUpdate;

/// Half of the integrity limit of RFC 9147 section 4.5.3 for ChaCha20-Poly1305 and AES-GCM (2^36).
const MANY_AUTHENTICATION_FAILURES: u64 = 1 << 35;

impl Established {
    /// Checks the limits after the newest key has protected a record.
    #[inline]
    pub(crate) fn check_key_limits(&mut self, link: &mut Link) -> Result<(), End> {
        if link.records.is_near_limit() { self.on_key_limit(link) } else { Ok(()) }
    }

    /// Starts a KeyUpdate near the confidentiality limit, one at a time (RFC 9147 section 8). Closes the association when
    /// the key is at its limit and has no successor.
    fn on_key_limit(&mut self, link: &mut Link) -> Result<(), End> {
        let Version::Dtls13(established) = &mut self.version else {
            self.announce_key_limit(link);
            return Ok(());
        };
        if established.update_keys(KeyUpdate::NotRequested, link)? == KeyChange::Impossible {
            self.announce_key_limit(link);
        }
        if link.records.epochs().is_at_limit() { Err(End::Closed(self.closer())) } else { Ok(()) }
    }

    /// Handles an authentication failure that was counted. `is_near_limit` tells that a key of DTLS 1.3 is near its
    /// integrity limit: new keys are then requested. Authentication failures never end a connection.
    pub(crate) fn on_authentication_failure(
        &mut self,
        is_near_limit: bool,
        link: &mut Link,
    ) -> Result<(), End> {
        match &mut self.version {
            Version::Dtls12(_) => {
                if link.stats.authentication_failures >= MANY_AUTHENTICATION_FAILURES {
                    self.announce_key_limit(link);
                }
            }
            Version::Dtls13(established) if is_near_limit => {
                match established.update_keys(KeyUpdate::Requested, link)? {
                    KeyChange::Begun => link.records.epochs().reset_authentication_failures(),
                    KeyChange::Waits => {}
                    KeyChange::Impossible => self.announce_key_limit(link),
                }
            }
            Version::Dtls13(_) => {}
        }
        Ok(())
    }

    fn announce_key_limit(&mut self, link: &mut Link) {
        if !self.key_limit_announced {
            self.key_limit_announced = true;
            link.events.push(Event::RekeyNeeded);
        }
    }
}
