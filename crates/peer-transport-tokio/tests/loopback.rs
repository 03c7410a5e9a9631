//! Drivers over loopback sockets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use peer_transport::{Candidate, Config, DescriptionKind, Event, Media, PeerId, State};
use peer_transport_tokio::{Driver, DriverSendError, Next, ReceiveBuffer};

/// A driver with one peer, and its observations.
struct Side {
    driver: Driver,
    buffer: ReceiveBuffer,
    peer: PeerId,
    addresses: Vec<SocketAddr>,
    events: Vec<Event>,
    /// The sequence numbers of the received RTP packets, in order.
    received: Vec<u16>,
    over: bool,
}

impl Side {
    /// Binds `bound` and announces `announced` with the resulting port.
    fn new(bound: &str, announced: &[&str]) -> Self {
        let socket = UdpSocket::bind(bound).unwrap();
        let port = socket.local_addr().unwrap().port();
        let mut driver = Driver::new(vec![socket], peer_transport_tokio::DriverConfig::default()).unwrap();
        let peer = driver.add_peer(Config::default(), Vec::new()).unwrap();
        let addresses: Vec<SocketAddr> =
            announced.iter().map(|ip| SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port)).collect();
        for address in &addresses {
            let candidate = Candidate::host(*address).unwrap();
            driver.peer_mut(peer).unwrap().add_local_candidate(Instant::now(), candidate).unwrap();
        }
        Self {
            driver,
            buffer: ReceiveBuffer::new(),
            peer,
            addresses,
            events: Vec::new(),
            received: Vec::new(),
            over: false,
        }
    }

    fn state(&self) -> State {
        self.driver.peer(self.peer).unwrap().state()
    }

    fn selected_remote(&self) -> SocketAddr {
        self.driver.peer(self.peer).unwrap().selected_pair().unwrap().path.remote()
    }

    /// Passes the description of `other` through signalling.
    fn learn(&mut self, kind: DescriptionKind, other: &Side) {
        let now = Instant::now();
        let theirs = other.driver.peer(other.peer).unwrap().local_parameters();
        let mut peer = self.driver.peer_mut(self.peer).unwrap();
        peer.set_remote_parameters(now, kind, theirs).unwrap();
        for address in &other.addresses {
            peer.add_remote_candidate(now, Candidate::host(*address).unwrap(), None).unwrap();
        }
    }

    fn send(&mut self, sequence_number: u16) -> Result<(), DriverSendError> {
        let [high, low] = sequence_number.to_be_bytes();
        let header = [0x80, 96, high, low, 0, 0, 0, 1, 0, 0, 0, 7];
        self.driver.send_rtp(self.peer, &header, &[0xab; 1000])
    }

    async fn turn(&mut self) {
        match self.driver.next(&mut self.buffer).await.unwrap() {
            Some(Next::Media(_, Media::Rtp(packet))) => self.received.push(packet.header().sequence_number()),
            Some(Next::Event(_, event)) => self.events.push(event),
            Some(_) => panic!("only RTP is expected"),
            None => self.over = true,
        }
    }
}

/// Drives both sides until `done`.
#[track_caller]
fn until<'s>(
    what: &'s str,
    (one, other): (&'s mut Side, &'s mut Side),
    done: impl Fn(&Side, &Side) -> bool + 's,
) -> impl Future<Output = ()> + 's {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(one, other) {
            let turn = async {
                tokio::select! {
                    () = one.turn(), if !one.over => {}
                    () = other.turn(), if !other.over => {}
                }
            };
            let _ = tokio::time::timeout(Duration::from_millis(50), turn).await;
            assert!(Instant::now() < deadline, "{caller}: {what}\n{:?}\n{:?}", one.events, other.events);
        }
    }
}

async fn connect(one: &mut Side, other: &mut Side) {
    other.learn(DescriptionKind::Offer, one);
    one.learn(DescriptionKind::Answer, other);
    let connected = |one: &Side, other: &Side| {
        [one, other].iter().all(|side| {
            side.state() == State::Connected
                && side.driver.peer(side.peer).unwrap().selected_pair().is_some()
                && side.events.iter().any(|event| matches!(event, Event::KeysChanged { .. }))
        })
    };
    until("both connect", (one, other), connected).await;
}

async fn connected() -> (Side, Side) {
    let mut one = Side::new("127.0.0.1:0", &["127.0.0.1"]);
    let mut other = Side::new("127.0.0.1:0", &["127.0.0.1"]);
    connect(&mut one, &mut other).await;
    (one, other)
}

#[tokio::test]
async fn media_arrives_in_order() {
    let (mut one, mut other) = connected().await;
    for sequence_number in 0..50 {
        one.send(sequence_number).unwrap();
        until("the packet", (&mut one, &mut other), |_, other| {
            other.received.len() > usize::from(sequence_number)
        })
        .await;
    }
    assert_eq!(other.received, (0..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn burst_needs_fewer_system_calls_than_packets() {
    let (mut one, mut other) = connected().await;
    let (before_one, before_other) = (one.driver.stats(), other.driver.stats());
    // As many as fit into the smallest default socket buffer, one by one.
    for sequence_number in 0..60 {
        one.send(sequence_number).unwrap();
    }
    until("the burst", (&mut one, &mut other), |_, other| other.received.len() == 60).await;
    assert_eq!(other.received, (0..60).collect::<Vec<_>>());
    let sent = one.driver.stats().sent.datagrams - before_one.sent.datagrams;
    assert!(sent >= 60, "{sent}");
    // Other systems may have no offload.
    if cfg!(target_os = "linux") {
        let sends = one.driver.stats().send_calls - before_one.send_calls;
        let receives = other.driver.stats().receive_calls - before_other.receive_calls;
        assert!(sends < 20 && receives < 20, "{sends} calls to send, {receives} to receive");
    }
}

#[tokio::test]
async fn wildcard_socket_responds_from_the_contacted_address() {
    let mut one = Side::new("127.0.0.1:0", &["127.0.0.1"]);
    // On Linux the whole of 127/8 is local; elsewhere only the first address is.
    let asked = if cfg!(target_os = "linux") { "127.0.0.9" } else { "127.0.0.1" };
    let mut other = Side::new("0.0.0.0:0", &[asked]);
    connect(&mut one, &mut other).await;
    assert_eq!(one.selected_remote(), other.addresses[0]);
    one.send(1).unwrap();
    other.send(2).unwrap();
    until("a packet each way", (&mut one, &mut other), |one, other| {
        one.received == [2] && other.received == [1]
    })
    .await;
}

#[tokio::test]
async fn ipv6_wildcard_socket_serves_ipv4() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6");
        return;
    }
    for ip in ["127.0.0.1", "::1"] {
        let mut one = Side::new(&SocketAddr::new(ip.parse().unwrap(), 0).to_string(), &[ip]);
        let mut other = Side::new("[::]:0", &["127.0.0.1", "::1"]);
        connect(&mut one, &mut other).await;
        assert_eq!(one.selected_remote().ip(), ip.parse::<IpAddr>().unwrap());
        one.send(1).unwrap();
        other.send(2).unwrap();
        until("a packet each way", (&mut one, &mut other), |one, other| {
            one.received == [2] && other.received == [1]
        })
        .await;
    }
}

#[tokio::test]
async fn cancelled_next_loses_nothing() {
    let (mut one, mut other) = connected().await;
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut cancelled = 0;
    for sequence_number in 0..100 {
        one.send(sequence_number).unwrap();
        if sequence_number % 10 == 9 {
            one.driver.flush();
        }
        // Polled once, and dropped where it waits.
        for _ in 0..2 {
            let turn = tokio::time::timeout(Duration::ZERO, other.turn()).await;
            cancelled += usize::from(turn.is_err());
        }
    }
    while other.received.len() < 100 {
        let _ = tokio::time::timeout(Duration::from_millis(10), other.turn()).await;
        assert!(Instant::now() < deadline, "{} of 100", other.received.len());
    }
    assert!(cancelled > 10, "{cancelled}");
    assert_eq!(other.received, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn unreachable_addresses_do_not_end_the_driver() {
    let mut one = Side::new("127.0.0.1:0", &["127.0.0.1"]);
    let mut other = Side::new("127.0.0.1:0", &["127.0.0.1"]);
    // A documentation address, which a socket bound to loopback cannot reach, and a port without a socket.
    other.addresses.insert(0, "192.0.2.1:9".parse().unwrap());
    other.addresses.insert(1, "127.0.0.1:9".parse().unwrap());
    connect(&mut one, &mut other).await;
    one.send(1).unwrap();
    until("the packet", (&mut one, &mut other), |_, other| other.received == [1]).await;
    let stats = one.driver.stats();
    assert!(stats.unreachable + stats.refused > 0, "{stats:?}");
}

#[tokio::test]
async fn shutdown_reaches_the_other_side_and_ends_next() {
    let (mut one, mut other) = connected().await;
    one.driver.shutdown();
    until("the end", (&mut one, &mut other), |one, other| one.over && other.state() == State::Closed).await;
    assert!(one.driver.next(&mut one.buffer).await.unwrap().is_none(), "next stays ended");
    assert_eq!(one.send(1), Err(DriverSendError::Refused(peer_transport::SendError::NotConnected)));
}

#[tokio::test]
async fn packet_before_the_connection_is_refused() {
    let mut one = Side::new("127.0.0.1:0", &["127.0.0.1"]);
    assert_eq!(one.send(1), Err(DriverSendError::Refused(peer_transport::SendError::NotConnected)));
    assert_eq!(one.driver.stats().sent.datagrams, 0);
}

#[tokio::test]
async fn one_payload_reaches_all_connected_peers() {
    let (mut one, mut other) = connected().await;
    let stranger = one.driver.add_peer(Config::default(), Vec::new()).unwrap();
    let to = [one.peer, stranger];
    let refused = one.driver.send_rtp_to_many(to, &[1; 100], |_, header| {
        header.extend([0x80, 96, 0, 9, 0, 0, 0, 1, 0, 0, 0, 7]);
    });
    assert_eq!(refused, [(stranger, DriverSendError::Refused(peer_transport::SendError::NotConnected))]);
    until("the packet", (&mut one, &mut other), |_, other| other.received == [9]).await;
}

#[tokio::test]
async fn detached_sender_sends_through_the_driver() {
    let (mut one, mut other) = connected().await;
    let mut sender = one.driver.peer_mut(one.peer).unwrap().detach_outbound(Instant::now()).unwrap();
    let protected = std::thread::spawn(move || {
        let mut out = Vec::new();
        let header = [0x80, 96, 0, 5, 0, 0, 0, 1, 0, 0, 0, 7];
        let transmit = sender.protect_rtp(Instant::now(), &header, &[3; 100], &mut out).unwrap();
        (transmit, out)
    });
    let (transmit, bytes) = protected.join().unwrap();
    one.driver.send_protected(&transmit, transmit.bytes(&bytes)).unwrap();
    until("the packet", (&mut one, &mut other), |_, other| other.received == [5]).await;
    assert_eq!(one.send(6), Err(DriverSendError::Refused(peer_transport::SendError::Detached)));
}

#[test]
fn driver_without_runtime_is_an_error() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let error = Driver::new(vec![socket], peer_transport_tokio::DriverConfig::default()).unwrap_err();
    assert!(error.to_string().contains("runtime"), "{error}");
}

#[test]
fn driver_and_its_futures_are_send() {
    fn types_are_send<T: Send>() {}
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn check(driver: &mut Driver, buffer: &mut ReceiveBuffer) {
        drop(is_send(driver.next(buffer)));
    }
    let _: fn(&mut Driver, &mut ReceiveBuffer) = check;
    types_are_send::<Driver>();
    types_are_send::<ReceiveBuffer>();
}
