//! The checks of each step, on both sides.
//!
//! Knows the fields of the page's report. Numbers without a check are noted, so that the table shows them.

use serde_json::Value;

/// One row of the table: a step of the page's script, and its check.
pub(super) struct Cell {
    pub(super) step: &'static str,
    pub(super) scenario: &'static str,
    pub(super) judge: fn(&Value, &mut Vec<String>) -> Result<(), String>,
}

pub(super) const CHROMIUM: &[Cell] = &[
    Cell { step: "connect", scenario: "ICE and DTLS connect, one SRTP profile", judge: connect },
    Cell { step: "media", scenario: "picture and sound there and back", judge: media },
    Cell { step: "restart", scenario: "ICE restart, same certificate", judge: restart },
    Cell { step: "rotate", scenario: "ICE restart, new certificate", judge: rotate },
    Cell { step: "revoke", scenario: "consent revoked by 403", judge: revoke },
];

/// The version negotiated between a browser and us by default.
const DTLS_1_3: &str = "DTLS 1.3";
const HYBRID: &str = "X25519MLKEM768";

/// Firefox never begins a handshake on a connection that has one, for any certificate in the answer.
pub(super) const FIREFOX: &[Cell] = &[
    Cell { step: "connect", scenario: "ICE and DTLS connect, one SRTP profile", judge: connect },
    Cell { step: "media", scenario: "picture and sound there and back", judge: media },
    Cell { step: "restart", scenario: "ICE restart, same certificate", judge: restart },
    Cell { step: "rotate", scenario: "ICE restart, new certificate is ignored", judge: keep },
    Cell { step: "revoke", scenario: "consent revoked by 403", judge: revoke },
];

/// Without an interruption, packets arrive every 20 to 33 ms. On a busier machine the limit is the longest gap in a
/// step without a restart.
const NO_SILENCE_MS: u64 = 400;
const TIMES_THE_USUAL: u64 = 4;
/// Chromium drops its keys at once, so there is a gap: a handshake and the wait for a key frame.
const SHORT_SILENCE_MS: u64 = 1500;
/// The time within which RESTART.md requires that a retained association is recognised.
const VERDICT_MS: u64 = 6000;

fn connect(step: &Value, notes: &mut Vec<String>) -> Result<(), String> {
    let (browser, server) = (&step["after"]["browser"], &step["after"]["server"]);
    expect("the browser's connection", &browser["connection"], "connected")?;
    expect("the browser's DTLS", &browser["dtls"], "connected")?;
    expect("our transport", &server["state"], "connected")?;
    let theirs = bare_profile(text("the browser's SRTP profile", &browser["srtp"])?);
    let ours = bare_profile(text("our SRTP profile", &server["profile"])?);
    if theirs != ours {
        return Err(format!("the browser has the SRTP profile {theirs}, we {ours}"));
    }
    expect("the browser's version", &dtls_version(&browser["version"]).into(), DTLS_1_3)?;
    expect("our version", &server["version"], DTLS_1_3)?;
    // The browser's statistics do not include it.
    expect("our key exchange group", &server["group"], HYBRID)?;
    notes.push(format!("{ours}, {DTLS_1_3} {} {HYBRID}", plain(&browser["cipher"])));
    notes.push(format!("{} ms", step["took_ms"]));
    Ok(())
}

fn media(step: &Value, notes: &mut Vec<String>) -> Result<(), String> {
    let (browser, server) = (&step["after"]["browser"], &step["after"]["server"]);
    let decrypted = number(&received(server, "video")?["received"])?;
    let decoded = number(&incoming(browser, "video")?["frames"])?;
    let audio = number(&incoming(browser, "audio")?["packets"])?;
    if decrypted <= 100 {
        return Err(format!("we decrypted only {decrypted} video packets"));
    }
    if decoded == 0 {
        return Err("the browser decoded no frame of the echo".into());
    }
    if audio == 0 {
        return Err("the browser received no sound back".into());
    }
    notes.push(format!(
        "{decrypted} video packets decrypted, {decoded} frames decoded, {audio} audio packets back"
    ));
    Ok(())
}

fn restart(step: &Value, notes: &mut Vec<String>) -> Result<(), String> {
    keep(step, notes)?;
    let verdict = last_verdict(&step["after"]["server"])?;
    if verdict["detail"] == true {
        Ok(())
    } else {
        Err("the association is retained, and its traffic is said not to prove it".into())
    }
}

fn keep(step: &Value, notes: &mut Vec<String>) -> Result<(), String> {
    let (before, after) = (&step["before"]["server"], &step["after"]["server"]);
    let verdict = last_verdict(after)?;
    notes.push(format!("{} after {} ms", plain(&verdict["outcome"]), verdict["after_ms"]));
    note_silence(step, notes)?;
    expect("the verdict", &verdict["outcome"], "association_retained")?;
    within("the verdict", number(&verdict["after_ms"])?, VERDICT_MS)?;
    if before["generation"] == after["generation"] {
        return Err(format!("the ICE generation is still {}", after["generation"]));
    }
    same("the association", &before["association"], &after["association"])?;
    same("the keys", &before["keys"], &after["keys"])?;
    still_connected(step)?;
    let (_, video) = silence(step)?;
    let usual = step["usual_silence_ms"].as_u64().unwrap_or_default();
    within("the silence of the echo", video, NO_SILENCE_MS.max(TIMES_THE_USUAL * usual))
}

fn rotate(step: &Value, notes: &mut Vec<String>) -> Result<(), String> {
    let (before, after) = (&step["before"], &step["after"]);
    let verdict = last_verdict(&after["server"])?;
    notes.push(format!("{} after {} ms", plain(&verdict["outcome"]), verdict["after_ms"]));
    note_silence(step, notes)?;
    expect("the verdict", &verdict["outcome"], "fresh_handshake")?;
    differ("the association", &before["server"]["association"], &after["server"]["association"])?;
    differ("our keys", &before["server"]["keys"], &after["server"]["keys"])?;
    let fingerprint = |side: &Value| side["browser"]["remoteFingerprint"].clone();
    differ("the certificate that the browser sees", &fingerprint(before), &fingerprint(after))?;
    still_connected(step)?;
    let frames =
        |side: &Value| incoming(&side["browser"], "video").and_then(|track| number(&track["frames"]));
    if frames(after)? <= frames(before)? {
        return Err("the browser decoded no frame under the new keys".into());
    }
    let (_, video) = silence(step)?;
    let usual = step["usual_silence_ms"].as_u64().unwrap_or_default();
    within("the silence of the echo", video, SHORT_SILENCE_MS.max(TIMES_THE_USUAL * usual))
}

fn revoke(step: &Value, notes: &mut Vec<String>) -> Result<(), String> {
    let state = text("the browser's ICE", &step["after"]["browser"]["ice"])?;
    notes.push(format!("the browser is {state} after {} ms", step["took_ms"]));
    if matches!(state, "disconnected" | "failed") {
        Ok(())
    } else {
        Err(format!("the browser's ICE is {state}"))
    }
}

fn still_connected(step: &Value) -> Result<(), String> {
    expect("the browser's connection", &step["after"]["browser"]["connection"], "connected")?;
    expect("our transport", &step["after"]["server"]["state"], "connected")
}

fn last_verdict(server: &Value) -> Result<&Value, String> {
    server["verdicts"].as_array().and_then(|verdicts| verdicts.last()).ok_or_else(|| "no verdict".into())
}

/// The longest time without an echoed packet, in milliseconds: audio, video.
fn silence(step: &Value) -> Result<(u64, u64), String> {
    Ok((number(&step["echo"]["audio_silence_ms"])?, number(&step["echo"]["video_silence_ms"])?))
}

fn note_silence(step: &Value, notes: &mut Vec<String>) -> Result<(), String> {
    let (audio, video) = silence(step)?;
    notes.push(format!("longest gap in the echo {audio} ms sound, {video} ms picture"));
    Ok(())
}

fn received<'a>(server: &'a Value, kind: &str) -> Result<&'a Value, String> {
    let tracks = server["tracks"].as_array().map(Vec::as_slice).unwrap_or_default();
    tracks.iter().find(|track| track["kind"] == kind).ok_or_else(|| format!("the server has no {kind} track"))
}

fn incoming<'a>(browser: &'a Value, kind: &str) -> Result<&'a Value, String> {
    let tracks = browser["tracks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let wanted = |track: &&Value| track["direction"] == "in" && track["kind"] == kind;
    tracks.iter().find(wanted).ok_or_else(|| format!("the browser receives no {kind}"))
}

/// Both sides write the same registered names, one with a prefix.
fn bare_profile(name: &str) -> String {
    let name =
        name.trim_start_matches("SRTP_").replace("AES_CM_128_HMAC", "AES128_CM").replace("_HMAC_", "_");
    name.to_ascii_uppercase()
}

/// Statistics write the registered number.
fn dtls_version(version: &Value) -> String {
    match plain(version).to_ascii_uppercase().as_str() {
        "FEFD" => "DTLS 1.2".into(),
        "FEFC" => DTLS_1_3.into(),
        other => other.into(),
    }
}

fn expect(what: &str, value: &Value, wanted: &str) -> Result<(), String> {
    if value == wanted { Ok(()) } else { Err(format!("{what} is {value} instead of {wanted}")) }
}

fn same(what: &str, before: &Value, after: &Value) -> Result<(), String> {
    if before == after && !after.is_null() {
        Ok(())
    } else {
        Err(format!("{what} changed from {before} to {after}"))
    }
}

fn differ(what: &str, before: &Value, after: &Value) -> Result<(), String> {
    if before != after && !after.is_null() { Ok(()) } else { Err(format!("{what} stayed {after}")) }
}

fn within(what: &str, measured: u64, limit: u64) -> Result<(), String> {
    if measured <= limit { Ok(()) } else { Err(format!("{what} took {measured} ms, more than {limit}")) }
}

fn text<'a>(what: &str, value: &'a Value) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("{what} is {value}"))
}

fn number(value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("{value} is no number"))
}

/// A string without its quotes; other values as they are.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step() -> Value {
        let server = |generation: u64| {
            json!({
                "state": "connected", "generation": generation.to_string(), "association": 1, "keys": "ab",
                "verdicts": [{ "outcome": "association_retained", "detail": true, "after_ms": 4200 }],
            })
        };
        let browser = json!({ "connection": "connected" });
        json!({
            "before": { "browser": browser, "server": server(1) },
            "after": { "browser": browser, "server": server(2) },
            "echo": { "audio_silence_ms": 60, "video_silence_ms": 70 },
        })
    }

    #[test]
    fn a_retained_association_with_uninterrupted_media_passes() {
        assert_eq!(restart(&step(), &mut Vec::new()), Ok(()));
    }

    #[test]
    fn without_proof_only_the_other_association_may_be_kept() {
        let mut step = step();
        *step.pointer_mut("/after/server/verdicts/0/detail").unwrap() = json!(false);
        assert!(restart(&step, &mut Vec::new()).is_err());
        assert_eq!(keep(&step, &mut Vec::new()), Ok(()));
    }

    #[test]
    fn each_violation_fails_the_restart() {
        let changes: [(&str, Value); 6] = [
            ("/after/server/association", json!(2)),
            ("/after/server/keys", json!("cd")),
            ("/after/server/generation", json!("1")),
            ("/after/server/verdicts/0/outcome", json!("fresh_handshake")),
            ("/after/browser/connection", json!("disconnected")),
            ("/echo/video_silence_ms", json!(NO_SILENCE_MS + 1)),
        ];
        for (pointer, value) in changes {
            let mut step = step();
            *step.pointer_mut(pointer).unwrap() = value;
            assert!(restart(&step, &mut Vec::new()).is_err(), "{pointer}");
        }
    }

    #[test]
    fn both_spellings_of_a_profile_are_equal() {
        assert_eq!(bare_profile("AES_CM_128_HMAC_SHA1_80"), bare_profile("SRTP_AES128_CM_SHA1_80"));
        assert_eq!(bare_profile("SRTP_AES128_CM_HMAC_SHA1_80"), bare_profile("SRTP_AES128_CM_SHA1_80"));
        assert_eq!(bare_profile("AEAD_AES_256_GCM"), bare_profile("SRTP_AEAD_AES_256_GCM"));
    }
}
