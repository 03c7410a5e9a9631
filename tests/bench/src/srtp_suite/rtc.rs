//! rtc-srtp: the most similar library, on the same primitives.

use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;
use srtp::RtpHeader;
use srtp_keys::Profile;

use super::{exported, fanning_out, header, ours, protecting, unprotecting};
use crate::measure::Subject;

pub(super) const NAME: &str = "rtc-srtp";

/// The client's sending side, or the server's receiving side: both have the client's key.
fn context(profile: Profile, association: u16) -> Context {
    let exported = exported(profile, association);
    let (keys, salts) = exported.split_at(2 * profile.key_len());
    Context::new(
        &keys[..profile.key_len()],
        &salts[..profile.salt_len()],
        match profile {
            Profile::Aes128CmSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            Profile::Aes128CmSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
            Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Profile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        },
        Some(srtp_replay_protection(1_024)),
        Some(srtcp_replay_protection(1_024)),
        rtc_crypto::default_provider().expect("ring").crypto(),
    )
    .expect("a profile that rtc-srtp speaks")
}

pub(super) fn protect(profile: Profile, payload: &[u8]) -> Subject<'_> {
    let mut context = context(profile, 0);
    protecting(NAME, payload, move |sequence_number, payload, out| {
        out.extend_from_slice(&header(sequence_number));
        out.extend_from_slice(payload);
        let packet = context.encrypt_rtp(out).expect("a packet that can be sealed");
        std::hint::black_box(packet);
    })
}

pub(super) fn unprotect(profile: Profile, payload: &[u8]) -> Subject<'_> {
    let mut context = context(profile, 0);
    unprotecting(NAME, profile, payload, move |_, packet| {
        let packet = context.decrypt_rtp(packet).expect("an authentic packet");
        std::hint::black_box(packet);
    })
}

pub(super) fn fan_out(profile: Profile, payload: &[u8]) -> Subject<'_> {
    let mut plain = Vec::with_capacity(1_300);
    let new = |association| context(profile, association);
    fanning_out(NAME, payload, new, move |context, sequence_number, payload, _| {
        plain.clear();
        plain.extend_from_slice(&header(sequence_number));
        plain.extend_from_slice(payload);
        std::hint::black_box(context.encrypt_rtp(&plain).expect("a packet that can be sealed"));
    })
}

/// How many packets one side seals and the other does not open to the same plaintext: RTP over a rollover of the
/// sequence number, and RTCP, in both directions.
pub(super) fn disagreements(profile: Profile) -> u64 {
    let (mut our_sender, mut our_receiver) = (ours::outbound(profile, 0), ours::inbound(profile));
    let (mut their_sender, mut their_receiver) = (context(profile, 0), context(profile, 0));
    let mut disagreements = 0;
    let mut judge = |agreed: bool| disagreements += u64::from(!agreed);
    for step in 0..2_000_u16 {
        let header = header(step.wrapping_sub(1_000));
        let payload = vec![step.to_le_bytes()[0]; usize::from(step)];
        let plain = [&header[..], &payload].concat();

        let mut sealed = Vec::new();
        our_sender.protect_rtp(&header, &payload, &mut sealed).expect("a packet that can be sealed");
        judge(their_receiver.decrypt_rtp(&sealed).is_ok_and(|opened| opened[..] == plain[..]));

        let mut sealed = their_sender.encrypt_rtp(&plain).expect("a packet that can be sealed").to_vec();
        let parsed = RtpHeader::parse(&sealed).expect("an RTP header");
        let opened = our_receiver.unprotect_rtp(&parsed, &mut sealed);
        judge(opened.is_ok_and(|range| sealed[..range.end] == plain[..]));

        let plain = [&[0x80, 201, 0, 1, 0xca, 0xfe, 0xba, 0xbe][..], &payload].concat();
        let mut sealed = Vec::new();
        our_sender.protect_rtcp(&plain, &mut sealed).expect("a packet that can be sealed");
        judge(their_receiver.decrypt_rtcp(&sealed).is_ok_and(|opened| opened[..] == plain[..]));

        let mut sealed = their_sender.encrypt_rtcp(&plain).expect("a packet that can be sealed").to_vec();
        let opened = our_receiver.unprotect_rtcp(&mut sealed);
        judge(opened.is_ok_and(|range| sealed[range] == plain[..]));
    }
    disagreements
}
