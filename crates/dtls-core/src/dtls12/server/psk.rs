//! Steps 2 and 3 with a pre-shared key (RFC 4279 section 2): our hint, if there is one, and the identity of the client.

use crate::authentication::{self, PeerAuthenticated};
use crate::config::DtlsRole;
use crate::crypto::backend::digest::Digest;
use crate::crypto::backend::rand::SecureRandom as _;
use crate::discard::Discard;
use crate::dtls12::Selected;
use crate::dtls12::key_schedule::MasterSecret;
use crate::dtls12::server::State;
use crate::dtls12::server::client_flight::AwaitFinished;
use crate::event::{Event, PskRequest};
use crate::failure::{Failure, Operation};
use crate::handshake::Message;
use crate::handshake::step::{Context, Step};
use crate::message::psk_key_exchange::PskKeyExchange;
use crate::psk::Psk;
use bytes::Bytes;

/// After step 2.
pub(crate) struct AwaitPskIdentity {
    pub(super) selected: Selected,
}

/// The application looks up the identity.
pub(crate) struct AwaitPsk {
    selected: Selected,
    session_hash: Digest,
}

/// The identity is unknown, but the client must not learn that: the handshake looks as if its key were wrong (RFC 4279
/// section 2). Only another ClientHello or the deadline ends this state.
pub(crate) struct UnknownIdentity;

impl AwaitPskIdentity {
    pub(super) fn on_client_key_exchange(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Ok(exchange) = PskKeyExchange::decode(message.body) else {
            return Step::Stay(State::AwaitPskIdentity(self), Discard::Malformed);
        };
        cx.outgoing.transcript.receive(message);
        let session_hash = cx.outgoing.transcript.hash(self.selected.suite.hash);
        let identity = Bytes::copy_from_slice(exchange.name);
        cx.events.push(Event::PskRequested(PskRequest::ForIdentity(identity)));
        Step::Advance(State::AwaitPsk(AwaitPsk { selected: self.selected, session_hash }))
    }
}

impl AwaitPsk {
    pub(super) fn on_psk(self, psk: Option<Psk>, cx: &mut Context<'_>) -> Result<State, Failure> {
        let Self { selected, session_hash } = self;
        let Some(psk) = psk else { return pretend(selected, &session_hash, cx) };
        let (secret, held) = authentication::hold(&psk);
        let (master, key_log) = MasterSecret::derive(selected, &secret, &session_hash);
        cx.events.push_key_log(cx.config, key_log);
        AwaitFinished::begin(master, None, PeerAuthenticated::by_psk(held), cx)
    }
}

/// Installs random keys, so that an unknown identity takes the time and gives the result of a wrong key.
fn pretend(selected: Selected, session_hash: &Digest, cx: &mut Context<'_>) -> Result<State, Failure> {
    let mut key = [0; 16];
    cx.random.fill(&mut key).map_err(|_| Failure::Crypto(Operation::Random))?;
    let nobodys = Psk::new(&[], &key).map_err(|_| Failure::Crypto(Operation::KeyExchange))?;
    let (secret, _) = authentication::hold(&nobodys);
    let (master, _) = MasterSecret::derive(selected, &secret, session_hash);
    let keys = master.record_keys(DtlsRole::Server).ok_or(Failure::Crypto(Operation::KeyExchange))?;
    cx.records.install(keys.write, keys.read);
    Ok(State::UnknownIdentity(UnknownIdentity))
}
