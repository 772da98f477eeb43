// SPDX-License-Identifier: Apache-2.0
//
// dom.js - makes elements. Texts become text nodes and nothing else: markup in them is shown, never read.

import { visible } from "./format.js";

/**
 * An element. `props`: attributes by name; true = present without a value; null, undefined and false = absent;
 * `on` = listeners by event; `class` and `dataset` as usual. Children: elements and texts, lists of them; null is left out.
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "dataset") for (const [key, text] of Object.entries(value)) text !== null && (element.dataset[key] = text);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  warning: "M8 1.5 15 14H1L8 1.5Zm0 4.8v3.6m0 1.7v.9",
  earlier: "M12.5 8h-9m3.5-4L3 8l4 4",
  later: "M3.5 8h9M9 4l4 4-4 4",
  wider: "M1.5 8h13M4 5 1 8l3 3m8-6 3 3-3 3",
  narrower: "M0.5 8H6M3.5 5l3 3-3 3M15.5 8H10m2.5-3-3 3 3 3",
  taller: "M8 1.5v13M5 4l3-3 3 3m-6 8 3 3 3-3",
  shorter: "M8 .5V6M5 3.5l3 3 3-3M8 15.5V10m-3 2.5 3-3 3 3",
  remove: "M3.5 3.5l9 9m0-9-9 9",
  up: "M8 13V3M4 7l4-4 4 4",
  down: "M8 3v10m-4-4 4 4 4-4",
  external: "M6.5 3H3v10h10V9.5M9 2.5h4.5V7m0-4.5L7.5 8.5",
  ok: "M3 8.5 6.5 12 13 4.5",
  off: "M3.5 8h9",
  pending: "M8 3.5V8l3 2M14.5 8a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0Z",
  gate: "M2.5 14.5v-9l5.5-4 5.5 4v9M8 14.5V6.2M5.2 14.5V8m5.6 6.5V8",
};

/** A drawing of 16 by 16 that stands beside a text; readers of the screen leave it out. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", focusable: "false", class: "icon" }))
    svg.setAttribute(key, value);
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A text of a site: isolated from the direction of what stands around it, control characters visible. */
export function siteText(text, props) {
  return h("bdi", props, visible(text));
}

let ids = 0;
/** An id for an element that another one refers to. */
export function uid(prefix) {
  return `${prefix}-${++ids}`;
}

/** A label above its control; the control gets the label's text as its name. */
export function field(label, control, props) {
  if (!control.id) control.id = uid("field");
  return h("div", { class: "field", ...props }, h("label", { for: control.id }, label), control);
}

/** Fills a select; `options` are [value, text] or texts. */
export function fillSelect(select, options, value) {
  select.replaceChildren(...options.map((option) => {
    const [v, text] = Array.isArray(option) ? option : [option, option];
    return h("option", { value: v }, visible(text));
  }));
  select.value = value;
  return select;
}

/** What went wrong, with a button to try again: `retry` null = none. */
export function errorBox(text, retryName, retry) {
  return h("div", { class: "error-box" }, h("p", { role: "alert" }, icon("warning"), visible(text)),
    retry && h("button", { type: "button", class: "small", on: { click: retry } }, retryName));
}

/**
 * Opens a modal dialog named by its heading. Escape and a click beside it close it; focus goes back to `opener`, which
 * may be a function for an element that is made again meanwhile. `onClose` gets true when `close(true)` closed it.
 */
export function openDialog({ title, opener, body, buttons, onClose, className }) {
  const id = uid("dialog");
  const dialog = h("dialog", { "aria-labelledby": id, class: className });
  let result = false;
  const close = (value) => {
    result = value === true;
    dialog.close();
  };
  dialog.append(h("h2", { id }, title), h("div", { class: "dialog-body" }, body), h("div", { class: "dialog-buttons" }, buttons(close)));
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) close(false);
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose?.(result);
    (typeof opener === "function" ? opener() : opener)?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, close };
}

/**
 * Runs `render`, which makes the children of `root` again, and puts the focus back on the element with the same data-key.
 */
export function keepFocus(root, render) {
  const key = root.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : null;
  render();
  if (key && !root.contains(document.activeElement))
    for (const element of root.querySelectorAll("[data-key]")) if (element.dataset.key === key) return element.focus({ preventScroll: true });
}
