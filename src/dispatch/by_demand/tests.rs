use super::{ByDemand, FEW, MOST_GIVEN_UP};
use crate::dispatch::{Deliveries, Dispatcher, Subscriber, SubscriptionId};
use proptest::collection::vec;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::sync::{Arc, Mutex};

type Out = Deliveries<char>;

fn join(by_demand: &mut ByDemand) -> SubscriptionId {
    let id = SubscriptionId::next();
    assert_eq!(by_demand.subscribe(Subscriber::new(id), (), &mut Out::new()).unwrap(), 0);
    id
}

fn ask(by_demand: &mut ByDemand, id: SubscriptionId, demand: usize) -> usize {
    by_demand.ask(id, demand, &mut Out::new())
}

fn leave(by_demand: &mut ByDemand, id: SubscriptionId) -> usize {
    by_demand.cancel(id, &mut Out::new())
}

/// What was handed back, and what was sent.
fn dispatch(by_demand: &mut ByDemand, items: &str) -> (String, Vec<(SubscriptionId, String)>) {
    let mut out = Out::new();
    let back = by_demand.dispatch(items.chars().collect(), &mut out).into_iter().collect();
    (back, out.take_sent().into_iter().map(|(id, items)| (id, items.into_iter().collect())).collect())
}

fn order(by_demand: &ByDemand) -> Vec<(SubscriptionId, usize)> {
    let mut open: Vec<_> = by_demand.open.iter().collect();
    open.sort_by_key(|(_, open)| Reverse(open.place));
    open.into_iter().map(|(id, open)| (*id, open.demand)).collect()
}

fn sent<const N: usize>(expected: [(SubscriptionId, &str); N]) -> Vec<(SubscriptionId, String)> {
    expected.into_iter().map(|(id, items)| (id, items.to_string())).collect()
}

#[test]
fn scenario_129_subscribe_and_cancel() {
    let mut by = ByDemand::new();
    let a = join(&mut by);
    assert_eq!(order(&by), [(a, 0)]);
    assert_eq!(leave(&mut by, a), 0);
    assert!(order(&by).is_empty());
}

#[test]
fn scenario_130_and_131_demand_of_who_left_is_pending_until_items_are_handed_back() {
    let mut by = ByDemand::new();
    let a = join(&mut by);
    assert_eq!(ask(&mut by, a, 10), 10);
    assert_eq!((leave(&mut by, a), by.pending), (0, 10));
    let a = join(&mut by);
    assert_eq!((ask(&mut by, a, 5), by.pending), (0, 5));
    assert_eq!((leave(&mut by, a), by.pending), (0, 10));

    assert_eq!(dispatch(&mut by, "abc"), ("abc".into(), Vec::new()));
    assert_eq!(by.pending, 7);
    assert_eq!(dispatch(&mut by, "0123456789").0.len(), 10);
    assert_eq!(by.pending, 0);
}

#[test]
fn scenario_132_one_of_two_leaves_and_the_rest_of_its_demand_stays_pending() {
    let mut by = ByDemand::new();
    let a = join(&mut by);
    assert_eq!(ask(&mut by, a, 3), 3);
    let b = join(&mut by);
    assert_eq!(ask(&mut by, b, 3), 3);
    assert_eq!(order(&by), [(a, 3), (b, 3)]);
    assert_eq!((leave(&mut by, a), by.pending), (0, 3));
    assert_eq!(dispatch(&mut by, "abcde"), ("de".into(), sent([(b, "abc")])));
    assert_eq!((order(&by), by.pending), (vec![(b, 0)], 1));
}

#[test]
fn scenario_133_one_gets_what_it_asked_for() {
    let mut by = ByDemand::new();
    let a = join(&mut by);
    assert_eq!(ask(&mut by, a, 3), 3);
    assert_eq!(dispatch(&mut by, "a"), (String::new(), sent([(a, "a")])));
    assert_eq!(ask(&mut by, a, 3), 3);
    assert_eq!(dispatch(&mut by, "bcdefgh"), ("gh".into(), sent([(a, "bcdef")])));
    assert_eq!(dispatch(&mut by, "ij"), ("ij".into(), Vec::new()));
}

#[test]
fn scenario_134_who_wants_most_is_first() {
    let mut by = ByDemand::new();
    let [a, b, c] = [join(&mut by), join(&mut by), join(&mut by)];
    assert_eq!((ask(&mut by, a, 4), ask(&mut by, b, 2), ask(&mut by, c, 3)), (4, 2, 3));
    assert_eq!(order(&by), [(a, 4), (c, 3), (b, 2)]);
    assert_eq!(ask(&mut by, c, 2), 2);
    assert_eq!(order(&by), [(c, 5), (a, 4), (b, 2)]);
    assert_eq!(ask(&mut by, b, 4), 4);
    assert_eq!(order(&by), [(b, 6), (c, 5), (a, 4)]);
}

#[test]
fn scenario_135_and_136_the_one_served_is_behind_its_equals() {
    let mut by = ByDemand::new();
    let [a, b] = [join(&mut by), join(&mut by)];
    assert_eq!((ask(&mut by, a, 3), ask(&mut by, b, 2)), (3, 2));
    assert_eq!(dispatch(&mut by, "abcde"), (String::new(), sent([(a, "abc"), (b, "de")])));
    assert_eq!(dispatch(&mut by, "abc"), ("abc".into(), Vec::new()));
    assert_eq!(order(&by), [(a, 0), (b, 0)]);

    assert_eq!((ask(&mut by, a, 3), ask(&mut by, b, 3)), (3, 3));
    assert_eq!(dispatch(&mut by, "ab").1, sent([(a, "ab")]));
    assert_eq!(order(&by), [(b, 3), (a, 1)]);
    assert_eq!(dispatch(&mut by, "cd").1, sent([(b, "cd")]));
    assert_eq!(order(&by), [(a, 1), (b, 1)]);
    assert_eq!(dispatch(&mut by, "efg"), ("g".into(), sent([(a, "e"), (b, "f")])));
    assert_eq!(order(&by), [(a, 0), (b, 0)]);
}

#[test]
fn scenario_137_shuffled_once() {
    let mut seen = [false; 2];
    for _ in 0..1000 {
        let mut by = ByDemand::new().shuffled();
        let [a, b, idle] = [join(&mut by), join(&mut by), join(&mut by)];
        assert_eq!((ask(&mut by, a, 3), ask(&mut by, b, 2)), (3, 2));
        assert_eq!((order(&by), by.shuffle), (vec![(a, 3), (b, 2), (idle, 0)], true));
        let (back, got) = dispatch(&mut by, "abcde");
        assert_eq!((back.as_str(), by.shuffle), ("", false));
        if got == sent([(a, "abc"), (b, "de")]) {
            seen[0] = true;
        } else {
            assert_eq!(got, sent([(b, "ab"), (a, "cde")]));
            seen[1] = true;
        }
        if seen == [true; 2] {
            return;
        }
    }
    panic!("always the same order");
}

#[test]
fn scenario_138_a_larger_ask_than_expected_is_logged_and_counts() {
    let logged = |asks: &[usize], mut by: ByDemand| {
        let log = Log::default();
        let lines = Arc::clone(&log.0);
        tracing::subscriber::with_default(log, || {
            let a = join(&mut by);
            for &demand in asks {
                assert_eq!(ask(&mut by, a, demand), demand);
            }
        });
        Arc::try_unwrap(lines).unwrap().into_inner().unwrap()
    };
    let lines = logged(&[3, 4], ByDemand::new().max_demand(3));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("WARN") && lines[0].contains("expected=3 asked=4"), "{lines:?}");
    // Without the option the first ask sets the expectation.
    assert_eq!(logged(&[5, 5, 1, 6], ByDemand::new()).len(), 1);
}

/// Keeps what is logged, level first.
#[derive(Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!(" {}={value:?}", field.name());
            }
        }
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn scenario_128_and_140_nothing_is_held() {
    let mut by = ByDemand::new();
    let a = join(&mut by);
    assert_eq!(ask(&mut by, a, 10), 10);
    leave(&mut by, a);
    let b = join(&mut by);
    assert_eq!(ask(&mut by, b, 4), 0);
    assert_eq!(dispatch(&mut by, "0123456789"), ("456789".into(), sent([(b, "0123")])));
    // From the buffer, then from the producer.
    assert_eq!((ask(&mut by, b, 4), by.pending), (4, 0));

    let mut out = Out::new();
    let fence = crate::dispatch::Fence::new(1);
    by.fence(fence, &mut out);
    assert_eq!(out.take_passed(), [fence]);
    assert_eq!(Dispatcher::<char>::held(&by), 0);
}

#[test]
fn what_the_buffer_has_is_fetched_although_more_is_pending() {
    let mut by = ByDemand::new();
    let a = join(&mut by);
    ask(&mut by, a, 10);
    leave(&mut by, a);
    assert_eq!(dispatch(&mut by, "abc").0, "abc");
    let b = join(&mut by);
    // 3 from the buffer, 1 of the 7 that are on their way.
    assert_eq!((ask(&mut by, b, 4), by.pending), (3, 6));
    assert_eq!((ask(&mut by, b, 4), by.pending), (0, 2));
}

#[test]
fn fair_gives_equal_pieces_and_takes_turns() {
    let mut by = ByDemand::new().fair();
    let [a, b, c] = [join(&mut by), join(&mut by), join(&mut by)];
    assert_eq!((ask(&mut by, a, 1000), ask(&mut by, b, 2), ask(&mut by, c, 5)), (1000, 2, 5));
    assert_eq!(dispatch(&mut by, "abcd").1, sent([(a, "ab"), (b, "c"), (c, "d")]));
    // The turn is b's.
    assert_eq!(dispatch(&mut by, "e").1, sent([(b, "e")]));
    assert_eq!(dispatch(&mut by, "f").1, sent([(c, "f")]));
    // Now b has no demand left, and c has 3: the rest goes to a.
    assert_eq!(dispatch(&mut by, "0123456789").1, sent([(a, "0123456"), (c, "789")]));
    assert_eq!(dispatch(&mut by, "xy").1, sent([(a, "xy")]));
}

#[test]
fn fair_lets_nobody_starve_beside_a_greedy_one() {
    let mut by = ByDemand::new().fair();
    let [greedy, small] = [join(&mut by), join(&mut by)];
    ask(&mut by, greedy, 1000);
    let mut got = 0;
    for _ in 0..10 {
        ask(&mut by, small, 1);
        let (_, sent) = dispatch(&mut by, "ab");
        got += sent.iter().filter(|(id, _)| *id == small).count();
    }
    assert_eq!(got, 10);
    // Without `fair`, the small one gets nothing.
    let mut by = ByDemand::new();
    let [greedy, small] = [join(&mut by), join(&mut by)];
    ask(&mut by, greedy, 1000);
    ask(&mut by, small, 1);
    assert_eq!(dispatch(&mut by, "abcdefghij").1, sent([(greedy, "abcdefghij")]));
}

#[test]
fn a_subscriber_who_has_left_or_never_came_is_not_counted() {
    let mut by = ByDemand::new();
    let a = join(&mut by);
    leave(&mut by, a);
    assert_eq!((ask(&mut by, a, 5), leave(&mut by, a), by.pending), (0, 0, 0));
}

#[test]
#[should_panic(expected = "max_demand must be at least 1 item, given 0")]
fn a_maximum_of_nothing_is_refused() {
    let _ = ByDemand::new().max_demand(0);
}

#[test]
fn after_a_shuffle_the_one_served_stands_after_its_equals() {
    for _ in 0..20 {
        let mut by = ByDemand::new().shuffled();
        let (a, b) = (join(&mut by), join(&mut by));
        ask(&mut by, a, 7);
        ask(&mut by, b, 7);
        let (_, sent) = dispatch(&mut by, "ab");
        let (first, other) = if sent[0].0 == a { (a, b) } else { (b, a) };
        assert_eq!(order(&by), [(other, 7), (first, 5)]);
        // Level with the other one it waits for that.
        dispatch(&mut by, "cd");
        assert_eq!(order(&by), [(first, 5), (other, 5)]);
    }
    let mut by = ByDemand::new().shuffled();
    let (a, b) = (join(&mut by), join(&mut by));
    ask(&mut by, a, 7);
    ask(&mut by, b, 5);
    let (_, sent) = dispatch(&mut by, "ab");
    let expected = if sent[0].0 == a { [(b, 5), (a, 5)] } else { [(a, 7), (b, 3)] };
    assert_eq!(order(&by), expected);
}

#[test]
fn a_subscriber_is_refused_a_second_time() {
    let mut by = ByDemand::new();
    let a = join(&mut by);
    let again = Dispatcher::<char>::subscribe(&mut by, Subscriber::new(a), (), &mut Out::new());
    assert!(matches!(again, Err(crate::dispatch::Refusal::AlreadySubscribed)));
    assert_eq!((ask(&mut by, a, 1), leave(&mut by, a), order(&by).len()), (1, 0, 0));
}

#[test]
fn places_that_were_given_up_are_not_kept_for_ever() {
    let (mut by_demand, mut out) = (ByDemand::new(), Deliveries::<u32>::new());
    let ids: Vec<_> = (0..2 * FEW).map(|_| SubscriptionId::next()).collect();
    for id in ids.iter().copied() {
        by_demand.subscribe(Subscriber::new(id), (), &mut out).unwrap();
    }
    for _ in 0..1000 {
        // The others ask for nothing, and so stand behind every place that the first one gives up.
        Dispatcher::<u32>::ask(&mut by_demand, ids[0], 1, &mut out);
    }
    let places = ids.len()..=2 * ids.len() + MOST_GIVEN_UP;
    assert!(places.contains(&by_demand.order.len()), "{}", by_demand.order.len());
    Dispatcher::<u32>::cancel(&mut by_demand, ids[0], &mut out);
    Dispatcher::<u32>::ask(&mut by_demand, ids[2], 1, &mut out);
    assert_eq!(by_demand.dispatch(vec![1, 2], &mut out), [2]);
    assert_eq!(out.take_sent(), [(ids[2], vec![1])]);
}

#[derive(Debug, Clone)]
enum Op {
    Ask(usize, usize),
    Dispatch(usize),
    /// Subscribes again.
    Leave(usize),
    /// Subscriptions that ask for nothing come, and go.
    IdleCome(usize),
    IdleGo(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0usize..6, 1usize..9).prop_map(|(who, demand)| Op::Ask(who, demand)),
        3 => (1usize..20).prop_map(Op::Dispatch),
        1 => (0usize..6).prop_map(Op::Leave),
        1 => (1..2 * FEW).prop_map(Op::IdleCome),
        1 => (1..2 * FEW).prop_map(Op::IdleGo),
    ]
}

proptest! {
    #[test]
    fn subscriptions_that_ask_for_nothing_change_nothing_few_or_many(ops in vec(op(), 0..60), fair: bool) {
        let new = || if fair { ByDemand::new().fair() } else { ByDemand::new() };
        let (mut alone, mut beside) = (new(), new());
        let mut ids: Vec<_> = (0..6).map(|_| (join(&mut alone), join(&mut beside))).collect();
        let mut idle = Vec::new();
        for op in ops {
            match op {
                Op::Ask(who, demand) => {
                    let (one, other) = ids[who];
                    prop_assert_eq!(ask(&mut alone, one, demand), ask(&mut beside, other, demand));
                }
                Op::Dispatch(items) => {
                    let items = "abcdefghijklmnopqrst".get(..items).unwrap();
                    let (back, mut sent) = dispatch(&mut alone, items);
                    for (id, _) in &mut sent {
                        *id = ids.iter().find(|(one, _)| one == id).unwrap().1;
                    }
                    prop_assert_eq!((back, sent), dispatch(&mut beside, items));
                }
                Op::Leave(who) => {
                    leave(&mut alone, ids[who].0);
                    leave(&mut beside, ids[who].1);
                    ids[who] = (join(&mut alone), join(&mut beside));
                }
                Op::IdleCome(many) => idle.extend((0..many).map(|_| join(&mut beside))),
                Op::IdleGo(many) => {
                    for id in idle.drain(..many.min(idle.len())) {
                        leave(&mut beside, id);
                    }
                }
            }
            prop_assert_eq!(beside.order.is_empty(), beside.open.len() <= FEW);
        }
    }
}

/// A `ByDemand` as a list: subscriptions with their demand, in the order of their turns.
#[derive(Default)]
struct Model(Vec<(SubscriptionId, usize)>);

impl Model {
    fn set(&mut self, id: SubscriptionId, demand: usize) {
        self.0.retain(|(each, _)| *each != id);
        self.0.push((id, demand));
    }

    fn dispatch(&mut self, items: &str) -> (String, Vec<(SubscriptionId, String)>) {
        let (mut rest, mut sent) = (items, Vec::new());
        // The sort keeps the order of equals.
        let mut order = self.0.clone();
        order.sort_by_key(|(_, demand)| Reverse(*demand));
        for (id, demand) in order {
            let (piece, left) = rest.split_at(demand.min(rest.len()));
            if !piece.is_empty() {
                sent.push((id, piece.to_owned()));
                self.set(id, demand - piece.len());
            }
            rest = left;
        }
        (rest.to_owned(), sent)
    }
}

proptest! {
    #[test]
    fn the_one_that_wants_most_is_first_among_few_and_many(
        ops in vec((0..3 * FEW, prop_oneof![3 => 1usize..9, 1 => Just(0)], 0usize..20), 0..150),
        at_first in 0..3 * FEW,
    ) {
        let (mut by, mut model) = (ByDemand::new(), Model::default());
        let mut ids: Vec<_> = (0..at_first).map(|_| join(&mut by)).collect();
        ids.iter().for_each(|id| model.set(*id, 0));
        for (who, demand, items) in ops {
            match ids.get(who).copied() {
                None => {
                    ids.push(join(&mut by));
                    model.set(ids[ids.len() - 1], 0);
                }
                Some(id) if demand == 0 => {
                    leave(&mut by, id);
                    ids.retain(|each| *each != id);
                    model.0.retain(|(each, _)| *each != id);
                }
                Some(id) => {
                    let open = model.0.iter().find(|(each, _)| *each == id).unwrap().1;
                    ask(&mut by, id, demand);
                    model.set(id, open + demand);
                }
            }
            let items = "abcdefghijklmnopqrst".get(..items).unwrap();
            if !items.is_empty() {
                prop_assert_eq!(dispatch(&mut by, items), model.dispatch(items));
            }
        }
    }

    #[test]
    fn after_a_shuffle_of_many_each_has_what_it_asked_for(demands in vec(0usize..9, 0..3 * FEW)) {
        let mut by = ByDemand::new().shuffled();
        let asked: Vec<_> = demands.iter().map(|demand| (join(&mut by), *demand)).collect();
        for (id, demand) in asked.iter().filter(|(_, demand)| *demand > 0) {
            ask(&mut by, *id, *demand);
        }
        let (mut left, mut sent) = (demands.iter().sum::<usize>(), std::collections::HashMap::new());
        while left > 0 {
            let (back, pieces) = dispatch(&mut by, &"abcdefgh"[..left.min(8)]);
            prop_assert!(back.is_empty());
            for (id, items) in pieces {
                *sent.entry(id).or_insert(0) += items.len();
                left -= items.len();
            }
        }
        prop_assert!(asked.iter().all(|(id, demand)| sent.get(id).unwrap_or(&0) == demand));
        prop_assert_eq!(dispatch(&mut by, "a").0, "a");
    }
}
