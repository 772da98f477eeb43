// SPDX-License-Identifier: Apache-2.0
//
// grid.js - the records of a dataset: a table that the server sorts, filters and pages.
//
// Rows come by cursors, so that rows that are stored meanwhile shift no page. The address holds the cursor and, for
// the line "Rows 51 to 100", the number of the first row.

import { call } from "./api.js";
import { ROWS_PER_PAGE, commonQuery, datasetTitle, firstPage, gridQuery, readGrid, suffix } from "./address.js";
import { cell, isNumeric } from "./cells.js";
import { chips } from "./chips.js";
import { chooseColumns } from "./columns_dialog.js";
import { errorBox, fillSelect, h, icon, uid } from "./dom.js";
import { FilterBar, extraFilters } from "./filter_bar.js";
import { describeFilter, parseFilter, showFilter } from "./filter_text.js";
import { count, title as titleOf } from "./format.js";
import { suggest } from "./suggest.js";
import { isZone } from "./zones.js";

const definitions = new Map();

/** Columns of a dataset; asked for once. */
function columnsOf(dataset) {
  if (!definitions.has(dataset))
    definitions.set(dataset, call(`/api/records/${dataset}/columns`).then(({ columns }) => columns, (error) => {
      definitions.delete(dataset);
      throw error;
    }));
  return definitions.get(dataset);
}

const HELP = "A text finds what contains it, a number what equals it, a date that day. Also =exact, !=other, ^begins with, >=1, <=9, 1..9, empty, not empty.";

export class Grid {
  /** `context`: {me, go(address)}. */
  constructor(context, { dataset }) {
    this.context = context;
    this.dataset = dataset;
    this.path = `/records/${dataset}`;
    this.go = (params) => context.go(this.path + suffix(params));
    this.bar = new FilterBar(context.me, this.go);
    const id = uid("grid");
    this.heading = h("h1", { id, tabindex: "-1" }, datasetTitle(dataset));
    this.status = h("p", { role: "status", class: "rows-status" });
    this.columnsButton = h("button", { type: "button", disabled: true, on: { click: () => this.chooseColumns() } }, "Columns");
    this.exports = h("div", { class: "exports" });
    this.chips = h("div");
    this.notices = h("div", { class: "notices" });
    this.head = h("thead");
    this.rows = h("tbody");
    this.table = h("table", { "aria-labelledby": id, "aria-busy": "true" }, this.head, this.rows);
    this.help = h("p", { id: uid("help"), class: "help" }, HELP);
    this.region = h("div", { class: "grid-region", role: "region", tabindex: "0", "aria-label": `Table of ${datasetTitle(dataset).toLowerCase()}` }, this.table);
    this.pages = this.pager();
    this.element = h("div", { class: "records" },
      h("div", { class: "title-row" }, this.heading, this.status, h("div", { class: "actions" }, this.columnsButton, this.exports)),
      this.bar.form, this.bar.summary, this.chips, this.notices, this.region, this.pages, this.help);
  }

  title() {
    return datasetTitle(this.dataset);
  }

  pager() {
    const turn = (name, act) => h("button", { type: "button", disabled: true, on: { click: act } }, name);
    this.previous = turn("Previous page", () => this.turn("before"));
    this.next = turn("Next page", () => this.turn("after"));
    this.limit = h("select", { id: uid("limit"), on: { change: () => this.change((params) => params.set("limit", this.limit.value)) } });
    fillSelect(this.limit, ROWS_PER_PAGE.map(String), "50");
    return h("nav", { class: "pager", "aria-label": "Pages" }, this.previous, this.next, h("label", { for: this.limit.id }, "Rows per page"), this.limit);
  }

  /** Goes to the address with a change made; the first page of it. */
  change(edit) {
    const params = firstPage(new URLSearchParams(this.params));
    edit(params);
    this.go(params);
  }

  turn(direction) {
    const { previous, next, rows } = this.answer;
    const params = new URLSearchParams(this.params);
    const row = direction === "after" ? this.grid.row + rows.length : Math.max(1, this.grid.row - this.grid.limit);
    firstPage(params).set(direction, direction === "after" ? next : previous);
    if (row > 1) params.set("row", String(row));
    this.turned = direction === "after" ? this.next : this.previous;
    this.region.scrollTop = 0;
    this.go(params);
  }

  /** Another address of this page, or the first. */
  update(params) {
    this.params = params;
    this.grid = readGrid(params);
    const tz = params.get("tz");
    this.zone = tz && isZone(tz) ? tz : this.context.me.time_zone;
    this.bar.show(params);
    this.limit.value = String(this.grid.limit);
    return this.load();
  }

  async load() {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    this.table.setAttribute("aria-busy", "true");
    try {
      this.all = await columnsOf(this.dataset);
      if (controller.signal.aborted) return;
      this.showFrame();
      const names = this.shown.map(({ name }) => name);
      const wanted = names.includes("lsid") && !names.includes("site") && this.all.some(({ name }) => name === "site") ? [...names, "site"] : names;
      const answer = await call(`/api/records/${this.dataset}${gridQuery(this.params, wanted, true)}`, { signal: controller.signal });
      if (controller.signal.aborted) return;
      this.answer = answer;
      this.notices.replaceChildren();
      this.showRows();
    } catch (error) {
      if (error.name === "AbortError" || controller.signal.aborted) return;
      this.showError(error);
    }
    this.table.setAttribute("aria-busy", "false");
  }

  showError(error) {
    this.answer = { rows: [], total: null, next: null, previous: null };
    this.rows.replaceChildren();
    this.status.textContent = "";
    this.previous.disabled = true;
    this.next.disabled = true;
    const stale = error.code === "invalid_cursor";
    const box = errorBox(stale ? "This page of rows is no longer there." : error.message, stale ? "First page" : "Retry", () => (stale ? this.change(() => {}) : this.load()));
    this.notices.replaceChildren(box);
  }

  /** What depends on the columns and the address, not on the rows. */
  showFrame() {
    const known = this.grid.columns.filter((name, i, list) => list.indexOf(name) === i).map((name) => this.all.find((column) => column.name === name)).filter(Boolean);
    this.shown = known.length ? known : this.all.filter((column) => column.default);
    const key = this.shown.map(({ name }) => name).join(",");
    if (key !== this.headKey) this.buildHead();
    this.headKey = key;
    this.showSort();
    this.showColumnFilters();
    this.columnsButton.disabled = false;
    this.showExports();
  }

  buildHead() {
    this.filters = new Map();
    this.sorters = new Map();
    const headers = this.shown.map((column) => {
      const cellProps = { scope: "col", class: isNumeric(column) ? "number" : null };
      if (!column.sortable) return h("th", cellProps, column.title);
      const th = h("th", { ...cellProps, "aria-sort": "none" });
      th.append(h("button", { type: "button", class: "sorter", on: { click: () => this.sortBy(column) } }, column.title));
      this.sorters.set(column.name, th);
      return th;
    });
    const filters = this.shown.map((column) => h("td", { class: isNumeric(column) ? "number" : null }, column.filterable && this.filterBox(column)));
    this.head.replaceChildren(h("tr", null, headers), h("tr", { class: "filter-row" }, filters));
  }

  filterBox(column) {
    const apply = () => this.filterBy(column, box.value);
    const box = h("input", {
      type: "text", "aria-label": `Filter ${column.title}`, "aria-describedby": this.help.id, autocomplete: "off", spellcheck: "false", placeholder: "Filter",
      on: { change: apply, keydown: (event) => event.key === "Enter" && apply() },
    });
    if (column.type === "text") suggest(box, this.dataset, column.name, (text) => (/^[a-z]+:/.test(text) ? null : text.replace(/^(?:!=|[=^])/, "")));
    this.filters.set(column.name, box);
    return box;
  }

  filterBy(column, typed) {
    const before = this.grid.filters.filter((filter) => filter.column === column.name).map(({ text }) => text);
    const text = parseFilter(typed, column.type, this.zone);
    if (before.length === 1 ? before[0] === text : before.length === 0 ? text === null : typed.trim() === "") return;
    this.change((params) => {
      params.delete(`f.${column.name}`);
      if (text !== null) params.append(`f.${column.name}`, text);
    });
  }

  /** The order of the rows: of the address, else the newest first. */
  order() {
    const sort = this.grid.sort ?? this.defaultSort();
    return { name: sort.replace(/^-/, ""), down: sort.startsWith("-") };
  }

  defaultSort() {
    const time = this.all.find((column) => column.sortable && column.default && column.type === "time");
    return time ? `-${time.name}` : "";
  }

  sortBy(column) {
    const { name, down } = this.order();
    const first = column.type !== "text";
    const next = `${(name === column.name ? !down : first) ? "-" : ""}${column.name}`;
    this.change((params) => (next === this.defaultSort() ? params.delete("sort") : params.set("sort", next)));
  }

  showSort() {
    const { name, down } = this.order();
    for (const [column, th] of this.sorters) {
      const sorted = column === name;
      th.setAttribute("aria-sort", sorted ? (down ? "descending" : "ascending") : "none");
      th.querySelector(".icon")?.remove();
      if (sorted) th.firstChild.append(icon(down ? "down" : "up"));
    }
  }

  /** Filters of the address: in the box of their column, else as a chip. */
  showColumnFilters() {
    const rest = extraFilters(this.params);
    const texts = new Map();
    for (const { column: name, text } of this.grid.filters) {
      const column = this.all.find((one) => one.name === name) ?? { name, title: titleOf(name), type: "text" };
      if (this.filters.has(name) && !texts.has(name)) {
        texts.set(name, showFilter(text, column.type, this.zone));
        continue;
      }
      const without = firstPage(new URLSearchParams(this.params));
      without.delete(`f.${name}`);
      for (const other of this.grid.filters) if (other.column === name && other.text !== text) without.append(`f.${name}`, other.text);
      rest.push({ text: describeFilter(column.title, text, column.type), params: without });
    }
    for (const [name, box] of this.filters) {
      box.value = texts.get(name) ?? "";
      box.classList.toggle("active", texts.has(name));
    }
    this.chips.replaceChildren(...chips(rest, this.go, this.heading));
  }

  showExports() {
    if (!this.context.me.allow.includes("export")) return;
    const query = gridQuery(this.params, this.shown.map(({ name }) => name), false);
    const link = (format, text, more = "") => h("a", { href: `/api/export/${this.dataset}.${format}${query}${more}`, download: true, class: "button" }, text);
    this.exports.replaceChildren(link("csv", "Export as CSV"), link("ndjson", "Export as NDJSON"));
  }

  showRows() {
    const { rows, total, next, previous } = this.answer;
    if (!previous) this.grid.row = 1;
    const query = commonQuery(this.params);
    this.rows.replaceChildren(...rows.map((row) => h("tr", null, this.shown.map((column) => h("td", { class: `${column.type}${isNumeric(column) ? " number" : ""}` }, cell(row, column, query))))));
    if (rows.length === 0) this.rows.append(h("tr", { class: "empty-row" }, h("td", { colspan: this.shown.length }, this.emptyText())));
    const first = this.grid.row;
    const of = total === null || total === undefined ? "" : ` of ${count(total)}`;
    this.status.textContent = rows.length ? `Rows ${count(first)} to ${count(first + rows.length - 1)}${of}` : "No rows";
    this.previous.disabled = !previous;
    this.next.disabled = !next;
    if (this.turned?.disabled) (this.turned === this.next ? this.previous : this.next).focus();
    this.turned = null;
  }

  emptyText() {
    const filtered = this.grid.filters.length > 0 || ["site", "group", "user", "endpoint"].some((name) => this.params.has(name));
    return filtered ? "Nothing matches these filters. “Clear” takes them all away." : "Nothing was recorded in this range. Choose a longer one.";
  }

  chooseColumns() {
    chooseColumns({
      all: this.all, shown: this.shown.map(({ name }) => name), opener: this.columnsButton,
      done: (names) => this.pickColumns(names),
    });
  }

  pickColumns(names) {
    const usual = this.all.filter((column) => column.default).map(({ name }) => name).join(",");
    const params = new URLSearchParams(this.params);
    if (names.join(",") === usual) params.delete("columns");
    else params.set("columns", names.join(","));
    this.go(params);
  }

  destroy() {
    this.controller?.abort();
  }
}
