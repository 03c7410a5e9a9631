//! The queue of events for `poll_event`, in the order of occurrence.
//!
//! Knows the limits. Does not know when events occur.

use std::collections::VecDeque;

use ice_agent::Path;

use crate::association_id::AssociationId;
use crate::event::Event;

/// Received data is limited. The transport's own events are not, because a peer cannot cause many.
pub(super) struct EventQueue {
    queue: VecDeque<Event>,
    data: usize,
    max_data: usize,
}

impl EventQueue {
    pub(super) const fn new(max_data: usize) -> Self {
        Self { queue: VecDeque::new(), data: 0, max_data }
    }

    pub(super) fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    /// Queues an event that any sender can cause: at most one of them waits in the queue.
    pub(super) fn push_fresh_hello(&mut self, path: Path) {
        if !self.queue.iter().any(|event| matches!(event, Event::FreshClientHello { .. })) {
            self.push(Event::FreshClientHello { path });
        }
    }

    /// Returns `false` at the limit; the data is then dropped.
    pub(super) fn push_data(&mut self, association: AssociationId, bytes: bytes::Bytes) -> bool {
        let total = self.data.saturating_add(Self::cost(&bytes));
        if total > self.max_data {
            return false;
        }
        self.data = total;
        self.queue.push_back(Event::Data { association, bytes });
        true
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        if let Event::Data { bytes, .. } = &event {
            self.data = self.data.saturating_sub(Self::cost(bytes));
        }
        Some(event)
    }

    /// Empty records use memory too.
    fn cost(bytes: &bytes::Bytes) -> usize {
        bytes.len().saturating_add(size_of::<Event>())
    }
}
