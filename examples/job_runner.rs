//! Runs jobs of standard input, so many at once, each again when it fails; Ctrl-C lets those that run come to their ends.
//!
//! ```console
//! $ printf '%s\n' 'mail 100 0' 'backup 300 2' 'report 200 1' | cargo run --example job_runner -- --at-most 2
//! ```
//!
//! A line is `name duration_ms fail_times`: the job takes so long, and fails so many times before it succeeds. Lines that
//! are something else are skipped, and reported on standard error with their number. What happens to jobs is printed as
//! it happens, and what has become of them at the end. Sorted, that is of the jobs above:
//!
//! ```text
//! 3 jobs: 3 completed, 0 stopped, 0 failed, 0 not started; 3 restarts
//! backup: completed
//! backup: failed: attempt 1
//! backup: failed: attempt 2
//! backup: restarted (1)
//! backup: restarted (2)
//! backup: started
//! mail: completed
//! mail: started
//! report: completed
//! report: failed: attempt 1
//! report: restarted (1)
//! report: started
//! ```
//!
//! With the restart that is one too many, all jobs are stopped. After Ctrl-C nothing more is read or started, and what
//! runs has until the deadline; after another Ctrl-C, no time at all. Jobs that are not done are listed. It exits with 0
//! when every job that was read is completed, with 1 when one is not or standard input fails. Input is read no further
//! ahead than one job.

use clap::Parser;
use futures::{Sink, SinkExt, StreamExt};
use gen_stage::supervisor::{
    Child, DynamicSupervisor, Events, Restart, Shutdown, SupervisorEnd, SupervisorError, SupervisorReport,
};
use std::future::poll_fn;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::ctrl_c;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Runs jobs of standard input.
#[derive(Parser)]
struct Args {
    /// How many jobs run at once: 1 or more.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    at_most: u32,
    /// How long jobs may still run after Ctrl-C, in milliseconds.
    #[arg(long, default_value_t = 5000)]
    deadline: u64,
    /// How many restarts there may be within 5 seconds, of all jobs.
    #[arg(long, default_value_t = 3)]
    max_restarts: usize,
}

#[derive(Clone)]
struct Job {
    name: String,
    duration: Duration,
    fail_times: u32,
}

/// The child: an error has it restarted.
async fn run(job: Job, child: Child) -> Result<(), String> {
    tokio::time::sleep(job.duration).await;
    if child.restarts() < job.fail_times {
        return Err(format!("attempt {}", child.restarts() + 1));
    }
    Ok(())
}

/// Where jobs come from.
struct Input {
    jobs: Receiver<io::Result<Job>>,
    /// Those that were read, and came too late.
    not_started: Vec<Job>,
    error: Option<io::Error>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run_all(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("job_runner: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all jobs there are; returns whether all are completed.
async fn run_all(Args { at_most, deadline, max_restarts }: Args) -> io::Result<bool> {
    let at_most = at_most as usize;
    let mut supervisor = DynamicSupervisor::with_child(run)
        .label_by(|job| job.name.clone())
        .max_demand(at_most, at_most - 1)
        .restart(Restart::Transient)
        .max_restarts(max_restarts, Duration::from_secs(5))
        // Jobs have nothing to put in order: when they are to stop, they are dropped.
        .shutdown_rule(Shutdown::Brutal);
    let handle = supervisor.handle();
    let printer = tokio::spawn(print(handle.events()));
    let (sender, jobs) = channel(1);
    // A thread that nobody waits for: it reads until somebody writes a line, and that may be never.
    std::thread::spawn(move || read(&sender));
    let mut input = Input { jobs, not_started: Vec::new(), error: None };

    tokio::select! {
        // The signal first: it is waited for before there is a job.
        biased;
        interrupted = ctrl_c() => {
            interrupted?;
            input.jobs.close();
            let drained = async {
                eprintln!("job_runner: what runs has {deadline} ms; Ctrl-C again stops it now");
                handle.drain(Some(Duration::from_millis(deadline))).await
            };
            tokio::select! {
                biased;
                _ = ctrl_c() => handle.abort(),
                _ = drained => {}
            }
        }
        () = input.start_jobs(&mut supervisor) => {}
        // It gives up while there is nothing to be read.
        _ = handle.wait() => {}
    }
    let report = handle.wait().await;
    printer.await??;
    let all = tell(&report, &input.rest())?;
    input.error.map_or(Ok(all), Err)
}

impl Input {
    /// Starts a job whenever there is a place, until there are no more, and waits for their ends.
    async fn start_jobs<S>(&mut self, supervisor: &mut S)
    where
        S: Sink<Job, Error = SupervisorError<Job>> + Unpin,
    {
        // The place first, and then the job: `forward` may hold a job for which there is no place when it is dropped.
        while poll_fn(|cx| supervisor.poll_ready_unpin(cx)).await.is_ok() {
            match self.jobs.recv().await {
                Some(Ok(job)) => {
                    if let Err(refused) = supervisor.start_send_unpin(job) {
                        self.not_started.extend(refused.into_item());
                    }
                }
                Some(Err(error)) => {
                    self.error = Some(error);
                    break;
                }
                None => break,
            }
        }
        // How it ended is in its report.
        let _ = supervisor.close().await;
    }

    /// The jobs that are read and will not be started.
    fn rest(&mut self) -> Vec<Job> {
        self.jobs.close();
        let mut rest = std::mem::take(&mut self.not_started);
        while let Ok(read) = self.jobs.try_recv() {
            match read {
                Ok(job) => rest.push(job),
                Err(error) => self.error = Some(error),
            }
        }
        rest
    }
}

fn read(jobs: &Sender<io::Result<Job>>) {
    let mut lines = (1..).zip(io::stdin().lock().split(b'\n'));
    // No job is read before there is room for it.
    while let Ok(room) = futures::executor::block_on(jobs.reserve()) {
        let read = lines.find_map(|(number, line)| match line.map(|line| parse(&line).ok_or(line)) {
            Ok(Ok(job)) => Some(Ok(job)),
            Ok(Err(line)) => {
                let line = String::from_utf8_lossy(&line);
                eprintln!(
                    "job_runner: line {number}: `{}` is not `name duration_ms fail_times`",
                    line.trim_end()
                );
                None
            }
            Err(error) => Some(Err(error)),
        });
        let Some(read) = read else { return };
        let failed = read.is_err();
        room.send(read);
        if failed {
            return;
        }
    }
}

fn parse(line: &[u8]) -> Option<Job> {
    let mut fields = std::str::from_utf8(line).ok()?.split_whitespace();
    let (name, duration) = (fields.next()?.into(), fields.next()?.parse().ok()?);
    let fail_times = fields.next()?.parse().ok()?;
    fields.next().is_none().then_some(Job { name, duration: Duration::from_millis(duration), fail_times })
}

/// Prints what happens, as it happens.
async fn print(mut events: Events) -> io::Result<()> {
    while let Some(event) = events.next().await {
        writeln!(io::stdout(), "{event}")?;
    }
    Ok(())
}

/// Prints what has become of the jobs; returns whether all are completed.
fn tell(report: &SupervisorReport, not_started: &[Job]) -> io::Result<bool> {
    let (counts, waiting) = (report.counts, not_started.len() as u64);
    let jobs = counts.started + waiting;
    let stopped = counts.stopped + counts.aborted + counts.not_restarted;
    let failed = counts.failed + counts.panicked;
    let mut out = io::stdout().lock();
    write!(out, "{jobs} jobs: {} completed, {stopped} stopped, {failed} failed, ", counts.completed)?;
    writeln!(out, "{waiting} not started; {} restarts", counts.restarts)?;
    if let SupervisorEnd::GaveUp(_) = report.end {
        writeln!(out, "{}", report.end)?;
    }
    for stopped in report.stopped.iter().filter(|stopped| !stopped.outcome.is_completed()) {
        writeln!(out, "not done: {}: {}", stopped.label.as_deref().unwrap_or_default(), stopped.outcome)?;
    }
    for job in not_started {
        writeln!(out, "not done: {}: not started", job.name)?;
    }
    Ok(counts.completed == jobs)
}
