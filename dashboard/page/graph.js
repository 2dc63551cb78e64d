// Cards from left to right, with arrows between them: the layers of a flow, or stages.

import { attributes, el, say, svg, wide } from "./dom.js";

/** All arrows but those that close a circle: what feeds others comes first. */
const goesOn = ({ from, to }) => from < to;

/** The column of each card: right before the first that it feeds, so that arrows are short. */
function columns(cards, arrows) {
  const after = new Array(cards).fill(0);
  for (let from = cards - 1; from >= 0; from -= 1) {
    const own = arrows.filter((arrow) => arrow.from === from && goesOn(arrow));
    after[from] = Math.max(0, ...own.map(({ to }) => after[to] + 1));
  }
  const most = Math.max(...after, 0);
  return after.map((steps) => most - steps);
}

/** A line through points, level at each. */
function line([start, ...points]) {
  let path = `M${start.x} ${start.y}`;
  let last = start;
  for (const { x, y } of points) {
    const middle = (last.x + x) / 2;
    path += ` C${middle} ${last.y} ${middle} ${y} ${x} ${y}`;
    last = { x, y };
  }
  return path;
}

/** A line back, below all cards. */
function lineBack(start, end, below) {
  const right = `C${start.x + 20} ${start.y} ${start.x + 20} ${below} ${start.x} ${below}`;
  const left = `C${end.x - 20} ${below} ${end.x - 20} ${end.y} ${end.x} ${end.y}`;
  return `M${start.x} ${start.y} ${right} L${end.x} ${below} ${left}`;
}

/**
 * What is drawn is `nodes` and `arrows`. A node has a `key`, `make`, which makes its card, and `update`, which shows
 * it in the card. An arrow is `from` one node `to` another; it has a `label`, says whether anything `moves`, and is
 * `told` to those who do not see it. If it has a `key`, it ends where the card has that among its `ports`.
 */
export class Graph {
  constructor(label) {
    this.lines = svg("svg", { role: "img", class: "arrows" });
    this.columns = el("div", "columns");
    this.plane = el("div", "plane", this.lines, this.columns);
    this.element = wide(label, this.plane);
    new ResizeObserver(() => this.draw()).observe(this.plane);
  }

  update({ nodes, arrows }) {
    const shape = JSON.stringify([nodes.map(({ key }) => key), arrows.map(({ from, to, key }) => [from, to, key])]);
    if (this.shape !== shape) this.make(nodes, arrows);
    this.shape = shape;
    nodes.forEach((node, at) => node.update(this.cards[at]));
    arrows.forEach(({ label, moves }, at) => {
      say(this.arrows[at].label, label);
      attributes(this.arrows[at].path, { "data-still": !moves });
    });
    attributes(this.lines, { "aria-label": arrows.map(({ told }) => told).join("; ") || "no arrows" });
    this.draw();
  }

  make(nodes, arrows) {
    const column = columns(nodes.length, arrows);
    this.cards = nodes.map((node) => node.make());
    const lists = Array.from({ length: Math.max(...column, 0) + 1 }, () => el("div", "column"));
    this.cards.forEach((card, at) => lists[column[at]].append(card.element));
    let back = 0;
    this.arrows = arrows.map(({ from, to, key }) => {
      // What passes a column has a place of its own there, so that it crosses no card.
      const passed = goesOn({ from, to }) ? lists.slice(column[from] + 1, column[to]) : [];
      const passes = passed.map((list) => list.appendChild(el("div", "pass")));
      const path = svg("path", { class: "arrow" });
      const tip = svg("path", { class: "tip" });
      const label = svg("text", { class: "speed" });
      return { from, to, key, passes, back: goesOn({ from, to }) ? 0 : ++back, path, tip, label };
    });
    this.columns.style.marginBottom = back > 0 ? `${14 * (back + 1)}px` : "";
    this.columns.replaceChildren(...lists);
    this.lines.replaceChildren(...this.arrows.flatMap(({ path, tip, label }) => [path, tip, label]));
  }

  /** Puts the arrows where the cards are. */
  draw() {
    if (!this.cards) return;
    const { offsetWidth: width, offsetHeight: height } = this.columns;
    attributes(this.lines, { width, height, viewBox: `0 0 ${width} ${height}` });
    for (const { from, to, key, passes, back, path, tip, label } of this.arrows) {
      const [a, b] = [this.cards[from].element, this.cards[to].element];
      const port = this.cards[to].ports?.get(key);
      const heightOf = (element) => element.offsetTop + element.offsetHeight / 2;
      const start = { x: a.offsetLeft + a.offsetWidth, y: heightOf(a) };
      const tipAt = { x: b.offsetLeft - 2, y: heightOf(port ?? b) };
      const end = { x: tipAt.x - 6, y: tipAt.y };
      const through = passes.flatMap((pass) => {
        const y = heightOf(pass);
        return [{ x: pass.offsetLeft, y }, { x: pass.offsetLeft + pass.offsetWidth, y }];
      });
      const below = height + 14 * back;
      attributes(path, { d: back > 0 ? lineBack(start, end, below) : line([start, ...through, end]) });
      attributes(tip, { d: `M${tipAt.x} ${tipAt.y} l-8 -4.5 v9 z` });
      if (back > 0) {
        attributes(label, { x: (start.x + end.x) / 2, y: below - 4, "text-anchor": "middle" });
      } else if (port) {
        // Several arrows to one card have their ends apart, and not their middles.
        attributes(label, { x: end.x - 6, y: end.y - 7, "text-anchor": "end" });
      } else {
        const last = through.at(-1) ?? start;
        attributes(label, { x: (last.x + tipAt.x) / 2, y: (last.y + tipAt.y) / 2 - 8, "text-anchor": "middle" });
      }
    }
  }
}
