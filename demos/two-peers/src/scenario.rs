//! The scenario: both peers and the clock in one task, and its steps.
//!
//! Drives the peers and carries their signalling. Does not check the claims.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peer_transport::{DescriptionKind, State};
use tokio::time::MissedTickBehavior;

use crate::side::Side;
use crate::timeline::Timeline;
use crate::traffic;

/// Both peers and the clock in one task.
pub(crate) struct Scenario {
    pub(crate) alice: Side,
    pub(crate) bob: Side,
    pub(crate) timeline: Timeline,
}

impl Scenario {
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

    /// Connects both sides. Returns the time it took.
    pub(crate) async fn connect(&mut self) -> Result<Duration, Box<dyn Error>> {
        let began = Instant::now();
        self.exchange_descriptions()?;
        self.until("both sides to connect", |scenario| {
            [&scenario.alice, &scenario.bob]
                .iter()
                .all(|side| side.state() == State::Connected && !side.keys.is_empty())
        })
        .await?;
        self.timeline.milestone("both sides connected, media begins");
        Ok(began.elapsed())
    }

    /// Restarts at Alice. Returns the time until both sides send with new keys.
    pub(crate) async fn restart(&mut self) -> Result<Duration, Box<dyn Error>> {
        let began = Instant::now();
        for side in [&mut self.alice, &mut self.bob] {
            side.restart_silence_measurement();
        }
        self.alice.restart()?;
        self.timeline.milestone("alice restarts");
        self.timeline.print("alice", "restarts: new ufrag, password and tls-id");
        self.exchange_descriptions()?;
        let mut pace = Pace::new();
        let deadline = began + STEP_TIMEOUT;
        while ![&self.alice, &self.bob].iter().all(|side| side.outcome.is_some() && side.keys.len() > 1) {
            if Instant::now() > deadline {
                return Err("the restart did not complete".into());
            }
            self.step(&mut pace).await?;
        }
        self.timeline.milestone("both sides send under new keys");
        Ok(began.elapsed())
    }

    /// Sends media in both directions for `length`.
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

    /// Stops sending, and waits for packets in flight.
    pub(crate) async fn settle(&mut self) -> Result<(), Box<dyn Error>> {
        let end = Instant::now() + Duration::from_millis(300);
        while Instant::now() < end && !self.everything_arrived() {
            // A missing packet makes a figure fail; it is not an error.
            if let Ok(happened) = tokio::time::timeout(Duration::from_millis(20), self.next_event()).await {
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

    /// Revokes consent at Bob. Returns the time until Alice has stopped.
    pub(crate) async fn revoke(&mut self) -> Result<Duration, Box<dyn Error>> {
        let began = Instant::now();
        self.bob.driver.peer_mut(self.bob.peer)?.revoke_consent(began);
        self.timeline.milestone("bob revokes consent");
        self.timeline.print("bob", "revokes consent");
        self.until("alice to hear of it", |scenario| scenario.alice.failed.is_some()).await?;
        self.timeline.milestone("alice was told by 403, and stopped");
        Ok(began.elapsed())
    }

    /// Exchanges offer and answer, as a signalling server would.
    fn exchange_descriptions(&mut self) -> Result<(), Box<dyn Error>> {
        let offer = self.alice.describe()?;
        self.bob.apply(DescriptionKind::Offer, &offer)?;
        let answer = self.bob.describe()?;
        self.alice.apply(DescriptionKind::Answer, &answer)?;
        self.timeline.print("", &format!("offer of {} lines, answer of {} lines", offer.len(), answer.len()));
        Ok(())
    }

    /// Drives both peers without media until `done`.
    async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + STEP_TIMEOUT;
        while !done(self) {
            if Instant::now() > deadline {
                return Err(format!("waited {} s for {what}", STEP_TIMEOUT.as_secs()).into());
            }
            // Ends at an event of a peer, or after a moment.
            if let Ok(happened) = tokio::time::timeout(Duration::from_millis(20), self.next_event()).await {
                happened?;
            }
        }
        Ok(())
    }

    /// Sends one packet in each direction when it is due, and handles the events before it.
    async fn step(&mut self, pace: &mut Pace) -> Result<(), Box<dyn Error>> {
        tokio::select! {
            report_due = pace.next() => {
                for side in [&mut self.alice, &mut self.bob] {
                    side.send(report_due).map_err(|error| format!("{} cannot send: {error}", side.name))?;
                }
                Ok(())
            }
            happened = self.next_event() => happened,
        }
    }

    /// Waits for one event of a peer, and prints it. Cancel-safe.
    async fn next_event(&mut self) -> Result<(), Box<dyn Error>> {
        let Self { alice, bob, timeline } = self;
        let (side, event) = tokio::select! {
            event = alice.next_event() => (alice, event?),
            event = bob.next_event() => (bob, event?),
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
        timeline.print("", &format!("{}; {}", line(alice, bob), line(bob, alice)));
    }
}

/// The schedule of the packets.
struct Pace {
    interval: tokio::time::Interval,
    packets: u32,
}

impl Pace {
    fn new() -> Self {
        let mut interval = tokio::time::interval(Duration::from_secs(1) / traffic::RATE);
        // A busy machine sends late, but without a burst.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, packets: 0 }
    }

    /// Returns whether a report is due together with the packet. Cancel-safe.
    async fn next(&mut self) -> bool {
        self.interval.tick().await;
        self.packets += 1;
        self.packets % REPORT_EVERY == 1
    }
}

/// One report every 100 ms.
const REPORT_EVERY: u32 = traffic::RATE / 10;

/// No step takes this long on loopback.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
