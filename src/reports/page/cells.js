// SPDX-License-Identifier: Apache-2.0
//
// cells.js - a value of a record as the content of a cell, by its column's type and name.

import { sessionPath } from "./address.js";
import { h, icon, siteText } from "./dom.js";
import { clock, count, time, visible } from "./format.js";

const SHORT = 32; // characters that stay on one line
const STATES = {
  running: ["pending", "Running"], closed: ["ok", "Closed"], abnormal: ["warning", "Abnormal"],
  connected: ["ok", "Connected"], pending: ["pending", "Pending"], "action required": ["warning", "Action Required"], off: ["off", "Off"],
  ok: ["ok", "OK"], idle: ["off", "Idle"], working: ["pending", "Working"], failing: ["warning", "Failing"],
  unused: ["off", "Not in use"], denied: ["warning", "Denied"],
};

/** The state of a session, a site or a source: a drawing and a word. */
export function stateBadge(state) {
  const key = String(state ?? "").toLowerCase();
  const [drawing, word] = STATES[key] ?? ["off", visible(state ?? "–")];
  return h("span", { class: "state", dataset: { state: key.replaceAll(" ", "-") } }, icon(drawing), word);
}

/** Whether a column's values line up at the right. */
export function isNumeric(column) {
  return ["number", "duration"].includes(column.type) && !/(?:^|_)id$/.test(column.name);
}

const yes = (value) => value === true || value === 1 || value === "1";

function number(value, column) {
  return isNumeric(column) && typeof value === "number" ? count(value) : visible(value);
}

const TYPES = {
  time: (value) => h("time", { datetime: visible(value) }, time(value)),
  duration: (value) => (typeof value === "number" ? clock(value) : visible(value)),
  number,
  bool: (value) => (yes(value) ? "Yes" : "No"),
};

/** Content of a cell; `query` is what links to other pages of ours keep. */
export function cell(row, column, query = "") {
  const value = row[column.name];
  if (value === null || value === undefined || value === "") return h("span", { class: "none" }, "–");
  if (column.name === "lsid") {
    const host = row.site ?? row.host_name;
    return host ? h("a", { class: "mono", href: sessionPath(host, value) + query }, visible(value)) : h("span", { class: "mono" }, visible(value));
  }
  if (column.name === "state") return stateBadge(value);
  if (typeof value === "object") return visible(JSON.stringify(value));
  return TYPES[column.type]?.(value, column) ?? siteText(value, { class: String(value).length <= SHORT ? "short" : null });
}
