//! One payload for many receivers: a forwarder's fan-out.

use crate::{Error, Outbound};

/// Seals one payload under many contexts, each behind a header of its own.
///
/// ```
/// # use srtp::{FanOut, Options, Outbound};
/// # use srtp_keys::{DtlsRole, KeyingMaterial, Profile};
/// # let profile = Profile::Aes128CmSha1_80;
/// # let keys = |n| KeyingMaterial::new(profile, &vec![n; profile.keying_material_len()]).unwrap();
/// # let outbound = |n| Outbound::new(&keys(n).split(DtlsRole::Server).outbound, &Options::default());
/// # let mut receivers = [outbound(1), outbound(2)];
/// let mut out = Vec::new();
/// let mut ends = Vec::new();
/// let mut fan_out = FanOut::new(b"payload");
/// for (ssrc, receiver) in receivers.iter_mut().enumerate() {
///     let start = out.len();
///     out.extend_from_slice(&[0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, u8::try_from(ssrc)?]);
///     fan_out.push(receiver, start, &mut out)?;
///     ends.push(out.len());
/// }
/// fan_out.finish(&mut out);
/// # assert_eq!(ends, [29, 58]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the packets are complete after `finish`"]
pub struct FanOut<'p> {
    payload: &'p [u8],
}

impl<'p> FanOut<'p> {
    /// A batch of `payload`, which ends in its padding where the headers say that there is some.
    pub fn new(payload: &'p [u8]) -> Self {
        Self { payload }
    }

    /// Adds a packet: `out[start..]` is its whole header, after which the encrypted payload and the tag are
    /// appended. Returns the length of the packet in bytes.
    ///
    /// The packet is complete after [`Self::finish`]; until then nothing of it may be sent, and nothing in
    /// `out` may move.
    ///
    /// # Errors
    /// See [`Error`]. The context and the other packets are as they were, and `out` ends where it did; the
    /// header is still there, for the caller to remove.
    pub fn push(&mut self, outbound: &mut Outbound, start: usize, out: &mut Vec<u8>) -> Result<usize, Error> {
        outbound.protect_payload(out, start, self.payload)
    }

    /// Completes all packets.
    pub fn finish(self, out: &mut [u8]) {
        let _ = out;
    }
}
