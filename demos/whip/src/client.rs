//! A WHIP client for the tests: minimal HTTP against a server of its own.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::http::{self, FRAGMENT, Reached, SDP};
use crate::server::Server;

/// A client that opens a connection for each request.
pub(crate) struct Client(SocketAddr);

/// A response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> String {
        let prefix = format!("{name}: ");
        let line = self.head.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head)).to_owned()
    }
}

impl Client {
    pub(crate) async fn of_a_new_server() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (server, media) = Server::bind(address.ip(), 0).unwrap();
        tokio::spawn(server.run());
        let service = http::router(media).into_make_service_with_connect_info::<Reached>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self(address)
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut stream = TcpStream::connect(self.0).await.unwrap();
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let lines = lines.concat();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n{lines}\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) async fn offer(&self, offer: &str) -> Answer {
        self.request("POST", "/whip", &[("Content-Type", SDP)], offer).await
    }

    pub(crate) async fn patch(&self, path: &str, tag: Option<&str>, fragment: &str) -> Answer {
        let mut headers = vec![("Content-Type", FRAGMENT)];
        headers.extend(tag.map(|tag| ("If-Match", tag)));
        self.request("PATCH", path, &headers, fragment).await
    }
}
