//! From rayon: its iterators, and the flows that do the same.
//!
//! | there | here |
//! |---|---|
//! | `items.into_par_iter()` | [`Flow::from_iter(items)`](crate::Flow::from_iter) |
//! | `chunks.into_par_iter().flat_map_iter(..)` | [`Flow::from_iters(chunks)`](crate::Flow::from_iters): with at least as many chunks as lanes, each lane reads chunks by itself |
//! | `iter.par_bridge()` | `from_iter` again, or [`.flow()`](crate::StreamFlow::flow) on a stream |
//! | `map`, `filter`, `filter_map`, `flat_map_iter`, `inspect` | `map`, `filter`, `filter_map`, `flat_map`, `inspect` |
//! | `take_any(n)`, `skip_any(n)`, `take_any_while`, `skip_any_while` | [`take(n)`](crate::Flow::take), [`skip(n)`](crate::Flow::skip), [`take_while`](crate::Flow::take_while), [`skip_while`](crate::Flow::skip_while) after other operators |
//! | `take(n)`, `skip(n)`, `enumerate()` | the same right after a source: exact there; after other operators, put [`ordered`](crate::Flow::ordered) before them |
//! | `zip` | [`zip`](crate::Flow::zip), of two flows |
//! | `map_init`, `map_with` | [`per_lane`](crate::Flow::per_lane); or [`emit_and_reduce`](crate::Flow::emit_and_reduce) with a state per lane, and [`emit_nothing`](crate::Flow::emit_nothing) |
//! | `fold(init, f)`: one value per piece | [`reduce(init, f)`](crate::Flow::reduce) and [`emit_state`](crate::Flow::emit_state): one value per lane |
//! | `fold(..).reduce(..)` | `reduce`, `emit_state`, [`departition`](crate::Flow::departition); by keys: [`combine`](crate::Flow::combine) |
//! | `sum`, `count`, `min_by_key`, `max_by_key` | the same, and `.await` |
//! | `for_each` | [`for_each`](crate::Flow::for_each) |
//! | `collect` | [`collect`](crate::Flow::collect); in the order of the source after [`ordered`](crate::Flow::ordered) |
//! | `find_any`, `any` | `filter`, and read one: dropping the flow stops it |
//! | `with_max_len(n)` | [`demand(max, min)`](crate::Flow::demand): `max - min` items are the longest batch |
//! | `ThreadPool::install` | [`on(runtime)`](crate::Flow::on) |
//! | `try_for_each`, `collect::<Result<..>>` | [`try_for_each`](crate::Flow::try_for_each), [`try_collect`](crate::Flow::try_collect) |
//!
//! # What differs
//! - **The input need not be there.** It may come over a network, be larger than memory, or have no end; a slow reader
//!   stops the source.
//! - **Lanes ask for batches**, where rayon's workers steal halves. Items of an input that is known to be short are
//!   shared evenly; one very slow item holds up only its own lane.
//! - **Equal keys can meet**: [`partition_by`](crate::Flow::partition_by), which rayon does not have.
//! - **Items and closures are `'static`**: put what is borrowed into an `Arc`.
//! - **The threads are tokio's.** A flow that computes for long takes them from other tasks: give it a runtime of its
//!   own, by [`on`](crate::Flow::on).
//! - A panic in a closure is raised again where the flow is read, there and here.
//!
//! # Examples
//! ```
//! use gen_stage::prelude::*;
//!
//! # tokio_test::block_on(async {
//! // (0..1000u64).into_par_iter().map(|n| n * n).filter(|n| n % 3 == 1).sum::<u64>()
//! let sum: u64 = Flow::from_iter(0..1000u64).map(|n| n * n).filter(|n| n % 3 == 1).sum().await;
//! assert_eq!(sum, (0..1000u64).map(|n| n * n).filter(|n| n % 3 == 1).sum());
//!
//! // words.into_par_iter().fold(HashMap::new, ..).reduce(HashMap::new, ..)
//! let lines = ["a b a".to_string(), "b a".to_string()];
//! let counts = Flow::from_iter(lines).combine(
//!     100_000,
//!     |counts, line| line.split(' ').for_each(|word| *counts.at(word) += 1),
//!     |count: &mut u64, more| *count += more,
//! );
//! let mut counts: Vec<(String, u64)> = counts.collect().await;
//! counts.sort();
//! assert_eq!(counts, [("a".to_string(), 3), ("b".to_string(), 2)]);
//! # });
//! ```
