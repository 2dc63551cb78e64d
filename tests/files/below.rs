use super::Folder;
use futures::StreamExt;
use gen_stage::files::files_below;
use std::fs;
use std::io;
use std::path::PathBuf;

async fn found_below(path: impl Into<PathBuf>) -> Vec<io::Result<PathBuf>> {
    files_below(path).collect().await
}

#[tokio::test]
async fn all_files_are_found_in_the_order_of_their_names() {
    let folder = Folder::new();
    for name in ["b/2", "b/10", "a.txt", "b.txt", "b/c/d/e", "z", ".hidden"] {
        folder.write(name, "");
    }
    fs::create_dir(folder.path("empty")).unwrap();
    let found = found_below(&folder.0).await;
    assert_eq!(folder.told(&found), [".hidden", "a.txt", "b/10", "b/2", "b/c/d/e", "b.txt", "z"]);
}

#[tokio::test]
async fn a_file_is_found_alone_and_an_empty_folder_has_none() {
    let folder = Folder::new();
    let file = folder.write("only", "");
    assert_eq!(folder.told(&found_below(&file).await), ["only"]);
    fs::remove_file(file).unwrap();
    assert_eq!(folder.told(&found_below(&folder.0).await), [""; 0]);
}

#[tokio::test]
async fn a_folder_that_is_missing_is_an_error_that_says_its_path() {
    let folder = Folder::new();
    let found = found_below(folder.path("missing")).await;
    assert_eq!(folder.told(&found), ["missing NotFound"]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_lead_to_files_only_and_broken_ones_are_errors() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    folder.write("a/file", "");
    folder.write("z", "");
    symlink(folder.path("a/file"), folder.path("b")).unwrap();
    symlink(folder.path("nowhere"), folder.path("c")).unwrap();
    symlink(&folder.0, folder.path("a/up")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path("s"));
    assert_eq!(folder.told(&found_below(&folder.0).await), ["a/file", "b", "c NotFound", "z"]);
    // What was asked for may be a link to a folder.
    let found = found_below(folder.path("a/up")).await;
    assert_eq!(found.iter().filter(|found| found.is_ok()).count(), 3);
}

#[tokio::test]
async fn a_folder_is_read_when_it_is_its_turn() {
    let folder = Folder::new();
    folder.write("a", "");
    folder.write("b/1", "");
    let mut found = files_below(&folder.0);
    assert!(found.next().await.unwrap().is_ok());
    folder.write("b/2", "");
    let rest: Vec<_> = found.collect().await;
    assert_eq!(folder.told(&rest), ["b/1", "b/2"]);
}
