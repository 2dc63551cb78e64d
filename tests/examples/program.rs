//! Runs a program, and looks at what it printed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// For any one run. Each takes seconds, at most.
const LIMIT: Duration = Duration::from_secs(60);

/// The folder of the crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The command that runs an example, which is built before.
pub(crate) fn example(name: &str) -> Command {
    let mut command = Command::new(built().join(name));
    command.current_dir(root());
    command
}

/// The same on one core.
#[cfg(target_os = "linux")]
pub(crate) fn on_one_core(name: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(built().join(name)).current_dir(root());
    command
}

/// Where the examples are, as they are built for these tests.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        // As `cargo test` builds them, and so they are there already, most often.
        let profile = if cfg!(debug_assertions) { "test" } else { "release" };
        build.args(["build", "--quiet", "--examples", "--profile", profile]).current_dir(root());
        assert!(build.status().expect("cargo is there").success(), "the examples do not build");
        // Tests are in target/<profile>/deps.
        let tests = std::env::current_exe().expect("this is a file");
        tests.parent().and_then(Path::parent).expect("in a folder of a folder").join("examples")
    })
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

impl Ran {
    /// What it printed, of a program that ended well.
    #[track_caller]
    pub(crate) fn printed(self) -> String {
        assert!(self.status.success(), "{}: {}", self.status, self.told());
        String::from_utf8(self.out).expect("it prints text")
    }

    /// What it printed on standard error.
    pub(crate) fn told(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }

    /// That it ended with this code, said this on standard error, and printed nothing.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, text: &str) {
        assert_eq!(self.status.code(), Some(code), "{}", self.told());
        assert!(self.told().contains(text), "{text} is not in: {}", self.told());
        assert!(self.out.is_empty(), "it prints something: {}", String::from_utf8_lossy(&self.out));
    }
}

/// Runs a program with this on its standard input.
#[track_caller]
pub(crate) fn run_with(mut command: Command, input: &[u8]) -> Ran {
    command.stdin(Stdio::piped());
    let (mut child, watch) = start(command);
    let mut stdin = child.stdin.take().expect("it is piped");
    std::thread::scope(|scope| {
        // It may print before it has read all, and need not read at all.
        scope.spawn(move || drop(stdin.write_all(input)));
        ended(child, watch)
    })
}

/// Runs a program without a standard input.
#[track_caller]
pub(crate) fn run(mut command: Command) -> Ran {
    command.stdin(Stdio::null());
    let (child, watch) = start(command);
    ended(child, watch)
}

/// Starts a program that is killed when it takes too long, unless the second is dropped before.
#[track_caller]
pub(crate) fn start(mut command: Command) -> (Child, mpsc::Sender<()>) {
    let name = format!("{command:?}");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
    let (done, ended) = mpsc::channel();
    let pid = child.id().to_string();
    std::thread::spawn(move || {
        if ended.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{name} takes too long");
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
    });
    (child, done)
}

fn ended(child: Child, watch: mpsc::Sender<()>) -> Ran {
    let output = child.wait_with_output().expect("it can be waited for");
    drop(watch);
    Ran { status: output.status, out: output.stdout, err: output.stderr }
}

/// Runs an example with these arguments.
#[track_caller]
pub(crate) fn run_example<A: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = A>) -> Ran {
    let mut command = example(name);
    command.args(arguments);
    run(command)
}

/// What the docs of an example say that it prints.
pub(crate) fn by_docs(name: &str) -> String {
    let file = root().join("examples").join(name).with_extension("rs");
    let source = fs::read_to_string(&file).unwrap();
    let docs = source.lines().skip_while(|line| *line != "//! ```text").skip(1);
    let lines = docs.take_while(|line| *line != "//! ```");
    let text =
        |line: &str| line.trim_start_matches("//!").strip_prefix(' ').unwrap_or_default().to_owned() + "\n";
    let printed: String = lines.map(text).collect();
    assert!(!printed.is_empty(), "{name} does not say what it prints");
    printed
}

/// A folder for the files of a test, removed when the test is over.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static MADE: Mutex<u32> = Mutex::new(0);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        *made += 1;
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("examples-{}-{made}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file into it, in a folder of its own if need be.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in this folder")).unwrap();
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Real text: our own.
pub(crate) fn text() -> String {
    let mut files = BTreeMap::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = fs::read_to_string(&path).unwrap();
                files.insert(path, content);
            }
        }
    }
    files.into_values().collect()
}

/// Numbers that look like chance and are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// 0 to `bound - 1`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
