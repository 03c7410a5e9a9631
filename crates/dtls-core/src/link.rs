//! The part of a connection that is the same in every state: configuration, time, record layer, queues, timers and
//! counters.
//!
//! Every state takes it as `&mut Link` and sends and reports with it. Does not know the states.

mod retransmit;

use crate::alert::Alert;
use crate::config::{Config, DtlsRole};
use crate::discard::Discard;
use crate::event::Admitted;
use crate::events::Events;
use crate::outbox::Outbox;
use crate::record::epoch::Epoch;
use crate::record::layer::RecordLayer;
use crate::record::sequence::KeyExhausted;
use crate::record::{ContentType, MAX_CONTENT_LEN};
use crate::stats::Stats;
use crate::timer::Timers;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The link to the peer and to the application.
pub(crate) struct Link {
    pub(crate) config: Arc<Config>,
    pub(crate) role: DtlsRole,
    /// The latest time that the caller passed.
    pub(crate) now: Instant,
    /// The RTO of the first transmission of a flight.
    pub(crate) rto: Duration,
    /// Until then a piggybacking protocol retransmits our flights.
    suspended_until: Option<Instant>,
    /// Whether handling the present record sent a flight, which also acknowledges the record.
    pub(crate) answered: bool,
    pub(crate) records: RecordLayer,
    pub(crate) outbox: Outbox,
    pub(crate) events: Events,
    pub(crate) timers: Timers,
    pub(crate) stats: Stats,
}

impl Link {
    pub(crate) fn new(now: Instant, config: Arc<Config>, role: DtlsRole) -> Self {
        Self {
            rto: config.retransmit.initial_rto,
            outbox: Outbox::with_room(config.mtu.min(MAX_CONTENT_LEN)),
            config,
            role,
            now,
            suspended_until: None,
            answered: false,
            records: RecordLayer::default(),
            events: Events::default(),
            timers: Timers::default(),
            stats: Stats::default(),
        }
    }

    pub(crate) fn discard(&mut self, reason: Discard) -> Admitted {
        tracing::trace!(?reason, "discarded");
        self.stats.count(reason);
        Admitted::Discarded(reason)
    }

    /// Returns whether the queue is so full that requests of the peer add nothing.
    #[inline]
    pub(crate) fn is_outbox_full(&self) -> bool {
        self.outbox.held() > self.config.limits.outgoing
    }

    /// Queues the datagram that was written. Returns whether blocked datagrams leave with it.
    #[inline]
    pub(crate) fn finish_datagram(&mut self) -> bool {
        self.outbox.finish_datagram();
        self.stats.datagrams_sent = self.outbox.finished();
        self.outbox.unblock()
    }

    /// Sends an alert in a datagram of its own.
    pub(crate) fn send_alert(&mut self, epoch: Epoch, alert: Alert) {
        self.outbox.finish_datagram();
        // A blocked flight has no use any more.
        self.outbox.drop_blocked();
        let out = self.outbox.datagram();
        match self.records.write(epoch, ContentType::Alert, &alert.encode(), out) {
            Ok(_) => {
                self.finish_datagram();
            }
            Err(KeyExhausted) => self.outbox.abandon_datagram(),
        }
    }
}
