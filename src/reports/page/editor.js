// SPDX-License-Identifier: Apache-2.0
//
// editor.js - arranging the dashboard: toolbars on the tiles, dragging as an extra, saving under the revision that was read.
//
//     idle -> editing -> (saving -> idle | conflict -> editing) | cancelled -> idle
//
// An arrangement that is not saved is kept for the tab when the page has to sign in again.

import { call, onSignedOut } from "./api.js";
import { h, icon, keepFocus, openDialog } from "./dom.js";
import { HEIGHTS, WIDTHS, add, clean, missing, moveBy, moveTo, remove, resize, same, stretch } from "./layout.js";

const DRAFT = "jumpgate-draft";

/** Buttons of a tile's toolbar: name, drawing, whether there is anything to do, the step. */
const STEPS = [
  ["Move earlier", "earlier", (_, i) => i > 0, (tiles, id) => moveBy(tiles, id, -1)],
  ["Move later", "later", (_, i, n) => i < n - 1, (tiles, id) => moveBy(tiles, id, 1)],
  ["Wider", "wider", (tile) => tile.width < WIDTHS.at(-1), (tiles, id) => resize(tiles, id, 1)],
  ["Narrower", "narrower", (tile) => tile.width > WIDTHS[0], (tiles, id) => resize(tiles, id, -1)],
  ["Taller", "taller", (tile) => tile.height < HEIGHTS.at(-1), (tiles, id) => stretch(tiles, id, 1)],
  ["Shorter", "shorter", (tile) => tile.height > HEIGHTS[0], (tiles, id) => stretch(tiles, id, -1)],
  ["Remove", "remove", () => true, (tiles, id) => remove(tiles, id)],
];

export class Editor {
  constructor(dashboard) {
    this.dashboard = dashboard;
    this.draft = null;
    const button = (name, act, props) => h("button", { type: "button", on: { click: act }, ...props }, name);
    this.open = button("Edit dashboard", () => this.begin(dashboard.layout));
    this.open.disabled = true;
    dashboard.actions.append(this.open);
    this.addButton = button("Add tile", () => this.choose());
    this.saveButton = button("Save", () => this.save(), { class: "primary" });
    this.status = h("p", { role: "status", class: "editor-status" });
    this.trouble = h("div", { class: "editor-trouble" });
    this.buttons = h("div", { class: "editor-buttons", hidden: true }, this.addButton, button("Reset to default", () => this.reset(), { class: "quiet" }),
      h("span", { class: "gap" }), button("Cancel", () => this.cancel(), { class: "quiet" }), this.saveButton);
    this.bar = h("div", { class: "editor-bar" }, this.buttons, this.status, this.trouble);
    this.stops = [onSignedOut(() => this.keep())];
    const leave = (event) => {
      if (this.dirty() && !this.leaving) event.preventDefault();
    };
    addEventListener("beforeunload", leave);
    this.stops.push(() => removeEventListener("beforeunload", leave));
    this.listenToDrags();
  }

  dirty() {
    return this.draft !== null && !same(this.draft, this.dashboard.layout);
  }

  title(id) {
    return this.dashboard.all.find((tile) => tile.id === id).title;
  }

  /** The dashboard knows its tiles: an arrangement that signing in has interrupted comes back. */
  ready() {
    this.open.disabled = false;
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(DRAFT));
      sessionStorage.removeItem(DRAFT);
    } catch {
      // Nothing is kept without storage.
    }
    if (kept?.user !== this.dashboard.context.me.user) return;
    this.dashboard.revision = kept.revision;
    this.begin(clean(kept.tiles, this.dashboard.all));
    this.say("Your changes from before signing in are here. They are not saved yet.");
  }

  /** Before the page leaves to sign in. */
  keep() {
    this.leaving = true;
    if (!this.dirty()) return;
    try {
      sessionStorage.setItem(DRAFT, JSON.stringify({ user: this.dashboard.context.me.user, revision: this.dashboard.revision, tiles: this.draft }));
    } catch {
      // Then it is lost with the page.
    }
  }

  begin(tiles) {
    this.draft = tiles;
    this.open.hidden = true;
    this.buttons.hidden = false;
    this.bar.classList.add("open");
    this.show();
    this.addButton.focus();
    this.say("Arrange the tiles with their buttons, or drag them.");
  }

  end() {
    this.draft = null;
    this.open.hidden = false;
    this.buttons.hidden = true;
    this.bar.classList.remove("open");
    this.trouble.replaceChildren();
    for (const tile of this.dashboard.tiles.values()) {
      tile.element.querySelector("[role=toolbar]")?.remove();
      tile.element.removeAttribute("draggable");
    }
    this.open.focus();
  }

  say(text) {
    this.status.textContent = text;
  }

  /** Arranges the draft and gives each tile its toolbar. */
  show() {
    this.dashboard.arrange(this.draft);
    this.addButton.disabled = missing(this.draft, this.dashboard.all).length === 0;
    this.draft.forEach((place, i) => {
      const { element, head } = this.dashboard.tiles.get(place.id);
      element.setAttribute("draggable", "true");
      keepFocus(element, () => {
        element.querySelector("[role=toolbar]")?.remove();
        head.after(this.toolbar(place, i));
      });
    });
  }

  toolbar(place, i) {
    const buttons = STEPS.map(([name, drawing, useful, step]) => h("button", {
      type: "button", "aria-label": name, title: name, "aria-disabled": useful(place, i, this.draft.length) ? null : "true", dataset: { key: `${place.id} ${name}` },
      on: { click: () => this.step(place.id, name, step) },
    }, icon(drawing)));
    return h("div", { role: "toolbar", "aria-label": this.title(place.id), class: "toolbar", on: { keydown: (event) => arrows(event, buttons) } }, buttons);
  }

  step(id, name, step) {
    const at = this.draft.findIndex((tile) => tile.id === id);
    const next = step(this.draft, id);
    const place = next.find((tile) => tile.id === id);
    const unchanged = same(next, this.draft);
    this.draft = next;
    if (!unchanged) this.show();
    this.say(unchanged ? `${this.title(id)} cannot be changed so` : this.describe(id, name, place));
    if (!place) this.focusNear(at);
  }

  describe(id, name, place) {
    const title = this.title(id);
    if (!place) return `${title} removed`;
    if (name.startsWith("Move")) return `${title} moved to ${this.draft.indexOf(place) + 1} of ${this.draft.length}`;
    return name === "Wider" || name === "Narrower" ? `${title} is ${place.width} of 12 wide` : `${title} is ${place.height} of 3 high`;
  }

  /** After a tile went away the focus is on the one that came into its place. */
  focusNear(at) {
    const near = this.draft[Math.min(at, this.draft.length - 1)];
    const button = near && this.dashboard.tiles.get(near.id).element.querySelector("[aria-label=Remove]");
    (button ?? this.addButton).focus();
  }

  choose() {
    const options = missing(this.draft, this.dashboard.all).map((definition) => {
      const add_ = h("button", { type: "button", class: "choice", on: { click: () => this.add(definition, opened) } }, `Add ${definition.title}`);
      return h("li", null, add_);
    });
    const opened = openDialog({
      title: "Add tile", opener: this.addButton, className: "choices", body: h("ul", null, options),
      buttons: (close) => h("button", { type: "button", on: { click: () => close(false) } }, "Close"),
    });
  }

  add(definition, opened) {
    this.draft = add(this.draft, definition);
    this.show();
    this.say(`${definition.title} added at ${this.draft.length} of ${this.draft.length}`);
    opened.close(true);
    this.dashboard.tiles.get(definition.id).element.scrollIntoView({ block: "nearest" });
  }

  async save() {
    if (this.saveButton.disabled) return;
    this.saveButton.disabled = true;
    this.trouble.replaceChildren();
    try {
      const saved = await call("/api/layout", { method: "PUT", headers: { "If-Match": `"${this.dashboard.revision}"` }, body: { tiles: this.draft } });
      this.dashboard.take(saved ?? (await call("/api/layout")));
      this.end();
      this.say("Dashboard saved");
    } catch (error) {
      if (error.status === 412) this.conflict();
      else this.complain(`Not saved. ${error.message}`, []);
    }
    this.saveButton.disabled = false;
  }

  /** Another tab, or another browser, was first. */
  conflict() {
    const choice = (name, act) => h("button", { type: "button", class: "small", on: { click: () => this.settle(act) } }, name);
    this.complain("Not saved: this dashboard was changed elsewhere meanwhile. What you have arranged is still here.", [
      choice("Show the other one", (other) => {
        this.dashboard.take(other);
        this.end();
        this.say("This is the dashboard as it was saved elsewhere");
      }),
      choice("Replace it by mine", (other) => {
        this.dashboard.revision = other.revision;
        return this.save();
      }),
    ]);
  }

  async settle(act) {
    try {
      const other = await call("/api/layout");
      this.trouble.replaceChildren();
      await act(other);
    } catch (error) {
      this.complain(error.message, []);
    }
  }

  complain(text, buttons) {
    this.trouble.replaceChildren(h("div", { class: "error-box" }, h("p", { role: "alert" }, icon("warning"), text), buttons));
  }

  cancel() {
    this.draft = null;
    this.dashboard.arrange(this.dashboard.layout);
    this.end();
    this.say("Nothing was changed");
  }

  async reset() {
    this.trouble.replaceChildren();
    try {
      const answer = await call("/api/layout", { method: "DELETE" });
      this.dashboard.take(answer?.tiles ? answer : await call("/api/layout"));
      this.draft = this.dashboard.layout;
      this.show();
      this.say("Dashboard reset to default");
    } catch (error) {
      this.complain(error.message, []);
    }
  }

  listenToDrags() {
    const { board } = this.dashboard;
    const tileAt = (event) => event.target.closest?.(".tile");
    let dragged = null;
    const clear = () => board.querySelectorAll(".drop, .dragged").forEach((tile) => tile.classList.remove("drop", "dragged"));
    board.addEventListener("dragstart", (event) => {
      if (!this.draft || !event.target.matches?.(".tile")) return;
      dragged = event.target.dataset.id;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", dragged);
      event.target.classList.add("dragged");
    });
    board.addEventListener("dragover", (event) => {
      const tile = dragged && tileAt(event);
      if (!tile) return;
      event.preventDefault();
      board.querySelectorAll(".drop").forEach((one) => one !== tile && one.classList.remove("drop"));
      tile.classList.toggle("drop", tile.dataset.id !== dragged);
    });
    board.addEventListener("drop", (event) => {
      const tile = dragged && tileAt(event);
      if (!tile || tile.dataset.id === dragged) return;
      event.preventDefault();
      const id = dragged;
      this.draft = moveTo(this.draft, id, this.draft.findIndex((one) => one.id === tile.dataset.id));
      this.show();
      this.say(this.describe(id, "Move", this.draft.find((one) => one.id === id)));
    });
    board.addEventListener("dragend", () => {
      dragged = null;
      clear();
    });
  }

  destroy() {
    this.stops.forEach((stop) => stop());
  }
}

/** Arrow keys, Home and End go between the buttons of a toolbar. */
function arrows(event, buttons) {
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  buttons[(to + buttons.length) % buttons.length].focus();
}
