// What surrounds the tasks: the header, scores and learning curves of all of them, and the agents.

function header() {
  const started = AGENTS.map((one) => one.started)
    .filter(Boolean)
    .sort()
    .map(day);
  themeButton = h("button", { type: "button", class: "theme", onclick: toggleTheme });
  const versions = AGENTS.map((one) =>
    Object.entries(one.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  );
  const links = [
    ["#leaderboard", "Leaderboard"],
    ["#scores", "Scores"],
    ["#curves", "Learning curves"],
    ["#tasks", "Tasks"],
    ["#agents", "Agents"],
  ];
  return h(
    "header",
    {},
    h(
      "div",
      {},
      h("h1", {}, DATA.suite),
      h("p", { class: "lead" }, `${plural(AGENTS.length, "agent")} on ${plural(DATA.tasks.length, "task")}`),
    ),
    themeButton,
    facts([
      ["Evaluated", distinct([started[0], started.at(-1)]).join(" to ")],
      ["Device", distinct(AGENTS.map((one) => one.device)).join("; ")],
      ["Versions", distinct(versions).join("; ")],
      ["Report", `${day(DATA.written)}, gc_envs ${DATA.version}`],
    ]),
    h(
      "nav",
      { "aria-label": "Sections" },
      links
        .filter(([to]) => to !== "#curves" || DATA.tasks.some((one) => curvesOf(one).length))
        .map(([to, text]) => h("a", { href: to }, text)),
    ),
  );
}

const distinct = (values) => [...new Set(values)];
const facts = (pairs) =>
  h(
    "dl",
    {},
    pairs.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]),
  );

let themeButton;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const other = theme === "dark" ? "light" : "dark";
  themeButton.textContent = other === "dark" ? "Dark" : "Light";
  themeButton.setAttribute("aria-label", `Switch to ${other} colours`);
}

const toggleTheme = () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");

function followTheme() {
  // of the system, until the button is used, and of paper
  const follow = () => setTheme(prefersDark.matches ? "dark" : "light");
  follow();
  prefersDark.addEventListener("change", follow);
  themeButton.addEventListener("click", () => prefersDark.removeEventListener("change", follow));
  let before;
  addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme;
    setTheme("light");
  });
  addEventListener("afterprint", () => setTheme(before));
}

function scores() {
  return h(
    "section",
    { id: "scores" },
    h("h2", {}, "Score by task"),
    h(
      "p",
      { class: "muted" },
      "Marks are scores, lines 95% intervals, and dashed lines published values of other protocols. ",
      "A task's name leads to its goals and videos.",
    ),
    legend(AGENTS.map((_, index) => index)),
    h(
      "div",
      { class: "multiples" },
      DATA.tasks.map((task) =>
        h(
          "figure",
          {},
          h("figcaption", {}, taskLink(task)),
          drawing((width) => scorePlot(task, width, "score")),
        ),
      ),
    ),
  );
}

function curves() {
  const tasks = DATA.tasks.filter((task) => curvesOf(task).length);
  if (!tasks.length) return null;
  const shown = [...new Set(tasks.flatMap((task) => curvesOf(task).map((one) => one.index)))].sort((a, b) => a - b);
  return h(
    "section",
    { id: "curves" },
    h("h2", {}, "Learning curves"),
    h("p", { class: "muted" }, "Evaluations during training by environment steps, one line for each training run."),
    legend(shown),
    h(
      "div",
      { class: "multiples narrow" },
      tasks.map((task) =>
        h(
          "figure",
          {},
          h("figcaption", {}, taskLink(task), h("span", { class: "muted" }, ` ${task.entry.metric}`)),
          drawing((width) => curvePlot(task, width)),
        ),
      ),
    ),
  );
}

// A second click on a link opens a task again, although the address does not change.
const taskLink = (task) => h("a", { href: `#${task.entry.name}`, onclick: () => setTimeout(follow) }, task.entry.name);

function agents() {
  return h(
    "section",
    { id: "agents" },
    h("h2", {}, "How the agents were evaluated"),
    AGENTS.map((one, index) =>
      h(
        "details",
        { class: "card" },
        h("summary", {}, h("h3", {}, agentName(index))),
        command(one.command),
        facts([
          ["Evaluated", `${day(one.started)}${one.seconds ? `, in ${duration(one.seconds)}` : ""}`],
          ["Device", one.device],
          ["Commit", one.commit ?? "not known"],
          [
            "Versions",
            Object.entries(one.versions)
              .map(([name, version]) => `${name} ${version}`)
              .join(", "),
          ],
        ]),
        training(index),
      ),
    ),
  );
}

function training(index) {
  const members = DATA.tasks.flatMap((task) =>
    task.outcomes[index].members.filter((one) => one.training).map((one) => [task, one]),
  );
  return (
    members.length > 0 &&
    h(
      "div",
      {},
      h("h4", {}, "Training"),
      h(
        "ul",
        { class: "plain" },
        members.map(([task, one]) =>
          h(
            "li",
            {},
            h(
              "p",
              {},
              taskLink(task),
              ` ${one.name}: ${one.training.agent}, ${short(one.training.steps)} steps `,
              `in ${duration(one.training.seconds)}`,
            ),
            command(one.training.command),
          ),
        ),
      ),
    )
  );
}
