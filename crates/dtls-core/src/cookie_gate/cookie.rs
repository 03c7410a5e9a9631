//! Cookies: a client returns one to prove that it receives datagrams at its address (RFC 6347 section 4.2.1, RFC 9147
//! section 5.1).
//!
//! ```text
//! time[4] binding[12] mac[16]                            DTLS 1.2; 32 bytes, which old clients take, too
//! time[4] binding[12] retry[1] hash[32 or 48] mac[16]    DTLS 1.3
//! ```
//!
//! `time` is the creation time in milliseconds. `binding` is a hash of the part of the ClientHello that a second one
//! must repeat. `retry` states whether another key share was requested, `hash` is that of the first ClientHello for the
//! transcript. `mac` covers the address and all of this, so that it can be checked before the ClientHello is complete.
//! Does not know datagrams. Secrets are replaced periodically; cookies of the previous secret are still accepted.

use crate::codec::{Malformed, Reader};
use crate::cookie_gate::GateConfig;
use crate::crypto::backend::hmac;
use crate::crypto::backend::rand::{SecureRandom as _, SystemRandom};
use crate::error::Error;
use crate::extension::ExtensionType;
use crate::message::client_hello::ClientHello;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

const MAC_LEN: usize = 16;
const BINDING_LEN: usize = 12;

/// Extensions that a second ClientHello of DTLS 1.3 may change in addition to its key shares (RFC 8446 section 4.1.2, and
/// encrypted_client_hello, which is encrypted again).
const MAY_CHANGE: [ExtensionType; 5] = [
    ExtensionType::COOKIE,
    // padding, pre_shared_key, early_data, encrypted_client_hello
    ExtensionType(21),
    ExtensionType(41),
    ExtensionType(42),
    ExtensionType(0xfe0d),
];

/// The content of a cookie in addition to time and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim<'a> {
    Dtls12,
    Dtls13 {
        retry: Retry,
        /// The hash of the first ClientHello, with the hash of the suite.
        hello_hash: &'a [u8],
    },
}

/// The request in addition to the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// None: the key shares stay.
    CookieAlone,
    /// A share of another group.
    Share,
}

/// The field of the ClientHello with the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Dtls12,
    Dtls13,
}

/// A cookie that this gate made for this address and that has not expired.
#[derive(Clone, Copy, Debug)]
pub(super) struct Genuine<'a> {
    pub(super) claim: Claim<'a>,
    /// The time since its creation.
    pub(super) age: Duration,
    /// Its creation time, which selects the secret.
    made: u64,
    binding: &'a [u8],
}

/// A secret, and the start of its period in milliseconds.
struct Secret {
    key: hmac::Key,
    since: u64,
}

impl Secret {
    fn draw(random: &SystemRandom, since: u64) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(bytes.as_mut()).map_err(|_| Error::NoRandom)?;
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes.as_ref()), since })
    }
}

/// Makes and checks cookies.
pub(super) struct Cookies {
    random: SystemRandom,
    started: Instant,
    /// Milliseconds since the start.
    now: u64,
    period: u64,
    lifetime: u64,
    current: Secret,
    previous: Option<Secret>,
}

impl Cookies {
    pub(super) fn new(now: Instant, config: &GateConfig) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let current = Secret::draw(&random, 0)?;
        let period = milliseconds(config.secret_period);
        // A longer lifetime would outlast the previous secret.
        let lifetime = milliseconds(config.cookie_lifetime).min(period);
        Ok(Self { random, started: now, now: 0, period, lifetime, current, previous: None })
    }

    /// Advances the time and replaces expired secrets. Without random numbers the old secret stays.
    pub(super) fn catch_up(&mut self, now: Instant) {
        self.now = self.now.max(milliseconds(now.saturating_duration_since(self.started)));
        if self.now.saturating_sub(self.current.since) >= self.period
            && let Ok(fresh) = Secret::draw(&self.random, self.now)
        {
            self.previous = Some(std::mem::replace(&mut self.current, fresh));
        }
    }

    /// Makes a cookie for this address and ClientHello.
    pub(super) fn make(&self, address_token: &[u8], hello: &ClientHello<'_>, claim: Claim<'_>) -> Vec<u8> {
        let [_, _, _, _, time @ ..] = self.now.to_be_bytes();
        let binding = binding(&self.current, hello, claim);
        let mut cookie = [&time[..], &binding].concat();
        if let Claim::Dtls13 { retry, hello_hash } = claim {
            cookie.push(u8::from(retry == Retry::Share));
            cookie.extend_from_slice(hello_hash);
        }
        let mac = mac(&self.current, address_token, Form::of(claim), &cookie);
        cookie.extend_from_slice(&mac);
        cookie
    }

    /// Returns the cookie if it was made for this address and has not expired. Does not check the ClientHello.
    pub(super) fn check<'c>(
        &self,
        address_token: &[u8],
        form: Form,
        cookie: &'c [u8],
    ) -> Option<Genuine<'c>> {
        let (content, mac) = cookie.split_at_checked(cookie.len().checked_sub(MAC_LEN)?)?;
        let (time, binding, claim) = read(form, content).ok()?;
        // The upper half is that of now, or of a moment ago.
        let [_, _, _, _, low @ ..] = self.now.to_be_bytes();
        let age = u64::from(u32::from_be_bytes(low).wrapping_sub(time));
        let made = self.now.checked_sub(age)?;
        if age > self.lifetime {
            return None;
        }
        let expected = self::mac(self.secret_of(made)?, address_token, form, content);
        if !bool::from(expected.ct_eq(mac)) {
            return None;
        }
        Some(Genuine { claim, age: Duration::from_millis(age), made, binding })
    }

    /// Returns whether a valid cookie was made for this ClientHello: the parts that must stay are the same.
    pub(super) fn belongs(&self, cookie: &Genuine<'_>, hello: &ClientHello<'_>) -> bool {
        self.secret_of(cookie.made)
            .is_some_and(|secret| binding(secret, hello, cookie.claim).ct_eq(cookie.binding).into())
    }

    fn secret_of(&self, made: u64) -> Option<&Secret> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|secret| secret.since <= made)
    }
}

impl Form {
    const fn of(claim: Claim<'_>) -> Self {
        match claim {
            Claim::Dtls12 => Self::Dtls12,
            Claim::Dtls13 { .. } => Self::Dtls13,
        }
    }

    /// Separates the inputs for different purposes.
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Dtls12 => b"1.2 cookie",
            Self::Dtls13 => b"1.3 cookie",
        }
    }
}

/// Decodes time, binding and the rest.
fn read(form: Form, content: &[u8]) -> Result<(u32, &[u8], Claim<'_>), Malformed> {
    let mut reader = Reader::new(content);
    let time = u32::from_be_bytes(reader.array()?);
    let binding = reader.take(BINDING_LEN)?;
    let claim = match form {
        Form::Dtls12 => {
            reader.finish()?;
            Claim::Dtls12
        }
        Form::Dtls13 => {
            let retry = if reader.u8()? == 0 { Retry::CookieAlone } else { Retry::Share };
            Claim::Dtls13 { retry, hello_hash: reader.rest() }
        }
    };
    Ok((time, binding, claim))
}

fn mac(secret: &Secret, address_token: &[u8], form: Form, content: &[u8]) -> [u8; MAC_LEN] {
    let mut context = hmac::Context::with_key(&secret.key);
    update(&mut context, form.label());
    update(&mut context, address_token);
    update(&mut context, content);
    truncated(&context.sign())
}

/// Hashes the part of a ClientHello that the next one must repeat. In DTLS 1.2 these are the parameters that RFC 6347
/// lists.
fn binding(secret: &Secret, hello: &ClientHello<'_>, claim: Claim<'_>) -> [u8; BINDING_LEN] {
    let mut context = hmac::Context::with_key(&secret.key);
    update(&mut context, b"hello");
    hello.parameters.iter().for_each(|parameters| update(&mut context, parameters));
    if let Claim::Dtls13 { retry, .. } = claim {
        let may_change = |kind: ExtensionType| {
            MAY_CHANGE.contains(&kind) || (kind == ExtensionType::KEY_SHARE && retry == Retry::Share)
        };
        for (kind, body) in hello.extensions.iter().filter(|(kind, _)| !may_change(*kind)) {
            context.update(&kind.0.to_be_bytes());
            update(&mut context, body);
        }
    }
    truncated(&context.sign())
}

/// Hashes a field with its length, so that different lists of fields have different inputs.
fn update(context: &mut hmac::Context, field: &[u8]) {
    context.update(&field.len().to_be_bytes());
    context.update(field);
}

fn truncated<const N: usize>(tag: &hmac::Tag) -> [u8; N] {
    tag.as_ref().first_chunk().copied().unwrap_or([0; N])
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Writer;
    use crate::crypto::suite::CipherSuite;
    use crate::extension;

    const HASH: [u8; 32] = [5; 32];
    const CLAIMS: [Claim<'static>; 3] = [
        Claim::Dtls12,
        Claim::Dtls13 { retry: Retry::CookieAlone, hello_hash: &HASH },
        Claim::Dtls13 { retry: Retry::Share, hello_hash: &HASH },
    ];

    fn hello(random: u8, suite: u16, others: &[(u16, u8)]) -> Vec<u8> {
        let mut body = Vec::new();
        let suites = std::iter::once(CipherSuite(suite));
        ClientHello::write(&mut Writer::new(&mut body), &[random; 32], &[], suites, |writer| {
            for (kind, content) in others {
                extension::write(writer, ExtensionType(*kind), |writer| writer.u8(*content));
            }
        });
        body
    }

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    fn cookies(period: u64, lifetime: u64) -> (Cookies, Instant) {
        let start = Instant::now();
        let config = GateConfig {
            secret_period: Duration::from_millis(period),
            cookie_lifetime: Duration::from_millis(lifetime),
            ..GateConfig::default()
        };
        (Cookies::new(start, &config).unwrap(), start)
    }

    #[test]
    fn cookie_is_valid_for_its_address_form_and_hello_only() {
        let (cookies, _) = cookies(60_000, 30_000);
        let body = hello(7, 0x1301, &[(10, 1), (51, 1)]);
        let hello = ClientHello::decode(&body).unwrap();
        for claim in CLAIMS {
            let cookie = cookies.make(b"here", &hello, claim);
            let form = Form::of(claim);
            let genuine = cookies.check(b"here", form, &cookie).unwrap();
            assert_eq!((genuine.claim, genuine.age), (claim, Duration::ZERO));
            assert!(cookies.belongs(&genuine, &hello));
            assert!(cookies.check(b"there", form, &cookie).is_none());
            let other = if form == Form::Dtls12 { Form::Dtls13 } else { Form::Dtls12 };
            assert!(cookies.check(b"here", other, &cookie).is_none());
            for at in 0..cookie.len() {
                let mut forged = cookie.clone();
                forged[at] ^= 1;
                assert!(cookies.check(b"here", form, &forged).is_none(), "byte {at}");
                assert!(cookies.check(b"here", form, &cookie[..at]).is_none(), "length {at}");
            }
        }
    }

    #[test]
    fn dtls12_cookie_has_32_bytes() {
        let (cookies, _) = cookies(60_000, 30_000);
        let body = hello(7, 0xc02b, &[]);
        let hello = ClientHello::decode(&body).unwrap();
        assert_eq!(cookies.make(b"", &hello, Claim::Dtls12).len(), 32);
    }

    #[test]
    fn changed_hello_invalidates_the_cookie() {
        let (cookies, _) = cookies(60_000, 30_000);
        let first = hello(7, 0x1301, &[(10, 1), (51, 1), (21, 1)]);
        let belongs = |claim: Claim<'_>, second: &[u8]| {
            let cookie = cookies.make(b"", &ClientHello::decode(&first).unwrap(), claim);
            let genuine = cookies.check(b"", Form::of(claim), &cookie).unwrap();
            cookies.belongs(&genuine, &ClientHello::decode(second).unwrap())
        };
        let [dtls12, alone, share] = CLAIMS;
        for claim in CLAIMS {
            assert!(!belongs(claim, &hello(8, 0x1301, &[(10, 1), (51, 1), (21, 1)])), "random");
            assert!(!belongs(claim, &hello(7, 0x1302, &[(10, 1), (51, 1), (21, 1)])), "suites");
            assert!(belongs(claim, &hello(7, 0x1301, &[(10, 1), (51, 1), (44, 9)])), "padding, cookie");
        }
        let groups = hello(7, 0x1301, &[(10, 2), (51, 1), (21, 1)]);
        assert_eq!([dtls12, alone, share].map(|claim| belongs(claim, &groups)), [true, false, false]);
        let shares = hello(7, 0x1301, &[(10, 1), (51, 2), (21, 1)]);
        assert_eq!([dtls12, alone, share].map(|claim| belongs(claim, &shares)), [true, false, true]);
        let dropped = hello(7, 0x1301, &[(51, 1), (21, 1)]);
        assert_eq!([dtls12, alone, share].map(|claim| belongs(claim, &dropped)), [true, false, false]);
    }

    #[test]
    fn cookie_outlives_one_change_of_the_secret() {
        let (mut cookies, start) = cookies(1000, 600);
        let body = hello(7, 0xc02b, &[]);
        let hello = ClientHello::decode(&body).unwrap();
        cookies.catch_up(at(start, 900));
        let cookie = cookies.make(b"", &hello, Claim::Dtls12);
        for (ms, is_good) in [(900, true), (1000, true), (1500, true), (1501, false)] {
            cookies.catch_up(at(start, ms));
            let genuine = cookies.check(b"", Form::Dtls12, &cookie);
            assert_eq!(genuine.is_some_and(|genuine| cookies.belongs(&genuine, &hello)), is_good, "{ms}");
        }
    }

    #[test]
    fn cookie_of_a_dropped_secret_is_invalid() {
        // The lifetime is at most the period: an older cookie may have been made with a dropped secret.
        let (mut cookies, start) = cookies(1000, 60_000);
        let body = hello(7, 0xc02b, &[]);
        let hello = ClientHello::decode(&body).unwrap();
        let cookie = cookies.make(b"", &hello, Claim::Dtls12);
        for (ms, is_good) in [(1000, true), (1001, false), (2000, false)] {
            cookies.catch_up(at(start, ms));
            assert_eq!(cookies.check(b"", Form::Dtls12, &cookie).is_some(), is_good, "{ms}");
        }
    }

    #[test]
    fn cookies_work_across_a_wrap_of_the_clock() {
        let (mut cookies, start) = cookies(60_000, 30_000);
        let body = hello(7, 0xc02b, &[]);
        let hello = ClientHello::decode(&body).unwrap();
        cookies.catch_up(at(start, (1 << 32) - 100));
        let cookie = cookies.make(b"", &hello, Claim::Dtls12);
        cookies.catch_up(at(start, (1 << 32) + 100));
        let genuine = cookies.check(b"", Form::Dtls12, &cookie).unwrap();
        assert_eq!(genuine.age, Duration::from_millis(200));
        // A cookie from the future is older than the gate.
        let (young, _) = self::cookies(60_000, 30_000);
        assert!(young.check(b"", Form::Dtls12, &cookie).is_none());
    }
}
