//! dimpl over one UDP socket: DTLS 1.2, 1.3 and both.
//!
//! The library of this package describes the command line and the printed lines.

use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, NamedGroup, Output, ProtocolVersion, PskResolver, SrtpProfile};
use dtls_peers::console::{self, Command, hexadecimal, say};
use dtls_peers::identity::{Identity, fingerprint};
use dtls_peers::options::{Credentials, Options, Role, Version};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    match Options::from_arguments().and_then(|options| Peer::start(&options)).and_then(Peer::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say("failed", message);
            ExitCode::FAILURE
        }
    }
}

struct Peer {
    dtls: Dtls,
    socket: UdpSocket,
    remote: Option<SocketAddr>,
    commands: Receiver<Command>,
    /// dimpl's next deadline.
    due: Option<Instant>,
    /// The SRTP profile and its keys, as dimpl exported them.
    exported: Option<(SrtpProfile, String)>,
    handshake: Handshake,
    closing: bool,
}

#[derive(PartialEq, Eq)]
enum Handshake {
    Running,
    Complete,
    Announced,
}

/// The result of one round of output.
#[derive(PartialEq, Eq)]
enum Round {
    GoesOn,
    ClosedByPeer,
}

impl Peer {
    fn start(options: &Options) -> Result<Self, String> {
        if options.profiles.is_some() {
            return Err("dimpl has its own list of SRTP profiles".into());
        }
        let mut config = Config::builder().mtu(options.mtu).use_server_cookie(options.cookie);
        if let Some(names) = &options.groups {
            let groups: Vec<_> = names.iter().map(|name| group(name)).collect::<Result<_, _>>()?;
            config = config.kx_groups(&groups);
        }
        let mut certificate = None;
        match &options.credentials {
            Credentials::Certificate { certificate: path, key } => {
                let identity = Identity::read(path, key)?;
                say("fingerprint", fingerprint(&identity.certificate));
                let (own, private_key) = (identity.certificate, identity.key);
                certificate = Some(DtlsCertificate { certificate: own, private_key });
            }
            Credentials::Psk { identity, key, hint } => {
                let known = Arc::new(KnownKey { identity: identity.clone().into(), key: key.clone() });
                config = match options.role {
                    Role::Client(_) => config.with_psk_client(identity.clone().into(), known),
                    Role::Server => config.with_psk_server(hint.clone().map(Into::into), known),
                };
            }
        }
        let config = Arc::new(config.build().map_err(|error| format!("configuration: {error}"))?);
        let now = Instant::now();
        let build = || match (certificate, options.version) {
            (None, _) => Dtls::new_12_psk(config, now),
            (Some(certificate), Version::Dtls12) => Dtls::new_12(config, certificate, now),
            (Some(certificate), Version::Dtls13) => Dtls::new_13(config, certificate, now),
            (Some(certificate), Version::Auto) => Dtls::new_auto(config, certificate, now),
        };
        // dimpl panics on a key that it does not support.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(build));
        let mut dtls = outcome.map_err(|_| "dimpl does not take this certificate")?;
        let socket = UdpSocket::bind(Options::LOCAL).map_err(|error| format!("no socket: {error}"))?;
        let local = socket.local_addr().map_err(|error| error.to_string())?;
        say("listening", local);
        let remote = match options.role {
            Role::Client(remote) => {
                dtls.set_active(true);
                Some(remote)
            }
            Role::Server => None,
        };
        let commands = console::commands();
        let (due, exported, handshake) = (None, None, Handshake::Running);
        Ok(Self { dtls, socket, remote, commands, due, exported, handshake, closing: false })
    }

    fn run(mut self) -> Result<(), String> {
        let mut buffer = vec![0; 2048];
        self.at(Instant::now())?;
        loop {
            if self.output(&mut buffer)? == Round::ClosedByPeer {
                // The answer to close_notify is among the remaining output.
                self.output(&mut buffer)?;
                say("closed", "Peer");
                return Ok(());
            }
            if self.closing {
                say("closed", "Us");
                return Ok(());
            }
            if let Ok(command) = self.commands.try_recv() {
                self.at(Instant::now())?;
                self.obey(command)?;
                continue;
            }
            let now = Instant::now();
            let wait = self.due.map_or(TURN, |due| due.saturating_duration_since(now));
            let wait = wait.clamp(Duration::from_millis(1), TURN);
            self.socket.set_read_timeout(Some(wait)).map_err(|error| error.to_string())?;
            let received = self.socket.recv_from(&mut buffer);
            self.at(Instant::now())?;
            if let Ok((length, source)) = received {
                self.remote.get_or_insert(source);
                self.dtls.handle_packet(&buffer[..length]).map_err(|error| error.to_string())?;
            }
        }
    }

    fn at(&mut self, now: Instant) -> Result<(), String> {
        self.dtls.handle_timeout(now).map_err(|error| error.to_string())
    }

    /// Takes all output of dimpl, up to its next deadline.
    fn output(&mut self, buffer: &mut Vec<u8>) -> Result<Round, String> {
        let mut round = Round::GoesOn;
        loop {
            match self.dtls.poll_output(buffer) {
                Output::Packet(datagram) => {
                    let remote = self.remote.ok_or("it sends before the peer is known")?;
                    // A refused datagram counts as lost.
                    let _ = self.socket.send_to(datagram, remote);
                }
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::PeerCert(certificate) => say("peer-fingerprint", fingerprint(certificate)),
                Output::KeyingMaterial(keys, profile) => {
                    self.exported = Some((profile, hexadecimal(&keys, "")));
                }
                Output::Connected => self.handshake = Handshake::Complete,
                Output::ApplicationData(data) => say("data", String::from_utf8_lossy(data)),
                Output::CloseNotify => round = Round::ClosedByPeer,
                Output::Timeout(due) => {
                    self.due = Some(due);
                    self.announce()?;
                    return Ok(round);
                }
                other => return Err(format!("an output that is new to us: {other:?}")),
            }
        }
    }

    /// Prints what was negotiated, once the round in which the handshake completed is over.
    fn announce(&mut self) -> Result<(), String> {
        if self.handshake != Handshake::Complete {
            return Ok(());
        }
        self.handshake = Handshake::Announced;
        let version = self.dtls.protocol_version().ok_or("connected, and no version")?;
        say("connected", if version == ProtocolVersion::DTLS1_3 { "DTLS1.3" } else { "DTLS1.2" });
        match &self.exported {
            Some((profile, keys)) => {
                say("srtp-profile", profile_id(*profile)?);
                say("keying-material", keys);
            }
            None => say("srtp-profile", "none"),
        }
        Ok(())
    }

    fn obey(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Send(text) => {
                let sent = self.dtls.send_application_data(text.as_bytes());
                sent.map(|_| ()).map_err(|error| error.to_string())
            }
            Command::Close => {
                self.closing = true;
                self.dtls.close().map_err(|error| error.to_string())
            }
            Command::UpdateKeys => Err("dimpl updates its keys when it thinks fit".into()),
        }
    }
}

/// The only pre-shared key.
struct KnownKey {
    identity: Vec<u8>,
    key: Vec<u8>,
}

impl PskResolver for KnownKey {
    fn resolve(&self, identity: &[u8]) -> Option<Vec<u8>> {
        (identity == self.identity).then(|| self.key.clone())
    }
}

fn group(name: &str) -> Result<NamedGroup, String> {
    match name {
        "x25519" => Ok(NamedGroup::X25519),
        "p256" => Ok(NamedGroup::Secp256r1),
        "p384" => Ok(NamedGroup::Secp384r1),
        _ => Err(format!("dimpl has no group {name}")),
    }
}

/// As registered (RFC 5764, RFC 7714).
fn profile_id(profile: SrtpProfile) -> Result<u16, String> {
    match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Ok(1),
        SrtpProfile::AEAD_AES_128_GCM => Ok(7),
        SrtpProfile::AEAD_AES_256_GCM => Ok(8),
        other => Err(format!("the profile {other} is new to us")),
    }
}

/// The longest delay of standard input.
const TURN: Duration = Duration::from_millis(10);
