use super::{Assign, Partition, PartitionName};
use crate::dispatch::{Deliveries, Dispatcher, Fence, Refusal, Subscriber, SubscriptionId, hash_lane};

type Out = Deliveries<u32>;

/// Two partitions by `route`.
fn two<F: FnMut(&u32) -> u32 + Send + 'static>(route: F) -> Partition<u32, impl Assign<u32, Name = u32>> {
    Partition::by_key([0, 1], route)
}

fn join<K, A: Assign<u32, Name = K>>(partition: &mut Partition<u32, A>, name: K) -> SubscriptionId {
    let id = SubscriptionId::next();
    let joined = partition.subscribe(Subscriber::new(id), PartitionName::new(name), &mut Out::new());
    assert_eq!(joined.unwrap(), 0);
    id
}

/// What is passed up, and what was sent.
fn ask<A: Assign<u32>>(
    partition: &mut Partition<u32, A>,
    id: SubscriptionId,
    demand: usize,
) -> (usize, Vec<u32>) {
    let mut out = Out::new();
    let passed = partition.ask(id, demand, &mut out);
    (passed, out.take_sent().into_iter().flat_map(|(_, items)| items).collect())
}

fn leave<A: Assign<u32>>(partition: &mut Partition<u32, A>, id: SubscriptionId) -> usize {
    partition.cancel(id, &mut Out::new())
}

type Sent = Vec<(SubscriptionId, Vec<u32>)>;

/// What was handed back, and what was sent.
fn dispatch<A: Assign<u32>>(partition: &mut Partition<u32, A>, items: &[u32]) -> (Vec<u32>, Sent) {
    let mut out = Out::new();
    let back = partition.dispatch(items.to_vec(), &mut out);
    assert!(out.take_asks().is_empty());
    (back, out.take_sent())
}

fn counts<A>(partition: &Partition<u32, A>) -> (usize, usize) {
    (partition.waiting, partition.pending)
}

#[test]
fn scenario_167_and_168_demand_of_who_left_is_pending() {
    let mut partition = Partition::<u32>::hash(2);
    let a = join(&mut partition, 0);
    assert_eq!((ask(&mut partition, a, 10).0, counts(&partition)), (10, (10, 0)));
    assert_eq!((leave(&mut partition, a), counts(&partition)), (0, (10, 10)));
    let a = join(&mut partition, 1);
    assert_eq!((ask(&mut partition, a, 5).0, counts(&partition)), (0, (10, 5)));
    assert_eq!((leave(&mut partition, a), counts(&partition)), (0, (10, 10)));

    assert_eq!(dispatch(&mut partition, &[0, 1, 2, 3]), (vec![], vec![]));
    assert_eq!((counts(&partition), partition.held()), ((6, 10), 4));
}

#[test]
fn scenario_169_one_gets_what_it_asked_for() {
    let mut partition = Partition::<u32>::hash(1);
    let a = join(&mut partition, 0);
    assert_eq!(ask(&mut partition, a, 3).0, 3);
    assert_eq!(dispatch(&mut partition, &[1]), (vec![], vec![(a, vec![1])]));
    assert_eq!(counts(&partition), (2, 0));
    assert_eq!((ask(&mut partition, a, 3).0, counts(&partition)), (3, (5, 0)));
    let sent = vec![(a, vec![2, 5, 6, 7, 8])];
    assert_eq!(dispatch(&mut partition, &[2, 5, 6, 7, 8, 9, 11]), (vec![9, 11], sent));
    assert_eq!(counts(&partition), (0, 0));
}

#[test]
fn scenario_170_partitions_have_names() {
    let parity = |n: &u32| if n % 2 == 0 { "even" } else { "odd" };
    let mut partition = Partition::by_key(["odd", "even"], parity);
    let odd = join(&mut partition, "odd");
    ask(&mut partition, odd, 3);
    assert_eq!(dispatch(&mut partition, &[1]), (vec![], vec![(odd, vec![1])]));
    ask(&mut partition, odd, 3);
    let sent = vec![(odd, vec![5, 7, 9, 11, 13])];
    assert_eq!(dispatch(&mut partition, &[5, 7, 9, 11, 13, 15, 17]), (vec![15, 17], sent));
}

#[test]
fn scenario_171_dropped_items_use_up_no_demand() {
    let assign = |n: u32| (n % 3 != 0).then_some((n, if n % 2 == 0 { "even" } else { "odd" }));
    let mut partition = Partition::by(["odd", "even"], assign);
    let [even, odd] = [join(&mut partition, "even"), join(&mut partition, "odd")];
    assert_eq!((ask(&mut partition, even, 4).0, ask(&mut partition, odd, 4).0), (4, 4));
    let mut out = Out::new();
    assert_eq!(partition.dispatch((1..=12).collect(), &mut out), [12]);
    assert_eq!(out.take_sent(), [(odd, vec![1, 5, 7, 11]), (even, vec![2, 4, 8, 10])]);
    assert_eq!((out.take_discarded(), out.take_asks(), counts(&partition)), (3, vec![], (0, 0)));
}

#[test]
fn a_replacement_for_dropped_items_is_asked() {
    // The producer has answered all it was asked for: without a new ask, nothing more would come.
    let mut partition = Partition::by([0], |n: u32| (n > 2).then_some((n, 0)));
    let a = join(&mut partition, 0);
    assert_eq!(ask(&mut partition, a, 4).0, 4);
    let mut out = Out::new();
    assert!(partition.dispatch(vec![1, 2, 3, 4], &mut out).is_empty());
    let asks = out.take_asks();
    assert_eq!((&asks[..], out.take_sent(), out.take_discarded()), (&[(a, 2)][..], vec![(a, vec![3, 4])], 2));
    assert_eq!((ask(&mut partition, a, 2), counts(&partition)), ((2, vec![]), (2, 0)));
    assert_eq!(dispatch(&mut partition, &[5, 6]), (vec![], vec![(a, vec![5, 6])]));

    // Pending demand covers it first.
    ask(&mut partition, a, 2);
    leave(&mut partition, a);
    let a = join(&mut partition, 0);
    assert_eq!((ask(&mut partition, a, 1).0, counts(&partition)), (0, (2, 1)));
    assert_eq!(dispatch(&mut partition, &[1, 7]), (vec![], vec![(a, vec![7])]));
    assert_eq!(counts(&partition), (0, 0));
}

#[test]
fn scenario_172_items_wait_for_a_subscription() {
    let mut partition = two(|_| 0);
    let one = join(&mut partition, 1);
    assert_eq!(ask(&mut partition, one, 5).0, 5);
    assert_eq!(dispatch(&mut partition, &[1, 2, 5, 6, 7]), (vec![], vec![]));
    assert_eq!(counts(&partition), (0, 0));
    assert_eq!(dispatch(&mut partition, &[8, 9]), (vec![8, 9], vec![]));
    let zero = join(&mut partition, 0);
    assert_eq!(ask(&mut partition, zero, 5), (5, vec![1, 2, 5, 6, 7]));
    assert_eq!(counts(&partition), (5, 0));
    assert_eq!(dispatch(&mut partition, &[1, 2]).0, []);
    assert_eq!(counts(&partition), (3, 0));
}

#[test]
fn scenario_173_items_wait_for_demand() {
    let mut partition = two(|_| 0);
    let [zero, one] = [join(&mut partition, 0), join(&mut partition, 1)];
    assert_eq!((ask(&mut partition, zero, 5).0, ask(&mut partition, one, 5).0), (5, 5));
    assert_eq!(dispatch(&mut partition, &[1, 2]).1, [(zero, vec![1, 2])]);
    assert_eq!(dispatch(&mut partition, &[5, 6, 7, 1, 2, 5, 6, 7]), (vec![], vec![(zero, vec![5, 6, 7])]));
    assert_eq!((counts(&partition), partition.held()), ((0, 0), 5));
    assert_eq!(ask(&mut partition, zero, 5), (5, vec![1, 2, 5, 6, 7]));
    assert_eq!(counts(&partition), (5, 0));
}

#[test]
fn scenario_174_and_175_a_queue_outlives_its_subscription_and_others_are_not_held_up_by_it() {
    let mut partition = two(|_| 0);
    let one = join(&mut partition, 1);
    assert_eq!(ask(&mut partition, one, 5).0, 5);
    let zero = join(&mut partition, 0);
    assert_eq!(dispatch(&mut partition, &[1, 2, 5, 6, 7]), (vec![], vec![]));
    let mut out = Out::new();
    partition.fence(Fence::new(1), &mut out);
    assert_eq!((leave(&mut partition, zero), counts(&partition)), (5, (5, 5)));

    // Unlike in the original, the items are kept, with the fence behind them; and they are not passed up twice.
    let zero = join(&mut partition, 0);
    assert_eq!((leave(&mut partition, zero), counts(&partition)), (0, (5, 5)));
    let zero = join(&mut partition, 0);
    assert_eq!(partition.ask(zero, 4, &mut out), 0);
    assert_eq!((out.take_sent(), out.take_passed()), (vec![(zero, vec![1, 2, 5, 6])], vec![]));
    assert_eq!(partition.ask(zero, 4, &mut out), 3);
    assert_eq!((out.take_sent(), out.take_passed()), (vec![(zero, vec![7])], vec![Fence::new(1)]));
}

#[test]
fn scenario_177_and_179_a_fence_passes_at_once_without_queues() {
    let (mut partition, mut out) = (two(|n| n % 2), Out::new());
    partition.fence(Fence::new(1), &mut out);
    assert_eq!(out.take_passed(), [Fence::new(1)]);
    join(&mut partition, 0);
    let one = join(&mut partition, 1);
    ask(&mut partition, one, 3);
    partition.fence(Fence::new(2), &mut out);
    assert_eq!(out.take_passed(), [Fence::new(2)]);
}

#[test]
fn scenario_180_a_fence_waits_for_what_is_queued_in_front_of_it_and_no_longer() {
    let (mut partition, mut out) = (two(|n| n % 2), Out::new());
    let [zero, one] = [join(&mut partition, 0), join(&mut partition, 1)];
    ask(&mut partition, one, 1);
    ask(&mut partition, zero, 8);
    // 3 and 5 are queued.
    dispatch(&mut partition, &[1, 3, 5]);
    partition.fence(Fence::new(1), &mut out);
    dispatch(&mut partition, &[7, 2]);
    partition.fence(Fence::new(2), &mut out);
    assert_eq!(out.take_passed(), []);
    partition.ask(one, 1, &mut out);
    assert_eq!(out.take_passed(), []);
    partition.ask(one, 1, &mut out);
    assert_eq!(out.take_passed(), [Fence::new(1)]);
    partition.ask(one, 9, &mut out);
    assert_eq!(out.take_passed(), [Fence::new(2)]);
}

#[test]
fn fences_wait_for_all_queues_and_pass_in_order() {
    let (mut partition, mut out) = (two(|n| n % 2), Out::new());
    let feeder = join(&mut partition, 0);
    ask(&mut partition, feeder, 6);
    leave(&mut partition, feeder);
    dispatch(&mut partition, &[1]);
    partition.fence(Fence::new(1), &mut out);
    dispatch(&mut partition, &[2]);
    partition.fence(Fence::new(2), &mut out);
    let [zero, one] = [join(&mut partition, 0), join(&mut partition, 1)];
    partition.ask(zero, 1, &mut out);
    assert_eq!(out.take_passed(), []);
    partition.ask(one, 1, &mut out);
    assert_eq!(out.take_passed(), [Fence::new(1), Fence::new(2)]);
}

#[test]
#[should_panic(
    expected = "an item was assigned to the unknown partition \"oops\"; the known ones are [\"foo\", \"bar\"]"
)]
fn scenario_181_an_unknown_partition_of_an_item_panics() {
    let mut partition = Partition::by_key(["foo", "bar"], |_: &u32| "oops");
    let foo = join(&mut partition, "foo");
    ask(&mut partition, foo, 3);
    dispatch(&mut partition, &[1, 2, 5]);
}

#[test]
#[should_panic(expected = "Partition needs at least 1 partition, given 0")]
fn scenario_183_partitions_are_required() {
    let _ = Partition::by([], |n: u32| Some((n, n)));
}

#[test]
#[should_panic(expected = "partition \"a\" is named twice, in [\"a\", \"b\", \"a\"]")]
fn scenario_184_names_are_unique() {
    let _ = Partition::by_key(["a", "b", "a"], |_: &u32| "a");
}

#[test]
#[should_panic(expected = "queue_size must be at least 1 item, given 0")]
fn a_queue_has_room_for_one() {
    let _ = Partition::<u32>::hash(1).queue_size(0);
}

#[test]
fn scenario_185_bad_subscriptions_are_refused_and_nobody_else_notices() {
    let mut partition = Partition::by_key([0, 1], |n: &u32| (n % 2).cast_signed());
    let taken = join(&mut partition, 0);
    let mut out = Out::new();
    let mut refused =
        |name| partition.subscribe(Subscriber::new(SubscriptionId::next()), name, &mut out).unwrap_err();
    let required = refused(PartitionName::default());
    assert!(matches!(required, Refusal::PartitionRequired { .. }));
    assert_eq!(required.to_string(), "the option partition is required, one of [0, 1]");
    let again = refused(PartitionName::new(0));
    assert!(matches!(again, Refusal::PartitionTaken { .. }));
    assert_eq!(again.to_string(), "partition 0 is already taken");
    for name in [-1, 2] {
        let unknown = refused(PartitionName::new(name));
        assert!(matches!(unknown, Refusal::UnknownPartition { .. }));
        assert_eq!(unknown.to_string(), format!("partition must be one of [0, 1], given {name}"));
    }
    assert_eq!(ask(&mut partition, taken, 1).0, 1);
    leave(&mut partition, taken);
    join(&mut partition, 0);
}

#[test]
fn scenario_187_a_blocked_partition_gives_way_when_its_subscription_leaves_and_loses_nothing() {
    let mut partition = two(|n| n % 2);
    let [zero, one] = [join(&mut partition, 0), join(&mut partition, 1)];
    assert_eq!((ask(&mut partition, zero, 4).0, ask(&mut partition, one, 4).0), (4, 4));
    let (back, sent) = dispatch(&mut partition, &[1, 3, 5, 7, 9, 11]);
    assert_eq!((back, sent), (vec![], vec![(one, vec![1, 3, 5, 7])]));
    assert_eq!(dispatch(&mut partition, &[2, 4, 6]), (vec![6], vec![(zero, vec![2, 4])]));
    // 9 and 11 are queued, 6 is in the buffer of the stage.
    assert_eq!(leave(&mut partition, one), 2);
    assert_eq!(dispatch(&mut partition, &[6]), (vec![], vec![(zero, vec![6])]));
    let one = join(&mut partition, 1);
    assert_eq!(ask(&mut partition, one, 4), (2, vec![9, 11]));
    // All open demand is on its way: 1 of partition 0, 2 of partition 1.
    assert_eq!(counts(&partition), (3, 0));
}

#[test]
fn a_full_queue_stalls_what_is_behind_and_room_in_it_starts_that_again() {
    let mut partition = two(|n| n % 2).queue_size(2);
    let zero = join(&mut partition, 0);
    assert_eq!(ask(&mut partition, zero, 10).0, 10);
    // 1 and 3 fill the queue, 5 is one too many.
    let (back, sent) = dispatch(&mut partition, &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((back, sent), (vec![6, 7, 8], vec![(zero, vec![2, 4])]));
    assert_eq!((partition.held(), partition.stalled, counts(&partition)), (3, 3, (2, 0)));
    // What comes meanwhile is handed back, too.
    assert_eq!(dispatch(&mut partition, &[10, 12, 14]), (vec![10, 12, 14], vec![]));
    assert_eq!((partition.stalled, counts(&partition)), (5, (0, 0)));
    // An ask is passed up: the stage tries an item of its buffer, and gets it back.
    assert_eq!(ask(&mut partition, zero, 1).0, 1);
    assert_eq!(dispatch(&mut partition, &[6]).0, [6]);
    assert_eq!((partition.stalled, counts(&partition)), (6, (0, 0)));

    let one = join(&mut partition, 1);
    assert_eq!(ask(&mut partition, one, 1), (1 + 6, vec![1]));
    assert_eq!((partition.held(), partition.stalled, counts(&partition)), (2, 0, (7, 0)));
    let (back, sent) = dispatch(&mut partition, &[6, 7, 8, 10, 12, 14]);
    assert_eq!((back, sent), (vec![8, 10, 12, 14], vec![(zero, vec![6])]));
    assert_eq!(ask(&mut partition, one, 5), (5 + 4, vec![3, 5, 7]));
    assert_eq!(dispatch(&mut partition, &[8, 10, 12, 14]).1, [(zero, vec![8, 10, 12, 14])]);
}

#[test]
fn hash_sends_an_item_where_hash_lane_says() {
    let mut partition = Partition::<u32>::hash(4);
    let ids: Vec<_> = (0..4).map(|name| join(&mut partition, name)).collect();
    for id in &ids {
        ask(&mut partition, *id, 100);
    }
    let (back, sent) = dispatch(&mut partition, &(0..100).collect::<Vec<_>>());
    assert!(back.is_empty());
    for (id, items) in sent {
        let lane = ids.iter().position(|each| *each == id).unwrap();
        assert!(items.iter().all(|item| hash_lane(item, 4) == lane));
        assert!(items.is_sorted());
    }
}

/// Sends multiples of 3 nowhere, and the others by their parity.
fn kept(n: u32) -> Option<(u32, u32)> {
    (n % 3 > 0).then_some((n, n % 2))
}

#[test]
fn long_lists_go_to_lanes_with_any_room_as_if_item_by_item() {
    // What each side has queued, what it asks for, and how many items come.
    for (queued, asks, items) in
        [(0, 5000, 3000), (900, 3000, 3000), (990, 2000, 3000), (0, 40, 3000), (0, 1, 10_000)]
    {
        let mut partition = Partition::by([0, 1], kept);
        let zero = join(&mut partition, 0);
        // Odd items wait in their queue.
        assert_eq!(ask(&mut partition, zero, queued + asks).0, queued + asks);
        let mut odd: Vec<u32> = (0..).filter(|n| n % 6 == 1).take(queued).collect();
        assert_eq!(dispatch(&mut partition, &odd), (vec![], vec![]));

        let (mut even, mut waiting) = (Vec::new(), asks);
        let given: Vec<u32> = (0..items).collect();
        let mut rest = given.iter().copied();
        while waiting > 0 && odd.len() <= 1000 {
            let Some(n) = rest.next() else { break };
            if let Some((n, side)) = kept(n) {
                waiting -= 1;
                if side == 0 { even.push(n) } else { odd.push(n) }
            }
        }
        let mut out = Out::new();
        let back = partition.dispatch(given.clone(), &mut out);
        let sent: Vec<u32> = out.take_sent().into_iter().flat_map(|(_, items)| items).collect();
        assert_eq!((back, sent), (rest.collect(), even), "{queued} queued, {asks} asked for");
        assert_eq!(partition.held(), odd.len());

        let one = join(&mut partition, 1);
        let mut read = Vec::new();
        while read.len() < odd.len() {
            read.extend(ask(&mut partition, one, 300).1);
        }
        assert_eq!(read, odd, "{queued} queued, {asks} asked for");
    }
}
