//! One WebRTC peer from UDP datagrams to decrypted media: ICE, DTLS and SRTP composed, with restart.
