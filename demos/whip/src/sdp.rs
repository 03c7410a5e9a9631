//! Offers and answers (RFC 8866, RFC 9429, RFC 9725).
//!
//! Decides which media of an offer can be echoed, and gives the reason why others cannot. `peer_transport::Description`
//! handles the lines of the transport.

use sdp_types::{
    Attribute, Connection, Direction, ExtMap, Group, GroupSemantics, Media, MediaType, Origin, RtpMap,
    Session, TransportProto,
};

/// An offer that can be echoed.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) sections: Vec<Section>,
}

/// One m-section with the parameters that the answer accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) mid: String,
    pub(crate) kind: Kind,
    /// Whether the offer requests the echo.
    pub(crate) echo: bool,
    pub(crate) payload_type: u8,
    /// The format parameters of that payload type in the offer.
    format: Option<String>,
    /// The id of the header extension with the mid in the offer (RFC 9143 section 15).
    mid_extension: Option<u8>,
    /// The `rtcp-fb` values that the echo supports.
    feedback: Vec<&'static str>,
}

/// The echoed codecs: Opus and VP8, because a forwarder needs no knowledge of their payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Audio,
    Video,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    pub(crate) const fn clock_rate(self) -> u32 {
        match self {
            Self::Audio => 48_000,
            Self::Video => 90_000,
        }
    }

    const fn codec(self) -> &'static str {
        match self {
            Self::Audio => "opus",
            Self::Video => "VP8",
        }
    }

    fn accepts(self, map: &RtpMap) -> bool {
        map.encoding_name.eq_ignore_ascii_case(self.codec()) && map.clock_rate == self.clock_rate()
    }
}

/// The reason why an offer is refused, as text for the body of a 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadOffer {
    #[error("not a session description: {0}")]
    Syntax(String),
    #[error("the offer has no m-section: add an audio or a video track")]
    NoMedia,
    #[error("m={0} cannot be echoed: only audio and video are accepted")]
    Unsupported(String),
    #[error("m={kind} (number {number}) has no a=mid, which bundling needs (RFC 9143)")]
    NoMid { kind: &'static str, number: usize },
    #[error("mid {0:?} is not in a=group:BUNDLE: all media share one transport here")]
    NotBundled(String),
    #[error("mid {0:?} is the first m-section and not the first in a=group:BUNDLE: its transport counts")]
    NotFirstInBundle(String),
    #[error("mid {mid:?} is sent over {proto}; only UDP/TLS/RTP/SAVPF is supported")]
    Protocol { mid: String, proto: String },
    #[error("mid {0:?} has no a=rtcp-mux; RTP and RTCP share one port here")]
    NoRtcpMux(String),
    #[error("mid {mid:?} is {direction}; an ingest offer is sendonly, or sendrecv to get the echo")]
    Direction { mid: String, direction: &'static str },
    #[error("mid {mid:?} offers {offered}, and not {wanted}, the only codec that is echoed")]
    NoCodec { mid: String, offered: String, wanted: &'static str },
    #[error("more than one {0} track; WHIP carries one of a kind (RFC 9725 section 4.4.2)")]
    TooManyTracks(&'static str),
    #[error("two m-sections share payload type {0}, so their packets cannot be distinguished")]
    SharedPayloadType(u8),
}

impl Offer {
    /// Parses an offer.
    pub(crate) fn read(body: &[u8]) -> Result<Self, BadOffer> {
        let session = Session::parse(body).map_err(|error| BadOffer::Syntax(error.to_string()))?;
        if session.medias.is_empty() {
            return Err(BadOffer::NoMedia);
        }
        let mut sections: Vec<Section> = Vec::new();
        for (number, media) in session.medias.iter().enumerate() {
            let section = Section::read(&session, media, number)?;
            if sections.iter().any(|other| other.kind == section.kind) {
                return Err(BadOffer::TooManyTracks(section.kind.as_str()));
            }
            if sections.iter().any(|other| other.payload_type == section.payload_type) {
                return Err(BadOffer::SharedPayloadType(section.payload_type));
            }
            sections.push(section);
        }
        Ok(Self { sections })
    }
}

impl Section {
    fn read(session: &Session, media: &Media, number: usize) -> Result<Self, BadOffer> {
        let kind = match media.try_parse_mediatype() {
            Ok(MediaType::Audio) => Kind::Audio,
            Ok(MediaType::Video) => Kind::Video,
            _ => return Err(BadOffer::Unsupported(media.media.clone())),
        };
        let Some(mid) = value(media, "mid").map(str::to_owned) else {
            return Err(BadOffer::NoMid { kind: kind.as_str(), number });
        };
        let bundle = bundle(session);
        if session.medias.len() > 1 && !bundle.contains(&mid) {
            return Err(BadOffer::NotBundled(mid));
        }
        // RFC 9143 section 7.2.1: the first in the group describes the transport of all.
        if number == 0 && bundle.first().is_some_and(|first| *first != mid) {
            return Err(BadOffer::NotFirstInBundle(mid));
        }
        if media.parse_transport_proto() != TransportProto::UdpTlsRtpSavpf {
            return Err(BadOffer::Protocol { mid, proto: media.proto.clone() });
        }
        if !media.has_attribute("rtcp-mux") {
            return Err(BadOffer::NoRtcpMux(mid));
        }
        let direction = direction(session, media);
        if !direction.has_send() {
            return Err(BadOffer::Direction { mid, direction: direction.as_str() });
        }
        let maps = || media.attributes_typed::<RtpMap>().filter_map(Result::ok);
        let Some(map) = maps().find(|map| kind.accepts(map)) else {
            let offered: Vec<String> = maps().map(|map| map.encoding_name).collect();
            let offered = if offered.is_empty() { media.fmt.clone() } else { offered.join(", ") };
            return Err(BadOffer::NoCodec { mid, offered, wanted: kind.codec() });
        };
        Ok(Self {
            mid,
            kind,
            echo: direction.has_recv(),
            payload_type: map.payload_type,
            format: of_payload_type(media, "fmtp", map.payload_type).next().map(str::to_owned),
            mid_extension: mid_extension(media),
            feedback: feedback(media, map.payload_type),
        })
    }

    /// Returns the m-section of the answer. `transport` has our ICE and DTLS lines, `source` the SSRC of the echo.
    fn answer(&self, transport: &[String], source: Option<&Source>) -> Media {
        let mut media = Media::new(
            match self.kind {
                Kind::Audio => MediaType::Audio,
                Kind::Video => MediaType::Video,
            },
            9,
            TransportProto::UdpTlsRtpSavpf,
            self.payload_type,
        );
        media.add_connection(Connection::from_ip_addr(std::net::Ipv4Addr::UNSPECIFIED));
        media.add_attribute_with_value("mid", &self.mid);
        for line in transport {
            media.add_attribute(attribute(line));
        }
        media.add_attribute(if source.is_some() { Direction::SendRecv } else { Direction::RecvOnly });
        media.add_attribute_from_str("rtcp-mux");
        media.add_attribute_from_str("rtcp-mux-only");
        let mut map = RtpMap::new(self.payload_type, self.kind.codec(), self.kind.clock_rate());
        if self.kind == Kind::Audio {
            map.set_encoding_params(2);
        }
        media.add_attribute(map);
        if let Some(format) = &self.format {
            media.add_attribute_with_value("fmtp", format!("{} {format}", self.payload_type));
        }
        for feedback in &self.feedback {
            media.add_attribute_with_value("rtcp-fb", format!("{} {feedback}", self.payload_type));
        }
        if let Some(id) = self.mid_extension {
            media.add_attribute(ExtMap::new(id, MID));
        }
        if let Some(source) = source {
            media.add_attribute_with_value("msid", format!("{STREAM} {}", self.kind.as_str()));
            media.add_attribute_with_value("ssrc", format!("{} cname:{}", source.ssrc, source.cname));
        }
        media
    }
}

/// The SSRC of the echo of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) ssrc: u32,
    pub(crate) cname: String,
}

/// Writes the answer: one section for each section of the offer, in its order, all on one transport. `candidates` are
/// complete, and stand in the first section, which describes the bundle.
pub(crate) fn answer(
    offer: &Offer,
    session_id: u64,
    transport: &[String],
    candidates: &[String],
    source: impl Fn(&Section) -> Option<Source>,
) -> String {
    let mut session = Session::new(Origin::with_ip_addr(session_id, 1, std::net::Ipv4Addr::LOCALHOST), "-");
    let mut group = Group::new(GroupSemantics::Other(BUNDLE.into()));
    group.add_mid_tags(offer.sections.iter().map(|section| &section.mid));
    session.add_attribute(group);
    session.add_attribute_with_value("msid-semantic", format!(" WMS {STREAM}"));
    for (number, section) in offer.sections.iter().enumerate() {
        let mut media = section.answer(transport, source(section).as_ref());
        if number == 0 {
            media.add_attributes(candidates.iter().map(|line| attribute(line)));
            media.add_attribute_from_str("end-of-candidates");
        }
        session.add_media(media);
    }
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = session.write(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes the body of the response to an ICE restart (RFC 9725 section 4.3.3, RFC 8840 section 9).
///
/// `transport` includes fingerprint and `setup`. RFC 8840 has neither in a fragment. They tell a client about a new
/// certificate; other clients ignore them.
pub(crate) fn restart_fragment(sections: &[Section], transport: &[String], candidates: &[String]) -> String {
    use std::fmt::Write as _;
    let mids: Vec<&str> = sections.iter().map(|section| section.mid.as_str()).collect();
    let mut text = format!("a=group:BUNDLE {}\r\n", mids.join(" "));
    if let Some(section) = sections.first() {
        let (kind, payload_type) = (section.kind.as_str(), section.payload_type);
        let _ = write!(text, "m={kind} 9 UDP/TLS/RTP/SAVPF {payload_type}\r\na=mid:{}\r\n", section.mid);
    }
    for line in transport.iter().chain(candidates) {
        let _ = write!(text, "a={line}\r\n");
    }
    text.push_str("a=end-of-candidates\r\n");
    text
}

/// RFC 9143 section 7.2.
const BUNDLE: &str = "BUNDLE";

/// The id of the MediaStream of the echo.
const STREAM: &str = "echo";

const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

fn attribute(line: &str) -> Attribute {
    match line.split_once(':') {
        Some((name, value)) => Attribute::with_value(name, value),
        None => Attribute::new(line),
    }
}

fn value<'a>(media: &'a Media, name: &'a str) -> Option<&'a str> {
    media.get_first_attribute_value(name).flatten()
}

fn bundle(session: &Session) -> Vec<String> {
    session
        .attributes_typed::<Group>()
        .filter_map(Result::ok)
        .find(|group| matches!(&group.semantics, GroupSemantics::Other(name) if name == BUNDLE))
        .map(|group| group.mid_tags)
        .unwrap_or_default()
}

fn direction(session: &Session, media: &Media) -> Direction {
    let said = |attributes: &[Attribute]| {
        attributes
            .iter()
            .filter(|attribute| attribute.value.is_none())
            .find_map(|attribute| attribute.attribute.parse::<Direction>().ok())
    };
    said(&media.attributes).or_else(|| said(&session.attributes)).unwrap_or_default()
}

/// Returns the values of `a=name:<payload type> <value>`.
fn of_payload_type<'a>(media: &'a Media, name: &'a str, payload_type: u8) -> impl Iterator<Item = &'a str> {
    media.get_attribute_values(name).flatten().filter_map(move |value| {
        let (fmt, rest) = value.split_once(' ')?;
        (fmt == "*" || fmt.parse() == Ok(payload_type)).then_some(rest)
    })
}

/// The two ways to request a key frame. Not `nack`: without RTX a retransmitted packet would reuse an SRTP index, so
/// the next key frame repairs a loss.
fn feedback(media: &Media, payload_type: u8) -> Vec<&'static str> {
    let offered: Vec<&str> = of_payload_type(media, "rtcp-fb", payload_type).collect();
    ["nack pli", "ccm fir"].into_iter().filter(|honoured| offered.contains(honoured)).collect()
}

fn mid_extension(media: &Media) -> Option<u8> {
    media.attributes_typed::<ExtMap>().filter_map(Result::ok).find(|map| map.uri == MID).map(|map| map.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offer of Chromium for one audio and one video track, with fewer codecs and extensions.
    const CHROMIUM: &str = "v=0\r\no=- 5228595038118931041 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE 0 1\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS s\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 9\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
        a=ice-ufrag:EsAw\r\na=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 DA:7B\r\na=setup:actpass\r\na=mid:0\r\n\
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
        a=sendrecv\r\na=msid:s a\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\n\
        a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:9 G722/8000\r\n\
        a=ssrc:1 cname:c\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 98 96 97\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
        a=ice-ufrag:EsAw\r\na=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\na=fingerprint:sha-256 DA:7B\r\na=setup:actpass\r\n\
        a=mid:1\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendrecv\r\na=msid:s v\r\na=rtcp-mux\r\n\
        a=rtpmap:98 VP9/90000\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 ccm fir\r\n\
        a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n";

    fn refusal(offer: &str) -> BadOffer {
        Offer::read(offer.as_bytes()).unwrap_err()
    }

    #[test]
    fn chromium_offer_is_reduced_to_one_codec_per_section() {
        let offer = Offer::read(CHROMIUM.as_bytes()).unwrap();
        let [audio, video] = offer.sections.as_slice() else { panic!("two sections") };
        assert_eq!((audio.kind, audio.payload_type, audio.echo), (Kind::Audio, 111, true));
        assert_eq!(audio.format.as_deref(), Some("minptime=10;useinbandfec=1"));
        assert_eq!((video.kind, video.payload_type, video.mid.as_str()), (Kind::Video, 96, "1"));
        assert_eq!(video.feedback, ["nack pli", "ccm fir"], "neither nack nor goog-remb");
        assert_eq!(video.mid_extension, Some(4));
    }

    #[test]
    fn answer_parses_as_the_accepted_parameters() {
        let offer = Offer::read(CHROMIUM.as_bytes()).unwrap();
        let transport = ["ice-ufrag:ours".to_owned(), "setup:passive".to_owned()];
        let candidates = ["candidate:1 1 udp 1 127.0.0.1 5 typ host".to_owned()];
        let text = answer(&offer, 7, &transport, &candidates, |section| {
            Some(Source { ssrc: u32::from(section.payload_type), cname: "c".into() })
        });
        let session = Session::parse(text.as_bytes()).unwrap();
        let [audio, video] = session.medias.as_slice() else { panic!("two sections") };
        assert_eq!((audio.fmt.as_str(), video.fmt.as_str()), ("111", "96"));
        for media in [audio, video] {
            assert_eq!(value(media, "ice-ufrag"), Some("ours"));
            assert_eq!(direction(&session, media), Direction::SendRecv);
            assert!(media.has_attribute("rtcp-mux") && media.has_attribute("ssrc"));
        }
        assert_eq!(value(video, "ssrc"), Some("96 cname:c"));
        assert_eq!(value(audio, "candidate"), Some("1 1 udp 1 127.0.0.1 5 typ host"));
        assert!(!video.has_attribute("candidate"), "candidates stand in the section of the bundle only");
    }

    #[test]
    fn sendonly_offer_gets_recvonly_without_sources() {
        let offer = Offer::read(CHROMIUM.replace("a=sendrecv", "a=sendonly").as_bytes()).unwrap();
        assert!(offer.sections.iter().all(|section| !section.echo));
        let text = answer(&offer, 7, &[], &[], |_| None);
        assert_eq!(text.matches("a=recvonly").count(), 2);
        assert!(!text.contains("a=ssrc"));
    }

    #[test]
    fn refusal_names_the_reason() {
        assert!(matches!(refusal("hello"), BadOffer::Syntax(_)));
        assert_eq!(refusal("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"), BadOffer::NoMedia);
        assert_eq!(refusal(&CHROMIUM.replace("BUNDLE 0 1", "BUNDLE 0")), BadOffer::NotBundled("1".into()));
        assert_eq!(refusal(&CHROMIUM.replace("a=rtcp-mux\r\n", "")), BadOffer::NoRtcpMux("0".into()));
        assert_eq!(
            refusal(&CHROMIUM.replace("a=mid:0\r\n", "")),
            BadOffer::NoMid { kind: "audio", number: 0 }
        );
        assert_eq!(
            refusal(&CHROMIUM.replace("VP8", "H264")),
            BadOffer::NoCodec { mid: "1".into(), offered: "VP9, H264, rtx".into(), wanted: "VP8" }
        );
        assert_eq!(
            refusal(&CHROMIUM.replace("a=sendrecv", "a=recvonly")),
            BadOffer::Direction { mid: "0".into(), direction: "recvonly" }
        );
        assert_eq!(
            refusal(&CHROMIUM.replace("BUNDLE 0 1", "BUNDLE 1 0")),
            BadOffer::NotFirstInBundle("0".into())
        );
        assert_eq!(
            refusal(&CHROMIUM.replace("m=video", "m=audio").replace("VP8/90000", "opus/48000")),
            BadOffer::TooManyTracks("audio")
        );
        assert_eq!(
            refusal(&CHROMIUM.replace("UDP/TLS/RTP/SAVPF 111", "RTP/AVP 111")),
            BadOffer::Protocol { mid: "0".into(), proto: "RTP/AVP".into() }
        );
        assert_eq!(
            refusal(&CHROMIUM.replace("m=video", "m=application")),
            BadOffer::Unsupported("application".into())
        );
    }

    #[test]
    fn fragment_has_the_mids_and_all_transport_lines() {
        let offer = Offer::read(CHROMIUM.as_bytes()).unwrap();
        let text = restart_fragment(&offer.sections, &["ice-ufrag:new".into()], &["candidate:1".into()]);
        assert_eq!(
            text,
            "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:new\r\n\
             a=candidate:1\r\na=end-of-candidates\r\n"
        );
    }
}
