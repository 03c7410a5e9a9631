//! SRTP profiles and key derivation (RFC 5764 section 4.2, RFC 3711 section 4.3, RFC 7714).
