// The leaderboard: a row for each agent, sorted by any column.

// The columns of the leaderboard: a heading, the value to sort by (the larger first if `down`), and the cell.
const COLUMNS = [
  { title: "Agent", value: (one) => one.name.toLowerCase(), cell: (one, i) => agentName(i) },
  {
    title: "Interquartile mean",
    down: true,
    value: (one) => one.summary.iqm,
    cell: (one, i) => scoreCell(one.summary.iqm, one.summary.iqm_ci, i),
  },
  {
    title: "Mean score",
    down: true,
    value: (one) => one.summary.mean,
    cell: (one, i) => scoreCell(one.summary.mean, one.summary.mean_ci, i),
  },
  { title: "Tasks done", down: true, value: (one) => one.counts.done, cell: (one) => countsCell(one.counts) },
  {
    title: "Training steps",
    value: (one) => one.summary.training_steps,
    cell: (one) => known(one.summary.training_steps, short),
  },
  {
    title: "Training time",
    value: (one) => one.summary.training_seconds,
    cell: (one) => known(one.summary.training_seconds, duration),
  },
  {
    title: "Trained on",
    value: (one) => one.summary.training_device,
    cell: (one) => known(one.summary.training_device, (text) => h("span", { class: "device" }, text)),
  },
  { title: "Command", cell: (one) => copyButton(one.command) },
];
const known = (value, show) => (value === null ? h("span", { class: "muted" }, "not known") : show(value));

function scoreCell(value, ci, index) {
  const all = AGENTS.flatMap((one) => [...one.summary.iqm_ci, ...one.summary.mean_ci]);
  return h(
    "div",
    { class: "score" },
    h("strong", {}, number(value)),
    h("span", { class: "muted" }, interval(ci)),
    bar(value, ci, index, [Math.min(0, ...all), Math.max(1, ...all)]),
  );
}

function countsCell(counts) {
  const holes = [
    ["cannot", "cannot"],
    ["failed", "failed"],
    ["missing", "missing"],
  ].filter(([key]) => counts[key]);
  return h(
    "div",
    { class: "counts" },
    h("span", {}, `${counts.done} of ${DATA.tasks.length}`),
    holes.map(([key, word]) => h("span", { class: `badge ${key}` }, `${counts[key]} ${word}`)),
  );
}

function leaderboard() {
  const body = h(
    "tbody",
    {},
    AGENTS.map((one, index) =>
      h(
        "tr",
        {},
        COLUMNS.map((column, i) =>
          h(
            i === 0 ? "th" : "td",
            { ...(i === 0 ? { scope: "row" } : {}), "data-label": column.title },
            column.cell(one, index),
          ),
        ),
      ),
    ),
  );
  const rows = [...body.children].map((row, index) => ({ row, agent: AGENTS[index] }));
  const heads = COLUMNS.map((column) =>
    h(
      "th",
      { scope: "col" },
      column.value ? h("button", { type: "button", onclick: () => sort(column) }, column.title) : column.title,
    ),
  );
  let current = null;
  let down = false;
  function sort(column) {
    down = column === current ? !down : Boolean(column.down);
    current = column;
    const value = ({ agent }) => column.value(agent);
    rows.sort((a, b) => {
      if (value(a) === null || value(b) === null) return (value(a) === null) - (value(b) === null); // not known: last
      return (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (down ? -1 : 1);
    });
    body.append(...rows.map(({ row }) => row));
    heads.forEach((head, i) => {
      if (COLUMNS[i] === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }
  sort(COLUMNS[1]);
  return h(
    "section",
    { id: "leaderboard" },
    h("h2", {}, "Leaderboard"),
    h(
      "p",
      { class: "muted" },
      "A score of 0 is that of uniformly random actions, 1 that of the task's reference. ",
      "Tasks that were not done count as 0. Ranges are 95% intervals.",
    ),
    h("table", { class: "board" }, h("thead", {}, h("tr", {}, heads)), body),
  );
}
