//! dimpl on aws-lc-rs: the most similar stack.
//!
//! It parses a key for each connection, so connections are made before the clock starts.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use dimpl::crypto::{Dtls12CipherSuite, Dtls13CipherSuite};
use dimpl::{Config, Dtls, DtlsCertificate, NamedGroup, Output};

use super::fixture::{Fixture, Identity, Setting, Version, fingerprint};
use super::{Stack, Wire};

pub(super) const NAME: &str = "dimpl";

pub(super) struct Dimpl<'c> {
    fixture: &'c Fixture,
    config: Arc<Config>,
    version: Version,
    now: Instant,
}

pub(super) struct Pair {
    client: Side,
    server: Side,
    buffer: Vec<u8>,
}

struct Side {
    dtls: Dtls,
    expected: [u8; 32],
    progress: Progress,
}

/// The outputs seen so far.
#[derive(Default)]
struct Progress {
    authenticated: bool,
    connected: bool,
    exported: bool,
}

impl<'c> Dimpl<'c> {
    pub(super) fn new(fixture: &'c Fixture, setting: Setting) -> Self {
        let config = Config::builder()
            .mtu(setting.mtu.into())
            .use_server_cookie(false)
            .kx_groups(&[NamedGroup::X25519, NamedGroup::Secp256r1])
            .dtls12_cipher_suites(&[Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256])
            .dtls13_cipher_suites(&[Dtls13CipherSuite::AES_128_GCM_SHA256])
            .build()
            .expect("a configuration");
        Self { fixture, config: Arc::new(config), version: setting.version, now: Instant::now() }
    }

    fn side(&self, own: &Identity, peer: &Identity, active: bool) -> Side {
        let certificate =
            DtlsCertificate { certificate: own.certificate.clone(), private_key: own.key.clone() };
        let mut dtls = match self.version {
            Version::Dtls12 => Dtls::new_12(self.config.clone(), certificate, self.now),
            Version::Dtls13 => Dtls::new_13(self.config.clone(), certificate, self.now),
        };
        dtls.set_active(active);
        Side { dtls, expected: peer.fingerprint(), progress: Progress::default() }
    }
}

impl Stack for Dimpl<'_> {
    const NAME: &'static str = NAME;
    type Prepared = Pair;
    type Pair = Pair;

    fn prepare(&self) -> Pair {
        let Fixture { client, server } = self.fixture;
        Pair {
            client: self.side(client, server, true),
            server: self.side(server, client, false),
            buffer: vec![0; 2_048],
        }
    }

    fn connect(&self, mut pair: Pair, wire: &mut Wire) -> Pair {
        let Pair { client, server, buffer } = &mut pair;
        client.dtls.handle_timeout(self.now).expect("a start");
        server.dtls.handle_timeout(self.now).expect("a start");
        while client.pass_to(server, buffer, wire) | server.pass_to(client, buffer, wire) {}
        for Progress { authenticated, connected, exported } in [&client.progress, &server.progress] {
            assert!(*authenticated && *connected && *exported, "a handshake that ends");
        }
        pair
    }

    fn deliver(pair: &mut Pair, data: &[u8]) {
        let Pair { client, server, buffer } = pair;
        client.dtls.send_application_data(data).expect("data that fits");
        client.pass_to(server, buffer, &mut Wire::default());
        let mut received = false;
        loop {
            match server.dtls.poll_output(buffer) {
                Output::ApplicationData(opened) => received |= black_box(opened).len() == data.len(),
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        assert!(received, "the data of this datagram");
    }
}

impl Side {
    /// Hands over everything that it has to send. Returns whether there was anything.
    fn pass_to(&mut self, to: &mut Self, buffer: &mut [u8], wire: &mut Wire) -> bool {
        let mut passed = false;
        loop {
            match self.dtls.poll_output(buffer) {
                Output::Packet(datagram) => {
                    wire.carry(datagram);
                    to.dtls.handle_packet(datagram).expect("a datagram that is welcome");
                    passed = true;
                }
                Output::PeerCert(der) => self.progress.authenticated = fingerprint(der) == self.expected,
                Output::KeyingMaterial(keys, _) => {
                    black_box(keys);
                    self.progress.exported = true;
                }
                Output::Connected => self.progress.connected = true,
                Output::Timeout(_) => return passed,
                other => panic!("an output that no handshake has: {other:?}"),
            }
        }
    }
}
