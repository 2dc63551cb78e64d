//! What is asked for once: the JSON, and what the server says of itself.

use crate::client::{ANY_PORT, STUCK, api, get, request, serve};
use futures::StreamExt;
use gen_stage::prelude::*;
use gen_stage::supervisor::{Child, Restart};
use gen_stage_dashboard::{Dashboard, DashboardError};
use serde_json::{Value, json};
use std::future::pending;
use std::time::Duration;
use tokio::time::{advance, sleep, timeout};

#[tokio::test(start_paused = true)]
async fn a_running_flow_is_told_of_layer_by_layer_with_what_holds_it_up() {
    let mut flow = Flow::from_iter(0_u64..)
        .lanes(1)
        .label("numbers")
        .partition_by(|n| n % 2)
        .lanes(2)
        .demand(10, 5)
        .label("slow");
    let dashboard = Dashboard::new().watch("ingest", &flow.monitor());
    let flow = tokio::spawn(flow.for_each_async(1, |_n| sleep(Duration::from_millis(10))));
    let (addr, _serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    sleep(Duration::from_millis(500)).await;
    let first = api(addr).await;
    sleep(Duration::from_secs(2)).await;
    let second = api(addr).await;
    flow.abort();

    let [first, flow] = [&first["flows"][0], &second["flows"][0]];
    assert_eq!((&flow["name"], &flow["state"]), (&json!("ingest"), &json!("running")));
    let [numbers, slow] = [&flow["layers"][0], &flow["layers"][1]];
    assert_eq!((&numbers["label"], &numbers["feeds"]), (&json!("numbers"), &json!([1])));
    assert_eq!((&slow["label"], slow["lanes"].as_array().unwrap().len()), (&json!("slow"), 2));
    // The first look has nothing to compare with; by the second, the layer in front has waited all the time.
    assert_eq!((&first["bottleneck"], &first["layers"][0]["all"]["shares"]), (&Value::Null, &Value::Null));
    assert_eq!(numbers["all"]["shares"]["back_pressured"], 1.0);
    assert_eq!((&flow["bottleneck"]["kind"], &flow["bottleneck"]["layer"]), (&json!("layer"), &json!(1)));
    let text = flow["bottleneck"]["text"].as_str().unwrap();
    assert!(text.starts_with("the layer `slow` ("), "{text}");
    assert!(text.ends_with("what feeds it waits for it 100 % of the time"), "{text}");
    // One at a time takes 10 ms each, and the clock is a virtual one.
    let taken = |flow: &Value| flow["layers"][1]["all"]["taken"].as_u64().unwrap();
    let window = flow["window_ms"].as_u64().unwrap();
    let rate = slow["all"]["taken_per_second"].as_f64().unwrap();
    assert!(window >= 2000, "{window}");
    assert!((90.0..110.0).contains(&rate), "{rate}");
    let counted = (taken(flow) - taken(first)) as f64 * 1000.0 / window as f64;
    assert!((rate - counted).abs() < 1.0, "{rate} is not {counted}");
}

#[tokio::test]
async fn an_ended_flow_keeps_its_last_numbers() {
    let mut flow =
        Flow::from_iter(0_u64..100).lanes(1).partition_by(|n| n % 3).lanes(3).filter(|n| n % 2 == 0);
    let dashboard = Dashboard::new().watch("ingest", &flow.monitor());
    let (addr, _serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    assert_eq!(flow.collect::<Vec<_>>().await.len(), 50);
    let snapshot = api(addr).await;
    let flow = &snapshot["flows"][0];
    assert_eq!((&flow["state"], &flow["read"]), (&json!("ended"), &json!(50)));
    let [source, filter] = [&flow["layers"][0], &flow["layers"][1]];
    assert_eq!((&source["all"]["sent"], &source["is_read"]), (&json!(100), &json!(false)));
    assert_eq!((&filter["all"]["taken"], &filter["all"]["sent"]), (&json!(100), &json!(50)));
    assert_eq!((&filter["ended"], &filter["all"]["ended"]), (&json!(3), &json!(true)));
    assert_eq!((&filter["is_read"], &filter["label"]), (&json!(true), &Value::Null));
    let name = filter["name"].as_str().unwrap();
    assert_eq!(name, format!("{}:{}", file!(), filter["line"]), "what has no label is called by its place");
}

#[tokio::test]
async fn a_flow_that_has_not_started_is_planned() {
    let mut flow = Flow::from_iter(0_u64..100).partition();
    let (addr, _serving) =
        serve(Dashboard::new().watch("later", &flow.monitor()).bind(ANY_PORT).await.unwrap());
    let snapshot = api(addr).await;
    assert_eq!(snapshot["flows"][0]["state"], "planned");
    assert_eq!(snapshot["flows"][0]["layers"], json!([]));
    drop(flow);
}

#[tokio::test(start_paused = true)]
async fn the_children_of_a_supervisor_are_told_of_the_first_hundred_one_by_one() {
    let jobs = DynamicSupervisor::with_child(|job: u64, child: Child| async move {
        if job == 0 && child.restarts() == 0 { Err("not yet") } else { pending().await }
    })
    .restart(Restart::Transient)
    .label_by(|job| format!("job {job}"))
    .into_handle();
    for job in 0..103 {
        jobs.start_child(job).unwrap();
    }
    sleep(Duration::from_secs(60)).await;
    let dashboard = Dashboard::new().watch_supervisor("jobs", &jobs).bind(ANY_PORT).await.unwrap();
    let (addr, _serving) = serve(dashboard);
    let seen = api(addr).await["supervisors"][0].take();
    let counts = &seen["counts"];
    assert_eq!(
        (&counts["alive"], &counts["started"], &counts["restarts"]),
        (&json!(103), &json!(103), &json!(1))
    );
    assert_eq!((seen["children"].as_array().unwrap().len(), &seen["more"]), (100, &json!(3)));
    let first = &seen["children"][0];
    assert_eq!((&first["id"], &first["label"]), (&json!(1), &json!("job 0")));
    assert_eq!((&first["state"], &first["restarts"]), (&json!("running"), &json!(1)));
    assert!(first["age_ms"].as_u64().unwrap() >= 60_000, "{first}");

    drop(jobs.shutdown().await);
    advance(Duration::from_secs(1)).await;
    let seen = api(addr).await["supervisors"][0].take();
    assert_eq!((&seen["state"], &seen["end"]), (&json!("ended"), &json!("the supervisor was shut down")));
    assert_eq!(seen["children"], json!([]));
}

#[tokio::test]
async fn a_dashboard_keeps_no_supervisor_alive() {
    let jobs = DynamicSupervisor::new(|_: u64| pending::<()>()).into_handle();
    let events = jobs.events();
    let dashboard = Dashboard::new().watch_supervisor("jobs", &jobs).bind(ANY_PORT).await.unwrap();
    jobs.start_child(7).unwrap();
    drop(jobs);
    let count = timeout(STUCK, events.count()).await.expect("the supervisor ends");
    assert_eq!(count, 2, "started and aborted; and the events end");
    assert!(dashboard.json().await.contains(r#""end":"the supervisor was aborted""#));
}

#[tokio::test]
async fn names_that_are_given_twice_are_refused_whatever_they_name() {
    let mut flow = Flow::from_iter(0..9);
    let jobs = DynamicSupervisor::new(|_: u64| pending::<()>()).into_handle();
    let (first, second) = (flow.monitor(), flow.monitor());
    let flows = Dashboard::new().watch("a", &first).watch("b", &second).watch("b", &first);
    let mixed = Dashboard::new().watch_supervisor("b", &jobs).watch("b", &first);
    for dashboard in [flows, mixed] {
        let error = dashboard.bind(ANY_PORT).await.unwrap_err();
        assert!(matches!(&error, DashboardError::NameTwice { name } if name == "b"), "{error:?}");
    }
    let others = Dashboard::new().watch("a", &first).watch("b", &second).watch_supervisor("c", &jobs);
    assert!(others.bind(ANY_PORT).await.is_ok());
    drop(flow);
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_names_it() {
    let taken = Dashboard::new().bind(ANY_PORT).await.unwrap();
    let error = Dashboard::new().serve(taken.local_addr()).await.unwrap_err();
    assert!(matches!(&error, DashboardError::Bind { addr, .. } if *addr == taken.local_addr()), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("the dashboard cannot listen on {}: ", taken.local_addr())), "{text}");
}

#[tokio::test]
async fn nothing_but_reading_is_answered() {
    let (addr, _serving) = serve(Dashboard::new().bind(ANY_PORT).await.unwrap());
    let host = addr.to_string();
    for path in ["/", "/app.js", "/api", "/events"] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let answer = request(addr, method, path, &host).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")), "{method} {path}");
        }
        assert_eq!(request(addr, "HEAD", path, &host).await.status, 200, "HEAD {path}");
    }
    assert_eq!(get(addr, "/elsewhere").await.status, 404);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_load_nothing_from_elsewhere() {
    let (addr, _serving) = serve(Dashboard::new().bind(ANY_PORT).await.unwrap());
    let page = get(addr, "/").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for path in ["/", "/app.css", "/app.js", "/api", "/elsewhere"] {
        let answer = get(addr, path).await;
        let policy = answer.header("content-security-policy").unwrap();
        let rules: Vec<&str> = policy.split("; ").collect();
        assert!(rules.contains(&"default-src 'none'"), "{path}: {policy}");
        for rule in ["script-src", "style-src", "connect-src"] {
            assert!(rules.contains(&format!("{rule} 'self'").as_str()), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn requests_by_the_name_of_another_host_are_refused() {
    let dashboard = Dashboard::new().host("Flows.example.org");
    let (addr, _serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    let hosts = [
        ("localhost:9630", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1", 200),
        ("[::1]:9630", 200),
        ("flows.example.org", 200),
        ("evil.example.org", 421),
        ("127.0.0.1.example.org", 421),
        ("", 421),
    ];
    for (host, status) in hosts {
        assert_eq!(request(addr, "GET", "/api", host).await.status, status, "{host}");
    }
}

#[test]
fn intervals_out_of_range_are_refused_with_the_bounds_and_the_value() {
    for (every, given) in [(Duration::from_millis(99), "99ms"), (Duration::from_millis(60_001), "60.001s")] {
        let refused = std::panic::catch_unwind(|| Dashboard::new().every(every)).unwrap_err();
        let text = refused.downcast_ref::<String>().unwrap();
        assert_eq!(*text, format!("every must be from 100 ms to 1 min, given {given}"));
    }
    drop(Dashboard::new().every(Duration::from_millis(100)).every(Duration::from_secs(60)));
}

#[tokio::test(start_paused = true)]
async fn what_lanes_have_is_told_and_why_a_flow_failed() {
    let second = Window::fixed(Duration::from_secs(1), |at: &u64| *at);
    let mut flow = futures::stream::iter([100_u64, 1100, 1200])
        .chain(futures::stream::pending())
        .flow()
        .lanes(1)
        .label("ask")
        .map(|n| n)
        .map_async(2, |n| async move {
            // The last one never comes.
            if n == 1200 { pending().await } else { n }
        })
        .shuffle()
        .lanes(1)
        .window(second)
        .reduce(|| 0, |n, _| *n += 1)
        .emit_state();
    let mut failing = Flow::from_iter([1, 0]).lanes(1).label("divide").map(|n| 1 / n);
    let dashboard = Dashboard::new().watch("clicks", &flow.monitor()).watch("failing", &failing.monitor());
    let (addr, _serving) = serve(dashboard.bind(ANY_PORT).await.unwrap());
    let reader = tokio::spawn(flow.collect::<Vec<u32>>());
    let failed = tokio::spawn(failing.collect::<Vec<u32>>()).await;
    assert!(failed.unwrap_err().is_panic());
    sleep(Duration::from_millis(100)).await;
    let snapshot = api(addr).await;
    reader.abort();

    let [clicks, failing] = [&snapshot["flows"][0], &snapshot["flows"][1]];
    let [ask, windows] = [&clicks["layers"][0], &clicks["layers"][1]];
    assert_eq!(ask["operators"], json!(["map", "map_async"]));
    assert_eq!((&ask["all"]["futures"], &ask["lanes"][0]["futures"]), (&json!(1), &json!(1)));
    assert_eq!(windows["operators"], json!(["window", "reduce", "emit_state"]));
    assert_eq!((&windows["all"]["windows"], &windows["all"]["watermark"]), (&json!(1), &json!(1100)));
    assert_eq!(clicks["failure"], Value::Null);

    assert_eq!(failing["state"], "failed");
    let failure = failing["failure"].as_str().unwrap();
    assert!(failure.starts_with("lane 0 of the layer `divide` ("), "{failure}");
    assert!(failure.ends_with(") panicked: attempt to divide by zero"), "{failure}");
}
