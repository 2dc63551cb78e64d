use super::flow::Flow;
use super::plumbing::envelope::Bare;
use super::plumbing::plan::Build;
use super::plumbing::reporting::{Reporter, Reporting};
use crate::lane::{Each, Lane};
use pin_project_lite::pin_project;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<P> Flow<P> {
    /// Folds what comes out of each lane into a state, in the lane's own task; returns the states.
    pub(super) async fn fold_lanes<S, F>(self, init: impl Fn() -> S, f: F) -> Vec<S>
    where
        P: Build<Bare, Lane: Send + 'static>,
        S: Send + 'static,
        F: FnMut(&mut S, P::Item) + Clone + Send + 'static,
    {
        let driver = |lane, states| FoldDriver { lane, state: Some(init()), f: f.clone(), states };
        Reporting::start(self, "run", driver).all().await
    }
}

pin_project! {
    struct FoldDriver<L, S, F> {
        #[pin]
        lane: L,
        state: Option<S>,
        f: F,
        states: Reporter<S>,
    }
}

impl<L: Lane, S, F: FnMut(&mut S, L::Item)> Future for FoldDriver<L, S, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(state) = this.state {
            let f = this.f;
            // The closure does not break, so that this ends or pends.
            while ready!(this.lane.as_mut().poll_each(cx, &mut |item| {
                f(state, item);
                ControlFlow::Continue(())
            })) != Each::Ended
            {}
        }
        if let Some(state) = this.state.take() {
            // There is room for one state of each lane. When the flow is being dropped, nothing receives it.
            let _ = this.states.try_send(state);
        }
        Poll::Ready(())
    }
}
