//! The example programs, by what they serve.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What takes longer than this does not come.
const STUCK: Duration = Duration::from_secs(20);

/// A program that runs until it is dropped.
struct Running {
    program: Child,
    /// The first line that it printed.
    line: String,
}

impl Running {
    fn start(name: &str, args: &[&str]) -> Self {
        let mut build = Command::new(env!("CARGO"));
        // As `cargo test` builds it, and so it is there already, most often.
        let profile = if cfg!(debug_assertions) { "test" } else { "release" };
        build.args(["build", "--quiet", "--example", name, "--profile", profile]);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().expect("cargo is there").success(), "the example does not build");
        // Tests are in target/<profile>/deps.
        let test = std::env::current_exe().expect("this is a file");
        let built = test.parent().and_then(Path::parent).expect("in a folder of a folder").join("examples");
        let program = Command::new(built.join(name)).args(args).stdout(Stdio::piped()).spawn();
        let mut running = Self { program: program.expect("it starts"), line: String::new() };
        let out = running.program.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut running.line).expect("it prints text");
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// The body of an answer, which has to be a good one.
fn get(addr: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(STUCK)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}

/// The value of a number, by its name and all of its labels.
fn number(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

#[test]
fn prometheus_gets_the_numbers_of_the_flow_as_they_are() {
    let running = Running::start("prometheus", &["--addr", "127.0.0.1:0", "--clicks", "160"]);
    let place = running.line.trim().strip_prefix("metrics at http://").expect("it says where");
    let (addr, path) = place.split_at(place.find('/').unwrap());
    assert!(addr.starts_with("127.0.0.1:"), "{addr} is of this machine only");

    // The flow comes to its end while it is being looked at.
    let (begun, read) = (Instant::now(), "gen_stage_flow_read_total{flow=\"clicks\"}");
    let metrics = loop {
        let metrics = get(addr, path);
        if number(&metrics, read) == Some(160.0) {
            break metrics;
        }
        assert!(begun.elapsed() < STUCK, "not all is read: {metrics}");
        std::thread::yield_now();
    };
    let of = |name: &str, labels: &str| {
        number(&metrics, &format!("gen_stage_flow_{name}{{flow=\"clicks\"{labels}}}"))
    };
    assert_eq!(of("sent_total", ",layer=\"read\",part=\"lane\",lane=\"0\""), Some(160.0), "{metrics}");
    let taken =
        |lane| of("taken_total", &format!(",layer=\"by user\",part=\"lane\",lane=\"{lane}\"")).unwrap();
    assert_eq!(taken(0) + taken(1), 160.0, "{metrics}");
    assert_eq!(
        (of("discarded_total", ""), of("late_total", ""), of("failed", "")),
        (Some(0.0), Some(0.0), Some(0.0))
    );
    assert!(metrics.contains("# TYPE gen_stage_flow_sent_total counter"), "{metrics}");
    assert!(metrics.contains("# HELP gen_stage_flow_sent_total Items sent by a lane."), "{metrics}");
    assert!(metrics.contains("# TYPE gen_stage_flow_waiting gauge"), "{metrics}");
}
