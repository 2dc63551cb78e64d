use super::bounds::{InOrder, Readable};
use super::flow::Flow;
use super::plumbing::envelope::{Bare, Envelope, Numbered};
use super::plumbing::plan::{Build, LayerStart, Layered, Plan, Settings, To};
use super::plumbing::tasks::Tasks;
use crate::lane::{Each, Lane, Origins};
use crate::sealed::Sealed;
use futures_core::Stream;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

/// # In functions and fields
///
/// See also [`Flowing`](super::Flowing), [`InOrder`] and [`Readable`]: what a function asks of a flow.
impl<P> Flow<P> {
    /// Takes the operators out of the flow's type, for a field or to choose among flows; items go on as they are.
    ///
    /// `Flow<Boxed<T>>` takes every operator but [`ordered`](Flow::ordered), for which there is
    /// [`boxed_in_order`](Flow::boxed_in_order). It costs a dynamic call per item where it stands, and an allocation
    /// per lane. The operators before it are compiled into one loop, and so are those after it. `lanes` and `demand`
    /// after it still set the layer that it is in.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// When the flow is already being read.
    ///
    /// # Examples
    /// By configuration:
    /// ```
    /// use gen_stage::flow::Boxed;
    /// use gen_stage::prelude::*;
    ///
    /// fn numbers(squared: bool, odd_only: bool) -> Flow<Boxed<u64>> {
    ///     let mut numbers = Flow::from_iter(1..=5).boxed();
    ///     if squared {
    ///         numbers = numbers.map(|n| n * n).boxed();
    ///     }
    ///     if odd_only {
    ///         numbers = numbers.filter(|n| n % 2 == 1).boxed();
    ///     }
    ///     numbers
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// assert_eq!(numbers(false, false).sum::<u64>().await, 15);
    /// assert_eq!(numbers(true, true).sum::<u64>().await, 1 + 9 + 25);
    /// # });
    /// ```
    /// In a field:
    /// ```
    /// use gen_stage::flow::Boxed;
    /// use gen_stage::prelude::*;
    ///
    /// struct Import {
    ///     lines: Flow<Boxed<String>>,
    /// }
    ///
    /// impl Import {
    ///     async fn words(self) -> u64 {
    ///         self.lines.flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).count().await
    ///     }
    /// }
    ///
    /// # tokio_test::block_on(async {
    /// let import = Import { lines: Flow::from_iter(["the fox", "a dog"]).map(str::to_owned).boxed() };
    /// assert_eq!(import.words().await, 4);
    /// # });
    /// ```
    #[track_caller]
    pub fn boxed(self) -> Flow<Boxed<P::Item>>
    where
        P: Readable,
    {
        self.wrap(|plan| Boxed { plan: Box::new(plan) })
    }

    /// Takes the operators out of the flow's type; the order of the source can still be restored.
    ///
    /// Like [`boxed`](Flow::boxed), for a flow that [`ordered`](Flow::ordered) can follow, here or after further
    /// operators.
    ///
    /// # Ordering
    /// Each lane keeps its order.
    ///
    /// # Panics
    /// When the flow is already being read.
    ///
    /// # Examples
    /// ```
    /// use gen_stage::flow::BoxedInOrder;
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let numbers: Flow<BoxedInOrder<u64>> = Flow::from_iter(1..=4).filter(|n| n % 3 != 0).boxed_in_order();
    /// let tens = numbers.map(|n| n * 10).ordered();
    /// assert_eq!(tens.collect::<Vec<_>>().await, [10, 20, 40]);
    /// # });
    /// ```
    #[track_caller]
    pub fn boxed_in_order(self) -> Flow<BoxedInOrder<P::Item>>
    where
        P: InOrder,
    {
        self.wrap(|plan| BoxedInOrder { plan: Box::new(plan) })
    }
}

/// What stands in the type of a flow in place of its operators, as in `Flow<Boxed<u64>>`; made by [`Flow::boxed`].
///
/// # Examples
/// See [`Flow::boxed`].
#[must_use = "a flow does nothing until it is read"]
pub struct Boxed<T> {
    plan: Box<dyn DynBuild<Bare, T>>,
}

/// As [`Boxed`], for a flow that takes [`ordered`](Flow::ordered) too; made by [`Flow::boxed_in_order`].
///
/// # Examples
/// See [`Flow::boxed_in_order`].
#[must_use = "a flow does nothing until it is read"]
pub struct BoxedInOrder<T> {
    plan: Box<dyn DynBuildInOrder<T>>,
}

/// [`Plan`] and [`Build`], as a trait object.
trait DynBuild<E: Envelope, T>: Send {
    fn settings(&mut self) -> &mut Settings;
    fn pass_through(&mut self);
    fn size_hint(&self) -> (usize, Option<usize>);
    fn build(self: Box<Self>, tasks: &mut Tasks, to: To<'_, BoxedLane<E::Of<T>>>);
}

/// The same for bare items and for numbered ones.
trait DynBuildInOrder<T>: DynBuild<Bare, T> + DynBuild<Numbered, T> {}

impl<E, T, P> DynBuild<E, T> for P
where
    E: Envelope,
    P: Build<E, Item = T, Lane: Send + 'static> + Send,
{
    fn settings(&mut self) -> &mut Settings {
        Layered::settings(self)
    }

    fn pass_through(&mut self) {
        Layered::pass_through(self);
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        Plan::size_hint(self)
    }

    fn build(self: Box<Self>, tasks: &mut Tasks, to: To<'_, BoxedLane<E::Of<T>>>) {
        Build::<E>::build(*self, tasks, &mut |tasks, lane| to(tasks, BoxedLane { lane: Box::pin(lane) }));
    }
}

impl<T, P: DynBuild<Bare, T> + DynBuild<Numbered, T>> DynBuildInOrder<T> for P {}

impl<T> Sealed for Boxed<T> {}

impl<T> Layered for Boxed<T> {
    fn settings(&mut self) -> &mut Settings {
        self.plan.settings()
    }

    fn pass_through(&mut self) {
        self.plan.pass_through();
    }
}

impl<T> Sealed for BoxedInOrder<T> {}

impl<T> Layered for BoxedInOrder<T> {
    fn settings(&mut self) -> &mut Settings {
        DynBuild::<Bare, T>::settings(&mut *self.plan)
    }

    fn pass_through(&mut self) {
        DynBuild::<Bare, T>::pass_through(&mut *self.plan);
    }
}

impl<T> Plan for Boxed<T> {
    type Item = T;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.plan.size_hint()
    }
}

impl<T> Plan for BoxedInOrder<T> {
    type Item = T;
    type Carries = Bare;

    fn size_hint(&self) -> (usize, Option<usize>) {
        DynBuild::<Bare, T>::size_hint(&*self.plan)
    }
}

impl<T> Build<Bare> for Boxed<T> {
    type Lane = BoxedLane<T>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        self.plan.build(tasks, to);
    }
}

impl<E: Envelope, T> Build<E> for BoxedInOrder<T>
where
    dyn DynBuildInOrder<T>: DynBuild<E, T>,
{
    type Lane = BoxedLane<E::Of<T>>;

    fn build(self, tasks: &mut Tasks, to: To<'_, Self::Lane>) {
        DynBuild::<E, T>::build(self.plan, tasks, to);
    }
}

// Batches pass through a boxed lane as they are.
impl<T> LayerStart for Boxed<T> {}
impl<T> LayerStart for BoxedInOrder<T> {}

impl<T> fmt::Debug for Boxed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Boxed").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for BoxedInOrder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxedInOrder").finish_non_exhaustive()
    }
}

/// All faces of a [`Lane`], as a trait object.
trait DynLane<T>: Stream<Item = T> + Send {
    fn poll_each(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        each: &mut dyn FnMut(T) -> ControlFlow<()>,
    ) -> Poll<Each>;
    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<T>>>;
    fn origins(self: Pin<&mut Self>) -> Origins;
}

impl<L: Lane + Send> DynLane<L::Item> for L {
    fn poll_each(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        each: &mut dyn FnMut(L::Item) -> ControlFlow<()>,
    ) -> Poll<Each> {
        Lane::poll_each(self, cx, &mut |item| each(item))
    }

    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<L::Item>>> {
        Lane::poll_batch(self, cx, limit)
    }

    fn origins(self: Pin<&mut Self>) -> Origins {
        Lane::origins(self)
    }
}

/// A lane of a flow whose operators are not in its type.
#[must_use = "a lane does nothing until it is polled"]
pub struct BoxedLane<T> {
    lane: Pin<Box<dyn DynLane<T>>>,
}

impl<T> Lane for BoxedLane<T> {
    fn poll_each<F>(mut self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        self.lane.as_mut().poll_each(cx, each)
    }

    fn poll_batch(mut self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<T>>> {
        self.lane.as_mut().poll_batch(cx, limit)
    }

    fn origins(mut self: Pin<&mut Self>) -> Origins {
        self.lane.as_mut().origins()
    }
}

impl<T> Stream for BoxedLane<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.lane.as_mut().poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.lane.size_hint()
    }
}

impl<T> fmt::Debug for BoxedLane<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxedLane").finish_non_exhaustive()
    }
}
