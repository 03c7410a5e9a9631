//! The network between two sides of ours, played by a fuzzer's bytes.
//!
//! The bytes are a script: deliver, drop, repeat, reorder, damage, cut, join, forge, wait, command. When the script is
//! over the network is honest again, and what the two sides then do is the target's to judge. On the way the network
//! holds every layer to the contract that all of them share: deadlines move on, output ends, datagrams fit.

use std::{
    collections::VecDeque,
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::input::Input;

/// One side: the verbs of every layer with state.
pub(crate) trait Side {
    fn handle_input(&mut self, now: Instant, datagram: &mut [u8]);
    fn handle_timeout(&mut self, now: Instant);
    /// Appends a datagram and returns its length.
    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<usize>;
    /// Takes all events in, and panics where one of them may not be.
    fn drain_events(&mut self);
    fn poll_timeout(&self) -> Option<Instant>;
    /// Something that its user might do.
    fn command(&mut self, now: Instant, which: u8);
    /// A datagram for this side that nobody sent.
    fn forged(&self, script: &mut Input<'_>) -> Vec<u8> {
        let len = usize::from(script.byte());
        script.take(len).to_vec()
    }
}

/// Two sides and what is on its way to each.
pub(crate) struct Network<S> {
    pub(crate) now: Instant,
    pub(crate) sides: [S; 2],
    underway: [VecDeque<Vec<u8>>; 2],
    /// What was sent to each, the oldest first.
    history: [VecDeque<Vec<u8>>; 2],
}

/// A script longer than this is cut: what matters happens early, and the time of a run has to have an end.
const MAX_STEPS: usize = 96;

/// More datagrams than this underway to one side are dropped, as by any router.
const MAX_UNDERWAY: usize = 64;

/// How much of what was sent is remembered, to be repeated later.
const MAX_HISTORY: usize = 64;

/// No layer has more to say than this in one go.
const MAX_BURST: usize = 1000;

/// What every layer keeps its datagrams below.
const MTU: usize = 1500;

/// When the world begins: the same instant throughout a process.
pub(crate) fn beginning() -> Instant {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    *BEGINNING.get_or_init(Instant::now)
}

impl<S: Side> Network<S> {
    pub(crate) fn new(now: Instant, sides: [S; 2]) -> Self {
        let mut network = Self { now, sides, underway: Default::default(), history: Default::default() };
        network.collect();
        network
    }

    /// Does what the script says, to its end.
    pub(crate) fn play(&mut self, script: &mut Input<'_>) {
        for _ in 0..MAX_STEPS {
            let Some(step) = script.next() else { return };
            self.step(step, script);
            self.collect();
        }
    }

    /// Is honest for `time`, or until nothing is underway and no deadline is left in it.
    pub(crate) fn settle(&mut self, time: Duration) {
        let end = self.now + time;
        self.collect();
        loop {
            while self.underway.iter().any(|queue| !queue.is_empty()) {
                for to in 0..2 {
                    if let Some(datagram) = self.underway[to].pop_front() {
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

    /// The lower half of a step is what happens, the bit above it to which side.
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
        self.underway[to].front()
    }

    pub(crate) fn take_next(&mut self, to: usize) -> Option<Vec<u8>> {
        self.underway[to].pop_front()
    }

    pub(crate) fn deliver_next(&mut self, to: usize) {
        if let Some(datagram) = self.underway[to].pop_front() {
            self.deliver(to, datagram);
        }
    }

    pub(crate) fn drop_next(&mut self, to: usize) {
        self.underway[to].pop_front();
    }

    /// Delivers the next datagram and leaves it underway.
    pub(crate) fn repeat_next(&mut self, to: usize) {
        if let Some(datagram) = self.underway[to].front().cloned() {
            self.deliver(to, datagram);
        }
    }

    /// The sender's own words come back to it.
    pub(crate) fn reflect_next(&mut self, to: usize) {
        if let Some(datagram) = self.underway[to].front().cloned() {
            self.deliver(1 - to, datagram);
        }
    }

    /// The next datagram becomes the last.
    pub(crate) fn delay_next(&mut self, to: usize) {
        if !self.underway[to].is_empty() {
            self.underway[to].rotate_left(1);
        }
    }

    /// Something that was sent to this side comes once more, counted from the latest.
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

    /// Delivers the next datagram, changed; `change` also gets the one behind it, which stays underway.
    fn deliver_changed(&mut self, to: usize, change: impl FnOnce(&mut Vec<u8>, Option<Vec<u8>>)) {
        let Some(mut datagram) = self.underway[to].pop_front() else { return };
        change(&mut datagram, self.underway[to].front().cloned());
        self.deliver(to, datagram);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.sides.iter().filter_map(Side::poll_timeout).min()
    }

    /// Calls on every side whose deadline has come, and holds it to a later one.
    fn serve_deadlines(&mut self) {
        for side in &mut self.sides {
            if side.poll_timeout().is_some_and(|deadline| deadline <= self.now) {
                side.handle_timeout(self.now);
                let next = side.poll_timeout();
                assert!(next.is_none_or(|next| next > self.now), "a deadline stays after it was served");
            }
        }
    }

    /// Takes what the sides have to say.
    pub(crate) fn collect(&mut self) {
        for from in 0..2 {
            let mut buffer = Vec::new();
            for burst in 0.. {
                assert!(burst < MAX_BURST, "output without end");
                let start = buffer.len();
                let Some(len) = self.sides[from].poll_transmit(&mut buffer) else { break };
                assert!(len > 0 && len <= MTU, "a datagram of {len} bytes");
                assert_eq!(buffer.len(), start + len, "appended is what was announced");
                let (underway, history) = (&mut self.underway[1 - from], &mut self.history[1 - from]);
                if underway.len() < MAX_UNDERWAY {
                    underway.push_back(buffer[start..].to_vec());
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
