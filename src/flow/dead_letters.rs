use super::flow::Flow;
use super::plan::{Layered, OpenLayer, Plan, Settings, open_layer};
use super::sink_driver::SinkDriver;
use super::tasks::Tasks;
use crate::lane::{Each, Foreign, Lane, Origins, poll_one};
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use pin_project_lite::pin_project;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::PollSender;

impl<P: Layered, Si> Layered for DeadLetters<P, Si> {
    fn settings(&mut self) -> &mut Settings {
        self.upstream.settings()
    }
}

impl<P, T, E> Flow<P>
where
    P: OpenLayer<Item = Result<T, E>>,
{
    /// Passes on the value of each `Ok`, and writes the errors of all lanes into one `Sink`.
    ///
    /// The sink has a task of its own. It is flushed whenever no error is waiting, and closed when all lanes have
    /// ended; the flow ends after that. To have the items that failed in the sink, put them into the error
    /// ([`map_err`](Flow::map_err), or the closure of [`try_map`](Flow::try_map)).
    ///
    /// # Demand
    /// At most [`max_demand`](Flow::demand) errors wait for the sink, and one more in each lane. A sink that is not
    /// ready then holds up the lanes that have an error, and they what feeds them: nothing is dropped.
    ///
    /// # Ordering
    /// Each lane keeps its order, and so do its errors in the sink.
    ///
    /// # Errors
    /// An error of the sink ends the flow with a panic that names it. A sink that may fail without ending the flow is
    /// wrapped in one that does not.
    ///
    /// # Drop
    /// Dropping the flow drops the sink as it is, with the errors that wait for it, and does not close it. A lane that
    /// ends before its input does has sent the errors that it came to.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, channel::mpsc};
    /// use gen_stage::prelude::*;
    ///
    /// # tokio_test::block_on(async {
    /// let (sink, dead) = mpsc::channel(8);
    /// let numbers = Flow::from_iter(["4", "x", "8"])
    ///     .lanes(1)
    ///     .map(|text| text.parse::<u32>().map_err(|error| (text, error.to_string())))
    ///     .dead_letters(sink);
    /// assert_eq!(numbers.collect::<Vec<_>>().await, [4, 8]);
    /// assert_eq!(dead.collect::<Vec<_>>().await, [("x", "invalid digit found in string".to_string())]);
    /// # });
    /// ```
    #[track_caller]
    pub fn dead_letters<Si>(self, sink: Si) -> Flow<DeadLetters<P, Si>>
    where
        Si: Sink<E, Error: fmt::Debug> + Send + 'static,
        E: Send + 'static,
    {
        self.then(|upstream| DeadLetters { upstream, sink })
    }
}

/// The plan behind [`Flow::dead_letters`].
#[must_use = "operators do nothing until the flow is read"]
pub struct DeadLetters<P, Si> {
    upstream: P,
    sink: Si,
}

impl<P, T, E, Si> Plan for DeadLetters<P, Si>
where
    P: Plan<Item = Result<T, E>>,
    Si: Sink<E, Error: fmt::Debug> + Send + 'static,
    E: Send + 'static,
{
    type Item = T;
    type Lane = DeadLettersLane<P::Lane, E>;

    fn build(mut self, tasks: &mut Tasks) -> Vec<Self::Lane> {
        let waiting = self.settings().demand.max().min(Semaphore::MAX_PERMITS);
        let (sender, receiver) = mpsc::channel(waiting);
        let lanes = self.upstream.build(tasks).into_iter();
        let letters = Foreign::of(Letters { receiver });
        tasks.spawn(SinkDriver::new(letters, self.sink, |error| {
            panic!("the sink of dead letters failed: {error:?}")
        }));
        // The sink is closed when the lanes have dropped theirs, so that none may be left here.
        let letters = PollSender::new(sender);
        lanes.map(|upstream| DeadLettersLane { upstream, held: None, letters: letters.clone() }).collect()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.upstream.size_hint().1)
    }
}

open_layer!([P, T, E, Si] DeadLetters<P, Si>
where
    P: OpenLayer<Item = Result<T, E>>,
    Si: Sink<E, Error: fmt::Debug> + Send + 'static,
    E: Send + 'static,
);

/// The errors on their way to the sink.
struct Letters<E> {
    receiver: mpsc::Receiver<E>,
}

impl<E> Stream for Letters<E> {
    type Item = E;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        self.receiver.poll_recv(cx)
    }
}

pin_project! {
    /// A lane of a layer with [`Flow::dead_letters`].
    #[must_use = "a lane does nothing until it is polled"]
    pub struct DeadLettersLane<L, E> {
        #[pin]
        upstream: L,
        letters: PollSender<E>,
        // Waits for room.
        held: Option<E>,
    }
}

impl<L, T, E> Lane for DeadLettersLane<L, E>
where
    L: Lane<Item = Result<T, E>>,
    E: Send + 'static,
{
    #[inline(always)]
    fn poll_each<F>(self: Pin<&mut Self>, cx: &mut Context<'_>, each: &mut F) -> Poll<Each>
    where
        F: FnMut(T) -> ControlFlow<()>,
    {
        let mut this = self.project();
        loop {
            if this.held.is_some() {
                // Gives way now and then, as the channel takes from the task's budget.
                ready!(poll_letter(this.letters, this.held, cx));
            }
            let held = &mut *this.held;
            let letters = &*this.letters;
            let polled = this.upstream.as_mut().poll_each(cx, &mut |item| match item {
                Ok(value) => each(value),
                Err(error) => match send(letters, error) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        *held = Some(error);
                        ControlFlow::Break(())
                    }
                },
            });
            if this.held.is_none() {
                return polled;
            }
        }
    }

    fn origins(&mut self) -> Origins {
        self.upstream.origins()
    }
}

/// Sends an error if there is room for it, or hands it back.
#[cold]
fn send<E: Send + 'static>(letters: &PollSender<E>, error: E) -> Result<(), E> {
    let Some(sender) = letters.get_ref() else {
        return Err(error);
    };
    sender.try_send(error).map_err(|refused| match refused {
        TrySendError::Full(error) | TrySendError::Closed(error) => error,
    })
}

/// Sends the error that is held as soon as there is room for it.
#[inline(never)]
fn poll_letter<E: Send + 'static>(
    letters: &mut PollSender<E>,
    held: &mut Option<E>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if ready!(letters.poll_reserve(cx)).is_ok() {
        if let Some(error) = held.take() {
            if letters.send_item(error).is_ok() {
                return Poll::Ready(());
            }
        }
    }
    // The sink has failed: the flow hears of it from the sink's task, and drops this lane.
    Poll::Pending
}

impl<L, T, E> Stream for DeadLettersLane<L, E>
where
    L: Lane<Item = Result<T, E>>,
    E: Send + 'static,
{
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        poll_one(self, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.upstream.size_hint().1)
    }
}

impl<L, T, E> FusedStream for DeadLettersLane<L, E>
where
    L: Lane<Item = Result<T, E>> + FusedStream,
    E: Send + 'static,
{
    fn is_terminated(&self) -> bool {
        self.held.is_none() && self.upstream.is_terminated()
    }
}

impl<P: fmt::Debug, Si> fmt::Debug for DeadLetters<P, Si> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl<L: fmt::Debug, E> fmt::Debug for DeadLettersLane<L, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLettersLane").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
