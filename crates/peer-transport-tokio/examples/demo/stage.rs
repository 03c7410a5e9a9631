//! The stage: both peers and the clock, in one task, and the scenes that are played on it.
//!
//! Drives the peers and carries their signalling. What has to come out of it is not its concern.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peer_transport::{DescriptionKind, State};
use tokio::time::MissedTickBehavior;

use crate::side::Side;
use crate::timeline::Timeline;
use crate::traffic;

/// Both peers and the clock, in one task.
pub(crate) struct Stage {
    pub(crate) alice: Side,
    pub(crate) bob: Side,
    pub(crate) timeline: Timeline,
}

impl Stage {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let mut config = peer_transport::Config::default();
        Arc::make_mut(&mut config.ice).consent_interval = Duration::from_millis(500);
        let config = Arc::new(config);
        Ok(Self {
            alice: Side::new("alice", 0xa11c_e000, Arc::clone(&config))?,
            bob: Side::new("bob", 0x00b0_b000, config)?,
            timeline: Timeline::new(),
        })
    }

    /// Both sides connected; returns how long it took.
    pub(crate) async fn connect(&mut self) -> Result<Duration, Box<dyn Error>> {
        let began = Instant::now();
        self.exchange_descriptions()?;
        self.until("both sides to connect", |stage| {
            [&stage.alice, &stage.bob]
                .iter()
                .all(|side| side.state() == State::Connected && !side.keys.is_empty())
        })
        .await?;
        self.timeline.milestone("both sides connected, media begins");
        Ok(began.elapsed())
    }

    /// Alice restarts; returns how long it took until both sides send under new keys.
    pub(crate) async fn restart(&mut self) -> Result<Duration, Box<dyn Error>> {
        let began = Instant::now();
        for side in [&mut self.alice, &mut self.bob] {
            side.watch_silence();
        }
        self.alice.restart()?;
        self.timeline.milestone("alice restarts");
        self.timeline.tell("alice", "restarts: new ufrag, password and tls-id");
        self.exchange_descriptions()?;
        let mut pace = Pace::new();
        let deadline = began + PATIENCE;
        while ![&self.alice, &self.bob].iter().all(|side| side.outcome.is_some() && side.keys.len() > 1) {
            if Instant::now() > deadline {
                return Err("the restart did not complete".into());
            }
            self.step(&mut pace).await?;
        }
        self.timeline.milestone("both sides send under new keys");
        Ok(began.elapsed())
    }

    /// Media both ways for a while.
    pub(crate) async fn media(&mut self, length: Duration) -> Result<(), Box<dyn Error>> {
        let end = Instant::now() + length;
        let mut pace = Pace::new();
        let mut told = Instant::now();
        while Instant::now() < end {
            self.step(&mut pace).await?;
            if told.elapsed() >= Duration::from_millis(500) {
                told = Instant::now();
                self.tell_counters();
            }
        }
        Ok(())
    }

    /// No more is sent; what is on its way arrives.
    pub(crate) async fn settle(&mut self) -> Result<(), Box<dyn Error>> {
        let end = Instant::now() + Duration::from_millis(300);
        while Instant::now() < end && !self.everything_arrived() {
            // What does not arrive is a figure that falls short, not an error.
            if let Ok(happened) = tokio::time::timeout(Duration::from_millis(20), self.turn()).await {
                happened?;
            }
        }
        self.tell_counters();
        Ok(())
    }

    fn everything_arrived(&self) -> bool {
        let Self { alice, bob, .. } = self;
        alice.traffic.sent.total() == bob.traffic.received.total()
            && bob.traffic.sent.total() == alice.traffic.received.total()
    }

    /// Bob revokes; returns how long it took until Alice had stopped.
    pub(crate) async fn revoke(&mut self) -> Result<Duration, Box<dyn Error>> {
        let began = Instant::now();
        self.bob.driver.peer_mut(self.bob.peer)?.revoke_consent(began);
        self.timeline.milestone("bob revokes his consent");
        self.timeline.tell("bob", "revokes his consent");
        self.until("alice to hear of it", |stage| stage.alice.failed.is_some()).await?;
        self.timeline.milestone("alice was told by 403, and stopped");
        Ok(began.elapsed())
    }

    /// Offer and answer: what a signalling server would carry, carried by hand.
    fn exchange_descriptions(&mut self) -> Result<(), Box<dyn Error>> {
        let offer = self.alice.describe()?;
        self.bob.understand(DescriptionKind::Offer, &offer)?;
        let answer = self.bob.describe()?;
        self.alice.understand(DescriptionKind::Answer, &answer)?;
        self.timeline.tell("", &format!("offer of {} lines, answer of {} lines", offer.len(), answer.len()));
        Ok(())
    }

    /// Drives both peers, without sending media, until `done`.
    async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            if Instant::now() > deadline {
                return Err(format!("waited {} s for {what}", PATIENCE.as_secs()).into());
            }
            // A turn ends when one of the peers has something to tell, or after a moment.
            if let Ok(happened) = tokio::time::timeout(Duration::from_millis(20), self.turn()).await {
                happened?;
            }
        }
        Ok(())
    }

    /// One packet each way at its time, or whatever happens before it.
    async fn step(&mut self, pace: &mut Pace) -> Result<(), Box<dyn Error>> {
        tokio::select! {
            report_due = pace.next() => {
                for side in [&mut self.alice, &mut self.bob] {
                    side.send(report_due).map_err(|error| format!("{} cannot send: {error}", side.name))?;
                }
                Ok(())
            }
            happened = self.turn() => happened,
        }
    }

    /// Waits for one thing to happen to one of the peers, and tells it. Cancel-safe.
    async fn turn(&mut self) -> Result<(), Box<dyn Error>> {
        let Self { alice, bob, timeline } = self;
        let (side, event) = tokio::select! {
            event = alice.turn() => (alice, event?),
            event = bob.turn() => (bob, event?),
        };
        if let Some(event) = event {
            let keys = side.keys.last().map(|(_, fingerprint)| fingerprint.as_str());
            timeline.event(side.name, &event, keys);
        }
        Ok(())
    }

    fn tell_counters(&self) {
        let Self { alice, bob, timeline } = self;
        let line = |from: &Side, to: &Side| {
            let (sent, received) = (from.traffic.sent.total(), to.traffic.received.total());
            format!(
                "{} -> {} {} of {} RTP, {} of {} RTCP",
                from.name, to.name, received.rtp, sent.rtp, received.rtcp, sent.rtcp
            )
        };
        timeline.tell("", &format!("{}; {}", line(alice, bob), line(bob, alice)));
    }
}

/// When the next packet is due.
struct Pace {
    interval: tokio::time::Interval,
    packets: u32,
}

impl Pace {
    fn new() -> Self {
        let mut interval = tokio::time::interval(Duration::from_secs(1) / traffic::RATE);
        // A busy machine sends late, and sends no bursts that no link would carry.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, packets: 0 }
    }

    /// Whether a report is due together with the packet. Cancel-safe.
    async fn next(&mut self) -> bool {
        self.interval.tick().await;
        self.packets += 1;
        self.packets % REPORT_EVERY == 1
    }
}

/// A report every 100 ms.
const REPORT_EVERY: u32 = traffic::RATE / 10;

/// On loopback nothing takes this long.
const PATIENCE: Duration = Duration::from_secs(5);
