//! What flows are made of: the plans of operators, their lanes, and the traits that these have.
//!
//! Users meet them in the types of flows, and need not name them: functions say [`Flowing`](super::Flowing) or its
//! like, and fields hold a [`Boxed`](super::Boxed). A plan `X` has the lane `XLane`. ARCHITECTURE.md has the contract
//! of an operator.

pub use super::batch::{Batch, BatchLane};
pub use super::bounds::{Open, OpenLayer, Plain, Reduces, Reducible};
pub use super::boxed::BoxedLane;
pub use super::combine::combiner::CombinedPairs;
pub use super::combine::{Combine, MergingTables};
pub use super::conflate::Conflating;
pub use super::dead_letters::{DeadLetters, DeadLettersLane};
pub use super::debounce::Debouncing;
pub use super::dedup::{Dedup, DedupBy};
pub use super::departition::lane::{DepartitionLane, Ending, Gather, LaneReport, LaneReports, ReportingEmit};
pub use super::departition::{ByFns, Departition};
pub use super::enumerate::{Enumerate, SharedEnumerate};
pub use super::filter::{Filter, Reject};
pub use super::filter_map::FilterMap;
pub use super::filter_map_async::Present;
pub use super::flat_map::{ByFn, Expand, FlatMap, FlatMapLane};
pub use super::flat_map_ok::{ByFnOfOk, OkItems};
pub use super::from_stages::FromStage;
pub use super::group_by::{Grouping, GroupingPairs, Pair, PairWith1, Pairs, Summing};
pub use super::group_by_ref::{CountingByRef, GroupingByRef, SummingByRef};
pub use super::inspect::Inspect;
pub use super::join::keys::{JoinKeys, Keys, KeysByRef};
pub use super::join::lane::JoinLane;
pub use super::join::mode::JoinMode;
pub use super::join::{BySide, IntoLeft, IntoRight, Join, JoinRows, Sides};
pub use super::keep_newest::Newest;
pub use super::map::Map;
pub use super::map_async::in_order::MapAsyncLaneInOrder;
pub use super::map_async::{MapAsync, MapAsyncLane};
pub use super::map_batch::Batches;
pub use super::map_blocking::Blocking;
pub use super::map_err::MapErr;
pub use super::map_ok::MapOk;
pub use super::map_values::MapValues;
pub use super::merge::{Merge, MergeLane};
pub use super::on_init::OnInit;
pub use super::ordered::{Ordered, OrderedLane};
pub use super::per_lane::PerLane;
pub use super::plumbing::envelope::{Bare, ClosedLayer, Envelope, Gathers, InWindow, Numbered};
pub use super::plumbing::exchange::{Exchange, Routed, Shuffle};
pub use super::plumbing::hold::{Hold, Holding};
pub use super::plumbing::plan::{Build, Hashed, LayerStart, Layered, Plan};
pub use super::plumbing::sequence::{Enumerated, Expanded, LastPlace, Tagged};
pub use super::plumbing::serial::{Serial, SerialLane, SerialOp, SerialSteps, SharedEnd};
pub use super::plumbing::serial_step::{InSuccession, SerialStep};
pub use super::plumbing::step::{Step, Stepped, SteppedLane};
pub use super::reduce::Reduce;
pub use super::retry::{AnyError, RetryWhen, Retrying, When};
pub use super::sample::Sampling;
pub use super::scan::{Scan, ScanStep};
pub use super::skip::{SharedSkip, Skip};
pub use super::skip_errors::SkipErrors;
pub use super::skip_while::{SharedSkipWhile, SkipWhile};
pub use super::source::{Source, SourceLane};
pub use super::stop_when::StopWhen;
pub use super::take::{SharedTake, Take};
pub use super::take_sort::{Least, LeastOfAll};
pub use super::take_while::{SharedTakeWhile, TakeWhile};
pub use super::then::{OneByOne, OneByOneLane};
pub use super::throttle::rate::Acquire;
pub use super::throttle::{Throttled, ThrottledLane};
pub use super::through_stages::ThroughStages;
pub use super::top_by_key::KeepingTop;
pub use super::try_filter_map::TryFilterMap;
pub use super::try_map::TryMap;
pub use super::try_map_async::TryJob;
pub use super::uniq::{Uniq, UniqBy};
pub use super::weigh::{OneEach, Weigh, WeighedBy};
pub use super::window::InWindows;
pub use super::zip::{Zip, ZipLane};
pub use crate::reduce::{
    Copies, Emit, EmitAndFold, EmitState, Fire, Fold, Items, KeepsState, MergeBy, MergeStates, Never,
    Nothing, OnTrigger, One, Placed, Places, ReduceLane, Reducer, Settled, Signal, Slab, Spread, States,
    UnwindowedLane, Whole, WindowItems, WithWindow,
};
