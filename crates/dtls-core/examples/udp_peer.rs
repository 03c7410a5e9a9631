//! A bare DTLS 1.2 peer over one UDP socket, for tests against other programs.
//!
//! ```text
//! udp_peer client --remote 127.0.0.1:4433 --accept-any --send hello --wait-data 1
//! udp_peer server --local 127.0.0.1:4433 --fingerprint "sha-256 AB:CD:.." --cert-out cert.der
//! ```
//!
//! Prints one line per fact on standard output: `listening`, `fingerprint`, `connected`, `keying-material`,
//! `peer-fingerprint`, `data`, `closed`, and exits with status 1 after `failed`.

use dtls_core::{
    Authentication, Certificate, CertificateVerdict, Config, Connection, Event, Fingerprint, HashAlgorithm,
    PeerPolicy, Psk, UseSrtp, srtp_profile,
};
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

const USAGE: &str = "udp_peer client|server [options]
  --local ADDR         socket address to bind (server: 127.0.0.1:0)
  --remote ADDR        the peer (client)
  --fingerprint TEXT   the peer's certificate, as in SDP; may be given several times
  --accept-any         accept any certificate of the peer, and on a server none
  --cert-pem PATH      our certificate and PKCS#8 key; else one is generated
  --cert-out PATH      write our certificate as DER
  --psk IDENTITY=HEX   a pre-shared key instead of certificates
  --psk-hint TEXT      what a server tells about it
  --profiles LIST      SRTP profile ids, comma separated (7,8,1,2)
  --mtu BYTES          largest datagram (1200)
  --send TEXT          send this, with a newline, once connected
  --wait-data COUNT    close after so many received messages (0: close once connected and sent)
  --key-log PATH       append NSS key log lines
  --timeout SECONDS    give up (20)";

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

#[derive(Default)]
struct Options {
    server: bool,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    fingerprints: Vec<Fingerprint>,
    accept_any: bool,
    cert_pem: Option<String>,
    cert_out: Option<String>,
    psk: Option<Psk>,
    psk_hint: Option<String>,
    profiles: Option<Vec<u16>>,
    mtu: Option<usize>,
    send: Option<String>,
    wait_data: usize,
    key_log: Option<String>,
    timeout: Option<u64>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("udp_peer: {error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Anything<Options> {
    let mut arguments = std::env::args().skip(1);
    let mut options = match arguments.next().as_deref() {
        Some("client") => Options::default(),
        Some("server") => Options { server: true, ..Options::default() },
        _ => return Err("the first argument is the role".into()),
    };
    while let Some(flag) = arguments.next() {
        if flag == "--accept-any" {
            options.accept_any = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--local" => options.local = Some(value.parse()?),
            "--remote" => options.remote = Some(value.parse()?),
            "--fingerprint" => options.fingerprints.push(value.parse()?),
            "--cert-pem" => options.cert_pem = Some(std::fs::read_to_string(value)?),
            "--cert-out" => options.cert_out = Some(value),
            "--psk" => options.psk = Some(psk(&value)?),
            "--psk-hint" => options.psk_hint = Some(value),
            "--profiles" => {
                options.profiles = Some(value.split(',').map(str::parse).collect::<Result<_, _>>()?);
            }
            "--mtu" => options.mtu = Some(value.parse()?),
            "--send" => options.send = Some(value),
            "--wait-data" => options.wait_data = value.parse()?,
            "--key-log" => options.key_log = Some(value),
            "--timeout" => options.timeout = Some(value.parse()?),
            _ => return Err(format!("unknown option {flag}").into()),
        }
    }
    Ok(options)
}

fn psk(text: &str) -> Anything<Psk> {
    let (identity, hex) = text.split_once('=').ok_or("--psk needs IDENTITY=HEX")?;
    let digits: Vec<u32> =
        hex.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>().ok_or("not hex")?;
    let bytes: Result<Vec<u8>, _> =
        digits.as_chunks().0.iter().map(|[high, low]| u8::try_from(high << 4 | low)).collect();
    Ok(Psk::new(identity.as_bytes(), &bytes?)?)
}

fn run(options: &Options) -> Anything<bool> {
    let certificate = match &options.cert_pem {
        Some(text) => Certificate::from_pem(text)?,
        None => Certificate::generate(SystemTime::now(), Certificate::DEFAULT_LIFETIME)?,
    };
    if let Some(path) = &options.cert_out {
        std::fs::write(path, certificate.chain().next().ok_or("no certificate")?)?;
    }
    println!("fingerprint {}", certificate.fingerprint(HashAlgorithm::Sha256));

    let peer = if options.accept_any {
        PeerPolicy::Application
    } else {
        PeerPolicy::Fingerprints(options.fingerprints.clone())
    };
    let default_profiles = vec![
        srtp_profile::AEAD_AES_128_GCM,
        srtp_profile::AEAD_AES_256_GCM,
        srtp_profile::AES128_CM_SHA1_80,
        srtp_profile::AES128_CM_SHA1_32,
    ];
    let config = Config {
        authentication: match &options.psk {
            Some(_) => Authentication::Psk { hint: options.psk_hint.clone().map(String::into_bytes) },
            None => Authentication::Certificates {
                own: vec![certificate],
                peer,
                require_peer: !options.accept_any,
            },
        },
        use_srtp: UseSrtp::Offered(options.profiles.clone().unwrap_or(default_profiles)),
        mtu: options.mtu.unwrap_or(1200),
        key_log: options.key_log.is_some(),
        ..Config::default()
    };

    let socket = UdpSocket::bind(options.local.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))))?;
    println!("listening {}", socket.local_addr()?);
    let now = Instant::now();
    let connection = if options.server {
        Connection::server(now, config)?
    } else {
        options.remote.ok_or("a client needs --remote")?;
        Connection::client(now, config)?
    };
    Peer { connection, socket, remote: options.remote, options, received: 0, sent: false }.run()
}

struct Peer<'o> {
    connection: Connection,
    socket: UdpSocket,
    remote: Option<SocketAddr>,
    options: &'o Options,
    received: usize,
    sent: bool,
}

impl Peer<'_> {
    fn run(mut self) -> Anything<bool> {
        let give_up = Instant::now() + Duration::from_secs(self.options.timeout.unwrap_or(20));
        self.connection.start(Instant::now(), None)?;
        let (mut datagram, mut buffer) = (Vec::new(), vec![0; 65_536]);
        loop {
            loop {
                self.send_and_close()?;
                let Some(event) = self.connection.poll_event() else { break };
                if let Some(success) = self.handle_event(event)? {
                    self.transmit(&mut datagram)?;
                    return Ok(success);
                }
            }
            self.transmit(&mut datagram)?;

            let now = Instant::now();
            if now >= give_up {
                println!("failed timeout");
                return Ok(false);
            }
            let deadline = self.connection.poll_timeout().map_or(give_up, |timeout| timeout.min(give_up));
            // The operating system treats a zero timeout as infinite.
            let wait = deadline.saturating_duration_since(now).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(wait))?;
            match self.socket.recv_from(&mut buffer) {
                Ok((len, from)) => {
                    self.remote.get_or_insert(from);
                    if let Some(received) = buffer.get_mut(..len) {
                        self.connection.handle_input(Instant::now(), received);
                    }
                }
                // A closed port responds with ICMP.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                Err(_) => self.connection.handle_timeout(Instant::now()),
            }
        }
    }

    /// Returns `Some` at the end of the connection.
    fn handle_event(&mut self, event: Event) -> Anything<Option<bool>> {
        match event {
            Event::CertificateReceived { chain } => {
                if let Some(leaf) = chain.first() {
                    println!("peer-fingerprint {}", Fingerprint::of(HashAlgorithm::Sha256, leaf));
                }
                self.connection.provide_certificate_verdict(Instant::now(), CertificateVerdict::Accept)?;
            }
            Event::PskRequested(request) => {
                println!("psk-requested {request:?}");
                self.connection.provide_psk(Instant::now(), self.options.psk.clone())?;
            }
            Event::Connected(negotiated) => {
                print!("connected {:?} {:?}", negotiated.version, negotiated.suite);
                negotiated.group.iter().for_each(|group| print!(" {group:?}"));
                println!();
                println!("srtp-profile {:?}", negotiated.srtp_profile);
                let mut exported = [0; 60];
                self.connection.export("EXTRACTOR-dtls_srtp", None, &mut exported)?;
                print!("keying-material ");
                for byte in exported {
                    print!("{byte:02X}");
                }
                println!();
            }
            Event::Data(data) => {
                self.received += 1;
                println!("data {}", String::from_utf8_lossy(&data).trim_end());
            }
            Event::KeyLog(line) => {
                if let Some(path) = &self.options.key_log {
                    use std::io::Write as _;
                    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
                    writeln!(file, "{line}")?;
                }
            }
            Event::PeerClosing => self.connection.close(Instant::now()),
            Event::Closed(by) => {
                println!("closed {by:?}");
                return Ok(Some(self.received >= self.options.wait_data));
            }
            Event::Failed(failure) => {
                println!("failed {failure}");
                return Ok(Some(false));
            }
            Event::FinalFlightReleased | Event::RekeyNeeded | Event::FreshClientHello => {
                println!("event {event:?}");
            }
        }
        Ok(None)
    }

    fn send_and_close(&mut self) -> Anything<()> {
        if !self.connection.is_connected() {
            return Ok(());
        }
        if !self.sent {
            self.sent = true;
            if let Some(text) = &self.options.send {
                self.connection.send(Instant::now(), format!("{text}\n").as_bytes())?;
            }
        }
        if self.received >= self.options.wait_data {
            self.connection.close(Instant::now());
        }
        Ok(())
    }

    fn transmit(&mut self, datagram: &mut Vec<u8>) -> Anything<()> {
        loop {
            datagram.clear();
            if self.connection.poll_transmit(datagram).is_none() {
                return Ok(());
            }
            if let Some(remote) = self.remote {
                match self.socket.send_to(datagram, remote) {
                    Err(error) if error.kind() != std::io::ErrorKind::ConnectionRefused => {
                        return Err(error.into());
                    }
                    _ => {}
                }
            }
        }
    }
}
