use super::{Folder, runtime};
use futures::{FutureExt, SinkExt};
use gen_stage::files::{WholeFile, whole_file};
use gen_stage::prelude::*;
use proptest::prelude::*;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::task::Poll;
use tokio::runtime::Builder;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_file_has_all_items_in_order(
        items in prop::collection::vec("[a-z]{0,12}", 0..40),
        size in 1usize..50,
        lines in any::<bool>(),
        flushes in any::<bool>(),
    ) {
        let folder = Folder::new();
        let path = folder.path("file");
        runtime().block_on(async {
            let mut file = whole_file(&path).size(size);
            if lines {
                file = file.lines();
            }
            for item in &items {
                if flushes {
                    file.send(item).await.unwrap();
                } else {
                    file.feed(item).await.unwrap();
                }
            }
            SinkExt::<&str>::close(&mut file).await.unwrap();
        });
        let line_end = if lines { "\n" } else { "" };
        let expected: String = items.iter().flat_map(|item| [item, line_end]).collect();
        prop_assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        prop_assert_eq!(folder.names(), ["file"]);
    }
}

#[tokio::test]
async fn the_file_that_was_there_stays_until_the_new_one_is_whole() {
    let folder = Folder::new();
    let path = folder.write("file", "old");
    let mut file = whole_file(&path).size(1);
    for item in ["n", "e", "w"] {
        file.send(item).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }
    let names = folder.names();
    assert_eq!(names.len(), 2);
    assert!(names[0].starts_with(".file.") && names[0].ends_with(".part"), "{names:?}");
    SinkExt::<&str>::close(&mut file).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn dropped_at_any_point_it_leaves_what_was_there_and_nothing_else() {
    for old in [None, Some("old")] {
        // Before the first item, with some in memory, some being written, some written.
        for sent in 0..4 {
            let folder = Folder::new();
            let path = folder.path("file");
            old.iter().for_each(|old| fs::write(&path, old).unwrap());
            // Dropped after the sink: so its threads are done.
            let runtime = runtime();
            runtime.block_on(async {
                let mut file = whole_file(&path).size(if sent == 1 { 1000 } else { 1 });
                for _ in 0..sent {
                    file.feed("new").await.unwrap();
                }
                if sent == 3 {
                    SinkExt::<&str>::flush(&mut file).await.unwrap();
                }
            });
            drop(runtime);
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), old);
            assert_eq!(folder.names().len(), usize::from(old.is_some()), "{:?}", folder.names());
        }
    }
}

/// Where the child of a test writes.
const WRITES: &str = "GEN_STAGE_TEST_WRITES";

#[test]
fn a_process_that_ends_in_the_middle_leaves_no_file_by_that_name() {
    if let Some(path) = std::env::var_os(WRITES) {
        // The child: it ends without dropping anything.
        runtime().block_on(async {
            let mut file = whole_file(PathBuf::from(path));
            file.send("half").await.unwrap();
            std::process::exit(7);
        });
    }
    for old in [None, Some("old")] {
        let folder = Folder::new();
        let path = folder.path("file");
        old.iter().for_each(|old| fs::write(&path, old).unwrap());
        let name = "whole::a_process_that_ends_in_the_middle_leaves_no_file_by_that_name";
        let mut child = Command::new(std::env::current_exe().unwrap());
        let ended = child.args(["--exact", name]).env(WRITES, &path).output().unwrap();
        assert_eq!(ended.status.code(), Some(7), "{}", String::from_utf8_lossy(&ended.stdout));
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), old);
        let part =
            folder.names().into_iter().find(|name| name.ends_with(".part")).expect("it was in the middle");
        assert_eq!(fs::read_to_string(folder.path(&part)).unwrap(), "half");
    }
}

#[tokio::test]
async fn of_two_at_once_each_is_whole_and_the_last_to_close_stays() {
    let folder = Folder::new();
    let path = folder.path("file");
    let (mut one, mut two) = (whole_file(&path).size(1), whole_file(&path).size(1));
    for _ in 0..50 {
        one.send("1").await.unwrap();
        two.send("2").await.unwrap();
    }
    SinkExt::<&str>::close(&mut two).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "2".repeat(50));
    SinkExt::<&str>::close(&mut one).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "1".repeat(50));
    assert_eq!(folder.names(), ["file"]);
}

/// Writes and closes.
async fn written(mut file: WholeFile, text: &str) -> io::Result<()> {
    file.send(text).await?;
    SinkExt::<&str>::close(&mut file).await
}

#[tokio::test]
async fn what_cannot_be_is_an_error_that_says_where_and_leaves_nothing() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("folder/full")).unwrap();
    for (path, kind) in [
        (folder.path("missing/file"), Some(io::ErrorKind::NotFound)),
        (folder.path("folder/.."), Some(io::ErrorKind::InvalidInput)),
        (folder.path("folder"), None),
    ] {
        let error = written(whole_file(&path), "text").await.unwrap_err();
        assert!(kind.is_none_or(|kind| error.kind() == kind), "{error:?}");
        assert!(error.to_string().starts_with(folder.0.to_str().unwrap()), "{error}");
        assert_eq!(folder.names(), ["folder"]);
    }
}

#[tokio::test]
async fn after_an_error_every_call_answers_with_one() {
    let folder = Folder::new();
    let mut file = whole_file(folder.path("missing/file")).size(1);
    assert!(file.send("text").await.is_err());
    let told = |error: io::Error| error.to_string();
    let given_up = "the file was given up after an error";
    assert_eq!(file.send("text").await.map_err(told), Err(given_up.into()));
    assert_eq!(SinkExt::<&str>::flush(&mut file).await.map_err(told), Err(given_up.into()));
    assert_eq!(SinkExt::<&str>::close(&mut file).await.map_err(told), Err(given_up.into()));
    assert_eq!(file.start_send_unpin("text").map_err(told), Err(given_up.into()));
}

#[tokio::test]
async fn what_is_closed_takes_nothing_more() {
    let folder = Folder::new();
    let mut file = whole_file(folder.path("file"));
    SinkExt::<&str>::close(&mut file).await.unwrap();
    SinkExt::<&str>::close(&mut file).await.unwrap();
    assert_eq!(file.send("more").await.unwrap_err().to_string(), "the file is closed");
    assert_eq!(fs::read(folder.path("file")).unwrap(), b"", "a file without items is empty");
}

#[tokio::test]
async fn a_close_that_was_dropped_goes_on_with_the_next() {
    let folder = Folder::new();
    let path = folder.path("file");
    let mut file = whole_file(&path).size(1);
    file.feed("te").await.unwrap();
    file.feed("xt").await.unwrap();
    for _ in 0..10 {
        let _ = SinkExt::<&str>::close(&mut file).now_or_never();
    }
    SinkExt::<&str>::close(&mut file).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "text");
}

#[test]
fn a_disk_that_lags_makes_the_sender_wait() {
    let folder = Folder::new();
    let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        // The only thread for what blocks has something else to do.
        let (free, held) = mpsc::channel::<()>();
        let holding = tokio::task::spawn_blocking(move || held.recv().unwrap());
        let mut file = whole_file(folder.path("file")).size(10);
        let mut taken = 0;
        while futures::poll!(std::future::poll_fn(|cx| SinkExt::<&str>::poll_ready_unpin(&mut file, cx)))
            .is_ready()
        {
            file.start_send_unpin("four").unwrap();
            taken += 4;
            assert!(taken <= 2 * (10 + 4), "{taken} bytes are in memory");
        }
        assert!(taken >= 20, "{taken} bytes are in memory");
        assert!(matches!(futures::poll!(SinkExt::<&str>::flush(&mut file)), Poll::Pending));
        free.send(()).unwrap();
        holding.await.unwrap();
        SinkExt::<&str>::close(&mut file).await.unwrap();
        assert_eq!(fs::read_to_string(folder.path("file")).unwrap(), "four".repeat(taken / 4));
    });
}

#[tokio::test]
async fn a_flow_that_panics_leaves_no_file() {
    let folder = Folder::new();
    let path = folder.path("file");
    let lines = Flow::from_iter(0..1000).map(|n| {
        assert_ne!(n, 900, "no more");
        n.to_string()
    });
    let forwarding = lines.forward(whole_file(&path).size(1).lines());
    let panic = std::panic::AssertUnwindSafe(forwarding).catch_unwind().await.unwrap_err();
    drop(panic);
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn it_has_the_permissions_of_the_file_that_it_replaces() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.write("file", "old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    written(whole_file(&path), "new").await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    // A link is replaced, and what it leads to stays.
    let link = folder.path("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    written(whole_file(&link), "other").await.unwrap();
    assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[tokio::test]
async fn the_longest_name_will_do() {
    let folder = Folder::new();
    let path = folder.path(&"n".repeat(255));
    written(whole_file(&path), "text").await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "text");
    assert_eq!(folder.names().len(), 1);
}

#[test]
#[should_panic(expected = "a file is written by at least 1 byte at a time, given 0")]
fn to_write_by_no_bytes_is_refused() {
    let _ = whole_file("file").size(0);
}
