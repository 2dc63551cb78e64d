// The layers of a flow, and who reads it, as cards and arrows.

import { rate } from "./dom.js";
import { card, readerCard } from "./card.js";

/** How fast items go by an arrow, where that is known: what a layer sends is not told by where it goes. */
function speed({ from, to }, all, flow) {
  const only = (end, at) => all.filter((arrow) => arrow[end] === at).length === 1;
  if (only("from", from)) return flow.layers[from].all.sent_per_second;
  if (!only("to", to)) return undefined;
  return to === flow.layers.length ? flow.read_per_second : flow.layers[to].all.taken_per_second;
}

function arrows(flow) {
  const all = flow.layers.flatMap((layer, from) => {
    // The reader has the number after the last layer.
    const to = layer.is_read ? [...layer.feeds, flow.layers.length] : layer.feeds;
    return to.map((to) => ({ from, to }));
  });
  const nameOf = (at) => flow.layers[at]?.name ?? "the reader";
  return all.map((arrow) => {
    const perSecond = speed(arrow, all, flow);
    const known = perSecond !== undefined && perSecond !== null && flow.state === "running";
    const fast = perSecond ? `, ${rate(perSecond).replace(" /s", "")} items per second` : "";
    const told = `${nameOf(arrow.from)} to ${nameOf(arrow.to)}${fast}`;
    return { ...arrow, label: known ? rate(perSecond) : "", moves: Boolean(perSecond), told };
  });
}

/** What a `Graph` draws of a flow. */
export function drawing(flow) {
  const fed = new Set(flow.layers.flatMap((layer) => layer.feeds));
  const nodes = flow.layers.map((layer, at) => {
    const bottleneck = flow.bottleneck?.layer === at ? flow.bottleneck : null;
    return { key: "layer", make: card, update: (shown) => shown.update(layer, { fed: fed.has(at), bottleneck }) };
  });
  if (flow.layers.some((layer) => layer.is_read)) {
    nodes.push({ key: "reader", make: readerCard, update: (shown) => shown.update(flow) });
  }
  return { nodes, arrows: arrows(flow) };
}
