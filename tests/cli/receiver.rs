//! A receiver of deliveries on a port of this machine, with given responses.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

/// A response.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A status with further headers and a body.
    Status(u16, String, String),
    /// None, and the connection stays open.
    Nothing,
    /// The `Authorization` header of the request, with so many bytes after it.
    Echo(usize),
}

impl Reply {
    pub(crate) fn status(code: u16) -> Self {
        Self::Status(code, String::new(), String::new())
    }
}

/// A request that was received.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) at: Instant,
    /// The request line and the headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// A receiver. It responds with 200 once its replies are used up.
pub(crate) struct Receiver {
    pub(crate) origin: String,
    received: Arc<Mutex<Vec<Delivery>>>,
}

impl Receiver {
    pub(crate) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<Delivery>>> = Arc::default();
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            // The connections that get no response.
            let mut open = Vec::new();
            while let Ok((mut connection, _)) = listener.accept() {
                let Some(delivery) = read(&mut connection) else {
                    continue;
                };
                let head = delivery.head.clone();
                kept.lock().unwrap().push(delivery);
                let reply = replies.lock().unwrap().pop_front();
                match reply.unwrap_or_else(|| Reply::status(200)) {
                    Reply::Nothing => open.push(connection),
                    Reply::Status(code, headers, body) => {
                        respond(&mut connection, code, &headers, &body);
                    }
                    Reply::Echo(more) => {
                        let line = head.lines().find(|line| line.starts_with("authorization"));
                        let body = format!("{}{}", line.unwrap_or_default(), " ".repeat(more));
                        respond(&mut connection, 200, "", &body);
                    }
                }
            }
        });
        Self { origin, received }
    }

    /// What was received, in its order.
    pub(crate) fn received(&self) -> Vec<Delivery> {
        self.received.lock().unwrap().clone()
    }

    /// An origin at which nothing listens.
    pub(crate) fn down() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }
}

fn read(connection: &mut TcpStream) -> Option<Delivery> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))?;
            if body.len() >= length.parse::<usize>().ok()? {
                let body = serde_json::from_str(body).ok()?;
                let at = Instant::now();
                return Some(Delivery { at, head, body });
            }
        }
        match connection.read(&mut part) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(part.get(..count)?),
        }
    }
}

fn respond(connection: &mut TcpStream, code: u16, headers: &str, body: &str) {
    let length = body.len();
    let head = format!("HTTP/1.1 {code} X\r\ncontent-length: {length}\r\n{headers}\r\n");
    // A sender that has read enough closes the connection.
    let _ = connection.write_all(format!("{head}{body}").as_bytes());
}
