//! BoringSSL over one UDP socket: DTLS 1.2, 1.3 and both.
//!
//! The library of this package describes the command line and the printed lines.

use std::io::{self, Read, Write};
use std::net::UdpSocket;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use boring::ssl::{
    ErrorCode, HandshakeError, Ssl, SslContext, SslFiletype, SslMethod, SslRef, SslSignatureAlgorithm,
    SslStream, SslStreamBuilder, SslVerifyMode, SslVersion,
};
use dtls_peers::console::{self, Command, hexadecimal, say};
use dtls_peers::identity::{Identity, fingerprint};
use dtls_peers::options::{Credentials, Options, Role, Version};
use dtls_peers::{SRTP_LABEL, keying_material_len};
use foreign_types::ForeignTypeRef as _;

fn main() -> ExitCode {
    match Options::from_arguments().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say("failed", message.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let Credentials::Certificate { certificate, key } = &options.credentials else {
        return Err("BoringSSL has no suite with a pre-shared key and an AEAD".into());
    };
    let context = context(options, certificate, key)?;
    let identity = Identity::read(certificate, key)?;
    say("fingerprint", fingerprint(&identity.certificate));
    let socket = UdpSocket::bind(Options::LOCAL).map_err(|error| format!("no socket: {error}"))?;
    say("listening", socket.local_addr().map_err(said)?);
    let commands = console::commands();
    let remote = match options.role {
        Role::Client(remote) => remote,
        Role::Server => socket.peek_from(&mut [0; 2048]).map_err(said)?.1,
    };
    socket.connect(remote).map_err(said)?;
    socket.set_read_timeout(Some(TURN)).map_err(said)?;
    let mut ssl = Ssl::new(&context).map_err(said)?;
    ssl.set_mtu(u32::try_from(options.mtu).map_err(said)?).map_err(said)?;
    let mut stream = handshake(ssl, Datagrams(socket), options.role)?;
    announce(stream.ssl())?;
    loop {
        if let Ok(command) = commands.try_recv() {
            match command {
                Command::Send(text) => {
                    stream.ssl_write(text.as_bytes()).map_err(said)?;
                }
                Command::UpdateKeys => update_keys(stream.ssl())?,
                Command::Close => {
                    stream.shutdown().map_err(said)?;
                    say("closed", "Us");
                    return Ok(());
                }
            }
        }
        let mut data = [0; 2048];
        match stream.ssl_read(&mut data) {
            Ok(length) => say("data", String::from_utf8_lossy(&data[..length])),
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                stream.shutdown().map_err(said)?;
                say("closed", "Peer");
                return Ok(());
            }
            Err(error) if error.code() == ErrorCode::WANT_READ => on_time(stream.ssl())?,
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn context(options: &Options, certificate: &Path, key: &Path) -> Result<SslContext, String> {
    let mut builder = SslContext::builder(SslMethod::dtls()).map_err(said)?;
    let (lowest, highest) = match options.version {
        Version::Dtls12 => (SslVersion::DTLS1_2, SslVersion::DTLS1_2),
        Version::Dtls13 => (SslVersion::DTLS1_3, SslVersion::DTLS1_3),
        Version::Auto => (SslVersion::DTLS1_2, SslVersion::DTLS1_3),
    };
    builder.set_min_proto_version(Some(lowest)).map_err(said)?;
    builder.set_max_proto_version(Some(highest)).map_err(said)?;
    builder.set_certificate_file(certificate, SslFiletype::PEM).map_err(said)?;
    builder.set_private_key_file(key, SslFiletype::PEM).map_err(said)?;
    // The harness compares fingerprints; here any certificate with a valid signature is accepted.
    builder.set_custom_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |_| Ok(()));
    builder.set_verify_algorithm_prefs(SIGNATURES).map_err(said)?;
    let profiles: Vec<_> = match &options.profiles {
        Some(ids) => ids.iter().map(|id| profile_name(*id)).collect::<Result<_, _>>()?,
        None => [7, 8, 1, 2].into_iter().map(profile_name).collect::<Result<_, _>>()?,
    };
    builder.set_tlsext_use_srtp(&profiles.join(":")).map_err(said)?;
    if let Some(names) = &options.groups {
        let groups: Vec<_> = names.iter().map(|name| group(name)).collect::<Result<_, _>>()?;
        builder.set_curves_list(&groups.join(":")).map_err(said)?;
    }
    if options.cookie && options.role == Role::Server {
        return Err("BoringSSL as a server asks for no cookie".into());
    }
    Ok(builder.build())
}

fn handshake(ssl: Ssl, datagrams: Datagrams, role: Role) -> Result<SslStream<Datagrams>, String> {
    let builder = SslStreamBuilder::new(ssl, datagrams);
    let mut pending = match role {
        Role::Client(_) => builder.setup_connect(),
        Role::Server => builder.setup_accept(),
    };
    loop {
        match pending.handshake() {
            Ok(stream) => return Ok(stream),
            Err(HandshakeError::WouldBlock(waiting)) => {
                on_time(waiting.ssl())?;
                pending = waiting;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn announce(ssl: &SslRef) -> Result<(), String> {
    let version = if ssl.version2() == Some(SslVersion::DTLS1_3) { "DTLS1.3" } else { "DTLS1.2" };
    let suite = ssl.current_cipher().and_then(|cipher| cipher.standard_name()).unwrap_or_default();
    let certificate = ssl.peer_certificate().ok_or("no certificate")?;
    say("peer-fingerprint", fingerprint(&certificate.to_der().map_err(said)?));
    say("connected", format_args!("{version} {suite} {}", ssl.curve_name().unwrap_or_default()));
    let Some(profile) = ssl.selected_srtp_profile() else {
        say("srtp-profile", "none");
        return Ok(());
    };
    let profile = u16::try_from(profile.id().as_raw()).map_err(said)?;
    say("srtp-profile", profile);
    let mut keys = vec![0; keying_material_len(profile)];
    ssl.export_keying_material(&mut keys, SRTP_LABEL, None).map_err(said)?;
    say("keying-material", hexadecimal(&keys, ""));
    Ok(())
}

/// Retransmits what is due.
#[expect(unsafe_code, reason = "the crate has no safe form of DTLSv1_handle_timeout")]
fn on_time(ssl: &SslRef) -> Result<(), String> {
    // SAFETY: the pointer is that of a live SSL object, and this thread is the only one that uses it.
    match unsafe { boring_sys::DTLSv1_handle_timeout(ssl.as_ptr()) } {
        -1 => Err("a flight cannot be sent again".into()),
        _ => Ok(()),
    }
}

/// New keys, with a request that the other side updates its keys too (RFC 9147 section 8).
#[expect(unsafe_code, reason = "the crate has no safe form of SSL_key_update")]
fn update_keys(ssl: &SslRef) -> Result<(), String> {
    // SAFETY: as above.
    match unsafe { boring_sys::SSL_key_update(ssl.as_ptr(), boring_sys::SSL_KEY_UPDATE_REQUESTED) } {
        1 => Ok(()),
        _ => Err("BoringSSL does not update its keys".into()),
    }
}

/// A connected socket: each read and each write is a datagram.
#[derive(Debug)]
struct Datagrams(UdpSocket);

impl Read for Datagrams {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.recv(buffer) {
            // A closed port answers with an ICMP error.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            other => other,
        }
    }
}

impl Write for Datagrams {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        // A datagram that cannot be sent counts as lost in transit.
        let _ = self.0.send(datagram);
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn group(name: &str) -> Result<&'static str, String> {
    match name {
        "x25519" => Ok("X25519"),
        "p256" => Ok("P-256"),
        "p384" => Ok("P-384"),
        "x25519mlkem768" => Ok("X25519MLKEM768"),
        _ => Err(format!("no group {name}")),
    }
}

fn profile_name(id: u16) -> Result<&'static str, String> {
    match id {
        1 => Ok("SRTP_AES128_CM_SHA1_80"),
        2 => Ok("SRTP_AES128_CM_SHA1_32"),
        7 => Ok("SRTP_AEAD_AES_128_GCM"),
        8 => Ok("SRTP_AEAD_AES_256_GCM"),
        _ => Err(format!("no profile {id}")),
    }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// BoringSSL's own list lacks Ed25519.
const SIGNATURES: &[SslSignatureAlgorithm] = &[
    SslSignatureAlgorithm::ECDSA_SECP256R1_SHA256,
    SslSignatureAlgorithm::ED25519,
    SslSignatureAlgorithm::RSA_PSS_RSAE_SHA256,
    SslSignatureAlgorithm::RSA_PKCS1_SHA256,
    SslSignatureAlgorithm::ECDSA_SECP384R1_SHA384,
    SslSignatureAlgorithm::RSA_PSS_RSAE_SHA384,
    SslSignatureAlgorithm::RSA_PKCS1_SHA384,
];

/// The longest delay of standard input and timers.
const TURN: Duration = Duration::from_millis(5);
