//! Kinds of windows by a `Windowing` of one's own, with all that a `OpenWindows` does.

use crate::support::{Numbers, counting, operator_suite, seven};
use gen_stage::Flow;
use gen_stage::window::{Merging, OpenWindows, Several, Slot, Trigger, Window, Windowing};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Windows for the remainders by 2 and by 3, all open until the end.
#[derive(Clone, Default)]
struct Remainders(BTreeMap<(u64, u64), Slot>);

impl Windowing<u64> for Remainders {
    type Id = (u64, u64);
    type Places = Several;

    fn place(&mut self, n: &u64, windows: &mut OpenWindows<(u64, u64)>) -> Option<Several> {
        let slots = [2, 3].map(|by| {
            let id = (by, n % by);
            *self.0.entry(id).or_insert_with(|| windows.open(id, (by * 10 + id.1) as i64))
        });
        assert_eq!(windows.len(), self.0.len());
        assert_eq!(windows.is_empty(), self.0.is_empty());
        assert_eq!(*windows.id(slots[0]), (2, n % 2));
        Some(Several::new(slots))
    }

    fn close_next(&mut self, _: &mut OpenWindows<(u64, u64)>) -> bool {
        false
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<(u64, u64)>) -> bool {
        self.0.pop_first().map(|(_, slot)| windows.close(slot)).is_some()
    }
}

operator_suite!(
    |flow: Numbers| flow
        .window(Window::custom(Remainders::default()))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| {
            let by = info.window.0;
            std::mem::take(list).into_iter().map(move |n: u64| by * 1_000_000 + n)
        }),
    |items| items.into_iter().flat_map(|n| [2_000_000 + n, 3_000_000 + n]).collect(),
    |flow: Numbers| flow.window(Window::custom(Remainders::default())).reduce(Vec::new, |list, n| {
        seven(n);
        list.push(n);
    }),
);

#[tokio::test]
async fn an_item_is_in_several_windows_which_fire_in_the_order_of_their_ranks() {
    let lists = counting(6)
        .lanes(1)
        .window(Window::custom(Remainders::default()))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(info.window, list.clone())]);
    assert_eq!(
        lists.collect::<Vec<((u64, u64), Vec<u64>)>>().await,
        [
            ((2, 0), vec![0, 2, 4]),
            ((2, 1), vec![1, 3, 5]),
            ((3, 0), vec![0, 3]),
            ((3, 1), vec![1, 4]),
            ((3, 2), vec![2, 5]),
        ]
    );
    let triggers = gen_stage::window::Triggers::new();
    let mut ids = crate::support::numbers(super::then_silence([5, 1, 0, 4]))
        .lanes(1)
        .window(Window::custom(Remainders::default()).triggered_by(&triggers))
        .reduce(|| (), |(), _| ())
        .on_trigger(|(), info| [info.window]);
    assert_eq!(super::so_far(&mut ids).await, []);
    triggers.fire("all");
    assert_eq!(super::so_far(&mut ids).await, [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]);
}

/// Groups of numbers that pairs of them connect: a window each, named by its smallest number.
#[derive(Clone, Default)]
struct Groups(Vec<(Vec<u64>, Slot)>);

impl Windowing<(u64, u64)> for Groups {
    type Id = u64;
    type Places = Merging;

    fn place(&mut self, &(a, b): &(u64, u64), windows: &mut OpenWindows<u64>) -> Option<Merging> {
        if a == 0 {
            return None;
        }
        let find = |groups: &Self, n: u64| groups.0.iter().position(|(members, _)| members.contains(&n));
        let at = find(self, a).or_else(|| find(self, b)).unwrap_or_else(|| {
            self.0.push((Vec::new(), windows.open(a.min(b), 0)));
            self.0.len() - 1
        });
        let slot = self.0[at].1;
        self.0[at].0.extend([a, b]);
        let other = self
            .0
            .iter()
            .position(|(members, other)| *other != slot && (members.contains(&a) || members.contains(&b)));
        if let Some(other) = other {
            let (members, from) = self.0.remove(other);
            windows.merge(slot, from);
            let stays = self.0.iter_mut().find(|(_, stays)| *stays == slot).unwrap();
            stays.0.extend(members);
        }
        let stays = self.0.iter().find(|(_, stays)| *stays == slot).unwrap();
        let smallest = *stays.0.iter().min().unwrap();
        windows.rename(slot, smallest, smallest as i64);
        windows.fire(slot, Trigger::Named("grows"));
        Some(Merging::new(slot))
    }

    fn close_next(&mut self, _: &mut OpenWindows<u64>) -> bool {
        false
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<u64>) -> bool {
        self.0.pop().map(|(_, slot)| windows.close(slot)).is_some()
    }
}

#[tokio::test]
async fn windows_are_merged_renamed_and_fired_in_front_of_the_item() {
    let mut groups = Flow::from_iter([(5, 6), (8, 9), (0, 0), (9, 6), (2, 3), (3, 8)])
        .lanes(1)
        .demand(1, 0)
        .window(Window::custom(Groups::default()))
        .reduce(Vec::new, Vec::push)
        .merge_states(Extend::extend)
        .on_trigger(|pairs, info| [(info.window, info.trigger.to_string(), pairs.clone())]);
    let got: Vec<_> = futures::StreamExt::collect(&mut groups).await;
    let told = |id: u64, trigger: &str, pairs: &[(u64, u64)]| (id, trigger.to_string(), pairs.to_vec());
    assert_eq!(
        got,
        [
            told(5, "grows", &[]),
            told(8, "grows", &[]),
            told(5, "grows", &[(8, 9), (5, 6)]),
            told(2, "grows", &[]),
            told(2, "grows", &[(2, 3), (8, 9), (5, 6), (9, 6)]),
            told(2, "done", &[(2, 3), (8, 9), (5, 6), (9, 6), (3, 8)]),
        ]
    );
    assert_eq!(groups.late(), 1);
}

/// One window after the other, each for so long after its first item.
#[derive(Clone)]
struct After {
    length: Duration,
    number: u32,
    open: Option<(Slot, Instant)>,
}

impl Windowing<u64> for After {
    type Id = u32;
    type Places = gen_stage::window::Single;

    fn place(&mut self, _: &u64, windows: &mut OpenWindows<u32>) -> Option<Self::Places> {
        let open = self.open.get_or_insert_with(|| {
            self.number += 1;
            (windows.open(self.number, 0), Instant::now() + self.length)
        });
        Some(gen_stage::window::Single::new(open.0))
    }

    fn close_next(&mut self, _: &mut OpenWindows<u32>) -> bool {
        false
    }

    fn finish_next(&mut self, windows: &mut OpenWindows<u32>) -> bool {
        self.open.take().map(|(slot, _)| windows.close(slot)).is_some()
    }

    fn deadline(&self) -> Option<Instant> {
        self.open.map(|(_, until)| until)
    }

    fn on_time(&mut self, now: Instant, windows: &mut OpenWindows<u32>) {
        assert!(self.deadline().is_some_and(|until| until <= now));
        self.finish_next(windows);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_kept_and_may_come_and_go() {
    let (sender, source) = super::sent();
    let after = After { length: super::ms(100), number: 0, open: None };
    let mut lists = crate::support::numbers(source)
        .lanes(1)
        .window(Window::custom(after))
        .reduce(Vec::new, Vec::push)
        .on_trigger(|list, info| [(info.window, list.clone())]);
    assert_eq!(super::so_far(&mut lists).await, []);
    super::pass(super::ms(1000)).await;
    sender.unbounded_send(1).unwrap();
    super::pass(super::ms(90)).await;
    sender.unbounded_send(2).unwrap();
    assert_eq!(super::so_far(&mut lists).await, []);
    super::pass(super::ms(20)).await;
    assert_eq!(super::so_far(&mut lists).await, [(1, vec![1, 2])]);
    super::pass(super::ms(1000)).await;
    sender.unbounded_send(3).unwrap();
    super::pass(super::ms(101)).await;
    assert_eq!(super::so_far(&mut lists).await, [(2, vec![3])]);
    sender.unbounded_send(4).unwrap();
    drop(sender);
    assert_eq!(super::so_far(&mut lists).await, [(3, vec![4])]);
}
