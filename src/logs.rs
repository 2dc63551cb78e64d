//! What is logged by `tracing`: the spans that your code runs in, and the events.
//!
//! Without a subscriber none of it costs more than a look at a number. Every span is under the one in which its flow, stage
//! or child was started, so that what you log in a closure is found under the request that caused it. Spans are of level
//! debug: a subscriber for more important levels only has none of them, and what closures log is then under no span.
//!
//! # Spans
//!
//! | span | level | what runs in it | fields |
//! |---|---|---|---|
//! | `lane` | debug | the operators of one lane of a flow, and what it makes of items by [`map_async`](crate::Flow::map_async) and [`map_blocking`](crate::Flow::map_blocking) | `flow`: its [name](crate::Flow::named); `layer`: its [label](crate::Flow::label); `opened`: the file and line that opened the layer; `lane`: a number |
//! | `stage` | debug | the callbacks of a stage | `stage`: its [label](crate::stage::Setup::label) |
//! | `child` | debug | a child of a [`DynamicSupervisor`](crate::supervisor::DynamicSupervisor), in all its attempts | `child`: its name; `label`: what [`label_by`](crate::supervisor::DynamicSupervisor::label_by) calls it |
//! | `task` | debug | the future of an item of a [`TaskSupervisor`](crate::supervisor::TaskSupervisor), or of [`supervised`](crate::supervisor::StreamSupervised::supervised) | |
//!
//! # Events of flows
//!
//! | event | level | fields |
//! |---|---|---|
//! | a lane of a flow panicked | error | `place`: which lane of which layer, or which stage that the lane reads; `raised_in`: the lane, if `place` is not in it; `panic`: its text |
//! | a flow has failed | error | `error`, with the place |
//! | a flow has ended | debug | |
//! | a flow was aborted | debug | |
//! | an item came too late for its windows, or too far ahead, and was dropped | debug | |
//!
//! A flow [in the background](crate::Flow::start) logs how it ended; any other tells that to its reader.
//!
//! # Events of stages
//!
//! | event | level | fields |
//! |---|---|---|
//! | a stage has failed | error | `stage`: its label; `reason`, which names the stage where the failure began |
//! | a stage has ended | debug | `stage`, `reason` |
//! | a dispatcher breaks its contract | error | `stage`, `error` |
//! | a subscription was refused | warn | `stage`, `subscription` |
//! | the buffer is full: items were discarded | warn | `stage`; `items`: how many since the last such line, at most one a second |
//! | a subscription asks for more than the others: it will get more than its share | warn | `subscription`; `asked`; `expected`: the demand of the others |
//! | a sink was not closed | error | `error` |
//!
//! # Events of files
//!
//! | event | level | fields |
//! |---|---|---|
//! | a part of a file could not be removed | warn | `path`, `error` |
//!
//! # Events of supervisors
//!
//! | event | level | fields |
//! |---|---|---|
//! | a child failed | error | `child`: its name; `label`; `error` |
//! | a child panicked | error | `child`, `label`; `panic`: its text |
//! | a child could not be started | error | `child`, `label`; `error` or `panic` |
//! | a child could not be restarted | error | `child`, `label`; `error` or `panic` |
//! | a supervisor gives up | error | `reason`: the child and the limit of restarts |
//!
//! What else children do is no event of a log, but one of
//! [`SupervisorHandle::events`](crate::supervisor::SupervisorHandle::events).
