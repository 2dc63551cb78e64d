//! Children of supervisors that do what a test tells them.

use crate::support::{Live, Lives};
use futures::future::BoxFuture;
use gen_stage::supervisor::{Child, ChildSpec, DynamicSupervisor};
use std::collections::{HashMap, VecDeque};
use std::panic::panic_any;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// How a child starts, or starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// It lives until it is told to [end](Children::end), or asked to stop.
    Live,
    /// The same, but it does not care whether it is asked to stop.
    Deaf,
    /// There is nothing to start.
    Ignore,
    /// An error.
    Fail,
    /// A panic.
    Panic,
}

/// How a child ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    Fail,
    Panic,
}

/// The children of one supervisor, by the numbers of their names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Children {
    script: Arc<Mutex<Script>>,
    lives: Arc<Lives>,
}

#[derive(Debug, Default)]
struct Script {
    starts: HashMap<u64, Start>,
    restarts: VecDeque<Start>,
    always: Option<Start>,
    ends: HashMap<u64, mpsc::UnboundedSender<End>>,
    /// The items of all attempts.
    attempts: Vec<u64>,
}

impl Children {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Children of this item start so; [`Start::Live`] unless said.
    pub(crate) fn start(&self, item: u64, how: Start) {
        self.script.lock().unwrap().starts.insert(item, how);
    }

    /// Restarts go so, one after the other; after these [`Start::Live`].
    pub(crate) fn restart(&self, how: impl IntoIterator<Item = Start>) {
        self.script.lock().unwrap().restarts.extend(how);
    }

    /// All restarts go so from now on.
    pub(crate) fn restart_always(&self, how: Start) {
        self.script.lock().unwrap().always = Some(how);
    }

    /// Tells a child to end.
    #[track_caller]
    pub(crate) fn end(&self, number: u64, how: End) {
        let script = self.script.lock().unwrap();
        script.ends[&number].send(how).unwrap_or_else(|_| panic!("child {number} does not run"));
    }

    /// How many are alive.
    pub(crate) fn alive(&self) -> usize {
        self.lives.now()
    }

    /// How many were alive at most.
    pub(crate) fn peak(&self) -> usize {
        self.lives.peak()
    }

    /// The items for which children were started, or started again, or should have been.
    pub(crate) fn attempts(&self) -> Vec<u64> {
        self.script.lock().unwrap().attempts.clone()
    }

    /// A supervisor of such children.
    pub(crate) fn supervisor(&self) -> DynamicSupervisor<u64, impl ChildSpec<u64> + use<>> {
        let children = self.clone();
        DynamicSupervisor::try_new(move |item, child| children.begin(item, child))
    }

    fn begin(
        &self,
        item: u64,
        child: Child,
    ) -> Result<Option<BoxFuture<'static, Result<(), &'static str>>>, &'static str> {
        let (how, mut told) = {
            let mut script = self.script.lock().unwrap();
            script.attempts.push(item);
            let how = match child.restarts() {
                0 => script.starts.get(&item).copied(),
                _ => script.restarts.pop_front().or(script.always),
            };
            let (end, told) = mpsc::unbounded_channel();
            script.ends.insert(child.id().number(), end);
            (how.unwrap_or(Start::Live), told)
        };
        match how {
            Start::Live | Start::Deaf => {}
            Start::Ignore => return Ok(None),
            Start::Fail => return Err("no start"),
            Start::Panic => panic_any("bad start"),
        }
        let life = Live::new(item, &self.lives);
        Ok(Some(Box::pin(async move {
            let _life = life;
            let end = tokio::select! {
                biased;
                Some(end) = told.recv() => end,
                () = child.stopping(), if how == Start::Live => End::Complete,
                // Nobody can tell it any more.
                else => std::future::pending().await,
            };
            match end {
                End::Complete => Ok(()),
                End::Fail => Err("broken"),
                End::Panic => panic_any("bad child"),
            }
        })))
    }
}
