// SPDX-License-Identifier: Apache-2.0
//
// zones.js - time zones and the ranges of the page: what a wall clock of a zone shows, and the instant of it.
//
// The server resolves a relative range on its own. The page does it only to fill "From" and "To" when a reader
// goes from a relative range to one of their own, by the same rules: a range begins at a border, so that no first
// bucket is half, and ends now.

const formats = new Map();

function parts(zone, ms) {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    });
    formats.set(zone, format);
  }
  const found = {};
  for (const { type, value } of format.formatToParts(ms)) found[type] = Number(value);
  return found;
}

/** Whether the browser knows the zone. */
export function isZone(zone) {
  try {
    parts(zone, 0);
    return true;
  } catch {
    return false;
  }
}

/** Minutes that the zone is ahead of UTC at an instant. */
export function offsetMinutes(zone, ms) {
  const p = parts(zone, ms);
  return Math.round((Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second) - Math.floor(ms / 1000) * 1000) / 60000);
}

const two = (n) => String(n).padStart(2, "0");

/** An instant as RFC 3339 in the zone: "2026-11-28T14:00:03+01:00". */
export function toZoned(zone, ms) {
  const minutes = offsetMinutes(zone, ms);
  const wall = new Date(ms + minutes * 60000).toISOString().slice(0, 19);
  const ahead = Math.abs(minutes);
  return `${wall}${minutes < 0 ? "-" : "+"}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`;
}

/** The instant at which the zone's clock shows these numbers; of two, the earlier. In a gap: its end's distance later. */
export function fromWall(zone, year, month, day, hour = 0, minute = 0, second = 0) {
  const wall = Date.UTC(year, month - 1, day, hour, minute, second);
  const before = offsetMinutes(zone, wall - 86400000);
  const after = offsetMinutes(zone, wall + 86400000);
  for (const minutes of before >= after ? [before, after] : [after, before]) {
    const ms = wall - minutes * 60000;
    if (offsetMinutes(zone, ms) === minutes) return ms;
  }
  return wall - before * 60000;
}

const TYPED = /^(\d{4})-(\d\d?)-(\d\d?)(?:[T ]+(\d\d?):(\d\d)(?::(\d\d))?(?:\.\d+)?)?\s*(Z|[+-]\d\d:\d\d)?$/i;

/** What someone typed, a date, a date with a time in the zone, or RFC 3339, as an instant; null if it is none. */
export function parseTime(zone, text) {
  const m = TYPED.exec(text.trim());
  if (!m) return null;
  const [year, month, day, hour, minute, second] = m.slice(1, 7).map((v) => Number(v ?? 0));
  const check = new Date(Date.UTC(year, month - 1, day));
  if (check.getUTCMonth() !== month - 1 || check.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) return null;
  if (!m[7]) return fromWall(zone, year, month, day, hour, minute, second);
  const sign = m[7][0] === "-" ? -1 : 1;
  const ahead = /z/i.test(m[7]) ? 0 : sign * (Number(m[7].slice(1, 3)) * 60 + Number(m[7].slice(4, 6)));
  return Date.UTC(year, month - 1, day, hour, minute, second) - ahead * 60000;
}

/** From and to of a relative range as instants; `all` goes back as far as the longest of the others. */
export function rangeBounds(range, zone, now) {
  const p = parts(zone, now);
  const days = { "7d": 7, "30d": 30, "90d": 90 }[range];
  if (range === "24h") return { from: Math.floor(now / 3600000) * 3600000 - 23 * 3600000, to: now };
  if (days) {
    const first = new Date(Date.UTC(p.year, p.month - 1, p.day - days + 1));
    return { from: fromWall(zone, first.getUTCFullYear(), first.getUTCMonth() + 1, first.getUTCDate()), to: now };
  }
  const first = new Date(Date.UTC(p.year, p.month - 1 - 11, 1));
  return { from: fromWall(zone, first.getUTCFullYear(), first.getUTCMonth() + 1, 1), to: now };
}

/** Names of all zones that the browser knows, UTC first. */
export function zoneNames() {
  const names = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : [];
  return ["UTC", ...names.filter((name) => name !== "UTC")];
}
