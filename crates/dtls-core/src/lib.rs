//! A Sans-IO DTLS engine for WebRTC (RFC 6347, 9147) with use_srtp and exporter.
