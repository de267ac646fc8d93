// Drawings: scores of a task beside published values, learning curves, intervals.

const LANE = 15; // the height of an agent's row, in pixels
const pen = document.createElement("canvas").getContext("2d");
pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
const widthOf = (text) => pen.measureText(text).width; // of a label, in pixels

const scoreOf = (entry, value) => (value - entry.random_score) / (entry.reference - entry.random_score);

// About `count` round numbers from low to high.
function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i++)
    found.push(Number((i * step).toPrecision(12)));
  return found;
}

const statusText = (outcome) =>
  ({ cannot: "cannot do this task", failed: `failed: ${outcome.error}`, missing: "not evaluated" })[
    outcome.score.status
  ];

function outcomeText(task, index) {
  const outcome = task.outcomes[index];
  const name = AGENTS[index].name;
  if (outcome.score.status !== "done") return `${name}: ${statusText(outcome)}`;
  const metric = task.entry.metric === "success" ? "success" : "mean return";
  const { score, ci, value } = outcome.score;
  return `${name}: score ${number(score)} (95% ${interval(ci)}), ${metric} ${number(value)}`;
}

// The scores of all agents on a task. `axis` is "score", or "metric" for the values that the scores are made of.
function scorePlot(task, width, axis) {
  const entry = task.entry;
  const published = entry.published.map((one) => ({ ...one, score: scoreOf(entry, one.value) }));
  const done = task.outcomes.filter((one) => one.score.status === "done");
  const all = [
    0,
    1,
    ...published.map((one) => one.score),
    ...done.flatMap((one) => [one.score.score, ...one.score.ci]),
  ];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const edge = 12;
  const x = (score) => edge + ((score - low) / (high - low)) * (width - 2 * edge);
  const bottom = 6 + LANE * AGENTS.length + 4;
  const labels = stacked(
    published.map((one) => ({ at: x(one.score), text: `${one.agent} ${minus(String(one.value))}`, one })),
    width,
  );
  const height = bottom + 18 + labels.rows * 14 + (labels.rows ? 6 : 0);
  const value = (score) => entry.random_score + score * (entry.reference - entry.random_score);
  const marks =
    axis === "score"
      ? ticks(low, high, 4).map((one) => [one, one])
      : ticks(value(low), value(high), Math.max(3, width / 120)).map((one) => [scoreOf(entry, one), one]);
  return s(
    "svg",
    {
      class: "plot",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${entry.name}. ${task.outcomes.map((_, index) => outcomeText(task, index)).join(". ")}`,
    },
    [0, 1].map((one) => s("line", { class: "bound", x1: x(one), x2: x(one), y1: 2, y2: bottom })),
    s("line", { class: "axis", x1: edge, x2: width - edge, y1: bottom, y2: bottom }),
    marks.map(([score]) => s("line", { class: "axis", x1: x(score), x2: x(score), y1: bottom, y2: bottom + 3 })),
    labels.placed.map(({ row, at }) =>
      s("line", { class: "published", x1: at, x2: at, y1: 2, y2: bottom + 20 + 14 * row }),
    ),
    marks.map(([score, text]) =>
      s("text", { class: "tick", x: x(score), y: bottom + 14, "text-anchor": "middle" }, minus(String(text))),
    ),
    labels.placed.map(({ left, row, text, one }) =>
      s(
        "text",
        {
          class: "published",
          x: left,
          y: bottom + 29 + 14 * row,
          "data-tip": `${one.agent}: ${entry.metric} ${one.value}. ${one.protocol}`,
        },
        text,
      ),
    ),
    task.outcomes.map((outcome, index) => lane(task, outcome, index, x, 6 + LANE * (index + 0.5), width)),
  );
}

function lane(task, outcome, index, x, y, width) {
  const props = { class: `lane ${agentClass(index)}`, "data-tip": outcomeText(task, index) };
  const hit = s("rect", { class: "hit", x: 0, y: y - LANE / 2, width, height: LANE });
  if (outcome.score.status !== "done") {
    const text = statusText(outcome);
    const room = Math.floor(text.length * Math.min(1, (width - x(0) - 14) / widthOf(text)));
    return s(
      "g",
      { ...props, class: `${props.class} hole ${outcome.score.status}` },
      hit,
      s("path", { class: "cross", d: "M-3-3L3 3M-3 3L3-3", transform: `translate(${x(0)} ${y})` }),
      s("text", { x: x(0) + 10, y: y + 4 }, text.length > room ? `${text.slice(0, room - 1)}\u2026` : text),
    );
  }
  const [low, high] = outcome.score.ci;
  return s(
    "g",
    props,
    hit,
    s("line", { class: "whisker", x1: x(low), x2: x(high), y1: y, y2: y }),
    mark(index, x(outcome.score.score), y),
  );
}

// Labels in as many rows as it takes until none overlap: [{at, text, ...}] -> {placed: [{left, row, ...}], rows}.
function stacked(labels, width) {
  const ends = [];
  const placed = [...labels]
    .sort((a, b) => a.at - b.at)
    .map((label) => {
      const length = widthOf(label.text);
      const left = Math.max(0, Math.min(label.at - length / 2, width - length));
      let row = ends.findIndex((end) => end + 8 <= left);
      if (row < 0) row = ends.length;
      ends[row] = left + length;
      return { ...label, left, row };
    });
  return { placed, rows: ends.length };
}

// A number and its interval on a scale that is the same in all rows of the leaderboard.
function bar(value, ci, index, [low, high]) {
  const width = 132;
  const x = (one) => 6 + ((one - low) / (high - low)) * (width - 12);
  return s(
    "svg",
    { class: `bar ${agentClass(index)}`, width, height: 14, viewBox: `0 0 ${width} 14`, "aria-hidden": "true" },
    [0, 1].map((one) => s("line", { class: "bound", x1: x(one), x2: x(one), y1: 1, y2: 13 })),
    s("line", { class: "axis", x1: 6, x2: width - 6, y1: 7, y2: 7 }),
    s("line", { class: "whisker", x1: x(ci[0]), x2: x(ci[1]), y1: 7, y2: 7 }),
    mark(index, x(value), 7),
  );
}

const curvesOf = (task) =>
  task.outcomes.flatMap((outcome, index) =>
    outcome.members
      .filter((one) => one.training && one.training.curve.step?.length)
      .map((one) => ({
        index,
        steps: one.training.curve.step,
        values: one.training.curve[task.entry.metric],
        name: one.name,
      })),
  );

// The evaluations during training: a line for each member.
function curvePlot(task, width) {
  const curves = curvesOf(task);
  const height = 150;
  const [left, right, top, bottom] = [34, 12, 8, height - 22];
  const values = curves.flatMap((one) => one.values);
  const [low, high] =
    task.entry.metric === "success" ? [0, 1] : [Math.min(0, ...values), Math.max(task.entry.reference, ...values)];
  const last = Math.max(...curves.flatMap((one) => one.steps));
  const x = (step) => left + (step / last) * (width - left - right);
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  const names = [...new Set(curves.map((one) => AGENTS[one.index].name))].join(", ");
  return s(
    "svg",
    {
      class: "plot",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${task.entry.name}: ${task.entry.metric} by environment steps of training; ${names}`,
    },
    ticks(low, high, 3).map((one) => [
      s("line", { class: "grid", x1: left, x2: width - right, y1: y(one), y2: y(one) }),
      s("text", { class: "tick", x: left - 6, y: y(one) + 4, "text-anchor": "end" }, minus(String(one))),
    ]),
    ticks(0, last, Math.max(2, width / 110)).map((one) =>
      s("text", { class: "tick", x: Math.min(x(one), width - 14), y: height - 6, "text-anchor": "middle" }, short(one)),
    ),
    curves.map((one) =>
      s(
        "g",
        {
          class: agentClass(one.index),
          "data-tip":
            `${AGENTS[one.index].name}, ${one.name}: ${task.entry.metric} ${number(one.values.at(-1))} ` +
            `after ${short(one.steps.at(-1))} steps`,
        },
        s("path", { class: "curve", d: `M${one.steps.map((step, i) => `${x(step)} ${y(one.values[i])}`).join("L")}` }),
        s("path", {
          class: "curve hit",
          d: `M${one.steps.map((step, i) => `${x(step)} ${y(one.values[i])}`).join("L")}`,
        }),
        mark(one.index, x(one.steps.at(-1)), y(one.values.at(-1))),
      ),
    ),
  );
}
