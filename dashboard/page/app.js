// Follows the events of the server, and has each flow, graph of stages and supervisor shown in a section of its own.

import { attributes, el, say } from "./dom.js";
import { FlowSection } from "./flow.js";
import { StagesSection } from "./stages.js";
import { SupervisorSection } from "./supervisor.js";

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const link = document.getElementById("link");
const time = document.getElementById("time");

/** By kind and name, those that are on the page. */
const sections = new Map();

function section(key, Kind, name) {
  if (!sections.has(key)) {
    const made = new Kind(name, `at-${sections.size}-${Date.now()}`);
    const mark = el("span", "mark");
    const entry = attributes(el("a", "", mark, name), { href: `#${made.element.id}` });
    sections.set(key, { made, entry, mark });
  }
  return sections.get(key);
}

function show(snapshot) {
  const shown = new Set();
  const all = [
    ...snapshot.flows.map((flow) => ["flow", FlowSection, flow]),
    ...snapshot.graphs.map((graph) => ["stages", StagesSection, graph]),
    ...snapshot.supervisors.map((supervisor) => ["supervisor", SupervisorSection, supervisor]),
  ];
  for (const [kind, Kind, seen] of all) {
    const key = `${kind} ${seen.name}`;
    const { made, entry, mark } = section(key, Kind, seen.name);
    if (!made.element.isConnected) {
      main.append(made.element);
      nav.append(entry);
    }
    made.update(seen, snapshot);
    attributes(mark, { "data-state": seen.state });
    attributes(entry, { title: `${kind}, ${seen.state}` });
    shown.add(key);
  }
  // A server that was started anew may watch other things.
  for (const [key, { made, entry }] of sections) {
    if (shown.has(key)) continue;
    made.element.remove();
    entry.remove();
    sections.delete(key);
  }
  let empty = main.querySelector(".empty");
  if (shown.size > 0) empty?.remove();
  else if (!empty) main.append(el("p", "empty", "Nothing is watched."));
  const at = new Date(snapshot.at_ms);
  attributes(time, { datetime: at.toISOString() });
  say(time, at.toLocaleTimeString("en-GB"));
}

function linked(state, text) {
  attributes(link, { "data-state": state });
  attributes(document.body, { "data-link": state });
  say(link, text);
}

/** How long to wait for an event before the connection is taken to be lost. */
let patience = 10_000;
let watchdog;
let events;

function follow() {
  events?.close();
  events = new EventSource("events");
  events.onmessage = ({ data }) => {
    const snapshot = JSON.parse(data);
    patience = 3 * snapshot.every_ms + 5_000;
    linked("live", "Live");
    expect();
    show(snapshot);
  };
  events.onerror = () => {
    linked("lost", "Connection lost – trying again. These are the last numbers.");
    // The browser tries again by itself, unless the server, or what is before it, answered with an error.
    if (events.readyState === EventSource.CLOSED) expect(2_000);
  };
}

/** Starts anew unless something comes: a connection can be dead without anybody having said so. */
function expect(ms = patience) {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => {
    linked("lost", "Connection lost – trying again. These are the last numbers.");
    follow();
    expect();
  }, ms);
}

follow();
expect();
