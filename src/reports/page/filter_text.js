// SPDX-License-Identifier: Apache-2.0
//
// filter_text.js - the filter of a column: what someone types, and what stands in the address (OP:VALUE).
//
// A bare text means what people mean by it: text that contains it, a number that equals it, a time on that day.
// Short forms: =x  !=x  ^x (begins with)  >=x  <=x  x..y  empty. What the address says is taken too.

import { parseTime, toZoned } from "./zones.js";
import { clock, time } from "./format.js";

const OPERATORS = ["eq", "ne", "in", "notin", "contains", "starts", "ge", "le", "between", "empty"];
const LISTS = ["in", "notin", "between"];
const YES = /^(?:1|yes|true)$/i;
const NO = /^(?:0|no|false)$/i;
const SHORT = [["!=", "ne"], [">=", "ge"], ["<=", "le"], ["^", "starts"], ["=", "eq"]];

/** Splits a list at its commas; "\," is a comma in a value, "\\" a backslash. */
export function splitList(text) {
  const values = [""];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\" && (text[i + 1] === "," || text[i + 1] === "\\")) values[values.length - 1] += text[++i];
    else if (text[i] === ",") values.push("");
    else values[values.length - 1] += text[i];
  }
  return values;
}

/** The other way. */
export function joinList(values) {
  return values.map((value) => value.replaceAll("\\", "\\\\").replaceAll(",", "\\,")).join(",");
}

/** A value that stands alone, without the backslashes of a list. */
function plain(value) {
  return value.replaceAll(/\\([\\,])/g, "$1");
}

/** "5m", "1:30:00", "90" as seconds; null if it is none of them. */
export function parseDuration(text) {
  const at = /^(?:(\d+):)?(\d+):(\d\d)$/.exec(text);
  if (at) return Number(at[1] ?? 0) * 3600 + Number(at[2]) * 60 + Number(at[3]);
  const units = { d: 86400, h: 3600, m: 60, min: 60, s: 1, "": 1 };
  const m = /^(\d+(?:\.\d+)?)\s*(d|h|min|m|s|)$/.exec(text);
  return m ? Math.round(Number(m[1]) * units[m[2]]) : null;
}

/** A typed value as the server reads it, by the column's type and the page's zone. */
function wire(text, type, zone) {
  if (type === "time") {
    const ms = parseTime(zone, text);
    return ms === null ? text : toZoned(zone, ms);
  }
  if (type === "duration") return String(parseDuration(text) ?? text);
  if (type === "number") return text.replaceAll(/[,\s]/g, "");
  if (type === "bool") return YES.test(text) ? "true" : NO.test(text) ? "false" : text;
  return joinList([text]);
}

/** A day that was typed alone, from its begin to its last second; null if the text is no date. */
function wholeDay(text, zone) {
  if (!/^\d{4}-\d\d?-\d\d?$/.test(text)) return null;
  const from = parseTime(zone, text);
  if (from === null) return null;
  const [year, month, day] = text.split("-").map(Number);
  const next = new Date(Date.UTC(year, month - 1, day + 1)).toISOString().slice(0, 10);
  return [from, parseTime(zone, next) - 1000].map((ms) => toZoned(zone, ms));
}

/** What someone typed, as OP:VALUE; null if it is empty. */
export function parseFilter(typed, type, zone) {
  const text = typed.trim();
  if (!text) return null;
  const op = /^([a-z]+):/.exec(text)?.[1];
  if (OPERATORS.includes(op)) return text;
  if (text === "empty") return "empty:";
  if (text === "not empty") return "empty:no";
  const short = SHORT.find(([sign]) => text.startsWith(sign));
  if (short) return `${short[1]}:${wire(text.slice(short[0].length).trim(), type, zone)}`;
  if (type === "text") return `contains:${wire(text, type, zone)}`;
  const range = /^(.+?)\s*\.\.\s*(.+)$/.exec(text);
  if (range) return `between:${joinList([wire(range[1], type, zone), wire(range[2], type, zone)])}`;
  const day = type === "time" ? wholeDay(text, zone) : null;
  return day ? `between:${joinList(day)}` : `eq:${wire(text, type, zone)}`;
}

/** Operator and value of a filter of the address. A value without a known operator is one to equal. */
export function splitFilter(text) {
  if (text === "empty") return { op: "empty", value: "" };
  const m = /^([a-z]+):/.exec(text);
  return m && OPERATORS.includes(m[1]) ? { op: m[1], value: text.slice(m[0].length) } : { op: "eq", value: text };
}

function shown(value, type) {
  if (type === "time") return time(value);
  if (type === "duration" && /^\d+$/.test(value)) return clock(Number(value));
  if (type === "bool") return YES.test(value) ? "yes" : NO.test(value) ? "no" : value;
  return plain(value);
}

/** A filter of the address as it would be typed; parseFilter() of it gives the same filter. */
export function showFilter(text, type, zone) {
  const { op, value } = splitFilter(text);
  if (op === "empty") return NO.test(value) ? "not empty" : "empty";
  let typed = text;
  if (op === "contains" && type === "text") typed = shown(value, type);
  else if (op === "eq" && type !== "text") typed = shown(value, type);
  else if (op === "between" && type !== "text" && splitList(value).length === 2)
    typed = splitList(value).map((one) => shown(one, type)).join("..");
  else typed = (SHORT.find(([, name]) => name === op)?.[0] ?? `${op}:`) + (LISTS.includes(op) ? value : shown(value, type));
  const again = parseFilter(typed, type, zone);
  return again === text || (type === "bool" && op === "eq") ? typed : text;
}

const WORDS = {
  eq: "is", ne: "is not", in: "is one of", notin: "is none of", contains: "contains", starts: "begins with",
  ge: "is at least", le: "is at most",
};

/** A filter as words: ("Duration", "between:60,300", "duration") → "Duration is between 0:01:00 and 0:05:00". */
export function describeFilter(title, text, type) {
  const { op, value } = splitFilter(text);
  if (op === "empty") return `${title} is ${NO.test(value) ? "not empty" : "empty"}`;
  const values = LISTS.includes(op) ? splitList(value) : [value];
  // Values of a list are without backslashes already.
  const texts = values.map((one) => (one === "" ? "(empty)" : LISTS.includes(op) && type === "text" ? one : shown(one, type)));
  if (op === "between") return `${title} is between ${texts.join(" and ")}`;
  return `${title} ${WORDS[op]} ${texts.join(", ")}`;
}
