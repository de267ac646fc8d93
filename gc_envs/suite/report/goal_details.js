// What is shown of a chosen goal: counts for each seed, videos, and the commands that record its episodes.

function goalDetails(task, goal, able) {
  const name = task.goals[goal];
  const { seeds, episodes } = task.entry;
  const clips = task.clips.filter((one) => one.video.goal === name);
  const rows = able.map((index) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, agentName(index)),
      seeds.map((_, i) => {
        const all = task.outcomes[index].members.map((member) => member.seeds[i].successes[goal]);
        return h("td", {}, `${sum(all)} of ${all.length * episodes}`);
      }),
    ),
  );
  return [
    h("h5", {}, name),
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Agent"),
          seeds.map((seed) => h("th", { scope: "col" }, `Seed ${seed}`)),
        ),
      ),
      h("tbody", {}, rows),
    ),
    clips.length
      ? h(
          "div",
          { class: "clips" },
          clips.map((one) => clipFigure(one)),
        )
      : h("p", { class: "muted" }, "No episode of this goal was recorded."),
    recording(task, goal),
  ];
}

// The command that records any episode of a goal, by the seed of the evaluation.
function recording(task, goal) {
  const { name, seeds, episodes } = task.entry;
  const quoted = `'${task.goals[goal].replaceAll("'", "'\\''")}'`;
  const lines = seeds.flatMap((seed, i) =>
    task.episode_seeds[i]
      .slice(goal * episodes, (goal + 1) * episodes)
      .map((one) => [seed, `gc-envs render RUN --suite ${DATA.suite} --task ${name} --goal ${quoted} --seed ${one}`]),
  );
  return h(
    "details",
    { class: "more" },
    h("summary", {}, "Record its episodes"),
    h("p", { class: "muted" }, "RUN is a run folder, a model file, or --policy MODULE:FUNCTION."),
    lines.map(([seed, line]) => h("div", {}, h("p", { class: "muted" }, `Seed ${seed}`), command(line))),
  );
}
