//! Our connections, as an application calls them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use dtls_core::{
    Authentication, Certificate, Config, Connection, Event, HashAlgorithm, NamedGroup, PeerPolicy, Versions,
};

use super::fixture::{Fixture, Identity, KEYING_MATERIAL_LEN, Preferred, SRTP_LABEL, Setting, Version};
use super::{Stack, Wire};
use crate::allocations;
use crate::report::OURS;

pub(super) struct Ours {
    client: Arc<Config>,
    server: Arc<Config>,
}

/// Two connections and the datagram in transit between them.
pub(super) struct Pair {
    client: Connection,
    server: Connection,
    datagram: Vec<u8>,
    now: Instant,
}

impl Ours {
    pub(super) fn new(fixture: &Fixture, setting: Setting) -> Self {
        let certificate = |identity: &Identity| {
            Certificate::from_der(vec![identity.certificate.clone()], &identity.key).expect("a certificate")
        };
        let (client, server) = (certificate(&fixture.client), certificate(&fixture.server));
        let config = |own: &Certificate, peer: &Certificate| {
            Arc::new(Config {
                versions: match setting.version {
                    Version::Dtls12 => Versions::Dtls12,
                    Version::Dtls13 => Versions::Dtls13,
                },
                authentication: Authentication::Certificates {
                    own: vec![own.clone()],
                    peer: PeerPolicy::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]),
                    require_peer: true,
                },
                groups: groups(setting.preferred),
                mtu: setting.mtu.into(),
                ..Config::default()
            })
        };
        Self { client: config(&client, &server), server: config(&server, &client) }
    }

    /// The memory of each side once it is connected and its events are fetched: its own size plus the heap bytes that
    /// dropping it frees. A DTLS 1.2 server keeps its final flight.
    pub(super) fn footprint(&self) -> [(&'static str, u64); 2] {
        let mut pair = self.connect(self.prepare(), &mut Wire::default());
        while pair.client.poll_event().is_some() {}
        while pair.server.poll_event().is_some() {}
        let Pair { client, server, .. } = pair;
        [("client", held(client)), ("server", held(server))]
    }
}

fn groups(preferred: Preferred) -> Vec<NamedGroup> {
    match preferred {
        Preferred::X25519 => vec![NamedGroup::X25519, NamedGroup::SECP256R1],
        Preferred::X25519MlKem768 => {
            vec![NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::SECP256R1]
        }
    }
}

fn held(connection: Connection) -> u64 {
    size_of::<Connection>() as u64 + allocations::freed_by(|| drop(connection))
}

impl Stack for Ours {
    const NAME: &'static str = OURS;
    /// The datagram buffer; an application has one for all its connections.
    type Prepared = Vec<u8>;
    type Pair = Pair;

    fn prepare(&self) -> Vec<u8> {
        Vec::with_capacity(1_500)
    }

    fn connect(&self, datagram: Vec<u8>, wire: &mut Wire) -> Pair {
        let now = Instant::now();
        let mut client = Connection::client(now, self.client.clone()).expect("a client");
        let mut server = Connection::server(now, self.server.clone()).expect("a server");
        client.start(now, None).expect("a start");
        server.start(now, None).expect("a start");
        let mut pair = Pair { client, server, datagram, now };
        while pair.pass_on(wire) {}
        for side in [&mut pair.client, &mut pair.server] {
            let mut keys = [0; KEYING_MATERIAL_LEN];
            side.export(SRTP_LABEL, None, &mut keys).expect("keying material");
            black_box(keys);
        }
        pair
    }

    fn deliver(pair: &mut Pair, data: &[u8]) {
        let Pair { client, server, datagram, now } = pair;
        datagram.clear();
        client.send(*now, data).expect("data that fits");
        assert!(client.poll_transmit(datagram).is_some(), "a datagram");
        server.handle_input(*now, datagram);
        let received = std::iter::from_fn(|| server.poll_event())
            .any(|event| matches!(event, Event::Data(received) if received.len() == data.len()));
        assert!(received, "the data of this datagram");
    }
}

impl Pair {
    /// Hands over everything that both sides have to send. Returns whether there was anything.
    fn pass_on(&mut self, wire: &mut Wire) -> bool {
        let Self { client, server, datagram, now } = self;
        let mut pass = |from: &mut Connection, to: &mut Connection| {
            datagram.clear();
            let mut passed = false;
            while from.poll_transmit(datagram).is_some() {
                wire.carry(datagram);
                to.handle_input(*now, datagram);
                datagram.clear();
                passed = true;
            }
            passed
        };
        pass(client, server) | pass(server, client)
    }
}
