//! The streams of a context: one replay window per SSRC, and the retired SSRCs.
//!
//! Only an authenticated (or protected) packet adds a stream: [`Streams::slot`] finds the place without a change, and
//! [`Slot::accept`] takes it.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry, VacantEntry};

use crate::index::{Estimate, Index};
use crate::replay::{ReplayWindow, Stale};
use crate::{Discard, Error, Options};

/// The streams of RTP, or of RTCP, with one master key.
pub(crate) struct Streams {
    // A lookup takes few comparisons for all SSRCs that a peer may choose, which a hash map does not guarantee.
    live: BTreeMap<u32, ReplayWindow>,
    retired: BTreeSet<u32>,
    window: u16,
    max_live: usize,
    max_retired: usize,
}

/// The reason why a packet has no place among the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    Seen,
    TooOld,
    Exhausted,
    Retired,
    TooMany,
}

impl Streams {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            live: BTreeMap::new(),
            retired: BTreeSet::new(),
            window: options.window(),
            max_live: options.max_streams,
            max_retired: options.max_retired,
        }
    }

    /// Returns the place of a packet of `ssrc`. Nothing changes before [`Slot::accept`].
    #[inline]
    pub(crate) fn slot(&mut self, ssrc: u32) -> Result<Slot<'_>, NoPlace> {
        let full = self.live.len() >= self.max_live;
        match self.live.entry(ssrc) {
            Entry::Occupied(entry) => Ok(Slot::Live(entry.into_mut())),
            Entry::Vacant(_) if self.retired.contains(&ssrc) => Err(NoPlace::Retired),
            Entry::Vacant(_) if full => Err(NoPlace::TooMany),
            Entry::Vacant(entry) => Ok(Slot::New { entry, window: self.window }),
        }
    }

    /// Retires a stream: its window is freed and its SSRC is never accepted again. Returns whether it was live.
    pub(crate) fn retire(&mut self, ssrc: u32) -> Result<bool, Error> {
        if self.retired.contains(&ssrc) {
            return Ok(false);
        }
        if self.retired.len() >= self.max_retired {
            return Err(Error::TooManyStreams);
        }
        self.retired.insert(ssrc);
        Ok(self.live.remove(&ssrc).is_some())
    }

    pub(crate) fn contains(&self, ssrc: u32) -> bool {
        self.live.contains_key(&ssrc)
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }
}

/// The place of one packet among the streams.
pub(crate) enum Slot<'s> {
    Live(&'s mut ReplayWindow),
    New { entry: VacantEntry<'s, u32, ReplayWindow>, window: u16 },
}

impl Slot<'_> {
    /// Returns the index of an RTP packet, if it may still be accepted.
    #[inline]
    pub(crate) fn index_of(&self, sequence_number: u16) -> Result<Index, NoPlace> {
        match self {
            Self::New { .. } => Ok(Index::first(sequence_number)),
            Self::Live(window) => match Index::from_number(window.newest()).nearest(sequence_number) {
                Estimate::At(index) => self.check(index.number()).map(|()| index),
                Estimate::BeforeFirst => Err(NoPlace::TooOld),
                Estimate::PastLast => Err(NoPlace::Exhausted),
            },
        }
    }

    /// Returns whether this index may be accepted.
    #[inline]
    pub(crate) fn check(&self, index: u64) -> Result<(), NoPlace> {
        match self {
            Self::New { .. } => Ok(()),
            Self::Live(window) => window.check(index).map_err(|stale| match stale {
                Stale::Seen => NoPlace::Seen,
                Stale::TooOld => NoPlace::TooOld,
            }),
        }
    }

    /// Accepts a checked index, for a packet that was authenticated or protected.
    #[inline]
    pub(crate) fn accept(self, index: u64) {
        match self {
            Self::Live(stream) => stream.accept(index),
            Self::New { entry, window } => {
                entry.insert(ReplayWindow::starting_at(index, window));
            }
        }
    }
}

impl From<NoPlace> for Discard {
    fn from(reason: NoPlace) -> Self {
        match reason {
            NoPlace::Seen => Self::Replayed,
            NoPlace::TooOld => Self::TooOld,
            NoPlace::Exhausted => Self::KeyExhausted,
            NoPlace::Retired => Self::RetiredSsrc,
            NoPlace::TooMany => Self::TooManyStreams,
        }
    }
}

impl From<NoPlace> for Error {
    fn from(reason: NoPlace) -> Self {
        match reason {
            NoPlace::Seen | NoPlace::TooOld => Self::IndexReused,
            NoPlace::Exhausted => Self::KeyExhausted,
            NoPlace::Retired => Self::RetiredSsrc,
            NoPlace::TooMany => Self::TooManyStreams,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_is_exhausted_after_the_last_rollover_counter() {
        let mut streams = Streams::new(&Options::default());
        streams.slot(1).unwrap().accept((1 << 48) - 2);
        let last = streams.slot(1).unwrap().index_of(0xffff).unwrap();
        assert_eq!(last.number(), (1 << 48) - 1);
        streams.slot(1).unwrap().accept(last.number());
        assert_eq!(streams.slot(1).unwrap().index_of(0), Err(NoPlace::Exhausted));
    }

    #[test]
    fn unused_slot_changes_nothing() {
        let mut streams = Streams::new(&Options::default());
        for ssrc in 0..1_000 {
            streams.slot(ssrc).unwrap().index_of(1).unwrap();
        }
        assert_eq!(streams.len(), 0);
    }
}
