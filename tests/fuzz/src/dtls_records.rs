//! `dtls_core::Connection` with arbitrary datagrams, as a server that waits and as a client that has sent its
//! ClientHello.
//!
//! Two bytes choose versions and authentication ([`Setup`]); the rest is datagrams, each after a length of two bytes.
//! None of them can authenticate, so neither side may connect or return data or keys; `peek` and both sides accept
//! every byte; deadlines and output end. Real flights in the corpus reach the parsers of handshake messages and their
//! reassembly.

use std::time::Instant;

use dtls_core::Admitted;

use crate::{
    dtls_endpoint::Endpoint,
    dtls_setup::Setup,
    input::Input,
    network::{self, Side},
};

/// The module documentation describes the input and the checks.
pub fn dtls_records(data: &[u8]) {
    let mut input = Input::new(data);
    let setup = Setup::read(&mut input);
    let datagrams = input.rest();
    for mut endpoint in setup.set(network::beginning()) {
        drain(&mut endpoint);
        feed(&mut endpoint, network::beginning(), datagrams);
    }
}

pub(crate) fn feed(endpoint: &mut Endpoint, now: Instant, data: &[u8]) {
    let mut input = Input::new(data);
    while let (Some(high), low) = (input.next(), input.byte()) {
        let datagram = input.take(usize::from(u16::from_be_bytes([high, low])));
        let mut tried = datagram.to_vec();
        assert!(!matches!(endpoint.try_input(now, &tried), Admitted::Authenticated));
        assert_eq!(tried, datagram, "a trial leaves the datagram as it was");
        drain(endpoint);
        endpoint.handle_input(now, &mut tried);
        drain(endpoint);
    }
    end(endpoint);
}

/// Runs a handshake without a peer to its end.
pub(crate) fn end(endpoint: &mut Endpoint) {
    for _ in 0..200 {
        let Some(deadline) = endpoint.poll_timeout() else { return };
        endpoint.handle_timeout(deadline);
        assert!(
            endpoint.poll_timeout().is_none_or(|next| next > deadline),
            "a deadline stays after it was served"
        );
        drain(endpoint);
    }
    panic!("a handshake that never ends");
}

pub(crate) fn drain(endpoint: &mut Endpoint) {
    let mut buffer = Vec::new();
    for datagrams in 0.. {
        assert!(datagrams < 100, "output without end");
        if endpoint.poll_transmit(&mut buffer).is_none() {
            break;
        }
    }
    endpoint.drain_events();
    assert!(endpoint.connected.is_none(), "connected without a peer");
}
