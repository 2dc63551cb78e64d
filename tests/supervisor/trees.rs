//! Supervisors as children of supervisors, made as the page of the module says.

use super::SECOND;
use crate::support::children::{Children, End, Start};
use crate::support::settle;
use gen_stage::supervisor::{
    Child, ChildSpec, DynamicSupervisor, Restart, Shutdown, SupervisorEnd, SupervisorHandle,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The supervisors of groups, as they were made, and the children of all groups.
#[derive(Clone, Default)]
struct Tree {
    groups: Arc<Mutex<Vec<SupervisorHandle<u64>>>>,
    children: Children,
}

impl Tree {
    /// A root whose children are groups: supervisors of these items, with so many restarts.
    fn root(&self, restarts: usize) -> DynamicSupervisor<Vec<u64>, impl ChildSpec<Vec<u64>> + use<>> {
        let tree = self.clone();
        DynamicSupervisor::with_child(move |items: Vec<u64>, child: Child| {
            let tree = tree.clone();
            async move {
                let group = tree.children.supervisor();
                let group = group
                    .restart(Restart::Transient)
                    .max_restarts(restarts, SECOND)
                    .shutdown_rule(Shutdown::After(SECOND))
                    .stop_when(child.token())
                    .into_handle();
                tree.groups.lock().unwrap().push(group.downgrade());
                for item in items {
                    let _ = group.start_child(item);
                }
                group.drain(None).await.into_result().map(drop)
            }
        })
        .restart(Restart::Transient)
        .shutdown_rule(Shutdown::Wait)
    }

    /// The group that was made as this one.
    fn group(&self, made: usize) -> SupervisorHandle<u64> {
        self.groups.lock().unwrap()[made].clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_of_the_root_stops_the_children_of_all_groups_by_their_rules() {
    let tree = Tree::default();
    tree.children.start(4, Start::Deaf);
    let root = tree.root(3).into_handle();
    root.start_child(vec![1, 2]).unwrap();
    root.start_child(vec![3, 4]).unwrap();
    settle().await;
    assert_eq!(tree.children.alive(), 4);
    let begin = Instant::now();
    let report = root.shutdown().await;
    assert_eq!((tree.children.alive(), begin.elapsed()), (0, SECOND), "it waits for the deaf one");
    assert_eq!((report.counts.stopped, report.stopped.len()), (2, 2));
    let counts = [0, 1].map(|group| tree.group(group).count_children());
    assert_eq!(counts.map(|counts| (counts.stopped, counts.aborted)), [(2, 0), (1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_gives_up_fails_and_is_made_again_with_all_its_children() {
    let tree = Tree::default();
    tree.children.restart_always(Start::Fail);
    let root = tree.root(2).into_handle();
    root.start_child(vec![3]).unwrap();
    settle().await;
    // Of those that have one number, the latest is told to end: this is the first of the second group.
    let group = root.start_child(vec![1, 2]).unwrap();
    settle().await;
    tree.children.end(1, End::Fail);
    settle().await;
    let report = tree.group(1).wait().await;
    assert!(matches!(report.end, SupervisorEnd::GaveUp(_)));
    assert_eq!(report.counts.stopped, 1, "its other child");
    assert_eq!(tree.group(2).count_children().active, 2, "made again");
    assert_eq!(tree.group(0).count_children().active, 1, "not touched");
    let groups = root.which_children();
    assert_eq!((groups.len(), groups[1].id, groups[1].restarts), (2, group, 1));
    root.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_without_restarts_is_one_for_all() {
    let tree = Tree::default();
    let root = tree.root(0).into_handle();
    root.start_child(vec![1, 2, 3]).unwrap();
    settle().await;
    tree.children.end(2, End::Panic);
    settle().await;
    assert_eq!(tree.children.attempts(), [1, 2, 3, 1, 2, 3]);
    let counts = tree.group(0).count_children();
    assert_eq!((counts.panicked, counts.stopped, counts.restarts), (1, 2, 0));
    assert_eq!((tree.group(1).count_children().active, root.count_children().restarts), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn groups_that_fail_too_often_make_the_root_give_up() {
    let tree = Tree::default();
    let root = tree.root(0).max_restarts(1, SECOND).into_handle();
    root.start_child(vec![1]).unwrap();
    root.start_child(vec![2]).unwrap();
    for _ in 0..2 {
        settle().await;
        tree.children.end(1, End::Fail);
    }
    let report = root.wait().await;
    let SupervisorEnd::GaveUp(given_up) = report.end else { panic!("{}", report.end) };
    assert!(given_up.to_string().contains("the supervisor gave up: child #"), "{given_up}");
    assert_eq!((report.counts.failed, report.counts.stopped), (1, 1));
    assert_eq!(tree.children.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_children_have_come_to_their_ends_has_come_to_its_own() {
    let tree = Tree::default();
    let root = tree.root(3).into_handle();
    let group = root.start_child(vec![1, 2]).unwrap();
    settle().await;
    tree.children.end(1, End::Complete);
    tree.children.end(2, End::Complete);
    assert!(root.wait_child(group).await.unwrap().is_completed());
}

#[tokio::test(start_paused = true)]
async fn an_abort_of_the_root_drops_the_children_of_all_groups() {
    let tree = Tree::default();
    let root = tree.root(3).into_handle();
    root.start_child(vec![1, 2]).unwrap();
    root.start_child(vec![3]).unwrap();
    settle().await;
    root.abort();
    assert_eq!(root.wait().await.counts.aborted, 2);
    let mut aborted = 0;
    for group in [0, 1] {
        aborted += tree.group(group).wait().await.counts.aborted;
    }
    assert_eq!(aborted, 3);
    assert_eq!(tree.children.alive(), 0);
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(tree.children.attempts(), [1, 2, 3]);
}
