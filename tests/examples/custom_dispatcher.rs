use crate::program::run_example;

#[test]
fn shares_do_not_depend_on_how_many_items_there_are() {
    let printed = run_example("custom_dispatcher", ["--items", "10000", "--weights", "70,20,10"]).printed();
    let shares: Vec<&str> = printed.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(shares, ["weight 70 got 7000 items", "weight 20 got 2000 items", "weight 10 got 1000 items"]);
}

#[test]
fn a_weight_of_0_is_refused() {
    let ran = run_example("custom_dispatcher", ["--weights", "1,0"]);
    assert!(!ran.status.success() && ran.told().contains("Refused"), "{}", ran.told());
}
