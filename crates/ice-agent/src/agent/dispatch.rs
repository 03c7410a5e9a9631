//! Dispatch of a datagram: its kind, and the generation that it belongs to.
//!
//! The cheapest checks come first. `responder` handles requests, `requester` responses; effects on the whole agent are
//! applied here.

use std::time::Instant;

use stun::{Class, Message, Method};

use crate::agent::Agent;
use crate::agent::datagram::Datagram;
use crate::agent::generation_id::GenerationId;
use crate::check::requester::Outcome;
use crate::check::role::IceRole;
use crate::discard::Discard;
use crate::event::{Event, Failure};
use crate::pair::checklist_pair::PairId;
use crate::path::Path;

impl Agent {
    pub(crate) fn dispatch(&mut self, now: Instant, datagram: Datagram<'_>) -> Result<(), Discard> {
        let Datagram { path, payload } = datagram;
        if self.closed {
            return Err(Discard::Closed);
        }
        if !stun::is_stun(payload) {
            return Err(Discard::NotStun);
        }
        if payload.len() > self.context.config.max_datagram {
            return Err(Discard::TooLong);
        }
        let message = Message::decode(payload).map_err(|_| Discard::Malformed)?;
        match (message.message_type().method, message.message_type().class) {
            (Method::BINDING, Class::Request) => self.on_request(now, path, message),
            (Method::BINDING, Class::Success | Class::Error) => self.on_response(now, path, message),
            _ => Err(Discard::NotBinding),
        }
    }

    fn on_response(&mut self, now: Instant, path: Path, message: Message<'_>) -> Result<(), Discard> {
        let id = message.transaction_id();
        let Self { context, current, next, .. } = self;
        let generation = if current.awaits(id) { current } else { next.as_mut().unwrap_or(current) };
        let generation_id = generation.id;
        match generation.on_response(now, context, path, message)? {
            Outcome::Settled => {}
            Outcome::RoleConflict { claimed, pair } => {
                // A second 487 to a check from before the switch must not switch back.
                if claimed == self.context.role {
                    self.context.tie_breaker = self.context.generator.u64();
                    self.switch_role(claimed.opposite());
                }
                self.check_again(generation_id, pair);
            }
            Outcome::Forbidden { path } => {
                // Older generations lose consent on the 5-tuple too; a newer generation has its own consent.
                self.for_each_active(|generation, context| {
                    if generation.id <= generation_id {
                        generation.end_consent(context, path, Failure::ConsentRevoked { path });
                    }
                });
            }
        }
        Ok(())
    }

    fn check_again(&mut self, id: GenerationId, pair: PairId) {
        self.for_each_active(|generation, _| {
            if generation.id == id {
                generation.check_again(pair);
            }
        });
    }

    /// RFC 8445 section 7.3.1.1.
    pub(crate) fn switch_role(&mut self, role: IceRole) {
        self.context.role = role;
        self.current.checklist.switch_role(role);
        if let Some(next) = &mut self.next {
            next.checklist.switch_role(role);
        }
        self.context.emit(Event::RoleChanged(role));
    }
}
