//! Headless Chromium, spoken to by JSON over HTTP: the protocol of `chromedriver`.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A call that takes longer is taken to be stuck: a script has 30 s.
const PATIENCE: Duration = Duration::from_secs(45);

const INSTALL: &str =
    "the browser tests need Chromium and its driver: apt-get install chromium chromium-driver";

/// A browser of its own for each test. It goes when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    addr: SocketAddr,
    session: String,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let chromium = Command::new("chromium").arg("--version").stderr(Stdio::null()).output();
        assert!(chromium.is_ok_and(|version| version.status.success()), "no chromium: {INSTALL}");
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("no chromedriver ({error}): {INSTALL}"));
        // It prints the port that it got, and something before that. What it prints later is read and forgotten, lest it
        // write where nobody reads.
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut ports = lines.filter_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = ports.next().expect("chromedriver ended before it had a port");
        std::thread::spawn(move || ports.for_each(drop));
        // Dropped by its own `Drop` from here on, whatever happens.
        let mut browser = Self { driver, addr: ([127, 0, 0, 1], port).into(), session: String::new() };
        let options = json!({
            // No name but this machine's leads anywhere.
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--window-size=1280,900", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        });
        let wanted = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "performance": "ALL", "browser": "ALL" },
            "timeouts": { "script": 30_000, "pageLoad": 30_000 },
        });
        let session = browser.call("POST", "/session", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        browser
    }

    pub(crate) fn open(&self, url: &str) {
        self.call("POST", &format!("{}/url", self.session), &json!({ "url": url }));
    }

    /// What a script returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.call("POST", &format!("{}/execute/sync", self.session), &json!({ "script": script, "args": [] }))
    }

    /// What an expression is as soon as it is something: it is looked at whenever the page changes.
    pub(crate) fn wait_for(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const look = () => {{
                 const value = {expression};
                 if (value) {{ observer.disconnect(); done(value); }}
             }};
             const observer = new MutationObserver(look);
             const all = {{ subtree: true, childList: true, characterData: true, attributes: true }};
             observer.observe(document, all);
             look();"
        );
        self.call(
            "POST",
            &format!("{}/execute/async", self.session),
            &json!({ "script": script, "args": [] }),
        )
    }

    /// Makes the page so wide, as a phone does.
    pub(crate) fn narrow(&self, width: u32) {
        let params = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": true });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": params });
        self.call("POST", &format!("{}/goog/cdp/execute", self.session), &command);
    }

    /// The addresses of all requests so far, from the log of the network.
    pub(crate) fn requests(&self) -> Vec<String> {
        let urls = self.log("performance").into_iter().filter_map(|entry| {
            let entry: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &entry["message"];
            let sent = message["method"] == "Network.requestWillBeSent";
            sent.then(|| message["params"]["request"]["url"].as_str().map(String::from))?
        });
        urls.collect()
    }

    /// What the console has of errors.
    pub(crate) fn errors(&self) -> Vec<String> {
        let severe = self.log("browser").into_iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].to_string()).collect()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.call("POST", &format!("{}/se/log", self.session), &json!({ "type": kind }));
        log.as_array().unwrap().clone()
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(method, path, body).expect("chromedriver answers");
        assert_eq!(status, 200, "{method} {path} {body}: {answer} ({INSTALL})");
        answer["value"].clone()
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, Value)> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let mut stream = TcpStream::connect(self.addr)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (host, length) = (self.addr, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes())?;
        // Up to its length: the driver does not close what it was asked to close while a browser is there.
        let mut answer = BufReader::new(stream);
        let (mut head, mut line) = (String::new(), String::new());
        while answer.read_line(&mut line)? > 2 {
            head.push_str(&line.to_lowercase());
            line.clear();
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or_default()];
        answer.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends Chromium first; killed, it would leave that behind.
        let _ = self.send("GET", "/shutdown", &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
