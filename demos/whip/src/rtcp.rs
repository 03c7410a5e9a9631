//! The RTCP that an echo needs (RFC 3550 section 6, RFC 4585 section 6.3.1, RFC 5104 section 4.3.1), on `rtcp-types`.
//!
//! Parses and writes compound packets. Does not know tracks, transports or time; `echo` decides what to send.

use rtcp_types::{
    CompoundBuilder, Fir, Packet, PayloadFeedback, Pli, ReceiverReport, ReportBlock, ReportBlockBuilder,
    RtcpPacket as _, RtcpPacketWriter as _, RtcpPacketWriterExt as _, Sdes, SdesChunk, SdesItem,
    SenderReport,
};

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

/// The sender information of a sender report (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SenderInfo {
    ntp_timestamp: u64,
    rtp_timestamp: u32,
    packet_count: u32,
    octet_count: u32,
}

impl SenderInfo {
    /// Returns the middle 32 bits of the NTP time, which a report block returns as the last sender report.
    pub(crate) const fn compact_ntp(&self) -> u32 {
        let [_, _, a, b, c, d, _, _] = self.ntp_timestamp.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

/// Parses a compound packet, up to the first malformed packet. A compound with a wrong length is dropped as a whole
/// (RFC 3550 appendix A.2).
pub(crate) fn read(compound: &[u8]) -> Vec<Report> {
    let Ok(packets) = rtcp_types::Compound::parse(compound) else { return Vec::new() };
    let mut reports = Vec::new();
    for packet in packets.map_while(Result::ok) {
        match packet {
            Packet::Sr(report) => {
                let info = SenderInfo {
                    ntp_timestamp: report.ntp_timestamp(),
                    rtp_timestamp: report.rtp_timestamp(),
                    packet_count: report.packet_count(),
                    octet_count: report.octet_count(),
                };
                reports.push(Report::Sender { ssrc: report.ssrc(), info });
                reports.extend(report.report_blocks().map(|block| reception(&block)));
            }
            Packet::Rr(report) => reports.extend(report.report_blocks().map(|block| reception(&block))),
            Packet::PayloadFeedback(feedback) => read_feedback(&feedback, &mut reports),
            _ => {}
        }
    }
    reports
}

fn reception(block: &ReportBlock<'_>) -> Report {
    Report::Reception { ssrc: block.ssrc(), lost: block.fraction_lost() }
}

fn read_feedback(feedback: &PayloadFeedback<'_>, reports: &mut Vec<Report>) {
    if feedback.parse_fci::<Pli<'_>>().is_ok() {
        reports.push(Report::KeyFrameWanted { ssrc: feedback.media_ssrc() });
    } else if let Ok(request) = feedback.parse_fci::<Fir<'_>>() {
        reports.extend(request.entries().map(|entry| Report::KeyFrameWanted { ssrc: entry.ssrc() }));
    }
}

/// A compound packet to send: a report first and the CNAME second, as RFC 3550 section 6.1 requires.
#[derive(Debug, Default)]
pub(crate) struct Compound(CompoundBuilder<'static>);

impl Compound {
    /// Returns a sender report of `ssrc`, without report blocks.
    pub(crate) fn sender_report(ssrc: u32, info: SenderInfo, cname: &str) -> Self {
        let report = SenderReport::builder(ssrc)
            .ntp_timestamp(info.ntp_timestamp)
            .rtp_timestamp(info.rtp_timestamp)
            .packet_count(info.packet_count)
            .octet_count(info.octet_count);
        Self(CompoundBuilder::default().add_packet(report)).source_description(ssrc, cname)
    }

    /// Returns a receiver report from `ssrc` with at most 31 blocks.
    pub(crate) fn receiver_report(
        ssrc: u32,
        blocks: impl IntoIterator<Item = ReportBlockBuilder>,
        cname: &str,
    ) -> Self {
        let blocks = blocks.into_iter().take(usize::from(ReceiverReport::MAX_COUNT));
        let report =
            blocks.fold(ReceiverReport::builder(ssrc), rtcp_types::ReceiverReportBuilder::add_report_block);
        Self(CompoundBuilder::default().add_packet(report)).source_description(ssrc, cname)
    }

    /// Adds a picture loss indication from `ssrc` about `media`.
    pub(crate) fn picture_loss(self, ssrc: u32, media: u32) -> Self {
        let feedback = PayloadFeedback::builder_owned(Pli::builder()).sender_ssrc(ssrc).media_ssrc(media);
        Self(self.0.add_packet(feedback))
    }

    /// Returns the bytes of the compound packet, before protection; empty if a field is out of range.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.0.calculate_size().unwrap_or_default()];
        let written = self.0.write_into(&mut bytes).unwrap_or_default();
        bytes.truncate(written);
        bytes
    }

    fn source_description(self, ssrc: u32, cname: &str) -> Self {
        let name = SdesItem::builder(SdesItem::CNAME, cname);
        let chunk = SdesChunk::builder(ssrc).add_item_owned(name);
        Self(self.0.add_packet(Sdes::builder().add_chunk(chunk)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: SenderInfo = SenderInfo {
        ntp_timestamp: 0x0001_0203_0405_0607,
        rtp_timestamp: 1,
        packet_count: 2,
        octet_count: 3,
    };

    #[test]
    fn sender_report_parses_as_written() {
        let compound = Compound::sender_report(7, INFO, "echo");
        assert_eq!(read(&compound.bytes()), [Report::Sender { ssrc: 7, info: INFO }]);
        assert_eq!(INFO.compact_ntp(), 0x0203_0405);
    }

    #[test]
    fn picture_loss_follows_report_and_cname() {
        let bytes = Compound::receiver_report(1, [], "echo").picture_loss(1, 99).bytes();
        assert_eq!(read(&bytes), [Report::KeyFrameWanted { ssrc: 99 }]);
        // RFC 3550 section 6.1: a report comes first; section 6.5: then the CNAME.
        assert_eq!(bytes[1], 201);
        assert_eq!(bytes[9], 202);
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn every_block_of_a_receiver_report_is_parsed() {
        let blocks = [5, 6].map(|ssrc| ReportBlock::builder(ssrc).fraction_lost(64));
        let compound = Compound::receiver_report(1, blocks, "echo");
        let received = [5, 6].map(|ssrc| Report::Reception { ssrc, lost: 64 });
        assert_eq!(read(&compound.bytes()), received);
    }

    #[test]
    fn full_intra_request_has_its_ssrc_in_the_entry() {
        let request = [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 42, 9, 0, 0, 0];
        assert_eq!(read(&request), [Report::KeyFrameWanted { ssrc: 42 }]);
    }

    #[test]
    fn truncated_or_changed_compound_does_not_panic() {
        let bytes = Compound::sender_report(7, INFO, "echo").picture_loss(7, 8).bytes();
        assert_eq!(read(&bytes).len(), 2);
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).len() <= 2);
        }
        for at in 0..bytes.len() {
            for value in 0..=u8::MAX {
                let mut changed = bytes.clone();
                changed[at] = value;
                assert!(read(&changed).len() <= 4);
            }
        }
    }
}
