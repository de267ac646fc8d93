// Results of benchmarks, below everything else. This file is part of reports that have any.

// A number of any size, with four digits or as a whole number.
function rounded(value) {
  const size = Math.abs(value);
  if (size >= 1e12 || (size > 0 && size < 1e-4)) return minus(value.toExponential(2));
  const digits = size >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 4 };
  return minus(value.toLocaleString("en", digits));
}

const entryText = (value) => (typeof value === "string" ? value : [value].flat().map(rounded).join(", "));

function targetCell(metric) {
  if (metric.target === null) return null;
  const reached = metric.reached ? "reached" : "missed";
  return [
    `${metric.at_most ? "at most" : "at least"} ${rounded(metric.target)} `,
    metric.reached !== null && h("span", { class: `badge ${reached}` }, metric.reached ? "reached" : "not reached"),
  ];
}

function metricTable(one) {
  const columns = [
    ["Value", (metric) => h("strong", {}, metric.value === null ? "not known" : rounded(metric.value))],
    ["Interval", (metric) => metric.interval && metric.interval.map(rounded).join(" to ")],
    ["Target", targetCell],
  ].filter(([title]) => title === "Value" || one.metrics.some((metric) => metric[title.toLowerCase()] !== null));
  const rows = one.metrics.map((metric) => {
    const of = Object.entries(metric.of).map(([name, value]) => `${name} ${entryText(value)}`);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, metric.name, of.length > 0 && h("span", { class: "muted" }, of.join(", "))),
      columns.map(([, cell]) => h("td", {}, cell(metric))),
    );
  });
  return scrolled(`Metrics of ${one.title}`, ["Metric", ...columns.map(([title]) => title)], rows);
}

function measurement(one) {
  const versions = Object.entries(one.versions).map(([name, version]) => `${name} ${version}`);
  return h(
    "article",
    { class: "measurement" },
    h("h3", {}, one.title),
    one.figure && h("figure", {}, h("img", { src: one.figure, alt: `Figure of the results of ${one.title}` })),
    one.figure_note && h("p", { class: "muted" }, one.figure_note),
    one.metrics.length > 0 && metricTable(one),
    one.notes && h("p", { class: "muted" }, one.notes),
    command(one.command),
    facts([
      ["Device", one.device],
      ["Versions", versions.join(", ")],
    ]),
  );
}

document.querySelector("main").append(
  h(
    "section",
    { id: "measurements" },
    h("h2", {}, "Measurements"),
    h("p", { class: "muted" }, "Results of benchmarks. Targets of times, sizes and costs are upper bounds."),
    DATA.measurements.map(measurement),
  ),
);
document.querySelector("nav").append(h("a", { href: "#measurements" }, "Measurements"));
