// What all parts use: the data, elements, numbers in words, the tip under the pointer.

const DATA = JSON.parse(document.getElementById("data").textContent);
const AGENTS = DATA.agents;
const COLOURS = 8; // of agents in report.css

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "vars") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

// An element with attributes, listeners ("onclick"), custom properties ("vars") and children; strings become text.
const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
const s = (tag, props, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);

const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);
const mean = (numbers) => sum(numbers) / numbers.length;
const minus = (text) => text.replace(/^-/, "\u2212");
const number = (value, digits = 2) => minus(value.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1"));
const interval = ([low, high], digits = 2) => `${number(low, digits)} to ${number(high, digits)}`;

function short(value) {
  // 1,250,000 -> "1.25 M"
  const [unit, size] = [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ].find(([, one]) => Math.abs(value) >= one) ?? ["", 1];
  return `${Number((value / size).toPrecision(3))}${unit && ` ${unit}`}`;
}

function duration(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

const day = (time) =>
  time
    ? time
        .replace("T", " ")
        .replace("Z", " UTC")
        .replace(/:\d\d UTC$/, " UTC")
    : "unknown";
const agentClass = (index) => `agent a${index % COLOURS}`;
const agentName = (index) => h("span", { class: agentClass(index) }, swatch(index), h("span", {}, AGENTS[index].name));

const SHAPES = [
  // of an agent's marks, around 0, 0: they tell agents apart without colours
  "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
  "M-3.6-3.6h7.2v7.2h-7.2z",
  "M0-5L5 0L0 5L-5 0z",
  "M0-4.6L4.6 3.6H-4.6z",
  "M0 4.6L4.6-3.6H-4.6z",
  "M-1.6-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
  "M-4.8-2.4h9.6v4.8h-9.6z",
  "M-2.4-4.8h4.8v9.6h-4.8z",
];
const mark = (index, x = 0, y = 0) =>
  s("path", {
    class: "mark",
    d: SHAPES[(index + Math.floor(index / COLOURS)) % SHAPES.length],
    transform: `translate(${x} ${y})`,
  });
const swatch = (index) => s("svg", { class: "swatch", viewBox: "-6 -6 12 12", "aria-hidden": "true" }, mark(index));
const legend = (indices) =>
  h(
    "ul",
    { class: "legend" },
    indices.map((index) => h("li", {}, agentName(index))),
  );

function copyButton(text, label = "Copy") {
  const button = h("button", { class: "copy", type: "button", title: text }, label);
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text)) ? "Copied" : "Not copied";
    setTimeout(() => {
      button.textContent = label;
    }, 1500);
  });
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // not allowed here: the old way
    const area = h("textarea", { class: "offscreen" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

const command = (text) => h("div", { class: "command" }, h("code", { title: text }, text), copyButton(text));

// A drawing that is made again whenever its width changes. On paper it is scaled.
const drawings = [];

function drawing(draw) {
  const holder = h("div", { class: "drawing" });
  let last = 0;
  const redraw = () => {
    const width = holder.clientWidth;
    if (width === 0 || width === last) return;
    last = width;
    holder.replaceChildren(draw(width));
  };
  new ResizeObserver(redraw).observe(holder);
  drawings.push(redraw);
  return holder;
}

// The tip: every element with the attribute data-tip shows it while the pointer or the focus is on it.
const tip = h("div", { id: "tip", "aria-hidden": "true", hidden: true });

function showTip(element) {
  tip.textContent = element.dataset.tip;
  tip.hidden = false;
  const box = element.getBoundingClientRect();
  const own = tip.getBoundingClientRect();
  const left = Math.max(
    8,
    Math.min(box.left + box.width / 2 - own.width / 2, document.documentElement.clientWidth - own.width - 8),
  );
  const above = box.top - own.height - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 0 ? above : box.bottom + 8}px`;
}

function watchTips() {
  let shown = null;
  const show = (element) => {
    shown = element;
    if (element) showTip(element);
    else tip.hidden = true;
  };
  document.body.append(tip);
  for (const name of ["mouseover", "focusin"]) {
    document.addEventListener(name, (event) => show(event.target.closest?.("[data-tip]")));
  }
  document.addEventListener("focusout", () => show(null));
  document.documentElement.addEventListener("mouseleave", () => show(null));
  document.addEventListener("keydown", (event) => event.key === "Escape" && show(null));
  document.addEventListener("scroll", () => shown && showTip(shown), { passive: true, capture: true });
}
