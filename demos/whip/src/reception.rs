//! Reception statistics of one RTP stream: losses, jitter, and the longest silence (RFC 3550 appendix A).
//!
//! Knows sequence numbers, timestamps and arrival times. Does not know payloads.

use std::time::{Duration, Instant};

use rtcp_types::{ReportBlock, ReportBlockBuilder};

use crate::rtcp::SenderInfo;

/// Reception of one synchronization source.
#[derive(Debug)]
pub(crate) struct Reception {
    ssrc: u32,
    clock_rate: u32,
    first: u32,
    highest: u32,
    received: u64,
    reported: Interval,
    jitter: f64,
    last: Option<Arrival>,
    sender_report: Option<(u32, Instant)>,
    longest_silence: Duration,
}

/// Whether a packet is missing directly before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Continuity {
    Whole,
    Gap,
}

/// The counters at the last report.
#[derive(Clone, Copy, Debug, Default)]
struct Interval {
    expected: u64,
    received: u64,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: Instant,
    timestamp: u32,
}

impl Reception {
    pub(crate) fn new(ssrc: u32, clock_rate: u32, first_sequence_number: u16) -> Self {
        // One cycle ahead, so that a packet before the first one has no negative number.
        let first = 0x1_0000 + u32::from(first_sequence_number);
        Self {
            ssrc,
            clock_rate,
            first,
            highest: first.wrapping_sub(1),
            received: 0,
            reported: Interval::default(),
            jitter: 0.0,
            last: None,
            sender_report: None,
            longest_silence: Duration::ZERO,
        }
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Counts a packet. SRTP has discarded duplicates already.
    pub(crate) fn on_packet(&mut self, now: Instant, sequence_number: u16, timestamp: u32) -> Continuity {
        let extended = self.extend(sequence_number);
        let expected = self.highest.wrapping_add(1);
        self.received += 1;
        self.first = self.first.min(extended);
        let arrival = Arrival { at: now, timestamp };
        if let Some(last) = self.last {
            let silence = now.saturating_duration_since(last.at);
            self.longest_silence = self.longest_silence.max(silence);
            self.jitter += (self.transit_difference(last, arrival) - self.jitter) / 16.0;
        }
        self.last = Some(arrival);
        self.highest = self.highest.max(extended);
        if extended > expected { Continuity::Gap } else { Continuity::Whole }
    }

    pub(crate) fn on_sender_report(&mut self, now: Instant, info: &SenderInfo) {
        self.sender_report = Some((info.compact_ntp(), now));
    }

    /// Returns the number of authenticated packets.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns the number of missing packets between the first and the highest.
    pub(crate) fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Returns the longest time between two packets since the last [`Self::restart_silence`], the present silence
    /// included.
    pub(crate) fn longest_silence(&self, now: Instant) -> Duration {
        let present = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last.at));
        self.longest_silence.max(present)
    }

    /// Restarts the measurement of silence at `now`.
    pub(crate) fn restart_silence(&mut self) {
        self.longest_silence = Duration::ZERO;
    }

    /// Returns the block for the next receiver report, and starts a new interval.
    pub(crate) fn report(&mut self, now: Instant) -> ReportBlockBuilder {
        let interval = Interval { expected: self.expected(), received: self.received };
        let expected = interval.expected.saturating_sub(self.reported.expected);
        let received = interval.received.saturating_sub(self.reported.received);
        self.reported = interval;
        let lost = expected.saturating_sub(received);
        let fraction = (lost * 256).checked_div(expected).unwrap_or(0);
        let (last_sender_report, heard_at) = self.sender_report.unzip();
        let delay = heard_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let delay = u32::try_from((delay.as_micros() * 65_536) / 1_000_000).unwrap_or(u32::MAX);
        ReportBlock::builder(self.ssrc)
            .fraction_lost(u8::try_from(fraction).unwrap_or(u8::MAX))
            .cumulative_lost(u32::try_from(self.lost()).unwrap_or(u32::MAX).min(MAX_CUMULATIVE_LOST))
            .extended_sequence_number(self.highest.wrapping_sub(0x1_0000))
            .interarrival_jitter(self.jitter_units())
            .last_sender_report_timestamp(last_sender_report.unwrap_or_default())
            .delay_since_last_sender_report_timestamp(delay)
    }

    fn expected(&self) -> u64 {
        u64::from(self.highest.wrapping_sub(self.first).wrapping_add(1))
    }

    /// Returns the 32-bit sequence number nearest to the highest so far.
    fn extend(&self, sequence_number: u16) -> u32 {
        let [_, _, high, low] = self.highest.to_be_bytes();
        let ahead = sequence_number.wrapping_sub(u16::from_be_bytes([high, low]));
        if ahead < 0x8000 {
            self.highest.wrapping_add(u32::from(ahead))
        } else {
            self.highest.wrapping_sub(u32::from(ahead.wrapping_neg()))
        }
    }

    /// Returns the change of the transit time between two packets, in timestamp units.
    fn transit_difference(&self, earlier: Arrival, later: Arrival) -> f64 {
        let apart = later.at.saturating_duration_since(earlier.at).as_secs_f64() * f64::from(self.clock_rate);
        let step = later.timestamp.wrapping_sub(earlier.timestamp);
        let sent = if step < 0x8000_0000 { f64::from(step) } else { -f64::from(step.wrapping_neg()) };
        (apart - sent).abs()
    }

    fn jitter_units(&self) -> u32 {
        u32::try_from(Duration::from_secs_f64(self.jitter.clamp(0.0, 1e9)).as_secs()).unwrap_or(u32::MAX)
    }
}

/// The greatest positive value of the field, a signed number of 24 bits (RFC 3550 section 6.4.1).
const MAX_CUMULATIVE_LOST: u32 = 0x7f_ffff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::Compound;

    /// Returns fraction lost, cumulative lost and the highest sequence number of the next report.
    fn report(reception: &mut Reception) -> (u8, u32, u32) {
        let block = reception.report(Instant::now());
        let bytes = Compound::receiver_report(1, [block], "x").bytes();
        let block = ReportBlock::parse(&bytes[8..32]).unwrap();
        (block.fraction_lost(), block.cumulative_lost(), block.extended_sequence_number())
    }

    fn receive(sequence_numbers: &[u16]) -> Reception {
        let start = Instant::now();
        let mut reception = Reception::new(1, 90_000, sequence_numbers[0]);
        for (at, sequence_number) in (0..).zip(sequence_numbers) {
            reception.on_packet(start + Duration::from_millis(at), *sequence_number, 0);
        }
        reception
    }

    #[test]
    fn wrapped_sequence_numbers_count_no_loss() {
        let reception = receive(&[65_534, 65_535, 0, 1]);
        assert_eq!((reception.received(), reception.lost()), (4, 0));
    }

    #[test]
    fn gap_is_reported_once() {
        let mut reception = receive(&[10]);
        let now = reception.last.unwrap().at;
        let after = [12, 11, 13, 9].map(|at| reception.on_packet(now, at, 0));
        assert_eq!(after, [Continuity::Gap, Continuity::Whole, Continuity::Whole, Continuity::Whole]);
    }

    #[test]
    fn late_packet_fills_its_gap() {
        assert_eq!(receive(&[10, 12]).lost(), 1);
        assert_eq!(receive(&[10, 12, 11]).lost(), 0);
        assert_eq!(receive(&[10, 9]).lost(), 0, "a packet from before the first one");
    }

    #[test]
    fn report_counts_its_own_interval_only() {
        let mut reception = receive(&[0, 1, 2, 4]);
        assert_eq!(report(&mut reception), (51, 1, 4));
        assert_eq!(report(&mut reception), (0, 1, 4));
    }

    #[test]
    fn longest_silence_includes_the_present_one() {
        let mut reception = receive(&[0, 1]);
        let end = reception.last.unwrap().at;
        assert_eq!(reception.longest_silence(end), Duration::from_millis(1));
        assert_eq!(reception.longest_silence(end + Duration::from_secs(2)), Duration::from_secs(2));
        reception.on_packet(end + Duration::from_secs(1), 2, 0);
        reception.restart_silence();
        assert_eq!(reception.longest_silence(end + Duration::from_secs(1)), Duration::ZERO);
    }
}
