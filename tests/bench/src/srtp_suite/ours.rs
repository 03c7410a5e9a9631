//! Our contexts, as an application calls them.

use srtp::{Inbound, Options, Outbound, RtpHeader};
use srtp_keys::{DtlsRole, KeyingMaterial, Profile, SessionMasterKeys};

use super::{exported, fanning_out, header, protecting, unprotecting};
use crate::measure::Subject;
use crate::report::OURS;

pub(super) fn outbound(profile: Profile, association: u16) -> Outbound {
    Outbound::new(&keys(profile, association, DtlsRole::Client).outbound, &Options::default())
}

pub(super) fn inbound(profile: Profile) -> Inbound {
    Inbound::new(&keys(profile, 0, DtlsRole::Server).inbound, &Options::default())
}

fn keys(profile: Profile, association: u16, role: DtlsRole) -> SessionMasterKeys {
    KeyingMaterial::new(profile, &exported(profile, association))
        .expect("as many bytes as the profile takes")
        .split(role)
}

pub(super) fn protect(profile: Profile, payload: &[u8]) -> Subject<'_> {
    let mut context = outbound(profile, 0);
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

pub(super) fn fan_out(profile: Profile, payload: &[u8]) -> Subject<'_> {
    let new = |association| outbound(profile, association);
    fanning_out(OURS, payload, new, |context, sequence_number, payload, out| {
        let start = out.len();
        out.extend_from_slice(&header(sequence_number));
        context.protect_rtp_payload(out, start, payload).expect("a packet that can be sealed");
    })
}
