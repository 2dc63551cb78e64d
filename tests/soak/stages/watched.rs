//! The dispatcher of the stages: one of the three, and a look at what it does.

use crate::random::Random;
use crate::world::{Book, Item, Lanes, Made, Split, Wants, World, is_dropped};
use gen_stage::dispatch::{
    Broadcast, ByDemand, Deliveries, Dispatcher, Fence, Partition, PartitionName, Refusal, Selector,
    Subscriber, SubscriptionId,
};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

enum Inner {
    One(ByDemand),
    All(Broadcast<Item>),
    Lanes(Box<dyn Dispatcher<Item, Options = PartitionName<usize>>>),
}

pub(crate) struct Watched {
    inner: Inner,
    /// Whether to look at what is sent; a batch that is shared is not shared any more then.
    watched: bool,
    /// The most that a partition's queue may hold.
    queue: usize,
    /// Items that were offered and not handed back.
    taken: u64,
    book: Arc<Book>,
    world: Arc<World>,
}

macro_rules! inner {
    ($self:expr, $inner:ident => $do:expr) => {
        match &mut $self.inner {
            Inner::One($inner) => $do,
            Inner::All($inner) => $do,
            Inner::Lanes($inner) => {
                let $inner = &mut **$inner;
                $do
            }
        }
    };
}

impl Watched {
    pub(crate) fn new(world: &Arc<World>, book: &Arc<Book>, random: &mut Random) -> Self {
        let queue = if random.chance(50) { random.between(1, 5) } else { random.between(6, 200) };
        let lanes = |lanes, count: usize| -> Box<dyn Dispatcher<Item, Options = PartitionName<usize>>> {
            match lanes {
                Lanes::Hash => Box::new(Partition::hash(count).queue_size(queue)),
                Lanes::Key => {
                    let key = move |item: &Item| item.number as usize % count;
                    Box::new(Partition::by_key(0..count, key).queue_size(queue))
                }
                Lanes::Some => {
                    let assign = move |item: Item| {
                        let lane = item.number as usize % count;
                        (!is_dropped(item.number)).then_some((item, lane))
                    };
                    Box::new(Partition::by(0..count, assign).queue_size(queue))
                }
            }
        };
        let inner = match book.split {
            Split::None => unreachable!("consumers have no dispatcher"),
            Split::One => Inner::One(match random.below(3) {
                0 => ByDemand::new(),
                1 => ByDemand::new().fair(),
                _ => ByDemand::new().shuffled(),
            }),
            Split::All => Inner::All(Broadcast::new()),
            Split::Lanes(how, count) => Inner::Lanes(lanes(how, count)),
        };
        let watched = book.split.to_one() || random.chance(50);
        Self { inner, watched, queue, taken: 0, book: Arc::clone(book), world: Arc::clone(world) }
    }

    fn look(&mut self, out: &mut Deliveries<Item>) {
        let held = inner!(self, inner => Dispatcher::<Item>::held(inner));
        let gone = self.taken - held as u64;
        self.book.gone.store(gone, SeqCst);
        if let Split::Lanes(_, lanes) = self.book.split {
            self.world.check(held <= lanes * self.queue + 1, || {
                format!("stage {}: {held} items in {lanes} queues of {}", self.book.stage, self.queue)
            });
        }
        if !self.watched {
            return;
        }
        for (id, items) in out.take_sent() {
            let sub = self.world.sub(id);
            let sent = sub.sent.fetch_add(items.len() as u64, SeqCst) + items.len() as u64;
            if let Some(last) = items.last() {
                sub.sent_up_to.store(last.number + 1, SeqCst);
            }
            let (handled, max) = (sub.handled.load(SeqCst), sub.max.load(SeqCst));
            self.world.check(sent <= handled.saturating_add(max as u64), || {
                format!("subscription {id}: {sent} sent and {handled} handled with a max_demand of {max}")
            });
            out.send(id, items);
        }
    }
}

impl Dispatcher<Item> for Watched {
    type Options = Wants;

    fn subscribe(
        &mut self,
        new: Subscriber,
        wants: Wants,
        out: &mut Deliveries<Item>,
    ) -> Result<usize, Refusal> {
        let taken = match (&mut self.inner, wants) {
            (Inner::One(inner), _) => Dispatcher::<Item>::subscribe(inner, new, (), out),
            (Inner::All(inner), Wants::Rest(of, rest)) => {
                let selector = Selector::new(move |item: &Item| item.number % of == rest);
                inner.subscribe(new, selector, out)
            }
            (Inner::All(inner), _) => inner.subscribe(new, Selector::default(), out),
            (Inner::Lanes(inner), Wants::Lane(lane)) => inner.subscribe(new, PartitionName::new(lane), out),
            (Inner::Lanes(inner), _) => inner.subscribe(new, PartitionName::default(), out),
        };
        if taken.is_ok() {
            let made = Made { emitter: Arc::clone(&self.book), wants, watched: self.watched };
            let first = self.world.sub(new.id()).made.set(made).is_ok();
            self.world.check(first, || format!("subscription {} was made twice", new.id()));
        }
        self.look(out);
        taken
    }

    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<Item>) -> usize {
        let demand = inner!(self, inner => Dispatcher::<Item>::cancel(inner, id, out));
        self.look(out);
        demand
    }

    fn ask(&mut self, id: SubscriptionId, demand: usize, out: &mut Deliveries<Item>) -> usize {
        self.world.check(demand > 0, || format!("subscription {id} asks for nothing"));
        self.book.asked.fetch_add(demand as u64, SeqCst);
        let more = inner!(self, inner => Dispatcher::<Item>::ask(inner, id, demand, out));
        self.look(out);
        more
    }

    fn dispatch(&mut self, items: Vec<Item>, out: &mut Deliveries<Item>) -> Vec<Item> {
        let offered = items.len();
        self.world.check(offered > 0, || "a dispatch of nothing".into());
        let back = inner!(self, inner => inner.dispatch(items, out));
        self.taken += (offered - back.len()) as u64;
        self.look(out);
        back
    }

    fn held(&self) -> usize {
        match &self.inner {
            Inner::One(inner) => Dispatcher::<Item>::held(inner),
            Inner::All(inner) => inner.held(),
            Inner::Lanes(inner) => inner.held(),
        }
    }

    fn held_for(&self, id: SubscriptionId) -> usize {
        match &self.inner {
            Inner::One(inner) => Dispatcher::<Item>::held_for(inner, id),
            Inner::All(inner) => inner.held_for(id),
            Inner::Lanes(inner) => inner.held_for(id),
        }
    }

    fn sends_to_all(&self) -> bool {
        match &self.inner {
            Inner::One(inner) => Dispatcher::<Item>::sends_to_all(inner),
            Inner::All(inner) => inner.sends_to_all(),
            Inner::Lanes(inner) => inner.sends_to_all(),
        }
    }

    fn fence(&mut self, fence: Fence, out: &mut Deliveries<Item>) {
        inner!(self, inner => Dispatcher::<Item>::fence(inner, fence, out));
        self.look(out);
    }
}
