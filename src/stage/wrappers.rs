//! What a stage of each kind is while it is set up.

use std::fmt;
use std::marker::PhantomData;

macro_rules! wrapper {
    ($name:ident, $what:literal) => {
        #[doc = $what]
        ///
        /// # Examples
        /// ```
        /// use gen_stage::prelude::*;
        /// use gen_stage::stage::from_iter;
        ///
        /// assert!(format!("{:?}", from_iter([1]).stage()).starts_with("Setup"));
        /// ```
        pub struct $name<S, M>(pub(super) S, PhantomData<fn() -> M>);

        impl<S, M> $name<S, M> {
            pub(super) fn new(stage: S) -> Self {
                Self(stage, PhantomData)
            }
        }

        impl<S, M> fmt::Debug for $name<S, M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

wrapper!(AsProducer, "A [`Producer`](super::Producer) that is being set up.");
wrapper!(AsProducerConsumer, "A [`ProducerConsumer`](super::ProducerConsumer) that is being set up.");
wrapper!(AsConsumer, "A [`Consumer`](super::Consumer) that is being set up.");
