//! A progress bar, which only a terminal sees.

use crate::program::run_example;

#[test]
fn all_photos_are_scaled_and_the_bar_is_not_in_the_output() {
    let ran = run_example("progress", ["--photos", "50", "--lanes", "8"]);
    assert_eq!(ran.told(), "");
    assert_eq!(ran.printed(), "50 photos, 1225000 bytes\n");
}
