// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { add, clean, missing, moveBy, moveTo, remove, resize, same, stretch } from "../../src/reports/page/layout.js";

const tile = (id, width = 4, height = 1) => ({ id, width, height });
const three = [tile("a"), tile("b"), tile("c")];
const ids = (tiles) => tiles.map(({ id }) => id).join("");

test("moving stays within the board", () => {
  assert.equal(ids(moveBy(three, "a", 1)), "bac");
  assert.equal(ids(moveBy(three, "c", -1)), "acb");
  assert.equal(ids(moveBy(three, "a", -1)), "abc");
  assert.equal(ids(moveTo(three, "a", 9)), "bca");
  assert.equal(ids(moveTo(three, "x", 0)), "abc");
  assert.equal(ids(three), "abc");
});

test("widths and heights go by the steps that there are", () => {
  assert.deepEqual([3, 4, 6, 12].map((width) => resize([tile("a", width)], "a", 1)[0].width), [4, 6, 12, 12]);
  assert.deepEqual([3, 4, 6, 12].map((width) => resize([tile("a", width)], "a", -1)[0].width), [3, 3, 4, 6]);
  assert.deepEqual([1, 2, 3].map((height) => stretch([tile("a", 4, height)], "a", 1)[0].height), [2, 3, 3]);
  assert.deepEqual([1, 2, 3].map((height) => stretch([tile("a", 4, height)], "a", -1)[0].height), [1, 1, 2]);
});

test("removing and adding", () => {
  const all = [{ id: "a", kind: "number" }, { id: "b", kind: "bars" }, { id: "c", kind: "series" }];
  const two = remove(three, "b");
  assert.equal(ids(two), "ac");
  assert.deepEqual(missing(two, all), [all[1]]);
  assert.deepEqual(add(two, all[1]).at(-1), tile("b", 4, 2));
  assert.equal(add(two, all[0]), two);
  assert.ok(same(three, [...three]) && !same(three, two) && !same(three, resize(three, "a", 1)));
});

test("what is kept elsewhere may be anything", () => {
  const all = [{ id: "a" }, { id: "b" }];
  assert.deepEqual(clean([tile("a", 5, 9), tile("a"), tile("x"), null, { id: "b" }], all), [tile("a", 4, 3), tile("b", 4, 1)]);
  assert.deepEqual(clean("no", all), []);
});
