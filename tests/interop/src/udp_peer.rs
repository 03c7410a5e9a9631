//! Our side: a `dtls-core` connection on a loopback socket, driven until a condition holds.
//!
//! Uses the clock and one socket. The scenario decides what to do.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use dtls_core::{
    Config, Connection, CookieGate, DtlsRole, Event, GateConfig, GateVerdict, Negotiated, Psk, PskRequest,
};

use crate::program::hexadecimal;
use crate::relay;

/// The label under which both sides export SRTP keys (RFC 5764 section 4.2).
pub(crate) const SRTP_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// A DTLS peer on a socket.
pub(crate) struct UdpPeer {
    connection: Connection,
    /// The gate in front of a connection that begins only when the gate has admitted a client.
    gate: Option<CookieGate>,
    socket: UdpSocket,
    /// The peer's address. A server learns it from the first datagram.
    remote: Option<SocketAddr>,
    /// The answer to a request for a pre-shared key, if the identity is the expected one.
    psk: Option<Psk>,
    /// Everything that happened, in order.
    pub(crate) events: Vec<Event>,
}

impl UdpPeer {
    /// A client that sends to `remote`.
    pub(crate) fn client(remote: SocketAddr, config: Config) -> Result<Self, String> {
        Self::new(DtlsRole::Client, Some(remote), config)
    }

    /// A server that waits at [`UdpPeer::address`].
    pub(crate) fn server(config: Config) -> Result<Self, String> {
        Self::new(DtlsRole::Server, None, config)
    }

    /// The same behind a gate that requires a cookie.
    pub(crate) fn gated_server(config: Config) -> Result<Self, String> {
        let gate = CookieGate::new(Instant::now(), config.clone(), GateConfig::default());
        let gate = gate.map_err(|error| format!("our gate: {error}"))?;
        Ok(Self { gate: Some(gate), ..Self::server(config)? })
    }

    /// How many cookies our gate has sent, where there is a gate.
    pub(crate) fn cookies_given(&self) -> Option<u64> {
        self.gate.as_ref().map(|gate| gate.stats().requests)
    }

    fn new(role: DtlsRole, remote: Option<SocketAddr>, config: Config) -> Result<Self, String> {
        let now = Instant::now();
        let mut connection = match role {
            DtlsRole::Client => Connection::client(now, config),
            DtlsRole::Server => Connection::server(now, config),
        }
        .map_err(|error| format!("our configuration: {error}"))?;
        connection.start(now, None).map_err(|error| format!("our start: {error}"))?;
        Ok(Self { connection, gate: None, socket: relay::bind()?, remote, psk: None, events: Vec::new() })
    }

    /// The same peer, with a pre-shared key.
    pub(crate) fn with_psk(self, psk: Option<Psk>) -> Self {
        Self { psk, ..self }
    }

    /// Our address.
    pub(crate) fn address(&self) -> Result<SocketAddr, String> {
        self.socket.local_addr().map_err(|error| error.to_string())
    }

    /// Handles datagrams and time until `done` returns a result, or returns what did not happen.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut done: impl FnMut(&[Event]) -> Option<T>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + limit;
        loop {
            self.step()?;
            if let Some(result) = done(&self.events) {
                return Ok(result);
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{what}: not within {} s; our events: {:?}",
                    limit.as_secs(),
                    self.events
                ));
            }
        }
    }

    /// Handles datagrams and time until the handshake is complete.
    pub(crate) fn until_connected(&mut self, limit: Duration) -> Result<Negotiated, String> {
        self.until("our handshake", limit, |events| {
            events.iter().find_map(|event| match event {
                Event::Connected(negotiated) => Some(Ok(*negotiated)),
                Event::Failed(failure) => Some(Err(format!("our side failed: {failure}"))),
                _ => None,
            })
        })?
    }

    /// Sends application data.
    pub(crate) fn send(&mut self, data: &[u8]) -> Result<(), String> {
        self.connection.send(Instant::now(), data).map_err(|error| format!("our send: {error}"))
    }

    /// Replaces the keys of both directions.
    pub(crate) fn update_keys(&mut self) -> Result<(), String> {
        self.connection.update_keys(Instant::now()).map_err(|error| format!("our KeyUpdate: {error}"))
    }

    /// Ends the connection.
    pub(crate) fn close(&mut self) {
        self.connection.close(Instant::now());
    }

    /// Exports keys for SRTP as hexadecimal digits.
    pub(crate) fn export(&self, length: usize) -> Result<String, String> {
        let mut keys = vec![0; length];
        self.connection
            .export(SRTP_LABEL, None, &mut keys)
            .map_err(|error| format!("our export: {error}"))?;
        Ok(hexadecimal(&keys))
    }

    /// One step: expired deadlines, output, events, and the input of a moment.
    fn step(&mut self) -> Result<(), String> {
        let now = Instant::now();
        if self.connection.poll_timeout().is_some_and(|due| due <= now) {
            self.connection.handle_timeout(now);
        }
        let mut buffer = Vec::with_capacity(2048);
        while let Some(transmit) = self.connection.poll_transmit(&mut buffer) {
            let datagram = &buffer[buffer.len() - transmit.len..];
            let remote = self.remote.ok_or("we send before the peer is known")?;
            // A refused datagram counts as lost: the peer may have ended already.
            let _ = self.socket.send_to(datagram, remote);
            buffer.clear();
        }
        while let Some(event) = self.connection.poll_event() {
            if let Event::PskRequested(request) = &event {
                let answer = self.psk.clone().filter(|psk| match request {
                    PskRequest::ForHint(_) => true,
                    PskRequest::ForIdentity(identity) => identity == psk.identity(),
                });
                self.connection.provide_psk(now, answer).map_err(|error| format!("our key: {error}"))?;
            }
            if event == Event::PeerClosing {
                self.connection.close(now);
            }
            self.events.push(event);
        }
        let wait = self
            .connection
            .poll_timeout()
            .map_or(Duration::from_millis(10), |due| due.saturating_duration_since(now));
        let wait = wait.clamp(Duration::from_millis(1), Duration::from_millis(10));
        self.socket.set_read_timeout(Some(wait)).map_err(|error| error.to_string())?;
        buffer.resize(2048, 0);
        if let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            self.receive(source, &mut buffer[..length])?;
        }
        Ok(())
    }

    /// The gate takes every datagram until it has admitted a client.
    fn receive(&mut self, source: SocketAddr, datagram: &mut [u8]) -> Result<(), String> {
        let now = Instant::now();
        let gate = self.gate.as_mut().filter(|gate| gate.stats().admissions == 0);
        let Some(gate) = gate else {
            self.remote.get_or_insert(source);
            let _ = self.connection.handle_input(now, datagram);
            return Ok(());
        };
        let mut answer = Vec::new();
        match gate.handle_input(now, source.to_string().as_bytes(), datagram, &mut answer) {
            GateVerdict::Respond(_) => {
                let _ = self.socket.send_to(&answer, source);
            }
            GateVerdict::Accept(admission) => {
                self.remote = Some(source);
                self.connection = Connection::accept(now, admission).map_err(|error| error.to_string())?;
            }
            GateVerdict::Wait | GateVerdict::Discard(_) => {}
        }
        Ok(())
    }
}
