//! What holds for every operator that works item by item: what `testing` checks for users, and many items in many threads.

use super::{Numbers, counting, sorted};
use gen_stage::Flow;
use gen_stage::flow::Boxed;
use gen_stage::testing::{ItemOrder, check_operator, check_operator_that_panics};

/// Runs the suite: `$build` puts the operator on a flow of numbers, `$model` says what becomes of a sequence of numbers,
/// and `$panics` puts it on a flow with a closure that panics at 7.
macro_rules! operator_suite {
    ($build:expr, $model:expr, $panics:expr $(,)?) => {
        mod suite {
            use super::*;
            use $crate::support::operator_suite;

            // In boxes, so that the checks are compiled once.
            fn build(flow: $crate::support::Numbers) -> gen_stage::Flow<gen_stage::flow::Boxed<u64>> {
                ($build)(flow).boxed()
            }

            fn panics(flow: $crate::support::Numbers) -> gen_stage::Flow<gen_stage::flow::Boxed<u64>> {
                ($panics)(flow).boxed()
            }

            fn model(items: Vec<u64>) -> Vec<u64> {
                let model: fn(Vec<u64>) -> Vec<u64> = $model;
                model(items)
            }

            #[test]
            fn it_keeps_what_all_operators_promise() {
                operator_suite::it_keeps_what_all_operators_promise(build, model);
            }

            #[test]
            fn a_panic_in_the_closure_reaches_the_reader() {
                operator_suite::a_panic_in_the_closure_reaches_the_reader(panics);
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn many_items_go_through_on_any_number_of_lanes() {
                operator_suite::many_items_go_through_on_any_number_of_lanes(build, model).await;
            }
        }
    };
}
pub(crate) use operator_suite;

/// Puts the operator on a flow of numbers.
pub(crate) type Build = fn(Numbers) -> Flow<Boxed<u64>>;
/// Says what becomes of a sequence of numbers, in any order.
pub(crate) type Model = fn(Vec<u64>) -> Vec<u64>;

pub(crate) fn it_keeps_what_all_operators_promise(build: Build, model: Model) {
    check_operator(build, model, ItemOrder::Any);
}

pub(crate) fn a_panic_in_the_closure_reaches_the_reader(panics: Build) {
    check_operator_that_panics(panics, "seven");
}

pub(crate) async fn many_items_go_through_on_any_number_of_lanes(build: Build, model: Model) {
    for lanes in [1, 2, 3, 8] {
        let got: Vec<u64> = build(counting(5000).lanes(lanes)).collect().await;
        assert_eq!(sorted(got), sorted(model((0..5000).collect())), "{lanes} lanes");
    }
}
