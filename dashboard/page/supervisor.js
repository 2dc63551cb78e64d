// A supervisor: what became of its children, and what those do that are there.

import { attributes, count, duration, el, head, say, wide } from "./dom.js";

const COUNTS = [
  ["alive", "Alive"],
  ["active", "Running"],
  ["restarting", "Restarting"],
  ["started", "Started"],
  ["completed", "Completed"],
  ["stopped", "Stopped"],
  ["failed", "Failed"],
  ["panicked", "Panicked"],
  ["aborted", "Aborted"],
  ["not_restarted", "Not restarted"],
  ["ignored", "Ignored"],
  ["not_started", "Not started"],
  ["refused", "Refused"],
  ["restarts", "Restarts"],
];

export class SupervisorSection {
  constructor(name, id) {
    this.state = el("span", "state");
    this.end = el("p", "held");
    this.counts = COUNTS.map(([field, word]) => {
      const dd = el("dd");
      return { field, dd, element: el("div", "", el("dt", "", word), dd) };
    });
    this.body = el("tbody");
    const columns = head(["#Child", "Label", "State", "#Restarts", "#Age"]);
    const caption = el("caption", "unseen", `Children of ${name}`);
    this.children = wide(`Children of ${name}`, el("table", "list", caption, columns, this.body));
    this.children.classList.add("children");
    this.more = el("p", "more");
    const title = attributes(el("h2", "", name), { id: `${id}-name` });
    const top = el("div", "title", el("p", "kind", "Supervisor"), title, this.state);
    this.element = el("section", "watched", el("header", "head", el("div", "", top, this.end)));
    this.element.append(el("dl", "counts", ...this.counts.map(({ element }) => element)), this.children, this.more);
    attributes(this.element, { id, "aria-labelledby": title.id });
  }

  update(supervisor) {
    say(this.state, supervisor.state);
    attributes(this.state, { "data-state": supervisor.state });
    say(this.end, supervisor.end === null ? "" : `It has come to its end: ${supervisor.end}.`);
    for (const { field, dd, element } of this.counts) {
      say(dd, count(supervisor.counts[field]));
      attributes(element, { "data-none": supervisor.counts[field] === 0 });
    }
    this.children.hidden = supervisor.children.length === 0;
    this.rows(supervisor.children);
    say(this.more, supervisor.more > 0 ? `and ${count(supervisor.more)} more` : "");
  }

  /** Rows are kept, and their texts changed: what is selected stays so while the children do. */
  rows(children) {
    while (this.body.rows.length > children.length) this.body.deleteRow(-1);
    children.forEach((child, at) => {
      const row = this.body.rows[at] ?? this.body.appendChild(childRow());
      const texts = [
        String(child.id),
        child.label ?? "–",
        child.state,
        count(child.restarts),
        duration(child.age_ms),
      ];
      texts.forEach((text, cell) => say(row.cells[cell], text));
      attributes(row, { "data-state": child.state });
    });
  }
}

function childRow() {
  const id = attributes(el("th", "number"), { scope: "row" });
  return el("tr", "", id, el("td", "label"), el("td", "is"), el("td", "number"), el("td", "number"));
}
