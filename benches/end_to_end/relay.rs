//! What counts the bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the bytes of both directions on their way.
pub(crate) struct Relay {
    pub(crate) url: String,
    bytes: Arc<AtomicU64>,
}

impl Relay {
    pub(crate) fn to(url: &str) -> Self {
        let (scheme, server) = url.split_once("://").unwrap();
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let bytes = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&bytes);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).unwrap();
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let counter = Arc::clone(&counter);
                    std::thread::spawn(move || carry(from, to, &counter));
                }
            }
        });
        Self { url, bytes }
    }

    /// The bytes since the last time.
    pub(crate) fn take(&self) -> u64 {
        self.bytes.swap(0, Ordering::SeqCst)
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64) {
    let mut part = vec![0; 65_536];
    while let Ok(length) = from.read(&mut part) {
        let sent = part.get(..length).unwrap_or_default();
        counter.fetch_add(length as u64, Ordering::SeqCst);
        if length == 0 || to.write_all(sent).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
