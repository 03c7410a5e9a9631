//! The workloads that `cargo xtask bench --instructions` counts: our handshakes and records, without a peer and without
//! a clock.
//!
//! `workload NAME` runs that workload several times inside one function of the same name, so that callgrind counts only
//! that work. Without a name it lists the workloads.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use dtls_core::{
    Authentication, Certificate, Config, Connection, HashAlgorithm, NamedGroup, PeerPolicy, Versions,
};

/// A name, how often the work is done, and the work.
struct Workload {
    name: &'static str,
    times: u32,
    run: fn(u32),
}

/// Signatures and keys differ in each run, and our work differs with their length. Enough runs average this out.
const WORKLOADS: [Workload; 4] = [
    Workload { name: "dtls12_handshake", times: 50, run: dtls12_handshake },
    Workload { name: "dtls13_handshake", times: 50, run: dtls13_handshake },
    Workload { name: "dtls12_record", times: 1_000, run: dtls12_record },
    Workload { name: "dtls13_record", times: 1_000, run: dtls13_record },
];

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        WORKLOADS.iter().for_each(|workload| println!("{} {}", workload.name, workload.times));
        return ExitCode::SUCCESS;
    };
    let Some(workload) = WORKLOADS.iter().find(|workload| workload.name == name) else {
        eprintln!("there is no workload `{name}`");
        return ExitCode::from(2);
    };
    (workload.run)(workload.times);
    ExitCode::SUCCESS
}

fn dtls12_handshake(times: u32) {
    handshakes(Versions::Dtls12, times);
}

fn dtls13_handshake(times: u32) {
    handshakes(Versions::Dtls13, times);
}

fn dtls12_record(times: u32) {
    records(Versions::Dtls12, times);
}

fn dtls13_record(times: u32) {
    records(Versions::Dtls13, times);
}

fn handshakes(versions: Versions, times: u32) {
    let fixture = Fixture::new(versions);
    // A first handshake, so that values which are computed once per process, such as the processor's features, are not
    // counted.
    black_box(fixture.connect());
    measured(|| {
        for _ in 0..times {
            black_box(fixture.connect());
        }
    });
}

fn records(versions: Versions, times: u32) {
    let Pair { mut client, mut server, now } = Fixture::new(versions).connect();
    let mut datagram = Vec::with_capacity(1_500);
    let mut deliver = |times: u32| {
        for _ in 0..times {
            datagram.clear();
            client.send(now, black_box(&[0x5a; 1_000])).expect("data that fits");
            let _ = client.poll_transmit(&mut datagram).expect("a datagram");
            server.handle_input(now, &mut datagram);
            while let Some(event) = server.poll_event() {
                black_box(event);
            }
        }
    };
    // Lets the buffers grow to their final size.
    deliver(10);
    measured(|| deliver(times));
}

/// The only function in which callgrind counts.
#[inline(never)]
fn measured(work: impl FnOnce()) {
    work();
}

struct Fixture {
    client: Arc<Config>,
    server: Arc<Config>,
}

struct Pair {
    client: Connection,
    server: Connection,
    now: Instant,
}

impl Fixture {
    fn new(versions: Versions) -> Self {
        let month = Duration::from_secs(30 * 24 * 3_600);
        let certificate = || Certificate::generate(SystemTime::now(), month).expect("a certificate");
        let (client, server) = (certificate(), certificate());
        let config = |own: &Certificate, peer: &Certificate| {
            Arc::new(Config {
                versions,
                authentication: Authentication::Certificates {
                    own: vec![own.clone()],
                    peer: PeerPolicy::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]),
                    require_peer: true,
                },
                groups: vec![NamedGroup::X25519, NamedGroup::SECP256R1],
                ..Config::default()
            })
        };
        Self { client: config(&client, &server), server: config(&server, &client) }
    }

    fn connect(&self) -> Pair {
        let now = Instant::now();
        let mut client = Connection::client(now, self.client.clone()).expect("a client");
        let mut server = Connection::server(now, self.server.clone()).expect("a server");
        client.start(now, None).expect("a start");
        server.start(now, None).expect("a start");
        let mut datagram = Vec::with_capacity(1_500);
        while pass(now, &mut client, &mut server, &mut datagram)
            | pass(now, &mut server, &mut client, &mut datagram)
        {}
        for side in [&client, &server] {
            let mut keys = [0; 56];
            side.export("EXTRACTOR-dtls_srtp", None, &mut keys).expect("keying material");
            black_box(keys);
        }
        Pair { client, server, now }
    }
}

/// Hands over everything that `from` has to send. Returns whether there was anything.
fn pass(now: Instant, from: &mut Connection, to: &mut Connection, datagram: &mut Vec<u8>) -> bool {
    let mut passed = false;
    datagram.clear();
    while from.poll_transmit(datagram).is_some() {
        to.handle_input(now, datagram);
        datagram.clear();
        passed = true;
    }
    passed
}
