//! Who sends the ClientHello: roles derived from `setup` (RFC 8842 section 5, RFC 4145 section 4).
//!
//! Pure functions of what both sides said. Knows nothing about connections.

use ice_agent::IceRole;

use crate::association::DtlsRole;
use crate::config::Role;
use crate::error::Error;
use crate::parameters::{DescriptionKind, Setup};

/// What we write into an offer: the offerer leaves the choice to the answerer unless told otherwise.
pub(crate) const fn offered(wish: Role) -> Setup {
    match wish {
        Role::Auto => Setup::ActPass,
        Role::Client => Setup::Active,
        Role::Server => Setup::Passive,
    }
}

/// What an answer says once the role is known.
pub(crate) const fn answered(role: DtlsRole) -> Setup {
    match role {
        DtlsRole::Client => Setup::Active,
        DtlsRole::Server => Setup::Passive,
    }
}

/// Our DTLS role, given what the peer wrote.
///
/// `before` is our role in the association before, which an answer keeps where it has the choice: a
/// browser refuses a description that turns the roles around under an unchanged fingerprint.
///
/// # Errors
/// [`Error::RoleConflict`] where both sides insist on one role.
pub(crate) fn derive(
    kind: DescriptionKind,
    wish: Role,
    theirs: Setup,
    before: Option<DtlsRole>,
    ice: IceRole,
) -> Result<DtlsRole, Error> {
    match (theirs, wish) {
        (Setup::Active, Role::Auto | Role::Server) | (Setup::ActPass, Role::Server) => Ok(DtlsRole::Server),
        (Setup::Passive, Role::Auto | Role::Client) | (Setup::ActPass, Role::Client) => Ok(DtlsRole::Client),
        (Setup::Active, Role::Client) | (Setup::Passive, Role::Server) => Err(Error::RoleConflict),
        (Setup::ActPass, Role::Auto) => Ok(match (kind, before) {
            (_, Some(role)) => role,
            (DescriptionKind::Offer, None) => DtlsRole::Client,
            // Nobody chose: parameters that were exchanged without offer and answer, as ORTC does. The
            // controlling agent is the server there.
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
    use crate::association::DtlsRole::{Client, Server};
    use crate::config::Role;
    use crate::parameters::DescriptionKind::{Answer, Offer};
    use crate::parameters::Setup;
    use ice_agent::IceRole;

    #[test]
    fn the_answerer_becomes_the_client_unless_told_otherwise() {
        assert_eq!(derive(Offer, Role::Auto, Setup::ActPass, None, IceRole::Controlled), Ok(Client));
        assert_eq!(derive(Offer, Role::Server, Setup::ActPass, None, IceRole::Controlled), Ok(Server));
    }

    #[test]
    fn the_peers_choice_gives_us_the_other_role() {
        for kind in [Offer, Answer] {
            assert_eq!(derive(kind, Role::Auto, Setup::Active, None, IceRole::Controlling), Ok(Server));
            assert_eq!(derive(kind, Role::Auto, Setup::Passive, None, IceRole::Controlling), Ok(Client));
        }
    }

    #[test]
    fn two_sides_that_insist_on_one_role_are_told_so() {
        let conflict = Err(Error::RoleConflict);
        assert_eq!(derive(Offer, Role::Client, Setup::Active, None, IceRole::Controlled), conflict);
        assert_eq!(derive(Answer, Role::Server, Setup::Passive, None, IceRole::Controlling), conflict);
    }

    #[test]
    fn a_restart_that_may_choose_keeps_the_role_of_the_association_before() {
        assert_eq!(derive(Offer, Role::Auto, Setup::ActPass, Some(Server), IceRole::Controlled), Ok(Server));
    }

    #[test]
    fn without_offer_and_answer_the_controlling_agent_is_the_server() {
        assert_eq!(derive(Answer, Role::Auto, Setup::ActPass, None, IceRole::Controlling), Ok(Server));
        assert_eq!(derive(Answer, Role::Auto, Setup::ActPass, None, IceRole::Controlled), Ok(Client));
    }
}
