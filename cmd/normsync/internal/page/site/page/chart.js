// A small bar chart of when things happened.
import { count, el, moment, svg } from "./dom.js";

// buckets counts times in n equal spans between the first and the last of them.
export function buckets(times, n, from = Infinity, to = -Infinity) {
  for (const t of times) {
    if (t < from) from = t;
    if (t > to) to = t;
  }
  const counts = new Array(n).fill(0);
  const span = to - from;
  for (const t of times) counts[span > 0 ? Math.min(n - 1, Math.floor(((t - from) / span) * n)) : n - 1]++;
  return { counts, from, to };
}

// bars returns an SVG with a bar for each count.
export function bars(counts, label, attributes = {}) {
  const height = 30;
  const width = 100;
  const top = Math.max(1, ...counts);
  const step = width / counts.length;
  const marks = counts.map((c, i) => {
    const h = c === 0 ? 0 : Math.max(1.5, (c / top) * height);
    return svg("rect", { class: "mark", x: i * step + step * 0.1, y: height - h, width: step * 0.8, height: h });
  });
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label, ...attributes }, marks);
}

// chart fills a figure with the number of violations over time.
export function chart(figure, times) {
  if (times.length < 2) {
    figure.replaceChildren();
    return;
  }
  const { counts, from, to } = buckets(times, 48);
  const label = `${count(times.length, "violation")} over time, from ${moment(from)} to ${moment(to)}; at most ${Math.max(...counts)} in one of 48 spans`;
  figure.replaceChildren(
    bars(counts, label),
    el("figcaption", {}, el("span", {}, moment(from)), el("span", {}, "Violations over time"), el("span", {}, moment(to))),
  );
}
