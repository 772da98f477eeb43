// SPDX-License-Identifier: Apache-2.0
//
// filter_bar.js - the filters of dashboard and grids. Comboboxes apply at once, texts with "Apply" or Enter.
//
// The bar never holds state of its own: it is filled from the address, and what is chosen becomes another address.

import { columnValues } from "./api.js";
import { DEFAULT_RANGE, RANGES, firstPage, readFilters, writeFilters } from "./address.js";
import { field, fillSelect, h, uid } from "./dom.js";
import { visible } from "./format.js";
import { suggest } from "./suggest.js";
import { isZone, parseTime, rangeBounds, toZoned, zoneNames } from "./zones.js";

const MANY = "\u0000many";

/** Sites a user may see, as [host name, text]. */
function siteOptions(me, fromValues) {
  const sites = (me.sites ?? []).map((site) => (typeof site === "string" ? [site, site] : [site.host_name, site.host_name]));
  return sites.length ? sites : fromValues.map((value) => [value, value]);
}

export class FilterBar {
  /** `go(params)` is called with the parameters of the address to go to. */
  constructor(me, go) {
    this.me = me;
    this.go = go;
    this.sites = siteOptions(me, []);
    this.groups = [];
    const select = (apply) => h("select", { on: { change: apply } });
    this.range = select(() => this.chooseRange());
    this.zone = select(() => this.set("tz", this.zone.value === me.time_zone ? null : this.zone.value));
    this.site = select(() => this.choose("site", this.site));
    this.group = select(() => this.choose("group", this.group));
    const text = (name) => h("input", { type: "text", name, autocomplete: "off", spellcheck: "false" });
    this.user = text("user");
    this.endpoint = text("endpoint");
    suggest(this.user, "sessions", "user");
    suggest(this.endpoint, "sessions", "endpoint");
    this.error = h("p", { id: uid("filter-error"), role: "alert", class: "inline-error" });
    const time = (name) => h("input", { type: "text", name, autocomplete: "off", class: "time", placeholder: "2026-11-28 14:00", "aria-describedby": this.error.id });
    this.from = time("from");
    this.to = time("to");
    this.custom = [field("From", this.from, { class: "field custom" }), field("To", this.to, { class: "field custom" })];
    this.form = h("form", { role: "search", "aria-label": "Filters", class: "filters", novalidate: true, on: { submit: (event) => this.submit(event) } },
      field("Range", this.range), ...this.custom, field("Time zone", this.zone, { class: "field zone" }), field("Site", this.site), field("Jump group", this.group),
      field("User", this.user), field("Endpoint", this.endpoint),
      h("div", { class: "filter-buttons" }, h("button", { type: "submit", class: "primary" }, "Apply"),
        h("button", { type: "button", class: "quiet", on: { click: () => this.clear() } }, "Clear")),
      this.error);
    this.summary = h("p", { class: "print-only" });
    this.load();
  }

  async load() {
    const [groups, sites] = await Promise.all([columnValues("sessions", "jump_group"), this.sites.length ? [] : columnValues("sessions", "site")]);
    this.groups = groups.map((value) => [value, value]);
    if (sites.length) this.sites = siteOptions(this.me, sites);
    if (this.params) this.fillLists();
  }

  /** Fills the bar from an address. */
  show(params) {
    this.params = params;
    this.filters = readFilters(params);
    const { filters } = this;
    this.zoneName = filters.tz && isZone(filters.tz) ? filters.tz : this.me.time_zone;
    const custom = Boolean(filters.from || filters.to);
    fillSelect(this.range, [...RANGES, ["custom", "Custom"]], custom ? "custom" : (filters.range ?? DEFAULT_RANGE));
    this.custom.forEach((one) => (one.hidden = !custom));
    for (const name of ["from", "to"]) {
      const ms = filters[name] ? Date.parse(filters[name]) : NaN;
      this[name].value = Number.isNaN(ms) ? (filters[name] ?? "") : toZoned(this.zoneName, ms).slice(0, 16).replace("T", " ");
    }
    for (const name of ["user", "endpoint"]) this[name].value = filters[name].length === 1 ? filters[name][0] : "";
    this.fillLists();
    this.complain("");
    this.summary.textContent = this.describe();
  }

  fillLists() {
    const zones = new Set([this.me.time_zone, ...zoneNames()]);
    if (this.filters.tz) zones.add(this.filters.tz);
    if (this.zone.length !== zones.size) fillSelect(this.zone, [...zones], "");
    this.zone.value = this.filters.tz ?? this.me.time_zone;
    this.fillList(this.site, "All sites", "sites", this.sites, this.filters.site);
    this.fillList(this.group, "All jump groups", "jump groups", this.groups, this.filters.group);
  }

  fillList(select, all, noun, known, chosen) {
    const options = [["", all], ...known];
    for (const value of chosen) if (!options.some(([v]) => v === value)) options.push([value, value]);
    if (chosen.length > 1) options.push([MANY, `${chosen.length} ${noun}`]);
    fillSelect(select, options, chosen.length > 1 ? MANY : (chosen[0] ?? ""));
  }

  complain(text, ...inputs) {
    this.error.textContent = text;
    for (const input of [this.from, this.to]) {
      if (inputs.includes(input)) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    inputs[0]?.focus();
  }

  apply(filters) {
    this.go(firstPage(writeFilters(new URLSearchParams(this.params), filters)));
  }

  set(name, value) {
    this.apply({ ...this.filters, [name]: value });
  }

  choose(name, select) {
    if (select.value !== MANY) this.set(name, select.value ? [select.value] : []);
  }

  chooseRange() {
    const { filters } = this;
    if (this.range.value !== "custom") return this.apply({ ...filters, range: this.range.value === DEFAULT_RANGE ? null : this.range.value, from: null, to: null });
    const { from, to } = rangeBounds(filters.range ?? DEFAULT_RANGE, this.zoneName, Date.now());
    const minute = (ms) => toZoned(this.zoneName, Math.floor(ms / 60000) * 60000);
    return this.apply({ ...filters, range: null, from: minute(from), to: minute(to) });
  }

  /** From and to as typed, {} where nothing is wrong and the range is a relative one; null after a complaint. */
  customRange() {
    if (this.range.value !== "custom") return {};
    const from = parseTime(this.zoneName, this.from.value);
    const to = parseTime(this.zoneName, this.to.value);
    const wrong = [this.from, this.to].filter((_, i) => [from, to][i] === null);
    if (wrong.length) this.complain("Write a time as 2026-11-28 14:00, or a date alone.", ...wrong);
    else if (from >= to) this.complain("From must be before To.", this.from, this.to);
    else return { range: null, from: toZoned(this.zoneName, from), to: toZoned(this.zoneName, to) };
    return null;
  }

  submit(event) {
    event.preventDefault();
    const range = this.customRange();
    if (!range) return;
    const filters = { ...this.filters, ...range };
    for (const name of ["user", "endpoint"]) {
      const value = this[name].value.trim();
      if (value) filters[name] = [value];
      else if (filters[name].length <= 1) filters[name] = [];
    }
    this.complain("");
    this.apply(filters);
  }

  /** All filters away, those of columns too; columns, order and rows per page stay. */
  clear() {
    const params = firstPage(writeFilters(new URLSearchParams(this.params), readFilters(new URLSearchParams())));
    for (const name of [...params.keys()]) if (name.startsWith("f.")) params.delete(name);
    this.go(params);
  }

  /** The filters in words, for paper. */
  describe() {
    const { filters } = this;
    const range = filters.from || filters.to ? `${this.from.value} to ${this.to.value}` : RANGES.find(([value]) => value === (filters.range ?? DEFAULT_RANGE))?.[1];
    const words = [range, this.zoneName];
    for (const [name, title] of [["site", "Site"], ["group", "Jump group"], ["user", "User"], ["endpoint", "Endpoint"]])
      if (filters[name].length) words.push(`${title} ${filters[name].map(visible).join(", ")}`);
    return words.filter(Boolean).join(" · ");
  }
}

/** The filters that no control of the bar can show, as {text, params without it}: several values of one kind. */
export function extraFilters(params) {
  const filters = readFilters(params);
  const found = [];
  for (const [name, title] of [["site", "Site"], ["group", "Jump group"], ["user", "User"], ["endpoint", "Endpoint"]]) {
    if (filters[name].length < 2) continue;
    for (const value of filters[name]) {
      const rest = { ...filters, [name]: filters[name].filter((one) => one !== value) };
      found.push({ text: `${title} ${visible(value)}`, params: firstPage(writeFilters(new URLSearchParams(params), rest)) });
    }
  }
  return found;
}
