//! Two connections that exchange datagrams without a network, with every datagram in a capture.
//!
//! Uses virtual time. It does not read the datagrams.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use dtls_core::{Config, Connection, DtlsRole, Event, Psk};

use super::pcap::Capture;

/// Both sides of a conversation that is recorded.
pub(super) struct Conversation {
    began: Instant,
    now: Instant,
    client: Side,
    server: Side,
    pub(super) capture: Capture,
}

/// One of the two.
struct Side {
    connection: Connection,
    address: SocketAddrV4,
    psk: Psk,
    connected: bool,
    data: Vec<Vec<u8>>,
    key_log: String,
}

/// The transit time of a datagram.
const ONE_WAY: Duration = Duration::from_millis(10);
/// No conversation needs so many steps; one that does is in a loop.
const STEPS: usize = 1000;

impl Conversation {
    /// Starts both sides; nothing is sent yet. `psk` is the key that either side provides when it is asked for one.
    pub(super) fn new(client: Config, server: Config, psk: &Psk) -> Result<Self, String> {
        let now = Instant::now();
        let side = |connection: Result<Connection, dtls_core::Error>, host, port| {
            let mut connection = connection.map_err(|error| format!("our configuration: {error}"))?;
            connection.start(now, None).map_err(|error| format!("our start: {error}"))?;
            let address = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, host), port);
            let (connected, data, key_log) = (false, Vec::new(), String::new());
            Ok::<_, String>(Side { connection, address, psk: psk.clone(), connected, data, key_log })
        };
        let client = side(Connection::client(now, client), 1, CLIENT_PORT)?;
        let server = side(Connection::server(now, server), 2, SERVER_PORT)?;
        Ok(Self { began: now, now, client, server, capture: Capture::new() })
    }

    /// Handles all datagrams until both sides are connected and nothing is in transit.
    pub(super) fn connect(&mut self) -> Result<(), String> {
        self.settle()?;
        if self.client.connected && self.server.connected { Ok(()) } else { Err("we do not connect".into()) }
    }

    /// Sends data from one side, and delivers it to the other.
    pub(super) fn send(&mut self, from: DtlsRole, data: &[u8]) -> Result<(), String> {
        let now = self.now;
        self.side(from).connection.send(now, data).map_err(|error| format!("our send: {error}"))?;
        self.settle()?;
        let receiver = match from {
            DtlsRole::Client => &self.server,
            DtlsRole::Server => &self.client,
        };
        if receiver.data.iter().any(|received| received == data) {
            Ok(())
        } else {
            Err("data was lost".into())
        }
    }

    /// One side updates the keys of both directions (RFC 9147 section 8).
    pub(super) fn update_keys(&mut self, by: DtlsRole) -> Result<(), String> {
        let now = self.now;
        self.side(by).connection.update_keys(now).map_err(|error| format!("our KeyUpdate: {error}"))?;
        self.settle()
    }

    /// One side closes.
    pub(super) fn close(&mut self, by: DtlsRole) -> Result<(), String> {
        let now = self.now;
        self.side(by).connection.close(now);
        self.settle()
    }

    /// The key log of one side.
    pub(super) fn key_log(&self, of: DtlsRole) -> &str {
        match of {
            DtlsRole::Client => &self.client.key_log,
            DtlsRole::Server => &self.server.key_log,
        }
    }

    const fn side(&mut self, role: DtlsRole) -> &mut Side {
        match role {
            DtlsRole::Client => &mut self.client,
            DtlsRole::Server => &mut self.server,
        }
    }

    /// Handles datagrams until neither side has output.
    fn settle(&mut self) -> Result<(), String> {
        let mut on_the_way: VecDeque<(DtlsRole, Vec<u8>)> = VecDeque::new();
        for _ in 0..STEPS {
            for from in [DtlsRole::Client, DtlsRole::Server] {
                let to = match from {
                    DtlsRole::Client => self.server.address,
                    DtlsRole::Server => self.client.address,
                };
                let (at, now) = (self.now.duration_since(self.began), self.now);
                let side = self.side(from);
                let source = side.address;
                for datagram in side.collect(now)? {
                    self.capture.add(at, source, to, &datagram);
                    on_the_way.push_back((from, datagram));
                }
            }
            let Some((from, mut datagram)) = on_the_way.pop_front() else { return Ok(()) };
            self.now += ONE_WAY;
            let (now, to) =
                (self.now, if from == DtlsRole::Client { DtlsRole::Server } else { DtlsRole::Client });
            let _ = self.side(to).connection.handle_input(now, &mut datagram);
        }
        Err("the conversation goes in circles".into())
    }
}

impl Side {
    /// Records the events, and returns the datagrams to send.
    fn collect(&mut self, now: Instant) -> Result<Vec<Vec<u8>>, String> {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Connected(_) => self.connected = true,
                Event::Data(data) => self.data.push(data.to_vec()),
                Event::KeyLog(line) => self.key_log.extend([line.to_string(), "\n".to_owned()]),
                Event::PskRequested(_) => {
                    let psk = self.psk.clone();
                    self.connection
                        .provide_psk(now, Some(psk))
                        .map_err(|error| format!("our key: {error}"))?;
                }
                Event::Failed(failure) => return Err(format!("our side failed: {failure}")),
                _ => {}
            }
        }
        let (mut datagrams, mut buffer) = (Vec::new(), Vec::new());
        while self.connection.poll_transmit(&mut buffer).is_some() {
            datagrams.push(std::mem::take(&mut buffer));
        }
        Ok(datagrams)
    }
}

const CLIENT_PORT: u16 = 40_001;
/// Wireshark's settings name this port as a DTLS port.
pub(super) const SERVER_PORT: u16 = 40_002;
