//! A flow that says what holds it up.

use crate::program::{example, run};

#[test]
fn it_names_the_slow_layer_and_ends_when_all_photos_are_written() {
    let text = run(example("monitor")).printed();
    let slow = "the layer `scale` (examples/monitor.rs:";
    let named =
        text.lines().filter(|line| line.starts_with(slow) && line.contains("what feeds it waits for it"));
    assert!(named.count() > 0, "{text}");
    let last = text.rsplit("the layer `write`").next().expect("there is a last table");
    let written = last.lines().filter(|line| line.ends_with("ended"));
    let written: u64 =
        written.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(written, 250, "{text}");
}
