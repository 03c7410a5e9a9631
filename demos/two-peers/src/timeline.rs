//! The printed timeline. Coloured on a terminal, plain elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use peer_transport::{Event, RestartOutcome, Side};

/// The printer, and its clock.
#[derive(Debug)]
pub(crate) struct Timeline {
    start: Instant,
    ink: Ink,
    milestones: Vec<(Duration, &'static str)>,
}

/// Whether output is coloured.
#[derive(Clone, Copy, Debug)]
enum Ink {
    Plain,
    Coloured,
}

/// The role of a part of the text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    Heading,
    Aside,
    Alice,
    Bob,
    Good,
    Bad,
}

impl Timeline {
    pub(crate) fn new() -> Self {
        let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            start: Instant::now(),
            ink: if coloured { Ink::Coloured } else { Ink::Plain },
            milestones: Vec::new(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Prints the heading of a new step, with notes.
    pub(crate) fn step(&self, title: &str, asides: &[&str]) {
        println!("\n{}", self.paint(Tone::Heading, title));
        for aside in asides {
            println!("          {}", self.paint(Tone::Aside, aside));
        }
    }

    /// Records a milestone for the table at the end.
    pub(crate) fn milestone(&mut self, what: &'static str) {
        self.milestones.push((self.elapsed(), what));
    }

    /// Returns the milestones with their times.
    pub(crate) fn milestones(&self) -> impl Iterator<Item = (Duration, &'static str)> + '_ {
        self.milestones.iter().copied()
    }

    /// Prints one line.
    pub(crate) fn print(&self, who: &str, what: &str) {
        let tone = match who {
            "alice" => Tone::Alice,
            "bob" => Tone::Bob,
            _ => Tone::Aside,
        };
        println!("{:>7.3} s {} {what}", self.elapsed().as_secs_f64(), self.paint(tone, &format!("{who:>6}")));
    }

    /// Prints an event that is of interest to the reader.
    pub(crate) fn event(&self, who: &str, event: &Event, keys: Option<&str>) {
        if let Some(what) = in_words(event, keys) {
            self.print(who, &what);
        }
    }

    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Heading => "1",
            Tone::Aside => "2",
            Tone::Alice => "36",
            Tone::Bob => "35",
            Tone::Good => "32",
            Tone::Bad => "1;31",
        };
        match self.ink {
            Ink::Plain => text.to_owned(),
            Ink::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

fn in_words(event: &Event, keys: Option<&str>) -> Option<String> {
    Some(match event {
        Event::StateChanged(state) => format!("transport is {state}"),
        Event::PairSelected { pair, .. } => format!("ICE selected {}", pair.path),
        Event::KeysChanged { association, profile, .. } => {
            let profile = profile.map_or_else(|| "no SRTP".to_owned(), |profile| profile.to_string());
            format!("sends with the keys {} of association {association} ({profile})", keys.unwrap_or("?"))
        }
        Event::RestartCompleted { outcome: RestartOutcome::FreshHandshake { association, .. }, .. } => {
            format!("restart completed by a fresh handshake: association {association}")
        }
        Event::RestartCompleted {
            outcome: RestartOutcome::AssociationRetained { association, .. }, ..
        } => {
            format!("restart completed, association {association} retained")
        }
        Event::RestartFailed { failure, .. } => format!("restart failed: {failure}"),
        Event::ConsentLost { failure, .. } => format!("consent lost: {failure}"),
        Event::AssociationClosed { association, by, .. } => {
            let by = match by {
                Side::Local => "us",
                Side::Peer => "the peer",
            };
            format!("association {association} closed by {by}")
        }
        Event::Failed(failure) => format!("failed: {failure}"),
        _ => return None,
    })
}
