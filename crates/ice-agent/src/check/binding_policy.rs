//! The binding policy: the only callback of the workspace. It may refuse authenticated requests.
//!
//! A policy returns a decision and cannot access the agent.

use std::fmt;

use stun::{AttributeType, ErrorCode, ExtraAttribute, Message};

use crate::agent::generation_id::GenerationId;
use crate::path::Path;

/// Decides about Binding requests after they authenticated, before they have any effect.
///
/// A refused request gets an authenticated error response and has no other effect. The agent calls the policy for every
/// request, consent checks included, so [`ErrorCode::FORBIDDEN`] at any time makes the peer stop sending (RFC 7675
/// section 5.2).
pub trait BindingPolicy: Send + Sync {
    /// Decides about one request.
    fn decide(&self, request: &BindingRequest<'_>) -> BindingDecision;
}

/// An authenticated Binding request.
#[derive(Clone, Copy)]
pub struct BindingRequest<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) path: Path,
    pub(crate) generation: GenerationId,
    pub(crate) remote_ufrag: &'a str,
    pub(crate) priority: Option<u32>,
    pub(crate) use_candidate: bool,
}

impl<'a> BindingRequest<'a> {
    /// Returns the path on which it arrived.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }

    /// Returns the generation that its USERNAME names.
    #[must_use]
    pub const fn generation(&self) -> GenerationId {
        self.generation
    }

    /// Returns the sender's part of the USERNAME.
    #[must_use]
    pub const fn remote_ufrag(&self) -> &'a str {
        self.remote_ufrag
    }

    /// Returns PRIORITY, which every check must have.
    #[must_use]
    pub const fn priority(&self) -> Option<u32> {
        self.priority
    }

    /// Returns whether the sender nominates this pair.
    #[must_use]
    pub const fn use_candidate(&self) -> bool {
        self.use_candidate
    }

    /// Returns the value of any attribute of the message, in wire form.
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

/// The decision of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindingDecision {
    /// Process the request.
    Allow,
    /// Respond with this error.
    Refuse(Refusal),
}

/// An error response to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: ErrorCode,
    reason: Option<String>,
    attributes: Vec<ExtraAttribute>,
}

impl Refusal {
    /// Returns an error response with the usual reason phrase of `code`.
    #[must_use]
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, reason: None, attributes: Vec::new() }
    }

    /// Sets the reason phrase. It is cut to the 763 bytes of RFC 8489 section 14.8.
    #[must_use]
    pub fn reason(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// Adds an attribute, placed before MESSAGE-INTEGRITY.
    #[must_use]
    pub fn attribute(mut self, attribute: ExtraAttribute) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// Returns the error code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Returns the reason phrase that is sent.
    #[must_use]
    pub fn phrase(&self) -> &str {
        const MAX: usize = 763;
        let text = self.reason.as_deref().unwrap_or_else(|| self.code.reason());
        let end = (0..=MAX.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
        end.and_then(|end| text.get(..end)).unwrap_or_default()
    }

    /// Returns the extra attributes in order.
    #[must_use]
    pub fn attributes(&self) -> &[ExtraAttribute] {
        &self.attributes
    }
}
