// What makes the pages live. All of them also work without it, as links and forms.
//
// Every page that changes has one #live element; it is asked for again every few seconds and morphed, so focus, ticks and
// open parts stay. A hidden tab asks nothing; a slow server is asked less often; a failing one makes the page grey.

import { drawAll } from "./charts.js";

const SLOWEST = 30_000; // milliseconds between two refreshes, however slow the server is
const SHARE = 10; // a refresh may take one part in so many of the time

// ---------------------------------------------------------------- refreshing

let stopped = false;
let timer = 0;
let asked = 0;
let fails = 0;

const live = () => document.getElementById("live");
const every = () => Number(live()?.dataset.every ?? 0) * 1000;

function refresh() {
  clearTimeout(timer);
  if (!every() || document.hidden) return;
  asked = performance.now();
  live().dispatchEvent(new Event("refresh"));
}

function again(factor = 1) {
  clearTimeout(timer);
  const took = performance.now() - asked;
  const pause = Math.min(SLOWEST, Math.max(every() * factor, took * SHARE));
  if (every() && !stopped && !document.hidden) timer = setTimeout(refresh, pause);
}

function stale(why) {
  fails += 1;
  const note = document.getElementById("stale");
  const since = document.querySelector(".as-of time")?.textContent;
  const text = `Not refreshed since ${since} UTC: ${why}`;
  if (note.textContent !== text) note.textContent = text;
  note.hidden = false;
  document.body.classList.add("stale");
  again(Math.min(8, 2 ** fails));
}

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : stopped || refresh()));

// A failed answer is no page to show: what is there stays, in grey.
document.addEventListener("htmx:before:swap", (event) => {
  const status = event.detail.ctx.response?.status ?? 0;
  if (status >= 400) {
    event.preventDefault();
    stale(`the server answers ${status}`);
  }
});
document.addEventListener("htmx:error", (event) => stale("the server does not answer"));
document.addEventListener("htmx:after:swap", () => {
  fails = 0;
  document.body.classList.remove("stale");
  document.getElementById("stale").hidden = true;
  drawAll();
  countTicks();
  again();
});

// What the reader opened stays open.
window.htmx?.registerExtension("stays-open", {
  htmx_before_morph_attr: (element, detail) => !(element.localName === "details" && detail.attrName === "open"),
});

// ---------------------------------------------------------------- ticks

const ticks = () => [...document.querySelectorAll("[data-ticks] input[name=id]")];

function countTicks() {
  const all = ticks();
  if (!all.length) return;
  const ticked = all.filter((each) => each.checked).length;
  for (const button of document.querySelectorAll("[data-needs-ticks]")) button.disabled = ticked === 0;
  document.querySelector(".all").hidden = false;
  const box = document.querySelector("[data-all]");
  box.checked = ticked === all.length;
  box.indeterminate = ticked > 0 && ticked < all.length;
  document.querySelector("[data-ticked]").textContent = ticked ? `${ticked} ticked` : "";
}

let last = null;
document.addEventListener("click", (event) => {
  const box = event.target;
  if (!box.matches?.("[data-ticks] input[name=id]")) return;
  const all = ticks();
  const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
  if (event.shiftKey && from >= 0) for (const each of all.slice(from, to + 1)) each.checked = box.checked;
  last = box;
  countTicks();
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) for (const each of ticks()) each.checked = event.target.checked;
  countTicks();
});

// ---------------------------------------------------------------- keys

const help = document.getElementById("keys");
const rows = () => [...document.querySelectorAll("[data-row]")];
let going = 0; // until when `g` waits for the page's letter

function move(by) {
  const all = rows();
  const row = document.activeElement?.closest("tr");
  const at = all.findIndex((each) => row && each.closest("tr") === row);
  all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))]?.focus();
}

function tick() {
  const box = document.activeElement?.closest("tr")?.querySelector("input[name=id]");
  if (box) box.click();
}

function pause() {
  stopped = !stopped;
  document.getElementById("said").textContent = stopped ? "Refreshing is stopped: p starts it again." : "Refreshing.";
  document.getElementById("said").className = "said";
  if (stopped) clearTimeout(timer);
  else refresh();
}

const KEYS = {
  "?": () => help.showModal(),
  "/": () => document.querySelector("[data-first]")?.focus(),
  f: () => document.querySelector("[data-find]").focus(),
  j: () => move(1),
  k: () => move(-1),
  x: tick,
  ".": refresh,
  p: pause,
  g: () => (going = performance.now() + 1500),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.target.matches("input:not([type=checkbox], [type=radio]), textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (going > performance.now()) {
    going = 0;
    const place = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (place) place.click();
    return;
  }
  const act = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
  if (!act) return;
  event.preventDefault();
  act();
});

for (const button of document.querySelectorAll("[data-help]")) {
  button.hidden = false;
  button.addEventListener("click", () => help.showModal());
}

drawAll();
countTicks();
asked = performance.now();
again();
