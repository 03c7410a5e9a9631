//! The one callback of the workspace: may this authenticated request be answered?
//!
//! The policy judges and returns; it is given no way into the agent.

use std::fmt;

use stun::rich::ExtraAttribute;
use stun::{AttributeType, ErrorCode, Message};

use crate::generation::Generation;
use crate::path::Path;

/// Judges Binding requests after they authenticated, before they are answered or believed.
///
/// A refusal goes back as an authenticated error response and the request has no other effect. It is asked
/// for every request, consent checks included, so refusing with [`ErrorCode::FORBIDDEN`] at any time makes
/// a peer stop sending (RFC 7675 section 5.2).
pub trait BindingPolicy: Send + Sync {
    /// Decides about one request.
    fn judge(&self, request: &BindingRequest<'_>) -> BindingDecision;
}

/// An authenticated Binding request.
#[derive(Clone, Copy)]
pub struct BindingRequest<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) path: Path,
    pub(crate) generation: Generation,
    pub(crate) remote_ufrag: &'a str,
    pub(crate) priority: Option<u32>,
    pub(crate) use_candidate: bool,
}

impl<'a> BindingRequest<'a> {
    /// Where it came in.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }

    /// The generation that its USERNAME names.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The sender's part of the USERNAME.
    #[must_use]
    pub const fn remote_ufrag(&self) -> &'a str {
        self.remote_ufrag
    }

    /// PRIORITY, which a check has to carry.
    #[must_use]
    pub const fn priority(&self) -> Option<u32> {
        self.priority
    }

    /// Whether the sender nominates this pair.
    #[must_use]
    pub const fn use_candidate(&self) -> bool {
        self.use_candidate
    }

    /// The value of any attribute of the message, as it stands on the wire.
    #[must_use]
    pub fn attribute(&self, attribute_type: AttributeType) -> Option<&'a [u8]> {
        self.message.attribute(attribute_type)
    }
}

impl fmt::Debug for BindingRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindingRequest")
            .field("path", &self.path)
            .field("generation", &self.generation)
            .field("remote_ufrag", &self.remote_ufrag)
            .field("priority", &self.priority)
            .field("use_candidate", &self.use_candidate)
            .finish()
    }
}

/// What a policy decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingDecision {
    /// Answer as usual.
    Allow,
    /// Answer with this error.
    Refuse(Refusal),
}

/// An error response in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: ErrorCode,
    reason: Option<String>,
    attributes: Vec<ExtraAttribute>,
}

impl Refusal {
    /// An error response with the usual reason phrase of `code`.
    #[must_use]
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, reason: None, attributes: Vec::new() }
    }

    /// With another reason phrase; what exceeds the 763 bytes of RFC 8489 section 14.8 is left out.
    #[must_use]
    pub fn reason(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// With one more attribute, placed before MESSAGE-INTEGRITY.
    #[must_use]
    pub fn attribute(mut self, attribute: ExtraAttribute) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// The error code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The reason phrase as it goes out.
    #[must_use]
    pub fn phrase(&self) -> &str {
        const MAX: usize = 763;
        let text = self.reason.as_deref().unwrap_or_else(|| self.code.reason());
        let end = (0..=MAX.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
        end.and_then(|end| text.get(..end)).unwrap_or_default()
    }

    /// The extra attributes in order.
    #[must_use]
    pub fn attributes(&self) -> &[ExtraAttribute] {
        &self.attributes
    }
}
