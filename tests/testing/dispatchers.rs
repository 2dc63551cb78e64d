//! The check of dispatchers: ours pass, and each broken promise is told.

use crate::told;
use gen_stage::dispatch::{
    Broadcast, ByDemand, Deliveries, Dispatcher, Fence, Partition, PartitionName, Refusal, Selector,
    Subscriber, SubscriptionId,
};
use gen_stage::testing::check_dispatcher;

#[test]
fn ours_keep_their_contract() {
    check_dispatcher(ByDemand::new, |_| ());
    check_dispatcher(|| ByDemand::new().fair(), |_| ());
    check_dispatcher(Broadcast::new, |_| Selector::default());
    check_dispatcher(|| Partition::hash(3), |number| PartitionName::new(number % 3));
    check_dispatcher(|| Partition::hash(2).queue_size(1), |number| PartitionName::new(number % 2));
}

/// What a dispatcher does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Loses,
    LosesHeld,
    SendsTwice,
    SendsTooMuch,
    SendsToWhoLeft,
    ReordersWhatItHandsBack,
    PassesDemandTwice,
    AsksForEver,
    KeepsFences,
    NeverAsks,
    SwallowsDemandOfThoseWhoLeave,
}

/// One by demand, but for its fault.
struct Faulty {
    inner: ByDemand,
    fault: Fault,
    left: Option<SubscriptionId>,
    last: Option<SubscriptionId>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Self { inner: ByDemand::new(), fault, left: None, last: None }
    }

    fn inner(&mut self) -> &mut impl Dispatcher<u64, Options = ()> {
        &mut self.inner
    }
}

impl Dispatcher<u64> for Faulty {
    type Options = ();

    fn subscribe(&mut self, new: Subscriber, (): (), out: &mut Deliveries<u64>) -> Result<usize, Refusal> {
        self.last = Some(new.id());
        self.inner().subscribe(new, (), out)
    }

    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<u64>) -> usize {
        self.left = Some(id);
        self.last = self.last.filter(|last| *last != id);
        self.inner().cancel(id, out)
    }

    fn ask(&mut self, id: SubscriptionId, demand: usize, out: &mut Deliveries<u64>) -> usize {
        let passed = self.inner().ask(id, demand, out);
        match self.fault {
            Fault::PassesDemandTwice => 2 * passed,
            Fault::NeverAsks => 0,
            Fault::SwallowsDemandOfThoseWhoLeave if self.left.is_some() => 0,
            _ => passed,
        }
    }

    fn dispatch(&mut self, mut items: Vec<u64>, out: &mut Deliveries<u64>) -> Vec<u64> {
        match (self.fault, self.left, self.last) {
            (Fault::Loses, ..) if items.len() > 1 => _ = items.remove(0),
            (Fault::SendsToWhoLeft, Some(left), _) => out.send(left, vec![items.remove(0)]),
            (Fault::SendsTooMuch, _, Some(last)) => {
                out.send(last, items);
                return Vec::new();
            }
            (Fault::AsksForEver, ..) => {
                out.look_for(items.len());
                return items;
            }
            _ => {}
        }
        let again = items.clone();
        let mut back = self.inner().dispatch(items, out);
        match (self.fault, self.last) {
            (Fault::ReordersWhatItHandsBack, _) => back.reverse(),
            (Fault::LosesHeld, _) => back.clear(),
            (Fault::SendsTwice, Some(last)) if again.len() > back.len() => out.send(last, vec![again[0]]),
            _ => {}
        }
        back
    }

    fn fence(&mut self, fence: Fence, out: &mut Deliveries<u64>) {
        if self.fault != Fault::KeepsFences {
            self.inner().fence(fence, out);
        }
    }
}

#[test]
fn each_fault_is_found_and_told_with_the_story_that_led_to_it() {
    let faults = [
        (Fault::Loses, "0 dropped, 0 are held"),
        (Fault::LosesHeld, "0 handed back, 0 dropped, 0 are held"),
        (Fault::SendsTwice, "was sent"),
        (Fault::SendsTooMuch, " wants "),
        (Fault::SendsToWhoLeft, " was sent to a subscription that is not there"),
        (Fault::ReordersWhatItHandsBack, "it handed back ["),
        (Fault::PassesDemandTwice, " were asked of the producer, and "),
        (Fault::AsksForEver, "again and again"),
        (Fault::KeepsFences, "a fence never passes"),
        (Fault::NeverAsks, "no demand is passed up"),
        (Fault::SwallowsDemandOfThoseWhoLeave, "no demand is passed up"),
    ];
    for (fault, expected) in faults {
        let text = told(|| check_dispatcher(|| Faulty::new(fault), |_| ()));
        assert!(text.starts_with("the dispatcher breaks its contract: "), "{fault:?}: {text}");
        assert!(text.contains(expected), "{fault:?}: {text}");
        assert!(text.contains("; story "), "{fault:?}: {text}");
    }
}

/// Partitions with queues, that let fences pass at once.
struct Hasty(Partition<u64, gen_stage::dispatch::adapters::AssignHash>);

impl Dispatcher<u64> for Hasty {
    type Options = PartitionName<usize>;

    fn subscribe(
        &mut self,
        new: Subscriber,
        name: PartitionName<usize>,
        out: &mut Deliveries<u64>,
    ) -> Result<usize, Refusal> {
        self.0.subscribe(new, name, out)
    }

    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<u64>) -> usize {
        self.0.cancel(id, out)
    }

    fn ask(&mut self, id: SubscriptionId, demand: usize, out: &mut Deliveries<u64>) -> usize {
        self.0.ask(id, demand, out)
    }

    fn dispatch(&mut self, items: Vec<u64>, out: &mut Deliveries<u64>) -> Vec<u64> {
        self.0.dispatch(items, out)
    }

    fn held(&self) -> usize {
        self.0.held()
    }
}

#[test]
fn a_fence_that_passes_what_is_held_is_found() {
    let hasty = || Hasty(Partition::hash(2));
    let text = told(|| check_dispatcher(hasty, |number| PartitionName::new(number % 2)));
    assert!(text.contains(": a fence passes, and ") && text.contains(" are held; story "), "{text}");
}
