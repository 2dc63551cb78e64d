//! What holds for every way to finish a flow. Flows come in boxes, so that each of these is compiled once for a finisher.

use super::{Watched, numbers, settle};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use gen_stage::Flow;
use gen_stage::flow::Boxed;
use gen_stage::testing::test_source;
use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Builder;

/// A way to finish a flow, and what it should come to.
pub(crate) trait Finisher: 'static {
    type Item: Send + 'static;
    type Value: Debug + PartialEq + Send + 'static;

    /// What the flow makes of a number.
    fn item(n: u64) -> Self::Item;
    /// Finishes a flow of so many lanes.
    fn finish(&self, flow: Flow<Boxed<Self::Item>>, lanes: usize) -> BoxFuture<'static, Self::Value>;
    /// Says what it comes to, if all these numbers come out, in any order.
    fn model(&self, numbers: Vec<u64>) -> Self::Value;
}

/// What a flow of a finisher can be about.
pub(crate) trait Item: Send + 'static {
    fn of(n: u64) -> Self;
}

impl Item for u64 {
    fn of(n: u64) -> Self {
        n
    }
}

impl Item for Result<u64, u64> {
    fn of(n: u64) -> Self {
        Ok(n)
    }
}

struct Given<I, V> {
    finish: Box<dyn Fn(Flow<Boxed<I>>, usize) -> BoxFuture<'static, V>>,
    model: fn(Vec<u64>) -> V,
}

/// Finishes flows of `I` by `finish`, which should come to what `model` says.
pub(crate) fn given<I, V, F>(
    finish: impl Fn(Flow<Boxed<I>>, usize) -> F + 'static,
    model: fn(Vec<u64>) -> V,
) -> impl Finisher<Item = I>
where
    I: Item,
    V: Debug + PartialEq + Send + 'static,
    F: Future<Output = V> + Send + 'static,
{
    Given { finish: Box::new(move |flow, lanes| finish(flow, lanes).boxed()), model }
}

impl<I: Item, V: Debug + PartialEq + Send + 'static> Finisher for Given<I, V> {
    type Item = I;
    type Value = V;

    fn item(n: u64) -> I {
        I::of(n)
    }

    fn finish(&self, flow: Flow<Boxed<I>>, lanes: usize) -> BoxFuture<'static, V> {
        (self.finish)(flow, lanes)
    }

    fn model(&self, numbers: Vec<u64>) -> V {
        (self.model)(numbers)
    }
}

/// Runs the suite: `$finish` finishes a flow of `$item`s, [numbers or results](Item), and is told how many lanes it has;
/// `$model` says what it should come to, if these numbers come out. Then what else holds for this finisher, by name:
/// what becomes of a flow that is being read, and of a panic in the finisher's own closure, if it has one.
macro_rules! finisher_suite {
    ($item:ty, $finish:expr, $model:expr, $($law:ident $(($($with:expr),*))?),+ $(,)?) => {
        mod suite {
            #[allow(unused_imports, reason = "some finishers need nothing from there")]
            use super::*;
            use $crate::support::finisher_suite::{self, Finisher};

            fn finisher() -> impl Finisher<Item = $item> {
                finisher_suite::given($finish, $model)
            }

            #[tokio::test]
            async fn nothing_comes_to_what_nothing_should() {
                finisher_suite::nothing_comes_to_what_nothing_should(&finisher()).await;
            }

            #[tokio::test]
            async fn it_comes_to_what_one_loop_does_in_one_thread() {
                finisher_suite::it_comes_to_what_one_loop_does(&finisher()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn it_comes_to_what_one_loop_does_in_many_threads() {
                finisher_suite::it_comes_to_what_one_loop_does(&finisher()).await;
            }

            #[test]
            fn it_works_outside_of_tokio_on_a_named_runtime() {
                finisher_suite::it_works_outside_of_tokio_on_a_named_runtime(&finisher());
            }

            #[test]
            fn without_any_runtime_it_says_so() {
                finisher_suite::without_any_runtime_it_says_so(&finisher());
            }

            #[tokio::test]
            async fn max_demand_1_gets_everything_through() {
                finisher_suite::max_demand_1_gets_everything_through(&finisher()).await;
            }

            #[tokio::test]
            async fn it_waits_for_a_pending_source_and_is_woken_by_it() {
                finisher_suite::it_waits_for_a_pending_source_and_is_woken_by_it(&finisher()).await;
            }

            #[tokio::test]
            async fn nothing_runs_before_it_is_awaited() {
                finisher_suite::nothing_runs_before_it_is_awaited(&finisher()).await;
            }

            #[tokio::test]
            async fn dropping_the_future_drops_the_source() {
                finisher_suite::dropping_the_future_drops_the_source(&finisher()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_panic_in_the_source_reaches_whoever_awaits() {
                finisher_suite::a_panic_in_the_source_reaches_whoever_awaits(&finisher()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_panic_in_an_operator_reaches_whoever_awaits() {
                finisher_suite::a_panic_in_an_operator_reaches_whoever_awaits(&finisher()).await;
            }

            $(
                #[tokio::test]
                async fn $law() {
                    finisher_suite::$law(&finisher(), $($($with),*)?).await;
                }
            )+
        }
    };
}
pub(crate) use finisher_suite;

/// Puts a box around a flow of the finisher's items.
fn flow<X: Finisher>(
    _: &X,
    source: impl Stream<Item = u64> + Send + 'static,
    lanes: usize,
) -> Flow<Boxed<X::Item>> {
    numbers(source).lanes(lanes).map(X::item).boxed()
}

pub(crate) async fn nothing_comes_to_what_nothing_should<X: Finisher>(it: &X) {
    for lanes in [1, 3] {
        let nothing = flow(it, futures::stream::empty(), lanes);
        assert_eq!(it.finish(nothing, lanes).await, it.model(vec![]), "{lanes} lanes");
    }
}

pub(crate) async fn it_comes_to_what_one_loop_does<X: Finisher>(it: &X) {
    for (lanes, items) in [(3, 1), (1, 5000), (2, 5000), (3, 5000), (8, 5000)] {
        let (watched, passed) = (Watched::new(), Arc::new(AtomicUsize::new(0)));
        let passes = passed.clone();
        let source = numbers(watched.endless().take(items)).lanes(lanes);
        let flow = source.inspect(move |_| _ = passes.fetch_add(1, Ordering::SeqCst)).map(X::item).boxed();
        // In a task of its own, so that it is sent to another thread.
        let came = tokio::spawn(it.finish(flow, lanes)).await.unwrap();
        assert_eq!(came, it.model((0..items as u64).collect()), "{items} items on {lanes} lanes");
        assert_eq!(
            passed.load(Ordering::SeqCst),
            items,
            "all pass the lanes, also if nothing is made of them"
        );
        assert!(!watched.is_alive());
    }
}

pub(crate) fn it_works_outside_of_tokio_on_a_named_runtime<X: Finisher>(it: &X) {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let flow = flow(it, futures::stream::iter(0..100), 2).on(runtime.handle().clone());
    assert_eq!(futures::executor::block_on(it.finish(flow, 2)), it.model((0..100).collect()));
}

pub(crate) fn without_any_runtime_it_says_so<X: Finisher>(it: &X) {
    let finishing = it.finish(flow(it, futures::stream::iter(0..3), 2), 2);
    let caught = AssertUnwindSafe(finishing).catch_unwind().now_or_never().expect("it panics at once");
    let payload = caught.expect_err("it cannot run");
    let message = payload.downcast_ref::<String>().expect("a text");
    assert!(message.contains("a flow needs a tokio runtime for its lanes"), "{message}");
}

pub(crate) async fn max_demand_1_gets_everything_through<X: Finisher>(it: &X) {
    let flow = flow(it, futures::stream::iter(0..50), 2).demand(1, 0);
    assert_eq!(it.finish(flow, 2).await, it.model((0..50).collect()));
}

pub(crate) async fn it_waits_for_a_pending_source_and_is_woken_by_it<X: Finisher>(it: &X) {
    let (source, input) = test_source();
    let mut finishing = tokio_test::task::spawn(it.finish(flow(it, source, 2), 2));
    assert!(finishing.poll().is_pending());
    input.send(0);
    settle().await;
    assert!(finishing.poll().is_pending());
    input.send(1);
    settle().await;
    assert!(finishing.poll().is_pending());
    input.end();
    settle().await;
    assert!(finishing.is_woken(), "the end of the source wakes it");
    let came = loop {
        if let std::task::Poll::Ready(came) = finishing.poll() {
            break came;
        }
        settle().await;
        assert!(finishing.is_woken(), "it is woken when there is more to do");
    };
    assert_eq!(came, it.model(vec![0, 1]));
}

pub(crate) async fn nothing_runs_before_it_is_awaited<X: Finisher>(it: &X) {
    let watched = Watched::new();
    let finishing = it.finish(flow(it, watched.endless(), 2), 2);
    settle().await;
    assert_eq!(watched.taken(), 0);
    drop(finishing);
    assert!(!watched.is_alive());
}

pub(crate) async fn dropping_the_future_drops_the_source<X: Finisher>(it: &X) {
    let watched = Watched::new();
    let mut finishing = tokio_test::task::spawn(it.finish(flow(it, watched.endless(), 3), 3));
    assert!(finishing.poll().is_pending());
    // With this source it never settles.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(watched.is_alive() && watched.taken() > 0);
    drop(finishing);
    assert!(!watched.is_alive());
}

/// The panic that is raised in whoever awaits.
async fn panic_of<V: Debug>(finishing: impl Future<Output = V>) -> Box<dyn std::any::Any + Send> {
    let caught = AssertUnwindSafe(finishing).catch_unwind().await;
    caught.expect_err("the panic is raised in whoever awaits")
}

/// Panics at 7, as `part` of the flow.
fn panics_in(part: &'static str) -> impl Fn(&u64) + Clone + Send + 'static {
    move |n| {
        if *n == 7 {
            std::panic::panic_any(part);
        }
    }
}

pub(crate) async fn a_panic_in_the_source_reaches_whoever_awaits<X: Finisher>(it: &X) {
    for lanes in [1, 2, 4] {
        let watched = Watched::new();
        let panics = panics_in("the source");
        let flow = flow(it, watched.endless().inspect(move |n| panics(n)), lanes);
        let payload = panic_of(it.finish(flow, lanes)).await;
        assert_eq!(payload.downcast_ref(), Some(&"the source"), "{lanes} lanes");
        assert!(!watched.is_alive(), "all lanes are gone by then");
    }
}

pub(crate) async fn a_panic_in_an_operator_reaches_whoever_awaits<X: Finisher>(it: &X) {
    for lanes in [1, 2, 4] {
        let watched = Watched::new();
        let source = numbers(watched.endless()).lanes(lanes);
        let flow = source.inspect(panics_in("an operator")).map(X::item).boxed();
        let payload = panic_of(it.finish(flow, lanes)).await;
        assert_eq!(payload.downcast_ref(), Some(&"an operator"), "{lanes} lanes");
        assert!(!watched.is_alive(), "all lanes are gone by then");
    }
}

/// For finishers with a closure: `panics` finishes a flow by one that panics at 7, as [`seven`](super::seven) does.
pub(crate) async fn a_panic_in_its_closure_reaches_whoever_awaits<X, V, F>(
    _: &X,
    panics: impl Fn(Flow<Boxed<X::Item>>) -> F,
) where
    X: Finisher,
    V: Debug,
    F: Future<Output = V>,
{
    for lanes in [1, 2, 4] {
        let watched = Watched::new();
        let flow = numbers(watched.endless()).lanes(lanes).map(X::item).boxed();
        let payload = panic_of(panics(flow)).await;
        assert_eq!(payload.downcast_ref(), Some(&"seven"), "{lanes} lanes");
        assert!(!watched.is_alive(), "all lanes are gone by then");
    }
}

/// For finishers that read the flow where they are awaited.
pub(crate) async fn of_a_flow_that_was_begun_it_takes_the_rest<X: Finisher>(it: &X) {
    for taken in [1, 3, 10] {
        // In batches of which one is half read.
        let mut flow = flow(it, futures::stream::iter(0..10), 1).demand(4, 2);
        for _ in 0..taken {
            assert!(flow.next().await.is_some());
        }
        assert_eq!(it.finish(flow, 1).await, it.model((taken..10).collect()), "{taken} were read before");
    }
    let mut ended = flow(it, futures::stream::empty(), 1);
    assert!(ended.next().await.is_none());
    assert_eq!(it.finish(ended, 1).await, it.model(vec![]), "it has ended");
}

/// For finishers that run in the lanes: these are at work already.
pub(crate) async fn a_flow_that_was_begun_is_refused<X: Finisher>(it: &X, how: &str) {
    for items in [0, 10] {
        let mut flow = flow(it, futures::stream::iter(0..items), 1);
        assert_eq!(flow.next().await.is_some(), items > 0);
        // Some refuse at once, others when they are awaited.
        let payload = panic_of(async { it.finish(flow, 1).await }).await;
        let message = payload.downcast_ref::<String>().expect("a text");
        assert_eq!(*message, format!("a flow that is already being read cannot {how}"));
    }
}
