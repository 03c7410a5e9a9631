//! Connectivity checks on the wire (RFC 8445 sections 7.1 and 7.3): requests and responses.
//!
//! Encodes and decodes. In the folder, `requester` sends checks and handles responses, `responder` decides about
//! requests.

pub(crate) mod binding_policy;
pub(crate) mod requester;
pub(crate) mod responder;
pub(crate) mod retransmission;
pub(crate) mod role;

use std::net::SocketAddr;

use stun::{AttributeType, ErrorCode, IntegrityKey, MessageType, MessageWriter, TransactionId, Verified};

use crate::check::binding_policy::Refusal;
use crate::check::role::{Claim, IceRole};
use crate::discard::Discard;

/// A check to be sent.
pub(crate) struct Check<'a> {
    pub(crate) transaction_id: TransactionId,
    pub(crate) username: &'a str,
    pub(crate) priority: u32,
    pub(crate) claim: Claim,
    pub(crate) use_candidate: bool,
}

impl Check<'_> {
    pub(crate) fn write(&self, key: &IntegrityKey, buf: &mut Vec<u8>) -> Result<(), stun::Error> {
        let mut writer = MessageWriter::new(buf, MessageType::BINDING_REQUEST, self.transaction_id);
        // Two ufrags of maximum length exceed the USERNAME limit of STUN, but ICE allows them.
        writer.attribute(AttributeType::USERNAME, self.username.as_bytes())?;
        writer.priority(self.priority)?;
        match self.claim.role {
            IceRole::Controlling => writer.ice_controlling(self.claim.tie_breaker)?,
            IceRole::Controlled => writer.ice_controlled(self.claim.tie_breaker)?,
        };
        if self.use_candidate {
            writer.use_candidate()?;
        }
        writer.finish(Some(key));
        Ok(())
    }
}

/// A received, authenticated check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) priority: Option<u32>,
    pub(crate) claim: Option<Claim>,
    pub(crate) use_candidate: bool,
}

impl Received {
    pub(crate) fn from_message(message: &Verified<'_>) -> Result<Self, Discard> {
        let read = |role, value: Result<Option<u64>, stun::Error>| {
            let value = value.map_err(|_| Discard::Malformed)?;
            Ok::<_, Discard>(value.map(|tie_breaker| Claim { role, tie_breaker }))
        };
        let controlling = read(IceRole::Controlling, message.ice_controlling())?;
        let controlled = read(IceRole::Controlled, message.ice_controlled())?;
        Ok(Self {
            priority: message.priority().map_err(|_| Discard::Malformed)?,
            claim: controlling.or(controlled),
            use_candidate: message.use_candidate(),
        })
    }
}

/// The comprehension-required attributes that a request may carry without a 420 response.
pub(crate) const UNDERSTOOD: [AttributeType; 9] = [
    AttributeType::USERNAME,
    AttributeType::PRIORITY,
    AttributeType::USE_CANDIDATE,
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::MAPPED_ADDRESS,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
    AttributeType::REALM,
    AttributeType::NONCE,
];

/// The response to a request.
pub(crate) enum Response {
    /// Success, with the source address of the request.
    Success(SocketAddr),
    /// 487 Role Conflict.
    RoleConflict,
    /// 400 Bad Request: PRIORITY is missing although it is needed.
    BadRequest,
    /// 420 Unknown Attribute, with the types that were not understood.
    UnknownAttributes(Vec<AttributeType>),
    /// The error of the policy, or the 403 of our own revocation.
    Refused(Refusal),
}

impl Response {
    /// Encodes the response. It is authenticated with the password that authenticated the request.
    pub(crate) fn write(
        &self,
        transaction_id: TransactionId,
        key: &IntegrityKey,
        buf: &mut Vec<u8>,
    ) -> Result<(), stun::Error> {
        let message_type = match self {
            Self::Success(_) => MessageType::BINDING_SUCCESS,
            _ => MessageType::BINDING_ERROR,
        };
        let mut writer = MessageWriter::new(buf, message_type, transaction_id);
        match self {
            Self::Success(address) => {
                writer.xor_mapped_address(*address)?;
            }
            Self::RoleConflict => {
                writer.error_code(ErrorCode::ROLE_CONFLICT, ErrorCode::ROLE_CONFLICT.reason())?;
            }
            Self::BadRequest => {
                writer.error_code(ErrorCode::BAD_REQUEST, ErrorCode::BAD_REQUEST.reason())?;
            }
            Self::UnknownAttributes(types) => {
                let code = ErrorCode::UNKNOWN_ATTRIBUTE;
                writer.error_code(code, code.reason())?.unknown_attributes(types)?;
            }
            Self::Refused(refusal) => {
                writer.error_code(refusal.code(), refusal.phrase())?;
                for attribute in refusal.attributes() {
                    writer.extra(attribute)?;
                }
            }
        }
        writer.finish(Some(key));
        Ok(())
    }
}
