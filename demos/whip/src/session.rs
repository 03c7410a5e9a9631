//! One WHIP session: its peer, its echo, and its events.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use peer_transport::{
    Candidate, CandidateLine, Event, Parameters, PeerId, PeerTransport, RestartOutcome, Side, State,
};
use peer_transport_tokio::DriverSendError;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

use crate::command::NextCertificate;
use crate::echo::Echo;
use crate::sdp::Section;

/// Identifies a session in its URL. The id authorises its holder to end the session, so it cannot be guessed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(String);

impl SessionId {
    pub(crate) fn new(random: &SystemRandom) -> Self {
        let mut bytes = [0; 16];
        // The generator worked when the driver was created.
        let _ = random.fill(&mut bytes);
        Self(hex(&bytes))
    }

    /// Returns the CNAME of its tracks. It differs from the session id, which is a secret.
    pub(crate) fn cname(&self) -> String {
        hex(digest::digest(&digest::SHA256, self.0.as_bytes()).as_ref().get(..8).unwrap_or_default())
    }
}

impl From<String> for SessionId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) peer: PeerId,
    pub(crate) echo: Echo,
    /// The latest parameters of the client.
    pub(crate) remote: Parameters,
    candidates: Vec<Candidate>,
    created: Instant,
    ended: Option<Instant>,
    timeline: VecDeque<(Duration, String)>,
    /// One entry per completed restart.
    verdicts: Vec<Value>,
    restarted: Instant,
    refused_packets: u64,
}

impl Session {
    pub(crate) fn new(
        now: Instant,
        id: SessionId,
        peer: PeerId,
        echo: Echo,
        remote: Parameters,
        candidates: Vec<Candidate>,
    ) -> Self {
        Self {
            id,
            peer,
            echo,
            remote,
            candidates,
            created: now,
            ended: None,
            timeline: VecDeque::new(),
            verdicts: Vec::new(),
            restarted: now,
            refused_packets: 0,
        }
    }

    pub(crate) fn sections(&self) -> Vec<Section> {
        self.echo.tracks.iter().map(|track| track.section.clone()).collect()
    }

    /// Returns our candidates as attribute lines, without `a=`.
    pub(crate) fn candidate_lines(&self) -> Vec<String> {
        self.candidates.iter().map(|candidate| CandidateLine::of(*candidate, None).to_string()).collect()
    }

    /// Returns whether the session ended at least `length` ago.
    pub(crate) fn ended_for(&self, now: Instant, length: Duration) -> bool {
        self.ended.is_some_and(|ended| now.saturating_duration_since(ended) >= length)
    }

    /// Adds a line to the timeline.
    pub(crate) fn note(&mut self, now: Instant, what: String) {
        if self.timeline.len() == MAX_TIMELINE {
            self.timeline.pop_front();
        }
        self.timeline.push_back((now - self.created, what));
    }

    pub(crate) fn on_restart(&mut self, now: Instant, remote: Parameters, certificate: NextCertificate) {
        self.remote = remote;
        self.ended = None;
        self.restarted = now;
        for track in &mut self.echo.tracks {
            if let Some(reception) = &mut track.reception {
                reception.restart_silence();
            }
        }
        self.note(
            now,
            match certificate {
                NextCertificate::Same => "the peer restarts ICE; a fresh handshake is offered".into(),
                NextCertificate::New => "the peer restarts ICE; a new certificate is shown".into(),
            },
        );
    }

    pub(crate) fn on_refused_packet(&mut self, error: DriverSendError) {
        self.refused_packets += 1;
        tracing::debug!(%error, "an echo was not sent");
    }

    pub(crate) fn on_event(&mut self, now: Instant, event: &Event, transport: &PeerTransport) {
        if let Some(what) = tell(event, transport) {
            self.note(now, what);
        }
        match event {
            Event::KeysChanged { .. } => self.echo.on_new_keys(),
            Event::RestartCompleted { outcome, .. } => {
                let (outcome, proven) = match outcome {
                    RestartOutcome::FreshHandshake { .. } => ("fresh_handshake", Value::Null),
                    RestartOutcome::AssociationRetained { proven, .. } => {
                        ("association_retained", Value::Bool(*proven))
                    }
                    _ => ("other", Value::Null),
                };
                self.conclude(now, outcome, &proven);
            }
            Event::RestartFailed { failure, .. } => {
                self.conclude(now, "failed", &Value::String(failure.to_string()));
            }
            Event::StateChanged(State::Closed) | Event::Failed(_) => self.ended = Some(now),
            _ => {}
        }
    }

    /// Returns the whole state as JSON, for the page and for tests.
    pub(crate) fn look(&self, now: Instant, transport: &PeerTransport) -> Value {
        let silences = || self.echo.tracks.iter().filter_map(|track| track.reception.as_ref());
        let tracks: Vec<Value> = self
            .echo
            .tracks
            .iter()
            .map(|track| {
                let reception = track.reception.as_ref();
                json!({
                    "mid": track.section.mid,
                    "kind": track.section.kind.as_str(),
                    "received": reception.map_or(0, super::reception::Reception::received),
                    "lost": reception.map_or(0, super::reception::Reception::lost),
                    "longest_silence_ms": reception.map_or(0, |it| millis(it.longest_silence(now))),
                    "echoed": track.echoed,
                    "key_frames_asked": track.key_frames_asked,
                    "missed_by_browser": f64::from(track.missed) / 256.0,
                })
            })
            .collect();
        let stats = transport.stats();
        json!({
            "state": transport.state().to_string(),
            "ice": transport.ice().state().to_string(),
            "dtls": transport.association().map(|it| format!("association {it}")),
            "association": transport.association().map(peer_transport::AssociationId::number),
            "generation": transport.generation().to_string(),
            "version": transport.negotiated().map(|negotiated| format!("{:?}", negotiated.version)),
            "group": transport.negotiated().and_then(|it| it.group).map(|group| format!("{group:?}")),
            "profile": transport.srtp_profile().map(|profile| profile.to_string()),
            "keys": key_fingerprint(transport),
            "selected_path": transport.selected_pair().map(|pair| pair.path.to_string()),
            "round_trip_ms": stats.round_trip_time.map(|time| time.as_secs_f64() * 1000.0),
            "longest_silence_ms": silences().map(|it| millis(it.longest_silence(now))).max().unwrap_or(0),
            "refused_packets": self.refused_packets,
            "discards": stats.discards().map(|(reason, times)| json!([format!("{reason:?}"), times]))
                .collect::<Vec<_>>(),
            "tracks": tracks,
            "verdicts": self.verdicts,
            "timeline": self.timeline.iter()
                .map(|(at, what)| json!({ "at_ms": millis(*at), "what": what })).collect::<Vec<_>>(),
        })
    }

    fn conclude(&mut self, now: Instant, outcome: &str, detail: &Value) {
        if self.verdicts.len() < MAX_TIMELINE {
            let after_ms = millis(now - self.restarted);
            self.verdicts.push(json!({ "outcome": outcome, "detail": detail, "after_ms": after_ms }));
        }
    }
}

/// Returns a short name of the keys in use: equal on both sides, different after a fresh handshake, and without
/// information about a key. Exported with its own label (RFC 5705 section 4).
fn key_fingerprint(transport: &PeerTransport) -> Option<String> {
    let mut exported = [0; 16];
    transport.export("EXPERIMENTAL peer-transport key fingerprint", None, &mut exported).ok()?;
    hex(&exported).get(..8).map(str::to_owned)
}

/// Returns an event as text; `None` for events that are not shown.
fn tell(event: &Event, transport: &PeerTransport) -> Option<String> {
    Some(match event {
        Event::StateChanged(state) => format!("transport {state}"),
        Event::IceStateChanged(state) => format!("ICE {state}"),
        Event::PairSelected { pair, .. } => format!("pair selected: {}", pair.path),
        Event::ConsentLost { failure, .. } => format!("consent lost: {failure}"),
        Event::KeysChanged { association, profile, .. } => {
            let profile = profile.map_or_else(|| "no SRTP".to_owned(), |profile| profile.to_string());
            let keys = key_fingerprint(transport).unwrap_or_default();
            format!("sending with the keys {keys} of association {association}, {profile}")
        }
        Event::RestartCompleted { outcome: RestartOutcome::FreshHandshake { association, .. }, .. } => {
            format!("restart completed: fresh handshake, association {association}")
        }
        Event::RestartCompleted {
            outcome: RestartOutcome::AssociationRetained { association, proven, .. },
            ..
        } => {
            let proof = if *proven { "proven by its traffic" } else { "without proof" };
            format!("restart completed: the peer retains association {association}, {proof}")
        }
        Event::RestartFailed { failure, .. } => format!("restart failed: {failure}"),
        Event::AssociationClosed { association, by, .. } => {
            let by = match by {
                Side::Local => "us",
                Side::Peer => "the peer",
            };
            format!("association {association} closed by {by}")
        }
        Event::Failed(failure) => format!("failed: {failure}"),
        Event::FreshClientHello { .. } => "a ClientHello without a restart".to_owned(),
        _ => return None,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A session with this many changes has been open for days.
const MAX_TIMELINE: usize = 256;
