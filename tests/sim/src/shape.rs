//! The part of a datagram that is the same in another run, where keys and signatures differ.

/// The description of a datagram without the lengths of ciphertexts, because that of an ECDSA signature varies.
#[must_use]
pub fn shape(datagram: &[u8]) -> String {
    let line = crate::describe(datagram);
    let words: Vec<&str> = line.split(' ').collect();
    let is_length = |at: usize| words.get(at + 1).is_some_and(|next| *next == "bytes");
    let kept = words.iter().enumerate().filter(|(at, _)| !is_length(*at)).map(|(_, word)| *word);
    kept.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn signatures_of_different_length_have_one_shape() {
        let (short, long) = ([0x2e, 0, 1, 0, 2, 9, 9], [0x2e, 0, 1, 0, 3, 9, 9, 9]);
        assert_eq!(shape(&short), "DTLS ciphertext e2 bytes");
        assert_eq!(shape(&short), shape(&long));
        assert_ne!(shape(&short), shape(&[22; 13]));
    }
}
