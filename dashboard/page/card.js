// The card of a layer: what it is, what it does with its time, and how many items go in and out.

import { attributes, count, el, moment, percent, plural, rate, say } from "./dom.js";

const PARTS = [
  ["busy", "busy", "it works on items"],
  ["idle", "idle", "it waits for items, or for futures"],
  ["back_pressured", "back-pressured", "it has items, and what comes next wants none"],
];

/** Stacked: a stripe for each of what a lane does with its time, told apart by pattern too. */
function bar() {
  const stripes = PARTS.map(([part]) => el("span", `stripe ${part}`));
  const element = attributes(el("div", "bar", ...stripes), { "aria-hidden": true });
  const update = (shares) => {
    stripes.forEach((stripe, at) => {
      stripe.style.flexGrow = shares ? shares[PARTS[at][0]] : 0;
    });
  };
  return { element, update };
}

/** A line of numbers in a card: how many items, and how fast. */
export function row(name) {
  const [total, perSecond] = [el("td", "number"), el("td", "number")];
  const head = attributes(el("th", "", name), { scope: "row" });
  const tell = (known, items, fast, instead) => {
    say(total, known ? count(items) : instead);
    say(perSecond, known ? rate(fast) : "");
    attributes(total, { "data-none": !known });
  };
  return { element: el("tr", "", head, total, perSecond), say: tell };
}

/** What of a layer the bottleneck is, where it is not all of it. */
function which(bottleneck) {
  if (bottleneck?.kind === "sink") return ": its sink";
  return bottleneck !== null && bottleneck.lane !== null ? `: lane ${bottleneck.lane}` : "";
}

/** The element of a card, and `update`, which shows a layer in it: what is added to a layer is shown from here. */
export function card() {
  const name = el("h3", "name");
  const flag = el("span", "flag");
  const what = el("p", "what");
  const operators = el("p", "operators");
  const stripes = bar();
  const times = PARTS.map(([part, word, means]) => {
    const [dt, dd] = [el("dt", "", el("span", `swatch ${part}`), word), el("dd")];
    return { element: attributes(el("div", "", dt, dd), { title: means }), dd };
  });
  const [taken, sent] = [row("in"), row("out")];
  const items = el("table", "items", el("tbody", "", taken.element, sent.element));
  const queue = el("p", "queue");
  const notes = el("p", "notes");
  const element = el(
    "article",
    "card",
    el("header", "", name, flag),
    what,
    operators,
    stripes.element,
    el("dl", "times", ...times.map((time) => time.element)),
    items,
    queue,
    notes,
  );

  /** `fed` says whether another layer sends it its items; `bottleneck` is that of the flow, if it is here. */
  function update(layer, { fed, bottleneck }) {
    const { all } = layer;
    const at = `${layer.file.split(/[\\/]/).pop()}:${layer.line}`;
    say(name, layer.label ?? at);
    attributes(name, { title: layer.name });
    attributes(element, { "data-held": bottleneck !== null, "data-ended": all.ended });
    say(flag, `▲ bottleneck${which(bottleneck)}`);
    say(what, plural(layer.lanes.length, layer.part) + (layer.label === null ? "" : ` · ${at}`));
    attributes(what, { title: `${layer.file}:${layer.line}` });
    say(operators, layer.operators.join(" → "));
    attributes(operators, { title: layer.operators.join(" → ") });
    stripes.update(all.shares);
    const most = all.shares && Math.max(...Object.values(all.shares));
    PARTS.forEach(([part], at) => {
      const share = all.shares ? all.shares[part] : null;
      say(times[at].dd, percent(share));
      attributes(times[at].element, { "data-most": share !== null && share === most });
    });
    const own = layer.part === "lane" || layer.part === "source";
    taken.say(fed, all.taken, all.taken_per_second, own ? "own source" : "not counted");
    const counted = layer.feeds.length > 0 || layer.is_read;
    sent.say(counted, all.sent, all.sent_per_second, "not counted");
    say(queue, fed ? `${count(all.waiting)} waiting · ${count(all.open_demand)} wanted` : "");
    const lanes = layer.lanes.length;
    const ended = layer.ended === lanes ? "ended" : `${layer.ended} of ${lanes} ended`;
    const told = [
      layer.ended > 0 && ended,
      all.discarded > 0 && `${count(all.discarded)} discarded`,
      all.futures > 0 && plural(all.futures, "future"),
      all.windows > 0 && plural(all.windows, "window"),
      all.watermark !== null && `watermark ${moment(all.watermark)}`,
    ];
    say(notes, told.filter(Boolean).join(" · "));
  }
  return { element, update };
}

/** The card of who reads the flow. */
export function readerCard() {
  const taken = row("in");
  const element = el(
    "article",
    "card reader",
    el("header", "", el("h3", "name", "Reader"), el("span", "flag", "▲ bottleneck")),
    el("p", "what", "takes what comes out"),
    el("table", "items", el("tbody", "", taken.element)),
  );
  function update(flow) {
    taken.say(true, flow.read, flow.read_per_second);
    attributes(element, { "data-held": flow.bottleneck?.kind === "reader", "data-ended": flow.state === "ended" });
  }
  return { element, update };
}
