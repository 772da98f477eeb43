// SPDX-License-Identifier: Apache-2.0
//
// tile.js - one tile of the dashboard: asks for its numbers, shows them, and says how old and how complete they are.
//
// States: loading (aria-busy) -> numbers or error; a refresh that fails keeps the numbers and adds the error.

import { call } from "./api.js";
import { Drawing, sentence } from "./charts.js";
import { errorBox, h, icon, keepFocus, uid } from "./dom.js";
import { stateBadge } from "./cells.js";
import { age, count, hours, time, visible } from "./format.js";

const GAPS = 2; // gaps that a tile names; of more it says how many
const FILTER_WORDS = { range: "date range", site: "site", group: "jump group", user: "user", endpoint: "endpoint" };

/** An address of our own page, else null. */
function ownPath(href) {
  return typeof href === "string" && /^\/(?![/\\])/.test(href) ? href : null;
}

/** Value of an item as a text: a count, or the word that it is. */
function valueText(value) {
  return typeof value === "number" ? count(value) : visible(value ?? "");
}

/** What is missing, in words; sites with the same gap together. */
function gapsOf(incomplete) {
  const sites = new Map();
  for (const { site, since, why } of incomplete) {
    const text = `incomplete${since ? ` since ${time(since, true)}` : ""}${why ? ` (${visible(why)})` : ""}`;
    sites.set(text, [...(sites.get(text) ?? []), visible(site)]);
  }
  return [...sites].map(([text, names]) => `${names.join(", ")} ${text}`);
}

/** A site of the collector: its state's word, and how long ago it was last asked with success. */
function site(item) {
  const label = visible(item.label ?? "");
  const state = visible(item.state ?? "");
  const ago = typeof item.seconds === "number" ? `${age(item.seconds * 1000)} ago` : "never";
  const href = ownPath(item.href);
  const parts = [h("bdi", { class: "label" }, label), stateBadge(state), h("span", { class: "extra" }, ago)];
  const name = `${label}: ${state}, ${ago}`;
  return h("li", { title: item.reason ? `${name}. ${visible(item.reason)}` : name },
    href ? h("a", { href, "aria-label": name, dataset: { key: `item ${label}` } }, parts) : h("span", { class: "no-link" }, parts));
}

export class Tile {
  /** `definition` = an entry of /api/tiles; `open(href)` goes to an address. */
  constructor(definition, open) {
    Object.assign(this, { definition, open, data: null, error: null, controller: null, drawing: null });
    const id = uid("tile");
    this.heading = h("h2", { id }, definition.title);
    this.total = h("span", { class: "total" });
    this.body = h("div", { class: "tile-body" });
    this.foot = h("footer", { class: "tile-foot" });
    this.head = h("header", { class: "tile-head" }, this.heading, this.total);
    this.element = h("article", { class: "tile", "aria-labelledby": id, "aria-busy": "true", dataset: { id: definition.id, kind: definition.kind } },
      this.head, this.body, this.foot);
    this.loading();
  }

  loading() {
    this.body.replaceChildren(h("div", { class: "skeleton", "aria-hidden": "true" }, h("i"), h("i"), h("i")));
  }

  place({ width, height }) {
    Object.assign(this.element.dataset, { width, height });
  }

  /** Asks for the numbers. `refresh`: what is shown stays until the answer is here. */
  async load(query, refresh = false) {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    this.query = query;
    if (!refresh) this.element.setAttribute("aria-busy", "true");
    try {
      const data = await call(`/api/tiles/${this.definition.id}${query}`, { signal: controller.signal, refresh });
      if (this.controller !== controller) return;
      if (data.other > 0 && data.items.length) data.items.at(-1).rest = true;
      Object.assign(this, { data, error: null, at: Date.now() - (data.age_ms ?? 0) });
    } catch (error) {
      if (error.name === "AbortError" || this.controller !== controller) return;
      this.error = error;
      if (!refresh) this.data = null;
    }
    this.show();
    this.element.setAttribute("aria-busy", "false");
  }

  show() {
    keepFocus(this.element, () => {
      this.drawing?.destroy();
      this.drawing = null;
      const parts = [];
      if (this.error) parts.push(this.errorPart());
      if (this.data) parts.push(...this.numbers());
      this.body.replaceChildren(...parts);
      this.total.replaceChildren(...this.whole());
    });
    this.drawing?.draw(this.data.items, this.data.bucket);
    this.showFoot();
  }

  /** The sum of all items, which opens all their records. */
  whole() {
    const { id, kind, title } = this.definition;
    if (!this.data || kind === "number" || id === "collector" || typeof this.data.total !== "number") return [];
    const text = count(this.data.total);
    const href = ownPath(this.data.href);
    return [href ? h("a", { href, "aria-label": `All of ${title}: ${text}`, dataset: { key: "whole" } }, text) : text];
  }

  errorPart() {
    const { title } = this.definition;
    return errorBox(this.error.message, `Retry ${title}`, () => this.load(this.query).then(() => {
      if (!this.element.contains(document.activeElement)) (this.body.querySelector("a, button") ?? this.heading).focus?.();
    }));
  }

  numbers() {
    const { kind } = this.definition;
    const { items } = this.data;
    if (kind === "number") return [this.number()];
    if (items.length === 0) return [h("p", { class: "empty" }, "Nothing in this range.")];
    if (kind === "series") return [h("div", { class: "series" }, this.plot(), this.list())];
    if (kind === "bars" || (kind === "table" && this.definition.id !== "collector")) return [h("div", { class: "bars" }, this.list(), this.plot())];
    return [this.list()];
  }

  number() {
    const { title, items, total } = this.data;
    const value = valueText(total ?? items[0]?.value ?? 0);
    const href = ownPath(items[0]?.href);
    const name = `${title}: ${value}`;
    return href ? h("a", { class: "big-number", href, "aria-label": name, dataset: { key: "number" } }, value) : h("p", { class: "big-number" }, h("span", { class: "hidden" }, `${title}: `), value);
  }

  plot() {
    const { title } = this.definition;
    const canvas = h("canvas", { role: "img", "aria-label": visible(sentence({ title, kind: this.definition.kind, items: this.data.items })) });
    this.drawing = new Drawing(canvas, this.definition.kind === "series" ? "series" : "bars", (item) => ownPath(item.href) && this.open(item.href));
    return h("div", { class: "plot" }, canvas);
  }

  list() {
    const { items } = this.data;
    if (this.definition.id === "collector") return h("ul", { class: "items", "aria-label": this.definition.title }, items.map(site));
    const extras = items.map((item) => this.extra(item));
    const some = extras.some(Boolean);
    const rows = items.map((item, i) => this.item(item, some ? (extras[i] ?? "") : null));
    return h("ul", { class: "items", "aria-label": this.definition.title }, rows);
  }

  /** `extra`: "" keeps its place in the column, null = the list has no such column. */
  item(item, extra) {
    const label = visible(item.label ?? "");
    const value = valueText(item.value);
    const href = ownPath(item.href);
    const parts = [h("bdi", { class: "label" }, label), h("span", { class: "value" }, value)];
    return h("li", { title: extra ? `${label}: ${value}, ${extra}` : `${label}: ${value}` },
      href ? h("a", { href, "aria-label": `${label}: ${value}`, dataset: { key: `item ${label}` } }, parts) : h("span", { class: "no-link" }, parts[0], h("span", { class: "hidden" }, ": "), parts[1]),
      extra !== null && h("span", { class: "extra" }, extra));
  }

  /** What stands beside the number: hours of sessions. */
  extra(item) {
    return typeof item.seconds === "number" ? hours(item.seconds) : null;
  }

  showFoot() {
    const notes = [];
    if (this.data) {
      const gaps = gapsOf(this.data.incomplete ?? []);
      for (const text of gaps.slice(0, GAPS)) notes.push(h("li", { class: "incomplete" }, icon("warning"), text));
      if (gaps.length > GAPS) notes.push(h("li", { class: "incomplete", title: gaps.slice(GAPS).join("\n") }, `and ${gaps.length - GAPS} more`));
      const ignored = (this.data.ignores ?? []).map((name) => FILTER_WORDS[name] ?? name);
      if (ignored.length) notes.push(h("li", null, `Whatever the ${ignored.length > 1 ? `${ignored.slice(0, -1).join(", ")} and ` : ""}${ignored.at(-1)}`));
      this.ageNote = h("li", { class: "age" });
      notes.push(this.ageNote);
    }
    this.foot.replaceChildren(h("ul", null, notes));
    this.showAge();
  }

  showAge() {
    if (this.data && this.ageNote) this.ageNote.textContent = `${age(Date.now() - this.at)} old`;
  }

  redraw() {
    this.drawing?.redraw();
  }

  destroy() {
    this.controller?.abort();
    this.controller = null;
    this.drawing?.destroy();
  }
}
