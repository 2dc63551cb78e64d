//! Sessions of users as they happen: what each has so far, what it was when it is over, and clicks that come too late.
//!
//! ```console
//! $ tail -f clicks.log | cargo run -p gen_stage_programs --bin live_sessions -- --gap 30 --lateness 10
//! ```
//!
//! A line is `timestamp_ms user page`. A session is over when its user has done nothing for the gap: by the timestamps,
//! or with `--by-arrival` by the clock. By timestamps, what comes late is still taken for the time of the lateness, and
//! then the session is told once more; what is later than that is told on standard error. When nothing at all comes for
//! the time of the gap, all sessions are over. So they are at the end of input, and after Ctrl-C.

use clap::Parser;
use futures::channel::mpsc;
use futures::{StreamExt, join};
use gen_stage::blocks::{Block, blocks};
use gen_stage::prelude::*;
use gen_stage::window::{Late, Session, Trigger};
use std::time::Duration;
use std::{fmt, io};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Tells the sessions of users as they happen.
#[derive(Parser, Clone)]
struct Args {
    /// A session is over when its user has done nothing for so many seconds: 1 or more.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    gap: u64,
    /// What is new in sessions that go on is told each time when so many seconds have passed: 1 or more.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    early: u64,
    /// How many seconds late a click may be.
    #[arg(long, default_value_t = 0)]
    lateness: u64,
    /// Take the time when a click comes for its timestamp.
    #[arg(long)]
    by_arrival: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Click {
    at: i64,
    user: String,
    page: String,
}

fn parse(line: &[u8]) -> Option<Click> {
    let click = std::str::from_utf8(line).ok().and_then(|line| {
        let mut fields = line.split_whitespace();
        let (at, user, page) = (fields.next()?.parse().ok()?, fields.next()?.into(), fields.next()?.into());
        fields.next().is_none().then_some(Click { at, user, page })
    });
    if click.is_none() {
        eprintln!("`{}` is not `timestamp_ms user page`", String::from_utf8_lossy(line));
    }
    click
}

/// The state of a session.
#[derive(Default)]
struct Visit {
    clicks: u64,
    /// How many clicks were told, and whether it was over then.
    told: (u64, bool),
}

/// What is told of a session.
#[derive(Debug, PartialEq)]
struct Told {
    user: String,
    clicks: u64,
    /// From its first click to its last, in milliseconds.
    from: i64,
    to: i64,
    over: bool,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, clicks, from, to, over } = self;
        write!(f, "{user}: {clicks} clicks from {from} to {to}{}", if *over { ", over" } else { " so far" })
    }
}

/// The sessions of all users, and the clicks that came too late for theirs: both are to be read.
fn sessions(
    clicks: Flow<impl Flowing<Item = Click>>,
    args: &Args,
) -> (Flow<impl Readable<Item = Told>>, Late<Click>) {
    let (gap, by_arrival, start) = (Duration::from_secs(args.gap), args.by_arrival, Instant::now());
    let window = Window::session(gap, |click: &Click| click.user.clone(), |click| click.at)
        .allowed_lateness(Duration::from_secs(args.lateness))
        .idle_after(gap)
        .periodically(Duration::from_secs(args.early));
    let (window, late) = window.late_output(100);
    let told = clicks
        .partition_by_ref(|click| click.user.as_str())
        .map(move |click| match by_arrival {
            true => Click { at: start.elapsed().as_millis() as i64, ..click },
            false => click,
        })
        .window(window)
        .reduce(Visit::default, |visit, _click| visit.clicks += 1)
        .merge_states(|visit, other| visit.clicks += other.clicks)
        .on_trigger(move |visit, info| {
            let over = !matches!(info.trigger, Trigger::Periodically(_));
            let (clicks, was_over) = visit.told;
            let news = visit.clicks > clicks || over && !was_over;
            news.then(|| {
                visit.told = (visit.clicks, over);
                let Session { key: user, start: from, end } = info.window;
                Told { user, clicks: visit.clicks, from, to: end - gap.as_millis() as i64, over }
            })
        });
    (told, late)
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let (failure, failed) = mpsc::channel(1);
    let interrupted = CancellationToken::new();
    let clicks = blocks(tokio::io::stdin())
        .flow()
        .lanes(1)
        .dead_letters(failure)
        .flat_map(|block: Block| block.lines().filter_map(parse).collect::<Vec<_>>())
        .stop_when(interrupted.clone());
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        interrupted.cancel();
    });
    let (told, late) = sessions(clicks, &args);
    // All at once: a lane waits when what is late is not read.
    let told = told.into_stream().for_each(async |told| println!("{told}"));
    let late = late.for_each(async |Click { at, user, page }| eprintln!("late: {at} {user} {page}"));
    let ((), (), failures) = join!(told, late, failed.collect::<Vec<io::Error>>());
    failures.iter().for_each(|failure| eprintln!("standard input: {failure}"));
    // Not by returning: a read of standard input cannot be stopped, and the runtime would wait for it.
    std::process::exit(if failures.is_empty() { 0 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::{Args, Click, Told, sessions};
    use clap::Parser;
    use futures::StreamExt;
    use gen_stage::prelude::*;
    use gen_stage::testing::{SinkProbe, SourceProbe, test_sink, test_source};
    use gen_stage::window::Late;
    use std::time::Duration;
    use tokio::time::sleep;

    const SECOND: Duration = Duration::from_secs(1);

    fn start(options: &[&str]) -> (SourceProbe<Click>, SinkProbe<Told>, Late<Click>) {
        let args = Args::parse_from([&["live_sessions"], options].concat());
        let (source, input) = test_source();
        let (told, late) = sessions(source.flow().lanes(1), &args);
        let (sink, output) = test_sink();
        tokio::spawn(told.forward(sink));
        output.request(1000);
        (input, output.patience(60 * SECOND), late)
    }

    fn click(at: i64, user: &str) -> Click {
        Click { at, user: user.into(), page: "/".into() }
    }

    fn told(user: &str, clicks: u64, (from, to): (i64, i64), over: bool) -> Told {
        Told { user: user.into(), clicks, from, to, over }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_new_is_told_every_5_seconds_and_the_session_is_over_after_a_pause() {
        let (input, mut output, _late) = start(&["--gap", "30"]);
        input.send(click(0, "anna"));
        input.send(click(2000, "anna"));
        output.expect_next(told("anna", 2, (0, 2000), false)).await;
        output.expect_none_for(6 * SECOND).await;
        input.send(click(9000, "anna"));
        output.expect_next(told("anna", 3, (0, 9000), false)).await;
        output.expect_none_for(20 * SECOND).await;
        output.expect_next(told("anna", 3, (0, 9000), true)).await;
        input.end();
        output.expect_end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn late_clicks_are_taken_while_they_may_be_and_are_set_aside_after_that() {
        let (input, mut output, mut late) = start(&["--gap", "30", "--lateness", "60"]);
        input.send(click(0, "anna"));
        input.send(click(50_000, "anna"));
        output.expect_next(told("anna", 1, (0, 0), true)).await;
        output.expect_next(told("anna", 1, (50_000, 50_000), false)).await;
        // 20 seconds late for the end of the first session, at 30 s.
        input.send(click(10_000, "anna"));
        output.expect_next(told("anna", 2, (0, 10_000), false)).await;
        // It joins both. Then the time for it is over, and the next one is set aside.
        input.send(click(30_000, "anna"));
        output.expect_next(told("anna", 4, (0, 50_000), false)).await;
        input.send(click(200_000, "anna"));
        output.expect_next(told("anna", 4, (0, 50_000), true)).await;
        input.send(click(60_000, "anna"));
        assert_eq!(late.next().await, Some(click(60_000, "anna")));
        input.end();
        output.expect_next(told("anna", 1, (200_000, 200_000), true)).await;
        output.expect_end().await;
        assert_eq!(late.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn by_arrival_the_clock_says_what_a_session_is() {
        let (input, mut output, _late) = start(&["--gap", "30", "--early", "60", "--by-arrival"]);
        for pause in [29, 29, 31, 0] {
            // The timestamps are wrong.
            input.send(click(-5, "anna"));
            sleep(pause * SECOND).await;
        }
        output.expect_next(told("anna", 3, (0, 58_000), false)).await;
        output.expect_next(told("anna", 3, (0, 58_000), true)).await;
        output.expect_next(told("anna", 1, (89_000, 89_000), true)).await;
        input.end();
        output.expect_end().await;
    }
}
