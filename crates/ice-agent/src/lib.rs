//! A Sans-IO ICE agent (RFC 8445, 8838) with consent freshness (RFC 7675).
