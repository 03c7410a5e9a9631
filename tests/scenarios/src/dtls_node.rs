//! A DTLS connection as a node of the virtual network, and two of them as a subject of the contract.

use std::time::{Duration, Instant};

use dtls_core::{
    Authentication, CertificateVerdict, Config, Connection, Event, HashAlgorithm, PeerPolicy, Versions,
};
use sim::contract::{ADDRESSES, Subject};
use sim::{Ecn, Node, Path, Rng, Sent};

use crate::identity::certificate;

/// A connection with the methods of a [`Node`]. DTLS knows no addresses, so the path is fixed here.
pub struct DtlsNode {
    /// The connection itself.
    pub connection: Connection,
    path: Path,
}

impl DtlsNode {
    /// A client and a server, not started, each with the fingerprint of the other's certificate.
    #[must_use]
    pub fn pair(now: Instant, versions: Versions, paths: [Path; 2]) -> [Self; 2] {
        let config = |own: usize, peer: usize| Config {
            versions,
            authentication: Authentication::Certificates {
                own: vec![certificate(own)],
                peer: PeerPolicy::Fingerprints(vec![certificate(peer).fingerprint(HashAlgorithm::Sha256)]),
                require_peer: true,
            },
            ..Config::default()
        };
        let [client, server] = paths;
        [
            Self {
                connection: Connection::client(now, config(0, 1)).expect("the configuration is complete"),
                path: client,
            },
            Self {
                connection: Connection::server(now, config(1, 0)).expect("the configuration is complete"),
                path: server,
            },
        ]
    }
}

impl Node for DtlsNode {
    type Output = Event;

    fn handle_input(&mut self, now: Instant, _path: Path, _ecn: Ecn, payload: &mut [u8]) {
        let _ = self.connection.handle_input(now, payload);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent> {
        let transmit = self.connection.poll_transmit(buffer)?;
        Some(Sent { path: self.path, len: transmit.len, ecn: Ecn::NotEct })
    }

    fn poll_output(&mut self) -> Option<Event> {
        self.connection.poll_event()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connection.poll_timeout()
    }
}

/// A client and a server under the contract.
pub struct DtlsPair {
    /// The versions of both sides.
    pub versions: Versions,
}

/// A call by the application, allowed or not.
#[derive(Clone, Debug)]
pub enum DtlsCommand {
    /// Send application data of this many bytes.
    Send(usize),
    /// Send more than one record can hold.
    SendTooMuch,
    /// Start a second time.
    StartAgain,
    /// Provide a verdict without a request.
    JudgeUnasked,
    /// Report proof from elsewhere that the peer is connected.
    ReleaseFinalFlight,
    /// Retransmit the current flight at once.
    Retransmit,
    /// Update our sending keys, in DTLS 1.3.
    UpdateKeys,
    /// Close.
    Close,
}

impl Subject for DtlsPair {
    type Node = DtlsNode;
    type Command = DtlsCommand;

    fn pair(&self, now: Instant, _seed: u64) -> [DtlsNode; 2] {
        let [left, right] = ADDRESSES;
        let paths = [Path { local: left, remote: right }, Path { local: right, remote: left }];
        DtlsNode::pair(now, self.versions, paths).map(|mut node| {
            let rtt = Some(Duration::from_millis(100));
            node.connection.start(now, rtt).expect("it starts once");
            node
        })
    }

    fn command(&self, rng: &mut Rng) -> DtlsCommand {
        match rng.below(40) {
            0..=12 => DtlsCommand::Send(rng.index(1100)),
            13..=18 => DtlsCommand::SendTooMuch,
            19..=24 => DtlsCommand::StartAgain,
            25..=30 => DtlsCommand::JudgeUnasked,
            31..=33 => DtlsCommand::ReleaseFinalFlight,
            34..=36 => DtlsCommand::Retransmit,
            37..=38 => DtlsCommand::UpdateKeys,
            _ => DtlsCommand::Close,
        }
    }

    fn execute(
        &self,
        node: &mut DtlsNode,
        _peer: &mut DtlsNode,
        now: Instant,
        command: &DtlsCommand,
    ) -> Result<(), String> {
        let connection = &mut node.connection;
        let done = match command {
            DtlsCommand::Send(len) => connection.send(now, &vec![7; *len]),
            DtlsCommand::SendTooMuch => connection.send(now, &vec![7; 20_000]),
            DtlsCommand::StartAgain => connection.start(now, None),
            DtlsCommand::JudgeUnasked => {
                connection.provide_certificate_verdict(now, CertificateVerdict::Accept)
            }
            DtlsCommand::ReleaseFinalFlight => {
                connection.release_final_flight(now);
                Ok(())
            }
            DtlsCommand::Retransmit => {
                connection.retransmit(now);
                Ok(())
            }
            DtlsCommand::UpdateKeys => connection.update_keys(now),
            DtlsCommand::Close => {
                connection.close(now);
                Ok(())
            }
        };
        done.map_err(|error| error.to_string())
    }

    // Every run has its own keys, so only the shape of a datagram is the same in two runs.
    fn wire(&self, datagram: &[u8]) -> String {
        sim::shape(datagram)
    }

    fn discarded(&self, node: &DtlsNode) -> u64 {
        node.connection.stats().discarded_total()
    }

    fn is_failure(&self, output: &Event) -> bool {
        matches!(output, Event::Failed(_))
    }

    fn withdraws(&self, output: &Event) -> bool {
        matches!(output, Event::Failed(_) | Event::Closed(_))
    }

    fn is_connected(&self, node: &DtlsNode) -> bool {
        node.connection.is_connected()
    }
}
