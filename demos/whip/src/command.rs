//! The commands of HTTP handlers to the media server, and their replies.

use std::net::IpAddr;

use peer_transport::Role;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::sdp::BadOffer;
use crate::session::SessionId;

/// A command to the media server.
#[derive(Debug)]
pub(crate) enum Command {
    Create { offer: String, role: Role, reached: IpAddr, reply: oneshot::Sender<Result<Created, Refusal>> },
    Patch { id: SessionId, patch: Patch, reply: oneshot::Sender<Result<Patched, Refusal>> },
    RevokeConsent { id: SessionId, reply: oneshot::Sender<Result<(), Refusal>> },
    End { id: SessionId, reply: oneshot::Sender<Result<(), Refusal>> },
    Look { id: SessionId, reply: oneshot::Sender<Result<Value, Refusal>> },
}

/// A new session and its answer.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) id: SessionId,
    pub(crate) etag: String,
    pub(crate) answer: String,
}

/// An SDP fragment with its precondition.
#[derive(Debug)]
pub(crate) struct Patch {
    pub(crate) fragment: String,
    pub(crate) precondition: Precondition,
    pub(crate) certificate: NextCertificate,
}

/// The `If-Match` header of a PATCH (RFC 9725 section 4.3.1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Precondition {
    Missing,
    Any,
    Tags(Vec<String>),
}

/// The certificate after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextCertificate {
    Same,
    New,
}

/// The effect of a PATCH.
#[derive(Debug)]
pub(crate) enum Patched {
    Trickled,
    Restarted { fragment: String, etag: String },
}

/// The reason why a command is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no such session")]
    NoSuchSession,
    #[error("{0}")]
    BadOffer(#[from] BadOffer),
    #[error("{0}")]
    BadRequest(String),
    #[error("a precondition is required: If-Match with the ETag of the ICE session, or * to restart")]
    PreconditionRequired,
    #[error("the ETag belongs to an earlier ICE session")]
    PreconditionFailed,
    #[error("{max} sessions are open, which is the limit")]
    Full { max: usize },
    #[error("{0}")]
    Internal(String),
}

/// The sending end for commands; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Handle(mpsc::Sender<Command>);

impl Handle {
    /// Returns a handle and the receiving end.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        (Self(sender), receiver)
    }

    /// Sends a command with a reply channel, and waits for the reply.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Command,
    ) -> Result<T, Refusal> {
        let gone = || Refusal::Internal("the media server has ended".into());
        let (reply, answer) = oneshot::channel();
        self.0.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The maximum number of queued commands; a later command waits.
const MAX_WAITING: usize = 64;
