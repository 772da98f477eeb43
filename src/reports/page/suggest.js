// SPDX-License-Identifier: Apache-2.0
//
// suggest.js - values of a column offered while someone types. Until then the control is a plain textbox.

import { columnValues } from "./api.js";
import { h, uid } from "./dom.js";

const WAIT_MS = 200;

/** Offers `dataset`'s values of `column` below the textbox; `prefix` takes from its text what they begin with, null = none. */
export function suggest(input, dataset, column, prefix = (text) => text) {
  const list = h("datalist", { id: uid("values") });
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    const begin = prefix(input.value.trim());
    if (!begin) return;
    timer = setTimeout(async () => {
      const values = await columnValues(dataset, column, begin);
      if (!input.isConnected || document.activeElement !== input) return;
      list.replaceChildren(...values.map((value) => h("option", { value })));
      if (values.length === 0) return;
      input.after(list);
      input.setAttribute("list", list.id);
    }, WAIT_MS);
  });
  input.addEventListener("blur", () => {
    clearTimeout(timer);
    input.removeAttribute("list");
    list.remove();
  });
}
