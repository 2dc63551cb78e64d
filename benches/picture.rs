//! Draws what `compare` printed.
//!
//! ```console
//! $ cargo bench -p benches --bench compare > benches/run.tsv
//! $ cargo run -p benches --bin picture < benches/run.tsv > benches/run.svg
//! ```
//!
//! A bar for each peer, as long as its time is of this crate's in the same run; those longer than four times are cut off
//! and say how long they are.

use std::fmt::Write;
use std::io::{self, Read};

const LABEL: f64 = 400.0;
const BAR: f64 = 420.0;
const LINE: f64 = 20.0;
/// The longest bar, in times of ours.
const MOST: f64 = 4.0;

/// A line of `compare`.
struct Row<'a> {
    workload: &'a str,
    peer: &'a str,
    nanoseconds: &'a str,
    ratio: f64,
}

fn row(line: &str) -> Option<Row<'_>> {
    let mut fields = line.split('\t');
    let (workload, peer, nanoseconds) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Row { workload, peer, nanoseconds, ratio: fields.next()?.parse().ok()? })
}

fn main() -> io::Result<()> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let rows: Vec<Row<'_>> = text.lines().filter_map(row).collect();
    print!("{}", draw(&rows));
    Ok(())
}

fn draw(rows: &[Row<'_>]) -> String {
    let (mut body, mut y, mut workload) = (String::new(), 24.0, "");
    for row in rows {
        if row.workload != workload {
            workload = row.workload;
            y += LINE;
            put(&mut body, 10.0, y, "title", workload);
            y += LINE;
        }
        let kind = if row.peer.starts_with("gen_stage") { "ours" } else { "theirs" };
        let length = BAR * row.ratio.min(MOST) / MOST;
        put(&mut body, 24.0, y, kind, row.peer);
        let _ = writeln!(
            body,
            "<rect class=\"{kind}\" x=\"{LABEL}\" y=\"{}\" width=\"{length:.1}\" height=\"12\"/>",
            y - 11.0
        );
        let cut = if row.ratio > MOST { "… " } else { "" };
        let figure = format!("{}{} ns, {:.2}", cut, row.nanoseconds, row.ratio);
        put(&mut body, LABEL + length + 6.0, y, "figure", &figure);
        y += LINE;
    }
    let (width, height, ours) = (LABEL + BAR + 180.0, y + 10.0, LABEL + BAR / MOST);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>Nanoseconds per item, and times of gen_stage's, of each workload and peer</title>\n\
         <style>text {{ font: 13px sans-serif; fill: #24292f }} .title {{ font-weight: bold }} text.ours {{ font-weight: bold }}\n\
         rect.ours {{ fill: #1f6feb }} rect.theirs {{ fill: #8c959f }} line {{ stroke: #8c959f; stroke-dasharray: 2 4 }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} }}</style>\n\
         <line x1=\"{ours}\" x2=\"{ours}\" y1=\"30\" y2=\"{y}\"/>\n{body}</svg>\n"
    )
}

fn put(body: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\">{text}</text>");
}
