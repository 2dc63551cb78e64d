//! What holds for every public type.

use futures::stream;
use gen_stage::dispatch::adapters::{ByHash, ByKey, ByKeyRef, ByRouter};
use gen_stage::dispatch::{
    Broadcast, ByDemand, Deliveries, Partition, PartitionName, Refusal, Selector, StageId, Subscriber,
    SubscriptionId,
};
use gen_stage::edge::{EdgeCounts, Receiver, Sender};
use gen_stage::files::{BlocksOf, FilesBelow, WholeFile, files_below, whole_file};
use gen_stage::flow::adapters::{
    AnyError, Batch, Conflating, DeadLetters, Debouncing, Dedup, DedupBy, Enumerated, FromStage, Holding,
    LaneReport, MapAsyncLane, MapAsyncLaneInOrder, MapErr, MapOk, MapValues, Newest, OneEach, OrderedLane,
    Present, Retrying, Sampling, Shuffle, SkipErrors, Source, SourceLane, Stepped, Tagged, Throttled,
    TryFilterMap, TryMap, Uniq, UniqBy, When,
};
use gen_stage::flow::{
    Combiner, FlowEnd, FlowError, FlowHandle, FlowReport, FullOuter, Inner, IntoStages, LeftOuter, Retry,
    RightOuter, Side, StagesHandle, Throttle, Top,
};
use gen_stage::lane::{Inlet, Iter, StreamLane};
use gen_stage::prelude::*;
use gen_stage::stage::adapters::{AsProducer, FromIter, FromSink, FromStream};
use gen_stage::stage::{
    Address, AskMode, BufferKeep, CallError, CancelMode, Cancellation, CastError, ConsumerHandle, Control,
    Counts as StageCounts, DemandMode, Driver, Ended, Fallible, IntoSink, IntoStream, Output, Panic,
    ProducerConsumerHandle, ProducerHandle, Reason, Reply, StageGraph, StageKind, StageRef, StageState,
    Status, Subscribe, SubscribeError, Subscription, Upstream, from_iter, from_sink, from_stream,
};
use gen_stage::supervisor::adapters::{
    FallibleSpec, FnSpec, Keyed, NoKey, OfChild, ReturningChild, Supervised, WithResults,
};
use gen_stage::supervisor::{
    Child, ChildCounts, ChildError, ChildId, ChildInfo, ChildResult, ChildResults, ChildState,
    DynamicSupervisor, Event, EventKind, Events, GivenUp, NotFound, Outcome, Restart, RestartError, Shutdown,
    StartError, Starting, Stopped, StreamSupervised, SupervisorEnd, SupervisorError, SupervisorHandle,
    SupervisorReport, TaskSupervisor, TaskSupervisorClosed, TaskSupervisorHandle,
};
use gen_stage::window::Window;
use gen_stage::{Backoff, Demand, DemandError};
use std::cell::Cell;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn unpin<T: Unpin>() {}

/// May be sent, and not shared.
type Unshared = Cell<u64>;
type Range = std::ops::Range<u64>;
type Numbers = Source<Iter<Range>>;

#[test]
fn values_can_be_sent_and_never_need_to_be_shared() {
    send::<Flow<Source<Iter<Range>>>>();
    send::<Flow<Source<StreamLane<stream::Iter<std::vec::IntoIter<Unshared>>>>>>();
    send::<Sender<Unshared>>();
    send::<Receiver<Unshared>>();
    send::<Inlet<Unshared>>();
    send::<SourceLane<Iter<Range>>>();
    send::<Combiner<String, Unshared>>();
    send::<Top<u64, Unshared>>();
    send::<BlocksOf<FilesBelow>>();
    send::<WholeFile>();
    send::<MapAsyncLane<Iter<Range>, Ready<Unshared>, fn(u64) -> Ready<Unshared>>>();
    send::<MapAsyncLaneInOrder<Enumerated<Iter<Range>>, Ready<Unshared>, fn(u64) -> Ready<Unshared>>>();
    send::<OrderedLane<Enumerated<Iter<Range>>, u64>>();
    send::<Tagged<Unshared>>();
    sync::<Tagged<u64>>();
    send::<Flow<Batch<Numbers, OneEach>>>();
    send::<Flow<Throttled<Numbers, OneEach>>>();
    send::<Flow<Holding<Numbers, Conflating<Unshared, Unshared>>>>();
    send::<Flow<Holding<Numbers, Newest<Unshared>>>>();
    send::<Flow<Holding<Numbers, Sampling<Unshared>>>>();
    send::<Flow<Holding<Numbers, Debouncing<Unshared>>>>();
    send::<Flow<DeadLetters<Numbers, stream::Empty<Unshared>>>>();
    send::<Stepped<Numbers, MapOk<Unshared>>>();
    send::<Stepped<Numbers, MapErr<Unshared>>>();
    send::<Stepped<Numbers, TryMap<Unshared>>>();
    send::<Stepped<Numbers, TryFilterMap<Unshared>>>();
    send::<Stepped<Numbers, MapValues<Unshared>>>();
    send::<Stepped<Numbers, SkipErrors>>();
    send::<Stepped<Numbers, Dedup<Unshared>>>();
    send::<Stepped<Numbers, DedupBy<Unshared, Unshared>>>();
    send::<Stepped<Numbers, Uniq<Unshared>>>();
    send::<Stepped<Numbers, UniqBy<Unshared, Unshared>>>();
    send::<Retrying<Unshared, (), std::future::Pending<Unshared>, AnyError>>();
    sync::<Throttle>();
    sync::<Retry>();
    sync::<Retry<When<()>>>();
    send::<FromStage<Unshared>>();
    send::<IntoStages<Source<Iter<Range>>>>();
    sync::<Sender<Unshared>>();
    sync::<Demand>();
    sync::<DemandError>();
    sync::<EdgeCounts>();
}

#[test]
fn a_flow_can_be_moved_while_it_runs() {
    unpin::<Flow<Source<StreamLane<stream::BoxStream<'static, u64>>>>>();
    unpin::<Receiver<std::marker::PhantomPinned>>();
    unpin::<Inlet<std::marker::PhantomPinned>>();
    unpin::<FromStage<std::marker::PhantomPinned>>();
}

#[test]
fn what_awaits_a_flow_can_be_sent() {
    fn sent<T: Send>(_: T) {}
    sent(Flow::from_iter(0..3).for_each_async(2, |_| ready(())));
    sent(Flow::from_iter(0..3).map_async(2, ready).ordered().collect::<Vec<u64>>());
}

#[test]
fn debug_shows_the_right_name_and_no_closure() {
    let shown: Vec<(&str, Box<dyn Debug>)> = vec![
        ("Demand", Box::new(Demand::default())),
        ("ByHash", Box::new(ByHash::default())),
        ("ByKey", Box::new(ByKey::new(|n: &u64| *n))),
        ("ByKeyRef", Box::new(ByKeyRef::new(|n: &u64| n))),
        ("ByRouter", Box::new(ByRouter::new(|_: &u64| None))),
        ("Shuffle", Box::new(Shuffle)),
        ("Sender", Box::new(gen_stage::edge::edge::<u64>(Demand::default()).0)),
        ("Receiver", Box::new(gen_stage::edge::edge::<u64>(Demand::default()).1)),
        ("Iter", Box::new(Iter::new(0..3, 1))),
        ("StreamLane", Box::new(StreamLane::new(stream::iter(0..3), 1))),
        ("Flow", Box::new(Flow::from_iter(0..3).map(|n| n).partition())),
        ("Flow", Box::new(Flow::from_iter(0..3).filter_map_async(2, |n| ready(Some(n))).ordered())),
        ("Present", Box::new(Present)),
        ("FilesBelow", Box::new(files_below("src"))),
        ("BlocksOf", Box::new(gen_stage::files::blocks_of(files_below("src")))),
        ("UnreadBlocksOf", Box::new(gen_stage::files::unread_blocks_of(files_below("src")))),
        ("UnreadBlock", Box::new(gen_stage::files::UnreadBlock::from(gen_stage::blocks::Block::from("a\n")))),
        ("WholeFile", Box::new(whole_file("file"))),
        ("Top", Box::new(Top::<u64, Unshared>::new(1))),
        ("Window", Box::new(Window::fixed_by_clock(Duration::from_secs(1)))),
        ("Window", Box::new(Window::session_by_clock(Duration::from_secs(1), |n: &u64| *n))),
        ("Whole", Box::new(Tagged::Whole(3, ()))),
        ("Throttle", Box::new(Throttle::per_second(1))),
        ("Acquire", Box::new(Throttle::per_second(1).acquire())),
        ("OneEach", Box::new(OneEach)),
        ("Retry", Box::new(Retry::times(1).when(|_: &u64| true))),
        ("AnyError", Box::new(AnyError)),
        ("Retrying", Box::new(Retry::times(1).wrap(|n: u64| async move { Err::<(), _>(n) })(1))),
    ];
    for (name, value) in shown {
        let debug = format!("{value:?}");
        assert!(debug.starts_with(name), "{name}: {debug}");
    }
}

#[tokio::test]
async fn debug_of_flows_that_run_by_themselves_shows_the_right_name() {
    let numbers = || from_iter(0..3u64).stage().spawn();
    let started = Flow::from_iter(0..3u64).start();
    let report = started.wait().await.unwrap();
    let shown: Vec<(&str, Box<dyn Debug>)> = vec![
        ("FlowHandle { finished: true", Box::new(started)),
        ("FlowReport { end: Ok(Finished), taken: 3", Box::new(report)),
        ("RuntimeGone", Box::new(FlowError::RuntimeGone)),
        ("IntoStages", Box::new(Flow::from_iter(0..3u64).into_stage())),
        ("StagesHandle", Box::new(Flow::from_iter(0..3u64).into_stage().await.unwrap())),
        (
            "Flow",
            Box::new(Flow::from_stages([numbers()]).on_init(|_, _| ()).stop_when(CancellationToken::new())),
        ),
    ];
    for (name, value) in shown {
        let debug = format!("{value:?}");
        assert!(debug.starts_with(name), "{name}: {debug}");
    }
}

#[tokio::test]
async fn debug_of_a_flow_tells_its_state() {
    let mut flow = Flow::from_iter(0..3).lanes(1);
    assert!(format!("{flow:?}").contains("planned"));
    futures::StreamExt::next(&mut flow).await;
    assert!(format!("{flow:?}").contains("running"));
    while futures::StreamExt::next(&mut flow).await.is_some() {}
    assert!(format!("{flow:?}").contains("done"));
}

#[test]
fn what_is_joined_merged_and_brought_together_is_sent_and_never_shared() {
    fn is_send<T: Send>(_: &T) {}
    let cells = || Flow::from_iter([Unshared::new(1)]);
    let key = |cell: &Unshared| cell.get();
    let window = || Window::fixed(Duration::from_millis(1), Side::by(key, key));
    is_send(&cells().bounded_join(Inner, cells(), key, key));
    is_send(&cells().window_join(FullOuter, cells(), window(), key, key));
    is_send(&cells().bounded_join_ref(Inner, cells(), |_| "", |_| ""));
    is_send(&cells().window_join_ref(FullOuter, cells(), window(), |_| "", |_| ""));
    is_send(&cells().merge(cells()));
    let reduced = || cells().reduce(Vec::new, Vec::push);
    is_send(&reduced().departition(Vec::new, Vec::push, |cells: Vec<Unshared>, _| cells));
    is_send(&reduced().take_sort(1));
    is_send(&cells().group_by(key));
    is_send(&cells().count_by(key));
}

#[test]
fn debug_of_joins_needs_nothing_of_what_they_join() {
    let shown: Vec<(&str, Box<dyn Debug>)> = vec![
        ("Inner", Box::new(Inner)),
        ("LeftOuter", Box::new(LeftOuter)),
        ("RightOuter", Box::new(RightOuter)),
        ("FullOuter", Box::new(FullOuter)),
        ("Left(1)", Box::new(Side::<_, ()>::Left(1))),
        ("Right(1)", Box::new(Side::<(), _>::Right(1))),
        ("Done(0, 1)", Box::new(LaneReport::<_, ()>::Done(0, 1))),
    ];
    for (name, value) in shown {
        let debug = format!("{value:?}");
        assert!(debug.starts_with(name), "{name}: {debug}");
    }
}

#[test]
fn what_goes_through_stages_is_sent_and_never_shared() {
    send::<Setup<Unshared>>();
    send::<Subscribe<Unshared>>();
    send::<Subscription<Unshared>>();
    send::<Fallible<Subscription<Unshared>>>();
    send::<IntoStream<Unshared>>();
    send::<Fallible<IntoStream<Unshared>>>();
    send::<IntoSink<Unshared>>();
    send::<Driver>();
    send::<Output<Unshared, Unshared>>();
    send::<Control<Unshared>>();
    send::<Reply<Unshared>>();
    send::<FromIter<std::vec::IntoIter<Unshared>>>();
    send::<FromStream<stream::Pending<Unshared>>>();
    send::<FromSink<futures::sink::Drain<Unshared>, Unshared>>();
    send::<Deliveries<Unshared>>();
    send::<ByDemand>();
    send::<Broadcast<u64>>();
    send::<Partition<Unshared>>();
}

#[test]
fn handles_are_for_all_threads_whatever_the_stage_is_about() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<ProducerHandle<Unshared, Selector<Unshared>, Unshared>>();
    shared::<ConsumerHandle<Unshared, Unshared>>();
    shared::<ProducerConsumerHandle<Unshared, Unshared, PartitionName<Unshared>, Unshared>>();
    shared::<Address<Unshared>>();
    shared::<FlowHandle>();
    shared::<StagesHandle<Unshared, Selector<Unshared>>>();
    shared::<FlowReport>();
    shared::<FlowError>();
    shared::<FlowEnd>();
    shared::<Upstream>();
    shared::<Reason>();
    shared::<Panic>();
    shared::<Cancellation>();
    shared::<SubscribeError>();
    shared::<Refusal>();
    shared::<Status>();
    shared::<StageCounts>();
    shared::<StageRef>();
    shared::<StageGraph>();
}

#[test]
fn streams_and_sinks_of_stages_can_be_moved_while_they_run() {
    type Pinned = std::marker::PhantomPinned;
    unpin::<Subscription<Pinned>>();
    unpin::<Fallible<Subscription<Pinned>>>();
    unpin::<IntoStream<Pinned>>();
    unpin::<IntoSink<Pinned>>();
    unpin::<Driver>();
}

#[test]
fn errors_of_stages_are_errors_and_small() {
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<Reason>();
    error::<FlowError>();
    error::<SubscribeError>();
    error::<CallError>();
    error::<CastError<Vec<u8>>>();
    error::<Ended>();
    error::<Refusal>();
    assert!(size_of::<Result<(), Reason>>() <= 48);
    assert!(size_of::<Result<(), FlowError>>() <= 56);
}

/// Any stage that is being set up.
type Setup<T> =
    gen_stage::stage::Setup<AsProducer<FromIter<std::vec::IntoIter<T>>, std::convert::Infallible>, ByDemand>;

#[tokio::test]
async fn debug_of_stages_shows_the_right_name_and_no_items() {
    let numbers = from_iter(0..3u64).stage().label("numbers").spawn();
    let subscription = numbers.subscribe().await.unwrap();
    let (_, driver) = from_iter(0..3u64).stage().into_parts();
    let status = numbers.status().await.unwrap();
    let shown: Vec<(&str, Box<dyn Debug>)> = vec![
        ("FromIter", Box::new(from_iter(0..3u64))),
        ("FromStream", Box::new(from_stream(stream::iter(0..3u64)))),
        ("FromSink", Box::new(from_sink::<_, u64>(futures::sink::drain()))),
        ("Setup", Box::new(from_iter(0..3u64).stage())),
        ("Handle", Box::new(numbers.clone())),
        ("Address", Box::new(numbers.address())),
        ("Subscribe", Box::new(numbers.subscribe())),
        ("Subscription", Box::new(subscription)),
        ("Fallible", Box::new(from_iter(0..3u64).into_stream().fallible())),
        ("IntoStream", Box::new(from_iter(0..3u64).into_stream())),
        ("IntoSink", Box::new(from_sink::<_, u64>(futures::sink::drain()).into_sink())),
        ("Driver", Box::new(driver)),
        ("Status", Box::new(status)),
        ("Counts", Box::new(numbers.counts())),
        ("StageRef", Box::new(numbers.stage_ref())),
        ("StageGraph", Box::new(numbers.graph(Duration::from_secs(1)).await)),
        ("Silent", Box::new(StageState::Silent)),
        ("Shutdown", Box::new(Reason::Shutdown)),
        ("Gone", Box::new(SubscribeError::Gone)),
        ("NoReply", Box::new(CallError::NoReply)),
        // What was sent need not have a Debug of its own.
        ("Full(..)", Box::new(CastError::Full(futures::sink::drain::<u8>()))),
        ("Ended", Box::new(Ended)),
        ("Permanent", Box::new(CancelMode::default())),
        ("Automatic", Box::new(AskMode::default())),
        ("Forward", Box::new(DemandMode::default())),
        ("Last", Box::new(BufferKeep::default())),
        ("Consumer", Box::new(StageKind::Consumer)),
        ("ByDemand", Box::new(ByDemand::new())),
        ("Broadcast", Box::new(Broadcast::<u64>::new())),
        ("Partition", Box::new(Partition::<u64>::hash(2))),
        ("Partition", Box::new(Partition::by_key([0, 1], |n: &u64| n % 2))),
        ("Partition", Box::new(Partition::by([0, 1], |n: u64| Some((n, n % 2))))),
        ("Selector(some)", Box::new(Selector::new(|_: &u64| true))),
        ("PartitionName", Box::new(PartitionName::new(1))),
        ("Deliveries", Box::new(Deliveries::<u64>::new())),
        ("Subscriber", Box::new(Subscriber::new(SubscriptionId::next()))),
        ("#", Box::new(StageId::next())),
    ];
    for (name, value) in shown {
        let debug = format!("{value:?}");
        assert!(debug.starts_with(name), "{name}: {debug}");
    }
    assert!(format!("{numbers:?}").contains("numbers"));
}

#[tokio::test]
async fn debug_of_a_sink_tells_its_state() {
    use futures::SinkExt;
    let mut sink = from_sink::<_, u64>(futures::sink::drain()).into_sink();
    assert!(format!("{sink:?}").contains("planned"));
    sink.send(1).await.unwrap();
    assert!(format!("{sink:?}").contains("running"));
    sink.close().await.unwrap();
    assert!(format!("{sink:?}").contains("ended"));
}

#[test]
fn supervisors_of_tasks_are_sent_moved_and_never_shared() {
    type Key = fn(&Unshared) -> Unshared;
    type ByKeys = TaskSupervisor<Unshared, Unshared, Cell<()>, Keyed<Key>, Unshared>;
    type Pinned = TaskSupervisor<
        std::marker::PhantomPinned,
        std::marker::PhantomPinned,
        std::marker::PhantomPinned,
        std::marker::PhantomPinned,
        std::marker::PhantomPinned,
    >;
    send::<TaskSupervisor<Unshared, Unshared, Cell<()>>>();
    send::<ByKeys>();
    // Items are gone when they were sent, and need not be sent themselves.
    send::<TaskSupervisor<std::rc::Rc<()>, Unshared, (), Keyed<()>, u64>>();
    send::<Supervised<stream::Empty<Unshared>, Unshared, Cell<()>>>();
    unpin::<Pinned>();
    unpin::<Supervised<stream::Empty<u64>, std::marker::PhantomPinned, std::marker::PhantomPinned>>();
    send::<Backoff>();
    sync::<Backoff>();
}

#[test]
fn errors_of_tasks_are_errors_and_small() {
    fn error<T: std::error::Error + Send + Sync + Clone + 'static>() {}
    error::<ChildError>();
    error::<TaskSupervisorClosed<u64>>();
    assert!(size_of::<Result<(), ChildError>>() <= 32);
    assert_eq!(size_of::<TaskSupervisorClosed<u64>>(), size_of::<u64>());
}

#[tokio::test]
async fn debug_of_supervisors_of_tasks_shows_the_right_name_and_no_items() {
    let drain = || futures::sink::drain::<u8>();
    let mut tasks = TaskSupervisor::new(3, |n: u64| ready(n)).ordered();
    assert!(format!("{tasks:?}").contains("outstanding: 0, ordered: true, closed: false"), "{tasks:?}");
    futures::SinkExt::send(&mut tasks, 1).await.unwrap();
    futures::SinkExt::close(&mut tasks).await.unwrap();
    assert!(format!("{tasks:?}").contains("outstanding: 1, ordered: true, closed: true"), "{tasks:?}");
    let shown: Vec<(&str, Box<dyn Debug>)> = vec![
        ("TaskSupervisor { max: 3", Box::new(tasks)),
        ("TaskSupervisor", Box::new(TaskSupervisor::new(3, |_| ready(drain())).key(|_: &u64| drain()))),
        ("Supervised", Box::new(stream::iter([drain()]).supervised(1, |_| ready(drain())))),
        ("NoKey", Box::new(NoKey)),
        ("TaskSupervisorClosed(..)", Box::new(TaskSupervisorClosed(drain()))),
        ("TimedOut", Box::new(ChildError::TimedOut)),
        ("Backoff", Box::new(Backoff::default())),
    ];
    for (name, value) in shown {
        let debug = format!("{value:?}");
        assert!(debug.starts_with(name), "{name}: {debug}");
    }
}

#[test]
fn supervisors_are_sent_and_moved_and_their_handles_are_for_all_threads_whatever_the_items_are() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    send::<DynamicSupervisor<Unshared, FnSpec<fn(Unshared) -> Ready<()>>>>();
    send::<DynamicSupervisor<Unshared, OfChild<fn(Unshared, Child) -> Ready<()>>>>();
    send::<DynamicSupervisor<Unshared, FallibleSpec<()>>>();
    unpin::<DynamicSupervisor<std::marker::PhantomPinned, FnSpec<std::marker::PhantomPinned>>>();
    shared::<SupervisorHandle<Unshared>>();
    shared::<TaskSupervisorHandle<u64>>();
    shared::<Child>();
    shared::<ChildId>();
    shared::<ChildInfo>();
    shared::<ChildState>();
    shared::<ChildCounts>();
    shared::<Event>();
    shared::<EventKind>();
    shared::<Outcome>();
    shared::<SupervisorEnd>();
    shared::<GivenUp>();
    shared::<NotFound>();
    shared::<RestartError>();
    shared::<SupervisorReport>();
    shared::<Stopped>();
    shared::<Restart>();
    shared::<Shutdown>();
    send::<Events>();
    sync::<Events>();
    unpin::<Events>();
    send::<ChildResults<Unshared>>();
    sync::<ChildResults<Unshared>>();
    unpin::<ChildResults<std::marker::PhantomPinned>>();
    send::<ChildResult<Unshared>>();
    send::<ReturningChild<Ready<Unshared>>>();
    send::<DynamicSupervisor<Unshared, WithResults<()>>>();
    send::<SupervisorError<Unshared>>();
    send::<StartError<Unshared>>();
    send::<Starting<'_>>();
    sync::<Starting<'_>>();
}

#[test]
fn what_awaits_a_supervisor_can_be_sent() {
    fn sent<T: Send>(_: T) {}
    #[expect(dead_code, reason = "it is compiled and never run")]
    fn awaits(handle: SupervisorHandle<Unshared>, child: ChildId, subscribe: Subscribe<Unshared>) {
        sent(handle.terminate_child(child));
        sent(handle.restart_child(child));
        sent(handle.wait_child(child));
        sent(handle.shutdown());
        sent(handle.drain(None));
        sent(handle.wait());
        sent(async move { handle.subscribe_to(subscribe).await });
    }
}

#[test]
fn errors_of_supervisors_are_errors_and_small() {
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<SupervisorEnd>();
    error::<SupervisorError<Vec<u8>>>();
    error::<StartError<Vec<u8>>>();
    error::<NotFound>();
    error::<RestartError>();
    // What has given up says much.
    assert!(size_of::<SupervisorEnd>() <= 96);
    assert!(size_of::<Result<(), SupervisorError<u64>>>() <= 112);
}

#[tokio::test]
async fn debug_of_supervisors_shows_the_right_name_and_no_items() {
    // Items without a Debug of their own.
    struct Item;
    let mut supervisor = DynamicSupervisor::with_child(|_: Item, child: Child| async move {
        child.stopping().await;
    });
    let handle = supervisor.handle();
    let id = handle.start_child(Item).unwrap();
    let info = handle.which_children().remove(0);
    let counts = handle.count_children();
    let mut events = handle.events();
    let outcome = handle.terminate_child(id).await.unwrap();
    let event = futures::StreamExt::next(&mut events).await.unwrap();
    let not_found = handle.terminate_child(id).await.unwrap_err();
    let not_restarted = handle.restart_child(id).await.unwrap_err();
    let report = handle.shutdown().await;
    let not_started = handle.start_child(Item).unwrap_err();
    let refused = futures::SinkExt::start_send_unpin(&mut supervisor, Item).unwrap_err();
    let shown: Vec<(&str, Box<dyn Debug>)> = vec![
        ("DynamicSupervisor", Box::new(supervisor)),
        ("SupervisorHandle", Box::new(handle)),
        ("Events", Box::new(events)),
        ("Event", Box::new(event)),
        ("Stopped", Box::new(outcome)),
        ("ChildId { number: 1", Box::new(id)),
        ("ChildInfo", Box::new(info)),
        ("Running", Box::new(ChildState::Running)),
        ("ChildCounts { alive: 1", Box::new(counts)),
        ("NotFound", Box::new(not_found)),
        ("Temporary", Box::new(not_restarted)),
        ("SupervisorReport { end: ShutDown", Box::new(report)),
        ("Ended { end: ShutDown", Box::new(not_started)),
        ("SupervisorError { end: ShutDown, has_item: true", Box::new(refused)),
        ("Temporary", Box::new(Restart::default())),
        ("After", Box::new(Shutdown::default())),
    ];
    for (name, value) in shown {
        let debug = format!("{value:?}");
        assert!(debug.starts_with(name), "{name}: {debug}");
    }
}
