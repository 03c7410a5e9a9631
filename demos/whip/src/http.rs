//! WHIP over HTTP (RFC 9725), and its page.
//!
//! Translates requests to commands of the media server. Has no session state.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get, post};
use axum::serve::IncomingStream;
use peer_transport::Role;
use tokio::net::TcpListener;

use crate::command::{Command, Handle, NextCertificate, Patch, Patched, Precondition, Refusal};
use crate::session::SessionId;

/// The local address of a connection. The media are reachable there too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached(pub(crate) std::net::SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Reached {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        // A closed connection has no address, and no client that waits for a response.
        let unknown = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        Self(stream.io().local_addr().unwrap_or(unknown))
    }
}

#[derive(Clone)]
struct Shared {
    media: Handle,
    /// The last report of a scripted page.
    report: Arc<Mutex<Option<Bytes>>>,
}

/// The routes.
pub(crate) fn router(media: Handle) -> Router {
    Router::new()
        .route("/", asset("text/html; charset=utf-8", include_str!("../page/index.html")))
        .route("/page.css", asset("text/css; charset=utf-8", include_str!("../page/page.css")))
        .route("/page.js", asset(JAVASCRIPT, include_str!("../page/page.js")))
        .route("/session.js", asset(JAVASCRIPT, include_str!("../page/session.js")))
        .route("/scenario.js", asset(JAVASCRIPT, include_str!("../page/scenario.js")))
        .route("/whip", post(create).get(nothing).options(options))
        .route("/whip/{id}", get(nothing).patch(patch).delete(end).options(options))
        .route("/whip/{id}/consent", delete(revoke_consent).options(options))
        .route("/whip/{id}/stats", get(look))
        .route("/report", post(put_report).get(get_report))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::map_response(allow_any_origin))
        .with_state(Shared { media, report: Arc::default() })
}

/// `POST /whip`: an offer creates a session. `?setup=active` makes the server the DTLS client.
async fn create(
    State(shared): State<Shared>,
    ConnectInfo(reached): ConnectInfo<Reached>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Problem> {
    expect_type(&headers, SDP)?;
    let role = match query.get("setup").map(String::as_str) {
        None | Some("passive") => Role::Server,
        Some("active") => Role::Client,
        Some(_) => return Err(Refusal::BadRequest("?setup= is active or passive".into()).into()),
    };
    let created = shared
        .media
        .ask(|reply| Command::Create { offer: body, role, reached: reached.0.ip(), reply })
        .await?;
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, format!("/whip/{}", created.id)),
        (header::ETAG, created.etag),
    ];
    Ok((StatusCode::CREATED, headers, created.answer).into_response())
}

/// `PATCH /whip/{id}`: candidates, or an ICE restart. `?certificate=rotate` restarts with a new certificate.
async fn patch(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Problem> {
    expect_type(&headers, FRAGMENT)?;
    let certificate = match query.get("certificate").map(String::as_str) {
        None | Some("keep") => NextCertificate::Same,
        Some("rotate") => NextCertificate::New,
        Some(_) => return Err(Refusal::BadRequest("?certificate= is keep or rotate".into()).into()),
    };
    let patch = Patch { fragment: body, precondition: precondition(&headers), certificate };
    match shared.media.ask(|reply| Command::Patch { id: SessionId::from(id), patch, reply }).await? {
        Patched::Trickled => Ok(StatusCode::NO_CONTENT.into_response()),
        Patched::Restarted { fragment, etag } => {
            let headers = [(header::CONTENT_TYPE, FRAGMENT.to_owned()), (header::ETAG, etag)];
            Ok((StatusCode::OK, headers, fragment).into_response())
        }
    }
}

/// `DELETE /whip/{id}`: ends the session.
async fn end(State(shared): State<Shared>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    shared.media.ask(|reply| Command::End { id: SessionId::from(id), reply }).await?;
    Ok(StatusCode::OK)
}

/// `DELETE /whip/{id}/consent`: from now on the client's checks get a 403 (not in RFC 9725).
async fn revoke_consent(State(shared): State<Shared>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    shared.media.ask(|reply| Command::RevokeConsent { id: SessionId::from(id), reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /whip/{id}/stats`: the server's view of a session (not in RFC 9725).
async fn look(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, Problem> {
    Ok(Json(shared.media.ask(|reply| Command::Look { id: SessionId::from(id), reply }).await?))
}

/// RFC 9725 section 4.1: a GET gets no content.
async fn nothing() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// RFC 9725 section 4.2: the accepted content types, and the preflight of a page of another origin.
async fn options() -> impl IntoResponse {
    [
        ("Accept-Post", SDP),
        ("Accept-Patch", FRAGMENT),
        ("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE, OPTIONS"),
        ("Access-Control-Allow-Headers", "Content-Type, If-Match, Authorization"),
    ]
}

/// `POST /report`: stores the report of a scripted page; `GET /report` returns the last one.
async fn put_report(State(shared): State<Shared>, body: Bytes) -> StatusCode {
    *shared.report.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    StatusCode::NO_CONTENT
}

async fn get_report(State(shared): State<Shared>) -> Response {
    match shared.report.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        Some(report) => ([(header::CONTENT_TYPE, "application/json")], report).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn allow_any_origin(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = HeaderValue::from_static("Location, ETag");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    response
}

fn asset(content_type: &'static str, text: &'static str) -> axum::routing::MethodRouter<Shared> {
    get(move || async move { ([(header::CONTENT_TYPE, content_type)], text) })
}

fn expect_type(headers: &HeaderMap, expected: &'static str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) { Ok(()) } else { Err(Problem::MediaType { expected }) }
}

/// RFC 9110 section 13.1.1.
fn precondition(headers: &HeaderMap) -> Precondition {
    let mut tags = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        for tag in value.to_str().unwrap_or_default().split(',').map(str::trim) {
            if tag == "*" {
                return Precondition::Any;
            }
            tags.push(tag.to_owned());
        }
    }
    if tags.is_empty() { Precondition::Missing } else { Precondition::Tags(tags) }
}

/// A refused request: a status, and the reason as text.
enum Problem {
    MediaType { expected: &'static str },
    Refused(Refusal),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, reason) = match self {
            Self::MediaType { expected } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the content type must be {expected}"))
            }
            Self::Refused(refusal) => {
                let status = match &refusal {
                    Refusal::NoSuchSession => StatusCode::NOT_FOUND,
                    Refusal::BadOffer(_) | Refusal::BadRequest(_) => StatusCode::BAD_REQUEST,
                    Refusal::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
                    Refusal::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
                    Refusal::Full { .. } => StatusCode::SERVICE_UNAVAILABLE,
                    Refusal::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
                };
                (status, refusal.to_string())
            }
        };
        (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], reason).into_response()
    }
}

pub(crate) const SDP: &str = "application/sdp";
pub(crate) const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// An offer with every codec and many candidates has a tenth of this size.
const MAX_BODY: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::{FRAGMENT, SDP};
    use crate::client::Client;

    const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
        a=ice-ufrag:EsAw\r\na=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\na=setup:actpass\r\n\
        a=fingerprint:sha-256 E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:\
        A4:95:99:1B:78:52:B8:55\r\na=rtpmap:96 VP8/90000\r\n";

    #[tokio::test]
    async fn offer_creates_a_session_with_location_and_etag() {
        let client = Client::of_a_new_server().await;
        let answer = client.offer(OFFER).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!(answer.header("content-type"), SDP);
        assert!(answer.header("location").starts_with("/whip/"));
        assert!(answer.header("etag").starts_with('"'));
        for line in ["a=setup:passive", "a=sendrecv", "a=rtcp-mux", "a=mid:0", "a=end-of-candidates"] {
            assert!(answer.body.contains(&format!("{line}\r\n")), "{line} in {}", answer.body);
        }
        assert!(answer.body.contains("a=candidate:"), "candidates are complete in the answer");
    }

    #[tokio::test]
    async fn invalid_offer_gets_400_with_the_reason() {
        let client = Client::of_a_new_server().await;
        for (offer, reason) in [
            ("hello".to_owned(), "not a session description"),
            (OFFER.replace("VP8", "H264"), "offers H264, and not VP8"),
            (OFFER.replace("a=rtcp-mux\r\n", ""), "has no a=rtcp-mux"),
            (OFFER.replace("a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\n", ""), "ice-pwd"),
            (OFFER.replace("a=setup:actpass", "a=setup:passive"), "role"),
        ] {
            let answer = client.offer(&offer).await;
            assert_eq!(answer.status, 400, "{offer}");
            assert!(answer.body.contains(reason), "{:?} should say {reason:?}", answer.body);
        }
    }

    #[tokio::test]
    async fn wrong_content_type_and_unknown_session_are_refused() {
        let client = Client::of_a_new_server().await;
        let typed = |content_type| [("Content-Type", content_type), ("If-Match", "*")];
        assert_eq!(client.request("POST", "/whip", &typed("text/plain"), OFFER).await.status, 415);
        assert_eq!(client.request("POST", "/whip", &typed("Application/SDP; a=b"), OFFER).await.status, 201);
        assert_eq!(client.request("PATCH", "/whip/x", &typed(SDP), "").await.status, 415);
        assert_eq!(client.request("PATCH", "/whip/x", &typed(FRAGMENT), "").await.status, 404);
        assert_eq!(client.request("DELETE", "/whip/x", &[], "").await.status, 404);
        assert_eq!(client.request("DELETE", "/whip/x/consent", &[], "").await.status, 404);
        assert_eq!(client.request("GET", "/nothing", &[], "").await.status, 404);
    }

    #[tokio::test]
    async fn options_lists_content_types_and_get_has_no_content() {
        let client = Client::of_a_new_server().await;
        let answer = client.request("OPTIONS", "/whip", &[], "").await;
        assert_eq!((answer.status, answer.header("accept-post").as_str()), (200, SDP));
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(client.request("GET", "/whip", &[], "").await.status, 204);
    }

    #[tokio::test]
    async fn fragment_trickles_with_its_etag_and_restarts_with_any() {
        let client = Client::of_a_new_server().await;
        let created = client.offer(OFFER).await;
        let (path, tag) = (created.header("location"), created.header("etag"));
        let trickle = "a=mid:0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\n\
            a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n\
            a=candidate:2 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n\
            a=candidate:3 1 udp 2122260223 aa2d.local 61764 typ host\r\n";
        assert_eq!(client.patch(&path, None, trickle).await.status, 428);
        assert_eq!(client.patch(&path, Some("\"other\""), trickle).await.status, 412);
        assert_eq!(client.patch(&path, Some(&tag), trickle).await.status, 204);

        let half = trickle.replace("EsAw", "newu");
        let answer = client.patch(&path, Some("*"), &half).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("changes both"), "{}", answer.body);

        let restart = half.replace("bP+XJMM09aR8AiX1jdukzR6Y", "vw5LmwG4y/e6dPP/zAP9Gp5k");
        let answer = client.patch(&path, Some("*"), &restart).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), FRAGMENT);
        let fresh = answer.header("etag");
        assert_ne!(fresh, tag);
        assert!(
            answer.body.contains("a=ice-pwd:") && answer.body.contains("a=fingerprint:"),
            "{}",
            answer.body
        );
        assert_eq!(client.patch(&path, Some(&tag), &restart).await.status, 412, "the tag before the restart");
        assert_eq!(client.patch(&path, Some(&fresh), &restart).await.status, 204);
    }

    #[tokio::test]
    async fn deleted_session_is_not_found() {
        let client = Client::of_a_new_server().await;
        let path = client.offer(OFFER).await.header("location");
        assert_eq!(client.request("GET", &format!("{path}/stats"), &[], "").await.status, 200);
        assert_eq!(client.request("DELETE", &path, &[], "").await.status, 200);
        assert_eq!(client.request("DELETE", &path, &[], "").await.status, 404);
        assert_eq!(client.request("GET", &format!("{path}/stats"), &[], "").await.status, 404);
    }
}
