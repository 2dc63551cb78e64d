// A flow: its name, what holds it up, how fast it is, its layers as a graph, and its lanes as a table.

import { attributes, count, el, head, moment, percent, plural, rate, say, svg, wide } from "./dom.js";
import { Graph } from "./graph.js";
import { drawing } from "./layers.js";

/** So many readings are in the line. */
const SAMPLES = 60;

const COLUMNS = [
  "Lane", "#Taken", "#Sent", "#In", "#Out", "#Waiting", "#Wanted", "#Busy", "#Idle", "#Back-pressured", "#Discarded",
  "#Futures", "#Windows", "#Watermark", "State",
];

/** What comes out of a flow: what its reader takes, or what its last layers do. */
function delivered(flow) {
  if (flow.layers.some((layer) => layer.is_read)) {
    return { word: "read", items: flow.read, perSecond: flow.read_per_second };
  }
  const last = flow.layers.filter((layer) => layer.feeds.length === 0);
  const sum = (of) => last.reduce((sum, layer) => sum + of(layer.all), 0);
  const known = last.length > 0 && last.every(({ all }) => all.taken_per_second !== null);
  return {
    word: "taken by the last layer",
    items: sum((all) => all.taken),
    perSecond: known ? sum((all) => all.taken_per_second) : null,
  };
}

/** A line of how fast items came out, reading by reading. */
class Sparkline {
  constructor() {
    this.rates = [];
    this.area = svg("path", { class: "area" });
    this.line = svg("path", { class: "line" });
    this.element = svg("svg", { class: "spark", role: "img", viewBox: "0 0 180 36", preserveAspectRatio: "none" });
    this.element.append(this.area, this.line);
    this.peak = el("span", "peak");
  }

  add(items, ms) {
    // A server that was started anew counts from 0.
    if (this.last && items >= this.last.items && ms > this.last.ms) {
      this.rates.push((1000 * (items - this.last.items)) / (ms - this.last.ms));
      this.rates = this.rates.slice(-SAMPLES);
    }
    this.last = { items, ms };
    const peak = Math.max(...this.rates, 0);
    const step = 180 / (SAMPLES - 1);
    const from = SAMPLES - this.rates.length;
    const at = (rate, index) => {
      const y = peak > 0 ? 34 - (31 * rate) / peak : 34;
      return `${((from + index) * step).toFixed(1)} ${y.toFixed(1)}`;
    };
    const line = this.rates.map(at).join(" L");
    attributes(this.line, { d: line && `M${line}` });
    attributes(this.area, { d: line && `M${(from * step).toFixed(1)} 36 L${line} L180 36 Z` });
    say(this.peak, peak > 0 ? `peak ${rate(peak)}` : "");
    const told = `Items per second in the last ${this.rates.length} readings, at most ${rate(peak)}`;
    attributes(this.element, { "aria-label": told });
  }
}

export class FlowSection {
  constructor(name, id) {
    this.state = el("span", "state");
    this.held = el("p", "held");
    this.speed = el("dd", "big");
    this.numbers = el("dd");
    this.losses = el("dd");
    this.spark = new Sparkline();
    this.graph = new Graph(`Layers of ${name}`);
    this.summary = el("summary");
    this.table = el("table", "list", head(COLUMNS));
    this.details = el("details", "", this.summary, wide(`Lanes of ${name}`, this.table));
    const title = attributes(el("h2", "", name), { id: `${id}-name` });
    const pair = (word, ...dds) => el("div", "", el("dt", "", word), ...dds);
    this.outWord = el("dt");
    this.now = el("div", "now", el("dt", "", "Out"), this.speed, el("dd", "line", this.spark.element, this.spark.peak));
    this.figures = el(
      "dl",
      "figures",
      this.now,
      el("div", "", this.outWord, this.numbers),
      pair("Discarded", this.losses),
      pair("Late", (this.late = el("dd"))),
      pair("Replaced", (this.replaced = el("dd"))),
    );
    const top = el("div", "title", el("p", "kind", "Flow"), title, this.state);
    this.element = el("section", "watched", el("header", "head", el("div", "", top, this.held), this.figures));
    this.element.append(this.graph.element, this.details);
    attributes(this.element, { id, "aria-labelledby": title.id });
  }

  update(flow, snapshot) {
    say(this.state, flow.state);
    attributes(this.state, { "data-state": flow.state });
    say(this.held, this.says(flow));
    attributes(this.held, { "data-held": flow.bottleneck !== null && flow.state === "running" });
    const out = delivered(flow);
    say(this.speed, rate(flow.state === "running" ? out.perSecond : null));
    say(this.outWord, out.word[0].toUpperCase() + out.word.slice(1));
    say(this.numbers, count(out.items));
    say(this.losses, count(flow.discarded));
    say(this.late, count(flow.late));
    say(this.replaced, count(flow.replaced));
    if (flow.state === "running") this.spark.add(out.items, snapshot.at_ms);
    const planned = flow.layers.length === 0;
    this.graph.element.hidden = this.details.hidden = this.figures.hidden = planned;
    this.now.hidden = flow.state === "ended" && this.spark.rates.length === 0;
    if (planned) return;
    this.graph.update(drawing(flow));
    const lanes = flow.layers.reduce((sum, layer) => sum + layer.lanes.length, 0);
    say(this.summary, plural(lanes, "lane"));
    if (this.details.open) this.rows(flow);
    else this.details.ontoggle = () => this.rows(flow);
  }

  /** What holds the flow up, in words. */
  says({ state, bottleneck, window_ms, failure }) {
    if (state === "failed") return `It has failed: ${failure}.`;
    if (state === "planned") return "It has not started: there are no layers yet.";
    if (bottleneck === null) {
      return state === "ended" ? "It has come to its end." : "What holds it up is known at the next reading.";
    }
    if (state === "ended") return `It has come to its end, and was held up by ${bottleneck.text}.`;
    return `Held up by ${bottleneck.text}${window_ms >= 500 ? ` (in the last ${Math.round(window_ms / 1000)} s)` : ""}.`;
  }

  rows(flow) {
    const bodies = flow.layers.map((layer, at) => {
      const name = attributes(el("th", "group", layer.name), { scope: "rowgroup", colspan: COLUMNS.length });
      const rows = layer.lanes.map((lane, number) => {
        const { layer: heldLayer, lane: heldLane } = flow.bottleneck ?? {};
        return laneRow(lane, number, heldLayer === at && heldLane === number);
      });
      return el("tbody", "", el("tr", "", name), ...rows);
    });
    this.table.replaceChildren(this.table.tHead, ...bodies);
  }
}

/** The row of a lane: what is added to a lane is a cell here, and a name in `COLUMNS`. */
function laneRow(lane, number, held) {
  const numbers = [
    count(lane.taken),
    count(lane.sent),
    rate(lane.taken_per_second),
    rate(lane.sent_per_second),
    count(lane.waiting),
    count(lane.open_demand),
    percent(lane.shares && lane.shares.busy),
    percent(lane.shares && lane.shares.idle),
    percent(lane.shares && lane.shares.back_pressured),
    count(lane.discarded),
    count(lane.futures),
    count(lane.windows),
    lane.watermark === null ? "–" : moment(lane.watermark),
  ];
  const head = attributes(el("th", "", held ? `▲ ${number}` : String(number)), { scope: "row" });
  const state = el("td", "", lane.ended ? "ended" : "running");
  return el("tr", held ? "held" : "", head, ...numbers.map((text) => el("td", "number", text)), state);
}
