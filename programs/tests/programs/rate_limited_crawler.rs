//! Against a server of our own.

use crate::process::{Folder, Program};
use axum::{Router, extract::Path, http::StatusCode, routing::get};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// How often each page was asked for.
type Asked = Arc<Mutex<BTreeMap<(String, usize), u32>>>;

/// Pages that are there, that are there when asked for the third time, that are not there, and that always fail.
async fn page(asked: Asked, kind: String, number: usize) -> (StatusCode, String) {
    let times = {
        let mut asked = asked.lock().unwrap();
        let times = asked.entry((kind.clone(), number)).or_insert(0);
        *times += 1;
        *times
    };
    let status = match (kind.as_str(), times) {
        ("busy", 1) => StatusCode::TOO_MANY_REQUESTS,
        ("busy", 2) | ("down", _) => StatusCode::SERVICE_UNAVAILABLE,
        ("gone", _) => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    (status, "x".repeat(number))
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_come_in_the_order_of_the_list_and_what_is_given_up_is_a_dead_letter() {
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let app = Router::new().route(
        "/{kind}/{number}",
        get(move |Path((kind, number)): Path<(String, usize)>| page(Arc::clone(&log), kind, number)),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let kind = |number| match number % 10 {
        3 | 6 => "busy",
        7 => "gone",
        9 => "down",
        _ => "good",
    };
    let url = |number: usize| format!("http://{address}/{}/{number}", kind(number));
    let folder = Folder::new();
    let (list, dead) = (folder.path("urls.txt"), folder.path("dead.tsv"));
    let mut urls: Vec<String> = (0..200).map(url).collect();
    urls.insert(100, "no address".into());
    fs::write(&list, urls.join("\n")).unwrap();
    let crawler = Program::start(
        env!("CARGO_BIN_EXE_rate_limited_crawler"),
        &["--per-second", "1000", "--pause", "5", "--retries", "3", "--dead-letters", &dead, &list],
    );
    let (status, printed, told) =
        tokio::task::spawn_blocking(move || crawler.ended()).await.expect("it does not panic");
    server.abort();

    assert!(status.success(), "{told}");
    let fetched = (0..200).filter(|number| !["gone", "down"].contains(&kind(*number)));
    let expected: Vec<String> = fetched.map(|number| format!("{}\t{number}", url(number))).collect();
    assert_eq!(printed, expected);
    assert_eq!(told, "201 pages: 160 fetched, 41 given up");

    let letters = fs::read_to_string(dead).unwrap();
    let letters: BTreeSet<&str> = letters.lines().collect();
    let given_up = (0..200).filter_map(|number| match kind(number) {
        "gone" => Some(format!("{}\tHTTP status client error (404 Not Found)", url(number))),
        "down" => Some(format!("{}\tHTTP status server error (503 Service Unavailable)", url(number))),
        _ => None,
    });
    let given_up: BTreeSet<String> = given_up.chain(["no address\tbuilder error".into()]).collect();
    assert!(letters.iter().eq(given_up.iter()), "{letters:?}");

    for ((kind, number), times) in &*asked.lock().unwrap() {
        let expected = match kind.as_str() {
            "busy" => 3,
            "down" => 4,
            _ => 1,
        };
        assert_eq!(*times, expected, "{kind} {number}");
    }
}
