// SPDX-License-Identifier: Apache-2.0
//
// layout.js - the arrangement of a dashboard: a list of {id, width, height}. Every function gives another list.

export const WIDTHS = [3, 4, 6, 12];
export const HEIGHTS = [1, 2, 3];

const find = (tiles, id) => tiles.findIndex((tile) => tile.id === id);

/** Tile `id` at place `to`, counted from 0; a place outside becomes the nearest one. */
export function moveTo(tiles, id, to) {
  const from = find(tiles, id);
  if (from < 0) return tiles;
  const rest = tiles.filter((tile) => tile.id !== id);
  rest.splice(Math.max(0, Math.min(to, rest.length)), 0, tiles[from]);
  return rest;
}

/** Tile `id` by so many places later (earlier if negative). */
export function moveBy(tiles, id, places) {
  return moveTo(tiles, id, find(tiles, id) + places);
}

function step(values, value, by) {
  const nearest = values.reduce((best, one) => (Math.abs(one - value) < Math.abs(best - value) ? one : best));
  return values[Math.max(0, Math.min(values.indexOf(nearest) + by, values.length - 1))];
}

/** The next width (by 1) or the one before it (by -1). */
export function resize(tiles, id, by) {
  return tiles.map((tile) => (tile.id === id ? { ...tile, width: step(WIDTHS, tile.width, by) } : tile));
}

/** The next height (by 1) or the one before it (by -1). */
export function stretch(tiles, id, by) {
  return tiles.map((tile) => (tile.id === id ? { ...tile, height: step(HEIGHTS, tile.height, by) } : tile));
}

export function remove(tiles, id) {
  return tiles.filter((tile) => tile.id !== id);
}

/** The tile at the end, in a size that suits its kind. */
export function add(tiles, { id, kind }) {
  if (find(tiles, id) >= 0) return tiles;
  const [width, height] = { number: [3, 1], series: [6, 2] }[kind] ?? [4, 2];
  return [...tiles, { id, width, height }];
}

/** Of all tiles those that the arrangement lacks, in the order of `all`. */
export function missing(tiles, all) {
  return all.filter(({ id }) => find(tiles, id) < 0);
}

export function same(a, b) {
  return a.length === b.length && a.every((tile, i) => tile.id === b[i].id && tile.width === b[i].width && tile.height === b[i].height);
}

/** What was read from elsewhere: known tiles, each once, in sizes that there are. */
export function clean(tiles, all) {
  const seen = new Set();
  return (Array.isArray(tiles) ? tiles : [])
    .filter((tile) => tile && all.some(({ id }) => id === tile.id) && !seen.has(tile.id) && seen.add(tile.id))
    .map(({ id, width, height }) => ({ id, width: step(WIDTHS, Number(width) || 4, 0), height: step(HEIGHTS, Number(height) || 1, 0) }));
}
