//! One source of news, and readers who select what they read; one of them comes late.
//!
//! ```console
//! $ cargo run --example broadcast_selector
//! ```
//!
//! Readers are streams. What a selector does not want uses up nothing of its reader's demand. Carla subscribes when
//! the news of the morning have gone out, and gets only what comes after.
//!
//! ```text
//! in the morning
//!   anna, sport only: [Sport: a draw, Sport: a win]
//!   ben, everything:  [Sport: a draw, Weather: rain, Politics: a vote, Sport: a win]
//! in the evening
//!   anna, sport only: [Sport: a defeat]
//!   ben, everything:  [Weather: sun, Sport: a defeat, Politics: a result]
//!   carla, no sport:  [Weather: sun, Politics: a result]
//! ```

use Topic::{Politics, Sport, Weather};
use futures::channel::mpsc;
use futures::{StreamExt, join};
use gen_stage::dispatch::Broadcast;
use gen_stage::prelude::*;
use gen_stage::stage::{StageError, from_stream};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Topic {
    Politics,
    Sport,
    Weather,
}

#[derive(Clone)]
struct Article {
    topic: Topic,
    title: &'static str,
}

impl fmt::Debug for Article {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.topic, self.title)
    }
}

const MORNING: [(Topic, &str); 4] =
    [(Sport, "a draw"), (Weather, "rain"), (Politics, "a vote"), (Sport, "a win")];
const EVENING: [(Topic, &str); 3] = [(Weather, "sun"), (Sport, "a defeat"), (Politics, "a result")];

#[tokio::main]
async fn main() -> Result<(), StageError> {
    let (editor, articles) = mpsc::unbounded();
    let publish = |(topic, title)| editor.unbounded_send(Article { topic, title });
    let news = from_stream(articles).spawn(Broadcast::new());

    let mut anna = news.subscribe().selector(|article| article.topic == Sport).await?;
    let mut ben = news.subscribe().await?;

    MORNING.into_iter().try_for_each(publish)?;
    let sport = MORNING.iter().filter(|(topic, _)| *topic == Sport).count();
    // Both at once: the slower one sets the pace.
    let (annas, bens): (Vec<_>, Vec<_>) =
        join!(anna.by_ref().take(sport).collect(), ben.by_ref().take(MORNING.len()).collect());
    println!("in the morning");
    println!("  anna, sport only: {annas:?}");
    println!("  ben, everything:  {bens:?}");

    let carla = news.subscribe().selector(|article| article.topic != Sport).await?;

    EVENING.into_iter().try_for_each(publish)?;
    // With the editor gone, the source finishes behind the last article, and so do the streams.
    drop(editor);
    let (annas, bens, carlas): (Vec<_>, Vec<_>, Vec<_>) =
        join!(anna.collect(), ben.collect(), carla.collect());
    println!("in the evening");
    println!("  anna, sport only: {annas:?}");
    println!("  ben, everything:  {bens:?}");
    println!("  carla, no sport:  {carlas:?}");
    Ok(())
}
