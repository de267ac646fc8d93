// The top of the page: what was evaluated, the leaderboard, scores and learning curves of all tasks.

function header() {
  const started = AGENTS.map((one) => one.started).filter(Boolean).sort().map(day);
  themeButton = h("button", { type: "button", class: "theme", onclick: toggleTheme });
  const versions = AGENTS.map((one) => Object.entries(one.versions).map(([name, version]) => `${name} ${version}`).join(", "));
  const links = [["#leaderboard", "Leaderboard"], ["#scores", "Scores"], ["#curves", "Learning curves"], ["#tasks", "Tasks"], ["#agents", "Agents"]];
  return h("header", {},
    h("div", {},
      h("h1", {}, DATA.suite),
      h("p", { class: "lead" }, `${plural(AGENTS.length, "agent")} on ${plural(DATA.tasks.length, "task")}`)),
    themeButton,
    facts([
      ["Evaluated", distinct([started[0], started.at(-1)]).join(" to ")],
      ["Device", distinct(AGENTS.map((one) => one.device)).join("; ")],
      ["Versions", distinct(versions).join("; ")],
      ["Report", `${day(DATA.written)}, gc_envs ${DATA.version}`],
    ]),
    h("nav", { "aria-label": "Sections" }, links.filter(([to]) => to !== "#curves" || DATA.tasks.some((one) => curvesOf(one).length))
      .map(([to, text]) => h("a", { href: to }, text))));
}

const distinct = (values) => [...new Set(values)];
const facts = (pairs) => h("dl", {}, pairs.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));

let themeButton;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const other = theme === "dark" ? "light" : "dark";
  themeButton.textContent = other === "dark" ? "Dark" : "Light";
  themeButton.setAttribute("aria-label", `Switch to ${other} colours`);
}

const toggleTheme = () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");

function followTheme() { // of the system, until the button is used, and of paper
  const follow = () => setTheme(prefersDark.matches ? "dark" : "light");
  follow();
  prefersDark.addEventListener("change", follow);
  themeButton.addEventListener("click", () => prefersDark.removeEventListener("change", follow));
  let before;
  addEventListener("beforeprint", () => { before = document.documentElement.dataset.theme; setTheme("light"); });
  addEventListener("afterprint", () => setTheme(before));
}

// The columns of the leaderboard: a heading, the value to sort by (the larger first if `down`), and the cell.
const COLUMNS = [
  { title: "Agent", value: (one) => one.name.toLowerCase(), cell: (one, i) => agentName(i) },
  { title: "Interquartile mean", down: true, value: (one) => one.summary.iqm, cell: (one, i) => scoreCell(one.summary.iqm, one.summary.iqm_ci, i) },
  { title: "Mean score", down: true, value: (one) => one.summary.mean, cell: (one, i) => scoreCell(one.summary.mean, one.summary.mean_ci, i) },
  { title: "Tasks done", down: true, value: (one) => one.counts.done, cell: (one) => countsCell(one.counts) },
  { title: "Training steps", value: (one) => one.summary.training_steps, cell: (one) => known(one.summary.training_steps, short) },
  { title: "Training time", value: (one) => one.summary.training_seconds, cell: (one) => known(one.summary.training_seconds, duration) },
  { title: "Trained on", value: (one) => one.summary.training_device, cell: (one) => known(one.summary.training_device, (text) => h("span", { class: "device" }, text)) },
  { title: "Command", cell: (one) => copyButton(one.command) },
];
const known = (value, show) => (value === null ? h("span", { class: "muted" }, "not known") : show(value));

function scoreCell(value, ci, index) {
  const all = AGENTS.flatMap((one) => [...one.summary.iqm_ci, ...one.summary.mean_ci]);
  return h("div", { class: "score" },
    h("strong", {}, number(value)), h("span", { class: "muted" }, interval(ci)),
    bar(value, ci, index, [Math.min(0, ...all), Math.max(1, ...all)]));
}

function countsCell(counts) {
  const holes = [["cannot", "cannot"], ["failed", "failed"], ["missing", "missing"]].filter(([key]) => counts[key]);
  return h("div", { class: "counts" }, h("span", {}, `${counts.done} of ${DATA.tasks.length}`),
    holes.map(([key, word]) => h("span", { class: `badge ${key}` }, `${counts[key]} ${word}`)));
}

function leaderboard() {
  const body = h("tbody", {}, AGENTS.map((one, index) => h("tr", {}, COLUMNS.map((column, i) =>
    h(i === 0 ? "th" : "td", { ...(i === 0 ? { scope: "row" } : {}), "data-label": column.title }, column.cell(one, index))))));
  const rows = [...body.children].map((row, index) => ({ row, agent: AGENTS[index] }));
  const heads = COLUMNS.map((column) => h("th", { scope: "col" }, column.value ?
    h("button", { type: "button", onclick: () => sort(column) }, column.title) : column.title));
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
  return h("section", { id: "leaderboard" },
    h("h2", {}, "Leaderboard"),
    h("p", { class: "muted" }, "A score of 0 is that of uniformly random actions, 1 that of the task's reference. ",
      "Tasks that were not done count as 0. Ranges are 95% intervals."),
    h("table", { class: "board" }, h("thead", {}, h("tr", {}, heads)), body));
}

function scores() {
  return h("section", { id: "scores" },
    h("h2", {}, "Score by task"),
    h("p", { class: "muted" }, "Marks are scores, lines 95% intervals, and dashed lines published values of other protocols. ",
      "A task's name leads to its goals and videos."),
    legend(AGENTS.map((_, index) => index)),
    h("div", { class: "multiples" }, DATA.tasks.map((task) => h("figure", {},
      h("figcaption", {}, taskLink(task)), drawing((width) => scorePlot(task, width, "score"))))));
}

function curves() {
  const tasks = DATA.tasks.filter((task) => curvesOf(task).length);
  if (!tasks.length) return null;
  const shown = [...new Set(tasks.flatMap((task) => curvesOf(task).map((one) => one.index)))].sort((a, b) => a - b);
  return h("section", { id: "curves" },
    h("h2", {}, "Learning curves"),
    h("p", { class: "muted" }, "Evaluations during training by environment steps, one line for each training run."),
    legend(shown),
    h("div", { class: "multiples narrow" }, tasks.map((task) => h("figure", {},
      h("figcaption", {}, taskLink(task), h("span", { class: "muted" }, ` ${task.entry.metric}`)),
      drawing((width) => curvePlot(task, width))))));
}

const taskLink = (task) => h("a", { href: `#${task.entry.name}` }, task.entry.name);

function agents() {
  return h("section", { id: "agents" },
    h("h2", {}, "How the agents were evaluated"),
    AGENTS.map((one, index) => h("details", { class: "card" },
      h("summary", {}, h("h3", {}, agentName(index))),
      command(one.command),
      facts([
        ["Evaluated", `${day(one.started)}${one.seconds ? `, in ${duration(one.seconds)}` : ""}`],
        ["Device", one.device], ["Commit", one.commit ?? "not known"],
        ["Versions", Object.entries(one.versions).map(([name, version]) => `${name} ${version}`).join(", ")],
      ]),
      training(index))));
}

function training(index) {
  const members = DATA.tasks.flatMap((task) => task.outcomes[index].members.filter((one) => one.training).map((one) => [task, one]));
  return members.length > 0 && h("div", {}, h("h4", {}, "Training"), h("ul", { class: "plain" }, members.map(([task, one]) =>
    h("li", {}, h("p", {}, taskLink(task), ` ${one.name}: ${one.training.agent}, ${short(one.training.steps)} steps in ${duration(one.training.seconds)}`),
      command(one.training.command)))));
}
