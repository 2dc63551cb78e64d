//! An access log that a seed makes, the same in every run.

use std::fmt::Write;

/// How many paths there are.
const PATHS: u64 = 200;

/// A log of about so many bytes, with so many requests in a second. A line in a thousand is no request.
pub(crate) fn log(seed: u64, bytes: usize, per_second: u64) -> String {
    let mut dice = Dice(seed);
    let mut log = String::with_capacity(bytes + 200);
    let mut micros = 0;
    while log.len() < bytes {
        micros += dice.below(2_000_000 / per_second);
        let second = micros / 1_000_000;
        let (hour, minute) = (second / 3600 % 24, second / 60 % 60);
        let (day, second) = (1 + second / 86_400 % 28, second % 60);
        // Few paths have most of the requests.
        let path = dice.below(PATHS).min(dice.below(PATHS)).min(dice.below(PATHS));
        let took = dice.below(50) + dice.below(20) * dice.below(20);
        let host = dice.below(250);
        let line = match dice.below(1000) {
            0 => writeln!(log, "# rotated at {second}"),
            _ => writeln!(
                log,
                "2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z 10.0.0.{host} GET \
                 /shop/department/{}/article/{path} 200 {took}",
                path % 7
            ),
        };
        line.expect("a string takes everything");
    }
    log
}

/// Numbers that look like chance and are the same in every run.
struct Dice(u64);

impl Dice {
    /// 0 to `bound - 1`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
