//! An echo server on bare UDP for any number of clients, behind a cookie gate.
//!
//! ```text
//! udp_server --local 0.0.0.0:4433
//! udp_peer client --remote 127.0.0.1:4433 --accept-any --send hello --wait-data 1
//! openssl s_client -dtls1_2 -connect 127.0.0.1:4433
//! ```
//!
//! A client that passes the gate gets a connection; before that the server keeps no state. A client that restarts at
//! its old address passes the gate again, which replaces its old connection. Prints one line per event.

use dtls_core::{
    Admitted, Authentication, Certificate, CertificateVerdict, Config, Connection, CookieGate, Discard,
    Event, GateConfig, GateVerdict, HashAlgorithm, PeerPolicy,
};
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Anything<()> {
    let mut arguments = std::env::args().skip(1);
    let local = match (arguments.next().as_deref(), arguments.next()) {
        (None, None) => "127.0.0.1:0".to_owned(),
        (Some("--local"), Some(address)) => address,
        _ => return Err("udp_server [--local ADDRESS:PORT]".into()),
    };
    let own = Certificate::generate(SystemTime::now(), Certificate::DEFAULT_LIFETIME)?;
    println!("fingerprint {}", own.fingerprint(HashAlgorithm::Sha256));
    let authentication = Authentication::Certificates {
        own: vec![own],
        // This echo server accepts every client. Use fingerprints, a public key infrastructure or a verdict in a real
        // server.
        peer: PeerPolicy::Application,
        require_peer: false,
    };
    let config = Config { authentication, ..Config::default() };
    let socket = UdpSocket::bind(local)?;
    println!("listening {}", socket.local_addr()?);
    let gate = CookieGate::new(Instant::now(), config, GateConfig::default())?;
    Server { socket, gate, peers: BTreeMap::new() }.run()
}

struct Server {
    socket: UdpSocket,
    gate: CookieGate,
    peers: BTreeMap<SocketAddr, Connection>,
}

impl Server {
    fn run(mut self) -> Anything<()> {
        let mut buffer = vec![0; 65_536];
        loop {
            // The gate has no deadlines.
            let deadline = self.peers.values().filter_map(Connection::poll_timeout).min();
            let wait = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            // The operating system treats a zero timeout as infinite.
            self.socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
            match self.socket.recv_from(&mut buffer) {
                Ok((len, from)) => self.receive(from, buffer.get_mut(..len).unwrap_or_default())?,
                // A timeout, or the ICMP error of a port that was closed.
                Err(_) => self.peers.values_mut().for_each(|peer| peer.handle_timeout(Instant::now())),
            }
            self.serve()?;
        }
    }

    fn receive(&mut self, from: SocketAddr, datagram: &mut [u8]) -> Anything<()> {
        let now = Instant::now();
        // A connection decrypts in place, but the gate needs the ClientHello unchanged.
        let untouched = datagram.to_vec();
        if let Some(peer) = self.peers.get_mut(&from)
            && peer.handle_input(now, datagram) != Admitted::Discarded(Discard::FreshClientHello)
        {
            return Ok(());
        }
        let mut answer = Vec::new();
        match self.gate.handle_input(now, from.to_string().as_bytes(), &untouched, &mut answer) {
            GateVerdict::Respond(_) => {
                self.socket.send_to(&answer, from)?;
            }
            GateVerdict::Accept(admission) => {
                println!("{from} admitted");
                // This replaces an old connection of the same address (RFC 6347 section 4.2.8).
                self.peers.insert(from, Connection::accept(now, admission)?);
            }
            GateVerdict::Wait | GateVerdict::Discard(_) => {}
        }
        Ok(())
    }

    /// Sends the datagrams of all connections, and drops ended connections.
    fn serve(&mut self) -> Anything<()> {
        let socket = &self.socket;
        let mut ended = Vec::new();
        for (address, peer) in &mut self.peers {
            while let Some(event) = peer.poll_event() {
                match event {
                    Event::Connected(negotiated) => println!("{address} connected {:?}", negotiated.version),
                    Event::CertificateReceived { .. } => {
                        peer.provide_certificate_verdict(Instant::now(), CertificateVerdict::Accept)?;
                    }
                    Event::Data(data) => {
                        println!("{address} data {}", String::from_utf8_lossy(&data).trim_end());
                        // Data that does not fit is lost, like a lost datagram.
                        let _ = peer.send(Instant::now(), &data);
                    }
                    Event::PeerClosing => peer.close(Instant::now()),
                    Event::Closed(_) | Event::Failed(_) => {
                        println!("{address} {event:?}");
                        ended.push(*address);
                    }
                    _ => {}
                }
            }
            let mut datagram = Vec::new();
            while peer.poll_transmit(&mut datagram).is_some() {
                // A datagram that cannot be sent is lost, too.
                let _ = socket.send_to(&datagram, address);
                datagram.clear();
            }
        }
        for address in ended {
            self.peers.remove(&address);
        }
        Ok(())
    }
}
