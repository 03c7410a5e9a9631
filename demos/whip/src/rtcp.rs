//! The subset of RTCP that an echo needs (RFC 3550 section 6, RFC 4585 section 6.3.1, RFC 5104 section 4.3.1).
//!
//! Parses and writes compound packets. Does not know tracks, transports or time; `echo` decides what to send.

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const PAYLOAD_FEEDBACK: u8 = 206;
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA_REQUEST: u8 = 4;

/// The content of an RTCP packet that the echo uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// A sender report of `ssrc`.
    Sender { ssrc: u32, info: SenderInfo },
    /// A key frame of `ssrc` is requested: picture loss indication or full intra request.
    KeyFrameWanted { ssrc: u32 },
    /// The sender of the packet lost `lost` of 256 packets of `ssrc` since its last report.
    Reception { ssrc: u32, lost: u8 },
}

/// The sender information of a sender report, 20 bytes: NTP time, RTP time and two counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SenderInfo([u8; 20]);

impl SenderInfo {
    /// Returns the middle 32 bits of the NTP time, which a report block returns as `last_sender_report`.
    pub(crate) fn compact_ntp(&self) -> u32 {
        be32(&self.0, 2).unwrap_or_default()
    }
}

/// A report block of a receiver (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReportBlock {
    pub(crate) ssrc: u32,
    /// Lost in the last interval, in 1/256.
    pub(crate) fraction_lost: u8,
    /// Lost since the start, at most 24 bits.
    pub(crate) cumulative_lost: u32,
    pub(crate) extended_highest: u32,
    /// In timestamp units.
    pub(crate) jitter: u32,
    pub(crate) last_sender_report: u32,
    /// In 1/65536 seconds.
    pub(crate) delay_since_sender_report: u32,
}

/// Parses a compound packet, up to the first truncated packet.
pub(crate) fn read(compound: &[u8]) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut rest = compound;
    while let Some((packet, tail)) = split_packet(rest) {
        read_packet(packet, &mut reports);
        rest = tail;
    }
    reports
}

fn split_packet(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let words = u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]);
    bytes.split_at_checked((usize::from(words) + 1) * 4)
}

fn read_packet(packet: &[u8], reports: &mut Vec<Report>) {
    let (Some(&first), Some(&packet_type)) = (packet.first(), packet.get(1)) else { return };
    let count = first & 0b1_1111;
    match packet_type {
        SENDER_REPORT => {
            if let (Some(ssrc), Some(info)) = (be32(packet, 4), packet.get(8..28))
                && let Ok(info) = <[u8; 20]>::try_from(info)
            {
                reports.push(Report::Sender { ssrc, info: SenderInfo(info) });
            }
            read_blocks(packet.get(28..).unwrap_or_default(), count, reports);
        }
        RECEIVER_REPORT => read_blocks(packet.get(8..).unwrap_or_default(), count, reports),
        PAYLOAD_FEEDBACK if count == PICTURE_LOSS => {
            reports.extend(be32(packet, 8).map(|ssrc| Report::KeyFrameWanted { ssrc }));
        }
        PAYLOAD_FEEDBACK if count == FULL_INTRA_REQUEST => {
            let entries = packet.get(12..).unwrap_or_default().chunks_exact(8);
            reports.extend(
                entries.filter_map(|entry| be32(entry, 0)).map(|ssrc| Report::KeyFrameWanted { ssrc }),
            );
        }
        _ => {}
    }
}

fn read_blocks(blocks: &[u8], count: u8, reports: &mut Vec<Report>) {
    for block in blocks.chunks_exact(24).take(usize::from(count)) {
        if let (Some(ssrc), Some(&lost)) = (be32(block, 0), block.get(4)) {
            reports.push(Report::Reception { ssrc, lost });
        }
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(field.try_into().ok()?))
}

/// Writes one compound packet: a report first and the CNAME second, as RFC 3550 section 6.1 requires.
#[derive(Debug, Default)]
pub(crate) struct Compound(Vec<u8>);

impl Compound {
    /// Returns a sender report of `ssrc`, without report blocks.
    pub(crate) fn sender_report(ssrc: u32, info: SenderInfo, cname: &str) -> Self {
        let mut compound = Self::default();
        compound.packet(0, SENDER_REPORT, |out| {
            out.extend(ssrc.to_be_bytes());
            out.extend(info.0);
        });
        compound.source_description(ssrc, cname);
        compound
    }

    /// Returns a receiver report from `ssrc` with at most 31 blocks.
    pub(crate) fn receiver_report(ssrc: u32, blocks: &[ReportBlock], cname: &str) -> Self {
        let blocks = blocks.get(..31).unwrap_or(blocks);
        let mut compound = Self::default();
        compound.packet(u8::try_from(blocks.len()).unwrap_or(31), RECEIVER_REPORT, |out| {
            out.extend(ssrc.to_be_bytes());
            for block in blocks {
                let lost = (u32::from(block.fraction_lost) << 24) | block.cumulative_lost.min(0x7f_ffff);
                for word in [
                    block.ssrc,
                    lost,
                    block.extended_highest,
                    block.jitter,
                    block.last_sender_report,
                    block.delay_since_sender_report,
                ] {
                    out.extend(word.to_be_bytes());
                }
            }
        });
        compound.source_description(ssrc, cname);
        compound
    }

    /// Adds a picture loss indication from `ssrc` about `media`.
    pub(crate) fn picture_loss(mut self, ssrc: u32, media: u32) -> Self {
        self.packet(PICTURE_LOSS, PAYLOAD_FEEDBACK, |out| {
            out.extend(ssrc.to_be_bytes());
            out.extend(media.to_be_bytes());
        });
        self
    }

    /// Returns the bytes of the compound packet, before protection.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn source_description(&mut self, ssrc: u32, cname: &str) {
        const CNAME: u8 = 1;
        let name = cname.as_bytes().get(..255).unwrap_or(cname.as_bytes());
        self.packet(1, SOURCE_DESCRIPTION, |out| {
            out.extend(ssrc.to_be_bytes());
            out.extend([CNAME, u8::try_from(name.len()).unwrap_or(u8::MAX)]);
            out.extend(name);
            out.push(0);
        });
    }

    /// Appends one packet: header, body, zeros up to the next 32-bit word, and the length.
    fn packet(&mut self, count: u8, packet_type: u8, body: impl FnOnce(&mut Vec<u8>)) {
        const VERSION_2: u8 = 0b1000_0000;
        let start = self.0.len();
        self.0.extend([VERSION_2 | count, packet_type, 0, 0]);
        body(&mut self.0);
        let len = (self.0.len() - start).next_multiple_of(4);
        self.0.resize(start + len, 0);
        let words = u16::try_from(len / 4 - 1).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(field) = self.0.get_mut(start + 2..start + 4) {
            field.copy_from_slice(&words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> SenderInfo {
        let mut bytes = [0; 20];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::try_from(at).unwrap();
        }
        SenderInfo(bytes)
    }

    #[test]
    fn sender_report_parses_as_written() {
        let compound = Compound::sender_report(7, info(), "echo");
        assert_eq!(read(compound.bytes()), [Report::Sender { ssrc: 7, info: info() }]);
        assert_eq!(info().compact_ntp(), 0x0203_0405);
    }

    #[test]
    fn picture_loss_follows_report_and_cname() {
        let compound = Compound::receiver_report(1, &[], "echo").picture_loss(1, 99);
        assert_eq!(read(compound.bytes()), [Report::KeyFrameWanted { ssrc: 99 }]);
        // RFC 3550 section 6.1: a report comes first; section 6.5: then the CNAME.
        assert_eq!(compound.bytes()[1], 201);
        assert_eq!(compound.bytes()[9], 202);
        assert_eq!(compound.bytes().len() % 4, 0);
    }

    #[test]
    fn every_block_of_a_receiver_report_is_parsed() {
        let blocks = [5, 6].map(|ssrc| ReportBlock { ssrc, fraction_lost: 64, ..ReportBlock::default() });
        let compound = Compound::receiver_report(1, &blocks, "echo");
        let heard = [5, 6].map(|ssrc| Report::Reception { ssrc, lost: 64 });
        assert_eq!(read(compound.bytes()), heard);
    }

    #[test]
    fn full_intra_request_has_its_ssrc_in_the_entry() {
        let request = [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 42, 9, 0, 0, 0];
        assert_eq!(read(&request), [Report::KeyFrameWanted { ssrc: 42 }]);
    }

    #[test]
    fn truncated_compound_is_parsed_up_to_its_end() {
        let compound = Compound::sender_report(7, info(), "echo").picture_loss(7, 8);
        for cut in 0..compound.bytes().len() {
            assert!(read(&compound.bytes()[..cut]).len() <= 2);
        }
        assert_eq!(read(compound.bytes()).len(), 2);
    }
}
