//! One connection: the handshake, and then the bytes of both directions. And all of them together: their number, and
//! their end.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, copy, copy_bidirectional, sink};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;

use super::{Handshakes, Link};

/// How long a client may take to close a connection that the front has closed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The connections of a front.
#[derive(Default)]
pub(super) struct Connections {
    state: Mutex<State>,
    closed: Condvar,
    /// Changes when the connections are to end.
    end: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// The numbers of the open connections.
    open: BTreeSet<u64>,
    /// The number of the next connection.
    next: u64,
    handshakes: Handshakes,
}

impl Connections {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn handshakes(&self) -> Handshakes {
        self.state().handshakes
    }

    /// Counts a connection until the result is dropped.
    pub(super) fn open(self: &Arc<Self>) -> Open {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.open.insert(number);
        Open {
            number,
            end: self.end.subscribe(),
            connections: Arc::clone(self),
        }
    }

    /// Ends the connections, and waits until all of them are closed. A client may open further ones meanwhile.
    pub(super) fn close(&self) {
        let next = {
            let state = self.state();
            self.end.send_replace(());
            state.next
        };
        let is_open = |state: &mut State| state.open.first().is_some_and(|first| *first < next);
        let (state, waited) = self
            .closed
            .wait_timeout_while(self.state(), PATIENCE, is_open)
            .unwrap();
        drop(state);
        assert!(!waited.timed_out(), "the client keeps a connection");
    }
}

/// An open connection.
pub(super) struct Open {
    number: u64,
    connections: Arc<Connections>,
    end: watch::Receiver<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connections.state().open.remove(&self.number);
        self.connections.closed.notify_all();
    }
}

/// Serves a connection to its end. Broken connections concern only the client.
pub(super) async fn serve(client: TcpStream, mut open: Open, link: Link) {
    let shaken = shake_hands(client, &link).await;
    {
        let handshakes = &mut link.connections.state().handshakes;
        match shaken.as_ref().map(|client| client.get_ref().1) {
            Ok(session) if session.handshake_kind() == Some(HandshakeKind::Resumed) => {
                handshakes.resumed += 1;
            }
            Ok(_) => handshakes.full += 1,
            Err(_) => handshakes.failed += 1,
        }
    }
    let Ok(mut client) = shaken else {
        return;
    };
    let Ok(mut server) = TcpStream::connect(link.behind).await else {
        return;
    };
    let _ = server.set_nodelay(true);
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = open.end.changed() => {
            let _ = client.shutdown().await;
            let _ = copy(&mut client, &mut sink()).await;
        }
    }
}

/// Sets up TLS. Each of the two round trips of a new connection takes the latency: that of TCP, which the system has
/// completed already, and that of TLS. The last message of the client arrives together with its first request.
async fn shake_hands(client: TcpStream, link: &Link) -> io::Result<TlsStream<TcpStream>> {
    client.set_nodelay(true)?;
    pause(link.latency).await;
    let greeted = LazyConfigAcceptor::new(Acceptor::default(), client).await?;
    pause(link.latency).await;
    greeted.into_stream(Arc::clone(&link.config)).await
}

/// Waits, unless there is no latency: a timer would take a millisecond.
async fn pause(latency: Duration) {
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
}
