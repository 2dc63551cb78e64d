//! How stories are told: one after the other, each drawn from its number, up to the first broken promise.

use std::env;
use std::fmt::Debug;

/// What is promised holds, or what does not.
pub(super) type Kept = Result<(), String>;

/// Names the story that is told alone.
const ONLY: &str = "GEN_STAGE_STORY";

/// What has happened in a story, and what happens next by chance.
pub(super) struct Plot {
    steps: Vec<String>,
    chance: u64,
}

impl Plot {
    pub(super) fn new(seed: u64) -> Self {
        Self { steps: Vec::new(), chance: seed }
    }

    pub(super) fn step(&mut self, step: impl Into<String>) {
        self.steps.push(step.into());
    }

    /// Says what the last step came to.
    pub(super) fn came_to(&mut self, what: &str) {
        if let Some(last) = self.steps.last_mut() {
            *last += &format!(" and {what}");
        }
    }

    /// How many steps there were.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// A number below `bound`: splitmix64, which is enough for a story.
    pub(super) fn draw(&mut self, bound: usize) -> usize {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below a usize")
    }

    /// One of these.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.draw(all.len())]
    }
}

/// Tells `stories` of `what`: `tell` is given the number of each, how long it is, and its plot. The first have five steps and
/// the last the most, so that the first that fails is easy to follow.
///
/// # Panics
/// When a promise is broken.
#[track_caller]
pub(super) fn tell_all(
    what: &str,
    stories: u64,
    most_steps: u64,
    mut tell: impl FnMut(u64, u64, &mut Plot) -> Kept,
) {
    let only = env::var(ONLY).ok().map(|number| {
        let story = number.parse().ok().filter(|story| *story < stories);
        story.unwrap_or_else(|| {
            panic!("{ONLY} is the number of a story, 0 to {}, given `{number}`", stories - 1)
        })
    });
    for story in only.map_or(0..stories, |only| only..only + 1) {
        let mut plot = Plot::new(story);
        if let Err(broken) = tell(story, 5 + story * most_steps / stories, &mut plot) {
            let steps = plot.steps.join(", ");
            panic!(
                "{what} breaks its contract: {broken}; story {story}: {steps} (this story alone: {ONLY}={story})"
            );
        }
    }
}

/// What is promised holds, or `broken` says what does not.
pub(super) fn keep(holds: bool, broken: impl FnOnce() -> String) -> Kept {
    if holds { Ok(()) } else { Err(broken()) }
}

/// How two lists differ, where one should be the other.
pub(super) fn differ<T: Debug + PartialEq>(came: &[T], expected: &[T]) -> String {
    let without = |all: &[T], others: &[T]| {
        let mut others: Vec<&T> = others.iter().collect();
        let left = all.iter().filter(|item| match others.iter().position(|other| other == item) {
            Some(at) => {
                others.swap_remove(at);
                false
            }
            None => true,
        });
        left.map(|item| format!("{item:?}")).collect::<Vec<_>>()
    };
    let (missing, unknown) = (without(expected, came), without(came, expected));
    let several = |words: &[String]| words.join(", ");
    match (&missing[..], &unknown[..]) {
        ([], []) => format!("came in another order: {came:?}, and should be {expected:?}"),
        ([], _) => format!("came, and should not: {}", several(&unknown)),
        (_, []) => format!("never came: {}", several(&missing)),
        _ => format!("never came: {}; came in their place: {}", several(&missing), several(&unknown)),
    }
}
