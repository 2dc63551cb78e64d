//! What visitors of a shop do: sessions of each of them, and the most clicked pages of each minute.
//!
//! ```console
//! $ cargo run --example clickstream
//! $ cargo run --example clickstream -- --top 3 clicks.csv
//! ```
//!
//! Lines are `timestamp_ms,user,page`, roughly in order: a minute takes clicks until the highest timestamp is 5 seconds
//! past its end. Clicks that come later than that are set aside. A session ends when its user does nothing for 30
//! seconds.
//!
//! ```text
//! minute 0: /home 4, /shoes 3
//! minute 1: /cart 2, /hats 1
//! minute 3: /home 1
//! late: emil /home, at 58.0 s
//! anna: 3 clicks from 1.0 s to 31.5 s
//! anna: 3 clicks from 62.0 s to 75.0 s
//! bert: 4 clicks from 2.0 s to 61.5 s
//! cleo: 1 clicks from 20.0 s to 20.0 s
//! emil: 2 clicks from 40.0 s to 58.0 s
//! emil: 1 clicks from 190.0 s to 190.0 s
//! ```

use clap::Parser;
use futures::StreamExt;
use gen_stage::prelude::*;
use gen_stage::window::{Session, Trigger, Window};
use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

/// Read when no file is given.
const SAMPLE: &str = "\
1000,anna,/home
2000,bert,/home
9500,anna,/shoes
20000,cleo,/shoes
15000,bert,/shoes
31500,anna,/cart
40000,emil,/home
41500,bert,/home
62000,anna,/hats
61500,bert,/cart
64000,anna,/cart
75000,anna,/pay
58000,emil,/home
190000,emil,/home
";

/// A session ends when its user does nothing for so long.
const GAP: Duration = Duration::from_secs(30);

/// Tells what visitors of a shop do.
#[derive(Parser)]
struct Args {
    /// Lines of `timestamp_ms,user,page`; by default some that are compiled in.
    file: Option<PathBuf>,
    /// How many pages to show for each minute.
    #[arg(long, default_value_t = 2)]
    top: usize,
}

#[derive(Debug, Clone)]
struct Click {
    at: i64,
    user: String,
    page: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let text = match &args.file {
        Some(file) => tokio::fs::read_to_string(file).await?,
        None => SAMPLE.into(),
    };
    let clicks = text.lines().enumerate().map(|(at, line)| {
        parse(line).ok_or_else(|| format!("line {}: `{line}` is not `timestamp_ms,user,page`", at + 1))
    });
    let clicks: Vec<Click> = clicks.collect::<Result<_, _>>()?;

    // The top pages take all clicks of a minute: one lane, for which the highest timestamp so far is the time.
    let minute = Window::fixed(Duration::from_secs(60), |click: &Click| click.at)
        .allowed_lateness(Duration::from_secs(5));
    let (minute, late) = minute.late_output(100);
    let tops = Flow::from_iter(clicks.clone())
        .lanes(1)
        .window(minute)
        .count_by(|click| click.page.clone())
        .on_trigger(move |counts, info| {
            // Twice: when the time has come, and when no more clicks are taken.
            info.is_done().then(|| (info.window.start / 60_000, top(counts, args.top)))
        });
    // Both at once: a lane waits when nobody reads what is late.
    let (tops, late) = futures::join!(tops.collect::<Vec<_>>(), late.collect::<Vec<_>>());
    for (minute, pages) in tops {
        println!("minute {minute}: {}", pages.join(", "));
    }
    for click in late {
        println!("late: {} {}, at {}", click.user, click.page, seconds(click.at));
    }

    // Sessions are each user's own business: on all cores. An hour out of order, a click still finds its session.
    let session = Window::session(GAP, |click: &Click| click.user.clone(), |click| click.at)
        .allowed_lateness(Duration::from_secs(3600));
    let mut sessions: Vec<_> = Flow::from_iter(clicks)
        .partition_by_ref(|click| click.user.as_str())
        .window(session)
        .reduce(|| 0, |clicks, _| *clicks += 1)
        .merge_states(|clicks, more| *clicks += more)
        .on_trigger(|clicks, info| {
            let Session { key: user, start, end } = info.window;
            (info.trigger == Trigger::Done).then_some((user, start, end, *clicks))
        })
        .collect()
        .await;
    sessions.sort();
    for (user, start, end, clicks) in sessions {
        let last = end - GAP.as_millis() as i64;
        println!("{user}: {clicks} clicks from {} to {}", seconds(start), seconds(last));
    }
    Ok(())
}

fn parse(line: &str) -> Option<Click> {
    let mut fields = line.split(',').map(str::trim);
    let at = fields.next()?.parse().ok()?;
    let (user, page) = (fields.next()?.into(), fields.next()?.into());
    fields.next().is_none().then_some(Click { at, user, page })
}

/// The most frequent, in the order of the alphabet where that is the same.
fn top(counts: &HashMap<String, u64>, n: usize) -> Vec<String> {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    counts.into_iter().take(n).map(|(page, count)| format!("{page} {count}")).collect()
}

fn seconds(millis: i64) -> String {
    format!("{}.{} s", millis.div_euclid(1000), millis.rem_euclid(1000) / 100)
}
