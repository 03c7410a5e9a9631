//! Our contexts, as an application calls them.

use srtp::{Inbound, Options, Outbound, RtpHeader};
use srtp_keys::{DtlsRole, KeyingMaterial, Pair, Profile};

use super::{exported, header, protecting, unprotecting};
use crate::measure::Subject;
use crate::report::OURS;

pub(super) fn outbound(profile: Profile) -> Outbound {
    Outbound::new(&keys(profile, DtlsRole::Client).outbound, &Options::default())
}

pub(super) fn inbound(profile: Profile) -> Inbound {
    Inbound::new(&keys(profile, DtlsRole::Server).inbound, &Options::default())
}

fn keys(profile: Profile, role: DtlsRole) -> Pair {
    KeyingMaterial::new(profile, &exported(profile)).expect("as many bytes as the profile takes").split(role)
}

pub(super) fn protect(profile: Profile, payload: &[u8]) -> Subject<'_> {
    let mut context = outbound(profile);
    protecting(OURS, payload, move |sequence_number, payload, out| {
        context.protect_rtp(&header(sequence_number), payload, out).expect("a packet that can be sealed");
    })
}

pub(super) fn unprotect(profile: Profile, payload: &[u8]) -> Subject<'_> {
    let mut context = inbound(profile);
    unprotecting(OURS, profile, payload, move |_, packet| {
        let header = RtpHeader::parse(packet).expect("an RTP header");
        context.unprotect_rtp(&header, packet).expect("an authentic packet");
    })
}
