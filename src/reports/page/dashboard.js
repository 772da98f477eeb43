// SPDX-License-Identifier: Apache-2.0
//
// dashboard.js - the page of tiles: which there are, in what order, and when each asks again.

import { call } from "./api.js";
import { suffix, tileQuery } from "./address.js";
import { errorBox, h, keepFocus } from "./dom.js";
import { Editor } from "./editor.js";
import { FilterBar, extraFilters } from "./filter_bar.js";
import { chips } from "./chips.js";
import { onTheme } from "./frame.js";
import { clean } from "./layout.js";
import { Tile } from "./tile.js";

const REFRESH_MS = 60000;
const AGE_MS = 10000;

export class Dashboard {
  /** `context`: {me, go(address)}. */
  constructor(context) {
    this.context = context;
    this.tiles = new Map();
    this.go = (params) => context.go(`/${suffix(params)}`);
    this.bar = new FilterBar(context.me, this.go);
    this.heading = h("h1", { tabindex: "-1" }, "Dashboard");
    this.actions = h("div", { class: "actions" });
    this.board = h("div", { class: "board", "aria-busy": "true" });
    this.notices = h("div", { class: "notices" });
    this.chips = h("div");
    this.editor = new Editor(this);
    this.element = h("div", { class: "dashboard" }, h("div", { class: "title-row" }, this.heading, this.actions), this.bar.form, this.bar.summary, this.chips,
      this.editor.bar, this.notices, this.board);
    this.stops = [onTheme(() => this.tiles.forEach((tile) => tile.redraw()))];
    this.timers = [setInterval(() => this.refresh(), REFRESH_MS), setInterval(() => this.showAges(), AGE_MS)];
    const seen = () => this.seen();
    document.addEventListener("visibilitychange", seen);
    this.stops.push(() => document.removeEventListener("visibilitychange", seen));
    this.start();
  }

  title() {
    return "Dashboard";
  }

  async start() {
    this.notices.replaceChildren();
    try {
      const [{ tiles }, layout] = await Promise.all([call("/api/tiles"), call("/api/layout")]);
      this.all = tiles;
      this.take(layout);
      this.editor.ready();
    } catch (error) {
      this.notices.replaceChildren(errorBox(error.message, "Retry dashboard", () => this.start()));
    }
    this.board.setAttribute("aria-busy", "false");
  }

  /** Shows what the server keeps. */
  take({ revision, tiles }) {
    this.revision = revision;
    this.layout = clean(tiles, this.all);
    this.arrange(this.layout);
  }

  /** Puts the tiles in the order and sizes of `layout`; those that are new ask for their numbers. */
  arrange(layout) {
    for (const [id, tile] of this.tiles) {
      if (layout.some((one) => one.id === id)) continue;
      tile.destroy();
      this.tiles.delete(id);
    }
    const fresh = [];
    for (const place of layout) {
      if (!this.tiles.has(place.id)) {
        const tile = new Tile(this.all.find(({ id }) => id === place.id), (href) => this.context.go(href));
        this.tiles.set(place.id, tile);
        fresh.push(tile);
      }
      this.tiles.get(place.id).place(place);
    }
    const elements = layout.map(({ id }) => this.tiles.get(id).element);
    if (elements.length === 0) elements.push(h("p", { class: "empty" }, "This dashboard has no tiles. “Edit dashboard”, then “Add tile”, puts some here."));
    keepFocus(this.board, () => this.board.replaceChildren(...elements));
    if (this.query !== undefined) fresh.forEach((tile) => tile.load(this.query));
  }

  /** Another address of this page, or the first. */
  update(params) {
    const query = tileQuery(params);
    this.bar.show(params);
    this.chips.replaceChildren(...chips(extraFilters(params), this.go, this.heading));
    if (query === this.query) return;
    this.query = query;
    this.tiles.forEach((tile) => tile.load(query));
    this.loadedAt = Date.now();
  }

  refresh() {
    if (document.visibilityState !== "visible" || this.query === undefined) return;
    this.loadedAt = Date.now();
    this.tiles.forEach((tile) => tile.load(this.query, true));
  }

  seen() {
    if (document.visibilityState === "visible" && Date.now() - this.loadedAt > REFRESH_MS) this.refresh();
  }

  showAges() {
    this.tiles.forEach((tile) => tile.showAge());
  }

  destroy() {
    this.timers.forEach(clearInterval);
    this.stops.forEach((stop) => stop());
    this.editor.destroy();
    this.tiles.forEach((tile) => tile.destroy());
  }
}
