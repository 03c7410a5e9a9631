//! Derives the DTLS role from `setup` (RFC 8842 section 5, RFC 4145 section 4).
//!
//! Pure functions of the signalled values. Does not know connections.

use ice_agent::IceRole;

use crate::config::Role;
use crate::error::Error;
use crate::parameters::{DescriptionKind, Setup};
use dtls_core::DtlsRole;

/// The `setup` value of an offer: the answerer chooses, unless the application requested a role.
pub(super) const fn offered(requested_role: Role) -> Setup {
    match requested_role {
        Role::Auto => Setup::ActPass,
        Role::Client => Setup::Active,
        Role::Server => Setup::Passive,
    }
}

/// The `setup` value of an answer with the derived role.
pub(super) const fn answered(role: DtlsRole) -> Setup {
    match role {
        DtlsRole::Client => Setup::Active,
        DtlsRole::Server => Setup::Passive,
    }
}

/// Derives the local DTLS role from the peer's `setup`.
///
/// `previous` is the local role in the previous association. An answer keeps it if it may choose, because a
/// browser refuses a description that swaps the roles under an unchanged fingerprint.
///
/// # Errors
/// [`Error::RoleConflict`] if both sides insist on the same role.
pub(super) fn derive(
    kind: DescriptionKind,
    requested_role: Role,
    remote: Setup,
    previous: Option<DtlsRole>,
    ice: IceRole,
) -> Result<DtlsRole, Error> {
    match (remote, requested_role) {
        (Setup::Active, Role::Auto | Role::Server) | (Setup::ActPass, Role::Server) => Ok(DtlsRole::Server),
        (Setup::Passive, Role::Auto | Role::Client) | (Setup::ActPass, Role::Client) => Ok(DtlsRole::Client),
        (Setup::Active, Role::Client) | (Setup::Passive, Role::Server) => Err(Error::RoleConflict),
        (Setup::ActPass, Role::Auto) => Ok(match (kind, previous) {
            (_, Some(role)) => role,
            (DescriptionKind::Offer, None) => DtlsRole::Client,
            // Neither side chose: the parameters were exchanged without offer and answer, as in ORTC. There the
            // controlling agent is the server.
            (DescriptionKind::Answer, None) => match ice {
                IceRole::Controlling => DtlsRole::Server,
                IceRole::Controlled => DtlsRole::Client,
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, derive};
    use crate::config::Role;
    use crate::parameters::DescriptionKind::{Answer, Offer};
    use crate::parameters::Setup;
    use dtls_core::DtlsRole::{Client, Server};
    use ice_agent::IceRole;

    #[test]
    fn answerer_defaults_to_dtls_client() {
        assert_eq!(derive(Offer, Role::Auto, Setup::ActPass, None, IceRole::Controlled), Ok(Client));
        assert_eq!(derive(Offer, Role::Server, Setup::ActPass, None, IceRole::Controlled), Ok(Server));
    }

    #[test]
    fn peer_choice_determines_opposite_role() {
        for kind in [Offer, Answer] {
            assert_eq!(derive(kind, Role::Auto, Setup::Active, None, IceRole::Controlling), Ok(Server));
            assert_eq!(derive(kind, Role::Auto, Setup::Passive, None, IceRole::Controlling), Ok(Client));
        }
    }

    #[test]
    fn same_role_on_both_sides_is_conflict() {
        let conflict = Err(Error::RoleConflict);
        assert_eq!(derive(Offer, Role::Client, Setup::Active, None, IceRole::Controlled), conflict);
        assert_eq!(derive(Answer, Role::Server, Setup::Passive, None, IceRole::Controlling), conflict);
    }

    #[test]
    fn restart_keeps_previous_role() {
        assert_eq!(derive(Offer, Role::Auto, Setup::ActPass, Some(Server), IceRole::Controlled), Ok(Server));
    }

    #[test]
    fn without_offer_answer_controlling_agent_is_server() {
        assert_eq!(derive(Answer, Role::Auto, Setup::ActPass, None, IceRole::Controlling), Ok(Server));
        assert_eq!(derive(Answer, Role::Auto, Setup::ActPass, None, IceRole::Controlled), Ok(Client));
    }
}
