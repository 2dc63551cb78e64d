//! The buffer of a stage, and what waits behind items in it. Scenarios 99 to 128; 117 to 125 are unit tests of the
//! buffer itself.

use crate::support::Lines;
use crate::support::settle;
use crate::support::stages::{Reader, Say, Seen, block, collect, count, identity, in_batches, now, silent};
use gen_stage::dispatch::{Broadcast, Partition};
use gen_stage::prelude::*;
use gen_stage::stage::{BufferKeep, ProducerHandle, Reason};
use std::time::Duration;

type Told = ProducerHandle<u64, (), Say>;

async fn queue(source: &Told, items: impl IntoIterator<Item = u64>) {
    source.cast(Say::Queue(items.into_iter().collect())).await.unwrap();
    settle().await;
}

/// What a consumer 4/0 gets of `source`, up to its `batches`th batch, in which it blocks.
async fn got(source: &Told, reader: Reader) -> Vec<Vec<u64>> {
    let log = reader.log();
    let _reader = reader.stage().subscribe_to(source.subscribe().demand(4, 0)).spawn();
    settle().await;
    log.batches()
}

const DISCARDED: &str = "items were discarded";

#[tokio::test]
async fn scenario_100_what_was_emitted_unasked_goes_out_first() {
    let source = count(0).stage().spawn();
    queue(&source, 101..104).await;
    queue(&source, 104..106).await;
    let batches = got(&source, collect().blocking_in(4)).await;
    assert_eq!(batches, [vec![101, 102, 103, 104], vec![105], vec![0, 1, 2], vec![3, 4, 5, 6]]);
}

#[tokio::test]
async fn what_was_emitted_unasked_goes_out_first_alone() {
    struct Early(crate::support::stages::Source);
    impl Producer<Say> for Early {
        type Item = u64;
        async fn handle_start(
            &mut self,
            out: &mut gen_stage::stage::Output<u64, Say>,
        ) -> Result<(), gen_stage::stage::StageError> {
            out.extend(101..106);
            Ok(())
        }
        async fn handle_demand(
            &mut self,
            demand: usize,
            out: &mut gen_stage::stage::Output<u64, Say>,
        ) -> Result<(), gen_stage::stage::StageError> {
            self.0.handle_demand(demand, out).await
        }
    }
    let source = count(0);
    let log = source.log();
    let mut stream = Early(source).into_stream().demand(4, 0);
    let mut batches = Vec::new();
    for _ in 0..4 {
        batches.push(stream.next_batch().await.unwrap());
    }
    assert_eq!(batches, [vec![101, 102, 103, 104], vec![105], vec![0, 1, 2], vec![3, 4, 5, 6]]);
    assert_eq!(log.demands()[..2], [3, 4]);
}

#[tokio::test]
async fn scenario_101_a_full_buffer_keeps_the_first_and_says_how_many_it_lost() {
    let lines = Lines::listen();
    let source = silent().stage().buffer(5, BufferKeep::First).label("silent").spawn();
    queue(&source, 1..6).await;
    assert_eq!(lines.with(DISCARDED), [""; 0]);
    queue(&source, 6..9).await;
    let lines = lines.with(DISCARDED);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("items=3"), "{lines:?}");
    assert!(lines[0].contains("silent"), "{lines:?}");
    assert_eq!(got(&source, collect()).await, in_batches(1, [4, 1]));
    assert_eq!(source.counts().discarded, 3);
}

#[tokio::test]
async fn a_full_buffer_keeps_the_last_and_says_how_many_it_lost() {
    let lines = Lines::listen();
    let source = silent().stage().buffer(5, BufferKeep::Last).spawn();
    queue(&source, 1..6).await;
    queue(&source, 6..9).await;
    let lines = lines.with(DISCARDED);
    assert!(lines.len() == 1 && lines[0].contains("items=3"), "{lines:?}");
    assert_eq!(got(&source, collect()).await, in_batches(4, [4, 1]));
}

#[tokio::test(start_paused = true)]
async fn a_buffer_that_stays_full_says_so_once_a_second_with_the_sum() {
    let lines = Lines::listen();
    let source = silent().stage().buffer(0, BufferKeep::Last).spawn();
    for _ in 0..25 {
        queue(&source, 0..2).await;
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    let items = |lines: &[String]| -> Vec<usize> {
        lines.iter().map(|line| line.split_once("items=").unwrap().1.parse().unwrap()).collect()
    };
    assert_eq!(items(&lines.with(DISCARDED)), [2, 20, 20]);
    source.shutdown().await;
    assert_eq!(items(&lines.with(DISCARDED)), [2, 20, 20, 8], "the rest at the end");
    assert_eq!(source.counts().discarded, 50);
}

#[tokio::test]
async fn by_default_a_producer_buffers_the_last_10_000() {
    let source = silent();
    let log = source.log();
    let source = source.stage().spawn();
    queue(&source, 0..10_000).await;
    assert_eq!(log.discarded(), [0; 0]);
    queue(&source, 10_000..10_007).await;
    assert_eq!(log.discarded(), [7]);
    assert_eq!(source.estimate_buffered_count().await, Ok(10_000));
    let mut reading = source.subscribe().manual().await.unwrap();
    reading.ask(1);
    assert_eq!(reading.next_batch().await, Some(vec![7]));
}

#[tokio::test]
async fn by_default_a_producer_consumer_buffers_everything() {
    let middle = identity();
    let log = middle.log();
    let middle = middle.stage().spawn();
    middle.cast(Say::Queue((0..30_000).collect())).await.unwrap();
    settle().await;
    assert_eq!(middle.estimate_buffered_count().await, Ok(30_000));
    assert_eq!(log.discarded(), [0; 0]);
}

#[tokio::test]
async fn scenario_103_an_unbounded_buffer_loses_nothing() {
    let source = silent();
    let log = source.log();
    let source = source.stage().buffer_unbounded().spawn();
    queue(&source, 1..6).await;
    queue(&source, 6..9).await;
    assert_eq!(got(&source, collect()).await, in_batches(1, [4, 4]));
    assert_eq!(log.discarded(), [0; 0]);
}

#[tokio::test]
async fn scenario_104_a_stage_that_hears_of_its_loss_may_keep_it_out_of_the_log() {
    let lines = Lines::listen();
    let source = silent().quiet();
    let log = source.log();
    let source = source.stage().buffer(5, BufferKeep::First).spawn();
    queue(&source, 1..9).await;
    assert_eq!(log.discarded(), [3]);
    assert_eq!(got(&source, collect()).await, in_batches(1, [4, 1]));
    assert_eq!(log.discarded(), [3]);
    assert_eq!(lines.with(DISCARDED), [""; 0]);
}

#[tokio::test]
async fn a_stage_hears_of_each_loss_by_itself() {
    let lines = Lines::listen();
    let source = silent();
    let log = source.log();
    let source = source.stage().buffer(5, BufferKeep::Last).spawn();
    queue(&source, 1..9).await;
    queue(&source, 9..11).await;
    queue(&source, 11..31).await;
    assert_eq!(log.discarded(), [3, 2, 20]);
    assert_eq!(got(&source, collect()).await, in_batches(26, [4, 1]));
    source.shutdown().await;
    // The log has them together.
    let lines = lines.with(DISCARDED);
    assert!(lines.len() == 2 && lines[0].contains("items=3") && lines[1].contains("items=22"), "{lines:?}");
}

#[tokio::test]
async fn scenario_106_the_estimate_is_what_is_buffered() {
    let source = silent().stage().buffer_unbounded().spawn();
    assert_eq!(source.estimate_buffered_count().await, Ok(0));
    queue(&source, 1..6).await;
    assert_eq!(source.estimate_buffered_count().await, Ok(5));
    queue(&source, 6..9).await;
    assert_eq!(source.estimate_buffered_count().await, Ok(8));
    assert_eq!(got(&source, collect()).await, in_batches(1, [4, 4]));
    assert_eq!(source.estimate_buffered_count().await, Ok(0));
}

#[tokio::test]
async fn notes_between_items_are_not_in_the_estimate() {
    for source in [silent().stage().buffer(10, BufferKeep::Last), silent().stage().buffer_unbounded()] {
        let source = source.spawn();
        queue(&source, 1..4).await;
        source.info(Say::Note('a')).await.unwrap();
        assert_eq!(source.estimate_buffered_count().await, Ok(3));
    }
}

#[tokio::test]
async fn scenario_107_what_is_held_back_is_not_in_the_buffer_yet() {
    let source = silent();
    let log = source.log();
    let source = source.stage().buffer(2, BufferKeep::Last).accumulate().spawn();
    queue(&source, 1..6).await;
    assert_eq!(source.estimate_buffered_count().await, Ok(0));
    assert_eq!(log.discarded(), [0; 0]);
    source.forward();
    assert_eq!(source.estimate_buffered_count().await, Ok(2));
    assert_eq!(log.discarded(), [3]);
    assert_eq!(got(&source, collect()).await, [[4, 5]]);
}

#[tokio::test]
async fn scenario_109_110_and_115_an_info_waits_behind_what_is_buffered() {
    for (size, items) in [(None, 3), (Some(3), 3), (None, 1), (Some(3), 1)] {
        let source = silent();
        let log = source.log();
        let setup = source.stage();
        let source = match size {
            Some(size) => setup.buffer(size, BufferKeep::Last),
            None => setup.buffer_unbounded(),
        }
        .spawn();
        queue(&source, 1..=items).await;
        source.info(Say::Note('d')).await.unwrap();
        settle().await;
        assert_eq!(log.notes(), "");
        let mut reading = source.subscribe().manual().await.unwrap();
        reading.ask(usize::try_from(items).unwrap());
        settle().await;
        assert_eq!(now(&mut reading), Some((1..=items).collect()));
        assert_eq!(log.notes(), "d");
    }
}

#[tokio::test]
async fn scenario_112_and_115_infos_come_in_their_places() {
    let source = silent();
    let log = source.log();
    let source = source.stage().buffer(3, BufferKeep::Last).spawn();
    let mut reading = source.subscribe().manual().await.unwrap();
    queue(&source, 1..4).await;
    source.info(Say::Note('1')).await.unwrap();
    reading.ask(2);
    settle().await;
    assert_eq!((now(&mut reading), log.notes()), (Some(vec![1, 2]), String::new()));
    queue(&source, 4..6).await;
    source.info(Say::Note('2')).await.unwrap();
    settle().await;
    assert_eq!((now(&mut reading), log.notes()), (None, String::new()));
    reading.ask(1);
    settle().await;
    assert_eq!((now(&mut reading), log.notes().as_str()), (Some(vec![3]), "1"));
    reading.ask(2);
    settle().await;
    assert_eq!((now(&mut reading), log.notes().as_str()), (Some(vec![4, 5]), "12"));
}

#[tokio::test]
async fn scenario_113_and_115_an_info_is_never_thrown_away() {
    let source = silent();
    let log = source.log();
    let source = source.stage().buffer(3, BufferKeep::Last).spawn();
    queue(&source, 1..3).await;
    source.info(Say::Note('n')).await.unwrap();
    settle().await;
    assert_eq!(log.notes(), "");
    queue(&source, 3..6).await;
    assert_eq!((log.notes().as_str(), log.discarded()), ("n", vec![2]));
}

#[tokio::test]
async fn an_info_stays_behind_what_is_kept_when_later_items_are_thrown_away() {
    let source = silent();
    let log = source.log();
    let source = source.stage().buffer(3, BufferKeep::First).spawn();
    queue(&source, 1..3).await;
    source.info(Say::Note('n')).await.unwrap();
    queue(&source, 3..6).await;
    assert_eq!((log.notes().as_str(), log.discarded()), ("", vec![2]));
    let mut reading = source.subscribe().manual().await.unwrap();
    reading.ask(3);
    settle().await;
    assert_eq!(log.notes(), "n");
    assert_eq!(reading.next_batch().await, Some(vec![1, 2]), "it ends the batch");
    assert_eq!(reading.next_batch().await, Some(vec![3]));
}

#[tokio::test]
async fn scenario_114_and_116_several_infos_at_one_place_come_in_order() {
    let (source, reader) = (silent(), collect().asking_by_hand());
    let (log, below) = (source.log(), reader.log());
    let source = source.stage().buffer(10, BufferKeep::Last).spawn();
    let reader = reader.stage().spawn();
    let id = reader.subscribe_to(source.subscribe()).await.unwrap();
    queue(&source, 1..4).await;
    for note in ['d', 'e', 'f'] {
        source.info(Say::Note(note)).await.unwrap();
    }
    queue(&source, 7..9).await;
    source.info(Say::Note('i')).await.unwrap();
    settle().await;
    assert_eq!(log.notes(), "");
    reader.cast(Say::Ask(id, 5)).await.unwrap();
    settle().await;
    assert_eq!(below.batches(), [vec![1, 2, 3], vec![7, 8]]);
    assert_eq!(log.notes(), "defi");
}

#[tokio::test]
async fn a_stage_can_send_itself_an_info_behind_what_it_emits() {
    let source = silent();
    let log = source.log();
    let source = source.stage().spawn();
    source.cast(Say::QueueAndNote(vec![1, 2], 'n')).await.unwrap();
    settle().await;
    assert_eq!(log.notes(), "");
    assert_eq!(got(&source, collect()).await, [[1, 2]]);
    assert_eq!(log.notes(), "n");
}

#[tokio::test]
async fn an_info_to_a_producer_consumer_waits_behind_what_it_has_received_and_made() {
    let (source, middle) = (count(0), identity());
    let log = middle.log();
    let source = source.stage().spawn();
    let middle = middle.stage().subscribe_to(source.subscribe().demand(4, 0)).spawn();
    settle().await;
    middle.info(Say::Note('n')).await.unwrap();
    settle().await;
    assert_eq!((log.notes().as_str(), log.batches().len()), ("", 0));
    let mut reading = middle.subscribe().manual().await.unwrap();
    reading.ask(3);
    settle().await;
    assert_eq!(
        (log.notes().as_str(), log.batches()),
        ("", in_batches(0, [4])),
        "one of them is in the buffer"
    );
    reading.ask(1);
    settle().await;
    assert_eq!(log.notes(), "n");
    assert_eq!(log.all().last(), Some(&Seen::Note('n')));
    assert_eq!(reading.next_batch().await, Some(vec![0, 1, 2]));
    assert_eq!(reading.next_batch().await, Some(vec![3]));
}

#[tokio::test]
async fn an_info_waits_for_what_the_dispatcher_keeps() {
    let source = silent();
    let log = source.log();
    let source = source.stage().dispatcher(Partition::by_key([0, 1], |n: &u64| n % 2)).spawn();
    let mut even = source.subscribe().in_partition(0).manual().await.unwrap();
    even.ask(4);
    source.cast(Say::Queue(vec![1, 2, 3, 4])).await.unwrap();
    source.info(Say::Note('n')).await.unwrap();
    settle().await;
    assert_eq!((now(&mut even), log.notes().as_str()), (Some(vec![2, 4]), ""));
    let mut odd = source.subscribe().in_partition(1).manual().await.unwrap();
    odd.ask(2);
    settle().await;
    assert_eq!((now(&mut odd), log.notes().as_str()), (Some(vec![1, 3]), "n"));
}

#[tokio::test]
async fn scenario_126_a_buffer_of_size_0_discards_what_nobody_has_asked_for() {
    for keep in [BufferKeep::First, BufferKeep::Last] {
        let lines = Lines::listen();
        let source = silent();
        let log = source.log();
        let source = source.stage().buffer(0, keep).spawn();
        queue(&source, 1..4).await;
        assert_eq!(log.discarded(), [3], "{keep:?}");
        assert_eq!(lines.with(DISCARDED).len(), 1);
        let mut reading = source.subscribe().manual().await.unwrap();
        reading.ask(2);
        queue(&source, 4..8).await;
        assert_eq!(log.discarded(), [3, 2], "{keep:?}");
        assert_eq!(now(&mut reading), Some(vec![4, 5]), "{keep:?}");
        assert_eq!((source.counts().emitted, source.counts().discarded), (7, 5));
        source.shutdown().await;
    }
}

#[tokio::test]
async fn scenario_127_and_128_demand_of_the_dead_does_not_stall_the_living() {
    let source = silent();
    let log = source.log();
    let source = source.stage().spawn();
    let dead = block().stage().subscribe_to(source.subscribe().demand(10, 0)).spawn();
    settle().await;
    assert_eq!(log.demands(), [10]);
    dead.abort();
    settle().await;
    let reader = collect();
    let below = reader.log();
    let _reader = reader.stage().subscribe_to(source.subscribe().demand(4, 0)).spawn();
    settle().await;
    assert_eq!(log.demands(), [10], "what the dead one had asked for is on its way");
    queue(&source, 1..11).await;
    assert_eq!(below.batches(), in_batches(1, [4, 4, 2]));
    assert_eq!(log.demands(), [10, 2]);
    assert_eq!(source.estimate_buffered_count().await, Ok(0));
}

#[tokio::test]
async fn what_is_buffered_when_a_stage_ends_is_counted_as_discarded() {
    let source = silent().stage().spawn();
    queue(&source, 1..6).await;
    let mut reading = source.subscribe().manual().await.unwrap();
    reading.ask(2);
    settle().await;
    assert_eq!(now(&mut reading), Some(vec![1, 2]));
    source.stop(Reason::Shutdown).await;
    let counts = source.counts();
    assert_eq!((counts.emitted, counts.sent, counts.discarded), (5, 2, 3));
}

#[tokio::test]
async fn buffered_items_are_broadcast_when_all_have_asked() {
    let source = silent().stage().dispatcher(Broadcast::new()).spawn();
    source.cast(Say::Queue((1..6).collect())).await.unwrap();
    let (mut one, mut two) =
        (source.subscribe().manual().await.unwrap(), source.subscribe().manual().await.unwrap());
    one.ask(5);
    settle().await;
    assert_eq!([now(&mut one), now(&mut two)], [None, None]);
    two.ask(3);
    settle().await;
    assert_eq!([now(&mut one), now(&mut two)], [Some(vec![1, 2, 3]), Some(vec![1, 2, 3])]);
    assert_eq!(source.estimate_buffered_count().await, Ok(2));
}
