"use strict";
/* The page of a run: asks the server every second, and draws. All texts of the run become text nodes, never markup. */

const $ = (id) => document.getElementById(id);
const facts = JSON.parse($("facts").textContent);
const EVERY = 1000, ROW = 18, HEAD = 20, NEST = 10, LEAST_WIDTH = 0.001;
const FAILED = 1, CANCELLED = 2, AGAIN = 4;

// A link opens once. The address gets the key of the next visit, so the page can be loaded again.
history.replaceState(null, "", `/?key=${facts.key}`);

async function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${facts.token}` };
  const answer = await fetch(path, { ...options, headers, cache: "no-store" });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

// -- small parts ------------------------------------------------------------------------------------------------------

function element(name, text = "", more = {}) {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  for (const [key, value] of Object.entries(more)) made[key] = value;
  return made;
}

function drawn(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function seconds(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 0.001) return `${(value * 1e6).toFixed(0)} µs`;
  if (size < 1) return `${(value * 1e3).toPrecision(size < 0.01 ? 2 : 3)} ms`;
  if (size < 120) return `${value.toFixed(size < 10 ? 1 : 0)} s`;
  return size < 7200 ? `${(value / 60).toFixed(1)} min` : `${(value / 3600).toFixed(1)} h`;
}

function bytes(value) {
  if (!value) return "";
  const power = Math.min(4, Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** power).toFixed(power ? 1 : 0)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

const count = (value) => Number(value || 0).toLocaleString("en");

// What is as it was stays: a selection, the focus, and where a reader is.
function fill(parent, children) {
  const before = parent.childNodes;
  if (before.length === children.length && children.every((one, at) => one.isEqualNode(before[at]))) return;
  parent.replaceChildren(...children);
}

// Cells are texts or nodes; those of columns in `numbers` do not wrap.
function table(id, head, rows, numbers = []) {
  const place = $(id), cell = (value, at) => {
    const made = element("td", "", { className: numbers.includes(at) ? "number" : "text" });
    made.append(value instanceof Node ? value : String(value));
    return made;
  };
  const top = element("tr");
  top.append(...head.map((one) => {
    const made = element("th", "", { scope: "col" });
    made.append(one);
    return made;
  }));
  const keep = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  fill(place, [top, ...rows.map((row) => {
    const made = element("tr");
    made.append(...row.map(cell));
    return made;
  })]);
  if (keep) [...place.querySelectorAll("[data-key]")].find((one) => one.dataset.key === keep)?.focus();
}

function futureButton(number, text) {
  const made = element("button", text, { type: "button", className: "link" });
  made.dataset.key = String(number);
  made.addEventListener("click", () => showFuture(number));
  return made;
}

const hues = new Map();
function colour(name) {
  if (!hues.has(name)) hues.set(name, (hues.size * 137.5 + 210) % 360); // the golden angle: neighbours differ
  const style = getComputedStyle(document.documentElement);
  return `hsl(${hues.get(name)} ${style.getPropertyValue("--strength")} ${style.getPropertyValue("--tone")})`;
}

// -- what there is ----------------------------------------------------------------------------------------------------

let run = null, order = "worker";

function showRun() {
  document.title = `${run.program || "a run"} – fedfutures`;
  $("head").textContent = run.head;
  const state = $("state");
  state.className = run.over ? "over" : run.answers ? "" : "mute";
  state.textContent = run.over ? `Over: ${run.over}. This is what was known last.`
    : run.answers ? `after ${seconds(run.seconds)}` : "The program does not answer: code of C may hold its interpreter.";
  const sums = run.sums, bad = (value) => (value ? "bad" : "");
  fill($("sums"), [
    ["Futures done", count(sums.futures), ""], ["per second", count(Math.round(run.rate)), ""],
    ["busy Workers", `${count(run.busy)} of ${count(run.all_workers)}`, ""],
    ["waiting", count(run.queued + run.given), ""], ["failed", count(sums.failed), bad(sums.failed)],
    ["lost", count(sums.lost), bad(sums.lost)], ["cancelled", count(sums.cancelled), ""],
    ["run again", count(sums.retries), bad(sums.retries)],
  ].map(([name, value, kind]) => {
    const made = element("div", "", { className: kind });
    made.append(element("dt", name), element("dd", value));
    return made;
  }));
  $("summary").textContent = run.summary + (run.dropped ? `; ${count(run.dropped)} Futures are not drawn` : "");
  fill($("maps"), run.maps.map((one) => {
    const made = element("p"), bar = element("progress", "", { max: one.total || 1, value: one.total ? one.done : 0 });
    if (!one.total) bar.removeAttribute("value");
    bar.setAttribute("aria-label", `map(${one.name})`);
    made.append(`map(${one.name}) `, bar, ` ${count(one.done)}${one.total ? ` of ${count(one.total)}` : ""} items`);
    return made;
  }));
  showFunctions();
  const heads = run.hosts.length ? Object.keys(run.hosts[0]) : [];
  table("hosts", heads, run.hosts.map((one) => Object.values(one)));
  showWorkers();
  showLinks();
  fill($("explained"), run.explained.map((text) => element("li", text)));
  fill($("failures"), run.failures.map(([number, name, text]) => {
    const made = element("li");
    made.append(futureButton(number, `${name}, Future ${number}`), `: ${text.trim().split("\n").slice(-2).join(" – ")}`);
    return made;
  }));
  fill($("events"), run.events.slice().reverse().map(([at, text, worker, host]) => {
    const made = element("li");
    made.append(element("time", seconds(at)), text, worker ? ` (${worker}${host ? ` on ${host}` : ""})` : "");
    return made;
  }));
  showCurves("curves", run.curves, (value, name) => (name === "done per second" ? count(Math.round(value)) : count(value)));
  showCurves("of-hosts", run.of_hosts, (value, name) => (name.startsWith("memory") ? bytes(value) : value.toFixed(1)));
}

function showFunctions() {
  const all = run.functions.reduce((sum, one) => sum + one.seconds, 0);
  table("functions", ["function", "done", "per second", "run now", "failed", "half within", "99 % within", "Workers' time"],
    run.functions.map((one) => {
      const name = element("span"), dot = element("i", "", { className: "dot" }), share = element("span");
      dot.style.background = colour(one.name);
      name.append(dot, one.name);
      const bar = element("progress", "", { max: all || 1, value: one.seconds });
      bar.setAttribute("aria-label", `share of ${one.name}`);
      share.append(bar, ` ${seconds(one.seconds)}`);
      return [name, count(one.futures), count(Math.round(one.rate)), count(one.running),
        one.failed ? `× ${count(one.failed)}` : "", seconds(one.p50), seconds(one.p99), share];
    }), [1, 2, 3, 4, 5, 6, 7]);
}

const ORDERS = {
  worker: null, state: (one) => one.state, for: (one) => -(one.seconds || 0), call: (one) => one.call,
  queued: (one) => -one.queued, memory: (one) => -one.memory, processors: (one) => -(one.cpu || 0),
};

function showWorkers() {
  const key = ORDERS[order], wanted = $("wanted").value.toLowerCase();
  let rows = run.workers.filter((one) => one.worker.toLowerCase().includes(wanted));
  if (key) {
    rows = rows.map((one) => [key(one), one]).sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)).map((one) => one[1]);
  }
  const shown = rows.slice(0, 300);
  const head = Object.keys(ORDERS).map((name) => {
    const made = element("button", name + (name === order ? " ↓" : ""), { type: "button" });
    made.dataset.key = `order ${name}`;
    made.addEventListener("click", () => { order = name; showWorkers(); });
    return made;
  });
  head.splice(4, 0, "place");
  table("workers", head, shown.map((one) => [
    one.worker, one.state, seconds(one.seconds), one.future ? futureButton(one.future, one.call) : one.call, one.place,
    one.queued || "", bytes(one.memory), one.cpu === null ? "" : one.cpu.toFixed(2),
  ]), [0, 1, 2, 5, 6, 7]);
  $("workers-more").textContent = rows.length > shown.length ? `${count(rows.length - shown.length)} more; filter by name above` : "";
}

// The tree hangs from its first Broker; links that would close a ring are not there.
function showLinks() {
  const heads = run.links.length ? Object.keys(run.links[0]) : ["Broker", "Futures that wait"];
  table("links", heads, run.links.length ? run.links.map((one) => Object.values(one))
    : run.brokers.map((one) => [one.name, count(one.queued)]));
  const names = run.brokers.map((one) => one.name), depth = new Map(), rows = [];
  const near = (name) => run.links.filter((one) => one.Broker === name || one.neighbour === name)
    .map((one) => (one.Broker === name ? one.neighbour : one.Broker));
  for (const root of names) {
    if (depth.has(root)) continue;
    let level = [root];
    for (let at = 0; level.length; at += 1) {
      level.forEach((one) => depth.set(one, at));
      (rows[at] ||= []).push(...level);
      level = [...new Set(level.flatMap(near))].filter((one) => !depth.has(one));
    }
  }
  const tree = $("tree");
  if (names.length < 2 || names.length > 60) { fill(tree, []); return; }
  const wide = Math.max(...rows.map((row) => row.length)) * 150, place = new Map();
  rows.forEach((row, at) => row.forEach((name, x) => place.set(name, [(x + 0.5) * (wide / row.length), 30 + at * 90])));
  tree.setAttribute("viewBox", `0 0 ${wide} ${rows.length * 90 - 20}`);
  const queued = new Map(run.brokers.map((one) => [one.name, one.queued])), parts = [];
  for (const one of run.links) {
    const from = place.get(one.Broker), to = place.get(one.neighbour);
    if (!from || !to) continue;
    parts.push(drawn("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1] }));
    parts.push(drawn("text", { x: (from[0] + to[0]) / 2, y: (from[1] + to[1]) / 2 },
      `→ ${one["Futures there"]}, ← ${one["and back"]} (${one["round trip"]})`));
    parts.push(drawn("text", { x: (from[0] + to[0]) / 2, y: (from[1] + to[1]) / 2 + 14 },
      `→ ${one["sent there"]}, ← ${one["sent back"]}`));
  }
  for (const [name, [x, y]] of place) {
    parts.push(drawn("rect", { x: x - 65, y: y - 20, width: 130, height: 40, rx: 6 }));
    parts.push(drawn("text", { x, y: y - 3 }, name), drawn("text", { x, y: y + 13 }, `${count(queued.get(name))} wait`));
  }
  fill(tree, parts);
}

function showCurves(id, curves, shown) {
  const { times, values } = curves, made = [];
  if (times.length < 2) return;
  for (const [name, curve] of Object.entries(values).slice(0, 24)) {
    const most = Math.max(...curve) || 1, length = times[times.length - 1] - times[0] || 1;
    const points = curve.map((one, at) => `${(100 * (times[at] - times[0])) / length},${39 - (38 * one) / most}`).join(" ");
    const figure = element("figure"), text = element("figcaption");
    text.append(element("span", name), element("strong", shown(curve[curve.length - 1], name)));
    const picture = drawn("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img",
      "aria-label": `${name}: now ${shown(curve[curve.length - 1], name)}, at most ${shown(most, name)}` });
    picture.append(drawn("polygon", { points: `0,40 ${points} 100,40`, class: "area" }), drawn("polyline", { points, class: "curve" }));
    figure.append(text, picture, element("figcaption", `at most ${shown(Math.max(...curve), name)}`));
    made.push(figure);
  }
  fill($(id), made);
}

// -- what ran where ---------------------------------------------------------------------------------------------------

const view = { live: true, whole: false, width: 30, begin: 0, first: 0, spans: null, asks: false, again: false };
const canvas = $("stream"), pen = canvas.getContext("2d");

const rowsThatFit = () => Math.max(4, Math.min(40, Math.floor((window.innerHeight * 0.6 - HEAD) / ROW)));
const labelWidth = () => (canvas.clientWidth < 500 ? 70 : 120);

function times() {
  const now = run ? run.seconds : 0;
  if (view.whole) return [0, Math.max(now, 0.1)];
  return view.live ? [Math.max(0, now - view.width), Math.max(now, Math.min(view.width, 5))] : [view.begin, view.begin + view.width];
}

async function askSpans() {
  if (view.asks) { view.again = true; return; }
  view.asks = true;
  try {
    const [begin, end] = times(), columns = Math.max(50, Math.round(canvas.clientWidth - labelWidth()));
    const asked = new URLSearchParams({ begin, end, columns, first: view.first, rows: rowsThatFit(), wanted: $("wanted").value });
    view.spans = await (await ask(`/api/spans?${asked}`)).json();
    drawSpans();
  } catch (error) {
    lose(error);
  }
  view.asks = false;
  if (view.again) { view.again = false; askSpans(); }
}

function drawSpans() {
  const found = view.spans;
  if (!found) return;
  const width = canvas.clientWidth, left = labelWidth(), rows = found.rows.length;
  const height = HEAD + Math.max(1, rows) * ROW, ratio = window.devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const style = getComputedStyle(document.documentElement), tone = (name) => style.getPropertyValue(name).trim();
  pen.fillStyle = tone("--paper");
  pen.fillRect(0, 0, width, height);
  const scale = (width - left) / found.columns;
  drawAxis(found, left, width, height, tone);
  const colours = found.functions.map(colour);
  pen.font = "11px system-ui, sans-serif";
  found.rows.forEach((row, at) => {
    const y = HEAD + at * ROW;
    pen.fillStyle = tone("--ink");
    pen.textAlign = "right";
    pen.fillText(row.worker, left - 6, y + 13, left - 8);
    pen.textAlign = "left";
    const inOrder = row.spans.slice().sort((a, b) => a[0] - b[0] || b[1] - a[1]); // what ran while one waited is above it
    for (const [begin, end, share, name, , marks] of inOrder) {
      const x = left + Math.max(0, begin) * scale, right = Math.min(width, left + end * scale);
      const wide = Math.max(1, right - x - (right - x > 4 ? 0.5 : 0));
      pen.globalAlpha = 0.35 + 0.0065 * share;
      pen.fillStyle = colours[name] || tone("--soft");
      if (marks & CANCELLED) { pen.globalAlpha = 1; pen.strokeStyle = pen.fillStyle; pen.strokeRect(x + 0.5, y + 2.5, wide, ROW - 6); }
      else pen.fillRect(x, y + 2, wide, ROW - 5);
      pen.globalAlpha = 1;
      if (marks) mark(marks, x + wide / 2, y, tone);
      else if (wide > 46) label(found.functions[name] || "", x, y, wide);
    }
    for (const [begin, end, , name, , marks] of row.nested) { // below the Future that has submitted them
      const x = left + Math.max(0, begin) * scale, wide = Math.max(1, Math.min(width, left + end * scale) - x - 0.5);
      pen.fillStyle = tone("--paper");
      pen.fillRect(x, y + NEST - 1, wide, 1);
      pen.fillStyle = marks & FAILED ? tone("--bad") : colours[name] || tone("--soft");
      pen.fillRect(x, y + NEST, wide, ROW - 4 - NEST);
    }
    row.spans.filter((one) => one[4] === 0).forEach(([begin, end]) => {
      pen.strokeStyle = tone("--ink");
      pen.strokeRect(left + Math.max(0, begin) * scale + 0.5, y + 2.5, Math.max(2, Math.min(width - left, end * scale) - Math.max(0, begin) * scale - 1), ROW - 6);
    });
  });
  $("rows-shown").textContent = found.all_rows > rows ? `${count(found.first + 1)}–${count(found.first + rows)} of ${count(found.all_rows)} Workers` : "";
  const failed = found.rows.reduce((sum, row) => sum + row.spans.filter((one) => one[5] & FAILED).length, 0);
  $("stream-text").textContent = `${rows} Workers from ${seconds(found.begin)} to ${seconds(found.end)}; ${failed} stretches with failures.`;
  fill($("legend"), found.functions.slice(0, 20).map((name) => {
    const made = element("li"), dot = element("i");
    dot.style.background = colour(name);
    made.append(dot, name);
    return made;
  }));
}

function drawAxis(found, left, width, height, tone) {
  const span = found.end - found.begin, rough = span / Math.max(2, (width - left) / 110);
  const power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  pen.font = "11px system-ui, sans-serif";
  for (let at = Math.ceil(found.begin / step) * step; at <= found.end; at += step) {
    const x = left + ((at - found.begin) / span) * (width - left);
    pen.strokeStyle = tone("--grid");
    pen.beginPath();
    pen.moveTo(x, HEAD);
    pen.lineTo(x, height);
    pen.stroke();
    pen.fillStyle = tone("--soft");
    pen.textAlign = "center";
    pen.fillText(step < 1 ? `${at.toFixed(Math.max(0, Math.ceil(-Math.log10(step))))} s` : seconds(at), x, 13);
  }
}

function mark(marks, x, y, tone) {
  pen.textAlign = "center";
  pen.font = "bold 14px system-ui, sans-serif";
  pen.fillStyle = tone("--ink");
  pen.strokeStyle = tone("--paper");
  pen.lineWidth = 3;
  const sign = marks & FAILED ? "×" : marks & CANCELLED ? "◆" : "▲";
  pen.strokeText(sign, x, y + 14);
  if (marks & FAILED) pen.fillStyle = tone("--bad");
  pen.fillText(sign, x, y + 14);
  pen.lineWidth = 1;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "left";
}

function label(name, x, y, wide) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, wide - 3, ROW);
  pen.clip();
  pen.fillStyle = "#000";
  pen.fillText(name, x + 4, y + 13);
  pen.restore();
}

function spanAt(event) {
  const box = canvas.getBoundingClientRect(), found = view.spans;
  if (!found) return null;
  const row = found.rows[Math.floor((event.clientY - box.top - HEAD) / ROW)];
  const at = ((event.clientX - box.left - labelWidth()) / (box.width - labelWidth())) * found.columns;
  if (!row || at < 0) return null;
  const isLow = (event.clientY - box.top - HEAD) % ROW >= NEST;
  const inside = isLow ? row.nested.find((one) => one[0] <= at && at <= one[1]) : undefined;
  if (inside) return { row, span: inside, isNested: true };
  const near = row.spans.filter((one) => one[0] - 2 <= at && at <= one[1] + 2);
  near.sort((a, b) => (b[5] ? 1 : 0) - (a[5] ? 1 : 0) || Math.abs(a[0] + a[1] - 2 * at) - Math.abs(b[0] + b[1] - 2 * at));
  return near.length ? { row, span: near[0] } : null;
}

function tell(hit) {
  if (!hit) { $("tip").textContent = ""; return; }
  const [, , , name, many, marks, number, busy] = hit.span;
  const named = view.spans.functions[name];
  const what = hit.isNested ? (many > 1 ? `${count(many)} nested calls, first ${named}` : `${named}, nested`)
    : many > 1 ? `${count(many)} Futures, first ${named}` : `${named || "a call"}, Future ${number}`;
  const signs = [many === 0 ? "runs now" : "", marks & FAILED ? "failed" : "", marks & CANCELLED ? "cancelled" : "", marks & AGAIN ? "started again" : ""];
  $("tip").textContent = [`${hit.row.worker}: ${what}`, seconds(busy), ...signs].filter(Boolean).join(", ");
}

function change(more) {
  Object.assign(view, more);
  view.begin = Math.max(0, view.begin);
  $("live").setAttribute("aria-pressed", String(view.live));
  $("whole").setAttribute("aria-pressed", String(view.whole));
  $("width-shown").textContent = seconds(view.width);
  askSpans();
}

// `about`: which place stays where it is, 0 at the left and 1 at the right.
function zoom(factor, about = 0.5) {
  const [begin, end] = times(), before = view.live ? view.width : end - begin;
  const width = Math.min(1e7, Math.max(LEAST_WIDTH, before * factor));
  if (view.live) change({ width });
  else change({ whole: false, width, begin: begin + (end - begin - width) * about });
}

function move(share) {
  const [begin, end] = times();
  change({ live: false, whole: false, width: end - begin, begin: begin + share * (end - begin) });
}

function scroll(rows) {
  const all = view.spans ? view.spans.all_rows : 0;
  change({ first: Math.max(0, Math.min(view.first + rows, all - rowsThatFit())) });
}

const KEYS = {
  ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2),
  ArrowDown: () => scroll(4), ArrowUp: () => scroll(-4), PageDown: () => scroll(rowsThatFit()), PageUp: () => scroll(-rowsThatFit()),
  Home: () => change({ whole: true, live: false }), End: () => change({ live: true, whole: false }),
};

canvas.addEventListener("keydown", (event) => {
  if (KEYS[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); KEYS[event.key](); }
});
canvas.addEventListener("wheel", (event) => {
  if (event.ctrlKey) {
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, (event.clientX - box.left - labelWidth()) / (box.width - labelWidth()));
  } else if (view.spans && view.spans.all_rows > view.spans.rows.length && event.shiftKey) {
    event.preventDefault();
    scroll(event.deltaY > 0 ? 3 : -3);
  }
}, { passive: false });

let drag = null;
canvas.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, moved: 0, from: times()[0] }; canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener("pointermove", (event) => {
  if (!drag) { tell(spanAt(event)); return; }
  drag.moved = event.clientX - drag.x;
  if (Math.abs(drag.moved) > 4) {
    const [begin, end] = times(), shift = (drag.moved / (canvas.clientWidth - labelWidth())) * (end - begin);
    change({ live: false, whole: false, width: end - begin, begin: drag.from - shift });
  }
});
canvas.addEventListener("pointerup", (event) => {
  const hit = drag && Math.abs(drag.moved) <= 4 ? spanAt(event) : null;
  drag = null;
  if (hit && (hit.span[4] < 2 || hit.span[5]) && hit.span[6]) showFuture(hit.span[6]);
});
canvas.addEventListener("pointercancel", () => { drag = null; });
$("live").addEventListener("click", () => change({ live: true, whole: false }));
$("whole").addEventListener("click", () => change({ whole: true, live: false }));
$("zoom-in").addEventListener("click", () => zoom(0.5));
$("zoom-out").addEventListener("click", () => zoom(2));
$("back").addEventListener("click", () => move(-0.5));
$("forth").addEventListener("click", () => move(0.5));
$("wanted").addEventListener("input", () => { change({ first: 0 }); if (run) showWorkers(); });
window.addEventListener("resize", () => askSpans());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSpans);

// -- one Future -------------------------------------------------------------------------------------------------------

let chosen = 0;

async function showFuture(number) {
  let found;
  try {
    found = await (await ask(`/api/future/${number}`)).json();
  } catch (error) {
    found = { number, function: "", state: "not known", text: error.message, traceback: "" };
  }
  chosen = number;
  $("future-head").textContent = `${found.call || found.function || "Future"} – Future ${number}`;
  const parts = [found.state, found.worker && `on ${found.worker}`, found.seconds ? seconds(found.seconds) : "", found.attempt > 1 && `attempt ${found.attempt}`];
  $("future-state").textContent = parts.filter(Boolean).join(", ");
  $("future-text").textContent = found.text;
  $("future-trace").textContent = found.traceback;
  $("future-cancel").hidden = !(facts.controls && found.state === "running");
  if (!$("future").open) $("future").showModal();
}

$("future-close").addEventListener("click", () => $("future").close());
$("future-cancel").addEventListener("click", async () => {
  try {
    $("future-text").textContent = await (await ask(`/api/future/${chosen}/cancel`, { method: "POST" })).text();
  } catch (error) {
    $("future-text").textContent = error.message;
  }
});

// -- again and again --------------------------------------------------------------------------------------------------

function lose(error) {
  const state = $("state");
  state.className = "mute";
  state.textContent = `The run has ended, or the page's server does not answer (${error.message.trim()}). This is what was known last.`;
}

async function look() {
  try {
    run = await (await ask("/api/run")).json();
    showRun();
    if (view.live || view.whole) await askSpans();
  } catch (error) {
    lose(error);
  }
  setTimeout(look, document.hidden ? 5 * EVERY : EVERY);
}

look();
