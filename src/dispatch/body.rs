use std::ops::Range;
use std::sync::Arc;

/// A batch on its way to one subscription.
pub(crate) enum Body<T> {
    Own(Vec<T>),
    Shared(SharedPart<T>),
}

impl<T> Body<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::Own(items) => items,
            Self::Shared(part) => part.as_slice(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Keeps the first `at` items, and returns the others.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        match self {
            Self::Own(items) => Self::Own(items.split_off(at)),
            Self::Shared(part) => {
                let first = part.split_to(at);
                Self::Shared(std::mem::replace(part, first))
            }
        }
    }

    pub(crate) fn into_items(self) -> Vec<T> {
        match self {
            Self::Own(items) => items,
            Self::Shared(part) => part.into_items(),
        }
    }
}

/// A part of a batch that several subscriptions share.
pub(crate) struct SharedPart<T> {
    /// Behind a trait, so that only a dispatcher that shares needs items that are `Clone + Sync`.
    batch: Arc<dyn Share<T>>,
    part: Range<usize>,
}

impl<T> SharedPart<T> {
    /// One such part for each of several subscriptions, with all that is in the batch.
    pub(crate) fn of(items: Vec<T>) -> Self
    where
        T: Clone + Send + Sync + 'static,
    {
        Self { part: 0..items.len(), batch: Arc::new(items) }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.batch.items()[self.part.clone()]
    }

    pub(crate) fn len(&self) -> usize {
        self.part.len()
    }

    /// Takes off the first `at` items.
    pub(crate) fn split_to(&mut self, at: usize) -> Self {
        let from = self.part.start;
        self.part.start += at;
        Self { batch: Arc::clone(&self.batch), part: from..from + at }
    }

    /// The items, which are moved and not cloned, if no other part of the batch is left.
    pub(crate) fn own(self) -> Result<Vec<T>, Self> {
        if Arc::strong_count(&self.batch) == 1 { Ok(self.into_items()) } else { Err(self) }
    }

    /// The items: moved if no other part of the batch is left, and cloned otherwise.
    pub(crate) fn into_items(self) -> Vec<T> {
        self.batch.take(self.part)
    }
}

impl<T> Clone for SharedPart<T> {
    fn clone(&self) -> Self {
        Self { batch: Arc::clone(&self.batch), part: self.part.clone() }
    }
}

trait Share<T>: Send + Sync {
    fn items(&self) -> &[T];
    fn take(self: Arc<Self>, part: Range<usize>) -> Vec<T>;
}

impl<T: Clone + Send + Sync> Share<T> for Vec<T> {
    fn items(&self) -> &[T] {
        self
    }

    fn take(self: Arc<Self>, part: Range<usize>) -> Vec<T> {
        match Arc::try_unwrap(self) {
            Ok(mut items) => {
                items.truncate(part.end);
                items.drain(..part.start);
                items
            }
            Err(shared) => shared[part].to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, SharedPart};
    use std::sync::Arc;

    /// Shares a batch of items that tell how many there are of each.
    fn shared(items: usize) -> (Vec<Arc<usize>>, SharedPart<Arc<usize>>) {
        let items: Vec<_> = (0..items).map(Arc::new).collect();
        (items.clone(), SharedPart::of(items))
    }

    #[test]
    fn a_part_is_cloned_while_others_share_the_batch_and_moved_by_the_last() {
        let (items, first) = shared(3);
        let last = first.clone();
        assert_eq!(first.into_items(), items);
        assert!(items.iter().all(|item| Arc::strong_count(item) == 2), "what was cloned is gone again");
        let at = last.as_slice().as_ptr();
        let moved = last.own().unwrap_or_else(|_| panic!("nobody else shares it"));
        assert_eq!((moved.as_ptr(), &moved), (at, &items), "moved, and not cloned");
    }

    #[test]
    fn a_body_is_split_into_what_it_keeps_and_the_rest() {
        for mut body in [Body::Own(vec![1, 2, 3]), Body::Shared(SharedPart::of(vec![1, 2, 3]))] {
            let rest = body.split_off(1);
            assert_eq!((body.as_slice(), rest.as_slice(), rest.len()), (&[1][..], &[2, 3][..], 2));
            assert_eq!((rest.into_items(), body.into_items()), (vec![2, 3], vec![1]));
        }
    }
}
