//! The signalled parameters of a transport: ICE credentials, certificate fingerprints, the DTLS role and the
//! tls-id, and the SDP attributes that carry them.
//!
//! Knows attribute lines (RFC 8839, RFC 8122, RFC 8842). Does not know the offer/answer state, media
//! descriptions or any other part of SDP.

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

/// The parameters that one side of a transport signals to the other, without candidates.
///
/// [`PeerTransport::local_parameters`](crate::PeerTransport::local_parameters) returns the local ones; pass the
/// peer's to [`set_remote_parameters`](crate::PeerTransport::set_remote_parameters). The application chooses
/// their encoding: the lines of [`Parameters::attributes`], read by [`Description::from_lines`], or the
/// individual fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The ICE username fragment, password, and whether the agent is lite.
    pub ice: ice_agent::Parameters,
    /// The supported ICE extensions (RFC 8839 section 5.6).
    pub ice_options: IceOptions,
    /// The fingerprints of the certificates that the side may present (RFC 8122 section 5), at most
    /// [`Parameters::MAX_FINGERPRINTS`].
    pub fingerprints: Vec<Fingerprint>,
    /// The side that starts the DTLS handshake.
    pub setup: Setup,
    /// The side's half of the DTLS association's name (RFC 8842 section 4). Browsers send none.
    pub tls_id: Option<TlsId>,
}

impl Parameters {
    /// The maximum number of fingerprints: four certificates in each of the three supported hashes, twice.
    pub const MAX_FINGERPRINTS: usize = 24;

    /// Returns the attributes in the recommended order. `ice-lite` comes first because it belongs to the
    /// session level of an SDP; all others may be in a media description.
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

/// Whether a description is an offer or an answer (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DescriptionKind {
    /// The peer's offer.
    Offer,
    /// The peer's answer to the local offer.
    Answer,
}
