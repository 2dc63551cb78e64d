use crate::program::{by_docs, example, run_with, start};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;

#[test]
fn it_prints_what_its_docs_say() {
    let mut runner = example("job_runner");
    runner.args(["--at-most", "2"]);
    let printed = run_with(runner, b"mail 100 0\nbackup 300 2\nreport 200 1\n").printed();
    let mut lines: Vec<&str> = printed.lines().collect();
    lines.sort_unstable();
    assert!(lines.into_iter().eq(by_docs("job_runner").lines()), "{printed}");
}

#[test]
fn each_job_has_a_place_as_long_as_it_lives() {
    let jobs: String = (0..200).map(|job| format!("job{job} {} {}\n", job % 5, job % 3)).collect();
    let mut runner = example("job_runner");
    runner.args(["--at-most", "3", "--max-restarts", "200"]);
    let printed = run_with(runner, jobs.as_bytes()).printed();
    let (mut running, mut most) = (0, 0);
    for line in printed.lines() {
        running += i32::from(line.ends_with(": started")) - i32::from(line.ends_with(": completed"));
        most = most.max(running);
    }
    assert_eq!(most, 3);
    let last = printed.lines().last().unwrap();
    assert_eq!(last, "200 jobs: 200 completed, 0 stopped, 0 failed, 0 not started; 199 restarts");
}

#[test]
fn what_is_no_job_is_told_with_its_line_and_what_follows_runs() {
    let ran = run_with(example("job_runner"), b"a\n\nb 0 0\r\nc 1 -1\nd 1 0 0\n\xff 1 0\n\te   1\t0");
    let told = ran.told();
    let lines: Vec<_> =
        told.lines().map(|line| line.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")).collect();
    assert_eq!(lines, [1, 2, 4, 5, 6].map(|line| format!("job_runner: line {line}")), "{told}");
    let printed = ran.printed();
    let mut done: Vec<_> = printed.lines().filter(|line| line.ends_with("completed")).collect();
    done.sort_unstable();
    assert_eq!(done, ["b: completed", "e: completed"]);
}

/// One that is given jobs, and more may come.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    printed: mpsc::Receiver<String>,
    told: mpsc::Receiver<String>,
    all: Vec<String>,
    _watch: mpsc::Sender<()>,
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

impl Running {
    fn with_jobs(jobs: &str, options: &[&str]) -> Self {
        let mut runner = example("job_runner");
        runner.args(options).stdin(Stdio::piped());
        let (mut child, watch) = start(runner);
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(jobs.as_bytes()).expect("it reads");
        let printed = lines(child.stdout.take().expect("it is piped"));
        let told = lines(child.stderr.take().expect("it is piped"));
        Self { child, stdin: Some(stdin), printed, told, all: Vec::new(), _watch: watch }
    }

    /// Waits until it prints this.
    fn prints(&mut self, line: &str) {
        loop {
            let printed =
                self.printed.recv().unwrap_or_else(|_| panic!("it does not print {line}: {:?}", self.all));
            self.all.push(printed);
            if self.all.last().is_some_and(|last| last == line) {
                return;
            }
        }
    }

    /// Waits until it says this on standard error.
    fn tells(&self, text: &str) {
        while !self.told.recv().unwrap_or_else(|_| panic!("it does not say {text}")).contains(text) {}
    }

    fn interrupt(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill is there").success());
    }

    /// Waits for its end: how it exits, and what it prints last.
    fn ended(mut self, code: i32, last: &[&str]) {
        let status = self.child.wait().expect("it can be waited for");
        self.all.extend(self.printed.iter());
        assert_eq!(status.code(), Some(code), "{:?}", self.all);
        assert!(
            self.all.ends_with(&last.iter().map(ToString::to_string).collect::<Vec<_>>()),
            "{:?}",
            self.all
        );
        drop(self.stdin.take());
    }
}

#[test]
fn the_restart_that_is_one_too_many_stops_what_runs_though_there_may_be_more_to_read() {
    Running::with_jobs("long 60000 0\nbad 1 3\n", &["--max-restarts", "2"]).ended(
        1,
        &[
            "2 jobs: 0 completed, 1 stopped, 1 failed, 0 not started; 2 restarts",
            "the supervisor gave up: child bad failed: attempt 3, and there may be 2 restarts within 5s",
            "not done: long: aborted",
        ],
    );
}

#[test]
fn after_ctrl_c_what_ends_in_time_is_completed() {
    let mut runner = Running::with_jobs("short 300 1\n", &[]);
    runner.prints("short: started");
    runner.interrupt();
    runner.ended(
        0,
        &["short: completed", "1 jobs: 1 completed, 0 stopped, 0 failed, 0 not started; 1 restarts"],
    );
}

#[test]
fn after_ctrl_c_the_rest_is_stopped_at_the_deadline() {
    let mut runner = Running::with_jobs("short 200 0\nlong 60000 0\n", &["--deadline", "1000"]);
    runner.prints("long: started");
    runner.interrupt();
    runner.ended(
        1,
        &[
            "short: completed",
            "long: aborted",
            "2 jobs: 1 completed, 1 stopped, 0 failed, 0 not started; 0 restarts",
            "not done: long: aborted",
        ],
    );
}

#[test]
fn a_second_ctrl_c_stops_all_at_once() {
    // The bad line is read when there is room for the job after it.
    let jobs = "long 60000 0\nno job\nnext 1 0\n";
    let runner = Running::with_jobs(jobs, &["--at-most", "1", "--deadline", "60000"]);
    runner.tells("line 2");
    runner.interrupt();
    runner.tells("again");
    runner.interrupt();
    runner.ended(
        1,
        &[
            "2 jobs: 0 completed, 1 stopped, 0 failed, 1 not started; 0 restarts",
            "not done: long: aborted",
            "not done: next: not started",
        ],
    );
}

#[test]
fn standard_input_that_cannot_be_read_is_an_error() {
    let mut runner = example("job_runner");
    runner.stdin(std::fs::File::open(crate::program::root()).unwrap());
    let output = runner.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("directory"));
}
