// SPDX-License-Identifier: Apache-2.0
//
// charts.js - draws the numbers of a tile with Chart.js, which is loaded when the first chart is due.
//
// A chart repeats what the list beside it says: without the library a tile lacks nothing but its picture. Colours are
// those of the style sheet. Nothing moves.

import { count } from "./format.js";

let library = null;

/** Loads the library; null where it cannot be had. */
function load() {
  library ??= import("./chart.js").then(() => globalThis.Chart, () => {
    library = null;
    return null;
  });
  return library;
}

/** The colours of the style sheet as they count now: a probe resolves them, light or dark. */
function colours(probe) {
  const style = getComputedStyle(probe);
  const read = (name) => {
    probe.style.color = `var(${name})`;
    return style.color;
  };
  return { bar: read("--chart"), hover: read("--accent"), text: read("--muted"), line: read("--line"), box: read("--text"), page: read("--surface") };
}

function tooltip(c, label) {
  return {
    backgroundColor: c.box, titleColor: c.page, bodyColor: c.page, displayColors: false, cornerRadius: 3, padding: 8, caretSize: 4,
    callbacks: { title: (items) => label(items[0].dataIndex), label: (item) => count(item.raw) },
  };
}

function common(c, items, label, open) {
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    events: ["mousemove", "mouseout", "click"],
    // Later, since going elsewhere destroys the chart, which has not done with the event.
    onClick: (_, hits) => hits[0] && queueMicrotask(() => open(items[hits[0].index])),
    onHover: (event, hits) => (event.native.target.style.cursor = hits[0] && items[hits[0].index].href ? "pointer" : "default"),
    plugins: { legend: { display: false }, tooltip: tooltip(c, label) },
  };
}

const font = { family: "system-ui, sans-serif", size: 11 };

/** Short name of a bucket for the axis: its begin in the page's zone, as much of it as tells buckets apart. */
function tick(item, bucket) {
  const from = /^(\d{4}-\d\d)-(\d\d)T(\d\d:\d\d)/.exec(item.from ?? "");
  if (!from) return item.label;
  if (bucket === "hour") return from[3];
  return bucket === "month" ? from[1] : `${from[1].slice(5)}-${from[2]}`;
}

function seriesConfig(items, bucket, open, c) {
  const labels = items.map((item) => tick(item, bucket));
  const options = common(c, items, (i) => items[i].label, open);
  options.interaction = { mode: "index", intersect: false, axis: "x" };
  options.scales = {
    x: { grid: { display: false, borderColor: c.line }, ticks: { color: c.text, font, maxRotation: 0, autoSkipPadding: 14 } },
    y: {
      beginAtZero: true, suggestedMax: 4, grid: { color: c.line, drawBorder: false, drawTicks: false },
      ticks: { color: c.text, font, precision: 0, maxTicksLimit: 5, padding: 6, callback: (n) => count(n) },
    },
  };
  const dataset = { data: items.map((item) => item.value), backgroundColor: c.bar, hoverBackgroundColor: c.hover, borderRadius: 2, maxBarThickness: 34, categoryPercentage: 0.86, barPercentage: 0.94 };
  return { type: "bar", data: { labels, datasets: [dataset] }, options };
}

/** "Other" has no bar: it is often longer than all the rest, which would become too short to compare. */
function barsConfig(items, bucket, open, c) {
  const values = items.map((item) => (item.rest || item.value === 0 ? null : item.value));
  const options = common(c, items, (i) => items[i].label, open);
  options.indexAxis = "y";
  options.interaction = { mode: "index", intersect: false, axis: "y" };
  options.scales = { x: { display: false, beginAtZero: true, max: Math.max(1, ...values) }, y: { display: false, offset: true } };
  options.layout = { padding: 0 };
  const dataset = { data: values, backgroundColor: c.bar, hoverBackgroundColor: c.hover, borderRadius: 2, minBarLength: 2, categoryPercentage: 1, barPercentage: 0.46 };
  return { type: "bar", data: { labels: items.map((item) => item.label), datasets: [dataset] }, options };
}

const KINDS = { series: seriesConfig, bars: barsConfig };

/** One canvas and what is drawn on it. */
export class Drawing {
  /** `kind`: series or bars. `open(item)` is called for an item whose bar was chosen. */
  constructor(canvas, kind, open) {
    Object.assign(this, { canvas, kind, open, chart: null });
  }

  async draw(items, bucket) {
    this.last = [items, bucket];
    const Chart = await load();
    if (!Chart || !this.canvas.isConnected || this.last[0] !== items) return;
    const config = KINDS[this.kind](items, bucket, this.open, colours(this.canvas));
    if (this.chart) {
      Object.assign(this.chart, { data: config.data, options: config.options });
      this.chart.update("none");
    } else {
      this.chart = new Chart(this.canvas, config);
    }
  }

  /** Once more, in the colours that now count. */
  redraw() {
    if (this.last) this.draw(...this.last);
  }

  destroy() {
    this.last = [];
    this.chart?.destroy();
    this.chart = null;
  }
}

/** What a chart shows, as a sentence. */
export function sentence({ title, kind, items }) {
  if (items.length === 0) return `${title}: nothing in this range.`;
  const total = items.reduce((sum, item) => sum + item.value, 0);
  const most = items.reduce((best, item) => (item.value > best.value ? item : best));
  if (kind === "series") return `Bar chart of ${title}: ${count(total)} in all from ${items[0].label} to ${items.at(-1).label}, at most ${count(most.value)} at ${most.label}.`;
  return `Bar chart of ${title}: ${items.length} ${items.length === 1 ? "bar" : "bars"}, the longest ${most.label} with ${count(most.value)}.`;
}
