//! A gate in front of [`Connection`](crate::Connection) for servers on bare UDP: a client first proves that it receives
//! datagrams at its address (RFC 6347 section 4.2.1, RFC 9147 section 5.1).
//!
//! ```text
//! 1. <- ClientHello             2. -> HelloVerifyRequest (DTLS 1.2) or HelloRetryRequest (DTLS 1.3), with a cookie
//! 3. <- ClientHello + cookie    4.    an `Admission`: a connection begins here, and not before
//! ```
//!
//! Between 2 and 3 the gate keeps no state. The memory for fragmented ClientHellos is bounded, and a response is never
//! longer than its request. Does not know sockets or connections.

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
use crate::dtls13::server::{Preview, preview};
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

/// The lifetimes of cookies and fragments, and the memory limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateConfig {
    /// The period of a cookie secret. Cookies of the previous secret are still accepted. 60 s by default.
    pub secret_period: Duration,
    /// The lifetime of a cookie, at most [`GateConfig::secret_period`]. 30 s by default, after which a client has given
    /// up.
    pub cookie_lifetime: Duration,
    /// The maximum number of bytes for incomplete ClientHellos, bookkeeping included, and as much again for those with
    /// a valid cookie. 256 kB by default: about 150 post-quantum ClientHellos. The oldest are evicted.
    pub reassembly: usize,
    /// The time to wait for the rest of a ClientHello. 5 s by default, in which a client has retransmitted it.
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

/// The gate's decision about a datagram.
#[derive(Debug)]
#[must_use]
pub enum GateVerdict {
    /// Send the appended bytes back: a request for another ClientHello, or an alert.
    Respond(Transmit),
    /// Pass this to [`crate::Connection::accept`].
    Accept(Admission),
    /// A fragment of a ClientHello was kept, and others are missing.
    Wait,
    /// Nothing in the datagram was used.
    Discard(Discard),
}

/// The counters of one [`CookieGate`] since its creation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateStats {
    /// Sent requests for a cookie.
    pub requests: u64,
    /// Sent alerts.
    pub refusals: u64,
    /// Admitted ClientHellos.
    pub admissions: u64,
    /// Cookies that were forged, expired, or made for another address or ClientHello.
    pub bad_cookies: u64,
    /// Evicted incomplete ClientHellos.
    pub evicted: u64,
    discarded: Discarded,
}

impl GateStats {
    /// Returns how many datagrams were discarded for this reason.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded.of(reason)
    }

    /// Returns how many datagrams were discarded for any reason.
    #[must_use]
    pub fn discarded_total(&self) -> u64 {
        self.discarded.total()
    }
}

/// Responds to ClientHellos of unverified clients with a cookie, and admits those that return it. See the [crate
/// page](crate#servers-on-bare-udp).
///
/// It has no deadlines: expired entries are dropped at the next input.
pub struct CookieGate {
    config: Arc<Config>,
    now: Instant,
    cookies: Cookies,
    max_age: Duration,
    /// Fragments without a valid cookie.
    unverified: Pool,
    /// Fragments of clients with a valid cookie.
    verified: Pool,
    /// Numbers the fragmented arrivals.
    arrivals: u64,
    stats: GateStats,
}

impl CookieGate {
    /// Returns a gate that decides like a server with this configuration, and passes it to the connections.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration can never connect, [`Error::NoRandom`].
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
            unverified: Pool::new(gate.reassembly),
            verified: Pool::new(gate.reassembly),
            arrivals: 0,
            stats: GateStats::default(),
        })
    }

    /// Handles a datagram that belongs to no connection.
    ///
    /// `address_token` identifies the source of the datagram, and a cookie is valid for one token only. Build it from
    /// the remote IP address and port in any unambiguous form, and from the local address if there are several. A
    /// response is appended to `out`; it is never longer than the ClientHello.
    pub fn handle_input(
        &mut self,
        now: Instant,
        address_token: &[u8],
        datagram: &[u8],
        out: &mut Vec<u8>,
    ) -> GateVerdict {
        self.now = self.now.max(now);
        self.cookies.catch_up(self.now);
        self.unverified.forget_older(self.now, self.max_age);
        self.verified.forget_older(self.now, self.max_age);
        let verdict = match datagram::find(datagram) {
            Ok(Found::Whole(record, message)) => {
                let hello = Hello { record, message, came: Came::AtOnce };
                self.judge(address_token, &hello, out)
            }
            Ok(Found::Fragments(record, fragments)) => {
                self.put_together(address_token, record, fragments, out)
            }
            Err(reason) => Err(reason),
        };
        verdict.unwrap_or_else(|reason| {
            tracing::trace!(?reason, "discarded at the gate");
            self.stats.discarded.count(reason);
            GateVerdict::Discard(reason)
        })
    }

    /// Returns the counters.
    #[must_use]
    pub const fn stats(&self) -> &GateStats {
        &self.stats
    }

    /// Returns the approximate number of bytes for incomplete ClientHellos.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.unverified.held() + self.verified.held()
    }

    /// Checks whether the fragments and the stored ones form a complete ClientHello.
    fn put_together(
        &mut self,
        address_token: &[u8],
        record: RecordNumber,
        fragments: Assembly,
        out: &mut Vec<u8>,
    ) -> Result<GateVerdict, Discard> {
        let (kind, sequence) = (HandshakeType::CLIENT_HELLO, fragments.sequence());
        let whole =
            |body, came| Hello { record, message: Message { kind, sequence, body, protected: false }, came };
        let beginning = fragments.beginning();
        if fragments.is_whole(&beginning) {
            return self.judge(address_token, &whole(&beginning, Came::AtOnce), out);
        }
        let (entry, cookie_state, outcome) = self.join(address_token, fragments);
        let beginning = entry.assembly.beginning();
        if entry.assembly.is_whole(&beginning) {
            return self.judge(address_token, &whole(&beginning, Came::InPieces), out);
        }
        let cookie_state = if self.has_valid_cookie(address_token, &beginning) {
            CookieState::Verified
        } else {
            cookie_state
        };
        let kept = self.pool(cookie_state).put(address_token, entry);
        self.stats.evicted = self.unverified.evicted().saturating_add(self.verified.evicted());
        outcome.and(kept)?;
        Ok(GateVerdict::Wait)
    }

    /// Joins fragments with stored ones. Of contradicting fragments the later ones stay, so that a forged one cannot
    /// block a ClientHello; but fragments without a valid cookie never displace those with one.
    fn join(
        &mut self,
        address_token: &[u8],
        fragments: Assembly,
    ) -> (Entry, CookieState, Result<(), Discard>) {
        self.arrivals += 1;
        let arrival = Arrival { number: self.arrivals, at: self.now };
        for cookie_state in [CookieState::Verified, CookieState::Unverified] {
            let Some(mut entry) = self.pool(cookie_state).take_like(address_token, &fragments) else {
                continue;
            };
            return match (entry.assembly.join(&fragments), cookie_state) {
                (Err(reason), CookieState::Unverified) => {
                    (Entry::new(arrival, fragments), cookie_state, Err(reason))
                }
                (outcome, _) => (entry, cookie_state, outcome),
            };
        }
        (Entry::new(arrival, fragments), CookieState::Unverified, Ok(()))
    }

    fn has_valid_cookie(&self, address_token: &[u8], beginning: &[u8]) -> bool {
        let [legacy, extension] = ClientHello::cookies(beginning);
        [(Form::Dtls12, legacy), (Form::Dtls13, extension)].into_iter().any(|(form, cookie)| {
            cookie.is_some_and(|cookie| self.cookies.check(address_token, form, cookie).is_some())
        })
    }

    const fn pool(&mut self, cookie_state: CookieState) -> &mut Pool {
        match cookie_state {
            CookieState::Unverified => &mut self.unverified,
            CookieState::Verified => &mut self.verified,
        }
    }

    fn judge(
        &mut self,
        address_token: &[u8],
        hello: &Hello<'_>,
        out: &mut Vec<u8>,
    ) -> Result<GateVerdict, Discard> {
        let decoded = ClientHello::decode(hello.message.body).map_err(|_| Discard::Malformed)?;
        match preview(&decoded, &self.config) {
            Ok(Preview::Dtls12) => self.decide_dtls12(address_token, hello, &decoded, out),
            Ok(Preview::Dtls13 { suite, group, lacks_share }) => {
                let wish = Wish { suite, group, lacks_share };
                self.judge_dtls13(address_token, hello, &decoded, wish, out)
            }
            Err(failure) => self.refuse(failure, hello, out),
        }
    }

    /// An invalid cookie counts as none (RFC 6347 section 4.2.1): it may have expired in flight.
    fn decide_dtls12(
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
        // The second ClientHello has the requested changes and no others (RFC 8446 section 4.1.2).
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
        // Drops the other fragments of this ClientHello, which a late fragment could complete and admit again.
        self.unverified.forget(address_token);
        self.verified.forget(address_token);
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
        // If the cookie is valid, a fragment of another sender may be the invalid part.
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

/// Whether the fragments contain a valid cookie.
#[derive(Clone, Copy)]
enum CookieState {
    Unverified,
    Verified,
}

/// A complete ClientHello.
struct Hello<'a> {
    record: RecordNumber,
    message: Message<'a>,
    came: Came,
}

#[derive(Clone, Copy)]
enum Came {
    AtOnce,
    /// Any of the fragments may be forged.
    InPieces,
}

impl Hello<'_> {
    fn has_cookie(&self) -> bool {
        ClientHello::cookies(self.message.body).iter().any(Option::is_some)
    }

    /// Appends a response, which must not be longer than the ClientHello in one datagram.
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

/// The selection of a server of DTLS 1.3.
#[derive(Clone, Copy)]
struct Wish {
    suite: &'static Suite13,
    group: NamedGroup,
    lacks_share: bool,
}

impl Wish {
    /// Returns the body of a HelloRetryRequest.
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

/// Returns the hash of a first ClientHello for the transcript (RFC 8446 section 4.4.1).
fn hash(suite: &Suite13, message: &Message<'_>) -> digest::Digest {
    let mut transcript = Transcript::default();
    transcript.become_dtls13();
    transcript.receive(message);
    transcript.hash(suite.hash)
}
