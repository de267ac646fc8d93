// The picture of a finite goal set: a cell for each goal, in groups by the part of the name before "/".

const ORDERS = {
  "in the task's order": () => (a, b) => a.index - b.index,
  "by name": () => (a, b) => a.name.localeCompare(b.name, "en", { numeric: true }),
  "most successful first": (share) => (a, b) => share(b) - share(a) || a.index - b.index,
  "least successful first": (share) => (a, b) => share(a) - share(b) || a.index - b.index,
};

const kindOf = (name) => (name.includes("/") ? name.slice(0, name.indexOf("/")) : "goals");
const restOf = (name) => name.slice(name.indexOf("/") + 1);

// Of an agent and a goal: the episodes, the successful ones, and the seeds of those.
function countsOf(task, agent, goal) {
  const seeds = task.outcomes[agent].members.flatMap((one) => one.seeds);
  const successes = sum(seeds.map((one) => one.successes[goal]));
  const reached = [...new Set(seeds.filter((one) => one.successes[goal]).map((one) => one.seed))];
  return { episodes: seeds.length * task.entry.episodes, successes, reached };
}

function countsText({ episodes, successes, reached }) {
  const seeds = successes ? `; ${reached.length === 1 ? "seed" : "seeds"} ${reached.join(", ")}` : "";
  return `${successes} of ${plural(episodes, "episode")}${seeds}`;
}

function goalPicture(task) {
  const able = AGENTS.map((_, index) => index).filter((index) => task.outcomes[index].score.status === "done");
  if (!able.length) return null;
  const best = able.reduce((a, b) => (task.outcomes[b].score.score > task.outcomes[a].score.score ? b : a));
  const name = (key) => `${task.entry.name}-${key}`;
  const agent = h(
    "select",
    { id: name("agent"), onchange: () => draw() },
    able.map((index) => h("option", { value: index, selected: index === best }, AGENTS[index].name)),
    able.length > 1 && h("option", { value: "all" }, "all, side by side"),
  );
  const order = h(
    "select",
    { id: name("order"), onchange: () => draw() },
    Object.keys(ORDERS).map((one) => h("option", {}, one)),
  );
  const filter = h("input", {
    id: name("filter"),
    type: "search",
    placeholder: "part of a name",
    autocomplete: "off",
    oninput: () => sift(),
  });
  const named = h("input", {
    id: name("named"),
    type: "checkbox",
    onchange: () => panels.classList.toggle("named", named.checked),
  });
  const count = h("output", { class: "muted", for: name("filter") });
  const panels = h("div", { class: "panels" });
  const details = h(
    "aside",
    { class: "goal", "aria-live": "polite" },
    h("p", { class: "muted" }, "Choose a goal to see its counts and videos."),
  );

  function draw() {
    const shown = agent.value === "all" ? able : [Number(agent.value)];
    panels.replaceChildren(...shown.map((index) => panel(task, index, ORDERS[order.value], show, shown.length > 1)));
    panels.classList.toggle("several", shown.length > 1);
    sift();
  }

  function sift() {
    const words = filter.value.trim().toLowerCase().split(/\s+/);
    const matches = (one) => words.every((word) => one.toLowerCase().includes(word));
    for (const cell of panels.querySelectorAll(".cell")) cell.hidden = !matches(cell.dataset.goal);
    for (const group of panels.querySelectorAll(".group")) group.hidden = !group.querySelector(".cell:not([hidden])");
    for (const one of panels.querySelectorAll(".panel")) oneStop(one);
    count.textContent = `${task.goals.filter(matches).length} of ${plural(task.goals.length, "goal")}`;
  }

  function show(goal) {
    for (const cell of panels.querySelectorAll(".cell"))
      cell.toggleAttribute("data-chosen", cell.dataset.goal === task.goals[goal]);
    details.replaceChildren(...goalDetails(task, goal, able).filter(Boolean));
    details.scrollIntoView({ block: "nearest" });
    history.replaceState(null, "", `#${task.entry.name}/${encodeURI(task.goals[goal])}`);
  }

  draw();
  return h(
    "div",
    { class: "picture" },
    h(
      "div",
      { class: "controls" },
      [
        ["agent", "Agent", agent],
        ["order", "Order", order],
        ["filter", "Filter", filter],
      ].map(([key, text, field]) =>
        key === "agent" && able.length < 2 ? null : h("label", { for: name(key) }, h("span", {}, text), field),
      ),
      h("label", { class: "check", for: name("named") }, named, h("span", {}, "Show names")),
      count,
      scale(),
    ),
    h("div", { class: "split" }, panels, details),
  );
}

const scale = () =>
  h(
    "div",
    { class: "scale", role: "img", "aria-label": "Colours: from no successful episode to all" },
    h("span", {}, "0"),
    h("span", { class: "ramp" }),
    h("span", {}, "1"),
    h("span", {}, "share of successful episodes"),
  );

function panel(task, index, order, show, isOneOfSeveral) {
  const goals = task.goals.map((name, i) => ({ name, index: i, ...countsOf(task, index, i) }));
  const share = (one) => one.successes / one.episodes;
  const groups = new Map();
  for (const one of goals) groups.set(kindOf(one.name), [...(groups.get(kindOf(one.name)) ?? []), one]);
  return h(
    "div",
    {
      class: "panel",
      role: "group",
      "aria-label": `Goals of ${AGENTS[index].name}; arrow keys move`,
      onkeydown: moveFocus,
    },
    isOneOfSeveral && h("h5", {}, agentName(index)),
    [...groups].map(([kind, members]) =>
      h(
        "div",
        { class: "group" },
        h(
          "h6",
          {},
          h("span", {}, kind),
          h(
            "span",
            { class: "muted" },
            `${members.filter((one) => one.successes).length} of ${members.length} reached, `,
            `mean ${number(mean(members.map(share)))}`,
          ),
        ),
        h(
          "div",
          { class: "cells" },
          [...members].sort(order(share)).map((one) =>
            h(
              "button",
              {
                type: "button",
                class: `cell${share(one) > 0.5 ? " high" : ""}${share(one) > 0.72 ? " top" : ""}`,
                tabindex: "-1",
                "data-goal": one.name,
                "data-tip": `${one.name}\n${AGENTS[index].name}: ${countsText(one)}`,
                "aria-label": `${one.name}: ${countsText(one)}`,
                vars: { "--share": `${Math.round(share(one) * 100)}%` },
                onclick: () => show(one.index),
              },
              h("span", {}, restOf(one.name)),
            ),
          ),
        ),
      ),
    ),
  );
}

// A picture is one stop of the Tab key; from there, arrow keys go from cell to cell.
function oneStop(box, chosen) {
  const cells = [...box.querySelectorAll(".cell:not([hidden])")];
  for (const cell of box.querySelectorAll('.cell[tabindex="0"]')) cell.tabIndex = -1;
  const stop = chosen ?? cells[0];
  if (stop) stop.tabIndex = 0;
}

function moveFocus(event) {
  const cells = [...event.currentTarget.querySelectorAll(".cell:not([hidden])")];
  const at = cells.indexOf(document.activeElement);
  const here = cells[at]?.getBoundingClientRect();
  if (!here) return;
  const middle = here.left + here.width / 2;
  const nearest = (ahead) => {
    // the nearest cell of the next line that has any
    const boxes = ahead
      .map((cell) => [cell, cell.getBoundingClientRect()])
      .filter(([, box]) => Math.abs(box.top - here.top) > 2);
    const line = boxes.filter(([, box]) => Math.abs(box.top - boxes[0][1].top) <= 2);
    return line.sort(
      ([, a], [, b]) => Math.abs(a.left + a.width / 2 - middle) - Math.abs(b.left + b.width / 2 - middle),
    )[0]?.[0];
  };
  const to = {
    ArrowRight: () => cells[at + 1],
    ArrowLeft: () => cells[at - 1],
    Home: () => cells[0],
    End: () => cells.at(-1),
    ArrowDown: () => nearest(cells.slice(at)),
    ArrowUp: () => nearest(cells.slice(0, at).reverse()),
  }[event.key]?.();
  if (!to) return;
  event.preventDefault();
  oneStop(event.currentTarget, to);
  to.focus();
}
