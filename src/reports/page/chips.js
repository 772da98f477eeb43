// SPDX-License-Identifier: Apache-2.0
//
// chips.js - the filters that count and have no control of their own on the page, each with a button to take it away.

import { h, icon } from "./dom.js";

/** A list "Active filters" of `filters`, {text, params without it}; [] of none. The focus goes to `after` then. */
export function chips(filters, go, after) {
  if (filters.length === 0) return [];
  return [h("ul", { class: "chips", "aria-label": "Active filters" }, filters.map(({ text, params }) => {
    const remove = () => {
      go(params);
      after.focus();
    };
    return h("li", null, h("span", null, text), h("button", { type: "button", "aria-label": `Remove filter ${text}`, title: "Remove", on: { click: remove } }, icon("remove")));
  }))];
}
