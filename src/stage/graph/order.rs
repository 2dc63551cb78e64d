//! Which stage of a graph comes first.

use crate::dispatch::StageId;
use crate::stage::walk::Walked;
use std::collections::{BTreeSet, HashMap};

/// Sorts stages so that what feeds others comes first; those that could be next by the order in which they were made.
/// In a circle that nothing else feeds, the oldest begins.
pub(super) fn in_order(walked: Vec<Walked>) -> Vec<Walked> {
    let mut waits_for: HashMap<StageId, BTreeSet<StageId>> = HashMap::new();
    let mut feeds: HashMap<StageId, BTreeSet<StageId>> = HashMap::new();
    for one in &walked {
        let id = one.stage.id();
        waits_for.entry(id).or_default();
        let status = one.status.as_ref();
        let above = status.into_iter().flat_map(|status| &status.producers).filter_map(|above| above.stage);
        let below = status.into_iter().flat_map(|status| &status.consumers).filter_map(|below| below.stage);
        for (from, to) in above.map(|above| (above, id)).chain(below.map(|below| (id, below))) {
            waits_for.entry(to).or_default().insert(from);
            feeds.entry(from).or_default().insert(to);
        }
    }
    let mut left: BTreeSet<StageId> = waits_for.keys().copied().collect();
    let mut ready: BTreeSet<StageId> = left.iter().copied().filter(|id| waits_for[id].is_empty()).collect();
    let mut places = HashMap::new();
    while let Some(next) = ready.pop_first().or_else(|| left.first().copied()) {
        left.remove(&next);
        places.insert(next, places.len());
        for below in feeds.get(&next).into_iter().flatten().filter(|below| left.contains(*below)) {
            let above = waits_for.entry(*below).or_default();
            above.remove(&next);
            if above.is_empty() {
                ready.insert(*below);
            }
        }
    }
    let mut walked = walked;
    walked.sort_by_key(|one| places[&one.stage.id()]);
    walked
}
