// From a task to its goals and episodes; and what builds the page.

function tasks() {
  return h(
    "section",
    { id: "tasks" },
    h("h2", {}, "Tasks"),
    DATA.tasks.map((task) => {
      const box = h(
        "details",
        { class: "card task", id: task.entry.name },
        h("summary", {}, h("h3", {}, task.entry.name), h("span", { class: "muted" }, taskSummary(task))),
      );
      box.addEventListener("toggle", () => open(box, task));
      return box;
    }),
  );
}

function taskSummary(task) {
  const done = task.outcomes.filter((one) => one.score.status === "done");
  const best = Math.max(...done.map((one) => one.score.score));
  const goals = task.goals.length ? plural(task.goals.length, "goal") : "sampled goals";
  const videos = task.clips.length ? `, ${plural(task.clips.length, "video")}` : "";
  return `${goals}${videos}; ${done.length ? `best score ${number(best)}` : "done by no agent"}`;
}

// Contents are made when they are first seen: a report has thousands of cells.
function open(box, task) {
  if (!box.open || box.children.length > 1) return;
  const entry = task.entry;
  const kwargs = Object.entries(entry.env_kwargs)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
  const per = task.goals.length
    ? `${plural(entry.episodes, "episode")} for each goal and seed`
    : `${plural(entry.episodes, "episode")} for each seed`;
  box.append(
    h(
      "div",
      { class: "contents" },
      h(
        "p",
        { class: "muted" },
        h("code", {}, entry.env_id),
        kwargs && ` with ${kwargs}`,
        `; ${per}, ${plural(entry.max_steps, "step")} at most. `,
        `Score 0 is a ${entry.metric} of ${number(entry.random_score)}, that of random actions; `,
        `score 1 is ${number(entry.reference)}: ${entry.source}.`,
      ),
      drawing((width) => scorePlot(task, width, "metric")),
      results(task),
      published(task),
      task.goals.length > 0 && [h("h4", {}, "Goals"), goalPicture(task)],
      curvesOf(task).length > 0 && [
        h("h4", {}, "Learning curves"),
        drawing((width) => curvePlot(task, Math.min(width, 560))),
      ],
      videos(task),
    ),
  );
}

// A row for each agent; those with several members have a row for each of them in a second table.
function results(task) {
  const several = task.outcomes.some((one) => one.members.length > 1);
  const rows = task.outcomes.map((outcome, index) =>
    outcome.score.status === "done"
      ? resultRow(task, index, outcome.members, outcome.score.score, interval(outcome.score.ci))
      : h(
          "tr",
          {},
          h("th", { scope: "row" }, agentName(index)),
          h(
            "td",
            { colspan: "9", class: "hole" },
            h("span", { class: `badge ${outcome.score.status}` }, statusText(outcome)),
          ),
        ),
  );
  const members = task.outcomes.flatMap((outcome, index) =>
    outcome.members.map((member, i) => resultRow(task, index, [member], outcome.score.members[i])),
  );
  return [
    resultTable(task, "95% interval", rows),
    several && h("details", { class: "more" }, h("summary", {}, "Every member"), resultTable(task, null, members)),
  ];
}

function resultTable(task, last, rows) {
  const { metric, name, seeds } = task.entry;
  const columns = [
    "Agent",
    "Member",
    ...seeds.map((seed) => `Seed ${seed}`),
    `Mean ${metric}`,
    metric === "success" && "At the last step",
    "Score",
    last,
  ].filter(Boolean);
  return scrolled(`Results on ${name}`, columns, rows);
}

const scrolled = (label, columns, rows) =>
  h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((one) => h("th", { scope: "col" }, one)),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );

function resultRow(task, index, members, score, range) {
  const { metric, seeds, episodes } = task.entry;
  const key = metric === "success" ? "success" : "mean_return";
  const overall = (name) => number(mean(members.flatMap((member) => member.seeds.map((one) => one[name]))));
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, agentName(index)),
    h("td", { class: "name" }, members.length > 1 ? plural(members.length, "member") : members[0].name),
    seeds.map((_, i) => {
      const all = members.map((member) => member.seeds[i]);
      const count = all.length * (task.goals.length || 1) * episodes;
      return h(
        "td",
        {},
        number(mean(all.map((one) => one[key]))),
        h("span", { class: "muted" }, ` ${sum(all.flatMap((one) => one.successes))} of ${count}`),
      );
    }),
    h("td", {}, overall(key)),
    metric === "success" && h("td", {}, overall("success_last")),
    h("td", {}, h("strong", {}, number(score))),
    range && h("td", {}, range),
  );
}

function published(task) {
  const { metric, published } = task.entry;
  return (
    published.length > 0 && [
      h("h4", {}, "Published values"),
      scrolled(
        "Published values",
        ["Agent", metric === "success" ? "Success" : "Return", "As a score", "Protocol"],
        published.map((one) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, one.agent),
            h("td", {}, minus(String(one.value))),
            h("td", {}, number(scoreOf(task.entry, one.value))),
            h("td", { class: "text" }, one.protocol),
          ),
        ),
      ),
    ]
  );
}

// The address may end with #TASK or #TASK/GOAL, to be handed on.
function follow() {
  const [name, ...goal] = decoded(location.hash.slice(1)).split("/");
  const box = document.getElementById(name);
  const task = DATA.tasks.find((one) => one.entry.name === name);
  if (!task) return;
  box.open = true;
  open(box, task);
  box.scrollIntoView();
  if (goal.length) [...box.querySelectorAll(".cell")].find((one) => one.dataset.goal === goal.join("/"))?.click();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function openAll() {
  for (const box of document.querySelectorAll("details.card")) box.open = true;
  for (const task of DATA.tasks) open(document.getElementById(task.entry.name), task);
  for (const redraw of drawings) redraw(); // observers would be too late
}

addEventListener("beforeprint", openAll);
document
  .getElementById("report")
  .append(...[header(), h("main", {}, leaderboard(), scores(), curves(), tasks(), agents())]);
followTheme();
watchTips();
follow();
addEventListener("hashchange", follow);
