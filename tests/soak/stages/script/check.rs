//! What has to hold when stages have ended.

use super::{Role, Script, Slot};
use crate::world::{Lanes, Split, expected_end, is_dropped, lock};
use futures::FutureExt;
use gen_stage::stage::{Counts, Reason};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

impl Script {
    pub(super) fn check_all_arrived(&self, slot: &Slot, reason: &Reason) {
        let (book, split) = (&slot.book, slot.book.split);
        let number = book.stage;
        self.world.check(matches!(reason, Reason::Normal), || {
            format!("stage {number} was to end normally: {reason}")
        });
        let Some(node) = &slot.node else { return };
        if slot.role == Role::Last {
            return;
        }
        let made = book.made.load(SeqCst);
        let dropped = if matches!(split, Split::Lanes(Lanes::Some, _)) {
            (0..made).filter(|number| is_dropped(*number)).count() as u64
        } else {
            0
        };
        let counts = node.counts();
        self.world.check(counts.emitted == made && counts.discarded == dropped, || {
            format!(
                "stage {number} ({split:?}): {made} made and {dropped} dropped by its dispatcher, {counts:?}"
            )
        });
    }

    pub(crate) fn check(&self) {
        let world = &self.world;
        for slot in &self.slots {
            self.check_slot(slot);
            let mut seen = lock(&slot.book.seen).clone();
            let count = seen.len();
            seen.sort_unstable();
            seen.dedup();
            world.check(seen.len() == count, || {
                format!("stage {}: {} items came twice", slot.book.stage, count - seen.len())
            });
            for (number, info) in lock(&slot.book.infos).iter().enumerate() {
                let fine = info.handled == 0 || (info.handled == 1 && !info.returned);
                world.check(fine, || format!("stage {}: info {number} is {info:?}", slot.book.stage));
            }
        }
    }

    fn check_slot(&self, slot: &Slot) {
        let (world, book, split) = (&self.world, &slot.book, slot.book.split);
        let number = book.stage;
        let terminated = book.terminated.load(SeqCst);
        world.check(book.dropped.load(SeqCst), || format!("stage {number} is still there"));
        world.check(terminated <= 1, || format!("stage {number} was terminated {terminated} times"));
        let Some(node) = &slot.node else { return };
        let Some(reason) = node.wait().now_or_never() else {
            return world.fault(format!("stage {number} has not said that it has ended"));
        };
        world.check(expected_end(&reason), || format!("stage {number} ended: {reason}"));
        if !matches!(reason, Reason::Aborted) && !slot.cut {
            world.check(terminated == 1, || format!("stage {number} ended without terminate: {reason}"));
        }
        if matches!(reason, Reason::Normal) && !slot.alone {
            let begun = book.ending.load(SeqCst);
            for info in lock(&book.infos).iter() {
                let sure = info.sure || (info.nearly_sure && book.finish_asked.load(SeqCst) && !begun);
                world.check(!sure || info.returned || info.handled == 1, || {
                    format!("stage {number} ({:?}) lost an info: {info:?}", slot.role)
                });
            }
        }
        let counts = node.counts();
        let Counts { received, emitted, sent, taken, undelivered, discarded, overflowed, .. } = counts;
        let (made, read) = (book.made.load(SeqCst), book.read.load(SeqCst));
        let slack = book.slack.load(SeqCst);
        let told = || {
            format!(
                "stage {number} ({split:?}, {reason}): {made} made, {read} read, {slack} maybe, {counts:?}"
            )
        };
        world.check(sent == taken + undelivered, || format!("sent is not taken and undelivered: {}", told()));
        world.check(read <= taken && taken <= read.saturating_add(slack), || {
            format!("taken is not what was read: {}", told())
        });
        let got = book.got.load(SeqCst);
        world.check(received == got, || format!("received is not what came, {got}: {}", told()));
        // What it was not told of any more it has thrown away as it ended.
        let thrown = book.thrown.load(SeqCst);
        world.check(thrown <= overflowed && overflowed <= discarded, || {
            format!("overflowed is not what it was told of, {thrown}: {}", told())
        });
        world.check(emitted <= made, || format!("more emitted than made: {}", told()));
        let all = if split == Split::All { discarded <= emitted } else { emitted == sent + discarded };
        world.check(all, || format!("emitted is not sent and discarded: {}", told()));
    }

    /// What is alive when it should not be.
    pub(crate) async fn stuck(&self) -> String {
        let mut text = String::new();
        for slot in &self.slots {
            let Some(node) = &slot.node else { continue };
            if node.wait().now_or_never().is_none() {
                let status = tokio::time::timeout(Duration::from_millis(50), node.status()).await;
                let (number, role, split, finite) =
                    (slot.book.stage, slot.role, slot.book.split, slot.finite);
                text += &format!("\n  stage {number}, {role:?}, {split:?}, finite: {finite}: {status:?}");
            }
        }
        text
    }
}
