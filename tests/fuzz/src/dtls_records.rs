//! `dtls_core::Connection` fed with any datagrams, as a server that waits and as a client that has sent its ClientHello.
//!
//! The input is datagrams, each behind a length of two bytes. Nothing in it can authenticate, so neither side may
//! connect or hand out data or keys; `peek` and both sides take every byte; deadlines and output end. Real flights in the
//! corpus bring the parsers of handshake messages and their reassembly within reach.

use std::{sync::Arc, time::Instant};

use dtls_core::{Admitted, Connection, DtlsRole, Event};

use crate::{dtls_connection::config, input::Input, network};

/// See the head of the file.
pub fn dtls_records(data: &[u8]) {
    for role in [DtlsRole::Server, DtlsRole::Client] {
        let now = network::beginning();
        let mut connection = match role {
            DtlsRole::Client => Connection::client(now, Arc::clone(&config())),
            DtlsRole::Server => Connection::server(now, Arc::clone(&config())),
        }
        .expect("the configuration is sound");
        connection.start(now, None).expect("not started before");
        drain(&mut connection);
        feed(&mut connection, now, data);
    }
}

fn feed(connection: &mut Connection, now: Instant, data: &[u8]) {
    let mut input = Input::new(data);
    let mut scratch = Vec::new();
    while let (Some(high), low) = (input.next(), input.byte()) {
        let datagram = input.take(usize::from(u16::from_be_bytes([high, low])));
        let _ = dtls_core::peek(datagram);
        let mut tried = datagram.to_vec();
        assert!(!matches!(connection.try_input(now, &tried, &mut scratch), Admitted::Authenticated));
        assert_eq!(tried, datagram, "a trial leaves the datagram as it was");
        assert!(!matches!(connection.handle_input(now, &mut tried), Admitted::Authenticated));
        drain(connection);
    }
    for _ in 0..200 {
        let Some(deadline) = connection.poll_timeout() else { return };
        connection.handle_timeout(deadline);
        assert!(
            connection.poll_timeout().is_none_or(|next| next > deadline),
            "a deadline stays after it was served"
        );
        drain(connection);
    }
    panic!("a handshake that never ends");
}

fn drain(connection: &mut Connection) {
    let mut buffer = Vec::new();
    for datagrams in 0.. {
        assert!(datagrams < 100, "output without end");
        let Some(transmit) = connection.poll_transmit(&mut buffer) else { break };
        assert!(transmit.len > 0 && transmit.len <= 1200);
    }
    while let Some(event) = connection.poll_event() {
        assert!(!matches!(event, Event::Connected(_) | Event::Data(_)), "{event:?} without a peer");
    }
    assert!(!connection.is_connected());
    assert!(connection.export("EXTRACTOR-dtls_srtp", None, &mut [0; 60]).is_err());
}
