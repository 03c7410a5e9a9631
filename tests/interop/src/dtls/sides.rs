//! One cell: starts both sides, connects and compares them, exchanges data and closes.
//!
//! Does not depend on a particular stack.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use dtls_core::{
    Authentication, Certificate, ClosedBy, Config, DtlsRole, Event, Failure, HashAlgorithm, Negotiated,
    PeerPolicy, Psk, PskRequest, Refusal, UseSrtp, Versions, srtp_profile,
};

use super::cells::{self, Cell, Cookie, Keys, Outcome, SOON, Srtp, Updater};
use super::foreign_stack::{Close, Credentials, DataSource, Dialect, ForeignStack, Offer, Setup};
use crate::certificates::Certificates;
use crate::program::Program;
use crate::relay::{Impairment, Relay};
use crate::udp_peer::UdpPeer;

/// Runs one cell with one stack.
pub(super) fn play(
    cell: &Cell,
    role: DtlsRole,
    foreign_stack: &dyn ForeignStack,
    certificates: &Certificates,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let mut sides = Sides::start(cell, role, foreign_stack, certificates)?;
    let outcome = match cell.outcome() {
        Outcome::Connected => sides.connect(cell, role, notes),
        Outcome::Refused => sides.refuse(notes),
        Outcome::NeverConnected => sides.never_connect(cell, role, notes),
    };
    outcome.map_err(|message| sides.theirs.with_output(&message))
}

/// Both sides of a cell, and the relay between them.
struct Sides {
    ours: UdpPeer,
    /// Our certificate, in cells with certificates.
    own: Option<Certificate>,
    theirs: Program,
    dialect: Dialect,
    relay: Option<Relay>,
    key_log: PathBuf,
}

impl Sides {
    /// Starts both sides, the server first.
    fn start(
        cell: &Cell,
        role: DtlsRole,
        foreign_stack: &dyn ForeignStack,
        certificates: &Certificates,
    ) -> Result<Self, String> {
        let setup = Setup {
            credentials: credentials(cell, role, certificates)?,
            offer: cell.offers[1],
            groups: cell.their_groups,
            cookie: cell.cookie != Cookie::Nobody,
            mtu: cell.mtu,
            folder: certificates.folder(),
        };
        let key_log = setup.key_log();
        // Removes the key log of an earlier cell.
        let _ = fs::remove_file(&key_log);
        let own = match (cell.psk, cell.ours) {
            (Some(_), _) => None,
            (None, Some(kind)) => Some(certificates.ours(kind)?),
            (None, None) => Some(generated()?),
        };
        let config = config(cell, own.clone(), certificates)?;
        let psk = cell.psk.map(|psk| our_psk(psk, role)).transpose()?;
        let dialect = foreign_stack.dialect(role);
        let (ours, theirs, relay) = match role {
            DtlsRole::Client => {
                let (theirs, mut address) = foreign_stack.serve(&setup)?;
                let relay = between(cell.impairment, &mut address)?;
                (UdpPeer::client(address, config)?.with_psk(psk), theirs, relay)
            }
            DtlsRole::Server => {
                let ours = match cell.cookie {
                    Cookie::Nobody => UdpPeer::server(config)?,
                    Cookie::TheServer | Cookie::OurServer => UdpPeer::gated_server(config)?,
                };
                let ours = ours.with_psk(psk);
                let mut address = ours.address()?;
                let relay = between(cell.impairment, &mut address)?;
                (ours, foreign_stack.dial(&setup, address)?, relay)
            }
        };
        Ok(Self { ours, own, theirs, dialect, relay, key_log })
    }

    /// The handshake has to succeed, and the steps after it.
    fn connect(&mut self, cell: &Cell, role: DtlsRole, notes: &mut Vec<String>) -> Result<(), String> {
        let negotiated = self.until_connected(cell.limit)?;
        if let Some(relay) = &self.relay {
            relay.stop_impairment();
            notes.push(relay.summary());
        }
        if let Some(cookies) = self.ours.cookies_given() {
            notes.push(format!("cookies given: {cookies}"));
        }
        check_negotiated(cell, negotiated)?;
        let group = negotiated.group.map_or_else(String::new, |group| format!("{group:?}, "));
        notes.push(format!("{:?}, {group}{}", negotiated.suite, named(negotiated.srtp_profile)));
        self.check_profile(negotiated)?;
        self.check_keys(negotiated, notes)?;
        self.check_certificate(notes)?;
        if let Some(psk) = cell.psk {
            self.check_psk_request(psk, role, notes)?;
        }
        self.exchange_data("first")?;
        match cell.rekeyed_by {
            None => {}
            Some(Updater::Us) => self.ours.update_keys()?,
            Some(Updater::Them) => match self.dialect.update_keys {
                Some(order) => self.theirs.tell(order)?,
                None => return Err("it cannot be made to update its keys".into()),
            },
        }
        if cell.rekeyed_by.is_some() {
            // The first of them under the old keys, the others under the new ones.
            for word in ["second", "third", "fourth"] {
                self.exchange_data(word)?;
            }
        }
        self.end(cell.closed_by)
    }

    /// Our side must refuse theirs before any key exists, and they must receive the alert.
    fn refuse(&mut self, notes: &mut Vec<String>) -> Result<(), String> {
        let Self { ours, theirs, dialect, .. } = self;
        let failure = ours.until("our refusal", SOON, |events| {
            let ours = events.iter().find_map(|event| match event {
                Event::Failed(failure) => Some(Ok(*failure)),
                Event::Connected(_) => Some(Err("we are connected".to_owned())),
                _ => None,
            });
            let theirs = || theirs.printed(dialect.failed).map(|text| Err(format!("they failed: {text}")));
            ours.or_else(theirs)
        })??;
        if failure != Failure::Refused(Refusal::FingerprintMismatch) {
            return Err(format!("we failed for another reason: {failure}"));
        }
        if self.ours.export(60).is_ok() {
            return Err("keys were handed out".into());
        }
        let theirs = self.until_printed(self.dialect.failed)?;
        notes.push(format!("{failure}; they say: {theirs}"));
        Ok(())
    }

    /// With different keys each side treats the other's Finished as a forgery and waits for a valid one, unless theirs
    /// gives up.
    fn never_connect(&mut self, cell: &Cell, role: DtlsRole, notes: &mut Vec<String>) -> Result<(), String> {
        self.ours.until("the question for our key", SOON, |events| {
            events.iter().any(|event| matches!(event, Event::PskRequested(_))).then_some(())
        })?;
        let patience = Instant::now() + OBSERVATION;
        let outcome = self.ours.until("nothing", SOON, |events| {
            let ended = events.iter().find_map(|event| match event {
                Event::Failed(failure) => Some(Ok(failure.to_string())),
                Event::Connected(_) => Some(Err("we are connected".to_owned())),
                _ => None,
            });
            ended.or_else(|| (Instant::now() > patience).then(|| Ok("neither side is connected".to_owned())))
        })??;
        if self.ours.export(60).is_ok() {
            return Err("keys were handed out".into());
        }
        if self.dialect.exported.is_some_and(|mark| self.theirs.printed(mark).is_some()) {
            return Err("they are connected".into());
        }
        notes.push(outcome);
        cell.psk.map_or(Ok(()), |psk| self.check_psk_request(psk, role, notes))
    }

    fn until_connected(&mut self, limit: Duration) -> Result<Negotiated, String> {
        let Self { ours, theirs, dialect, .. } = self;
        ours.until("our handshake", limit, |events| {
            let ours = events.iter().find_map(|event| match event {
                Event::Connected(negotiated) => Some(Ok(*negotiated)),
                Event::Failed(failure) => Some(Err(format!("our side failed: {failure}"))),
                _ => None,
            });
            let theirs = || theirs.printed(dialect.failed).map(|text| Err(format!("they failed: {text}")));
            ours.or_else(theirs)
        })?
    }

    /// Drives our side until theirs prints a line with `mark`; returns what follows it.
    fn until_printed(&mut self, mark: &str) -> Result<String, String> {
        let Self { ours, theirs, .. } = self;
        ours.until(&format!("their `{mark}`"), SOON, |_| theirs.printed(mark))
    }

    fn check_profile(&mut self, negotiated: Negotiated) -> Result<(), String> {
        let Some((mark, name)) = self.dialect.profile else { return Ok(()) };
        // Some stacks print nothing where no profile was negotiated.
        if negotiated.srtp_profile.is_none() {
            return Ok(());
        }
        let theirs = self.until_printed(mark)?;
        let ours = name(negotiated.srtp_profile);
        if ours == theirs { Ok(()) } else { Err(format!("they negotiated {theirs}, we {ours}")) }
    }

    /// The exported keys, or the key log, or both.
    fn check_keys(&mut self, negotiated: Negotiated, notes: &mut Vec<String>) -> Result<(), String> {
        if let (Some(mark), Some(profile)) = (self.dialect.exported, negotiated.srtp_profile) {
            let theirs = self.until_printed(mark)?;
            let length = exported_len(profile);
            if !self.ours.export(length)?.eq_ignore_ascii_case(&theirs) {
                return Err("the exported keys differ".into());
            }
            notes.push(format!("{length} bytes exported are equal"));
        }
        if self.dialect.key_log {
            let lines = self.ours.events.iter().filter_map(|event| match event {
                Event::KeyLog(line) => Some(line.to_string()),
                _ => None,
            });
            let lines: Vec<_> = lines.collect();
            let key_log = &self.key_log;
            self.ours.until("their key log", SOON, |_| {
                let theirs = fs::read_to_string(key_log).unwrap_or_default().to_ascii_lowercase();
                let equal = lines.iter().all(|line| theirs.contains(&line.to_ascii_lowercase()));
                (equal && !lines.is_empty()).then_some(())
            })?;
            notes.push("the key logs are equal".into());
        }
        Ok(())
    }

    fn check_certificate(&mut self, notes: &mut Vec<String>) -> Result<(), String> {
        let (Some(mark), Some(own)) = (self.dialect.certificate, &self.own) else { return Ok(()) };
        let ours = own.fingerprint(HashAlgorithm::Sha256).to_string();
        let theirs = self.until_printed(mark)?;
        if !ours.eq_ignore_ascii_case(&theirs) {
            return Err(format!("they saw a certificate that is not ours: {theirs}"));
        }
        notes.push("they saw our certificate".into());
        Ok(())
    }

    /// Our request for a key contains what they sent.
    fn check_psk_request(
        &self,
        psk: cells::Psk,
        role: DtlsRole,
        notes: &mut Vec<String>,
    ) -> Result<(), String> {
        let asked = self.ours.events.iter().find_map(|event| match event {
            Event::PskRequested(request) => Some(request.clone()),
            _ => None,
        });
        let (expected, note) = match role {
            DtlsRole::Client => {
                let note = psk.hint.map_or_else(|| "no hint".to_owned(), |hint| format!("the hint {hint}"));
                (PskRequest::ForHint(psk.hint.map(|hint| hint.as_bytes().into())), note)
            }
            DtlsRole::Server => {
                let identity = if psk.keys == Keys::Unknown { UNKNOWN_IDENTITY } else { IDENTITY };
                (PskRequest::ForIdentity(identity.as_bytes().into()), format!("the identity {identity}"))
            }
        };
        if asked.as_ref() != Some(&expected) {
            return Err(format!("we were asked by {asked:?}, not by {expected:?}"));
        }
        notes.push(note);
        Ok(())
    }

    fn exchange_data(&mut self, word: &str) -> Result<(), String> {
        let ours = format!("{word} from us to them");
        self.ours.send(format!("{ours}\n").as_bytes())?;
        self.until_printed(&format!("{}{ours}", self.dialect.data))?;
        let theirs = match self.dialect.speech {
            DataSource::FromStdin(order) => {
                let theirs = format!("{word} from them to us");
                self.theirs.tell(&format!("{order}{theirs}"))?;
                theirs
            }
            DataSource::Echo => ours,
        };
        self.ours.until("their data", SOON, |events| {
            let data = events
                .iter()
                .filter_map(|event| if let Event::Data(data) = event { Some(data) } else { None });
            let data: Vec<u8> = data.flatten().copied().collect();
            data.trim_ascii_end().ends_with(theirs.as_bytes()).then_some(())
        })
    }

    fn end(&mut self, closed_by: ClosedBy) -> Result<(), String> {
        match closed_by {
            ClosedBy::Us => {
                self.ours.close();
                if let Some(mark) = self.dialect.closed {
                    self.until_printed(mark)?;
                }
            }
            ClosedBy::Peer => match self.dialect.close {
                Close::FromStdin(order) => self.theirs.tell(order)?,
                Close::EndOfInput => self.theirs.end_input(),
                Close::Never => return Err("it cannot be made to close".into()),
            },
        }
        let closed = Event::Closed(closed_by);
        self.ours.until("the end", SOON, |events| events.contains(&closed).then_some(()))
    }
}

/// The credentials of their side.
fn credentials<'a>(
    cell: &Cell,
    ours: DtlsRole,
    certificates: &'a Certificates,
) -> Result<Credentials<'a>, String> {
    let Some(psk) = cell.psk else { return certificates.files(cell.theirs).map(Credentials::Certificate) };
    let unknown = psk.keys == Keys::Unknown && ours == DtlsRole::Server;
    Ok(Credentials::Psk {
        identity: if unknown { UNKNOWN_IDENTITY } else { IDENTITY },
        key: if psk.keys == Keys::Different { OTHER_KEY } else { KEY },
        hint: psk.hint,
    })
}

/// The key that our side provides when it is asked for one.
fn our_psk(psk: cells::Psk, ours: DtlsRole) -> Result<Psk, String> {
    let unknown = psk.keys == Keys::Unknown && ours == DtlsRole::Client;
    let identity = if unknown { UNKNOWN_IDENTITY } else { IDENTITY };
    Psk::new(identity.as_bytes(), KEY).map_err(|error| format!("our key: {error}"))
}

fn config(cell: &Cell, own: Option<Certificate>, certificates: &Certificates) -> Result<Config, String> {
    let authentication = match (own, cell.psk) {
        (Some(own), _) => {
            let peer = PeerPolicy::Fingerprints(vec![certificates.fingerprint(cell.announced)?]);
            Authentication::Certificates { own: vec![own], peer, require_peer: true }
        }
        (None, psk) => {
            let hint = psk.and_then(|psk| psk.hint).map(|hint| hint.as_bytes().to_vec());
            Authentication::Psk { hint }
        }
    };
    let use_srtp = match cell.srtp {
        Srtp::EveryProfile => Config::default().use_srtp,
        Srtp::Only(id) => UseSrtp::Required(vec![id]),
        Srtp::Unused => UseSrtp::Unused,
    };
    let versions = match cell.offers[0] {
        Offer::Dtls12 => Versions::Dtls12,
        Offer::Dtls13 => Versions::Dtls13,
        Offer::Both => Versions::Auto,
    };
    let mut config =
        Config { versions, authentication, use_srtp, mtu: cell.mtu, key_log: true, ..Config::default() };
    if let Some(suite) = cell.suite {
        config.suites = vec![suite];
    }
    if !cell.groups.is_empty() {
        config.groups = cell.groups.to_vec();
    }
    Ok(config)
}

fn check_negotiated(cell: &Cell, negotiated: Negotiated) -> Result<(), String> {
    let profile = match cell.srtp {
        Srtp::EveryProfile => negotiated.srtp_profile.is_some(),
        Srtp::Only(id) => negotiated.srtp_profile == Some(id),
        Srtp::Unused => negotiated.srtp_profile.is_none(),
    };
    let suite = cell.suite.is_none_or(|suite| suite == negotiated.suite);
    let group = cell.group.is_none() || negotiated.group == cell.group;
    if profile && suite && group && negotiated.version == cell.version {
        return Ok(());
    }
    Err(format!("something else was negotiated: {negotiated:?}"))
}

/// The relay in front of `address`, if the cell has impairment; `address` then becomes the relay's.
fn between(
    impairment: Option<Impairment>,
    address: &mut std::net::SocketAddr,
) -> Result<Option<Relay>, String> {
    let Some(impairment) = impairment else { return Ok(None) };
    let relay = Relay::start(*address, impairment, SEED)?;
    *address = relay.address();
    Ok(Some(relay))
}

fn generated() -> Result<Certificate, String> {
    const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
    Certificate::generate(SystemTime::now(), MONTH).map_err(|error| format!("our certificate: {error}"))
}

/// Two master keys and two salts (RFC 5764 section 4.1.2, RFC 7714 section 12).
const fn exported_len(profile: u16) -> usize {
    match profile {
        srtp_profile::AEAD_AES_128_GCM => 2 * (16 + 12),
        srtp_profile::AEAD_AES_256_GCM => 2 * (32 + 12),
        _ => 2 * (16 + 14),
    }
}

const fn named(profile: Option<u16>) -> &'static str {
    match profile {
        None => "no SRTP",
        Some(srtp_profile::AES128_CM_SHA1_80) => "SRTP_AES128_CM_SHA1_80",
        Some(srtp_profile::AES128_CM_SHA1_32) => "SRTP_AES128_CM_SHA1_32",
        Some(srtp_profile::AEAD_AES_128_GCM) => "SRTP_AEAD_AES_128_GCM",
        Some(srtp_profile::AEAD_AES_256_GCM) => "SRTP_AEAD_AES_256_GCM",
        Some(_) => "a profile without a name",
    }
}

const IDENTITY: &str = "sensor-7";
const UNKNOWN_IDENTITY: &str = "sensor-8";
const KEY: &[u8] = b"sixteen bytes or";
const OTHER_KEY: &[u8] = b"sixteen others..";
/// How long a handshake that cannot succeed is observed: some retransmissions of either side.
const OBSERVATION: Duration = Duration::from_secs(2);

/// The relay's seed: which datagrams are lost depends on it and on their order alone.
const SEED: u64 = 19;
