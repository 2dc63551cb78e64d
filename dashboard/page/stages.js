// A graph of stages: how many run, the stages as cards, and their subscriptions as a table.

import { attributes, count, el, head, plural, rate, say, wide } from "./dom.js";
import { Graph } from "./graph.js";
import { stageCard, streamCard } from "./stage_card.js";

const COLUMNS = [
  "From", "To", "#Sent", "#Taken", "#Out", "#In", "#Wanted", "#Min demand", "#Max demand", "#On their way", "#Queued",
  "#Left out", "#Undelivered", "#Dropped", "#Lag", "Asks", "Cancel",
];

function nameOf(graph, at) {
  return at === null ? "a stream" : graph.stages[at].label;
}

/** What a `Graph` draws of stages. */
function drawing(graph) {
  const { stages, subscriptions } = graph;
  const name = (at) => nameOf(graph, at);
  const nodes = stages.map((stage, at) => {
    const own = subscriptions.filter(({ to }) => to === at);
    const keys = own.map(({ id }) => id);
    return { key: [stage.id, keys], make: () => stageCard(keys), update: (card) => card.update(stage, own, name) };
  });
  const arrows = subscriptions.map((subscription) => {
    const { id, from, sent_per_second: perSecond } = subscription;
    if (subscription.to === null) {
      nodes.push({ key: id, make: () => streamCard(id), update: (card) => card.update(subscription, name) });
    }
    const fast = perSecond ? `, ${rate(perSecond).replace(" /s", "")} items per second` : "";
    const told = `${name(from)} to ${name(subscription.to)}${fast}`;
    const label = perSecond === null || stages[from].state === "ended" ? "" : rate(perSecond);
    return { key: id, from, to: subscription.to ?? nodes.length - 1, label, moves: Boolean(perSecond), told };
  });
  return { nodes, arrows };
}

/** How many stages run, are silent and have ended, in words. */
function says(stages) {
  const states = ["running", "silent", "ended"].map((state) => {
    const number = stages.filter((stage) => stage.state === state).length;
    return number > 0 && `${count(number)} ${state}`;
  });
  return `${plural(stages.length, "stage")}: ${states.filter(Boolean).join(", ")}.`;
}

export class StagesSection {
  constructor(name, id) {
    this.state = el("span", "state");
    this.held = el("p", "held");
    this.graph = new Graph(`Stages of ${name}`);
    this.summary = el("summary");
    this.body = el("tbody");
    const table = el("table", "list", head(COLUMNS), this.body);
    this.details = el("details", "", this.summary, wide(`Subscriptions of ${name}`, table));
    const title = attributes(el("h2", "", name), { id: `${id}-name` });
    const top = el("div", "title", el("p", "kind", "Stages"), title, this.state);
    const header = el("header", "head", el("div", "", top, this.held));
    this.element = el("section", "watched", header, this.graph.element, this.details);
    attributes(this.element, { id, "aria-labelledby": title.id });
  }

  update(graph) {
    say(this.state, graph.state);
    attributes(this.state, { "data-state": graph.state });
    say(this.held, says(graph.stages));
    this.graph.update(drawing(graph));
    say(this.summary, plural(graph.subscriptions.length, "subscription"));
    this.details.hidden = graph.subscriptions.length === 0;
    if (this.details.open) this.rows(graph);
    else this.details.ontoggle = () => this.rows(graph);
  }

  rows(graph) {
    this.body.replaceChildren(...graph.subscriptions.map((subscription) => subscriptionRow(graph, subscription)));
  }
}

/** The row of a subscription: what is added to a subscription is a cell here, and a name in `COLUMNS`. */
function subscriptionRow(graph, subscription) {
  const known = (number) => (number === null ? "–" : count(number));
  const numbers = [
    count(subscription.sent),
    count(subscription.taken),
    rate(subscription.sent_per_second),
    rate(subscription.taken_per_second),
    count(subscription.demand),
    count(subscription.min_demand),
    count(subscription.max_demand),
    count(subscription.on_their_way),
    known(subscription.queued),
    known(subscription.left_out),
    count(subscription.undelivered),
    count(subscription.dropped),
    known(subscription.lag),
  ];
  const from = attributes(el("th", "label", nameOf(graph, subscription.from)), { scope: "row" });
  const cells = numbers.map((text) => el("td", "number", text));
  const terms = [subscription.mode, subscription.cancel].map((text) => el("td", "is", text));
  return el("tr", "", from, el("td", "label", nameOf(graph, subscription.to)), ...cells, ...terms);
}
