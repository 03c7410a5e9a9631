//! One direction of a path: its loss, delay, reordering, duplication and limits.
//!
//! [`Link`] describes it, and [`LinkState`] decides the result of one datagram after the other. Each link has its own
//! random numbers, so that traffic on one path does not change another path.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::classify::Class;
use crate::rng::Rng;
use crate::trace::Loss;

/// How one direction behaves. The default delivers everything after a millisecond, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    loss: f64,
    burst: Option<Burst>,
    delay: Duration,
    jitter: Duration,
    reorder: f64,
    reorder_by: Duration,
    duplicate: f64,
    mtu: usize,
    bandwidth: Option<u64>,
    queue_limit: Duration,
}

/// Loss in bursts (Gilbert and Elliott): a good state without loss and a bad state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// The probability, at each datagram, that the good state ends.
    pub enter: f64,
    /// The probability, at each datagram, that the bad state ends.
    pub leave: f64,
    /// The loss in the bad state.
    pub loss: f64,
}

impl Link {
    /// One millisecond of delay, no loss, no reordering, 1500 bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            loss: 0.0,
            burst: None,
            delay: Duration::from_millis(1),
            jitter: Duration::ZERO,
            reorder: 0.0,
            reorder_by: Duration::from_millis(10),
            duplicate: 0.0,
            mtu: 1500,
            bandwidth: None,
            queue_limit: Duration::from_millis(200),
        }
    }

    /// Independent loss of each datagram, as a probability.
    #[must_use]
    pub const fn loss(mut self, probability: f64) -> Self {
        self.loss = probability;
        self
    }

    /// Loss in bursts, in addition to [`loss`](Self::loss).
    #[must_use]
    pub const fn burst(mut self, burst: Burst) -> Self {
        self.burst = Some(burst);
        self
    }

    /// The shortest delay of a datagram.
    #[must_use]
    pub const fn delay(mut self, one_way: Duration) -> Self {
        self.delay = one_way;
        self
    }

    /// Up to so much more delay, random for each datagram; the order is kept.
    #[must_use]
    pub const fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// With this probability a datagram takes `by` longer and lets later ones overtake it.
    #[must_use]
    pub const fn reorder(mut self, probability: f64, by: Duration) -> Self {
        self.reorder = probability;
        self.reorder_by = by;
        self
    }

    /// With this probability a datagram arrives twice, the copy up to 10 ms after the original.
    #[must_use]
    pub const fn duplicate(mut self, probability: f64) -> Self {
        self.duplicate = probability;
        self
    }

    /// The largest UDP payload that passes, in bytes; larger datagrams are dropped.
    #[must_use]
    pub const fn mtu(mut self, payload: usize) -> Self {
        self.mtu = payload;
        self
    }

    /// Bits per second; datagrams wait for earlier ones, and are dropped when they would wait `queue` or longer.
    #[must_use]
    pub const fn bandwidth(mut self, bits_per_second: u64, queue: Duration) -> Self {
        self.bandwidth = Some(bits_per_second);
        self.queue_limit = queue;
        self
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

/// When a datagram arrives, and its copy if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) at: Instant,
    pub(crate) copy_at: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(crate) struct LinkState {
    link: Link,
    seed: u64,
    name: String,
    busy_until: Option<Instant>,
    lanes: BTreeMap<Class, Lane>,
}

/// The random numbers and the order of one class of datagrams.
#[derive(Clone, Debug)]
struct Lane {
    rng: Rng,
    in_burst: bool,
    last_arrival: Option<Instant>,
}

impl LinkState {
    /// A link whose random numbers come from the seed, its name and the class of a datagram. Each class has its own
    /// numbers, so that an additional check does not change which handshake packet is lost.
    pub(crate) const fn new(link: Link, seed: u64, name: String) -> Self {
        Self { link, seed, name, busy_until: None, lanes: BTreeMap::new() }
    }

    /// Changes the link; its random numbers and the datagrams in flight stay.
    pub(crate) const fn change(&mut self, link: Link) {
        self.link = link;
    }

    /// Decides the result of a datagram of `len` bytes sent at `now`.
    pub(crate) fn send(&mut self, now: Instant, class: Class, len: usize) -> Result<Delivery, Loss> {
        let link = self.link;
        let (seed, name) = (self.seed, &self.name);
        let lane = self.lanes.entry(class).or_insert_with(|| Lane {
            rng: Rng::labelled(seed, &format!("{name} {class:?}")),
            in_burst: false,
            last_arrival: None,
        });
        // Every datagram draws the same random numbers whether it is lost or not, so that a loss does not change the
        // later decisions.
        let lost = lane.rng.chance(link.loss);
        let burst_lost = lane.burst_loss(link.burst);
        let jitter = lane.rng.up_to(link.jitter);
        let late = lane.rng.chance(link.reorder);
        let copy = lane.rng.chance(link.duplicate);
        let copy_after = lane.rng.up_to(Duration::from_millis(10));

        if len > link.mtu {
            return Err(Loss::OverMtu);
        }
        let departure = self.departure(now, len)?;
        if lost {
            return Err(Loss::Chance);
        }
        if burst_lost {
            return Err(Loss::Burst);
        }
        let mut at = departure + link.delay + jitter;
        if late {
            at += link.reorder_by;
        } else if let Some(lane) = self.lanes.get_mut(&class) {
            at = lane.last_arrival.map_or(at, |last| at.max(last));
            lane.last_arrival = Some(at);
        }
        Ok(Delivery { at, copy_at: copy.then(|| at + copy_after) })
    }

    fn departure(&mut self, now: Instant, len: usize) -> Result<Instant, Loss> {
        let Some(bandwidth) = self.link.bandwidth else { return Ok(now) };
        let start = self.busy_until.map_or(now, |busy| busy.max(now));
        if start.duration_since(now) >= self.link.queue_limit {
            return Err(Loss::QueueFull);
        }
        let bits = u64::try_from(len).unwrap_or(u64::MAX).saturating_mul(8);
        let wire = Duration::from_nanos(bits.saturating_mul(1_000_000_000) / bandwidth.max(1));
        self.busy_until = Some(start + wire);
        Ok(start + wire)
    }
}

impl Lane {
    fn burst_loss(&mut self, burst: Option<Burst>) -> bool {
        let Some(burst) = burst else { return false };
        let turns = self.rng.chance(if self.in_burst { burst.leave } else { burst.enter });
        self.in_burst ^= turns;
        let lost = self.rng.chance(burst.loss);
        self.in_burst && lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::epoch;

    const MS: Duration = Duration::from_millis(1);

    fn send_many(link: Link, seed: u64, count: u32) -> Vec<Result<Delivery, Loss>> {
        let mut state = LinkState::new(link, seed, "test".into());
        (0..count).map(|n| state.send(epoch() + MS * n, Class::Rtp, 100)).collect()
    }

    #[test]
    fn loss_is_as_frequent_as_asked_and_independent() {
        for (loss, low, high) in [(0.0, 0, 0), (0.1, 1_850, 2_150), (0.3, 5_800, 6_200)] {
            let results = send_many(Link::new().loss(loss), 11, 20_000);
            let lost = results.iter().filter(|state| state.is_err()).count();
            assert!((low..=high).contains(&lost), "{lost} of 20000 lost at {loss}");
            // After a loss, the next datagram is lost with about the same probability.
            let pairs = results.windows(2).filter(|pair| pair[0].is_err() && pair[1].is_err()).count();
            assert!(pairs * 20_000 <= lost * lost * 12 / 10 + 20_000, "{pairs} pairs of {lost} losses");
        }
    }

    #[test]
    fn bursts_lose_the_same_share_in_longer_runs() {
        // One tenth of the time in a bad state of about ten datagrams that loses everything.
        let burst = Burst { enter: 1.0 / 90.0, leave: 0.1, loss: 1.0 };
        let results = send_many(Link::new().burst(burst), 12, 50_000);
        let lost = results.iter().filter(|state| state.is_err()).count();
        let runs = results.windows(2).filter(|pair| pair[0].is_ok() && pair[1].is_err()).count();
        assert!((4_000..6_000).contains(&lost), "{lost} lost");
        assert!((8..13).contains(&(lost / runs)), "{lost} lost in {runs} runs");
    }

    #[test]
    fn delay_is_at_least_the_delay_and_at_most_with_all_the_jitter() {
        for (n, state) in send_many(Link::new().delay(50 * MS).jitter(20 * MS), 13, 2_000).iter().enumerate()
        {
            let took = state.unwrap().at - (epoch() + MS * u32::try_from(n).unwrap());
            // Datagrams a millisecond apart that may not overtake can wait for one before them, never longer.
            assert!(took >= 50 * MS && took <= 70 * MS, "{took:?}");
        }
    }

    #[test]
    fn jitter_alone_keeps_the_order_and_reordering_breaks_it() {
        let inversions = |link| {
            let arrivals: Vec<_> =
                send_many(link, 14, 5_000).into_iter().map(|state| state.unwrap().at).collect();
            arrivals.windows(2).filter(|pair| pair[0] > pair[1]).count()
        };
        assert_eq!(inversions(Link::new().jitter(40 * MS)), 0);
        let overtaken = inversions(Link::new().reorder(0.05, 10 * MS));
        assert!((200..300).contains(&overtaken), "{overtaken}");
    }

    #[test]
    fn duplicates_are_as_frequent_as_asked() {
        let copies = send_many(Link::new().duplicate(0.2), 15, 10_000)
            .iter()
            .filter(|state| state.unwrap().copy_at.is_some())
            .count();
        assert!((1_850..2_150).contains(&copies), "{copies}");
    }

    #[test]
    fn what_is_one_byte_over_the_mtu_vanishes() {
        let mut state = LinkState::new(Link::new().mtu(1200), 1, "test".into());
        assert!(state.send(epoch(), Class::Rtp, 1200).is_ok());
        assert_eq!(state.send(epoch(), Class::Rtp, 1201), Err(Loss::OverMtu));
    }

    #[test]
    fn bandwidth_spaces_datagrams_and_a_full_queue_drops() {
        // 1000 bytes at 1 Mbit/s take 8 ms.
        let link = Link::new().delay(Duration::ZERO).bandwidth(1_000_000, 20 * MS);
        let mut state = LinkState::new(link, 1, "test".into());
        let results: Vec<_> = (0..4)
            .map(|_| state.send(epoch(), Class::Rtp, 1000).map(|delivery| delivery.at - epoch()))
            .collect();
        assert_eq!(results, [Ok(8 * MS), Ok(16 * MS), Ok(24 * MS), Err(Loss::QueueFull)]);
    }

    #[test]
    fn the_same_seed_gives_the_same_fates_and_another_seed_others() {
        let link = Link::new().loss(0.2).jitter(30 * MS).reorder(0.1, 5 * MS).duplicate(0.1);
        assert_eq!(send_many(link, 16, 500), send_many(link, 16, 500));
        assert_ne!(send_many(link, 16, 500), send_many(link, 17, 500));
    }
}
