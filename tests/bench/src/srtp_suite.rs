//! SRTP: one packet protected, one packet unprotected, and one payload sent to many receivers.
//!
//! Every subject does the same work: protect takes a header and a payload and leaves the packet in a buffer; unprotect
//! takes a packet whose header must be read. "bare" is AES-CTR and HMAC-SHA1 with both pads cached, or ring's GCM,
//! without the rest of SRTP.

mod bare;
mod ours;
mod rtc;

use std::hint::black_box;
use std::time::{Duration, Instant};

use srtp_keys::Profile;

use crate::allocations;
use crate::measure::{Effort, Subject, compare};
use crate::report::Report;

/// Header of 12 bytes, version 2, payload type 96, SSRC 0xcafebabe.
const HEADER: [u8; 12] = [0x80, 96, 0, 0, 0, 0, 0, 1, 0xca, 0xfe, 0xba, 0xbe];
const SSRC: u32 = 0xcafe_babe;

/// Packets per turn.
const BATCH: u16 = 64;

/// The highest allowed ratio to the bare primitives, by payload size. Our overhead is a few nanoseconds, whatever the
/// size.
const SIZES: [(usize, f64); 2] = [(1_200, 1.10), (100, 1.35)];

/// Receivers of one packet, each with its own keys and streams: more than fit into the first cache levels.
const RECEIVERS: u16 = 200;

/// The profiles that are measured.
const PROFILES: [(Profile, &str); 2] =
    [(Profile::Aes128CmSha1_80, "AES-CM-80"), (Profile::AeadAes128Gcm, "GCM-128")];

pub(crate) fn run(effort: Effort, report: &mut Report) {
    for profile in Profile::PREFERENCE {
        report.exact(format!("{profile}: packets only one side opens"), rtc::disagreements(profile), "", 0);
    }
    for (profile, name) in PROFILES {
        for (size, to_bare) in SIZES {
            let payload = vec![0x5a; size];
            let outcome = compare(effort, || {
                vec![
                    ours::protect(profile, &payload),
                    bare::protect(profile, &payload),
                    rtc::protect(profile, &payload),
                ]
            });
            let figure = format!("{name} protect {size} B");
            report.compare(&figure, &outcome, Some(to_bare), Some((rtc::NAME, 1.0)));

            let outcome = compare(effort, || {
                vec![
                    ours::unprotect(profile, &payload),
                    bare::unprotect(profile, &payload),
                    rtc::unprotect(profile, &payload),
                ]
            });
            let figure = format!("{name} unprotect {size} B");
            report.compare(&figure, &outcome, Some(to_bare), Some((rtc::NAME, 1.0)));
        }
    }
    for (profile, name) in PROFILES {
        let payload = vec![0x5a; 1_200];
        let outcome = compare(effort, || {
            vec![
                ours::fan_out(profile, &payload),
                bare::fan_out(profile, &payload),
                rtc::fan_out(profile, &payload),
            ]
        });
        let figure = format!("{name} 1200 B to each of {RECEIVERS} receivers");
        report.compare(&figure, &outcome, Some(1.15), Some((rtc::NAME, 1.0)));
    }
    for (profile, name) in PROFILES {
        let payload = vec![0x5a; 1_200];
        for (figure, mut subject) in
            [("protect", ours::protect(profile, &payload)), ("unprotect", ours::unprotect(profile, &payload))]
        {
            // The first batch creates the stream and lets the buffers grow to their final size.
            (subject.work)();
            let count = allocations::during(|| {
                (subject.work)();
            });
            report.exact(format!("{name} {figure}, {BATCH} packets"), count, "allocs", 0);
        }
    }
}

/// Seals batches of packets with rising sequence numbers.
fn protecting<'w>(
    name: &'static str,
    payload: &'w [u8],
    mut protect: impl FnMut(u16, &[u8], &mut Vec<u8>) + 'w,
) -> Subject<'w> {
    let mut out = Vec::with_capacity(2_000);
    let mut next = 0_u16;
    let work = move || {
        let start = Instant::now();
        for _ in 0..BATCH {
            out.clear();
            protect(next, black_box(payload), &mut out);
            black_box(&out);
            next = next.wrapping_add(1);
        }
        start.elapsed()
    };
    Subject { name, operations: BATCH.into(), work: Box::new(work) }
}

/// Seals one payload for every receiver, into one buffer.
fn fanning_out<'w, C: 'w>(
    name: &'static str,
    payload: &'w [u8],
    new: impl Fn(u16) -> C,
    mut protect: impl FnMut(&mut C, u16, &[u8], &mut Vec<u8>) + 'w,
) -> Subject<'w> {
    let mut receivers: Vec<C> = (0..RECEIVERS).map(new).collect();
    let mut out = Vec::with_capacity(usize::from(RECEIVERS) * 1_300);
    let mut next = 0_u16;
    let work = move || {
        let start = Instant::now();
        out.clear();
        for receiver in &mut receivers {
            protect(receiver, next, black_box(payload), &mut out);
        }
        black_box(&out);
        next = next.wrapping_add(1);
        start.elapsed()
    };
    Subject { name, operations: RECEIVERS.into(), work: Box::new(work) }
}

/// Opens batches of packets that our code seals before the clock starts.
fn unprotecting<'w>(
    name: &'static str,
    profile: Profile,
    payload: &'w [u8],
    mut unprotect: impl FnMut(u16, &mut [u8]) + 'w,
) -> Subject<'w> {
    let mut sealer = ours::outbound(profile, 0);
    let mut packets: Vec<Vec<u8>> = (0..BATCH).map(|_| Vec::with_capacity(2_000)).collect();
    let mut next = 0_u16;
    let work = move || -> Duration {
        let first = next;
        for packet in &mut packets {
            packet.clear();
            sealer.protect_rtp(&header(next), payload, packet).expect("a packet that can be sealed");
            next = next.wrapping_add(1);
        }
        let start = Instant::now();
        let mut sequence_number = first;
        for packet in &mut packets {
            unprotect(sequence_number, black_box(packet));
            sequence_number = sequence_number.wrapping_add(1);
        }
        let time = start.elapsed();
        black_box(&packets);
        time
    };
    Subject { name, operations: BATCH.into(), work: Box::new(work) }
}

/// A header with this sequence number.
fn header(sequence_number: u16) -> [u8; 12] {
    let mut header = HEADER;
    header[2..4].copy_from_slice(&sequence_number.to_be_bytes());
    header
}

/// Keying material in which no two bytes are equal, for the association of this number.
fn exported(profile: Profile, association: u16) -> Vec<u8> {
    let first = association.to_le_bytes()[0];
    (0..=u8::MAX).map(|byte| byte.wrapping_add(first)).take(profile.keying_material_len()).collect()
}
