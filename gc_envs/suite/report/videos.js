// Recorded episodes.

function videos(task) {
  const groups = [
    ["Successful episodes", true],
    ["Failed episodes", false],
  ];
  return groups.map(([title, success]) => {
    const clips = task.clips.filter((one) => one.video.success === success);
    return (
      clips.length > 0 && [
        h("h4", {}, title),
        h(
          "div",
          { class: "clips" },
          clips.map((one) => clipFigure(one)),
        ),
      ]
    );
  });
}

const still = matchMedia("(prefers-reduced-motion: reduce)");

function clipFigure(clip) {
  const { video } = clip;
  const goal = video.goal ?? "a sampled goal";
  const words = `${video.success ? "Reached" : "Not reached"}: ${goal}, ${AGENTS[clip.agent].name}`;
  return h(
    "figure",
    { class: "clip" },
    clip.source ? film(clip.source, words) : h("p", { class: "nofilm muted" }, "This video is not in the report."),
    h(
      "figcaption",
      {},
      h(
        "p",
        {},
        h(
          "span",
          { class: video.success ? "badge reached" : "badge missed" },
          video.success ? "reached" : "not reached",
        ),
        video.goal !== null && [" ", h("strong", {}, goal)],
      ),
      h("p", {}, agentName(clip.agent), h("span", { class: "muted" }, ` seed ${video.seed}`)),
      command(video.command),
    ),
  );
}

// A GIF that a click stops: its first frame, on a canvas, then stands in its place.
function film(source, words) {
  const image = h("img", { alt: words, width: 160 });
  const canvas = h("canvas", { hidden: true, role: "img", "aria-label": words });
  const button = h("button", { type: "button", class: "play" });
  function play(plays) {
    image.hidden = !plays;
    canvas.hidden = plays;
    button.textContent = plays ? "Pause" : "Play";
    button.setAttribute("aria-label", `${button.textContent}: ${words}`);
    if (plays) image.src = source; // from its beginning
  }
  image.addEventListener("load", () => {
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext("2d").drawImage(image, 0, 0);
  });
  button.addEventListener("click", () => play(image.hidden));
  image.src = source;
  play(!still.matches);
  return h("div", { class: "film" }, image, canvas, button);
}
