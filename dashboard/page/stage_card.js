// The card of a stage: what it is, whether it runs, how many items go in and out, and what it reads.

import { attributes, count, el, say } from "./dom.js";
import { row } from "./card.js";

/** In words, so that no colour is needed to tell it. */
function stateOf(stage) {
  if (stage.state === "silent") return "silent: it did not answer in time";
  return stage.end === null ? stage.state : `${stage.state}: ${stage.end}`;
}

/** The subscriptions of a card, each with a place where its arrow ends: what is added to one is shown here. */
function reads(keys) {
  const ports = new Map();
  const texts = keys.map((key) => {
    const [from, wanted, notes] = [el("p", "from"), el("p", "queue"), el("p", "notes")];
    ports.set(key, el("div", "read", from, wanted, notes));
    return { from, wanted, notes };
  });
  const update = (subscriptions, nameOf) => {
    subscriptions.forEach((subscription, at) => {
      const { from, wanted, notes } = texts[at];
      say(from, `reads ${nameOf(subscription.from)}`);
      const terms = `subscription ${subscription.id}, ${subscription.cancel}, ${subscription.mode}`;
      attributes(from, { title: `${nameOf(subscription.from)} (${terms})` });
      say(wanted, `${count(subscription.demand)} of ${count(subscription.max_demand)} wanted`);
      const told = [
        subscription.on_their_way > 0 && `${count(subscription.on_their_way)} on their way`,
        subscription.queued > 0 && `${count(subscription.queued)} queued`,
        subscription.dropped > 0 && `${count(subscription.dropped)} dropped`,
        subscription.left_out > 0 && `${count(subscription.left_out)} left out`,
        subscription.lag > 0 && `▲\u00a0lags by ${count(subscription.lag)}`,
        subscription.lag === null && "what is kept for it is not known",
      ];
      say(notes, told.filter(Boolean).join(" · "));
      attributes(ports.get(subscription.id), { "data-lags": subscription.lag > 0 });
    });
  };
  return { elements: [...ports.values()], ports, update };
}

/** The element of a card, its `ports`, and `update`, which shows a stage: what is added to a stage is shown here. */
export function stageCard(keys) {
  const name = el("h3", "name");
  const what = el("p", "what");
  const state = el("p", "state");
  const [received, emitted] = [row("in"), row("out")];
  const items = el("table", "items", el("tbody", "", received.element, emitted.element));
  const notes = el("p", "notes");
  const { elements, ports, update: updateReads } = reads(keys);
  const element = el("article", "card stage", el("header", "", name), what, state, items, notes, ...elements);

  /** `subscriptions` are those by which it reads, in the order of the keys. */
  function update(stage, subscriptions, nameOf) {
    const { counts } = stage;
    say(name, stage.label);
    attributes(name, { title: `${stage.label} (stage ${stage.id})` });
    say(what, stage.dispatcher === null ? stage.kind : `${stage.kind} · ${stage.dispatcher}`);
    say(state, stateOf(stage));
    attributes(state, { "data-state": stage.state });
    attributes(element, { "data-ended": stage.state === "ended", "data-silent": stage.state === "silent" });
    received.element.hidden = stage.kind === "producer";
    emitted.element.hidden = stage.kind === "consumer";
    received.say(true, counts.received, stage.received_per_second);
    emitted.say(true, counts.emitted, stage.emitted_per_second);
    const told = [
      stage.unsent > 0 && `${count(stage.unsent)} unsent`,
      stage.waiting > 0 && `${count(stage.waiting)} waiting`,
      counts.discarded > 0 && `${count(counts.discarded)} discarded`,
      counts.undelivered > 0 && `${count(counts.undelivered)} undelivered`,
      stage.accumulates && "holds demand back",
    ];
    say(notes, told.filter(Boolean).join(" · "));
    updateReads(subscriptions, nameOf);
  }
  return { element, ports, update };
}

/** The card of a subscription that is read as a stream. */
export function streamCard(key) {
  const taken = row("in");
  const { elements, ports, update: updateReads } = reads([key]);
  const items = el("table", "items", el("tbody", "", taken.element));
  const element = el("article", "card reader", el("header", "", el("h3", "name", "A stream")), items, ...elements);
  function update(subscription, nameOf) {
    taken.say(true, subscription.taken, subscription.taken_per_second);
    updateReads([subscription], nameOf);
  }
  return { element, ports, update };
}
