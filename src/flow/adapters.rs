//! What flows are made of: the plans of operators, their lanes, and the traits that these have.
//!
//! Users meet them in the types of flows, and need not name them: functions say [`Flowing`](super::Flowing) or its like,
//! and fields hold a [`Boxed`](super::Boxed). A plan `X` has the lane `XLane`. ARCHITECTURE.md has the contract of an
//! operator.

pub use super::batch::{Batch, BatchLane};
pub use super::bounds::{Open, OpenLayer, Plain, Reduces, Reducible};
pub use super::boxed::BoxedLane;
pub use super::combine::{Combine, Merging};
pub use super::dead_letters::{DeadLetters, DeadLettersLane};
pub use super::departed::{Departed, Ending, Gather, Piece, Pieces, PiecesOf};
pub use super::departition::{ByFns, Departition};
pub use super::envelope::{Bare, ClosedLayer, Envelope, Gathers, InWindow, Numbered};
pub use super::exchange::{Exchange, Partition, Shuffle};
pub use super::filter::{Filter, Reject};
pub use super::filter_map::FilterMap;
pub use super::filter_map_async::Present;
pub use super::flat_map::{ByFn, Expand, FlatMap, FlatMapLane};
pub use super::from_stages::FromStage;
pub use super::group_by::{Grouping, GroupingPairs, Pair, PairWith1, Pairs, Summing};
pub use super::inspect::Inspect;
pub use super::join::{BySide, IntoLeft, IntoRight, Join, Rows, Sides};
pub use super::join_mode::JoinMode;
pub use super::joined::{Joined, Keys};
pub use super::map::Map;
pub use super::map_async::{AsyncLane, MapAsync};
pub use super::map_async_ordered::AsyncLaneInOrder;
pub use super::map_batch::Batches;
pub use super::map_err::MapErr;
pub use super::map_ok::MapOk;
pub use super::map_values::MapValues;
pub use super::merge::{Merge, MergeLane};
pub use super::on_init::OnInit;
pub use super::ordered::{Ordered, OrderedLane};
pub use super::per_lane::PerLane;
pub use super::plan::{Build, Hashed, LayerStart, Layered, Plan};
pub use super::reduce::Reduce;
pub use super::retry::{AnyError, RetryWhen, Retrying, When};
pub use super::sequence::{Enumerated, Expanded, Tagged};
pub use super::skip_errors::SkipErrors;
pub use super::source::{Source, SourceLane};
pub use super::step::{Step, Stepped, SteppedLane};
pub use super::stop_when::StopWhen;
pub use super::take_sort::{Least, LeastOfAll};
pub use super::throttle::{Throttled, ThrottledLane};
pub use super::through_stages::ThroughStages;
pub use super::try_filter_map::TryFilterMap;
pub use super::try_map::TryMap;
pub use super::try_map_async::TryJob;
pub use super::uniq::{Uniq, UniqBy};
pub use super::weigh::{OneEach, Weigh, WeighedBy};
pub use super::window::InWindows;
