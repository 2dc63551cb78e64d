use super::monitor::{Launch, Losses};
use super::plumbing::driver::ShareDriver;
use super::plumbing::envelope::Bare;
use super::plumbing::place::Layer;
use super::plumbing::plan::{Build, Settings};
use super::plumbing::tasks::{BoxedDriver, Failure, Tasks};
use crate::coop::poll_budgeted;
use crate::edge::edge;
use crate::lane::{Each, Inlet, Lane};
use futures_core::{FusedStream, Stream};
use std::any::Any;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Runs items through lanes of operators on all cores; itself a `Stream` of what comes out.
///
/// Made by [`.flow()`](crate::StreamFlow::flow) on any `Stream`, or by [`from_iter`](Flow::from_iter) and its like.
/// It does nothing until it is polled. Then its source and each of its lanes run in tasks of their own, whether or
/// not the flow is being read, until as many items wait to be read as were asked for.
///
/// # Demand
/// Each layer asks the one above for up to [`max_demand`](Flow::demand) items per edge, 1000 unless set. The reader of
/// the flow asks the last layer in the same way. When the reader stops, the lanes stop, and they stop the source.
///
/// # Ordering
/// A lane keeps its items in order. Between lanes there is no order; [`ordered`](Flow::ordered) restores that of the
/// source. With one lane per layer, all order is kept.
///
/// # Panics
/// A panic in the user's code stops all lanes and is raised again in the task that reads the flow. The flow has ended
/// then. A flow that is first polled outside of a tokio runtime, when none was named by [`on`](Flow::on), panics and
/// says so. It also panics when the runtime of its lanes is shut down before its end, for it cannot end as if it were
/// complete.
///
/// # Cancel safety
/// Dropping a future that reads from a `&mut Flow` loses nothing.
///
/// # Drop
/// Dropping a flow stops every lane and drops the source at once: before `drop` returns, except for lanes that another
/// thread is polling, which stop when that poll returns.
///
/// # Examples
/// ```
/// use gen_stage::prelude::*;
///
/// # tokio_test::block_on(async {
/// let mut squares: Vec<u64> = futures::stream::iter(1..=4)
///     .flow()
///     .map(|n| n * n)
///     .collect()
///     .await;
/// squares.sort();
/// assert_eq!(squares, [1, 4, 9, 16]);
/// # });
/// ```
///
/// # Source
/// Elixir's `Flow`. It is a plain value that starts itself when read, so that there is nothing to start or link.
#[must_use = "a flow does nothing until it is read: collect, run, for_each, forward, or poll it as a Stream"]
pub struct Flow<P> {
    state: FlowState<P>,
    pub(super) launch: Launch,
}

enum FlowState<P> {
    Planned(P),
    Running(RunningFlow),
    Done(Losses),
}

struct RunningFlow {
    /// Before `outcome`: a task that sees its reader gone takes that for the end of a lane, while the flow goes on.
    tasks: Box<Tasks>,
    /// An `Inlet<P::Item>`: what the lanes sent. Its type is not named, as a flow must also exist while its plan does
    /// not yet say what comes out: between a `reduce` to a number and its `emit_state`.
    outcome: Box<dyn Any + Send>,
    /// How many items are still to come out, as far as is known.
    hint: (usize, Option<usize>),
}

impl RunningFlow {
    fn outcome<T: 'static>(&mut self) -> &mut Inlet<T> {
        let outcome = self.outcome.downcast_mut();
        outcome.expect("the outcome is put here, with this type, by `Flow::running`")
    }

    /// Reads with `read`, and looks after the tasks. `read` says `false` at the end of what the lanes sent. Ready with
    /// `Ok` when something was read, or at the end of the flow.
    ///
    /// Not generic over the plan: users' crates would compile it for each flow.
    fn poll_read<T: 'static>(
        &mut self,
        cx: &mut Context<'_>,
        read: &mut dyn FnMut(Pin<&mut Inlet<T>>, &mut Context<'_>) -> Poll<bool>,
    ) -> Poll<Result<(), Failure>> {
        poll_budgeted(cx, |cx| {
            let ended = self.tasks.poll_ended(cx);
            // What was sent before a failure is of no use any more.
            if self.tasks.is_failing() || matches!(ended, Poll::Ready(Err(_))) {
                return ended;
            }
            // The end waits for the last task to be gone.
            if ready!(read(Pin::new(self.outcome()), cx)) { Poll::Ready(Ok(())) } else { ended }
        })
    }
}

// What operators and ends need of it.
impl<P> Flow<P> {
    /// Starts with the layer of a source, as the method `name` does.
    #[track_caller]
    pub(super) fn source(name: &'static str, plan: impl FnOnce(Layer) -> P) -> Self {
        let (layer, mut launch) = (Layer::here(), Launch::default());
        launch.topology.open_source(name, &layer);
        Self { state: FlowState::Planned(plan(layer)), launch }
    }

    /// Puts an operator on top of the plan: that of the method `name`.
    ///
    /// # Panics
    /// When the flow runs already: a caller has polled it in place, and then goes on building.
    #[track_caller]
    pub(super) fn operator<Q>(mut self, name: &'static str, wrap: impl FnOnce(P) -> Q) -> Flow<Q> {
        self.launch.topology.add(name);
        self.wrap(wrap)
    }

    /// The same for something that users do not call an operator.
    #[track_caller]
    pub(super) fn wrap<Q>(self, wrap: impl FnOnce(P) -> Q) -> Flow<Q> {
        let (plan, launch) = self.into_plan("extended");
        Flow { state: FlowState::Planned(wrap(plan)), launch }
    }

    /// Opens a layer on top of the plan, as the method `name` does.
    #[track_caller]
    pub(super) fn open<Q>(mut self, name: &'static str, wrap: impl FnOnce(P, Layer) -> Q) -> Flow<Q> {
        let layer = Layer::here();
        self.launch.topology.open_next(name, &layer);
        self.wrap(|plan| wrap(plan, layer))
    }

    /// Opens a layer on top of this plan and another.
    #[track_caller]
    pub(super) fn open_over<O, Q>(
        self,
        name: &'static str,
        other: Flow<O>,
        wrap: impl FnOnce(P, O, Layer) -> Q,
    ) -> Flow<Q> {
        let layer = Layer::here();
        let (left, launch) = self.into_plan("extended");
        let (right, mut other) = other.into_plan("merged");
        let added = std::mem::take(&mut other.topology);
        let mut launch = launch.with(other);
        launch.topology.open_over(name, &layer, added);
        Flow { state: FlowState::Planned(wrap(left, right, layer)), launch }
    }

    #[track_caller]
    pub(super) fn into_plan(self, what: &str) -> (P, Launch) {
        match self.state {
            FlowState::Planned(plan) => (plan, self.launch),
            _ => panic!("a flow that is already being read cannot be {what}"),
        }
    }

    #[track_caller]
    pub(super) fn plan_mut(&mut self, what: &str) -> &mut P {
        match &mut self.state {
            FlowState::Planned(plan) => plan,
            _ => panic!("a flow that is already being read cannot get {what}"),
        }
    }

    /// Whether it has been polled.
    pub(super) fn is_begun(&self) -> bool {
        !matches!(self.state, FlowState::Planned(_))
    }

    /// Counts items that were taken from it and not read.
    pub(super) fn count_unread(&self, items: usize) {
        if let Some(losses) = self.losses() {
            losses.discard(items);
        }
    }

    /// Stops all lanes, and waits until they and the source are gone. Fails when one of them failed.
    pub(super) async fn stopped(self) -> Result<(), Failure> {
        match self.state {
            FlowState::Running(running) => running.tasks.stopped().await,
            FlowState::Planned(_) | FlowState::Done(_) => Ok(()),
        }
    }

    /// The counts of what was dropped; none before it is polled.
    pub(super) fn losses(&self) -> Option<&Losses> {
        match &self.state {
            FlowState::Planned(_) => None,
            FlowState::Running(running) => Some(running.tasks.losses()),
            FlowState::Done(losses) => Some(losses),
        }
    }
}

impl<P> Flow<P>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
{
    /// Builds all lanes and starts their tasks, in the first poll.
    fn running(&mut self) -> Option<&mut RunningFlow> {
        if let FlowState::Planned(_) = self.state {
            let mut tasks = Tasks::new(&self.launch);
            let planned = std::mem::replace(&mut self.state, FlowState::Done(Losses::default()));
            if let FlowState::Planned(mut plan) = planned {
                plan.pass_through();
                let Settings { demand, layer, .. } = plan.settings().clone();
                let hint = plan.size_hint();
                let outcome = tasks.building(|tasks| {
                    let (mut edges, mut drivers) = (Vec::new(), Vec::<BoxedDriver>::new());
                    plan.build(tasks, &mut |tasks, lane| {
                        let (sender, receiver) = edge(demand);
                        edges.push(receiver);
                        let discarded = tasks.discarded().clone();
                        drivers.push(Box::pin(ShareDriver::new(lane, vec![sender], demand, discarded)));
                    });
                    for (number, edge) in edges.iter().enumerate() {
                        tasks.show_edge(number, None, edge);
                    }
                    tasks.spawn_all(&layer, drivers);
                    Inlet::new(edges, tasks.discarded().clone())
                });
                self.state = FlowState::Running(RunningFlow {
                    outcome: Box::new(outcome),
                    tasks: Box::new(tasks),
                    hint,
                });
            }
        }
        match &mut self.state {
            FlowState::Running(running) => Some(running),
            _ => None,
        }
    }

    /// Reads with `read`, and looks after the tasks: ends the flow, or raises what made it fail.
    ///
    /// `read` answers `None` at the end of what the lanes sent.
    pub(super) fn poll_read<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(Pin<&mut Inlet<P::Item>>, &mut Context<'_>) -> Poll<Option<R>>,
    ) -> Poll<Option<R>> {
        let Some(running) = self.running() else {
            return Poll::Ready(None);
        };
        let mut answer = None;
        let ended = ready!(running.poll_read(cx, &mut |outcome, cx| {
            answer = ready!(read(outcome, cx));
            Poll::Ready(answer.is_some())
        }));
        if answer.is_none() {
            let losses = running.tasks.losses().clone();
            // Drops what was not read, which is counted then.
            self.state = FlowState::Done(losses);
        }
        match ended {
            Ok(()) => Poll::Ready(answer),
            Err(failure) if self.launch.in_a_stage => failure.raise_at_its_place(),
            Err(failure) => failure.raise(),
        }
    }

    /// Starts the flow, or takes the first item of the next batch. Kept out of `poll_next` to keep that short.
    #[inline(never)]
    fn poll_next_refill(&mut self, cx: &mut Context<'_>) -> Poll<Option<P::Item>> {
        let item = ready!(self.poll_read(cx, Stream::poll_next));
        self.count_read(0, usize::from(item.is_some()));
        Poll::Ready(item)
    }

    /// Items of a batch that was begun and not read to its end; they count as read already.
    fn held(&self) -> usize {
        match &self.state {
            FlowState::Running(running) => running.outcome.downcast_ref().map_or(0, Inlet::<P::Item>::held),
            _ => 0,
        }
    }

    /// Counts the `items` just read and what is held now, of which `held` were counted before.
    fn count_read(&mut self, held: usize, items: usize) {
        let read = (items + self.held()).saturating_sub(held);
        if let FlowState::Running(running) = &mut self.state {
            let (least, most) = running.hint;
            running.hint = (least.saturating_sub(read), most.map(|most| most.saturating_sub(read)));
        }
    }

    /// Takes the next batch whole, as a lane sent it.
    pub(super) fn poll_next_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<P::Item>>> {
        Pin::new(self).poll_batch(cx, usize::MAX)
    }
}

impl<P> Lane for Flow<P>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
{
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(P::Item) -> ControlFlow<()>,
    {
        let this = self.get_mut();
        let held = this.held();
        let mut items = 0;
        let polled = this.poll_read(cx, |outcome, cx| {
            let counted = &mut |item| {
                items += 1;
                each(item)
            };
            match ready!(outcome.poll_each(cx, counted)) {
                Each::Stopped => Poll::Ready(Some(())),
                Each::Ended => Poll::Ready(None),
            }
        });
        this.count_read(held, items);
        Poll::Ready(match ready!(polled) {
            Some(()) => Each::Stopped,
            None => Each::Ended,
        })
    }

    fn poll_batch(self: Pin<&mut Self>, cx: &mut Context<'_>, limit: usize) -> Poll<Option<Vec<P::Item>>> {
        let this = self.get_mut();
        let held = this.held();
        let batch = ready!(this.poll_read(cx, |outcome, cx| outcome.poll_batch(cx, limit)));
        this.count_read(held, batch.as_ref().map_or(0, Vec::len));
        Poll::Ready(batch)
    }
}

impl<P> Stream for Flow<P>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
{
    type Item = P::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<P::Item>> {
        let this = self.get_mut();
        // Within a batch there is nothing to look after.
        if let FlowState::Running(running) = &mut this.state {
            if let Some(item) = running.outcome::<P::Item>().next_held() {
                return Poll::Ready(Some(item));
            }
        }
        this.poll_next_refill(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.state {
            FlowState::Planned(plan) => plan.size_hint(),
            FlowState::Running(running) => {
                let (held, (least, most)) = (self.held(), running.hint);
                (least + held, most.map(|most| most + held))
            }
            FlowState::Done(_) => (0, Some(0)),
        }
    }
}

impl<P> FusedStream for Flow<P>
where
    P: Build<Bare, Lane: Send + 'static, Item: Send + 'static>,
{
    fn is_terminated(&self) -> bool {
        matches!(self.state, FlowState::Done(_))
    }
}

// The plan is moved out before anything in it is pinned, and what runs is pinned elsewhere.
impl<P> Unpin for Flow<P> {}

impl<P> fmt::Debug for Flow<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Flow");
        match &self.state {
            FlowState::Planned(_) => debug.field("state", &"planned"),
            FlowState::Running(running) => debug.field("state", &"running").field("tasks", &running.tasks),
            FlowState::Done(_) => debug.field("state", &"done"),
        };
        debug.finish_non_exhaustive()
    }
}
