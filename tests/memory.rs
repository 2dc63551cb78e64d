//! How much memory flows without end and many children take: a process of its own, whose peak is measured.
//!
//! Printed and asserted in `cargo test --release --test memory`; on Linux, where the kernel tells the peak.

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the peak of a process is measured on Linux only");
}

#[cfg(target_os = "linux")]
mod linux {
    use futures::{SinkExt, StreamExt};
    use gen_stage::flow::{LeftOuter, Side};
    use gen_stage::prelude::*;
    use gen_stage::supervisor::DynamicSupervisor;
    use gen_stage::window::Window;
    use std::time::Duration;

    const ITEMS: u64 = 5_000_000;
    const KEYS: u64 = 10_000;
    const SECOND: Duration = Duration::from_secs(1);
    /// What the peak may grow by between a fifth of the items and all of them: what the allocator leaves unused.
    const MARGIN_KB: u64 = 3_000;

    pub(super) fn main() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be built");
        // The one with the lower peak first: the peak of a process never falls.
        runtime.block_on(children());
        runtime.block_on(windows());
        // On one thread: a thread that the system stops leaves one of two sources behind for long.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be built").block_on(joins());
    }

    /// The peak of this process so far, in KB.
    fn peak() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("the kernel tells");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak is there");
        line.trim_end_matches("kB").trim().parse().expect("a number of KB")
    }

    /// Items of many keys in order of time, 10,000 to a second, spread over the keys.
    fn events(items: u64) -> impl Iterator<Item = (i64, u64)> + Send + 'static {
        (0..items)
            .map(|n| ((n / 10) as i64, n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32))
            .map(|(at, n)| (at, n % KEYS))
    }

    /// Reads all that comes out, and says how high the peak was at a fifth and at the end.
    async fn flat<T>(
        name: &str,
        mut flow: impl futures::Stream<Item = T> + Unpin,
        count: impl Fn(&T) -> u64,
        all: u64,
    ) {
        let (mut seen, mut early) = (0, None);
        while let Some(item) = flow.next().await {
            seen += count(&item);
            if early.is_none() && seen >= all / 5 {
                early = Some(peak());
            }
        }
        let (early, end) = (early.expect("a fifth was seen"), peak());
        println!("{name}: {seen} items, peak {early} KB at a fifth, {end} KB at the end");
        assert_eq!(seen, all, "{name}: every item is in one window");
        assert!(end <= early + MARGIN_KB, "{name}: the peak grew from {early} to {end} KB");
    }

    /// Half a million children of which each waits once, and whose results are not read: 1000 at a time.
    async fn children() {
        let children = ITEMS / 10;
        let mut supervisor = DynamicSupervisor::new(|_: u64| tokio::task::yield_now()).max_demand(1000, 500);
        let handle = supervisor.handle();
        let mut early = None;
        for n in 0..children {
            if n == children / 5 {
                early = Some(peak());
            }
            supervisor.feed(n).await.expect("it lives");
        }
        supervisor.close().await.expect("all end");
        let (early, end) = (early.expect("a fifth was started"), peak());
        let counts = handle.count_children();
        println!("children: {} ended, peak {early} KB at a fifth, {end} KB at the end", counts.completed);
        assert_eq!((counts.completed, counts.alive), (children, 0));
        assert!(end <= early + MARGIN_KB / 6, "children: the peak grew from {early} to {end} KB");
    }

    async fn windows() {
        let counts = Flow::from_iter(events(ITEMS))
            .lanes(1)
            .partition_by(|event| event.1)
            .lanes(2)
            .window(Window::fixed(SECOND, |event: &(i64, u64)| event.0))
            .count_by(|event| event.1)
            .on_trigger(|counts, _| std::mem::take(counts));
        flat("windows by key", counts, |(_, count)| *count, ITEMS).await;
    }

    /// Two flows whose times go up alike: a lane keeps the items of windows that one side has not got past.
    async fn joins() {
        let items = ITEMS / 10;
        let in_turn = || Flow::from_iter((0..items).map(|n| ((n / 10) as i64, n % KEYS))).lanes(1);
        // Each meets one, or for half of them, nobody.
        let (left, right) = (in_turn(), in_turn().map(|(at, key)| (at, key + KEYS * (key % 2))));
        let time = Side::by(|left: &(i64, u64)| left.0, |right: &(i64, u64)| right.0);
        let window = Window::fixed(Duration::from_millis(10), time);
        let rows = left.window_join(LeftOuter, right, window, |left| *left, |right| *right).lanes(2);
        let rows = rows.reduce(|| 0, |rows, _| *rows += 1).on_trigger(|rows, _| [std::mem::take(rows)]);
        flat("join by windows", rows, |rows| *rows, items).await;
    }
}
