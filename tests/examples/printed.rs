//! Programs that take nothing and print what their docs say, on all cores and on one.

use crate::program::{by_docs, example, run};

macro_rules! prints_what_its_docs_say {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let name = stringify!($name);
            assert_eq!(run(example(name)).printed(), by_docs(name));
            #[cfg(target_os = "linux")]
            assert_eq!(run(crate::program::on_one_core(name)).printed(), by_docs(name), "on one core");
        }
    )*};
}

prints_what_its_docs_say! {
    producer_consumer gen_event rate_limiter broadcast_selector partitioned_workers custom_dispatcher fetch_ordered
    mixing_streams clickstream dynamic_supervisor crawler
}
