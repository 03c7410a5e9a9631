//! Steps 4 and 5 with a pre-shared key (RFC 4279 section 2): ServerHello, ServerKeyExchange if the server has a hint,
//! ServerHelloDone; then the identity from the application.

use crate::authentication::{self, PeerAuthenticated};
use crate::discard::Discard;
use crate::dtls12::Selected;
use crate::dtls12::client::State;
use crate::dtls12::client::reply::{AwaitFinished, finish};
use crate::dtls12::key_schedule::MasterSecret;
use crate::event::{Event, PskRequest};
use crate::failure::{Failure, Refusal};
use crate::handshake::step::{Context, Step};
use crate::handshake::{HandshakeType, Message};
use crate::message::psk_key_exchange::PskKeyExchange;
use crate::psk::Psk;
use crate::record::epoch::Epoch;
use bytes::Bytes;

/// After a ServerHello that selected a pre-shared key.
pub(crate) struct AwaitPskHint {
    pub(super) selected: Selected,
}

/// After the hint, or without one.
pub(crate) struct AwaitPskHelloDone {
    selected: Selected,
    hint: Bytes,
}

/// The application chooses the key.
pub(crate) struct AwaitPsk {
    selected: Selected,
}

impl AwaitPskHint {
    pub(super) fn on_server_key_exchange(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Ok(exchange) = PskKeyExchange::decode(message.body) else {
            return Step::Stay(State::AwaitPskHint(self), Discard::Malformed);
        };
        cx.outgoing.transcript.receive(message);
        let hint = Bytes::copy_from_slice(exchange.name);
        Step::Advance(State::AwaitPskHelloDone(AwaitPskHelloDone { selected: self.selected, hint }))
    }

    pub(super) fn on_server_hello_done(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        if !message.body.is_empty() {
            return Step::Stay(State::AwaitPskHint(self), Discard::Malformed);
        }
        request(self.selected, None, message, cx)
    }
}

impl AwaitPskHelloDone {
    pub(super) fn on_server_hello_done(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        if !message.body.is_empty() {
            return Step::Stay(State::AwaitPskHelloDone(self), Discard::Malformed);
        }
        request(self.selected, Some(self.hint), message, cx)
    }
}

fn request(selected: Selected, hint: Option<Bytes>, done: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
    cx.outgoing.transcript.receive(done);
    cx.events.push(Event::PskRequested(PskRequest::ForHint(hint)));
    Step::Advance(State::AwaitPsk(AwaitPsk { selected }))
}

impl AwaitPsk {
    /// Step 5.
    pub(super) fn on_psk(self, psk: Option<Psk>, cx: &mut Context<'_>) -> Result<AwaitFinished, Failure> {
        let Self { selected } = self;
        let psk = psk.ok_or(Refusal::UnknownPsk)?;
        cx.outgoing.flight.begin();
        cx.outgoing.push(Epoch::Plaintext, HandshakeType::CLIENT_KEY_EXCHANGE, |writer| {
            PskKeyExchange::write(writer, psk.identity());
        });
        let session_hash = cx.outgoing.transcript.hash(selected.suite.hash);
        let (secret, held) = authentication::hold(&psk);
        let (master, key_log) = MasterSecret::derive(selected, &secret, &session_hash);
        cx.events.push_key_log(cx.config, key_log);
        finish(master, PeerAuthenticated::by_psk(held), None, cx)
    }
}
