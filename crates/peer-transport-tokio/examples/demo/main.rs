//! Two peers over real loopback sockets: connect, media both ways, a restart in mid-stream, consent revoked.
//!
//! 1. Alice and Bob exchange SDP attribute lines, ICE checks, and a DTLS handshake
//! 2. RTP and RTCP flow both ways
//! 3. Alice restarts: new ICE credentials and a fresh DTLS handshake, while media goes on under the old keys
//! 4. Bob takes his consent back: Alice's next consent check is answered with 403, and she falls silent
//!
//! Ends with a table, and with exit status 1 where anything in it is not so. `cargo xtask demo`.

mod figures;
mod side;
mod stage;
mod timeline;
mod traffic;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use peer_transport::{Failure, IceFailure, RestartOutcome, SendError};
use peer_transport_tokio::DriverSendError;

use figures::Figures;
use side::Side;
use stage::Stage;
use timeline::Tone;

const HELP: &str = "\
Two peers over real loopback sockets: connect, media both ways, a restart with a fresh
DTLS handshake in mid-stream, consent revoked by 403. Exit status 1 where a packet is
lost or anything else is not as it should be.

    --seconds N    for how long media flows in all              [4]
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
    match play(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: FELL SHORT: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The story. `false`: it was told to its end, and something in it was not so.
async fn play(options: &Options) -> Result<bool, Box<dyn Error>> {
    let mut stage = Stage::new()?;
    let mut figures = Figures::default();
    let half = options.media / 2;

    stage.timeline.scene(
        "Connect",
        &[
            "Signalling carries SDP attribute lines. ICE finds a pair, DTLS proves both certificates,",
            "and both sides derive the same SRTP keys from it.",
        ],
    );
    let connected = stage.connect().await?;
    figures.at_most("milliseconds to connect", millis(connected), 2_000);

    stage
        .timeline
        .scene("Media both ways", &["Each packet is protected, sent, opened and compared, byte by byte."]);
    stage.media(half).await?;

    stage.timeline.scene(
        "Restart in mid-stream",
        &[
            "New ICE credentials and a fresh DTLS handshake, the certificates stay. Media goes on under",
            "the old keys until the new ones are proven on both sides: no packet waits, none is lost.",
        ],
    );
    let restarted = stage.restart().await?;
    stage.media(half).await?;
    stage.settle().await?;
    judge_media(&stage, restarted, options, &mut figures);

    stage.timeline.scene(
        "Consent revoked",
        &[
            "Bob answers Alice's next consent check with an authenticated 403 (RFC 7675 with our policy).",
            "Consent is checked every 0.5 s here, and every 5 s by default.",
        ],
    );
    let revoked = stage.revoke().await?;
    figures.is("why alice stopped", failure_in_words(stage.alice.failed), "consent revoked");
    figures.at_most("milliseconds until alice stopped", millis(revoked), 1_500);
    figures.is("a packet after that", refusal_in_words(stage.alice.send(false)), "not permitted");

    print_table(&stage, &figures);
    if let Some(path) = &options.json {
        figures.write(path)?;
    }
    Ok(verdict(&stage, &figures))
}

/// What has to be true of the media and of the restart.
fn judge_media(stage: &Stage, restarted: Duration, options: &Options, figures: &mut Figures) {
    let Stage { alice, bob, .. } = stage;
    let (from_alice, from_bob) = (alice.traffic.sent.total(), bob.traffic.sent.total());
    let (at_alice, at_bob) = (alice.traffic.received.total(), bob.traffic.received.total());
    // A machine that is busy with something else sends late, and has to lose nothing all the same.
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
    figures.exactly("packets damaged or doubled", alice.traffic.damaged + bob.traffic.damaged, 0);
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

/// Packets of each generation, and every claim with its goal.
fn print_table(stage: &Stage, figures: &Figures) {
    let Stage { alice, bob, timeline } = stage;
    timeline.scene("What happened when", &[]);
    for (at, what) in timeline.milestones() {
        println!("{:>7.3} s {what}", at.as_secs_f64());
    }
    timeline.scene("What was sent and received, by association", &[]);
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
    timeline.scene("What was claimed", &[]);
    println!("          {:<34}{:>18}   goal", "", "value");
    for figure in figures.iter() {
        let (value, goal) = figure.in_words();
        let mark =
            if figure.met { timeline.paint(Tone::Good, "ok") } else { timeline.paint(Tone::Bad, "SHORT") };
        println!("          {:<34}{value:>18}   {goal:<18} {mark}", figure.name);
    }
}

/// The last line.
fn verdict(stage: &Stage, figures: &Figures) -> bool {
    let timeline = &stage.timeline;
    let sent = stage.alice.traffic.sent.total().rtp + stage.bob.traffic.sent.total().rtp;
    let short: Vec<&str> = figures.short().map(|figure| figure.name).collect();
    println!();
    if short.is_empty() {
        let line = format!(
            "demo: all {} claims hold: {sent} packets, none lost, new keys in mid-stream, in {:.1} s",
            figures.iter().count(),
            timeline.elapsed().as_secs_f64()
        );
        println!("{}", timeline.paint(Tone::Good, &line));
    } else {
        println!("{}", timeline.paint(Tone::Bad, &format!("demo: FELL SHORT: {}", short.join(", "))));
    }
    short.is_empty()
}

fn outcome_in_words(outcome: Option<RestartOutcome>) -> &'static str {
    match outcome {
        None => "none",
        Some(RestartOutcome::FreshHandshake { .. }) => "fresh handshake",
        Some(RestartOutcome::AssociationRetained { .. }) => "association retained",
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

/// What the command line says.
#[derive(Debug)]
struct Options {
    /// For how long media flows in all.
    media: Duration,
    json: Option<PathBuf>,
}

impl Options {
    /// `None` where help was asked for.
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, Box<dyn Error>> {
        let mut options = Self { media: Duration::from_secs(4), json: None };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--seconds" => options.media = Duration::from_secs(value()?.parse()?),
                "--json" => options.json = Some(PathBuf::from(value()?)),
                other => return Err(format!("{other} is unknown; --help lists what there is").into()),
            }
        }
        Ok(Some(options))
    }
}
