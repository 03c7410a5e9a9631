//! Two peers over loopback sockets: connect, media in both directions, a restart while media flows, revoked consent.
//!
//! 1. Alice and Bob exchange SDP attribute lines, ICE checks, and a DTLS handshake.
//! 2. RTP and RTCP flow in both directions.
//! 3. Alice restarts: new ICE credentials and a fresh DTLS handshake, while media continues with the old keys.
//! 4. Bob revokes consent: Alice's next consent check gets a 403, and she stops sending.
//!
//! Ends with a table, and with exit status 1 if a claim of it does not hold. `cargo xtask demo`.

mod figures;
mod scenario;
mod side;
mod timeline;
mod traffic;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use peer_transport::{Failure, IceFailure, RestartOutcome, SendError};
use peer_transport_tokio::DriverSendError;

use figures::Figures;
use scenario::Scenario;
use side::Side;
use timeline::Tone;

const HELP: &str = "\
Two peers over loopback sockets: connect, media in both directions, a restart with a fresh
DTLS handshake while media flows, consent revoked by 403. The exit status is 1 if a packet
is lost or another claim does not hold.

    --seconds N    duration of the media                        [4]
    --json PATH    write the figures as {figure, value, goal, met}
    --help         this text";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::FAILURE;
        }
    };
    match run(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the scenario. Returns whether every claim holds.
async fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let mut scenario = Scenario::new()?;
    let mut figures = Figures::default();
    let half = options.media / 2;

    scenario.timeline.step(
        "Connect",
        &[
            "Signalling carries SDP attribute lines. ICE selects a pair, DTLS authenticates both sides,",
            "and both sides export the same SRTP keys.",
        ],
    );
    let connected = scenario.connect().await?;
    figures.at_most("milliseconds to connect", millis(connected), 2_000);

    scenario.timeline.step(
        "Media in both directions",
        &["Each packet is protected, sent, unprotected and compared byte by byte."],
    );
    scenario.media(half).await?;

    scenario.timeline.step(
        "Restart while media flows",
        &[
            "New ICE credentials and a fresh DTLS handshake with the same certificates. Media continues with",
            "the old keys until both sides have proven the new ones: no packet waits, and none is lost.",
        ],
    );
    let restarted = scenario.restart().await?;
    scenario.media(half).await?;
    scenario.settle().await?;
    check_media(&scenario, restarted, options, &mut figures);

    scenario.timeline.step(
        "Consent revoked",
        &[
            "Bob responds to Alice's next consent check with an authenticated 403 (RFC 7675).",
            "Consent is checked every 0.5 s here, and every 5 s by default.",
        ],
    );
    let revoked = scenario.revoke().await?;
    figures.is("reason why alice stopped", failure_in_words(scenario.alice.failed), "consent revoked");
    figures.at_most("milliseconds until alice stopped", millis(revoked), 1_500);
    figures.is("a packet after that", refusal_in_words(scenario.alice.send(false)), "not permitted");

    print_table(&scenario, &figures);
    if let Some(path) = &options.json {
        figures.write(path)?;
    }
    Ok(verdict(&scenario, &figures))
}

/// Adds the claims about the media and the restart.
fn check_media(scenario: &Scenario, restarted: Duration, options: &Options, figures: &mut Figures) {
    let Scenario { alice, bob, .. } = scenario;
    let (from_alice, from_bob) = (alice.traffic.sent.total(), bob.traffic.sent.total());
    let (at_alice, at_bob) = (alice.traffic.received.total(), bob.traffic.received.total());
    // A busy machine sends late, but still must not lose a packet.
    let enough = u64::from(traffic::RATE) * options.media.as_secs() / 20;
    figures.at_least("RTP packets sent by alice", from_alice.rtp, enough);
    figures.at_least("RTP packets sent by bob", from_bob.rtp, enough);
    figures.exactly(
        "RTP packets lost",
        (from_alice.rtp + from_bob.rtp).abs_diff(at_alice.rtp + at_bob.rtp),
        0,
    );
    figures.exactly(
        "RTCP packets lost",
        (from_alice.rtcp + from_bob.rtcp).abs_diff(at_alice.rtcp + at_bob.rtcp),
        0,
    );
    figures.exactly("packets damaged or duplicated", alice.traffic.damaged + bob.traffic.damaged, 0);
    figures.is("restart at alice", outcome_in_words(alice.outcome), "fresh handshake");
    figures.is("restart at bob", outcome_in_words(bob.outcome), "fresh handshake");
    figures.at_most("milliseconds to restart", millis(restarted), 2_000);
    let silence = alice.silence.longest.max(bob.silence.longest);
    let usual = alice.silence.usual.max(bob.silence.usual);
    figures.at_most("longest silence in milliseconds", millis(silence), millis(usual * 4).max(250));
    let keys =
        |side: &Side, at: usize| side.keys.get(at).map_or("none", |(_, keys)| keys.as_str()).to_owned();
    figures.is("keys before: alice's are bob's", same(&keys(alice, 0), &keys(bob, 0)), "the same");
    figures.is("keys after: alice's are bob's", same(&keys(alice, 1), &keys(bob, 1)), "the same");
    figures.is("keys before and after", same(&keys(alice, 0), &keys(alice, 1)), "different");
}

/// Prints the packets of each generation, and every claim with its goal.
fn print_table(scenario: &Scenario, figures: &Figures) {
    let Scenario { alice, bob, timeline } = scenario;
    timeline.step("Milestones", &[]);
    for (at, what) in timeline.milestones() {
        println!("{:>7.3} s {what}", at.as_secs_f64());
    }
    timeline.step("Packets by association", &[]);
    println!(
        "          {:<16}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "", "keys", "RTP sent", "received", "RTCP sent", "received"
    );
    for (from, to) in [(alice, bob), (bob, alice)] {
        for association in from.traffic.sent.associations() {
            let (sent, received) = (from.traffic.sent.of(association), to.traffic.received.of(association));
            let keys = from.keys.iter().find(|(of, _)| of.number() == association);
            println!(
                "          {:<16}{:>12}{:>12}{:>12}{:>12}{:>12}",
                format!("{} -> {}, {association}", from.name, to.name),
                keys.map_or("none", |(_, keys)| keys.as_str()),
                sent.rtp,
                received.rtp,
                sent.rtcp,
                received.rtcp
            );
        }
    }
    timeline.step("Claims", &[]);
    println!("          {:<34}{:>18}   goal", "", "value");
    for figure in figures.iter() {
        let (value, goal) = figure.in_words();
        let mark =
            if figure.met { timeline.paint(Tone::Good, "ok") } else { timeline.paint(Tone::Bad, "FAIL") };
        println!("          {:<34}{value:>18}   {goal:<18} {mark}", figure.name);
    }
}

/// Prints the last line, and returns whether every claim holds.
fn verdict(scenario: &Scenario, figures: &Figures) -> bool {
    let timeline = &scenario.timeline;
    let sent = scenario.alice.traffic.sent.total().rtp + scenario.bob.traffic.sent.total().rtp;
    let failed: Vec<&str> = figures.failed().map(|figure| figure.name).collect();
    println!();
    if failed.is_empty() {
        let line = format!(
            "demo: all {} claims hold: {sent} packets, none lost, new keys while media flowed, in {:.1} s",
            figures.iter().count(),
            timeline.elapsed().as_secs_f64()
        );
        println!("{}", timeline.paint(Tone::Good, &line));
    } else {
        println!("{}", timeline.paint(Tone::Bad, &format!("demo: FAILED: {}", failed.join(", "))));
    }
    failed.is_empty()
}

fn outcome_in_words(outcome: Option<RestartOutcome>) -> &'static str {
    match outcome {
        None => "none",
        Some(RestartOutcome::FreshHandshake { .. }) => "fresh handshake",
        Some(RestartOutcome::AssociationRetained { .. }) => "association retained",
        Some(_) => "another outcome",
    }
}

fn failure_in_words(failed: Option<(Instant, Failure)>) -> String {
    match failed {
        None => "nothing".to_owned(),
        Some((_, Failure::Ice(IceFailure::ConsentRevoked { .. }))) => "consent revoked".to_owned(),
        Some((_, other)) => other.to_string(),
    }
}

fn refusal_in_words(sent: Result<(), DriverSendError>) -> String {
    match sent {
        Ok(()) => "sent".to_owned(),
        Err(DriverSendError::Refused(SendError::NotPermitted)) => "not permitted".to_owned(),
        Err(other) => other.to_string(),
    }
}

fn same(one: &str, other: &str) -> &'static str {
    if one == other { "the same" } else { "different" }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The options of the command line.
#[derive(Debug)]
struct Options {
    /// The duration of the media.
    media: Duration,
    json: Option<PathBuf>,
}

impl Options {
    /// Returns `None` if help was requested.
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, Box<dyn Error>> {
        let mut options = Self { media: Duration::from_secs(4), json: None };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--seconds" => options.media = Duration::from_secs(value()?.parse()?),
                "--json" => options.json = Some(PathBuf::from(value()?)),
                other => return Err(format!("unknown argument {other}; --help lists the options").into()),
            }
        }
        Ok(Some(options))
    }
}
