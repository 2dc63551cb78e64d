use crate::support::{finisher_suite, sorted};
use futures::StreamExt;

finisher_suite!(
    u64,
    |flow, _| async { sorted(flow.into_stream().collect::<Vec<_>>().await) },
    |items| items,
    of_a_flow_that_was_begun_it_takes_the_rest,
);
