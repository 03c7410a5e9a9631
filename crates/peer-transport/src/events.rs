//! Events that wait for `poll_event`: a queue in the order in which things happened.
//!
//! Knows bounds. Knows nothing about when something happens.

use std::collections::VecDeque;

use ice_agent::Path;

use crate::association::Association;
use crate::event::Event;

/// Events that wait to be fetched. Received data is bounded; what the transport itself has to say is not,
/// because a peer cannot make it say much.
pub(crate) struct Events {
    queue: VecDeque<Event>,
    data: usize,
    max_data: usize,
}

impl Events {
    pub(crate) const fn new(max_data: usize) -> Self {
        Self { queue: VecDeque::new(), data: 0, max_data }
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    /// For what anybody can bring about: it is there once, however long nobody fetches it.
    pub(crate) fn push_fresh_hello(&mut self, path: Path) {
        if !self.queue.iter().any(|event| matches!(event, Event::FreshClientHello { .. })) {
            self.push(Event::FreshClientHello { path });
        }
    }

    /// `false` when the bound is reached; the data is dropped then.
    pub(crate) fn push_data(&mut self, association: Association, bytes: bytes::Bytes) -> bool {
        let total = self.data.saturating_add(Self::cost(&bytes));
        if total > self.max_data {
            return false;
        }
        self.data = total;
        self.queue.push_back(Event::Data { association, bytes });
        true
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        if let Event::Data { bytes, .. } = &event {
            self.data = self.data.saturating_sub(Self::cost(bytes));
        }
        Some(event)
    }

    /// Empty records take a place too.
    fn cost(bytes: &bytes::Bytes) -> usize {
        bytes.len().saturating_add(size_of::<Event>())
    }
}
