//! The packet trace, one line for each event, for the reader of a failing test.
//!
//! The last events: datagrams with their result, outputs of nodes, notes of the test. Each kind of line has its own
//! ring, so that a media stream does not displace the handshake before it. The bytes are kept, and described only when
//! they are printed.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::classify::{Class, describe};

/// Why a datagram did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// The link's independent loss.
    Chance,
    /// The link's loss in bursts.
    Burst,
    /// Larger than the link's MTU.
    OverMtu,
    /// The queue before a link of limited bandwidth was full.
    QueueFull,
    /// A tap of the test dropped it.
    Tapped,
    /// The sender has no socket at the address it sent from.
    NoSuchSource,
    /// No socket has the destination, or the destination is private.
    NoRoute,
    /// The receiver's NAT did not let it in.
    Filtered,
}

/// The state of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramState {
    /// In flight.
    InFlight,
    /// Delivered to a node, at this time since the beginning.
    Delivered(Duration),
    /// Dropped.
    Lost(Loss),
}

/// One datagram of the trace.
#[derive(Clone, Debug)]
pub struct TraceEntry {
    /// When it was sent, since the beginning of the world.
    pub at: Duration,
    /// The sender's own address, before any NAT.
    pub from: SocketAddr,
    /// The destination that the sender wrote.
    pub to: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
    /// Its state; for a datagram with a copy, the state of the one that changed last.
    pub state: DatagramState,
    /// True for a datagram that the test injected.
    pub injected: bool,
}

pub(crate) type EntryId = u64;

/// The last events of a world, oldest first.
#[derive(Debug)]
pub struct Trace {
    lines: BTreeMap<EntryId, Line>,
    /// The lines of each kind, oldest first.
    rings: BTreeMap<Kind, VecDeque<EntryId>>,
    next_id: EntryId,
    capacity: usize,
}

/// Lines of one kind share a ring.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Datagram(Class),
    /// The first word of an output.
    Said(String),
}

#[derive(Debug)]
enum Line {
    Datagram(TraceEntry),
    Said { at: Duration, who: String, what: String },
}

impl Trace {
    /// Keeps this many lines of each kind.
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { lines: BTreeMap::new(), rings: BTreeMap::new(), next_id: 0, capacity }
    }

    /// The datagrams in the trace, oldest first.
    #[must_use]
    pub fn datagrams(&self) -> impl DoubleEndedIterator<Item = &TraceEntry> {
        self.lines.values().filter_map(|line| match line {
            Line::Datagram(entry) => Some(entry),
            Line::Said { .. } => None,
        })
    }

    pub(crate) fn datagram(&mut self, entry: TraceEntry) -> EntryId {
        self.push(Kind::Datagram(Class::of(&entry.bytes)), Line::Datagram(entry))
    }

    pub(crate) fn said(&mut self, at: Duration, who: &str, mut what: String) {
        const LONGEST: usize = 240;
        if let Some((end, _)) = what.char_indices().nth(LONGEST) {
            what.truncate(end);
            what.push('…');
        }
        let word = what.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        self.push(Kind::Said(word.into()), Line::Said { at, who: who.into(), what });
    }

    pub(crate) fn settle(&mut self, id: EntryId, state: DatagramState) {
        if let Some(Line::Datagram(entry)) = self.lines.get_mut(&id) {
            entry.state = state;
        }
    }

    fn push(&mut self, kind: Kind, line: Line) -> EntryId {
        let ring = self.rings.entry(kind).or_default();
        if ring.len() >= self.capacity
            && let Some(oldest) = ring.pop_front()
        {
            self.lines.remove(&oldest);
        }
        let id = self.next_id;
        self.next_id += 1;
        ring.push_back(id);
        self.lines.insert(id, line);
        id
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forgotten = self.next_id - EntryId::try_from(self.lines.len()).unwrap_or_default();
        if forgotten > 0 {
            writeln!(f, "  ({forgotten} lines of frequent kinds are forgotten)")?;
        }
        for line in self.lines.values() {
            match line {
                Line::Datagram(entry) => {
                    let mark = if entry.injected { " (injected)" } else { "" };
                    writeln!(
                        f,
                        "{:>12.6}  {} -> {}  {:>4} B  {}{mark}  {}",
                        entry.at.as_secs_f64(),
                        entry.from,
                        entry.to,
                        entry.bytes.len(),
                        describe(&entry.bytes),
                        entry.state,
                    )?;
                }
                Line::Said { at, who, what } => writeln!(f, "{:>12.6}  * {who}: {what}", at.as_secs_f64())?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for DatagramState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFlight => f.write_str("[in flight]"),
            Self::Delivered(at) => write!(f, "[{:.6}]", at.as_secs_f64()),
            Self::Lost(loss) => write!(f, "[LOST: {loss:?}]"),
        }
    }
}
