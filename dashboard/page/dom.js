// Elements, and numbers as text. Data gets into the page by `textContent` and attributes only.

const SVG = "http://www.w3.org/2000/svg";

/** An element of a class, with what is in it: elements and texts. */
export function el(tag, name = "", ...inside) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...inside);
  return element;
}

/** An element with attributes. */
export function attributes(element, values) {
  for (const [name, value] of Object.entries(values)) {
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
  return element;
}

export function svg(tag, values = {}) {
  return attributes(document.createElementNS(SVG, tag), values);
}

/** Changes a text, unless it is that already: what is selected stays so. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A table head: names of columns; those that begin with "#" are of numbers. */
export function head(columns) {
  const cells = columns.map((column) => {
    const cell = column.startsWith("#") ? el("th", "number", column.slice(1)) : el("th", "", column);
    return attributes(cell, { scope: "col" });
  });
  return el("thead", "", el("tr", "", ...cells));
}

/** A box in which something wide is moved sideways, also by keys. */
export function wide(label, ...inside) {
  return attributes(el("div", "wide", ...inside), { tabindex: 0, role: "region", "aria-label": label });
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const NONE = "–";

export function count(number) {
  return whole.format(number);
}

export function rate(perSecond) {
  if (perSecond === null) return NONE;
  if (perSecond >= 999_950) return `${tenths.format(perSecond / 1e6)} M/s`;
  if (perSecond >= 9_999.5) return `${tenths.format(perSecond / 1e3)} k/s`;
  return `${perSecond === 0 || perSecond >= 99.95 ? whole.format(perSecond) : tenths.format(perSecond)} /s`;
}

export function percent(share) {
  return share === null ? NONE : `${whole.format(100 * share)} %`;
}

export function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  if (ms < 9_950) return `${tenths.format(ms / 1000)} s`;
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

/** Between these, milliseconds are taken for a time since 1970: the years 2000 to 2100. */
const [FIRST, LAST] = [Date.UTC(2000), Date.UTC(2100)];

/** A watermark: a time of day where it is one, and else a number. */
export function moment(ms) {
  if (ms < FIRST || ms > LAST) return `${count(ms)} ms`;
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

export function plural(number, word) {
  return `${count(number)} ${word}${number === 1 ? "" : "s"}`;
}
