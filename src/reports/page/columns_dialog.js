// SPDX-License-Identifier: Apache-2.0
//
// columns_dialog.js - which columns a grid shows, and in what order.

import { h, icon, openDialog, uid } from "./dom.js";

/** Opens the dialog. `all` = columns of the dataset, `shown` = names in order; `done(names)` gets the choice. */
export function chooseColumns({ all, shown, opener, done }) {
  const order = [...shown, ...all.map(({ name }) => name).filter((name) => !shown.includes(name))];
  const checked = new Set(shown);
  const problem = h("p", { role: "alert", class: "inline-error" });
  const list = h("ul", { class: "column-list" });
  const title = (name) => all.find((column) => column.name === name).title;

  function move(name, by) {
    const at = order.indexOf(name);
    const to = at + by;
    if (to < 0 || to >= order.length) return;
    order.splice(at, 1);
    order.splice(to, 0, name);
    fill();
    list.querySelector(`[data-move="${name} ${by}"]`).focus();
  }

  function row(name) {
    const id = uid("column");
    const box = h("input", { type: "checkbox", id, on: { change: () => (box.checked ? checked.add(name) : checked.delete(name)) } });
    box.checked = checked.has(name);
    const mover = (by, word, drawing) => h("button", {
      type: "button", class: "bare", "aria-label": `Move ${title(name)} ${word}`, title: `Move ${word}`, dataset: { move: `${name} ${by}` }, on: { click: () => move(name, by) },
    }, icon(drawing));
    return h("li", null, box, h("label", { for: id }, title(name)), mover(-1, "up", "up"), mover(1, "down", "down"));
  }

  function fill() {
    list.replaceChildren(...order.map(row));
  }

  fill();
  let choice = null;
  openDialog({
    title: "Columns", opener, className: "columns-dialog", body: [list, problem],
    buttons: (close) => h("button", {
      type: "button", class: "primary", on: {
        click: () => {
          choice = order.filter((name) => checked.has(name));
          if (choice.length === 0) problem.textContent = "Choose at least one column.";
          else close(true);
        },
      },
    }, "Done"),
    onClose: (finished) => finished && done(choice),
  });
}
