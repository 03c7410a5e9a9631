//! Reading and writing the presentation language of TLS (RFC 5246 section 4).
//!
//! Knows the form of the bytes. Does not decide whether a value is acceptable.

/// The bytes do not have the required form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A cursor over bytes. Every read is checked; nothing is indexed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns an error if bytes are left.
    pub(crate) const fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u24(&mut self) -> Result<u32, Malformed> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// `opaque <..2^8-1>`
    pub(crate) fn vector8(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// `opaque <..2^16-1>`
    pub(crate) fn vector16(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// `opaque <..2^24-1>`
    pub(crate) fn vector24(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u24()?;
        self.take(usize::try_from(len).map_err(|_| Malformed)?)
    }
}

/// A non-empty list of 16-bit numbers in wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct U16List<'a>(&'a [[u8; 2]]);

impl<'a> U16List<'a> {
    /// `uint16 list<2..2^16-2>`
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        match reader.vector16()?.as_chunks() {
            ([], _) => Err(Malformed),
            (list, []) => Ok(Self(list)),
            _ => Err(Malformed),
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u16> + Clone + 'a {
        self.0.iter().map(|pair| u16::from_be_bytes(*pair))
    }

    pub(crate) fn contains(self, number: u16) -> bool {
        self.iter().any(|each| each == number)
    }
}

/// The width of a length prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Width {
    One,
    Two,
    Three,
}

/// Appends to a buffer, behind its present content.
pub(crate) struct Writer<'a> {
    buffer: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(crate) const fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, number: u8) {
        self.buffer.push(number);
    }

    pub(crate) fn u16(&mut self, number: u16) {
        self.bytes(&number.to_be_bytes());
    }

    /// Opens a length-prefixed block. The length is written when the guard is dropped.
    pub(crate) fn block(&mut self, width: Width) -> Block<'_> {
        let placeholder: &[u8] = match width {
            Width::One => &[0xff],
            Width::Two => &[0xff; 2],
            Width::Three => &[0xff; 3],
        };
        self.bytes(placeholder);
        let start = self.buffer.len();
        Block { writer: Writer { buffer: self.buffer }, width, start }
    }
}

/// A length-prefixed block that is being written. A body that is too long leaves an invalid length.
pub(crate) struct Block<'a> {
    writer: Writer<'a>,
    width: Width,
    start: usize,
}

impl<'a> std::ops::Deref for Block<'a> {
    type Target = Writer<'a>;
    fn deref(&self) -> &Self::Target {
        &self.writer
    }
}

impl std::ops::DerefMut for Block<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.writer
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        let len = self.writer.buffer.len().saturating_sub(self.start);
        let Ok(len) = u32::try_from(len) else { return };
        let [_, b, c, d] = len.to_be_bytes();
        let prefix: &[u8] = match self.width {
            Width::One if len <= 0xff => &[d],
            Width::Two if len <= 0xffff => &[c, d],
            Width::Three if len <= 0x00ff_ffff => &[b, c, d],
            _ => return,
        };
        let at = self.start.saturating_sub(prefix.len());
        if let Some(slot) = self.writer.buffer.get_mut(at..self.start) {
            slot.copy_from_slice(prefix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_nest_and_patch_their_lengths() {
        let mut buffer = vec![7];
        let mut writer = Writer::new(&mut buffer);
        {
            let mut outer = writer.block(Width::Two);
            outer.u8(1);
            outer.block(Width::Three).bytes(b"abc");
            outer.block(Width::One);
        }
        writer.u16(0x0203);
        assert_eq!(buffer, [7, 0, 8, 1, 0, 0, 3, b'a', b'b', b'c', 0, 2, 3]);
    }

    #[test]
    fn too_long_body_leaves_an_invalid_length() {
        let mut buffer = Vec::new();
        Writer::new(&mut buffer).block(Width::One).bytes(&[0; 256]);
        assert_eq!(buffer[0], 0xff);
        assert_eq!(Reader::new(&buffer).vector8().map(<[u8]>::len), Ok(255));
        assert_eq!(buffer.len(), 257);
    }

    #[test]
    fn reader_stops_at_the_end() {
        let bytes = [0, 3, 1, 2];
        assert_eq!(Reader::new(&bytes).vector16(), Err(Malformed));
        assert_eq!(Reader::new(&bytes).vector24(), Err(Malformed));
        assert_eq!(Reader::new(&bytes).u24(), Ok(0x0301));
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.take(4), Ok(&bytes[..]));
        assert_eq!(reader.u8(), Err(Malformed));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn list_of_numbers_is_neither_empty_nor_odd() {
        let decode = |bytes: &'static [u8]| U16List::decode(&mut Reader::new(bytes));
        assert_eq!(decode(&[0, 0]), Err(Malformed));
        assert_eq!(decode(&[0, 3, 1, 2, 3]), Err(Malformed));
        let list = decode(&[0, 4, 0, 29, 0, 23]).unwrap();
        assert!(list.iter().eq([29, 23]) && list.contains(23) && !list.contains(24));
    }
}
