//! The external inputs of two peers: commands, malformed datagrams and the time between them, all generated from a
//! seed.

use std::net::SocketAddr;
use std::time::Duration;

use crate::contract::{ADDRESSES, Subject};
use crate::rng::Rng;

#[derive(Clone, Debug)]
pub(super) struct Script<C> {
    pub(super) steps: Vec<Step<C>>,
}

#[derive(Clone, Debug)]
pub(super) struct Step<C> {
    /// The time before it.
    pub(super) after: Duration,
    pub(super) action: Action<C>,
}

#[derive(Clone, Debug)]
pub(super) enum Action<C> {
    Command { side: usize, command: C },
    Malformed { side: usize, from: SocketAddr, bytes: Vec<u8> },
    Mutate { side: usize, mutation: Mutation },
    Wait,
}

/// A change of one of the last datagrams that a side received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mutation {
    /// How many datagrams back; 0 is the last one.
    pub(super) back: usize,
    pub(super) change: Change,
    pub(super) at: u64,
    pub(super) value: u8,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Repeat,
    Cut,
    Extend,
    Flip,
    Length,
}

const STEPS: usize = 40;

impl<C: Clone> Script<C> {
    pub(super) fn random<S: Subject<Command = C>>(subject: &S, seed: u64) -> Self {
        let mut rng = Rng::labelled(seed, "script");
        let steps = (0..STEPS).map(|_| {
            let action = match rng.below(10) {
                0..=3 => Action::Command { side: rng.index(2), command: subject.command(&mut rng) },
                4..=6 => malformed(&mut rng),
                _ => Action::Wait,
            };
            Step { after: pause(&mut rng), action }
        });
        Self { steps: steps.collect() }
    }

    pub(super) fn mutating<S: Subject<Command = C>>(subject: &S, seed: u64) -> Self {
        let mut rng = Rng::labelled(seed, "mutations");
        let steps = (0..4 * STEPS).map(|_| {
            let action = match rng.below(10) {
                0 => Action::Command { side: rng.index(2), command: subject.command(&mut rng) },
                _ => Action::Mutate { side: rng.index(2), mutation: mutation(&mut rng) },
            };
            // A handshake takes a few round trips, so most steps fall into that time.
            let after = if rng.chance(0.9) { rng.up_to(Duration::from_millis(30)) } else { pause(&mut rng) };
            Step { after, action }
        });
        Self { steps: steps.collect() }
    }

    pub(super) fn without_malformed(&self) -> Self {
        self.replace(
            |_, action| if matches!(action, Action::Malformed { .. }) { Action::Wait } else { action },
        )
    }

    /// Omits each command that is marked in `failed`.
    pub(super) fn without_commands(&self, failed: &[bool]) -> Self {
        let mut turn = 0;
        self.replace(|_, action| match action {
            Action::Command { .. } => {
                turn += 1;
                if failed.get(turn - 1) == Some(&true) { Action::Wait } else { action }
            }
            other => other,
        })
    }

    fn replace(&self, mut with: impl FnMut(usize, Action<C>) -> Action<C>) -> Self {
        let steps = self.steps.iter().cloned().enumerate();
        Self { steps: steps.map(|(n, step)| Step { action: with(n, step.action), ..step }).collect() }
    }
}

/// No time, short times, and sometimes longer than every timer.
fn pause(rng: &mut Rng) -> Duration {
    match rng.below(20) {
        0..=4 => Duration::ZERO,
        5..=10 => rng.up_to(Duration::from_millis(10)),
        11..=15 => rng.up_to(Duration::from_millis(500)),
        16..=18 => rng.up_to(Duration::from_secs(5)),
        _ => rng.up_to(Duration::from_secs(40)),
    }
}

/// Bytes that do not authenticate, most of them with a first byte that takes them as far in as possible.
fn malformed<C>(rng: &mut Rng) -> Action<C> {
    let len = match rng.below(4) {
        0 => rng.index(4),
        1 => 1 + rng.index(40),
        2 => 1 + rng.index(200),
        _ => 1 + rng.index(1500),
    };
    let mut bytes = rng.bytes(len);
    match rng.below(4) {
        // A valid STUN header with random attributes.
        0 if len >= 20 => {
            let body = (len - 20) / 4 * 4;
            bytes.truncate(20 + body);
            let kind = *rng.pick(&[[0, 1], [1, 1], [1, 0x11], [0, 0x11]]).unwrap_or(&[0, 1]);
            let length = u16::try_from(body).unwrap_or(0).to_be_bytes();
            overwrite(&mut bytes, 0, &kind);
            overwrite(&mut bytes, 2, &length);
            overwrite(&mut bytes, 4, &[0x21, 0x12, 0xa4, 0x42]);
        }
        // A valid DTLS record header with a random body. Plaintext handshake records are excluded: a well-formed
        // forgery may end a handshake that nothing has authenticated yet.
        1 if len >= 13 => {
            let kind = *rng.pick(&[20, 21, 23, 24, 26, 0x2c, 0x2f]).unwrap_or(&20);
            let length = u16::try_from(len - 13).unwrap_or(0).to_be_bytes();
            overwrite(&mut bytes, 0, &[kind, 254, 253, 0]);
            overwrite(&mut bytes, 4, &[u8::from(rng.chance(0.5)), 0, 0, 0, 0, 0]);
            overwrite(&mut bytes, 11, &length);
        }
        2 => overwrite(&mut bytes, 0, &[0x80, if rng.chance(0.2) { 200 } else { 96 }]),
        _ => {}
    }
    let side = rng.index(2);
    let stranger = SocketAddr::from(([192, 0, 2, 1], 9));
    let from = if rng.chance(0.5) { ADDRESSES.get(1 - side).copied().unwrap_or(stranger) } else { stranger };
    Action::Malformed { side, from, bytes }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(with) {
        *byte = *new;
    }
}

fn mutation(rng: &mut Rng) -> Mutation {
    let change = *rng
        .pick(&[Change::Repeat, Change::Cut, Change::Extend, Change::Flip, Change::Flip, Change::Length])
        .unwrap_or(&Change::Repeat);
    Mutation {
        back: rng.index(6),
        change,
        at: rng.next_u64(),
        value: u8::try_from(rng.below(256)).unwrap_or(0),
    }
}

impl Mutation {
    pub(super) fn apply(self, mut bytes: Vec<u8>) -> Vec<u8> {
        let len = u64::try_from(bytes.len().max(1)).unwrap_or(1);
        let at = usize::try_from(self.at % len).unwrap_or(0);
        match self.change {
            Change::Repeat => {}
            Change::Cut => bytes.truncate(at),
            Change::Extend => bytes.extend(std::iter::repeat_n(self.value, at % 64)),
            Change::Flip => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= self.value | 1;
                }
            }
            // The first hundred bytes contain most length fields.
            Change::Length => overwrite(&mut bytes, at % 100, &[0xff, self.value]),
        }
        bytes
    }
}
