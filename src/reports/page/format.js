// SPDX-License-Identifier: Apache-2.0
//
// format.js - values as texts: counts, durations, ages, times, texts of sites.
//
// Times come from the server as RFC 3339 in the page's zone and are shown as they are written; nothing here uses
// the browser's zone. A text of a site is shown unchanged but for its control characters, which become visible.

// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** The text of a site with its control characters, those of writing direction among them, as "[U+202E]". */
export function visible(text) {
  return String(text).replace(CONTROLS, (c) => `[U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

/** 1234 → "1,234". */
export function count(n) {
  return Number(n).toLocaleString("en-US", { maximumFractionDigits: 3 });
}

/** A count and its noun: (1, "row") → "1 row", (2, "row") → "2 rows". */
export function counted(n, noun) {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

const two = (n) => String(n).padStart(2, "0");

/** Seconds as hours, minutes and seconds that line up in a column: 3909 → "1:05:09". */
export function clock(seconds) {
  const s = Math.round(Math.abs(seconds));
  return `${seconds < 0 ? "-" : ""}${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

/** Seconds in words of at most two units: "45 s", "3 min 20 s", "1 h 5 min", "2 d 4 h". */
export function duration(seconds) {
  const s = Math.round(Math.abs(seconds));
  const parts = [
    [Math.floor(s / 86400), "d"],
    [Math.floor(s / 3600) % 24, "h"],
    [Math.floor(s / 60) % 60, "min"],
    [s % 60, "s"],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return "0 s";
  const text = parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}`).join(" ");
  return seconds < 0 ? `-${text}` : text;
}

/** Seconds as hours of work: 5400 → "1.5 h", 7200000 → "2,000 h"; less than one in minutes. */
export function hours(seconds) {
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  const h = seconds / 3600;
  return `${(h < 10 ? Number(h.toFixed(1)) : Math.round(h)).toLocaleString("en-US")} h`;
}

/** How long ago, in one unit: 90000 → "1 min". */
export function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 2 * 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

const RFC3339 = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)?(Z|[+-]\d\d:\d\d)?$/;

/** "2026-11-28T14:00:03+01:00" → "2026-11-28 14:00:03"; without seconds by `short`. Another text: itself. */
export function time(text, short = false) {
  const m = RFC3339.exec(text);
  return m ? `${m[1]} ${m[2]}${short ? "" : (m[3] ?? ":00")}` : String(text);
}

const SECONDS = /^\d{9,11}(?: \d{9,11}){0,2}$/;

const utc = (seconds) => time(new Date(Number(seconds) * 1000).toISOString());

/** Where a source goes on, as people read it: a time; of a range "from to start" what is left; a digest, shortened. */
export function position(cursor) {
  if (cursor === null || cursor === undefined || cursor === "") return "–";
  if (SECONDS.test(cursor)) {
    const [from, to, start] = cursor.split(" ");
    if (to === undefined) return utc(from);
    return Number(from) < Number(to) ? `${utc(from)}, of up to ${utc(to)}` : utc(to) + (start === undefined || start === to ? "" : `, all since ${utc(start)}`);
  }
  return /^[0-9a-f]{64}$/.test(cursor) ? `archive ${cursor.slice(0, 12)}…` : time(visible(cursor));
}

/** The offset of an RFC 3339 time as people write it: "UTC", "UTC+01:00"; "" without one. */
export function offset(text) {
  const zone = RFC3339.exec(text)?.[4];
  if (!zone) return "";
  return zone === "Z" || /^[+-]00:00$/.test(zone) ? "UTC" : `UTC${zone}`;
}

/** Bytes: 1536 → "1.5 kB". */
export function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  let value = Number(n);
  while (value >= 1000 && i < units.length - 1) {
    value /= 1000;
    i++;
  }
  return `${i === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[i]}`;
}

/** A column's name as a title where the server gives none: "jump_group_type" → "Jump group type". */
export function title(name) {
  const words = name.replace(/_unix$/, "").replaceAll("_", " ").replaceAll(/\b(?:ip|os|id|url)\b/g, (word) => word.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}
