//! An echo server over WHIP: a browser's media through every layer and back, with a page without a build step.
//!
//! `http` implements RFC 9725, `server` owns the driver and the sessions, `sdp` parses offers and writes answers,
//! `echo` returns the packets. Run it with `cargo xtask demo --serve` and open the address.

#[cfg(test)]
mod call;
#[cfg(test)]
mod client;
mod command;
mod echo;
mod http;
mod reception;
mod rtcp;
mod sdp;
mod server;
mod session;

use std::error::Error;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

const HELP: &str = "\
Echo over WHIP: open the printed address in a browser.

    --listen ADDR    address and port of the web server     [127.0.0.1:8080]
    --port PORT      port of the web server; 0 selects a free one
    --media-port N   UDP port of the media; 0 selects a free one           [0]
    --help           this text

The page needs no camera and no microphone. Any WHIP client (RFC 9725) may POST an offer
of Opus and VP8 to /whip; the server echoes its media if the offer is sendrecv.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::from_arguments(std::env::args().skip(1))? else {
        println!("{HELP}");
        return Ok(());
    };
    let listener = tokio::net::TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error} (try --port 0)", options.listen))?;
    let address = listener.local_addr()?;
    let (server, media) = server::Server::bind(address.ip(), options.media_port)?;
    println!("listening on http://{}", openable(address));
    std::io::stdout().flush()?;

    let router = http::router(media).into_make_service_with_connect_info::<http::Reached>();
    let web =
        tokio::spawn(
            async move { axum::serve(listener, router).with_graceful_shutdown(interrupted()).await },
        );
    // The media server ends with its last handle, which the web server owns.
    server.run().await?;
    Ok(web.await??)
}

/// The options of the command line.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    listen: SocketAddr,
    media_port: u16,
}

impl Options {
    /// Returns `None` if help was requested.
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, Box<dyn Error>> {
        let mut options = Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)), media_port: 0 };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--listen" => options.listen = value()?.parse()?,
                "--port" => options.listen.set_port(value()?.parse()?),
                "--media-port" => options.media_port = value()?.parse()?,
                other => return Err(format!("unknown argument {other}; --help lists the options").into()),
            }
        }
        Ok(Some(options))
    }
}

/// Returns an address that a browser can open, which a wildcard is not.
fn openable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Waits for Ctrl-C. If the system does not support that, waits without end.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
