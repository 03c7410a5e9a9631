//! What two peers tell each other through signalling: ICE credentials, certificate fingerprints,
//! the DTLS role and the name of the association, and the SDP attributes that carry them.
//!
//! Knows attribute lines (RFC 8839, RFC 8122, RFC 8842). Knows nothing of offers and answers as
//! state, of media descriptions or of any other part of SDP.

mod attribute;
mod description;
mod fragment;
mod gathered;
mod ice_options;
mod parse_error;
mod setup;
mod tls_id;

pub use attribute::Attribute;
pub use description::Description;
pub use fragment::Fragment;
pub use ice_options::IceOptions;
pub use parse_error::{AttributeName, ParseError, Problem};
pub use setup::Setup;
pub use tls_id::TlsId;

use dtls_core::Fingerprint;

/// Everything that one side of a transport tells the other, candidates aside.
///
/// [`PeerTransport::local_parameters`](crate::PeerTransport::local_parameters) gives ours;
/// the peer's go into
/// [`set_remote_parameters`](crate::PeerTransport::set_remote_parameters). Their form on the way
/// is the application's: the lines of [`Parameters::attributes`], read by
/// [`Description::from_lines`], or the fields one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// ICE: username fragment, password, and whether the agent is lite.
    pub ice: ice_agent::Parameters,
    /// The ICE extensions that the side supports (RFC 8839 section 5.6).
    pub ice_options: IceOptions,
    /// The certificates that the side may show (RFC 8122 section 5), at most
    /// [`Parameters::MAX_FINGERPRINTS`].
    pub fingerprints: Vec<Fingerprint>,
    /// Who begins the DTLS handshake.
    pub setup: Setup,
    /// The side's name of the DTLS association (RFC 8842 section 4). Browsers send none.
    pub tls_id: Option<TlsId>,
}

impl Parameters {
    /// How many fingerprints a description may carry: four certificates in each of the three
    /// hashes that are checked, twice.
    pub const MAX_FINGERPRINTS: usize = 24;

    /// The attributes in the order in which they are best written. `ice-lite` comes first because
    /// it belongs to the session level of an SDP; all others may stand in a media description.
    ///
    /// ```
    /// # fn write(parameters: &peer_transport::Parameters) -> String {
    /// parameters.attributes().map(|attribute| format!("a={attribute}\r\n")).collect()
    /// # }
    /// ```
    pub fn attributes(&self) -> impl Iterator<Item = Attribute> + '_ {
        let ice = &self.ice;
        let options = (!self.ice_options.is_empty()).then_some(Attribute::IceOptions(self.ice_options));
        ice.lite
            .then_some(Attribute::IceLite)
            .into_iter()
            .chain([Attribute::IceUfrag(ice.ufrag.clone()), Attribute::IcePwd(ice.password.clone())])
            .chain(options)
            .chain(self.fingerprints.iter().copied().map(Attribute::Fingerprint))
            .chain([Attribute::Setup(self.setup)])
            .chain(self.tls_id.clone().map(Attribute::TlsId))
    }
}

/// Which half of the exchange a description is (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DescriptionKind {
    /// The peer proposes.
    Offer,
    /// The peer agrees to what we proposed.
    Answer,
}
