//! STUN messages (RFC 8489): bytes to values and back, integrity, fingerprint, retransmission schedule.
