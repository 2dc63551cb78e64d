//! Every dispatcher in a small world: a stage with a buffer, a producer that fills what it is asked for, and
//! subscriptions that come, ask and go at random.

use super::{
    Broadcast, ByDemand, Deliveries, Dispatcher, Fence, Partition, PartitionName, Selector, Subscriber,
    SubscriptionId,
};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use std::collections::VecDeque;

/// A number that counts up, and a key.
type Item = (usize, u8);

/// The key that partitions drop.
const DROPPED: u8 = 9;

#[derive(Debug, Clone)]
enum Op {
    Join(u8),
    Ask(u8, usize),
    Leave(u8),
    /// The producer answers part of what it was asked for.
    Produce(Vec<u8>),
    /// The producer has more than it was asked for.
    Extra(Vec<u8>),
    /// The producer answers all that it was asked for.
    Settle,
    Fence,
}

fn ops(extra: bool) -> impl Strategy<Value = Vec<Op>> {
    let keys = || vec(prop_oneof![4 => 0u8..4, 1 => Just(DROPPED)], 1..8);
    let op = prop_oneof![
        3 => any::<u8>().prop_map(Op::Join),
        6 => (any::<u8>(), 1usize..9).prop_map(|(who, demand)| Op::Ask(who, demand)),
        2 => any::<u8>().prop_map(Op::Leave),
        5 => keys().prop_map(Op::Produce),
        u32::from(extra) => keys().prop_map(Op::Extra),
        2 => Just(Op::Settle),
        1 => Just(Op::Fence),
    ];
    vec(op, 0..80)
}

#[derive(Debug)]
struct Reader {
    id: SubscriptionId,
    lane: u8,
    asked: usize,
    got: Vec<Item>,
    /// How many items had been delivered, to any reader, when it joined.
    since: usize,
}

impl Reader {
    fn open(&self) -> usize {
        self.asked.checked_sub(self.got.len()).expect("never more than asked")
    }
}

struct World<D> {
    dispatcher: D,
    out: Deliveries<Item>,
    buffer: VecDeque<Item>,
    /// Asked of the producer and not yet answered.
    owed: usize,
    made: usize,
    discarded: usize,
    readers: Vec<Reader>,
    gone: Vec<Reader>,
    fences: VecDeque<(Fence, usize)>,
    fences_made: u64,
    /// Items that were sent, each counted once.
    delivered: usize,
}

impl<D: Dispatcher<Item>> World<D> {
    fn new(dispatcher: D) -> Self {
        Self {
            dispatcher,
            out: Deliveries::new(),
            buffer: VecDeque::new(),
            owed: 0,
            made: 0,
            discarded: 0,
            readers: Vec::new(),
            gone: Vec::new(),
            fences: VecDeque::new(),
            fences_made: 0,
            delivered: 0,
        }
    }

    fn join(&mut self, lane: u8, options: D::Options) -> bool {
        let id = SubscriptionId::next();
        let joined = self.dispatcher.subscribe(Subscriber::new(id), options, &mut self.out);
        if let Ok(passed) = joined {
            self.readers.push(Reader { id, lane, asked: 0, got: Vec::new(), since: self.delivered });
            self.look_for(passed);
        }
        joined.is_ok()
    }

    fn reader(&mut self, who: u8) -> Option<usize> {
        let readers = self.readers.len();
        (readers > 0).then(|| usize::from(who) % readers)
    }

    fn ask(&mut self, who: u8, demand: usize) {
        let Some(at) = self.reader(who) else { return };
        self.readers[at].asked += demand;
        let passed = self.dispatcher.ask(self.readers[at].id, demand, &mut self.out);
        self.look_for(passed);
    }

    fn leave(&mut self, who: u8) {
        let Some(at) = self.reader(who) else { return };
        let reader = self.readers.remove(at);
        let passed = self.dispatcher.cancel(reader.id, &mut self.out);
        self.gone.push(reader);
        self.look_for(passed);
    }

    fn fence(&mut self) {
        self.fences_made += 1;
        let fence = Fence::new(self.fences_made);
        // It stands behind all that was taken in.
        let taken = self.made - self.buffer.len();
        self.fences.push_back((fence, taken));
        self.dispatcher.fence(fence, &mut self.out);
        self.look_for(0);
    }

    /// Takes demand from the buffer first, and asks the producer for the rest.
    fn look_for(&mut self, mut passed: usize) {
        loop {
            let fetched: Vec<_> = self.buffer.drain(..passed.min(self.buffer.len())).collect();
            self.owed += passed - fetched.len();
            if !fetched.is_empty() {
                let back = self.dispatcher.dispatch(fetched, &mut self.out);
                for item in back.into_iter().rev() {
                    self.buffer.push_front(item);
                }
            }
            passed = self.hand_out();
            if passed == 0 {
                return;
            }
        }
    }

    /// Hands out what was decided, and returns what was asked in the name of readers.
    fn hand_out(&mut self) -> usize {
        self.discarded += self.out.take_discarded();
        for (id, items) in self.out.take_sent() {
            assert!(!items.is_empty());
            let last = items.last().map_or(0, |item| item.0 + 1);
            self.delivered = self.delivered.max(last);
            let reader = self.readers.iter_mut().find(|each| each.id == id);
            reader.expect("who has left gets nothing").got.extend(items);
        }
        for passed in self.out.take_passed() {
            assert_eq!(self.fences.pop_front().map(|(fence, _)| fence), Some(passed));
        }
        let (asks, wanted) = (self.out.take_asks(), self.out.take_wanted());
        asks.into_iter().map(|(id, demand)| self.dispatcher.ask(id, demand, &mut self.out)).sum::<usize>()
            + wanted
    }

    fn produce(&mut self, keys: &[u8]) {
        let items: Vec<_> = keys.iter().zip(self.made..).map(|(key, number)| (number, *key)).collect();
        self.made += items.len();
        self.owed = self.owed.saturating_sub(items.len());
        if !items.is_empty() {
            let back = self.dispatcher.dispatch(items, &mut self.out);
            self.buffer.extend(back);
            self.look_for(0);
        }
    }

    fn settle(&mut self) {
        for round in 0.. {
            if self.owed == 0 {
                return;
            }
            assert!(round < 1000, "the producer is asked again and again");
            let keys: Vec<_> = (0..self.owed).map(|n| ((n + round) % 4) as u8).collect();
            self.produce(&keys);
        }
    }

    /// Does anything but a join, which differs from dispatcher to dispatcher.
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Join(_) => {}
            Op::Ask(who, demand) => self.ask(*who, *demand),
            Op::Leave(who) => self.leave(*who),
            Op::Produce(keys) => self.produce(&keys[..keys.len().min(self.owed)]),
            Op::Extra(keys) => self.produce(keys),
            Op::Settle => self.settle(),
            Op::Fence => self.fence(),
        }
        self.all().for_each(|each| assert!(each.got.len() <= each.asked));
    }

    fn wanted(&self) -> usize {
        self.readers.iter().map(Reader::open).sum()
    }

    fn all(&self) -> impl Iterator<Item = &Reader> {
        self.readers.iter().chain(&self.gone)
    }

    /// Each item is at one place.
    fn check_each_once(&self) {
        let mut seen: Vec<_> = self.all().flat_map(|each| &each.got).collect();
        let sent = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), sent, "an item came twice");
        assert_eq!(self.made, sent + self.buffer.len() + self.dispatcher.held() + self.discarded);
        assert!(self.buffer.iter().zip(self.buffer.iter().skip(1)).all(|(one, next)| one < next));
    }
}

/// What is asked of the producer grows only up to what is wanted.
fn check_asked(before: usize, after: usize, wanted: usize) {
    assert!(after <= before.max(wanted), "{before} and then {after} were asked for, {wanted} are wanted");
}

fn by_demand_world(dispatcher: ByDemand, ops: &[Op], extra: bool) {
    let mut world = World::new(dispatcher);
    for op in ops {
        let before = world.owed;
        match op {
            Op::Join(lane) => assert!(world.join(*lane, ())),
            op => world.apply(op),
        }
        world.check_each_once();
        assert!(world.all().all(|each| each.got.is_sorted()));
        if !extra {
            check_asked(before, world.owed, world.wanted());
            // All that is wanted is on its way.
            assert!(world.owed >= world.wanted());
        }
        if !world.buffer.is_empty() {
            assert_eq!(world.wanted(), 0, "items lie in the buffer");
        }
        if matches!(op, Op::Settle) {
            assert!(extra || world.wanted() == 0);
        }
    }
    world.settle();
    assert_eq!(world.wanted(), 0);
    assert!(world.fences.is_empty());
}

fn broadcast_world(ops: &[Op], extra: bool) {
    let mut world = World::new(Broadcast::new());
    for op in ops {
        let before = world.owed;
        match op {
            Op::Join(lane) => {
                let selector = match lane % 3 {
                    0 => Selector::new(|item: &Item| item.1 % 2 == 0),
                    _ => Selector::default(),
                };
                assert!(world.join(*lane % 3, selector));
            }
            op => world.apply(op),
        }
        let common = world.readers.iter().map(Reader::open).min().unwrap_or(0);
        if !extra {
            check_asked(before, world.owed, common);
            assert!(world.owed >= common);
        }
        if !world.buffer.is_empty() {
            assert_eq!(common, 0, "items lie in the buffer");
        }
        check_broadcast(&world);
        if matches!(op, Op::Settle) {
            assert_eq!(common, 0);
        }
    }
    assert!(world.fences.is_empty());
}

/// Of the items sent between its joining and its leaving, a reader has those that it selects, without a gap.
fn check_broadcast(world: &World<Broadcast<Item>>) {
    let delivered = world.made - world.buffer.len();
    assert_eq!(world.dispatcher.held(), 0);
    for reader in world.all() {
        let mut numbers = reader.got.iter().map(|item| item.0);
        if reader.lane == 0 {
            assert!(reader.got.iter().all(|item| item.1 % 2 == 0) && reader.got.is_sorted());
        } else if let Some(first) = numbers.next() {
            assert!(first >= reader.since);
            assert!(numbers.zip(first + 1..).all(|(number, expected)| number == expected));
        }
    }
    for reader in world.readers.iter().filter(|each| each.lane != 0) {
        // What was delivered was delivered to all.
        assert!(reader.got.last().is_none_or(|item| item.0 + 1 == delivered));
    }
}

fn partition_world(ops: &[Op], queue_size: usize, extra: bool) {
    let assign = |item: Item| (item.1 != DROPPED).then_some((item, item.1));
    let mut world = World::new(Partition::by(0..4, assign).queue_size(queue_size));
    for op in ops {
        match op {
            Op::Join(lane) => {
                let free = world.readers.iter().all(|each| each.lane != lane % 4);
                assert_eq!(world.join(lane % 4, PartitionName::new(lane % 4)), free);
            }
            op => world.apply(op),
        }
        world.check_each_once();
        let full = world.dispatcher.full.is_some();
        assert!(world.dispatcher.held() <= 4 * queue_size + usize::from(full));
        check_partitions(&world);
        // All demand, open or pending, is on its way, is stalled, or was used up by an item that is held.
        let Partition { waiting, pending, stalled, .. } = world.dispatcher;
        assert_eq!(waiting + stalled + world.dispatcher.held(), world.wanted() + pending);
        assert!(full || stalled == 0);
        assert!(extra || world.owed == waiting);
        if !full && !world.buffer.is_empty() {
            assert_eq!(waiting, 0, "items lie in the buffer");
        }
    }
    finish_partitions(&mut world);
}

type ByKey<F> = Partition<Item, super::adapters::AssignBy<u8, F>>;

fn check_partitions<F>(world: &World<ByKey<F>>)
where
    F: FnMut(Item) -> Option<(Item, u8)> + Send + 'static,
{
    for lane in 0..4 {
        // Items keep their order, whichever readers have the partition.
        let readers = world.gone.iter().chain(&world.readers).filter(|each| each.lane == lane);
        let got: Vec<_> = readers.flat_map(|each| &each.got).collect();
        assert!(got.is_sorted() && got.iter().all(|item| item.1 == lane));
    }
}

/// Reads all partitions until nothing is held: then all that is wanted was delivered.
fn finish_partitions<F>(world: &mut World<ByKey<F>>)
where
    F: FnMut(Item) -> Option<(Item, u8)> + Send + 'static,
{
    for lane in 0..4 {
        world.join(lane, PartitionName::new(lane));
    }
    for round in 0.. {
        assert!(round < 1000, "it stalls");
        // The producer makes what readers want, and only that.
        while world.owed > 0 && world.wanted() > 0 && world.buffer.is_empty() {
            let mut keys = Vec::new();
            for reader in &world.readers {
                keys.extend(std::iter::repeat_n(reader.lane, reader.open()));
            }
            keys.truncate(world.owed);
            world.produce(&keys);
        }
        if world.dispatcher.held() == 0 && world.buffer.is_empty() {
            break;
        }
        for who in 0..4 {
            world.ask(who, 3);
        }
    }
    world.check_each_once();
    check_partitions(world);
    assert_eq!(world.wanted(), 0);
    assert!(world.fences.is_empty());
}

proptest! {
    #[test]
    fn by_demand_keeps_its_contract(ops in ops(false), fair in any::<bool>(), shuffled in any::<bool>()) {
        let by_demand = if fair { ByDemand::new().fair() } else { ByDemand::new() };
        by_demand_world(if shuffled { by_demand.shuffled() } else { by_demand }, &ops, false);
    }

    #[test]
    fn by_demand_keeps_its_contract_when_there_is_more_than_was_asked_for(ops in ops(true)) {
        by_demand_world(ByDemand::new(), &ops, true);
    }

    #[test]
    fn broadcast_keeps_its_contract(ops in ops(false)) {
        broadcast_world(&ops, false);
    }

    #[test]
    fn broadcast_keeps_its_contract_when_there_is_more_than_was_asked_for(ops in ops(true)) {
        broadcast_world(&ops, true);
    }

    #[test]
    fn partition_keeps_its_contract(ops in ops(false), queue_size in 1usize..6) {
        partition_world(&ops, queue_size, false);
    }

    #[test]
    fn partition_keeps_its_contract_when_there_is_more_than_was_asked_for(
        ops in ops(true),
        queue_size in 1usize..6,
    ) {
        partition_world(&ops, queue_size, true);
    }

    #[test]
    fn fair_is_as_even_as_demand_allows(demands in vec(0usize..20, 1..6), batches in vec(1usize..30, 1..8)) {
        let mut world = World::new(ByDemand::new().fair());
        for (who, demand) in demands.iter().enumerate() {
            world.join(0, ());
            if *demand > 0 {
                world.ask(who as u8, *demand);
            }
        }
        for batch in batches {
            let before: Vec<_> = world.readers.iter().map(|each| each.got.len()).collect();
            world.produce(&vec![0; batch]);
            let pieces = || world.readers.iter().zip(&before).map(|(each, before)| each.got.len() - before);
            let most = pieces().max().unwrap_or(0);
            // A reader that got fewer than another, by more than one, wants no more.
            for (reader, piece) in world.readers.iter().zip(pieces()) {
                assert!(piece + 1 >= most || reader.open() == 0);
            }
            if !world.buffer.is_empty() {
                assert_eq!(world.wanted(), 0);
            }
        }
    }
}
