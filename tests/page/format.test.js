// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { age, bytes, clock, count, counted, duration, hours, offset, position, time, title, visible } from "../../src/reports/page/format.js";

const cases = (name, call, rows) => test(name, () => rows.forEach(([wanted, ...given]) => assert.equal(call(...given), wanted)));

cases("count", count, [["0", 0], ["1,234", 1234], ["9,007,199,254,740,991", Number.MAX_SAFE_INTEGER], ["-1,000", -1000]]);
cases("counted", counted, [["1 row", 1, "row"], ["0 rows", 0, "row"], ["1,000 rows", 1000, "row"]]);
cases("clock", clock, [["0:00:00", 0], ["0:00:59", 59], ["1:05:09", 3909], ["27:46:40", 100000], ["-0:01:00", -60]]);
cases("duration", duration, [["0 s", 0], ["45 s", 45], ["3 min 20 s", 200], ["1 h", 3600], ["1 h 5 min", 3909], ["2 d 4 h", 187200], ["-45 s", -45]]);
cases("hours", hours, [["1.5 h", 5400], ["0 min", 0], ["5 min", 300], ["1 h", 3599], ["12 h", 43300], ["2,000 h", 7200000]]);
cases("age", age, [["0 s", -5], ["59 s", 59999], ["1 min", 60000], ["47 h", 47.5 * 3600000], ["2 d", 48 * 3600000]]);
cases("time", time, [
  ["2026-11-28 14:00:03", "2026-11-28T14:00:03+01:00"], ["2026-11-28 14:00:03", "2026-11-28T14:00:03.123Z"], ["2026-11-28 14:00", "2026-11-28T14:00:03Z", true], ["soon", "soon"],
]);
cases("position", position, [
  ["–", null], ["–", ""], ["2026-11-30 07:24:11", "1796023451"], ["2026-11-28", "2026-11-28"], ["archive 345440add438…", `345440add438${"0".repeat(52)}`],
  ["2026-11-30 07:21:26, all since 2026-10-31 07:21:26", "1796023286 1796023286 1793431286"], ["2026-10-31 07:21:26, of up to 2026-11-30 07:21:26", "1793431286 1796023286 1793431286"],
  ["2026-10-31 07:21:26, of up to 2026-11-30 07:21:26", "1793431286 1796023286"], ["2026-11-30 07:21:26", "1796023286 1796023286 1796023286"], ["2026-11-30 07:21:26", "1796023286 1796023286"], ["[U+202E]7", "\u202e7"], ["123", "123"],
]);
cases("offset", offset, [["UTC", "2026-11-28T14:00:03Z"], ["UTC", "2026-11-28T14:00:03+00:00"], ["UTC-03:30", "2026-11-28T14:00:03-03:30"], ["", "x"]]);
cases("bytes", bytes, [["999 B", 999], ["1.5 kB", 1500], ["153 MB", 153200000], ["1.5 GB", 1532000000]]);
cases("title", title, [["Jump group type", "jump_group_type"], ["Public IP", "public_ip"], ["OS", "os"], ["Checkout", "checkout_unix"]]);
cases("visible: control characters and those of writing direction are shown, other letters stay", visible, [
  ["user[U+202E]gnp.exe", "user\u202egnp.exe"], ["[U+2067]a[U+2069]", "\u2067a\u2069"], ["a[U+0000]b[U+001B]", "a\u0000b\u001b"], ["مرحبا\n\tשלום <b>", "مرحبا\n\tשלום <b>"], ["null", null],
]);
