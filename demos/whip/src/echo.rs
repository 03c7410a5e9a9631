//! The echo of one session's media: new SSRCs, translated feedback, reports.
//!
//! Each track returns with its payload type, sequence numbers and timestamps, with an SSRC of ours. Feedback about that
//! SSRC is forwarded to the browser as feedback about its own. Knows RTP and RTCP. Does not know transports.

use std::time::{Duration, Instant};

use crate::reception::{Continuity, Reception};
use crate::rtcp::{self, Compound, Report};
use crate::sdp::{Kind, Section, Source};

/// The tracks of one session.
#[derive(Debug)]
pub(crate) struct Echo {
    pub(crate) tracks: Vec<Track>,
    /// The SSRC of reports and requests.
    reporter: Source,
}

/// One track.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) section: Section,
    /// The SSRC of the echo; `None` for a track that is only received.
    pub(crate) back: Option<Source>,
    /// The reception statistics; `None` before the first packet.
    pub(crate) reception: Option<Reception>,
    /// The number of echoed packets.
    pub(crate) echoed: u64,
    /// The number of key frame requests to the browser.
    pub(crate) key_frames_asked: u64,
    key_frame: KeyFrame,
    /// The fraction of the echo that the browser lost, from its last report, in 1/256.
    pub(crate) missed: u8,
}

/// The state of key frame requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyFrame {
    NotNeeded,
    /// A packet was lost: a key frame must be requested.
    Needed,
    /// A key frame was requested at this time.
    Asked(Instant),
    /// A key frame was requested at this time, and another packet was lost since.
    NeededAgain(Instant),
}

/// The fields of an RTP packet that the echo uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub(crate) payload_type: u8,
    pub(crate) ssrc: u32,
    pub(crate) sequence_number: u16,
    pub(crate) timestamp: u32,
}

impl Echo {
    /// `ssrc` returns a new SSRC at each call.
    pub(crate) fn new(sections: Vec<Section>, cname: &str, mut ssrc: impl FnMut() -> u32) -> Self {
        let mut source = || Source { ssrc: ssrc(), cname: cname.to_owned() };
        let reporter = source();
        let tracks = sections
            .into_iter()
            .map(|section| Track {
                back: section.echo.then(&mut source),
                section,
                reception: None,
                echoed: 0,
                key_frames_asked: 0,
                key_frame: KeyFrame::NotNeeded,
                missed: 0,
            })
            .collect();
        Self { tracks, reporter }
    }

    /// Returns the SSRC of the echo of a section.
    pub(crate) fn source(&self, section: &Section) -> Option<Source> {
        self.tracks.iter().find(|track| track.section.mid == section.mid)?.back.clone()
    }

    /// Counts a packet. Returns the SSRC for the echo, if there is one.
    pub(crate) fn on_rtp(&mut self, now: Instant, arrived: Arrived) -> Option<u32> {
        let track =
            self.tracks.iter_mut().find(|track| track.section.payload_type == arrived.payload_type)?;
        let reception = match &mut track.reception {
            Some(reception) if reception.ssrc() == arrived.ssrc => reception,
            // The first packet, or a browser that changed its SSRC.
            other => other.insert(Reception::new(
                arrived.ssrc,
                track.section.kind.clock_rate(),
                arrived.sequence_number,
            )),
        };
        let continuity = reception.on_packet(now, arrived.sequence_number, arrived.timestamp);
        if continuity == Continuity::Gap {
            track.need_key_frame();
        }
        let back = track.back.as_ref()?;
        track.echoed += 1;
        Some(back.ssrc)
    }

    /// Parses a compound packet. Returns the resulting packets for the browser.
    pub(crate) fn on_rtcp(&mut self, now: Instant, compound: &[u8]) -> Vec<Compound> {
        rtcp::read(compound).into_iter().filter_map(|report| self.on_report(now, &report)).collect()
    }

    /// Both sides have new keys; the last packets with the old keys may be lost.
    pub(crate) fn on_new_keys(&mut self) {
        for track in &mut self.tracks {
            track.need_key_frame();
        }
    }

    /// Returns the key frame requests that are needed, with a minimum interval.
    pub(crate) fn key_frame_requests(&mut self, now: Instant) -> Option<Compound> {
        let Source { ssrc, cname } = &self.reporter;
        let mut wanted = self.tracks.iter_mut().filter_map(|track| track.ask_for_key_frame(now)).peekable();
        wanted.peek()?;
        let compound = Compound::receiver_report(*ssrc, [], cname);
        Some(wanted.fold(compound, |compound, theirs| compound.picture_loss(*ssrc, theirs)))
    }

    /// Returns a receiver report for the browser's congestion control; `None` before the first packet.
    pub(crate) fn receiver_report(&mut self, now: Instant) -> Option<Compound> {
        let receptions = self.tracks.iter_mut().filter_map(|track| track.reception.as_mut());
        let blocks: Vec<_> = receptions.map(|reception| reception.report(now)).collect();
        (!blocks.is_empty())
            .then(|| Compound::receiver_report(self.reporter.ssrc, blocks, &self.reporter.cname))
    }

    fn on_report(&mut self, now: Instant, report: &Report) -> Option<Compound> {
        match report {
            Report::Sender { ssrc, info } => {
                let track = self.tracks.iter_mut().find(|track| track.arrives_as(*ssrc))?;
                track.reception.as_mut()?.on_sender_report(now, info);
                let back = track.back.as_ref()?;
                Some(Compound::sender_report(back.ssrc, *info, &back.cname))
            }
            Report::KeyFrameWanted { ssrc } => {
                let track = self.tracks.iter_mut().find(|track| track.goes_back_as(*ssrc))?;
                track.need_key_frame();
                self.key_frame_requests(now)
            }
            Report::Reception { ssrc, lost } => {
                let track = self.tracks.iter_mut().find(|track| track.goes_back_as(*ssrc))?;
                track.missed = *lost;
                None
            }
        }
    }
}

impl Track {
    fn need_key_frame(&mut self) {
        self.key_frame = match (self.section.kind, self.key_frame) {
            (Kind::Audio, _) => KeyFrame::NotNeeded,
            (Kind::Video, KeyFrame::NotNeeded | KeyFrame::Needed) => KeyFrame::Needed,
            (Kind::Video, KeyFrame::Asked(at) | KeyFrame::NeededAgain(at)) => KeyFrame::NeededAgain(at),
        };
    }

    /// Returns the SSRC for a key frame request that is due.
    fn ask_for_key_frame(&mut self, now: Instant) -> Option<u32> {
        let theirs = self.reception.as_ref()?.ssrc();
        match self.key_frame {
            KeyFrame::NotNeeded | KeyFrame::Asked(_) => return None,
            KeyFrame::NeededAgain(at) if now.saturating_duration_since(at) < BETWEEN_KEY_FRAMES => {
                return None;
            }
            KeyFrame::Needed | KeyFrame::NeededAgain(_) => {}
        }
        self.key_frame = KeyFrame::Asked(now);
        self.key_frames_asked += 1;
        Some(theirs)
    }

    fn arrives_as(&self, ssrc: u32) -> bool {
        self.reception.as_ref().is_some_and(|reception| reception.ssrc() == ssrc)
    }

    fn goes_back_as(&self, ssrc: u32) -> bool {
        self.back.as_ref().is_some_and(|back| back.ssrc == ssrc)
    }
}

/// A key frame is as large as many other frames, so requests have a minimum interval.
const BETWEEN_KEY_FRAMES: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Offer;

    /// SSRCs are assigned from 1000: those of the reporter, the audio, the video.
    fn echo(direction: &str) -> Echo {
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na={direction}\r\na=rtcp-mux\r\n\
             a=rtpmap:111 opus/48000/2\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na={direction}\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"
        );
        let mut next = 999;
        Echo::new(Offer::read(offer.as_bytes()).unwrap().sections, "echo", || {
            next += 1;
            next
        })
    }

    fn video(sequence_number: u16) -> Arrived {
        Arrived { payload_type: 96, ssrc: 7, sequence_number, timestamp: 0 }
    }

    #[test]
    fn each_track_returns_with_its_own_ssrc() {
        let now = Instant::now();
        let mut echo = echo("sendrecv");
        assert_eq!(echo.on_rtp(now, video(1)), Some(1002));
        assert_eq!(echo.on_rtp(now, Arrived { payload_type: 111, ..video(1) }), Some(1001));
        assert_eq!(echo.on_rtp(now, Arrived { payload_type: 100, ..video(1) }), None, "not negotiated");
        assert_eq!(echo.tracks[1].reception.as_ref().unwrap().received(), 1);
    }

    #[test]
    fn sendonly_track_is_not_echoed() {
        let now = Instant::now();
        let mut echo = echo("sendonly");
        assert_eq!(echo.on_rtp(now, video(1)), None);
        assert_eq!(echo.tracks[1].reception.as_ref().unwrap().received(), 1);
        assert!(echo.receiver_report(now).is_some());
    }

    #[test]
    fn key_frame_request_is_forwarded_to_the_browser() {
        let now = Instant::now();
        let mut echo = echo("sendrecv");
        let lost = Compound::receiver_report(7, [], "browser").picture_loss(7, 1002);
        assert!(echo.on_rtcp(now, &lost.bytes()).is_empty(), "no packet arrived yet");
        echo.on_rtp(now, video(1));
        let asked = echo.on_rtcp(now, &lost.bytes());
        assert_eq!(rtcp::read(&asked[0].bytes()), [Report::KeyFrameWanted { ssrc: 7 }]);
    }

    #[test]
    fn several_gaps_cause_one_key_frame_request() {
        let now = Instant::now();
        let mut echo = echo("sendonly");
        let requests =
            |echo: &mut Echo, now| echo.key_frame_requests(now).map(|compound| rtcp::read(&compound.bytes()));
        echo.on_rtp(now, video(1));
        assert_eq!(requests(&mut echo, now), None);
        echo.on_rtp(now, video(3));
        assert_eq!(requests(&mut echo, now), Some(vec![Report::KeyFrameWanted { ssrc: 7 }]));
        echo.on_rtp(now, video(5));
        assert_eq!(requests(&mut echo, now + Duration::from_millis(499)), None);
        assert!(requests(&mut echo, now + Duration::from_millis(500)).is_some());
        assert_eq!(requests(&mut echo, now + Duration::from_secs(5)), None, "no loss since then");
    }

    #[test]
    fn new_keys_request_a_key_frame() {
        let now = Instant::now();
        let mut echo = echo("sendrecv");
        echo.on_new_keys();
        assert!(echo.key_frame_requests(now).is_none(), "no packet arrived yet");
        echo.on_rtp(now, video(1));
        echo.on_rtp(now, Arrived { payload_type: 111, ssrc: 6, ..video(1) });
        let asked = echo.key_frame_requests(now).unwrap();
        assert_eq!(
            rtcp::read(&asked.bytes()),
            [Report::KeyFrameWanted { ssrc: 7 }],
            "audio has no key frames"
        );
    }

    #[test]
    fn sender_report_returns_with_the_ssrc_of_the_echo() {
        let now = Instant::now();
        let mut echo = echo("sendrecv");
        echo.on_rtp(now, video(1));
        let bytes = [&[0x80, 200, 0, 6, 0, 0, 0, 7][..], &[3; 20]].concat();
        let back = echo.on_rtcp(now, &bytes);
        assert!(matches!(rtcp::read(&back[0].bytes())[0], Report::Sender { ssrc: 1002, .. }));
        let report = echo.receiver_report(now).unwrap();
        assert_eq!(report.bytes()[24..28], [3; 4], "the report names the last sender report");
    }

    #[test]
    fn changed_ssrc_restarts_the_statistics() {
        let now = Instant::now();
        let mut echo = echo("sendrecv");
        echo.on_rtp(now, video(1));
        echo.on_rtp(now, Arrived { ssrc: 8, ..video(60_000) });
        let reception = echo.tracks[1].reception.as_ref().unwrap();
        assert_eq!((reception.ssrc(), reception.received(), reception.lost()), (8, 1, 0));
    }
}
