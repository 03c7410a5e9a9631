//! BoringSSL, the stack of Chromium, through the `boring` crate.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::rc::Rc;

use boring::pkey::PKey;
use boring::ssl::{
    ErrorCode, HandshakeError, MidHandshakeSslStream, Ssl, SslAlert, SslContext, SslMethod, SslOptions,
    SslSessionCacheMode, SslStream, SslStreamBuilder, SslVerifyError, SslVerifyMode, SslVersion,
};
use boring::x509::X509;

use super::fixture::{
    Fixture, Identity, KEYING_MATERIAL_LEN, Preferred, SRTP_LABEL, Setting, Version, fingerprint,
};
use super::{BORINGSSL, Stack, Wire};

pub(super) struct Boring {
    client: SslContext,
    server: SslContext,
    mtu: u16,
}

pub(super) struct Prepared {
    client: MidHandshakeSslStream<End>,
    server: MidHandshakeSslStream<End>,
    sent: [Rc<RefCell<Datagrams>>; 2],
}

pub(super) struct Pair {
    client: SslStream<End>,
    server: SslStream<End>,
    buffer: Vec<u8>,
}

impl Boring {
    pub(super) fn new(fixture: &Fixture, setting: Setting) -> Self {
        let context = |own: &Identity, peer: &Identity| context(own, peer, setting);
        Self {
            client: context(&fixture.client, &fixture.server),
            server: context(&fixture.server, &fixture.client),
            mtu: setting.mtu,
        }
    }

    fn ssl(&self, context: &SslContext) -> Ssl {
        let mut ssl = Ssl::new(context).expect("an SSL object");
        ssl.set_mtu(self.mtu.into()).expect("an MTU");
        ssl
    }
}

fn context(own: &Identity, peer: &Identity, setting: Setting) -> SslContext {
    let mut builder = SslContext::builder(SslMethod::dtls()).expect("a context");
    let version = match setting.version {
        Version::Dtls12 => SslVersion::DTLS1_2,
        Version::Dtls13 => SslVersion::DTLS1_3,
    };
    builder.set_min_proto_version(Some(version)).expect("a version");
    builder.set_max_proto_version(Some(version)).expect("a version");
    builder.set_certificate(&X509::from_der(&own.certificate).expect("a certificate")).expect("it fits");
    let key = PKey::private_key_from_der(&own.key).expect("a key");
    builder.set_private_key(&key).expect("the certificate's key");
    let groups = match setting.preferred {
        Preferred::X25519 => "X25519:P-256",
        Preferred::X25519MlKem768 => "X25519MLKEM768:X25519:P-256",
    };
    builder.set_curves_list(groups).expect("groups");
    builder.set_tlsext_use_srtp(SRTP_PROFILES).expect("profiles");
    // No other stack here makes resumable sessions.
    builder.set_options(SslOptions::NO_TICKET);
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    let expected = peer.fingerprint();
    let mode = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    builder.set_custom_verify_callback(mode, move |ssl| {
        let certificate = ssl.peer_certificate().and_then(|certificate| certificate.to_der().ok());
        match certificate {
            Some(der) if fingerprint(&der) == expected => Ok(()),
            _ => Err(SslVerifyError::Invalid(SslAlert::BAD_CERTIFICATE)),
        }
    });
    builder.build()
}

impl Stack for Boring {
    const NAME: &'static str = BORINGSSL;
    type Prepared = Prepared;
    type Pair = Pair;

    fn prepare(&self) -> Prepared {
        let sent = [Rc::default(), Rc::default()];
        let [by_client, by_server] = &sent;
        let client_end = End { reads: Rc::clone(by_server), writes: Rc::clone(by_client) };
        let server_end = End { reads: Rc::clone(by_client), writes: Rc::clone(by_server) };
        Prepared {
            client: SslStreamBuilder::new(self.ssl(&self.client), client_end).setup_connect(),
            server: SslStreamBuilder::new(self.ssl(&self.server), server_end).setup_accept(),
            sent,
        }
    }

    fn connect(&self, Prepared { client, server, sent }: Prepared, wire: &mut Wire) -> Pair {
        let (mut client, mut server) = (Side::Handshaking(client), Side::Handshaking(server));
        let mut buffer = vec![0; 2_048];
        loop {
            client = client.advance(&mut buffer);
            server = server.advance(&mut buffer);
            if sent.iter().all(|datagrams| datagrams.borrow().lengths.is_empty()) {
                break;
            }
        }
        let (Side::Connected(client), Side::Connected(server)) = (client, server) else {
            panic!("a handshake that does not end");
        };
        for stream in [&client, &server] {
            let mut keys = [0; KEYING_MATERIAL_LEN];
            stream.ssl().export_keying_material(&mut keys, SRTP_LABEL, None).expect("keying material");
            black_box(keys);
        }
        for datagrams in sent {
            let carried = datagrams.borrow().carried;
            wire.datagrams += carried.datagrams;
            wire.bytes += carried.bytes;
        }
        Pair { client, server, buffer }
    }

    fn deliver(pair: &mut Pair, data: &[u8]) {
        let Pair { client, server, buffer } = pair;
        assert_eq!(client.ssl_write(data).ok(), Some(data.len()), "data that fits");
        assert_eq!(server.ssl_read(buffer).ok(), Some(data.len()), "the data of this datagram");
        black_box(&buffer);
    }
}

enum Side {
    Handshaking(MidHandshakeSslStream<End>),
    Connected(SslStream<End>),
}

impl Side {
    /// Reads the datagrams that wait for it.
    fn advance(self, buffer: &mut [u8]) -> Self {
        match self {
            Self::Handshaking(stream) => match stream.handshake() {
                Ok(stream) => Self::Connected(stream),
                Err(HandshakeError::WouldBlock(stream)) => Self::Handshaking(stream),
                Err(error) => panic!("BoringSSL fails: {error}"),
            },
            Self::Connected(mut stream) => {
                let nothing = stream.ssl_read(buffer).expect_err("no data before any was sent");
                assert_eq!(nothing.code(), ErrorCode::WANT_READ);
                Self::Connected(stream)
            }
        }
    }
}

/// One direction of the wire, in one buffer.
#[derive(Debug, Default)]
struct Datagrams {
    bytes: VecDeque<u8>,
    lengths: VecDeque<usize>,
    carried: Wire,
}

/// One end of the wire: each read and each write is a datagram.
#[derive(Debug)]
struct End {
    reads: Rc<RefCell<Datagrams>>,
    writes: Rc<RefCell<Datagrams>>,
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut datagrams = self.reads.borrow_mut();
        let Some(length) = datagrams.lengths.pop_front() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        datagrams.bytes.read_exact(&mut buffer[..length])?;
        Ok(length)
    }
}

impl Write for End {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        let mut datagrams = self.writes.borrow_mut();
        datagrams.bytes.extend(datagram);
        datagrams.lengths.push_back(datagram.len());
        datagrams.carried.carry(datagram);
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As ours offers them.
const SRTP_PROFILES: &str =
    "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80:SRTP_AES128_CM_SHA1_32";
