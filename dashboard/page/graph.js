// The layers of a flow from left to right, with arrows between them.

import { attributes, el, rate, say, svg, wide } from "./dom.js";
import { card, readerCard } from "./card.js";

/** The column of each layer: right before the first that it feeds, so that an arrow has no card of another layer on its way. */
function columns(layers) {
  const after = layers.map(() => 0);
  // What feeds others comes first, so that what a layer feeds is known by now.
  layers.forEach((_, back) => {
    const from = layers.length - 1 - back;
    after[from] = Math.max(0, ...layers[from].feeds.map((to) => after[to] + 1));
  });
  const most = Math.max(...after, 0);
  return after.map((steps) => most - steps);
}

/** From where to where items go; the reader has the number after the last layer. */
function arrows(layers) {
  return layers.flatMap((layer, from) => {
    const to = layer.is_read ? [...layer.feeds, layers.length] : layer.feeds;
    return to.map((to) => ({ from, to }));
  });
}

/** How fast items go by an arrow, where that is known: what a layer sends is not told by where it goes. */
function speed({ from, to }, all, flow) {
  const only = (end, at) => all.filter((arrow) => arrow[end] === at).length === 1;
  if (only("from", from)) return flow.layers[from].all.sent_per_second;
  if (!only("to", to)) return undefined;
  return to === flow.layers.length ? flow.read_per_second : flow.layers[to].all.taken_per_second;
}

/** Changes when the graph has to be made anew. */
function shape(flow) {
  return JSON.stringify(flow.layers.map((layer) => [layer.feeds, layer.is_read]));
}

export class Graph {
  constructor(name) {
    this.lines = svg("svg", { role: "img", class: "arrows" });
    this.cards = el("div", "columns");
    this.plane = el("div", "plane", this.lines, this.cards);
    this.element = wide(`Layers of ${name}`, this.plane);
    new ResizeObserver(() => this.draw()).observe(this.plane);
  }

  update(flow) {
    if (this.shape !== shape(flow)) this.make(flow);
    const fed = new Set(flow.layers.flatMap((layer) => layer.feeds));
    flow.layers.forEach((layer, at) => {
      const bottleneck = flow.bottleneck?.layer === at ? flow.bottleneck : null;
      this.nodes[at].update(layer, { fed: fed.has(at), bottleneck });
    });
    this.nodes[flow.layers.length]?.update(flow);
    const nameOf = (at) => flow.layers[at]?.name ?? "the reader";
    const told = this.arrows.map((arrow) => {
      const perSecond = speed(arrow, this.arrows, flow);
      const known = perSecond !== undefined && perSecond !== null && flow.state === "running";
      say(arrow.label, known ? rate(perSecond) : "");
      attributes(arrow.path, { "data-still": !perSecond });
      const fast = perSecond ? `, ${rate(perSecond).replace(" /s", "")} items per second` : "";
      return `${nameOf(arrow.from)} to ${nameOf(arrow.to)}${fast}`;
    });
    attributes(this.lines, { "aria-label": told.join("; ") || "no arrows" });
    this.draw();
  }

  make(flow) {
    this.shape = shape(flow);
    const column = columns(flow.layers);
    this.nodes = flow.layers.map(card);
    if (flow.layers.some((layer) => layer.is_read)) {
      this.nodes.push(readerCard());
      column.push(Math.max(...column) + 1);
    }
    const lists = Array.from({ length: Math.max(...column, 0) + 1 }, () => el("div", "column"));
    this.nodes.forEach((node, at) => lists[column[at]].append(node.element));
    this.cards.replaceChildren(...lists);
    this.arrows = arrows(flow.layers).map((arrow) => {
      const path = svg("path", { class: "arrow" });
      const tip = svg("path", { class: "tip" });
      const label = svg("text", { class: "speed", "text-anchor": "middle" });
      return { ...arrow, path, tip, label };
    });
    this.lines.replaceChildren(...this.arrows.flatMap(({ path, tip, label }) => [path, tip, label]));
  }

  /** Puts the arrows where the cards are. */
  draw() {
    if (!this.nodes) return;
    const { offsetWidth: width, offsetHeight: height } = this.cards;
    attributes(this.lines, { width, height, viewBox: `0 0 ${width} ${height}` });
    for (const { from, to, path, tip, label } of this.arrows) {
      const [a, b] = [this.nodes[from].element, this.nodes[to].element];
      const [x1, y1] = [a.offsetLeft + a.offsetWidth, a.offsetTop + a.offsetHeight / 2];
      const [x2, y2] = [b.offsetLeft - 2, b.offsetTop + b.offsetHeight / 2];
      const middle = (x1 + x2) / 2;
      attributes(path, { d: `M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2 - 6} ${y2}` });
      attributes(tip, { d: `M${x2} ${y2} l-8 -4.5 v9 z` });
      attributes(label, { x: middle, y: (y1 + y2) / 2 - 8 });
    }
  }
}
