//! Serves the nodes within one instant, and sends their datagrams to the network.

use std::time::Duration;
use std::time::Instant;

use super::{Deadline, Flight, Host, NodeId, Polling, Verdict, Violation, World};
use crate::classify::Class;
use crate::clock::epoch;
use crate::node::{Ecn, Node, Path};
use crate::queue::Arrival;
use crate::rng::Rng;
use crate::trace::{DatagramState, Loss, TraceEntry};

/// The number of inputs and timeouts within one instant that counts as a busy loop.
const BUSY_LOOP: u32 = 100_000;

impl<N: Node> World<N> {
    pub(super) fn next_instant(&self) -> Option<Instant> {
        // There are few nodes: a loop over them is cheaper than an index.
        let deadlines = self.hosts.iter().filter_map(|host| host.deadline.map(|deadline| deadline.served));
        deadlines.chain(self.queue.next_at()).min()
    }

    /// Serves everything that is due at this instant, until nothing is due and no node has output.
    pub(super) fn settle(&mut self) -> Result<(), Violation> {
        // A command through `node_mut` may have changed a deadline.
        for index in 0..self.hosts.len() {
            self.reschedule(NodeId(index));
        }
        let mut turns = 0;
        loop {
            if self.serve_one()? {
                turns += 1;
                if turns > BUSY_LOOP {
                    return Err(self.violation("the nodes keep each other busy without time passing"));
                }
                continue;
            }
            for index in 0..self.hosts.len() {
                self.drain(NodeId(index));
                self.reschedule(NodeId(index));
            }
            if self.next_instant().is_none_or(|next| next > self.now) {
                break;
            }
        }
        let at = self.elapsed();
        for host in self.hosts.iter_mut().filter(|host| host.touched) {
            host.touched = false;
            let deadline =
                host.node.poll_timeout().map(|deadline| deadline.saturating_duration_since(epoch()));
            if host.deadlines.last().is_none_or(|(_, last)| *last != deadline) {
                host.deadlines.push((at, deadline));
            }
        }
        Ok(())
    }

    /// Serves one deadline or one arrival of this instant; false where there is none.
    fn serve_one(&mut self) -> Result<bool, Violation> {
        let arrivals_first = self.polling == Polling::Shuffled && self.polling_rng.chance(0.5);
        if arrivals_first && let Some(arrival) = self.queue.pop_due(self.now) {
            self.deliver(arrival)?;
            return Ok(true);
        }
        let due = self.hosts.iter().position(|host| host.deadline.is_some_and(|d| d.served <= self.now));
        if let Some(index) = due {
            self.serve_deadline(NodeId(index))?;
            return Ok(true);
        }
        let Some(arrival) = self.queue.pop_due(self.now) else { return Ok(false) };
        self.deliver(arrival)?;
        Ok(true)
    }

    fn serve_deadline(&mut self, id: NodeId) -> Result<(), Violation> {
        let (now, run) = (self.now, self.tell_time(id));
        let host = self.host_mut(id);
        host.touched = true;
        // A datagram of this instant was served first and may have cleared the deadline.
        let Some(asked) = host.node.poll_timeout() else {
            host.deadline = None;
            return Ok(());
        };
        host.node.handle_timeout(run);
        self.serve_polls(id);
        let host = self.host(id);
        let next = host.node.poll_timeout();
        if next.is_some_and(|next| next <= asked) && now >= asked {
            let asked = asked.saturating_duration_since(epoch());
            let next = next.map(|next| next.saturating_duration_since(epoch()));
            let what = format!("{} asked for {asked:?}, got it, and asks for {next:?}: not later", host.name);
            return Err(self.violation(&what));
        }
        self.reschedule(id);
        Ok(())
    }

    fn deliver(&mut self, arrival: Arrival) -> Result<(), Violation> {
        let at = self.elapsed();
        let (id, local) = match self.network.arrive(arrival.source, arrival.destination) {
            Ok(reached) => reached,
            Err(loss) => {
                self.trace.settle(arrival.entry, DatagramState::Lost(loss));
                if let Some(tally) = arrival.counts_for.and_then(|key| self.tallies.get_mut(&key)) {
                    tally.lost += 1;
                }
                return Ok(());
            }
        };
        self.trace.settle(arrival.entry, DatagramState::Delivered(at));
        if let Some(tally) = arrival.counts_for.and_then(|key| self.tallies.get_mut(&key)) {
            tally.delivered += 1;
        }
        if self.timeout_before_input {
            let now = self.now;
            self.host_mut(id).node.handle_timeout(now);
        }
        let now = self.tell_time(id);
        let host = self.host_mut(id);
        host.touched = true;
        let Arrival { mut bytes, source, ecn, .. } = arrival;
        host.node.handle_input(now, Path { local, remote: source }, ecn, &mut bytes);
        let before = host.node.poll_timeout();
        self.serve_polls(id);
        let host = self.host(id);
        if host.node.poll_timeout() != before {
            let what = format!("a poll of {} moved its deadline", host.name);
            return Err(self.violation(&what));
        }
        self.reschedule(id);
        Ok(())
    }

    /// The instant for a node: the current one, or an earlier one with a backward clock.
    pub(super) fn tell_time(&mut self, id: NodeId) -> Instant {
        let now = self.now;
        if self.backward.is_zero() || !self.polling_rng.chance(0.3) {
            return now;
        }
        let back = self.polling_rng.up_to(self.backward);
        // Makes this instant the latest one of the node, before any other input.
        self.host_mut(id).node.handle_timeout(now);
        now.checked_sub(back).unwrap_or(now)
    }

    pub(super) fn serve_polls(&mut self, id: NodeId) {
        match self.polling {
            Polling::Eager => self.drain(id),
            Polling::Shuffled => {
                for _ in 0..self.polling_rng.below(6) {
                    match self.polling_rng.below(3) {
                        0 => _ = self.take_transmit(id),
                        1 => _ = self.take_output(id),
                        _ => _ = self.host(id).node.poll_timeout(),
                    }
                }
            }
        }
    }

    fn drain(&mut self, id: NodeId) {
        let shuffled = self.polling == Polling::Shuffled;
        loop {
            let outputs_first = shuffled && self.polling_rng.chance(0.5);
            let any =
                (outputs_first && self.take_output(id)) || self.take_transmit(id) || self.take_output(id);
            if !any {
                break;
            }
        }
    }

    fn take_output(&mut self, id: NodeId) -> bool {
        let at = self.elapsed();
        let host = self.host_mut(id);
        let Some(output) = host.node.poll_output() else { return false };
        let (name, text) = (host.name.clone(), format!("{output:?}"));
        host.outputs.push((at, output));
        self.trace.said(at, &name, text);
        true
    }

    fn take_transmit(&mut self, id: NodeId) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let sent = self.host_mut(id).node.poll_transmit(&mut buffer);
        let taken = sent.is_some();
        if let Some(sent) = sent {
            let start = buffer.len().saturating_sub(sent.len);
            let bytes = buffer.get(start..).unwrap_or_default().to_vec();
            self.send(id, sent.path, sent.ecn, bytes);
        }
        self.buffer = buffer;
        taken
    }

    /// Sends one datagram of `id`, or drops it.
    fn send(&mut self, id: NodeId, path: Path, ecn: Ecn, mut bytes: Vec<u8>) {
        let at = self.elapsed();
        let class = Class::of(&bytes);
        let mut verdict = Ok(Duration::ZERO);
        for tap in &mut self.taps {
            let mut flight = Flight { at, from: path.local, to: path.remote, bytes: &mut bytes };
            match tap(&mut flight) {
                Verdict::Pass => {}
                Verdict::Drop => verdict = Err(Loss::Tapped),
                Verdict::Delay(more) => verdict = verdict.map(|sum| sum + more),
            }
        }
        let delivery = verdict.and_then(|held| {
            let source = self.network.leave(id, path.local, path.remote)?;
            let delivery = self.network.link(path.local, path.remote).send(self.now, class, bytes.len())?;
            Ok((source, delivery, held))
        });
        let state = delivery.map_or_else(DatagramState::Lost, |_| DatagramState::InFlight);
        let entry = TraceEntry {
            at,
            from: path.local,
            to: path.remote,
            bytes: bytes.clone(),
            state,
            injected: false,
        };
        let entry = self.trace.datagram(entry);
        let tally = self.tallies.entry((id, class)).or_default();
        tally.sent += 1;
        let Ok((source, delivery, held)) = delivery else {
            tally.lost += 1;
            return;
        };
        let counts_for = Some((id, class));
        let arrival = Arrival { source, destination: path.remote, ecn, bytes, entry, counts_for };
        let copy = delivery.copy_at.map(|at| (at, Arrival { counts_for: None, ..arrival.clone() }));
        self.queue.push(delivery.at + held, arrival);
        if let Some((at, copy)) = copy {
            self.queue.push(at + held, copy);
        }
    }

    pub(super) fn reschedule(&mut self, id: NodeId) {
        let (now, lateness, seed) = (self.now, self.lateness, self.seed);
        let host = self.host_mut(id);
        let asked = host.node.poll_timeout();
        if asked == host.deadline.map(|deadline| deadline.asked) {
            return;
        }
        host.deadline = asked.map(|asked| {
            // Derived from the deadline itself, so that two runs with the same deadlines are late by the same time.
            let label = format!("{} {:?}", id.0, asked.saturating_duration_since(epoch()));
            let late =
                if lateness.is_zero() { lateness } else { Rng::labelled(seed, &label).up_to(lateness) };
            Deadline { asked, served: asked.max(now) + late }
        });
    }

    fn violation(&self, what: &str) -> Violation {
        Violation(format!("seed {}, at {:?}: {what}", self.seed, self.elapsed()))
    }

    pub(super) fn host(&self, id: NodeId) -> &Host<N> {
        &self.hosts[id.0]
    }

    pub(super) fn host_mut(&mut self, id: NodeId) -> &mut Host<N> {
        &mut self.hosts[id.0]
    }
}
