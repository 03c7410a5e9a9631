//! Test vectors in hexadecimal, as the RFCs print them.

/// Converts `N` bytes from hexadecimal digits; spaces are ignored.
pub(crate) fn hex<const N: usize>(digits: &str) -> [u8; N] {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).expect("a hexadecimal digit")).expect("one digit"))
        .collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().expect("the vector has N bytes")
}
