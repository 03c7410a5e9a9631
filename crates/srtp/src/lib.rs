//! Protects and unprotects RTP and RTCP in place (RFC 3711, RFC 7714).
