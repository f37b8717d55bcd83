//! A client of the WebDriver protocol: as much of it as the tests need, over one connection a command.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The key that stands for an element in answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A headless browser. It ends when this is dropped.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts a driver and a browser.
    pub(crate) fn start(driver: &str, browser: &str) -> Self {
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("the driver says its port").unwrap();
            if let Some((_, rest)) = line.split_once("started successfully on port ") {
                break rest.trim_end_matches('.').parse().unwrap();
            }
        };
        // The driver must not wait for a reader of what it prints.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let mut started = Self {
            driver,
            port,
            session: String::new(),
        };
        let options = json!({
            "binary": browser,
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-proxy-server", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--hide-scrollbars", "--window-size=1000,760",
            ],
        });
        let capabilities = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let answer = started.send("POST", "/session", &body);
        answer["sessionId"]
            .as_str()
            .unwrap()
            .clone_into(&mut started.session);
        started
    }

    pub(crate) fn open(&self, url: &str) {
        self.command("/url", &json!({ "url": url }));
    }

    /// Runs the body of a function in the page, and returns its result.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Runs the body of a function whose last argument is called with the result.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.command("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true. Returns the time that it took.
    pub(crate) fn until(&self, expression: &str) -> Duration {
        let started = Instant::now();
        loop {
            if self.run(&format!("return Boolean({expression});")) == json!(true) {
                return started.elapsed();
            }
            let text = || self.run("return document.body.innerText;");
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "{expression}: {:#}",
                text()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Types a text, as a person at a keyboard does, into whatever has the focus.
    pub(crate) fn press(&self, keys: &str) {
        let press = |key: char| {
            let value = key.to_string();
            [
                json!({ "type": "keyDown", "value": value }),
                json!({ "type": "keyUp", "value": value }),
            ]
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.command("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Runs a command of the DevTools protocol.
    pub(crate) fn devtools(&self, name: &str, parameters: &Value) {
        self.command(
            "/goog/cdp/execute",
            &json!({ "cmd": name, "params": parameters }),
        );
    }

    /// Returns a screenshot as Base64.
    pub(crate) fn screenshot(&self) -> String {
        let session = format!("/session/{}/screenshot", self.session);
        let answer = self.send("GET", &session, &Value::Null);
        answer.as_str().unwrap().to_owned()
    }

    /// Returns the messages of the console since the last call.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().unwrap().iter();
        entries
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Returns the addresses of the requests since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": "performance" }));
        let messages = entries.as_array().unwrap().iter().map(|entry| {
            let message = entry["message"].as_str().unwrap();
            serde_json::from_str::<Value>(message).unwrap()["message"].take()
        });
        messages
            .filter(|message| message["method"] == "Network.requestWillBeSent")
            .map(|message| {
                message["params"]["request"]["url"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    /// Returns the focused element's id.
    pub(crate) fn focus(&self) -> String {
        self.run("return document.activeElement?.id ?? '';")
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        let value = self.send("POST", &format!("/session/{}{path}", self.session), body);
        assert!(value.get(ELEMENT).is_none(), "no test needs elements");
        value
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            let line = line.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{method} {path}: {value:#}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser, too. Nothing here may panic, since a failed test may be the reason. It may have ended already.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let end = b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(end);
            let _ = stream.read_to_end(&mut Vec::new());
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
