//! The record keys of both directions, from the lines of a key log, for a peer that violates the protocol.
//!
//! Opens and seals records under AES-128-GCM, in DTLS 1.2 (RFC 6347 section 4.1, RFC 5288) and in DTLS 1.3 (RFC 9147
//! section 4). It is written from the RFCs alone, so that it is an independent implementation.

use dtls_core::KeyLogLine;
use ring::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey, quic},
    hkdf, hmac,
};

/// An opened record.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) epoch: u16,
    pub(crate) sequence: u64,
    pub(crate) content_type: u8,
    pub(crate) content: Vec<u8>,
}

/// The protection of one direction.
pub(crate) enum Keys {
    Dtls12 {
        key: Box<LessSafeKey>,
        salt: [u8; 4],
    },
    Dtls13 {
        /// Of epochs 2, 3 and so on.
        epochs: Vec<Epoch>,
    },
}

pub(crate) struct Epoch {
    secret: hkdf::Prk,
    key: LessSafeKey,
    iv: [u8; 12],
    numbers: quic::HeaderProtectionKey,
}

const TAG_LEN: usize = 16;

impl Keys {
    /// The keys of client and server in DTLS 1.3, as far as the log has lines.
    pub(crate) fn dtls13(lines: &[KeyLogLine]) -> Option<[Self; 2]> {
        let secret = |label: &str| lines.iter().rev().find_map(|line| secret(line, label));
        let of = |handshake: &str, application: &str| {
            let mut epochs =
                vec![Epoch::new(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret(handshake)?))];
            if let Some(first) = secret(application) {
                epochs.push(Epoch::new(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &first)));
                epochs.push(epochs[1].next());
            }
            Some(Self::Dtls13 { epochs })
        };
        Some([
            of("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0")?,
            of("SERVER_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0")?,
        ])
    }

    /// The keys of client and server in DTLS 1.2 (RFC 5246 section 6.3).
    pub(crate) fn dtls12(lines: &[KeyLogLine], randoms: [[u8; 32]; 2]) -> Option<[Self; 2]> {
        let master = lines.iter().rev().find_map(|line| secret(line, "CLIENT_RANDOM"))?;
        let seed = [&b"key expansion"[..], &randoms[1], &randoms[0]].concat();
        let master = hmac::Key::new(hmac::HMAC_SHA256, &master);
        let mut block = Vec::new();
        let mut round = hmac::sign(&master, &seed);
        while block.len() < 2 * (16 + 4) {
            block.extend(hmac::sign(&master, &[round.as_ref(), &seed].concat()).as_ref());
            round = hmac::sign(&master, round.as_ref());
        }
        let of = |side: usize| Self::Dtls12 {
            key: Box::new(aead_key(&block[side * 16..][..16])),
            salt: block[32 + side * 4..][..4].try_into().expect("four bytes"),
        };
        Some([of(0), of(1)])
    }

    /// Opens the first record of `datagram` and returns it with the rest; `None` where it is not protected, or not
    /// under these keys.
    pub(crate) fn open<'d>(&self, datagram: &'d [u8]) -> Option<(Opened, &'d [u8])> {
        match self {
            Self::Dtls12 { key, salt } => {
                let (header, rest) = datagram.split_at_checked(13)?;
                let (body, rest) =
                    rest.split_at_checked(usize::from(u16::from_be_bytes([header[11], header[12]])))?;
                let (explicit, sealed) = body.split_at_checked(8)?;
                let number: [u8; 8] = header[3..11].try_into().ok()?;
                let aad = aad12(number, header[0], sealed.len().checked_sub(TAG_LEN)?);
                let nonce = [&salt[..], explicit].concat().try_into().ok()?;
                let mut content = sealed.to_vec();
                let len = key
                    .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut content)
                    .ok()?
                    .len();
                content.truncate(len);
                let epoch = u16::from_be_bytes([number[0], number[1]]);
                let sequence = u64::from_be_bytes(number) & 0xffff_ffff_ffff;
                Some((Opened { epoch, sequence, content_type: header[0], content }, rest))
            }
            Self::Dtls13 { epochs } => {
                let (header, rest) = datagram.split_at_checked(5)?;
                if header[0] & 0xfc != 0x2c {
                    return None;
                }
                let (body, rest) =
                    rest.split_at_checked(usize::from(u16::from_be_bytes([header[3], header[4]])))?;
                // Epochs from 5 on are not supported here.
                let number = (header[0] + 2) & 3;
                let epoch = epochs.get(usize::from(number))?;
                let mask = epoch.numbers.new_mask(body.get(..16)?).ok()?;
                let header = [header[0], header[1] ^ mask[0], header[2] ^ mask[1], header[3], header[4]];
                let sequence = u64::from(u16::from_be_bytes([header[1], header[2]]));
                let mut content = body.to_vec();
                let len = epoch
                    .key
                    .open_in_place(epoch.nonce(sequence), Aad::from(header), &mut content)
                    .ok()?
                    .len();
                content.truncate(len);
                let last = content.iter().rposition(|byte| *byte != 0)?;
                let content_type = content[last];
                content.truncate(last);
                Some((Opened { epoch: u16::from(number) + 2, sequence, content_type, content }, rest))
            }
        }
    }

    /// Appends the record, sealed; `false` where there are no keys for its epoch.
    pub(crate) fn seal(&self, record: &Opened, datagram: &mut Vec<u8>) -> bool {
        let Opened { epoch, sequence, content_type, content } = record;
        let mut sealed = content.clone();
        match self {
            Self::Dtls12 { key, salt } => {
                let number = (u64::from(*epoch) << 48 | sequence).to_be_bytes();
                let nonce = [&salt[..], &number].concat().try_into().expect("twelve bytes");
                let aad = aad12(number, *content_type, sealed.len());
                key.seal_in_place_append_tag(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(aad),
                    &mut sealed,
                )
                .expect("short");
                datagram.extend([*content_type, 0xfe, 0xfd]);
                datagram.extend(number);
                datagram.extend(length(number.len() + sealed.len()));
                datagram.extend(number);
            }
            Self::Dtls13 { epochs } => {
                let Some(keys) = epochs.get(usize::from(epoch.saturating_sub(2))) else { return false };
                sealed.push(*content_type);
                let [.., high, low] = sequence.to_be_bytes();
                let [len_high, len_low] = length(sealed.len() + TAG_LEN);
                let first = 0x2c | u8::try_from(epoch & 3).expect("two bits");
                let mut header = [first, high, low, len_high, len_low];
                keys.key
                    .seal_in_place_append_tag(keys.nonce(*sequence), Aad::from(header), &mut sealed)
                    .expect("short");
                let mask = keys.numbers.new_mask(&sealed[..16]).expect("a sample");
                header[1] ^= mask[0];
                header[2] ^= mask[1];
                datagram.extend(header);
            }
        }
        datagram.extend(sealed);
        true
    }
}

impl Epoch {
    /// RFC 8446 section 7.3, with the labels of RFC 9147 section 5.9.
    fn new(secret: hkdf::Prk) -> Self {
        let key = expand::<16>(&secret, b"key");
        let numbers =
            quic::HeaderProtectionKey::new(&quic::AES_128, &expand::<16>(&secret, b"sn")).expect("16 bytes");
        let iv = expand::<12>(&secret, b"iv");
        Self { secret, key: aead_key(&key), iv, numbers }
    }

    /// RFC 8446 section 7.2.
    fn next(&self) -> Self {
        let next = expand::<32>(&self.secret, b"traffic upd");
        Self::new(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &next))
    }

    fn nonce(&self, sequence: u64) -> Nonce {
        let mut nonce = self.iv;
        for (byte, number) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
            *byte ^= number;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

fn expand<const LEN: usize>(secret: &hkdf::Prk, label: &[u8]) -> [u8; LEN] {
    struct Len(usize);
    impl hkdf::KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    let label = [b"dtls13", label].concat();
    let label_len = [u8::try_from(label.len()).expect("short")];
    let mut expanded = [0; LEN];
    let info: [&[u8]; 4] = [&length(LEN), &label_len, &label, &[0]];
    secret.expand(&info, Len(LEN)).and_then(|okm| okm.fill(&mut expanded)).expect("short");
    expanded
}

fn aead_key(key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key).expect("16 bytes"))
}

fn aad12(number: [u8; 8], content_type: u8, len: usize) -> [u8; 13] {
    let mut aad = [0; 13];
    aad[..8].copy_from_slice(&number);
    aad[8..11].copy_from_slice(&[content_type, 0xfe, 0xfd]);
    aad[11..].copy_from_slice(&length(len));
    aad
}

fn length(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("a record").to_be_bytes()
}

/// The secret of a line with this label.
fn secret(line: &KeyLogLine, label: &str) -> Option<Vec<u8>> {
    let line = line.to_string();
    let mut words = line.split(' ');
    if words.next() != Some(label) {
        return None;
    }
    let secret = words.nth(1)?;
    (0..secret.len() / 2).map(|at| u8::from_str_radix(&secret[2 * at..][..2], 16).ok()).collect()
}
