//! A story is told again by its number.

use crate::faulty_stream::{Fault, Faulty};
use gen_stage::testing::{ItemOrder, check_stream};
use std::env;
use std::process::{Command, Output};

/// The test below, in a process of its own: the number of the story is in the environment of it.
fn tell(story: &str) -> Output {
    let test = ["stories::an_adapter_that_loses_the_last_item_if_it_is_told_to", "--exact", "--nocapture"];
    Command::new(env::current_exe().unwrap()).args(test).env("GEN_STAGE_STORY", story).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn an_adapter_that_loses_the_last_item_if_it_is_told_to() {
    let fault = if env::var("GEN_STAGE_STORY").is_ok() { Fault::LosesTheLast } else { Fault::None };
    check_stream(|numbers| Faulty::new(numbers, fault), |numbers| numbers, ItemOrder::OfSource);
}

#[test]
fn one_story_is_told_alone_when_its_number_is_in_the_environment() {
    // One that ends by a drop passes with this fault, and one that is read to its end does not.
    let outputs: Vec<Output> = ["0", "1", "2", "3", "4", "5"].into_iter().map(tell).collect();
    let failed: Vec<usize> = (0..6).filter(|story| !outputs[*story].status.success()).collect();
    assert!(!failed.is_empty(), "{}", said(&outputs[0]));
    for story in failed {
        let said = said(&outputs[story]);
        assert!(said.contains(&format!("; story {story}: ")), "{said}");
        assert!(said.contains(&format!("(this story alone: GEN_STAGE_STORY={story})")), "{said}");
    }
}

#[test]
fn a_number_that_no_story_has_is_refused() {
    for number in ["200", "first"] {
        let said = said(&tell(number));
        let expected = format!("GEN_STAGE_STORY is the number of a story, 0 to 199, given `{number}`");
        assert!(said.contains(&expected), "{said}");
    }
}
