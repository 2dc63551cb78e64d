//! Flows of any shape against the same work done in sequence.

use crate::support::shapes::run;
use crate::support::sorted;
use gen_stage::Flow;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Clone)]
struct Shape {
    sources: usize,
    lanes: [usize; 3],
    demands: [usize; 3],
    threads: usize,
    items: Vec<u16>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let demand = || prop::sample::select(vec![1usize, 2, 3, 10, 1000]);
    (
        1usize..5,
        prop::array::uniform3(1usize..9),
        [demand(), demand(), demand()],
        1usize..3,
        prop::collection::vec(any::<u16>(), 0..400),
    )
        .prop_map(|(sources, lanes, demands, threads, items)| Shape {
            sources,
            lanes,
            demands,
            threads,
            items,
        })
}

impl Shape {
    /// The items dealt to the sources in turn.
    fn parts(&self) -> Vec<Vec<u16>> {
        let mut parts = vec![Vec::new(); self.sources];
        for (at, item) in self.items.iter().enumerate() {
            parts[at % self.sources].push(*item);
        }
        parts
    }

    fn run<R: Send + 'static>(&self, flow: impl Future<Output = R> + Send + 'static) -> R {
        run(self.threads, flow)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn operators_in_three_layers_do_what_they_do_in_sequence(shape in shape()) {
        let [a, b, c] = shape.lanes;
        let [x, y, z] = shape.demands;
        let flow = Flow::from_iters(shape.parts())
            .lanes(a)
            .demand(x, x / 2)
            .map(u64::from)
            .filter(|n| n % 5 != 0)
            .shuffle()
            .lanes(b)
            .demand(y, y - 1)
            .flat_map(|n| [n; 3].into_iter().take((n % 4) as usize))
            .partition_by(|n| n % 17)
            .lanes(c)
            .demand(z, 0)
            .map_batch(|batch| batch.into_iter().map(|n| n + 1).collect::<Vec<_>>())
            .reject(|n| n % 7 == 0)
            .inspect(|n| assert_ne!(n % 7, 0))
            .filter_map(|n| n.checked_sub(100));
        let got = shape.run(flow.collect::<Vec<u64>>());
        let expected = shape
            .items
            .iter()
            .map(|n| u64::from(*n))
            .filter(|n| n % 5 != 0)
            .flat_map(|n| vec![n; (n % 4).min(3) as usize])
            .map(|n| n + 1)
            .filter(|n| n % 7 != 0)
            .filter_map(|n| n.checked_sub(100));
        prop_assert_eq!(sorted(got), sorted(expected));
    }

    #[test]
    fn a_partition_keeps_the_order_of_each_source_within_a_key(shape in shape()) {
        let [a, b, _] = shape.lanes;
        let [x, y, _] = shape.demands;
        let parts: Vec<Vec<(usize, usize, u16)>> = shape
            .parts()
            .into_iter()
            .enumerate()
            .map(|(source, part)| part.into_iter().enumerate().map(|(at, n)| (source, at, n)).collect())
            .collect();
        // With at least as many lanes as sources, a source's items could take several ways; so lanes are few here.
        let flow = Flow::from_iters(parts)
            .lanes(a.min(shape.sources))
            .demand(x, x / 2)
            .partition_by(|(.., n)| n % 10)
            .lanes(b)
            .demand(y, y / 2)
            .reduce(HashMap::new, |keys: &mut HashMap<_, Vec<_>>, (source, at, n)| {
                keys.entry((n % 10, source)).or_default().push(at);
            });
        for (key, places) in shape.run(flow.collect::<Vec<_>>()) {
            prop_assert!(places.is_sorted(), "{:?}: {:?}", key, places);
        }
    }

    #[test]
    fn one_lane_throughout_keeps_the_sequence(shape in shape()) {
        let [x, y, z] = shape.demands;
        let flow = Flow::from_iter(shape.items.clone())
            .lanes(1)
            .demand(x, x / 2)
            .flat_map(|n| [n, n / 2])
            .shuffle()
            .lanes(1)
            .demand(y, y - 1)
            .filter(|n| n % 3 != 0)
            .partition()
            .lanes(1)
            .demand(z, 0)
            .map(|n| n ^ 1);
        let got = shape.run(flow.collect::<Vec<u16>>());
        let expected = shape.items.iter().flat_map(|n| [*n, n / 2]).filter(|n| n % 3 != 0).map(|n| n ^ 1);
        prop_assert!(got.into_iter().eq(expected));
    }

    #[test]
    fn reduce_and_combine_count_like_one_loop(shape in shape(), max_keys in 1usize..40) {
        let mut expected = BTreeMap::new();
        shape.items.iter().for_each(|n| *expected.entry(n % 50).or_insert(0u64) += 1);
        let [a, b, _] = shape.lanes;
        let [x, y, _] = shape.demands;

        let reduced = Flow::from_iters(shape.parts())
            .lanes(a)
            .demand(x, x / 2)
            .map(|n| n % 50)
            .partition()
            .lanes(b)
            .demand(y, y / 2)
            .reduce(HashMap::new, |counts, n| *counts.entry(n).or_insert(0u64) += 1);
        let reduced = shape.run(reduced.collect::<Vec<_>>());
        prop_assert_eq!(reduced.len(), expected.len(), "every key in one lane");
        prop_assert_eq!(&reduced.into_iter().collect::<BTreeMap<_, _>>(), &expected);

        let combined = Flow::from_iters(shape.parts())
            .lanes(a)
            .demand(x, x / 2)
            .combine(max_keys, |counts, n| *counts.at_owned(n % 50) += 1, |count: &mut u64, more| *count += more)
            .lanes(b)
            .demand(y, y / 2);
        let combined = shape.run(combined.collect::<Vec<_>>());
        prop_assert_eq!(combined.len(), expected.len(), "every key once");
        prop_assert_eq!(combined.into_iter().collect::<BTreeMap<_, _>>(), expected);
    }
}
