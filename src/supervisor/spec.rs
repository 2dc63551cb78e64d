use super::child::Child;
use super::child_info::ChildId;
use super::shared::SupervisorShared;
use crate::failure::StageError;
use crate::sealed::Sealed;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// How the children of a supervisor are made: a factory, called with an item for each child, and again for each
/// restart.
///
/// [`DynamicSupervisor::new`](super::DynamicSupervisor::new), [`with_child`](super::DynamicSupervisor::with_child) and
/// [`try_new`](super::DynamicSupervisor::try_new) make one of a function;
/// [`from_spec`](super::DynamicSupervisor::from_spec) takes a type of your own.
///
/// # Examples
/// ```
/// use futures::SinkExt;
/// use gen_stage::stage::StageError;
/// use gen_stage::supervisor::{ChildSpec, DynamicSupervisor, Starting};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// struct Add(Arc<AtomicU64>);
///
/// impl ChildSpec<u64> for Add {
///     type Output = ();
///     type Future = std::future::Ready<()>;
///
///     fn start(&self, n: u64, _: Starting<'_>) -> Result<Option<Self::Future>, StageError> {
///         if n == 0 {
///             return Ok(None);                    // nothing to do
///         }
///         self.0.fetch_add(n, Ordering::Relaxed);
///         Ok(Some(std::future::ready(())))
///     }
/// }
///
/// # tokio_test::block_on(async {
/// let sum = Arc::new(AtomicU64::new(0));
/// let mut supervisor = DynamicSupervisor::from_spec(Add(sum.clone()));
/// let handle = supervisor.handle();
/// for n in [1, 0, 2] {
///     supervisor.send(n).await.unwrap();
/// }
/// supervisor.close().await.unwrap();
/// assert_eq!(sum.load(Ordering::Relaxed), 3);
/// assert_eq!((handle.count_children().started, handle.count_children().ignored), (2, 1));
/// # });
/// ```
///
/// # Source
/// A child spec: its start function answers `{:ok, pid}`, `:ignore` or `{:error, reason}`.
pub trait ChildSpec<T>: Send + Sync + 'static {
    /// What a child returns: `()`, or a `Result<(), E>`.
    type Output: ChildOutput;
    /// What a child does.
    type Future: Future<Output = Self::Output> + Send + 'static;

    /// Makes the future of a child. `None`: there is nothing to do for this item.
    ///
    /// # Errors
    /// The child cannot be started. A first start that fails is not tried again. A restart that fails is, and each
    /// attempt counts as a restart.
    fn start(&self, item: T, starting: Starting<'_>) -> Result<Option<Self::Future>, StageError>;
}

/// What a child may return: `()`, or `Result<(), E>` with `E: Into<StageError>`: any error type, or a string.
pub trait ChildOutput: Sealed {
    /// The error, if the child returned one.
    ///
    /// # Errors
    /// What the child failed with.
    fn into_result(self) -> Result<(), StageError>;
}

impl Sealed for () {}

impl ChildOutput for () {
    fn into_result(self) -> Result<(), StageError> {
        Ok(())
    }
}

impl<E> Sealed for Result<(), E> {}

impl<E: Into<StageError>> ChildOutput for Result<(), E> {
    fn into_result(self) -> Result<(), StageError> {
        self.map_err(Into::into)
    }
}

/// A child that is being started.
///
/// # Examples
/// See [`ChildSpec`].
#[derive(Clone, Copy)]
pub struct Starting<'a> {
    pub(super) shared: &'a Arc<SupervisorShared>,
    pub(super) id: ChildId,
    pub(super) restarts: u32,
}

impl Starting<'_> {
    /// The name of the child.
    #[must_use]
    pub fn id(&self) -> ChildId {
        self.id
    }

    /// How often it was restarted before.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// The [`Child`], which the child may keep.
    #[must_use]
    pub fn child(&self) -> Child {
        Child::new(Arc::clone(self.shared), self.id, self.restarts)
    }
}

impl fmt::Debug for Starting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starting")
            .field("id", &self.id)
            .field("restarts", &self.restarts)
            .finish_non_exhaustive()
    }
}

/// Children made by a function of the item: the spec behind [`DynamicSupervisor::new`](super::DynamicSupervisor::new).
#[derive(Clone, Copy)]
pub struct FnSpec<F>(pub(super) F);

/// Children made by a function of the item and the [`Child`]: the spec behind
/// [`DynamicSupervisor::with_child`](super::DynamicSupervisor::with_child).
#[derive(Clone, Copy)]
pub struct OfChild<F>(pub(super) F);

/// Children made by a function that may fail: the spec behind
/// [`DynamicSupervisor::try_new`](super::DynamicSupervisor::try_new).
#[derive(Clone, Copy)]
pub struct FallibleSpec<F>(pub(super) F);

opaque_debug!(FnSpec OfChild FallibleSpec);

impl<T, F, Fut> ChildSpec<T> for FnSpec<F>
where
    F: Fn(T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: ChildOutput> + Send + 'static,
{
    type Output = Fut::Output;
    type Future = Fut;

    #[inline]
    fn start(&self, item: T, _: Starting<'_>) -> Result<Option<Fut>, StageError> {
        Ok(Some((self.0)(item)))
    }
}

impl<T, F, Fut> ChildSpec<T> for OfChild<F>
where
    F: Fn(T, Child) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: ChildOutput> + Send + 'static,
{
    type Output = Fut::Output;
    type Future = Fut;

    #[inline]
    fn start(&self, item: T, starting: Starting<'_>) -> Result<Option<Fut>, StageError> {
        Ok(Some((self.0)(item, starting.child())))
    }
}

impl<T, F, Fut, E> ChildSpec<T> for FallibleSpec<F>
where
    F: Fn(T, Child) -> Result<Option<Fut>, E> + Send + Sync + 'static,
    Fut: Future<Output: ChildOutput> + Send + 'static,
    E: Into<StageError>,
{
    type Output = Fut::Output;
    type Future = Fut;

    #[inline]
    fn start(&self, item: T, starting: Starting<'_>) -> Result<Option<Fut>, StageError> {
        (self.0)(item, starting.child()).map_err(Into::into)
    }
}
