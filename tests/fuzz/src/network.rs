//! The network between two sides, controlled by a fuzzer's bytes.
//!
//! The bytes are a script: deliver, drop, duplicate, reorder, damage, cut, join, forge, wait, command. After the script
//! the network delivers everything unchanged, and the target checks the result. Throughout, the network checks the
//! contract that all layers share: deadlines advance, output ends, datagrams fit.

use std::{
    collections::VecDeque,
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::input::Input;

/// One side: the methods of every layer with state.
pub(crate) trait Side {
    fn handle_input(&mut self, now: Instant, datagram: &mut [u8]);
    fn handle_timeout(&mut self, now: Instant);
    /// Appends a datagram and returns its length.
    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<usize>;
    /// Takes all events, and panics on one that is not allowed.
    fn drain_events(&mut self);
    fn poll_timeout(&self) -> Option<Instant>;
    /// An action of its user.
    fn command(&mut self, now: Instant, which: u8);
    /// A forged datagram for this side.
    fn forged(&self, script: &mut Input<'_>) -> Vec<u8> {
        let len = usize::from(script.byte());
        script.take(len).to_vec()
    }
}

/// Two sides and the datagrams in transit to each.
pub(crate) struct Network<S> {
    pub(crate) now: Instant,
    pub(crate) sides: [S; 2],
    in_transit: [VecDeque<Vec<u8>>; 2],
    /// The datagrams sent to each side, the oldest first.
    history: [VecDeque<Vec<u8>>; 2],
}

/// A longer script is cut off: most effects occur early, and a run has to end.
const MAX_STEPS: usize = 96;

/// Further datagrams in transit to one side are dropped, as a router would.
const MAX_IN_TRANSIT: usize = 64;

/// How many sent datagrams are kept, to be duplicated later.
const MAX_HISTORY: usize = 64;

/// The most output that any layer may have in one step.
const MAX_BURST: usize = 1000;

/// The upper bound of every layer's datagrams.
const MTU: usize = 1500;

/// The first instant, the same throughout a process.
pub(crate) fn beginning() -> Instant {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    *BEGINNING.get_or_init(Instant::now)
}

impl<S: Side> Network<S> {
    pub(crate) fn new(now: Instant, sides: [S; 2]) -> Self {
        let mut network = Self { now, sides, in_transit: Default::default(), history: Default::default() };
        network.collect();
        network
    }

    /// Runs the script to its end.
    pub(crate) fn play(&mut self, script: &mut Input<'_>) {
        for _ in 0..MAX_STEPS {
            let Some(step) = script.next() else { return };
            self.step(step, script);
            self.collect();
        }
    }

    /// Delivers everything unchanged for `time`, or until nothing is in transit and no deadline is left within it.
    pub(crate) fn settle(&mut self, time: Duration) {
        let end = self.now + time;
        self.collect();
        loop {
            while self.in_transit.iter().any(|queue| !queue.is_empty()) {
                for to in 0..2 {
                    if let Some(datagram) = self.in_transit[to].pop_front() {
                        self.deliver(to, datagram);
                    }
                }
                self.collect();
                self.now += Duration::from_millis(1);
                if self.now > end {
                    return;
                }
            }
            let Some(next) = self.next_deadline().filter(|next| *next <= end) else { return };
            self.now = self.now.max(next);
            self.serve_deadlines();
            self.collect();
        }
    }

    /// The lower half of a step chooses the action, the bit above it the side.
    fn step(&mut self, step: u8, script: &mut Input<'_>) {
        let to = usize::from(step >> 4) & 1;
        match step & 0x0f {
            0..=2 => {
                self.deliver_next(to);
            }
            3 => self.drop_next(to),
            4 => self.repeat_next(to),
            5 => self.delay_next(to),
            6 => self.deliver_changed(to, |datagram, _| {
                let (at, bit) = (usize::from(script.word()), script.byte());
                if let Some(byte) = at.checked_rem(datagram.len()).and_then(|at| datagram.get_mut(at)) {
                    *byte ^= 1 << (bit & 7);
                }
            }),
            7 => self.deliver_changed(to, |datagram, _| {
                let (at, len) = (usize::from(script.word()), usize::from(script.byte()));
                let overwritten = script.take(len);
                if let Some(at) = at.checked_rem(datagram.len()) {
                    for (byte, new) in datagram[at..].iter_mut().zip(overwritten) {
                        *byte = *new;
                    }
                }
            }),
            8 => self.deliver_changed(to, |datagram, _| datagram.truncate(usize::from(script.word()))),
            9 => self.deliver_changed(to, |datagram, next| datagram.extend(next.unwrap_or_default())),
            10 => {
                let forged = self.sides[to].forged(script);
                self.deliver(to, forged);
            }
            11 => self.reflect_next(to),
            12 => {
                self.wait(Duration::from_millis(u64::from(script.byte()) * 8));
            }
            13 => {
                if let Some(next) = self.next_deadline() {
                    self.now = self.now.max(next);
                    self.serve_deadlines();
                }
            }
            14 => self.command(to, script.byte()),
            _ => self.repeat_earlier(to, script.byte()),
        }
    }

    pub(crate) fn command(&mut self, to: usize, which: u8) {
        self.sides[to].command(self.now, which);
    }

    pub(crate) fn next_to(&self, to: usize) -> Option<&Vec<u8>> {
        self.in_transit[to].front()
    }

    pub(crate) fn take_next(&mut self, to: usize) -> Option<Vec<u8>> {
        self.in_transit[to].pop_front()
    }

    pub(crate) fn deliver_next(&mut self, to: usize) {
        if let Some(datagram) = self.in_transit[to].pop_front() {
            self.deliver(to, datagram);
        }
    }

    pub(crate) fn drop_next(&mut self, to: usize) {
        self.in_transit[to].pop_front();
    }

    /// Delivers the next datagram and keeps it in transit.
    pub(crate) fn repeat_next(&mut self, to: usize) {
        if let Some(datagram) = self.in_transit[to].front().cloned() {
            self.deliver(to, datagram);
        }
    }

    /// The sender's own datagram comes back to it.
    pub(crate) fn reflect_next(&mut self, to: usize) {
        if let Some(datagram) = self.in_transit[to].front().cloned() {
            self.deliver(1 - to, datagram);
        }
    }

    /// The next datagram becomes the last.
    pub(crate) fn delay_next(&mut self, to: usize) {
        if !self.in_transit[to].is_empty() {
            self.in_transit[to].rotate_left(1);
        }
    }

    /// Delivers an earlier datagram to this side again, counted from the latest.
    pub(crate) fn repeat_earlier(&mut self, to: usize, age: u8) {
        let history = &self.history[to];
        if let Some(datagram) = history.iter().rev().nth(usize::from(age) % history.len().max(1)).cloned() {
            self.deliver(to, datagram);
        }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.serve_deadlines();
    }

    pub(crate) fn deliver(&mut self, to: usize, mut datagram: Vec<u8>) {
        self.sides[to].handle_input(self.now, &mut datagram);
    }

    /// Delivers the next datagram, changed; `change` also gets the one after it, which stays in transit.
    fn deliver_changed(&mut self, to: usize, change: impl FnOnce(&mut Vec<u8>, Option<Vec<u8>>)) {
        let Some(mut datagram) = self.in_transit[to].pop_front() else { return };
        change(&mut datagram, self.in_transit[to].front().cloned());
        self.deliver(to, datagram);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.sides.iter().filter_map(Side::poll_timeout).min()
    }

    /// Serves every expired deadline, and checks that the next one is later.
    fn serve_deadlines(&mut self) {
        for side in &mut self.sides {
            if side.poll_timeout().is_some_and(|deadline| deadline <= self.now) {
                side.handle_timeout(self.now);
                let next = side.poll_timeout();
                assert!(next.is_none_or(|next| next > self.now), "a deadline stays after it was served");
            }
        }
    }

    /// Takes the output of the sides.
    pub(crate) fn collect(&mut self) {
        for from in 0..2 {
            let mut buffer = Vec::new();
            for burst in 0.. {
                assert!(burst < MAX_BURST, "output without end");
                let start = buffer.len();
                let Some(len) = self.sides[from].poll_transmit(&mut buffer) else { break };
                assert!(len > 0 && len <= MTU, "a datagram of {len} bytes");
                assert_eq!(buffer.len(), start + len, "appended is what was announced");
                let (in_transit, history) = (&mut self.in_transit[1 - from], &mut self.history[1 - from]);
                if in_transit.len() < MAX_IN_TRANSIT {
                    in_transit.push_back(buffer[start..].to_vec());
                }
                history.push_back(buffer[start..].to_vec());
                if history.len() > MAX_HISTORY {
                    history.pop_front();
                }
            }
            self.sides[from].drain_events();
        }
    }
}
