// SPDX-License-Identifier: Apache-2.0
//
// collector_page.js - what is collected from each site, how far, and what is in the way. For users who may administer.

import { call } from "./api.js";
import { stateBadge } from "./cells.js";
import { errorBox, h, icon, uid } from "./dom.js";
import { bytes, count, counted, duration, position, time, title as titleOf, visible } from "./format.js";

const REFRESH_MS = 60000;
const DATABASE_BYTES = /bytes$/;

const given = (value) => value !== null && value !== undefined && value !== "";

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => given(value)).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

/** Any value of an answer as a text. */
function plain(name, value) {
  if (!given(value)) return "–";
  if (typeof value === "number") return DATABASE_BYTES.test(name) ? bytes(value) : /_id$|^port$|version/.test(name) ? String(value) : count(value);
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (typeof value === "object") return visible(JSON.stringify(value));
  return /_at$|_time$|^since$|success/.test(name) ? time(value) : visible(value);
}

const HINTS = {
  credentials: "The site refuses the API account. Check client_id and its secret.",
  permission: "The API account may not read something. Give it the permission, or take the source out of fetch.",
  tls: "The site's certificate is not accepted. Check ca_file and the site's name.",
  clock: "The clocks differ by over 5 minutes. Check the time here and at the site.",
  api_disabled: "The API is not enabled at the site.",
  unreachable: "The site does not answer. Check url, proxy and network.",
  format: "The site answers with something else than reports. Is url that of the site?",
};

const COUNTS = new Set(["Lag", "Tries", "Seq", "Broken"]);
const number = (name) => (COUNTS.has(titleOf(name)) ? "number" : null);

function table(name, heads, rows) {
  return h("div", { class: "grid-region", role: "region", tabindex: "0", "aria-label": `Table of ${name}` },
    h("table", { "aria-label": name }, h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col", class: COUNTS.has(head) ? "number" : null }, head)))), h("tbody", null, rows)));
}

function sourceRow(name, source) {
  return h("tr", null, h("th", { scope: "row" }, visible(name)), h("td", null, stateBadge(source.state)), h("td", { class: "time" }, position(source.cursor)),
    h("td", { class: "number" }, given(source.lag_seconds) ? duration(source.lag_seconds) : "–"), h("td", { class: "wide" }, given(source.error) ? visible(source.error) : "–"));
}

function failedRow(one) {
  return h("tr", null, h("td", { class: "mono" }, visible(one.lsid)), h("td", { class: "number" }, count(one.tries)), h("td", { class: "time" }, time(one.next_at)), h("td", { class: "wide" }, given(one.error) ? visible(one.error) : "–"));
}

function panel(title, ...content) {
  const id = uid("site");
  return h("section", { class: "panel", "aria-labelledby": id }, h("h2", { id }, visible(title)), content);
}

function sitePanel(site, failed) {
  const reason = given(site.reason) ? h("p", { class: "reason" }, icon("warning"), `${visible(site.reason)}. ${HINTS[site.reason.split(" ")[0]] ?? ""}`) : null;
  return panel(site.name ?? site.host_name, h("p", null, stateBadge(site.state), given(site.since) ? ` since ${time(site.since)}` : ""), reason,
    facts([["Host name", visible(site.host_name)], ["Last success", given(site.last_success) ? time(site.last_success) : "never"],
      ["Clock", given(site.skew_ms) ? `${count(Math.abs(site.skew_ms))} ms ${site.skew_ms < 0 ? "behind" : "ahead"}` : null],
      ["To fetch", given(site.todo) ? counted(site.todo, "session") : null],
      ["Failed", given(site.failed) ? counted(site.failed, "session") : null]]),
    Object.keys(site.sources ?? {}).length === 0 ? h("p", { class: "empty" }, "Nothing has been read from this site yet.") : table(`sources of ${visible(site.name ?? site.host_name)}`, ["Source", "State", "Read up to", "Lag", "Error"], Object.entries(site.sources ?? {}).map(([name, source]) => sourceRow(name, source))),
    failed.length ? table(`sessions of ${visible(site.name ?? site.host_name)} that cannot be read`, ["Session", "Tries", "Next try", "Error"], failed.map(failedRow)) : null);
}

function gatewayPanel(gateways) {
  const names = [...new Set(gateways.flatMap((one) => Object.keys(one)))];
  return panel("Gateways", table("gateways", names.map(titleOf), gateways.map((one) => h("tr", null, names.map((name) => h("td", { class: number(name) }, name === "state" ? stateBadge(one[name]) : plain(name, one[name])))))));
}

export class CollectorPage {
  constructor(context) {
    this.context = context;
    this.heading = h("h1", { tabindex: "-1" }, "Collector");
    this.notices = h("div", { class: "notices" });
    this.content = h("div", { class: "collector-content", "aria-busy": "true" });
    this.element = h("div", { class: "collector-page" }, h("div", { class: "title-row" }, this.heading), this.notices, this.content);
    this.timer = setInterval(() => document.visibilityState === "visible" && this.load(true), REFRESH_MS);
  }

  title() {
    return "Collector";
  }

  update() {
    return this.load(false);
  }

  async load(refresh) {
    try {
      this.show(await call("/api/collector", { refresh }));
      this.notices.replaceChildren();
    } catch (error) {
      this.notices.replaceChildren(errorBox(error.message, "Retry", () => this.load(false)));
    }
    this.content.setAttribute("aria-busy", "false");
  }

  show({ sites = [], failed_sessions: failed, gateways = [], database = {} }) {
    const parts = sites.map((site) => sitePanel(site, (failed ?? []).filter((one) => one.host_name === site.host_name)));
    if (parts.length === 0) parts.push(h("p", { class: "empty" }, "No site is configured. A section [pra NAME] in reports.conf names one."));
    if (gateways.length) parts.push(gatewayPanel(gateways));
    if (Object.keys(database).length) parts.push(panel("Database", facts(Object.entries(database).map(([name, value]) => [titleOf(name), plain(name, value)]))));
    const focused = this.content.contains(document.activeElement);
    this.content.replaceChildren(...parts);
    if (focused) this.heading.focus();
  }

  destroy() {
    clearInterval(this.timer);
  }
}
