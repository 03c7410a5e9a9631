//! Chromium on the other side: a page of the WHIP echo server runs through a whole call, once in each DTLS role.
//!
//! 1. -> the page offers a canvas picture and a tone; ICE, DTLS and SRTP come up
//! 2. <> more than 100 video packets are decrypted here, and the echo is decoded there
//! 3. -> ICE restart under the same certificate: Chromium keeps its association, and our verdict says so
//! 4. -> ICE restart under a new certificate: a fresh handshake, new keys on both sides
//! 5. <- 403: the browser notices
//!
//! The page reports what both sides saw, step by step, and judges nothing; all judgement is here.

mod browser;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::report::Report;
use browser::Browser;

/// Our DTLS role, and the `setup` by which the page asks for it.
const ROLES: [(&str, &str); 2] = [("server", "passive"), ("client", "active")];

/// The longest of the page's own waits, and a machine that is busy with something else.
const STEP: Duration = Duration::from_secs(60);

/// What counts as media that never stopped: twenty frames of Opus in a row are two of its longest
/// jitter buffers, and far less than the seconds that a retained verdict takes.
const UNBROKEN_MS: u64 = 400;

type Judgement = fn(&Run<'_>, &mut Vec<String>) -> Result<(), String>;

/// The steps of the page, in their order, with what has to be true of each.
const STEPS: [(&str, &str, Judgement); 5] = [
    ("connect", "ICE, DTLS and SRTP connect", connected),
    ("media", "media is decrypted here and decoded there", echoed),
    ("restart", "ICE restart, same certificate", retained),
    ("rotate", "ICE restart, new certificate", rotated),
    ("revoke", "consent revoked by 403", revoked),
];

/// Plays every cell.
pub(crate) fn run(report: &mut Report) {
    let mut browser = Browser::start();
    for (role, setup) in ROLES {
        for (step, scenario, judge) in STEPS {
            report.cell(role, scenario, |notes| {
                let browser = browser.as_mut().map_err(|message| message.clone())?;
                let seen = browser.until(STEP, |report| Run::new(report, setup, step).is_over())?;
                let run = Run::new(&seen, setup, step);
                run.succeeded().and_then(|()| judge(&run, notes)).map_err(|message| run.blame(&message))
            });
        }
    }
}

/// Both sides say connected, and agree on the profile.
fn connected(run: &Run<'_>, notes: &mut Vec<String>) -> Result<(), String> {
    run.expect("after/browser/connection", "connected")?;
    run.expect("after/browser/dtls", "connected")?;
    run.expect("after/server/state", "connected")?;
    let ice = run.text("after/browser/ice")?;
    if !["connected", "completed"].contains(&ice) {
        return Err(format!("the browser's ICE is {ice}"));
    }
    let (ours, theirs) = (run.text("after/server/profile")?, run.text("after/browser/srtp")?);
    if canonical(ours) != canonical(theirs) {
        return Err(format!("we say {ours}, Chromium says {theirs}"));
    }
    let theirs = run.text("after/browser/dtlsRole")?;
    if theirs == run.our_role() {
        return Err(format!("both sides are the DTLS {theirs}"));
    }
    notes.push(ours.to_owned());
    notes.push(format!("DTLS version {}", run.text("after/browser/version")?));
    notes.push(format!("{} ms", run.number("took_ms")?));
    Ok(())
}

/// Enough was decrypted here, and the echo of it is a picture there.
fn echoed(run: &Run<'_>, notes: &mut Vec<String>) -> Result<(), String> {
    let decrypted = run.server_track("after", "video", "received")?;
    if decrypted <= 100 {
        return Err(format!("only {decrypted} video packets were decrypted"));
    }
    let audio = run.server_track("after", "audio", "received")?;
    if audio == 0 {
        return Err("no audio packet was decrypted".into());
    }
    let frames = run.browser_track("after", "in", "video", "frames")?;
    if frames == 0 {
        return Err("no frame of the echo was decoded".into());
    }
    let lost = run.server_track("after", "video", "lost")? + run.browser_track("after", "in", "video", "lost")?;
    notes.push(format!("{decrypted} video and {audio} audio packets decrypted"));
    notes.push(format!("{frames} frames of the echo decoded"));
    notes.push(format!("{lost} lost"));
    Ok(())
}

/// We tried a fresh handshake; Chromium ignored it and went on; we said so; nothing stopped.
fn retained(run: &Run<'_>, notes: &mut Vec<String>) -> Result<(), String> {
    run.expect_verdict("association_retained")?;
    if run.verdict("detail")? != &Value::Bool(true) {
        return Err("the association is judged retained without proof, though media flowed".into());
    }
    run.expect_equal("server/association")?;
    run.expect_equal("server/keys")?;
    run.expect_changed("server/generation")?;
    run.expect_equal("browser/remoteFingerprint")?;
    let (here, there) = run.silences()?;
    if here > UNBROKEN_MS || there > UNBROKEN_MS {
        return Err(format!("media stopped: {here} ms here, {there} ms there"));
    }
    notes.push(format!("retained and proven after {} ms", run.verdict("after_ms")?));
    notes.push(format!("longest silence {here} ms here, {there} ms there"));
    Ok(())
}

/// New certificate, new handshake, new keys, and media goes on under them.
fn rotated(run: &Run<'_>, notes: &mut Vec<String>) -> Result<(), String> {
    run.expect_verdict("fresh_handshake")?;
    run.expect_changed("server/association")?;
    run.expect_changed("server/keys")?;
    run.expect_changed("server/generation")?;
    run.expect_changed("browser/remoteFingerprint")?;
    run.expect("after/browser/connection", "connected")?;
    run.expect("after/browser/dtls", "connected")?;
    let (here, there) = run.silences()?;
    notes.push(format!("fresh handshake after {} ms", run.verdict("after_ms")?));
    notes.push(format!("gap {here} ms here, {there} ms there"));
    notes.push(format!("keys {} -> {}", run.text("before/server/keys")?, run.text("after/server/keys")?));
    Ok(())
}

/// The browser is no longer connected.
fn revoked(run: &Run<'_>, notes: &mut Vec<String>) -> Result<(), String> {
    let ice = run.text("after/browser/ice")?;
    if !["disconnected", "failed"].contains(&ice) {
        return Err(format!("the browser's ICE is still {ice}"));
    }
    notes.push(format!("{ice} after {} ms", run.number("took_ms")?));
    Ok(())
}

/// `SRTP_AEAD_AES_128_GCM` and `AEAD_AES_128_GCM` are one profile, as are the two names of the oldest.
fn canonical(profile: &str) -> String {
    let name = profile.trim_start_matches("SRTP_").replace("AES_CM_128_HMAC_", "AES128_CM_");
    name.replace("AES128_CM_HMAC_", "AES128_CM_")
}

/// One step of one run, in what the page has reported so far.
struct Run<'r> {
    report: &'r Value,
    run: &'r Value,
    step: &'r str,
    setup: &'r str,
}

impl<'r> Run<'r> {
    fn new(report: &'r Value, setup: &'r str, step: &'r str) -> Self {
        Self { report, run: &report["runs"][setup], step, setup }
    }

    /// Whether the step came to an end, good or bad.
    fn is_over(&self) -> bool {
        self.run["steps"].get(self.step).is_some()
            || self.run.get("error").is_some()
            || self.report["done"] == Value::Bool(true)
    }

    fn succeeded(&self) -> Result<(), String> {
        if self.run["steps"].get(self.step).is_some() {
            return Ok(());
        }
        let reason = self.run["error"].as_str().or(self.report["error"].as_str());
        Err(reason.unwrap_or("the page ended before this step").to_owned())
    }

    fn our_role(&self) -> &'static str {
        if self.setup == "passive" { "server" } else { "client" }
    }

    fn value(&self, path: &str) -> Result<&'r Value, String> {
        let value = self.run["steps"][self.step].pointer(&format!("/{path}"));
        value.filter(|value| !value.is_null()).ok_or_else(|| format!("nothing is reported as {path}"))
    }

    fn text(&self, path: &str) -> Result<&'r str, String> {
        self.value(path)?.as_str().ok_or_else(|| format!("{path} is no text"))
    }

    fn number(&self, path: &str) -> Result<u64, String> {
        self.value(path)?.as_u64().ok_or_else(|| format!("{path} is no number"))
    }

    fn expect(&self, path: &str, wanted: &str) -> Result<(), String> {
        let found = self.text(path)?;
        if found == wanted { Ok(()) } else { Err(format!("{path} is {found}, not {wanted}")) }
    }

    fn expect_equal(&self, path: &str) -> Result<(), String> {
        let (before, after) = self.before_and_after(path)?;
        if before == after { Ok(()) } else { Err(format!("{path} changed from {before} to {after}")) }
    }

    fn expect_changed(&self, path: &str) -> Result<(), String> {
        let (before, after) = self.before_and_after(path)?;
        if before == after { Err(format!("{path} is still {before}")) } else { Ok(()) }
    }

    fn before_and_after(&self, path: &str) -> Result<(&'r Value, &'r Value), String> {
        Ok((self.value(&format!("before/{path}"))?, self.value(&format!("after/{path}"))?))
    }

    /// A fact of our verdict about the restart of this step.
    fn verdict(&self, fact: &str) -> Result<&'r Value, String> {
        let verdicts = self.value("after/server/verdicts")?.as_array().ok_or("verdicts are no list")?;
        let last = verdicts.last().ok_or("we gave no verdict about the restart")?;
        last.get(fact).ok_or_else(|| format!("the verdict says nothing of {fact}"))
    }

    fn expect_verdict(&self, wanted: &str) -> Result<(), String> {
        let found = self.verdict("outcome")?;
        if found == wanted {
            Ok(())
        } else {
            Err(format!("our verdict is {found} ({}), not {wanted}", self.verdict("detail")?))
        }
    }

    /// The longest time without media since the restart: as we decrypted it, and as the echo came back.
    fn silences(&self) -> Result<(u64, u64), String> {
        let there = self.number("echo/audio_silence_ms")?.max(self.number("echo/video_silence_ms")?);
        Ok((self.number("after/server/longest_silence_ms")?, there))
    }

    fn server_track(&self, moment: &str, kind: &str, fact: &str) -> Result<u64, String> {
        let tracks = self.value(&format!("{moment}/server/tracks"))?.as_array().ok_or("tracks are no list")?;
        let track = tracks.iter().find(|track| track["kind"] == kind);
        track.and_then(|track| track[fact].as_u64()).ok_or_else(|| format!("we have no {kind} {fact}"))
    }

    fn browser_track(&self, moment: &str, direction: &str, kind: &str, fact: &str) -> Result<u64, String> {
        let tracks = self.value(&format!("{moment}/browser/tracks"))?.as_array().ok_or("tracks are no list")?;
        let track = tracks.iter().find(|track| track["kind"] == kind && track["direction"] == direction);
        track.and_then(|track| track[fact].as_u64()).ok_or_else(|| format!("the browser has no {kind} {fact}"))
    }

    /// A message whose further lines are what both sides say happened.
    fn blame(&self, message: &str) -> String {
        let mut lines = vec![message.to_owned()];
        let mut tell = |who: &str, timeline: &Value| {
            for entry in timeline.as_array().into_iter().flatten() {
                let at = entry["at_ms"].as_u64().unwrap_or_default();
                lines.push(format!("{at:>6} ms  {who:<8} {}", entry["what"].as_str().unwrap_or_default()));
            }
        };
        tell("browser", &self.run["timeline"]);
        let steps = &self.run["steps"];
        let last = steps.get(self.step).map_or(&self.run["last"], |step| &step["after"]);
        tell("server", &last["server"]["timeline"]);
        for (side, value) in [("browser", &last["browser"]), ("server", &last["server"]["discards"])] {
            lines.push(format!("{side}: {value}"));
        }
        lines.join("\n")
    }
}

/// Waits for `condition` and looks again every now and then.
fn wait_until<T>(limit: Duration, mut condition: impl FnMut() -> Result<Option<T>, String>) -> Result<T, String> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        if Instant::now() > deadline {
            return Err(format!("nothing came of it in {} s", limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
