//! HMAC-SHA1 (RFC 2104) with both pads compressed once per key, over a message and a trailer of four bytes.
//!
//! SRTP authenticates four bytes behind the packet: the rollover counter of RTP, the index word of RTCP. A separate
//! trailer avoids the copy that would append it to the packet.

use sha1::block_api::compress;
use zeroize::Zeroizing;

/// The state of SHA-1 after the block of the inner pad, and after the block of the outer pad.
#[derive(Clone)]
pub(crate) struct HmacSha1 {
    inner: Zeroizing<[u32; 5]>,
    outer: Zeroizing<[u32; 5]>,
}

impl HmacSha1 {
    pub(crate) fn new(key: &[u8; 20]) -> Self {
        Self { inner: after_pad(key, 0x36), outer: after_pad(key, 0x5c) }
    }

    /// Returns the tag of `message` followed by `trailer`.
    pub(crate) fn tag(&self, message: &[u8], trailer: [u8; 4]) -> [u8; 20] {
        let mut state = *self.inner;
        let (blocks, rest) = message.as_chunks();
        compress(&mut state, blocks);
        let (end, used) = last_blocks(rest, &trailer, message.len());
        compress(&mut state, end.get(..used).unwrap_or(&end));

        let digest = to_bytes(state);
        let mut state = *self.outer;
        let ([end, _], _) = last_blocks(&digest, &[], digest.len());
        compress(&mut state, &[end]);
        to_bytes(state)
    }
}

/// Returns the last one or two blocks of a digest whose first block was a pad, and their number: the rest of a message
/// of `message_len` bytes, the trailer, and SHA-1's padding.
fn last_blocks(rest: &[u8], trailer: &[u8], message_len: usize) -> ([[u8; 64]; 2], usize) {
    let mut blocks = [[0; 64]; 2];
    let bytes = blocks.as_flattened_mut();
    let len = rest.len() + trailer.len();
    let used = if len < 56 { 1 } else { 2 };
    // A message that fits in memory has fewer than 2^61 bytes.
    let bits = u64::try_from(8 * (64 + message_len + trailer.len())).unwrap_or(u64::MAX);
    if let Some((to, after)) = bytes.split_at_mut_checked(rest.len())
        && let Some((trailer_to, after)) = after.split_at_mut_checked(trailer.len())
        && let Some(end) = after.first_mut()
    {
        to.copy_from_slice(rest);
        trailer_to.copy_from_slice(trailer);
        *end = 0x80;
    }
    if let Some(length) = bytes.get_mut(..64 * used).and_then(<[u8]>::last_chunk_mut) {
        *length = bits.to_be_bytes();
    }
    (blocks, used)
}

fn after_pad(key: &[u8; 20], pad: u8) -> Zeroizing<[u32; 5]> {
    let mut block = Zeroizing::new([pad; 64]);
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
    let mut state = Zeroizing::new([0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]);
    compress(&mut state, &[*block]);
    state
}

fn to_bytes(state: [u32; 5]) -> [u8; 20] {
    let mut bytes = [0; 20];
    for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use sha1::Sha1;

    use super::*;

    #[test]
    fn tags_agree_with_the_hmac_crate() {
        let key: [u8; 20] = std::array::from_fn(|i| u8::try_from(i * 7).unwrap());
        let message: Vec<u8> = (0..=u8::MAX).collect();
        let trailer = [0xde, 0xad, 0xbe, 0xef];
        for len in 0..200 {
            let mut peer = Hmac::<Sha1>::new_from_slice(&key).unwrap();
            peer.update(&message[..len]);
            peer.update(&trailer);
            let expected: [u8; 20] = peer.finalize().into_bytes().into();
            assert_eq!(HmacSha1::new(&key).tag(&message[..len], trailer), expected, "{len} bytes");
        }
    }
}
