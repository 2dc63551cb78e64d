//! Runs a program and looks at what it prints.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// For any one line, and for the end. Each takes seconds, at most.
const LIMIT: Duration = Duration::from_secs(60);

/// A program that runs. It is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    out: mpsc::Receiver<String>,
    err: mpsc::Receiver<String>,
}

impl Program {
    #[track_caller]
    pub(crate) fn start(path: &str, arguments: &[&str]) -> Self {
        Self::start_with(path, arguments, Stdio::null()).0
    }

    /// Starts it with a standard input, which is open as long as the second.
    #[track_caller]
    pub(crate) fn start_with_input(path: &str, arguments: &[&str]) -> (Self, ChildStdin) {
        let (program, input) = Self::start_with(path, arguments, Stdio::piped());
        (program, input.expect("it is piped"))
    }

    #[track_caller]
    fn start_with(path: &str, arguments: &[&str], input: Stdio) -> (Self, Option<ChildStdin>) {
        let mut command = Command::new(path);
        command.args(arguments).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{path}: {error}"));
        let input = child.stdin.take();
        let out = lines(child.stdout.take().expect("it is piped"));
        let err = lines(child.stderr.take().expect("it is piped"));
        (Self { child, out, err }, input)
    }

    /// The rest of the next line that it prints, which begins with this.
    #[track_caller]
    pub(crate) fn prints(&self, start: &str) -> String {
        let line = self
            .out
            .recv_timeout(LIMIT)
            .unwrap_or_else(|_| panic!("it does not print `{start}`: {}", self.told()));
        line.strip_prefix(start).unwrap_or_else(|| panic!("it prints `{line}`, not `{start}`")).to_owned()
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill is there").success());
    }

    /// Waits for its end, and returns the lines that are left.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (ExitStatus, Vec<String>, String) {
        let mut printed = VecDeque::new();
        // Its output ends when it does.
        loop {
            match self.out.recv_timeout(LIMIT) {
                Ok(line) => printed.push_back(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    panic!("it does not end: {printed:?} {}", self.told())
                }
            }
        }
        let status = self.child.wait().expect("it can be waited for");
        let mut told = Vec::new();
        // So does what it says of errors, which another thread reads, perhaps later.
        while let Ok(line) = self.err.recv_timeout(LIMIT) {
            told.push(line);
        }
        (status, printed.into(), told.join("\n"))
    }

    /// The lines that are left of one that ended well.
    #[track_caller]
    pub(crate) fn ended_well(self) -> Vec<String> {
        let (status, printed, told) = self.ended();
        assert!(status.success(), "{status}: {printed:?} {told}");
        printed
    }

    /// What was read of its standard error until now.
    fn told(&self) -> String {
        self.err.try_iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// A folder for the files of a test, removed when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("programs-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("it is text").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
