use super::child_info::ChildId;
use super::core::{ItemOptions, Starter};
use super::end::StartError;
use super::event::EventKind;
use super::registry::Refused;
use super::shared::log;
use super::spec::{ChildSpec, Starting};
use super::task::ChildTask;
use crate::failure::{Panic, StageError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Starts children for items of type `T`; hides the type of the spec.
pub(super) trait Starts<T>: Send + Sync {
    fn start(self: Arc<Self>, item: T, intake: usize) -> Result<ChildId, StartError<T>>;
}

impl<T, S> Starts<T> for Starter<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    fn start(self: Arc<Self>, item: T, intake: usize) -> Result<ChildId, StartError<T>> {
        self.start_child(item, intake)
    }
}

/// A first attempt, with the item that is kept for restarts.
struct Made<T, F> {
    attempt: Option<F>,
    kept: Option<T>,
}

impl<T, S> Starter<T, S>
where
    T: Send + 'static,
    S: ChildSpec<T>,
{
    /// Starts a child, or says why not. The error has the item, if it was not used.
    pub(super) fn start_child(self: &Arc<Self>, item: T, intake: usize) -> Result<ChildId, StartError<T>> {
        let id = match self.shared.admit(intake) {
            Ok(id) => id,
            Err(Refused::MaxChildren(max_children)) => {
                return Err(StartError::MaxChildren { max_children, item });
            }
            Err(Refused::Ended(end)) => return Err(StartError::Ended { end, item }),
        };
        let made = catch_unwind(AssertUnwindSafe(|| self.make(item, id)));
        let (what, error) = match made {
            Ok(Ok(Made { attempt: Some(attempt), kept })) => {
                self.spawn(id, kept, attempt);
                return Ok(id);
            }
            Ok(Ok(Made { attempt: None, .. })) => {
                self.shared.with(|registry| registry.not_started(id, EventKind::Ignored));
                return Err(StartError::Ignored);
            }
            Ok(Err(error)) => {
                let error = Arc::from(error);
                (EventKind::StartFailed(Arc::clone(&error)), StartError::Failed(error))
            }
            Err(payload) => {
                let panic = Panic::new(payload);
                (EventKind::StartPanicked(panic.clone()), StartError::Panicked(panic))
            }
        };
        let label = self.not_started(id, what);
        log_failed_start(id, label.as_deref(), &error);
        Err(error)
    }

    fn make(&self, item: T, id: ChildId) -> Result<Made<T, S::Future>, StageError> {
        let ItemOptions { copy, label, rule } = &self.options;
        if label.is_some() || rule.is_some() {
            let label = label.as_ref().map(|label| Arc::from(label(&item)));
            let rule = rule.as_ref().map(|rule| rule(&item));
            self.shared.with(|registry| registry.label(id, label, rule, &self.shared.rules));
        }
        let kept = copy.map(|copy| copy(&item));
        let starting = Starting { shared: &self.shared, id, restarts: 0 };
        Ok(Made { attempt: self.spec.start(item, starting)?, kept })
    }

    fn spawn(self: &Arc<Self>, id: ChildId, kept: Option<T>, attempt: S::Future) {
        let task = ChildTask::new(Arc::clone(self), id, kept, attempt);
        if self.shared.listening.load(Ordering::Relaxed) {
            // Told before the task runs, so that `Started` comes first.
            self.shared.with(|registry| registry.tell(id, EventKind::Started));
        }
        self.shared.runtime.spawn(task);
    }

    /// Removes a child that could not be started; returns its label.
    fn not_started(&self, id: ChildId, what: EventKind) -> Option<Arc<str>> {
        self.shared.with(|registry| {
            let label = registry.label_of(id);
            registry.not_started(id, what);
            label
        })
    }
}

/// Called without the registry's lock: formatting the error runs the user's code.
fn log_failed_start<T>(id: ChildId, label: Option<&str>, error: &StartError<T>) {
    match error {
        StartError::Panicked(panic) => log(|| {
            tracing::error!(child = %id, label, panic = panic.message(), "a child could not be started");
        }),
        StartError::Failed(error) => {
            log(|| tracing::error!(child = %id, label, %error, "a child could not be started"));
        }
        StartError::MaxChildren { .. } | StartError::Ended { .. } | StartError::Ignored => {}
    }
}
