//! The queue of messages for `poll_transmit`.
//!
//! Bounded: a message that does not fit is dropped. The sender's timer retransmits it, or the peer retransmits its
//! request.

use std::collections::VecDeque;

use crate::agent::generation_id::GenerationId;
use crate::path::Path;

/// One message to send: the last [`Self::len`] bytes of the buffer that was passed to `poll_transmit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// The path.
    pub path: Path,
    /// The length in bytes. The message is at the end of the buffer.
    pub len: usize,
}

impl Transmit {
    /// Returns the bytes of this message in the buffer that was passed to `poll_transmit`.
    #[must_use]
    pub fn bytes<'b>(&self, buf: &'b [u8]) -> &'b [u8] {
        buf.len().checked_sub(self.len).and_then(|start| buf.get(start..)).unwrap_or_default()
    }
}

/// A queue of encoded messages, each with its generation.
pub(crate) struct Outbox {
    queue: VecDeque<Message>,
    /// Emptied buffers, so that steady exchanges of checks do not allocate.
    spare: Vec<Vec<u8>>,
    bound: usize,
}

struct Message {
    generation: GenerationId,
    path: Path,
    bytes: Vec<u8>,
}

/// The queue is full, or the message cannot be encoded.
pub(crate) struct NotQueued;

impl Outbox {
    pub(crate) fn new(bound: usize) -> Self {
        Self { queue: VecDeque::new(), spare: Vec::new(), bound }
    }

    /// Queues the message that `write` appends to an empty buffer.
    pub(crate) fn push(
        &mut self,
        generation: GenerationId,
        path: Path,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), stun::Error>,
    ) -> Result<(), NotQueued> {
        if self.queue.len() >= self.bound {
            return Err(NotQueued);
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        if write(&mut bytes).is_err() {
            self.recycle(bytes);
            return Err(NotQueued);
        }
        self.queue.push_back(Message { generation, path, bytes });
        Ok(())
    }

    pub(crate) fn pop(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        let Message { path, bytes, .. } = self.queue.pop_front()?;
        buf.extend_from_slice(&bytes);
        let len = bytes.len();
        self.recycle(bytes);
        Some(Transmit { path, len })
    }

    /// Removes queued messages that may no longer be sent.
    pub(crate) fn purge(&mut self, generation: GenerationId, path: Option<Path>) {
        self.queue.retain(|message| {
            message.generation != generation || path.is_some_and(|path| path != message.path)
        });
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    fn recycle(&mut self, bytes: Vec<u8>) {
        const SPARE: usize = 4;
        if self.spare.len() < SPARE {
            self.spare.push(bytes);
        }
    }
}
