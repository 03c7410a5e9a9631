//! Expiry of local certificates.

mod pair;

use std::time::{Duration, SystemTime};

use pair::{Alice, Pair};
use peer_transport::{
    Certificate, Config, Event, PeerTransport, RestartCertificates, RestartOptions, Seed, State, WallClock,
};

const DAY: Duration = Duration::from_secs(24 * 3600);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
const SOON: Duration = Duration::from_secs(20);

/// A configuration under which the expiry of Alice's certificate is reported after `left`.
fn reported_after(left: Duration) -> Config {
    let date = pair::today() + MONTH - DAY - left;
    Config { wall_clock: Some(WallClock::new(pair::start(), date)), ..Config::default() }
}

fn reported_expiries(pair: &Pair) -> Vec<SystemTime> {
    let reported_expiries = pair.peer(Alice).events.iter().filter_map(|event| match event {
        Event::CertificateExpiring { not_after, .. } => Some(*not_after),
        _ => None,
    });
    reported_expiries.collect()
}

fn connected(config: Config) -> Pair {
    let mut pair = Pair::with(config, Config::default());
    pair.signal(Alice);
    pair.run_until("both are connected", |pair| pair.both(State::Connected));
    pair
}

#[test]
fn certificate_expiry_is_reported_once_a_day_ahead() {
    let mut pair = connected(reported_after(SOON));
    pair.run_for(SOON.saturating_sub(Duration::from_secs(2)));
    assert!(reported_expiries(&pair).is_empty());
    pair.run_for(Duration::from_secs(2));
    assert_eq!(reported_expiries(&pair), [pair::today() + MONTH]);
    pair.run_for(SOON);
    assert_eq!(reported_expiries(&pair).len(), 1);
    assert!(pair.both(State::Connected));
}

#[test]
fn rotated_certificate_reports_its_own_expiry() {
    let mut pair = connected(reported_after(SOON));
    pair.run_for(SOON);
    let next = Certificate::generate(pair::today() + SOON, MONTH).unwrap();
    let certificates = RestartCertificates::Rotate(vec![next.clone()]);
    pair.restart(Alice, RestartOptions { certificates, ..RestartOptions::default() });
    pair.run_for(2 * SOON + Duration::from_secs(2));
    assert_eq!(reported_expiries(&pair), [pair::today() + MONTH, next.not_after()]);
    assert!(pair.both(State::Connected));
}

#[test]
fn short_certificate_is_reported_at_once_with_clock() {
    let short = Certificate::generate(pair::today(), DAY / 2).unwrap();
    let now = pair::start();
    let wall_clock = Some(WallClock::new(now, pair::today()));
    for (wall_clock, reported) in [(wall_clock, 1), (None, 0)] {
        let config = Config { wall_clock, ..Config::default() };
        let mut transport = PeerTransport::new(now, config, vec![short.clone()], Seed::new([9; 32])).unwrap();
        assert_eq!(transport.poll_timeout().is_some_and(|deadline| deadline <= now), reported == 1);
        transport.handle_timeout(now);
        let events = std::iter::from_fn(|| transport.poll_event());
        let is_expiry = |event: &Event| matches!(event, Event::CertificateExpiring { not_after, .. } if *not_after == short.not_after());
        assert_eq!(events.filter(is_expiry).count(), reported);
        assert!(transport.poll_timeout().is_none_or(|deadline| deadline > now));
    }
}

#[test]
fn closed_transport_reports_no_expiry() {
    let mut pair = connected(reported_after(SOON));
    let now = pair.now;
    pair.transport(Alice).close(now);
    pair.run_for(SOON);
    let now = pair.now;
    pair.transport(Alice).handle_timeout(now);
    pair.run_for(SOON);
    assert!(reported_expiries(&pair).is_empty());
}
