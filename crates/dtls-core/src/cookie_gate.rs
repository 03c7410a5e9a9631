//! A gate in front of [`Connection`](crate::Connection) for servers on bare UDP: who wants to connect first shows that
//! it receives what is sent to its address (RFC 6347 section 4.2.1, RFC 9147 section 5.1).
//!
//! ```text
//! 1. <- ClientHello             2. -> HelloVerifyRequest (DTLS 1.2) or HelloRetryRequest (DTLS 1.3), with a cookie
//! 3. <- ClientHello + cookie    4.    an `Admission`: a connection begins here, and not before
//! ```
//!
//! Nothing is kept between 2 and 3. What is kept of a ClientHello that comes in pieces is bounded. Nothing is answered
//! with more bytes than it took to ask. Knows no sockets and no connections.

mod admission;
mod answer;
mod assembly;
mod cookie;
mod datagram;
mod pool;

pub use admission::Admission;
pub(crate) use admission::Retried;

use crate::codec::Writer;
use crate::config::Config;
use crate::crypto::backend::digest;
use crate::crypto::group::NamedGroup;
use crate::crypto::suite13::Suite13;
use crate::discard::Discard;
use crate::dtls13::server::{Prospect, prospect};
use crate::error::{Error, Misconfigured};
use crate::extension::{self, ExtensionType, key_share};
use crate::failure::{Failure, Misbehaved};
use crate::handshake::transcript::Transcript;
use crate::handshake::{self, HandshakeType, Message};
use crate::message::client_hello::ClientHello;
use crate::message::hello_retry_request::HelloRetryRequest;
use crate::record::{self, RecordNumber};
use crate::stats::Discarded;
use crate::transmit::Transmit;
use assembly::Assembly;
use cookie::{Claim, Cookies, Form, Genuine, Retry};
use datagram::Found;
use pool::{Arrival, Entry, Pool};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long cookies and pieces of ClientHellos live, and how much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateConfig {
    /// How long cookies are made with the same secret. The one before is still accepted. 60 s by default.
    pub secret_period: Duration,
    /// How long a cookie is good for, at most as long as [`GateConfig::secret_period`]. 30 s by default: a client that
    /// takes longer has given up.
    pub cookie_lifetime: Duration,
    /// Bytes of incomplete ClientHellos kept, the cost of keeping them included, and as much again for those that
    /// have shown a good cookie. 256 kB by default: some 150 of the post-quantum ones. The oldest make room.
    pub reassembly: usize,
    /// How long the rest of a ClientHello is waited for. 5 s by default, in which a client has sent it again.
    pub reassembly_age: Duration,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self {
            secret_period: Duration::from_secs(60),
            cookie_lifetime: Duration::from_secs(30),
            reassembly: 256 * 1024,
            reassembly_age: Duration::from_secs(5),
        }
    }
}

/// What the gate says to a datagram.
#[derive(Debug)]
#[must_use]
pub enum GateVerdict {
    /// Send back the bytes that were appended: a request for another ClientHello, or an alert.
    Respond(Transmit),
    /// Give this to [`crate::Connection::accept`].
    Accept(Admission),
    /// A piece of a ClientHello was kept; the rest will tell.
    Wait,
    /// Nothing in it was of use.
    Discard(Discard),
}

/// Counters of one [`CookieGate`] since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateStats {
    /// Requests for a cookie that were answered.
    pub requests: u64,
    /// Alerts that were answered.
    pub refusals: u64,
    /// ClientHellos that were admitted.
    pub admissions: u64,
    /// Cookies that were forged, too old, made for another address or another ClientHello.
    pub bad_cookies: u64,
    /// Incomplete ClientHellos that made room for others.
    pub evicted: u64,
    discarded: Discarded,
}

impl GateStats {
    /// How many datagrams were dropped for this reason.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded.of(reason)
    }

    /// How many datagrams were dropped, for all reasons together.
    #[must_use]
    pub fn discarded_total(&self) -> u64 {
        self.discarded.total()
    }
}

/// Answers ClientHellos of strangers with a cookie, and admits those that return it. See the
/// [crate page](crate#servers-on-bare-udp).
///
/// It has no deadlines: what has grown old is forgotten at the next input.
pub struct CookieGate {
    config: Arc<Config>,
    now: Instant,
    cookies: Cookies,
    max_age: Duration,
    /// Whoever they are.
    strangers: Pool,
    /// Those that have shown a good cookie.
    acquainted: Pool,
    /// Counts what came in pieces.
    arrivals: u64,
    stats: GateStats,
}

impl CookieGate {
    /// A gate that decides as a server with this configuration does, and hands it to the connections.
    ///
    /// # Errors
    /// [`Error::Config`] where the configuration could never connect, [`Error::NoRandom`].
    pub fn new(now: Instant, config: impl Into<Arc<Config>>, gate: GateConfig) -> Result<Self, Error> {
        let config = config.into();
        config.check()?;
        if gate.secret_period.min(gate.cookie_lifetime) < Duration::from_millis(1) {
            return Err(Misconfigured::NoCookieLifetime.into());
        }
        Ok(Self {
            config,
            now,
            cookies: Cookies::new(now, &gate)?,
            max_age: gate.reassembly_age,
            strangers: Pool::new(gate.reassembly),
            acquainted: Pool::new(gate.reassembly),
            arrivals: 0,
            stats: GateStats::default(),
        })
    }

    /// Takes a datagram that no connection takes.
    ///
    /// `address_token` stands for where it came from: a cookie is good for one token alone. The remote IP address and
    /// port, in any unambiguous form, are what it is made of; the local address too, where there are several. An answer
    /// is appended to `out`; it is never longer than the ClientHello that it answers.
    pub fn handle_input(
        &mut self,
        now: Instant,
        address_token: &[u8],
        datagram: &[u8],
        out: &mut Vec<u8>,
    ) -> GateVerdict {
        self.now = self.now.max(now);
        self.cookies.catch_up(self.now);
        self.strangers.forget_older(self.now, self.max_age);
        self.acquainted.forget_older(self.now, self.max_age);
        let verdict = match datagram::find(datagram) {
            Ok(Found::Whole(record, message)) => {
                let hello = Hello { record, message, came: Came::AtOnce };
                self.judge(address_token, &hello, out)
            }
            Ok(Found::Pieces(record, pieces)) => self.put_together(address_token, record, pieces, out),
            Err(reason) => Err(reason),
        };
        verdict.unwrap_or_else(|reason| {
            tracing::trace!(?reason, "discarded at the gate");
            self.stats.discarded.count(reason);
            GateVerdict::Discard(reason)
        })
    }

    /// What was counted so far.
    #[must_use]
    pub const fn stats(&self) -> &GateStats {
        &self.stats
    }

    /// Bytes that incomplete ClientHellos take up, roughly.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.strangers.held() + self.acquainted.held()
    }

    /// Pieces of a ClientHello: is it complete with what is known?
    fn put_together(
        &mut self,
        address_token: &[u8],
        record: RecordNumber,
        pieces: Assembly,
        out: &mut Vec<u8>,
    ) -> Result<GateVerdict, Discard> {
        let (kind, sequence) = (HandshakeType::CLIENT_HELLO, pieces.sequence());
        let whole =
            |body, came| Hello { record, message: Message { kind, sequence, body, protected: false }, came };
        let beginning = pieces.beginning();
        if pieces.is_whole(&beginning) {
            return self.judge(address_token, &whole(&beginning, Came::AtOnce), out);
        }
        let (entry, standing, outcome) = self.join(address_token, pieces);
        let beginning = entry.assembly.beginning();
        if entry.assembly.is_whole(&beginning) {
            return self.judge(address_token, &whole(&beginning, Came::InPieces), out);
        }
        let standing =
            if self.shows_good_cookie(address_token, &beginning) { Standing::Acquainted } else { standing };
        let kept = self.pool(standing).put(address_token, entry);
        self.stats.evicted = self.strangers.evicted().saturating_add(self.acquainted.evicted());
        outcome.and(kept)?;
        Ok(GateVerdict::Wait)
    }

    /// Joins pieces with those that came before them. Where they contradict, the later ones stay, so that a forged one
    /// cannot block a ClientHello for ever; but nobody without a cookie displaces what came with one.
    fn join(&mut self, address_token: &[u8], pieces: Assembly) -> (Entry, Standing, Result<(), Discard>) {
        self.arrivals += 1;
        let arrival = Arrival { number: self.arrivals, at: self.now };
        for standing in [Standing::Acquainted, Standing::Stranger] {
            let Some(mut entry) = self.pool(standing).take_like(address_token, &pieces) else { continue };
            return match (entry.assembly.join(&pieces), standing) {
                (Err(reason), Standing::Stranger) => (Entry::new(arrival, pieces), standing, Err(reason)),
                (outcome, _) => (entry, standing, outcome),
            };
        }
        (Entry::new(arrival, pieces), Standing::Stranger, Ok(()))
    }

    fn shows_good_cookie(&self, address_token: &[u8], beginning: &[u8]) -> bool {
        let [legacy, extension] = ClientHello::cookies(beginning);
        [(Form::Dtls12, legacy), (Form::Dtls13, extension)].into_iter().any(|(form, cookie)| {
            cookie.is_some_and(|cookie| self.cookies.check(address_token, form, cookie).is_some())
        })
    }

    const fn pool(&mut self, standing: Standing) -> &mut Pool {
        match standing {
            Standing::Stranger => &mut self.strangers,
            Standing::Acquainted => &mut self.acquainted,
        }
    }

    fn judge(
        &mut self,
        address_token: &[u8],
        hello: &Hello<'_>,
        out: &mut Vec<u8>,
    ) -> Result<GateVerdict, Discard> {
        let decoded = ClientHello::decode(hello.message.body).map_err(|_| Discard::Malformed)?;
        match prospect(&decoded, &self.config) {
            Ok(Prospect::Dtls12) => self.judge_dtls12(address_token, hello, &decoded, out),
            Ok(Prospect::Dtls13 { suite, group, lacks_share }) => {
                let wish = Wish { suite, group, lacks_share };
                self.judge_dtls13(address_token, hello, &decoded, wish, out)
            }
            Err(failure) => self.refuse(failure, hello, out),
        }
    }

    /// A bad cookie is like none (RFC 6347 section 4.2.1): it may have grown old under way.
    fn judge_dtls12(
        &mut self,
        address_token: &[u8],
        hello: &Hello<'_>,
        decoded: &ClientHello<'_>,
        out: &mut Vec<u8>,
    ) -> Result<GateVerdict, Discard> {
        if !decoded.legacy_cookie.is_empty() {
            let genuine = self.cookies.check(address_token, Form::Dtls12, decoded.legacy_cookie);
            if let Some(genuine) = genuine.filter(|genuine| self.cookies.belongs(genuine, decoded)) {
                return Ok(self.admit(address_token, hello, genuine.age, None));
            }
            self.stats.bad_cookies = self.stats.bad_cookies.saturating_add(1);
        }
        let cookie = self.cookies.make(address_token, decoded, Claim::Dtls12);
        self.request(hello, out, |out| answer::verify(hello.record, hello.message.sequence, &cookie, out))
    }

    fn judge_dtls13(
        &mut self,
        address_token: &[u8],
        hello: &Hello<'_>,
        decoded: &ClientHello<'_>,
        wish: Wish,
        out: &mut Vec<u8>,
    ) -> Result<GateVerdict, Discard> {
        let Some(cookie) = decoded.extensions.get(ExtensionType::COOKIE) else {
            let hello_hash = hash(wish.suite, &hello.message);
            let retry = if wish.lacks_share { Retry::Share } else { Retry::CookieAlone };
            let claim = Claim::Dtls13 { retry, hello_hash: hello_hash.as_ref() };
            let cookie = self.cookies.make(address_token, decoded, claim);
            let body = wish.request(retry, &cookie);
            return self.request(hello, out, |out| {
                answer::retry(hello.record, hello.message.sequence, &body, out);
            });
        };
        let cookie = extension::cookie::decode(cookie).map_err(|_| Discard::Malformed)?;
        let genuine = self.cookies.check(address_token, Form::Dtls13, cookie);
        let genuine = genuine.filter(|genuine| self.cookies.belongs(genuine, decoded));
        let Some(Genuine { claim: Claim::Dtls13 { retry, hello_hash }, age, .. }) = genuine else {
            self.stats.bad_cookies = self.stats.bad_cookies.saturating_add(1);
            return self.refuse(Misbehaved::SelectedUnoffered.into(), hello, out);
        };
        // What was asked for, and nothing else (RFC 8446 section 4.1.2).
        if wish.lacks_share || (retry == Retry::Share && !has_one_share(decoded)) {
            return self.refuse(Misbehaved::SelectedUnoffered.into(), hello, out);
        }
        let retried = Retried {
            suite: wish.suite,
            group: wish.group,
            client_random: decoded.random,
            hello_hash: hello_hash.to_vec(),
            request: wish.request(retry, cookie),
        };
        Ok(self.admit(address_token, hello, age, Some(retried)))
    }

    fn admit(
        &mut self,
        address_token: &[u8],
        hello: &Hello<'_>,
        round_trip: Duration,
        retried: Option<Retried>,
    ) -> GateVerdict {
        // What else there is of this ClientHello would admit it once more, with a piece that comes late.
        self.strangers.forget(address_token);
        self.acquainted.forget(address_token);
        self.stats.admissions = self.stats.admissions.saturating_add(1);
        GateVerdict::Accept(Admission {
            config: Arc::clone(&self.config),
            record: hello.record,
            sequence: hello.message.sequence,
            hello: hello.message.body.to_vec(),
            round_trip,
            retried,
        })
    }

    fn request(
        &mut self,
        hello: &Hello<'_>,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<GateVerdict, Discard> {
        let transmit = hello.answer(out, write)?;
        self.stats.requests = self.stats.requests.saturating_add(1);
        Ok(GateVerdict::Respond(transmit))
    }

    fn refuse(
        &mut self,
        failure: Failure,
        hello: &Hello<'_>,
        out: &mut Vec<u8>,
    ) -> Result<GateVerdict, Discard> {
        // Where its cookie is good, a stranger's piece may be what is bad.
        if matches!(hello.came, Came::InPieces) && hello.has_cookie() {
            return Err(Discard::CookieMismatch);
        }
        let description = failure.alert().ok_or(Discard::UnexpectedMessage)?;
        let transmit = hello.answer(out, |out| answer::alert(hello.record, description, out))?;
        self.stats.refusals = self.stats.refusals.saturating_add(1);
        Ok(GateVerdict::Respond(transmit))
    }
}

impl fmt::Debug for CookieGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieGate").field("stats", &self.stats).finish_non_exhaustive()
    }
}

/// Whether somebody has shown a good cookie.
#[derive(Clone, Copy)]
enum Standing {
    Stranger,
    Acquainted,
}

/// A whole ClientHello.
struct Hello<'a> {
    record: RecordNumber,
    message: Message<'a>,
    came: Came,
}

#[derive(Clone, Copy)]
enum Came {
    AtOnce,
    /// Anybody may have sent one of them.
    InPieces,
}

impl Hello<'_> {
    fn has_cookie(&self) -> bool {
        ClientHello::cookies(self.message.body).iter().any(Option::is_some)
    }

    /// Appends an answer, which must not be longer than the ClientHello in one datagram.
    fn answer(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Result<Transmit, Discard> {
        let start = out.len();
        write(out);
        let len = out.len().saturating_sub(start);
        if len > record::HEADER_LEN + handshake::HEADER_LEN + self.message.body.len() {
            out.truncate(start);
            return Err(Discard::Amplification);
        }
        Ok(Transmit { len })
    }
}

/// What a server of DTLS 1.3 chooses.
#[derive(Clone, Copy)]
struct Wish {
    suite: &'static Suite13,
    group: NamedGroup,
    lacks_share: bool,
}

impl Wish {
    /// The body of a HelloRetryRequest.
    fn request(self, retry: Retry, cookie: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        let group = (retry == Retry::Share).then_some(self.group);
        HelloRetryRequest { suite: self.suite.suite, group, cookie: Some(cookie) }
            .write(&mut Writer::new(&mut body));
        body
    }
}

fn has_one_share(hello: &ClientHello<'_>) -> bool {
    hello.extensions.get(ExtensionType::KEY_SHARE).is_some_and(key_share::is_single)
}

/// The hash of a first ClientHello, as the transcript has it (RFC 8446 section 4.4.1).
fn hash(suite: &Suite13, message: &Message<'_>) -> digest::Digest {
    let mut transcript = Transcript::default();
    transcript.become_dtls13();
    transcript.receive(message);
    transcript.hash(suite.hash)
}
