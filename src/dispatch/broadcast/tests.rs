use super::{Broadcast, Selector};
use crate::dispatch::{Deliveries, Dispatcher, Fence, Refusal, StageId, Subscriber, SubscriptionId};

type Out = Deliveries<char>;

fn join(all: &mut Broadcast<char>) -> SubscriptionId {
    join_selecting(all, Selector::default())
}

fn join_selecting(all: &mut Broadcast<char>, selector: Selector<char>) -> SubscriptionId {
    let id = SubscriptionId::next();
    assert_eq!(all.subscribe(Subscriber::new(id), selector, &mut Out::new()).unwrap(), 0);
    id
}

fn ask(all: &mut Broadcast<char>, id: SubscriptionId, demand: usize) -> usize {
    all.ask(id, demand, &mut Out::new())
}

fn leave(all: &mut Broadcast<char>, id: SubscriptionId) -> usize {
    all.cancel(id, &mut Out::new())
}

/// What was handed back, and what was sent.
fn dispatch(all: &mut Broadcast<char>, items: &str) -> (String, Vec<(SubscriptionId, String)>) {
    let mut out = Out::new();
    let back = all.dispatch(items.chars().collect(), &mut out).into_iter().collect();
    assert!(out.take_asks().is_empty());
    (back, out.take_sent().into_iter().map(|(id, items)| (id, items.into_iter().collect())).collect())
}

fn to<const N: usize>(ids: [SubscriptionId; N], items: &str) -> Vec<(SubscriptionId, String)> {
    ids.into_iter().map(|id| (id, items.to_string())).collect()
}

fn open(all: &Broadcast<char>) -> Vec<(SubscriptionId, usize)> {
    all.members.iter().map(|(id, each)| (*id, (each.asked - all.granted) as usize)).collect()
}

/// What the original calls waiting and requested.
fn counts(all: &Broadcast<char>) -> (usize, usize) {
    (all.waiting, all.on_way + all.returned)
}

#[test]
fn scenario_142_subscribe_and_cancel() {
    let mut all = Broadcast::new();
    let a = join(&mut all);
    assert_eq!((leave(&mut all, a), counts(&all)), (0, (0, 0)));
}

#[test]
fn scenario_143_what_was_requested_is_remembered_when_the_last_one_leaves() {
    let mut all = Broadcast::new();
    let a = join(&mut all);
    assert_eq!((ask(&mut all, a, 10), counts(&all)), (10, (10, 10)));
    assert_eq!((leave(&mut all, a), counts(&all)), (0, (0, 10)));
    assert_eq!(dispatch(&mut all, "abc"), ("abc".into(), Vec::new()));
    assert_eq!(counts(&all), (0, 10));
    // The 3 are in the buffer, so they have to be fetched; 7 are on their way.
    let b = join(&mut all);
    assert_eq!(ask(&mut all, b, 10), 3);
    assert_eq!(dispatch(&mut all, "abc").1, to([b], "abc"));
    assert_eq!(dispatch(&mut all, "defghij").1, to([b], "defghij"));
    assert_eq!(counts(&all), (0, 0));
}

#[test]
fn scenario_145_a_successor_uses_what_was_requested() {
    let mut all = Broadcast::new();
    let a = join(&mut all);
    assert_eq!(ask(&mut all, a, 10), 10);
    let b = join(&mut all);
    assert_eq!((open(&all), counts(&all)), (vec![(a, 10), (b, 0)], (0, 10)));
    assert_eq!((leave(&mut all, a), counts(&all)), (0, (0, 10)));
    assert_eq!((ask(&mut all, b, 10), counts(&all)), (0, (10, 10)));
}

#[test]
fn scenario_146_a_cancel_releases_demand() {
    let mut all = Broadcast::new();
    let [a, b] = [join(&mut all), join(&mut all)];
    assert_eq!(ask(&mut all, a, 10), 0);
    assert_eq!((leave(&mut all, b), counts(&all)), (10, (10, 10)));
    assert_eq!((ask(&mut all, a, 10), counts(&all)), (10, (20, 20)));
}

#[test]
fn scenario_147_to_149_and_151_a_late_one_gets_nothing_unasked() {
    let mut all = Broadcast::new();
    let [a, b] = [join(&mut all), join(&mut all)];
    assert_eq!((ask(&mut all, a, 3), ask(&mut all, b, 2)), (0, 2));
    assert_eq!((open(&all), counts(&all)), (vec![(a, 1), (b, 0)], (2, 2)));
    assert_eq!(dispatch(&mut all, "ab"), (String::new(), to([a, b], "ab")));

    assert_eq!(ask(&mut all, b, 2), 1);
    assert_eq!(dispatch(&mut all, "cd"), ("d".into(), to([a, b], "c")));
    assert_eq!(dispatch(&mut all, "d"), ("d".into(), Vec::new()));
    assert_eq!((open(&all), counts(&all)), (vec![(a, 0), (b, 1)], (0, 0)));

    assert_eq!(ask(&mut all, a, 1), 1);
    let c = join(&mut all);
    assert_eq!(dispatch(&mut all, "de"), ("de".into(), Vec::new()));
    assert_eq!((open(&all), counts(&all)), (vec![(a, 1), (b, 1), (c, 0)], (0, 1)));
    assert_eq!((ask(&mut all, a, 2), ask(&mut all, b, 2), ask(&mut all, c, 3)), (0, 0, 2));
    assert_eq!(dispatch(&mut all, "def"), (String::new(), to([a, b, c], "def")));
    assert_eq!((open(&all), counts(&all)), (vec![(a, 0), (b, 0), (c, 0)], (0, 0)));
}

#[test]
fn what_was_handed_back_to_wait_for_a_late_one_is_asked_again() {
    // As above, but only what was passed up comes. The original waits for ever here.
    let mut all = Broadcast::new();
    let a = join(&mut all);
    assert_eq!(ask(&mut all, a, 1), 1);
    let b = join(&mut all);
    assert_eq!(dispatch(&mut all, "d").0, "d");
    assert_eq!((ask(&mut all, a, 2), ask(&mut all, b, 3)), (0, 2));
    let mut out = Out::new();
    assert!(all.dispatch(vec!['d', 'e'], &mut out).is_empty());
    assert_eq!((out.take_asks(), out.take_wanted()), (vec![], 1));
    assert_eq!(dispatch(&mut all, "f"), (String::new(), to([a, b], "f")));
    assert_eq!((open(&all), counts(&all)), (vec![(a, 0), (b, 0)], (0, 0)));
}

#[test]
fn scenario_153_a_late_one_asks_for_more_than_was_requested() {
    let mut all = Broadcast::new();
    let a = join(&mut all);
    assert_eq!(ask(&mut all, a, 10), 10);
    assert_eq!(dispatch(&mut all, "abc").1, to([a], "abc"));
    assert_eq!(counts(&all), (7, 7));
    let b = join(&mut all);
    assert_eq!((open(&all), counts(&all)), (vec![(a, 7), (b, 0)], (0, 7)));
    assert_eq!(ask(&mut all, b, 20), 0);
    assert_eq!((open(&all), counts(&all)), (vec![(a, 0), (b, 13)], (7, 7)));
    assert_eq!(dispatch(&mut all, "defghij").1, to([a, b], "defghij"));
    assert_eq!((open(&all), counts(&all)), (vec![(a, 0), (b, 13)], (0, 0)));
}

#[test]
fn scenario_154_the_successor_gets_what_the_first_one_asked_for() {
    let mut all = Broadcast::new();
    let a = join(&mut all);
    assert_eq!((ask(&mut all, a, 10), leave(&mut all, a)), (10, 0));
    let b = join(&mut all);
    assert_eq!((ask(&mut all, b, 5), counts(&all)), (0, (5, 10)));
    assert_eq!(dispatch(&mut all, "abc"), (String::new(), to([b], "abc")));
    assert_eq!(counts(&all), (2, 7));
}

#[test]
fn scenario_155_a_cancel_passes_up_only_what_was_not_requested() {
    let mut all = Broadcast::new();
    let a = join(&mut all);
    assert_eq!(ask(&mut all, a, 10), 10);
    let b = join(&mut all);
    assert_eq!((ask(&mut all, a, 5), open(&all)), (0, vec![(a, 15), (b, 0)]));
    assert_eq!((leave(&mut all, b), counts(&all)), (5, (15, 15)));
}

#[test]
fn scenario_156_selectors_leave_out_and_ask_again() {
    let mut all = Broadcast::new();
    let mut join = |prefix: &'static str| {
        let id = SubscriptionId::next();
        let selector = Selector::new(move |key: &&str| key.starts_with(prefix));
        assert_eq!(all.subscribe(Subscriber::new(id), selector, &mut Deliveries::new()).unwrap(), 0);
        id
    };
    let [a, b] = [join("pre"), join("pref")];
    let mut out = Deliveries::new();
    assert_eq!((all.ask(b, 4, &mut out), all.ask(a, 4, &mut out)), (0, 4));
    assert!(all.dispatch(vec!["pref-1234", "pref-5678", "pre0000", "foo0000"], &mut out).is_empty());
    let expected = [(a, vec!["pref-1234", "pref-5678", "pre0000"]), (b, vec!["pref-1234", "pref-5678"])];
    assert_eq!(out.take_sent(), expected);
    assert_eq!(out.take_asks(), [(a, 1), (b, 2)]);
    assert_eq!((all.ask(a, 1, &mut out), all.ask(b, 2, &mut out)), (0, 1));
}

#[test]
fn scenario_157_a_stage_subscribes_once_however_often_it_tries() {
    let mut all = Broadcast::<char>::new();
    let stage = StageId::next();
    let mut out = Out::new();
    let mut subscribe = |all: &mut Broadcast<char>| {
        let id = SubscriptionId::next();
        all.subscribe(Subscriber::new(id).of_stage(stage), Selector::default(), &mut out).map(|_| id)
    };
    let first = subscribe(&mut all).unwrap();
    for _ in 0..3 {
        assert!(matches!(subscribe(&mut all), Err(Refusal::AlreadySubscribed)));
        assert_eq!(open(&all), [(first, 0)]);
    }
    leave(&mut all, first);
    let again = subscribe(&mut all).unwrap();
    // Readers that are no stages are all different.
    let [a, b] = [join(&mut all), join(&mut all)];
    assert_eq!(open(&all), [(again, 0), (a, 0), (b, 0)]);
}

#[test]
fn scenario_159_nothing_is_held() {
    let (mut all, mut out) = (Broadcast::new(), Out::new());
    let a = join(&mut all);
    join(&mut all);
    ask(&mut all, a, 3);
    all.fence(Fence::new(1), &mut out);
    assert_eq!((out.take_passed(), all.held()), (vec![Fence::new(1)], 0));
}

#[test]
fn scenario_160_one_that_asks_for_nothing_holds_up_the_others_until_it_leaves() {
    let mut all = Broadcast::new();
    let [raw, a, b] = [join(&mut all), join(&mut all), join(&mut all)];
    assert_eq!((ask(&mut all, a, 1000), ask(&mut all, b, 1000)), (0, 0));
    assert_eq!(dispatch(&mut all, "ab").0, "ab");
    assert_eq!(leave(&mut all, raw), 1000);
    assert_eq!(dispatch(&mut all, "ab").1, to([a, b], "ab"));
}

#[test]
fn scenario_161_the_smallest_demand_is_passed_up() {
    let mut all = Broadcast::new();
    let [a, b] = [join(&mut all), join(&mut all)];
    assert_eq!((ask(&mut all, a, 10), ask(&mut all, b, 20)), (0, 10));
}

#[test]
fn scenario_164_what_a_selector_leaves_out_is_passed_up_again() {
    let mut all = Broadcast::new();
    let a = join_selecting(&mut all, Selector::new(|item| ('a'..='e').contains(item)));
    assert_eq!(ask(&mut all, a, 5), 5);
    let mut out = Out::new();
    assert!(all.dispatch(vec!['x', 'y', 'z'], &mut out).is_empty());
    assert_eq!(out.take_sent(), []);
    assert_eq!(out.take_asks(), [(a, 3)]);
    assert_eq!(ask(&mut all, a, 3), 3);
    assert_eq!(dispatch(&mut all, "abcde"), (String::new(), to([a], "abcde")));
}

#[test]
fn subscribers_without_a_selector_share_one_batch() {
    use std::sync::Arc;
    let mut all = Broadcast::new();
    let mut out = Deliveries::new();
    for _ in 0..3 {
        let id = SubscriptionId::next();
        all.subscribe(Subscriber::new(id), Selector::default(), &mut out).unwrap();
        all.ask(id, 1, &mut out);
    }
    let item = Arc::new(());
    all.dispatch(vec![Arc::clone(&item)], &mut out);
    assert_eq!(Arc::strong_count(&item), 2);
    assert_eq!(out.take_sent().len(), 3);
}
