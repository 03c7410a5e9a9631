//! Datagrams that look like DTLS and that need no key: every kind of record, with a valid header.
//!
//! Their contents come from the input.

use crate::input::Input;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const ACK: u8 = 26;

/// A datagram of one to four records.
pub(crate) fn datagram(input: &mut Input<'_>) -> Vec<u8> {
    let mut datagram = Vec::new();
    let kinds = input.byte();
    for _ in 0..=kinds >> 6 {
        match kinds & 7 {
            0 => {
                let len = usize::from(input.byte());
                datagram.extend(input.take(len));
            }
            1 => plaintext(&mut datagram, HANDSHAKE, input.byte(), &fragment(input)),
            2 => plaintext(&mut datagram, ALERT, input.byte(), &[input.byte(), input.byte()]),
            _ => harmless(&mut datagram, input),
        }
    }
    datagram
}

/// A datagram that must change nothing in any state: no fatal alert, and no whole handshake message.
pub(crate) fn harmless_datagram(input: &mut Input<'_>) -> Vec<u8> {
    let mut datagram = Vec::new();
    for _ in 0..=input.byte() & 3 {
        harmless(&mut datagram, input);
    }
    datagram
}

fn harmless(datagram: &mut Vec<u8>, input: &mut Input<'_>) {
    let (kind, sequence) = (input.byte(), input.byte());
    let len = usize::from(input.byte());
    match kind & 7 {
        0 => plaintext(datagram, CHANGE_CIPHER_SPEC, sequence, &[1]),
        1 => plaintext(datagram, APPLICATION_DATA, sequence, input.take(len)),
        2 => {
            let numbers = input.take(len / 16 * 16);
            let len = u16::try_from(numbers.len()).expect("of one byte");
            plaintext(datagram, ACK, sequence, &[&len.to_be_bytes(), numbers].concat());
        }
        // Warnings that do not end the connection.
        3 => plaintext(datagram, ALERT, sequence, &[1, [90, 100][len & 1]]),
        4 => {
            // A protected record of DTLS 1.2, or of an epoch that does not exist.
            let content_type = [ALERT, HANDSHAKE, APPLICATION_DATA, ACK][usize::from(kind >> 3 & 3)];
            let start = datagram.len();
            plaintext(datagram, content_type, sequence, input.take(len));
            datagram[start + 4] = [1, 2, 3, 255][usize::from(kind >> 5 & 3)];
        }
        5 | 6 => {
            // A protected record of DTLS 1.3, with a short or a long sequence number, and with a length.
            let epoch = kind >> 3 & 3;
            let body = input.take(len);
            let (first, number) = match kind >> 5 & 1 {
                0 => (0x24, &[sequence][..]),
                _ => (0x2c, &[0, sequence][..]),
            };
            datagram.push(first | epoch);
            datagram.extend(number);
            datagram.extend(u16::try_from(body.len()).expect("of one byte").to_be_bytes());
            datagram.extend(body);
        }
        _ => {
            // A fragment of a message that is longer than any real one and never becomes complete.
            let [offset, message] = [input.byte(), input.byte()];
            let fragment = input.take(len);
            let kinds = [1, 2, 11, 12, 13, 14, 15, 16, 20, 8, 24, 4];
            let mut content = vec![kinds[usize::from(kind >> 3) % kinds.len()], 0, 0x20, 0, 0, message & 7];
            content.extend([0, offset & 15, 0, 0, 0, u8::try_from(fragment.len()).expect("of one byte")]);
            content.extend(fragment);
            plaintext(datagram, HANDSHAKE, sequence, &content);
        }
    }
}

/// A handshake message or a fragment of one, with header fields from the input.
fn fragment(input: &mut Input<'_>) -> Vec<u8> {
    let (kind, shape, message) = (input.byte(), input.byte(), input.byte());
    let len = match shape & 1 {
        0 => usize::from(input.byte()),
        _ => usize::from(input.word()) & 0x7ff,
    };
    let body = input.take(len);
    let len = u16::try_from(body.len()).expect("below 2^11").to_be_bytes();
    let [total, offset] = match shape >> 1 & 3 {
        0..=1 => [len, [0, 0]],
        2 => [input.word().to_be_bytes(), input.word().to_be_bytes()],
        _ => [len, input.word().to_be_bytes()],
    };
    let mut content =
        vec![kind, 0, total[0], total[1], 0, message, 0, offset[0], offset[1], 0, len[0], len[1]];
    content.extend(body);
    content
}

fn plaintext(datagram: &mut Vec<u8>, content_type: u8, sequence: u8, content: &[u8]) {
    let len = u16::try_from(content.len()).expect("shorter than a record").to_be_bytes();
    datagram.extend([content_type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, sequence, len[0], len[1]]);
    datagram.extend(content);
}
