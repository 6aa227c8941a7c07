//! WebSockets under the same rules as every other request: same trust, same limits, secret in a sensitive header.

use super::{CONNECT, Client, TOTAL, fail, is_loopback};
use crate::domain::{Reason, ReasonCode, Secret};
use rustls::pki_types::ServerName;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, client::IntoClientRequest, http::HeaderName, protocol::WebSocketConfig},
};

/// Largest message taken from a stream.
const MESSAGE: usize = 8 << 20;

/// A byte stream, with or without TLS.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// An open WebSocket.
pub type Socket = WebSocketStream<Box<dyn Bytes>>;

/// Why no WebSocket was opened.
#[derive(Debug)]
pub enum Refused {
    /// The server answered the upgrade with this status and text.
    Answer(u16, String),
    /// It was not reached, or not understood.
    Failed(Reason),
}

impl Client {
    /// Opens a WebSocket at `path_and_query` below the gateway's base address.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn websocket(&self, path_and_query: &str, secret: Option<(&'static str, &Secret)>) -> Result<Socket, Refused> {
        let whole = async {
            let host = self.base.host_str().unwrap_or_default();
            let port = self.base.port_or_known_default().unwrap_or(80);
            let secure = self.base.scheme() == "https";
            let bytes = self.dial(host, port, secure).await.map_err(Refused::Failed)?;
            let scheme = if secure { "wss" } else { "ws" };
            let shown_port = self.base.port().map_or_else(String::new, |p| format!(":{p}"));
            let path = self.base.path().trim_end_matches('/');
            let mut request = format!("{scheme}://{host}{shown_port}{path}{path_and_query}")
                .into_client_request()
                .map_err(|_| Refused::Failed(self.reason(ReasonCode::WrongAddress)))?;
            if let Some((name, secret)) = secret {
                let value = self.sensitive(secret).map_err(Refused::Failed)?;
                request.headers_mut().insert(HeaderName::from_static(name), value);
            }
            let config = WebSocketConfig::default().max_message_size(Some(MESSAGE)).max_frame_size(Some(MESSAGE));
            match client_async_with_config(request, bytes, Some(config)).await {
                Ok((socket, _)) => Ok(socket),
                Err(Error::Http(r)) => {
                    let body = String::from_utf8_lossy(r.body().as_deref().unwrap_or_default()).into_owned();
                    let told = super::redacted(secret.map(|(_, s)| s), &body).chars().take(200).collect();
                    Err(Refused::Answer(r.status().as_u16(), told))
                }
                Err(_) => Err(Refused::Failed(self.reason(ReasonCode::EventsLost))),
            }
        };
        timeout(TOTAL, whole).await.unwrap_or_else(|_| Err(Refused::Failed(self.reason(ReasonCode::Slow))))
    }

    async fn dial(&self, host: &str, port: u16, secure: bool) -> Result<Box<dyn Bytes>, Reason> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        debug_assert!(secure || is_loopback(host) || self.base.scheme() == "http");
        let tcp = match timeout(CONNECT, TcpStream::connect((bare, port))).await {
            Err(_) => return Err(self.reason(ReasonCode::Unreachable).raw("connect timed out")),
            Ok(Err(e)) if fail::is_lookup(&e.to_string()) => return Err(self.reason(ReasonCode::NameUnknown).with("host", bare)),
            Ok(Err(e)) => return Err(self.reason(ReasonCode::Unreachable).raw(e.kind().to_string())),
            Ok(Ok(tcp)) => tcp,
        };
        if !secure {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| self.reason(ReasonCode::WrongAddress))?;
        let shake = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp);
        match timeout(CONNECT + Duration::from_secs(2), shake).await {
            Err(_) => Err(self.reason(ReasonCode::Slow)),
            Ok(Ok(tls)) => Ok(Box::new(tls)),
            Ok(Err(e)) => Err(match fail::tls_within(&e) {
                Some(t) => fail::of_tls(t),
                None => self.reason(ReasonCode::TlsFailed).raw(e.kind().to_string()),
            }),
        }
    }
}
