// SPDX-License-Identifier: Apache-2.0
//
// session_page.js - one session: who, when, what happened in it, credentials and recordings.

import { call } from "./api.js";
import { suffix } from "./address.js";
import { cell, stateBadge } from "./cells.js";
import { errorBox, fillSelect, h, icon, siteText, uid } from "./dom.js";
import { bytes, clock, count, duration, offset, time, title as titleOf, visible } from "./format.js";

const REFRESH_MS = 30000;
const EVENTS = 200;
const FOLD = 40; // values of system information that are shown unfolded

/** Titles of what the summary shows, in order; what is not here is not shown. */
const SUMMARY = [
  ["state", "State"], ["start_time", "Start", "time"], ["end_time", "End", "time"], ["duration", "Duration"], ["site", "Site"], ["user", "User"],
  ["endpoint", "Endpoint"], ["jump_group", "Jump group"], ["jumpoint", "Jumpoint"], ["type", "Jump item type"], ["external_key", "External key"],
  ["injections", "Injections", "number"], ["injections_failed", "Failed injections", "number"], ["file_transfers", "File transfers", "number"],
  ["file_moves", "Files moved", "number"], ["file_deletes", "Files deleted", "number"], ["outside_hours", "Outside hours", "bool"],
];
const PERSON_NAMES = ["display_name", "username", "private_display_name", "public_display_name", "hostname"];
const CREDENTIAL_TITLES = { checkout: "Check-out", checkin: "Check-in", checkin_outcome: "Check-in outcome", late_seconds: "Late", user_name: "User" };
const PERSON_TITLES = { seconds_involved: "Involved", session_owner: "Owner" };
const PERSON_SKIP = ["id", "session_id", "gsnumber"];
const CREDENTIAL_SKIP = ["account", "system", "session_id", "lsid", "lease_id", "site"];

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

const given = (value) => value !== null && value !== undefined && value !== "";

function region(name, ...content) {
  const id = uid("region");
  return h("section", { "aria-labelledby": id, class: "panel" }, h("h2", { id }, name), content);
}

function plain(name, value) {
  if (/_time$|^timestamp$|^check(?:out|in)$|^(?:expires|released)$/.test(name)) return h("time", { datetime: visible(value) }, time(value));
  if (/seconds/.test(name) && typeof value === "number") return duration(value);
  if (typeof value === "boolean" || /^(session_owner|invited)$/.test(name)) return value === true || value === 1 ? "Yes" : "No";
  return typeof value === "object" ? visible(JSON.stringify(value)) : siteText(value);
}

/** A recording's address: a link where the server says that it leads to the site itself, else its text. */
function address(recording, what, word) {
  const url = recording[`${what}_url`];
  const text = recording[`${what}_text`];
  if (given(text)) return h("span", { class: "mono" }, `${word}: ${visible(text)}`);
  if (!given(url)) return null;
  if (!/^https:\/\//i.test(url)) return h("span", { class: "mono" }, `${word}: ${visible(url)}`);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer", "aria-label": `${word} ${visible(titleOf(recording.kind))} (opens a new tab)` }, word, icon("external"));
}

export class SessionPage {
  /** `context`: {me, go(address)}. */
  constructor(context, { host, lsid }) {
    Object.assign(this, { context, host, lsid, shown: 0, next: null, type: "", opened: false });
    this.path = `/api/sessions/${encodeURIComponent(host)}/${encodeURIComponent(lsid)}`;
    this.heading = h("h1", { tabindex: "-1" }, `Session ${visible(lsid)}`);
    this.running = h("p", { class: "running-note", hidden: true }, icon("pending"), "This session is running. The page asks for news every 30 s.");
    this.notices = h("div", { class: "notices" });
    this.content = h("div", { class: "session-content", "aria-busy": "true" });
    this.element = h("div", { class: "session-page" }, h("div", { class: "title-row" }, this.heading), this.running, this.notices, this.content);
    this.timer = setInterval(() => this.refresh(), REFRESH_MS);
    this.makeTimeline();
    this.top = h("div", { class: "session-top" });
    this.side = h("div", { class: "session-side" });
    this.lower = h("div", { class: "session-lower" }, this.side, this.timeline);
  }

  title() {
    return `Session ${visible(this.lsid)}`;
  }

  update(params) {
    this.params = params;
    const tz = params.get("tz");
    this.query = tz ? suffix(new URLSearchParams({ tz })) : "";
    return this.load(false);
  }

  async load(refresh) {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    const options = { signal: controller.signal, refresh };
    this.notices.replaceChildren();
    try {
      const [answer, events] = await Promise.all([call(this.path + this.query, options), refresh ? null : call(this.eventsPath(null), options)]);
      if (controller.signal.aborted) return;
      const grown = this.answer && answer.event_count !== this.answer.event_count;
      this.answer = answer;
      this.show();
      if (events) this.showEvents(events, true);
      else if (grown) await this.reloadEvents(options);
    } catch (error) {
      if (error.name === "AbortError" || controller.signal.aborted) return;
      this.fail(error);
    }
    this.content.setAttribute("aria-busy", "false");
  }

  fail(error) {
    const missing = error.status === 404;
    const box = errorBox(missing ? "There is no such session, or you may not see it." : error.message, "Retry", missing ? null : () => this.load(false));
    this.notices.replaceChildren(box);
  }

  refresh() {
    if (document.visibilityState === "visible" && this.answer?.session.state === "running") this.load(true);
  }

  show() {
    const { session } = this.answer;
    this.running.hidden = session.state !== "running";
    this.fillTypes();
    // The timeline stays as it is, with what is read or focused in it.
    this.top.replaceChildren(...[this.summary(), this.people()].filter(Boolean));
    this.side.replaceChildren(...[this.credentials(), this.recordings(), this.attributes(), this.systemInformation()].filter(Boolean));
    this.side.hidden = this.side.children.length === 0;
    if (!this.lower.isConnected) this.content.append(this.top, this.lower);
  }

  summary() {
    const { session } = this.answer;
    const value = (name) => (name === "site" ? (session.site ?? session.host_name) : session[name]);
    const pairs = SUMMARY.filter(([name]) => given(value(name))).map(([name, title, type]) => {
      if (name === "duration") return [title, duration(session.duration)];
      if (name === "state") return [title, stateBadge(session.state)];
      return [title, cell({ [name]: value(name) }, { name, type: type ?? "text" })];
    });
    const zone = given(session.start_time) ? offset(session.start_time) : "";
    const part = region("Summary", facts(pairs));
    if (zone) part.append(h("p", { class: "help" }, `Times are ${zone}.`));
    return part;
  }

  people() {
    const person = (kind) => (one) => {
      const main = PERSON_NAMES.find((name) => given(one[name]));
      const pairs = Object.entries(one).filter(([name, value]) => given(value) && name !== main && !PERSON_SKIP.includes(name) && value !== one[main]);
      return h("li", { class: "card" }, h("h3", null, main ? siteText(one[main]) : kind, h("span", { class: "tag" }, kind)), facts(pairs.map(([name, value]) => [PERSON_TITLES[name] ?? titleOf(name), plain(name, value)])));
    };
    const cards = [...(this.answer.representatives ?? []).map(person("Representative")), ...(this.answer.customers ?? []).map(person("Endpoint"))];
    return cards.length ? region("People", h("ul", { class: "cards" }, cards)) : null;
  }

  attributes() {
    const list = this.answer.custom_attributes ?? [];
    return list.length ? region("Custom attributes", facts(list.map((one) => [siteText(one.display_name ?? one.code_name ?? "", null), given(one.value) ? siteText(one.value) : "–"]))) : null;
  }

  /** By category: names and values, or a table where a category has several rows. */
  systemInformation() {
    const list = this.answer.system_information ?? [];
    if (list.length === 0) return null;
    const groups = Map.groupBy ? Map.groupBy(list, (one) => one.category ?? "") : groupBy(list, (one) => one.category ?? "");
    const parts = [...groups].map(([category, rows]) => h("div", { class: "information" }, h("h3", null, siteText(category || "Other")), informationRows(category, rows)));
    const n = list.filter(isData).length;
    return region("System information", n > FOLD ? h("details", null, h("summary", null, `${count(n)} values`), parts) : parts);
  }

  credentials() {
    const list = this.answer.credentials ?? [];
    if (list.length === 0) return null;
    const use = (one) => {
      const name = [one.account, one.system].filter(given).map((text) => siteText(text)).flatMap((text, i) => (i ? [" on ", text] : [text]));
      const pairs = Object.entries(one).filter(([key, value]) => given(value) && !CREDENTIAL_SKIP.includes(key) && !(key === "late_seconds" && value <= 0));
      return h("li", { class: "card" }, h("h3", null, name.length ? name : "Check-out"), facts(pairs.map(([key, value]) => [CREDENTIAL_TITLES[key] ?? titleOf(key), plain(key, value)])));
    };
    return region("Credentials", h("ul", { class: "cards" }, list.map(use)));
  }

  recordings() {
    const list = this.answer.recordings ?? [];
    if (list.length === 0) return null;
    return region("Recordings", h("ul", { class: "recordings" }, list.map((one) => h("li", null, h("span", { class: "kind" }, visible(titleOf(one.kind))), address(one, "view", "View"), address(one, "download", "Download")))));
  }

  // Timeline

  makeTimeline() {
    this.types = h("select", { id: uid("type"), on: { change: () => this.chooseType() } });
    this.events = h("ol", { class: "timeline", "aria-label": "Timeline" });
    this.more = h("button", { type: "button", hidden: true, on: { click: () => this.loadMore() } }, "More events");
    this.eventsStatus = h("p", { class: "rows-status", role: "status" });
    this.eventsTrouble = h("div");
    this.timeline = region("Timeline", h("div", { class: "timeline-head" }, h("label", { for: this.types.id }, "Event type"), this.types, this.eventsStatus), this.events, this.eventsTrouble, this.more);
    this.timeline.classList.add("timeline-panel");
  }

  fillTypes() {
    const types = Object.entries(this.answer.event_types ?? {});
    const wanted = JSON.stringify([types, this.type]);
    if (wanted === this.typesKey) return;
    this.typesKey = wanted;
    fillSelect(this.types, [["", `All events (${count(this.answer.event_count ?? 0)})`], ...types.map(([type, n]) => [type, `${type} (${count(n)})`])], this.type);
  }

  eventsPath(after, limit = EVENTS) {
    const query = new URLSearchParams(this.query);
    if (this.type) query.set("type", this.type);
    if (after) query.set("after", after);
    query.set("limit", String(limit));
    return `${this.path}/events?${query}`;
  }

  async chooseType() {
    this.type = this.types.value;
    await this.fetchEvents(null);
  }

  async loadMore() {
    const at = this.events.children.length;
    await this.fetchEvents(this.next);
    if (!this.more.hidden) return;
    const first = this.events.children[at] ?? this.events.lastElementChild;
    first?.setAttribute("tabindex", "-1");
    first?.focus();
  }

  async fetchEvents(after) {
    this.eventsTrouble.replaceChildren();
    try {
      this.showEvents(await call(this.eventsPath(after), { signal: this.controller.signal }), after === null);
    } catch (error) {
      if (error.name !== "AbortError") this.eventsTrouble.replaceChildren(errorBox(error.message, "Retry events", () => this.fetchEvents(after)));
    }
  }

  /** A running session has more events: as many pages again as are shown, and one more; only what is new is added. */
  async reloadEvents(options) {
    if (this.next) return this.say();
    const before = this.events.children.length;
    let after = null;
    let seen = 0;
    do {
      const answer = await call(this.eventsPath(after), options);
      this.append(answer.events.slice(Math.max(0, before - seen)));
      seen += answer.events.length;
      after = answer.next;
    } while (after && seen <= before);
    this.next = after;
    this.say();
  }

  showEvents({ events, next }, first) {
    if (first) {
      this.events.replaceChildren();
      this.day = null;
      this.begin = null;
    }
    this.append(events);
    this.next = next;
    this.say();
  }

  say() {
    this.more.hidden = !this.next;
    const n = this.events.children.length;
    const of = this.type ? this.answer?.event_types?.[this.type] : this.answer?.event_count;
    this.eventsStatus.textContent = n === 0 ? "No events" : of && of > n ? `${count(n)} of ${count(of)} events` : `${count(n)} ${n === 1 ? "event" : "events"}`;
  }

  append(events) {
    this.events.append(...events.map((event) => this.event(event)));
  }

  event(event) {
    const shown = time(event.timestamp ?? "");
    const day = shown.slice(0, 10);
    const newDay = day !== this.day;
    this.day = day;
    const ms = Date.parse(event.timestamp);
    this.begin ??= ms;
    const people = [event.performed_by, event.destination].map((name) => (given(name) ? siteText(name) : null));
    const data = Object.entries(event.data ?? {});
    return h("li", { dataset: { tone: /fail|denied|error/i.test(event.type ?? "") ? "bad" : null, day: newDay ? day : null } },
      h("div", { class: "when" }, newDay && h("span", { class: "day" }, day), Number.isNaN(ms) ? null : h("span", { class: "since" }, `${ms < this.begin ? "" : "+"}${clock((ms - this.begin) / 1000)}`),
        h("time", { datetime: visible(event.timestamp ?? "") }, shown.slice(11))),
      h("div", { class: "what" }, h("strong", null, siteText(event.type ?? "")),
        people[0] && h("span", { class: "who-did" }, people[0], given(event.performed_by_type) && h("span", { class: "tag" }, visible(event.performed_by_type))),
        people[1] && h("span", { class: "who-did" }, "to ", people[1], given(event.destination_type) && h("span", { class: "tag" }, visible(event.destination_type))),
        given(event.filename) && h("span", { class: "who-did mono" }, visible(event.filename), given(event.filesize) ? ` (${bytes(event.filesize)})` : ""),
        given(event.body) && h("p", { class: "body" }, siteText(event.body)),
        data.length > 0 && h("dl", { class: "data" }, data.map(([name, value]) => h("div", null, h("dt", null, visible(name)), h("dd", null, given(value) ? siteText(value) : "–"))))));
  }

  destroy() {
    clearInterval(this.timer);
    this.controller?.abort();
  }
}

function groupBy(list, key) {
  const groups = new Map();
  for (const one of list) groups.set(key(one), [...(groups.get(key(one)) ?? []), one]);
  return groups;
}

/** Rows of data count from 0. The description, row -1, names the fields, and the fields of each row have these names already. */
function isData(one) {
  return (one.row ?? 0) >= 0;
}

function informationRows(category, list) {
  const data = list.filter(isData);
  const numbers = [...new Set(data.map((one) => one.row ?? 0))];
  const value = (one) => (given(one.value) ? siteText(one.value) : "–");
  if (numbers.length === 0) return h("p", { class: "help" }, "No rows");
  if (numbers.length === 1) return facts(data.map((one) => [siteText(one.field ?? ""), value(one)]));
  const fields = [...new Set(data.map((one) => one.field ?? ""))];
  const body = numbers.map((n) => h("tr", null, fields.map((field) => {
    const found = data.find((one) => (one.row ?? 0) === n && (one.field ?? "") === field);
    return h("td", null, found ? value(found) : "–");
  })));
  return h("div", { class: "grid-region", role: "region", tabindex: "0", "aria-label": `Table of ${visible(category)}` },
    h("table", { "aria-label": visible(category) }, h("thead", null, h("tr", null, fields.map((field) => h("th", { scope: "col" }, visible(field))))), h("tbody", null, body)));
}
