//! Where things are on the page.

use crate::driver::Browser;

/// Where the cards, the arrows and what is written at these are, and the numbers of all.
const SCRIPT: &str = "
    const box = (element) => {
        const { left, top, right, bottom } = element.getBoundingClientRect();
        return [left, top, right, bottom];
    };
    // Arrows are drawn anew in the frame after a change of size.
    const frame = () => new Promise(requestAnimationFrame);
    return frame().then(frame).then(() => {
        const flows = [...document.querySelectorAll('.watched')];
        const graph = flows.find((flow) => flow.querySelector('h2')?.textContent === NAME);
        const lines = graph.querySelector('.arrows').getBoundingClientRect();
        const arrows = [...graph.querySelectorAll('.arrow')].map((path) => {
            const part = path.getTotalLength() / 50;
            const points = Array.from({ length: 51 }, (_, at) => path.getPointAtLength(at * part));
            return points.map(({ x, y }) => [x + lines.left, y + lines.top]);
        });
        const labels = [...graph.querySelectorAll('.speed')].filter((it) => it.textContent).map(box);
        return { cards: [...graph.querySelectorAll('.card')].map(box), arrows, labels };
    });
";

#[derive(serde::Deserialize)]
pub(crate) struct Layout {
    pub(crate) cards: Vec<[f64; 4]>,
    pub(crate) arrows: Vec<Vec<[f64; 2]>>,
    pub(crate) labels: Vec<[f64; 4]>,
}

impl Layout {
    /// That of the section with this name.
    pub(crate) fn of(browser: &Browser, name: &str) -> Self {
        let layout = browser.run(&SCRIPT.replace("NAME", &format!("'{name}'")));
        serde_json::from_value(layout).unwrap()
    }

    /// No two cards overlap; each arrow goes from the right edge of one to the left edge of another, and over none;
    /// what is written at an arrow is over no card, and over nothing else that is written.
    pub(crate) fn check(&self, name: &str) {
        let Self { cards, arrows, labels } = self;
        let overlap = |a: &[f64; 4], b: &[f64; 4]| a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
        for (at, card) in cards.iter().enumerate() {
            assert!(card[2] > card[0] && card[3] > card[1], "{name}: card {at} is seen: {card:?}");
            let other = cards[..at].iter().position(|other| overlap(card, other));
            assert_eq!(other, None, "{name}: card {at} is over another");
            assert!(!labels.iter().any(|label| overlap(card, label)), "{name}: a speed is over card {at}");
        }
        for (at, label) in labels.iter().enumerate() {
            let other = labels[..at].iter().position(|other| overlap(label, other));
            assert_eq!(other, None, "{name}: speed {at} is over another");
        }
        for (at, arrow) in arrows.iter().enumerate() {
            let (from, to) = (arrow[0], arrow[arrow.len() - 1]);
            let beside = |x: f64, point: [f64; 2], card: &[f64; 4]| {
                (x - point[0]).abs() <= 10.0 && card[1] <= point[1] && point[1] <= card[3]
            };
            assert!(
                cards.iter().any(|card| beside(card[2], from, card)),
                "{name}: arrow {at} begins at no card"
            );
            assert!(cards.iter().any(|card| beside(card[0], to, card)), "{name}: arrow {at} ends at no card");
            let inside = |[x, y]: [f64; 2], card: &[f64; 4]| {
                card[0] + 1.0 < x && x < card[2] - 1.0 && card[1] + 1.0 < y && y < card[3] - 1.0
            };
            let crossed = cards.iter().position(|card| arrow.iter().any(|point| inside(*point, card)));
            assert_eq!(crossed, None, "{name}: arrow {at} goes over a card");
        }
    }
}
