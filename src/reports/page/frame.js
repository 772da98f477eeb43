// SPDX-License-Identifier: Apache-2.0
//
// frame.js - what stands around every page: banner, main navigation, theme, signing out, the footer.

import { call } from "./api.js";
import { DATASETS, MAIN_DATASETS, commonQuery } from "./address.js";
import { fillSelect, h, icon, uid } from "./dom.js";
import { visible } from "./format.js";

const THEMES = [["system", "System"], ["light", "Light"], ["dark", "Dark"]];
const listeners = new Set();

/** `listener` is called when the colours change. Gives a function that ends this. */
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const changed = () => listeners.forEach((listener) => listener());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);

/** The label and combobox "Theme". */
export function themeChooser() {
  const select = h("select", {
    id: uid("theme"),
    on: {
      change: () => {
        const theme = select.value;
        if (theme === "system") delete document.documentElement.dataset.theme;
        else document.documentElement.dataset.theme = theme;
        try {
          if (theme === "system") localStorage.removeItem("jumpgate-theme");
          else localStorage.setItem("jumpgate-theme", theme);
        } catch {
          // Without storage the choice lasts as long as the page.
        }
        changed();
      },
    },
  });
  fillSelect(select, THEMES, document.documentElement.dataset.theme ?? "system");
  return h("div", { class: "theme" }, h("label", { for: select.id }, "Theme"), select);
}

async function signOut(button) {
  button.disabled = true;
  try {
    await call("/api/sign-out", { method: "POST", signIn: false });
  } catch (error) {
    if (error.status !== 401) {
      button.disabled = false;
      button.textContent = "Sign out";
      button.setAttribute("aria-describedby", "sign-out-error");
      document.getElementById("sign-out-error").textContent = "Signing out failed. Try again.";
      return;
    }
  }
  location.assign("/sign-in");
}

function link(path, text) {
  return h("a", { href: path, dataset: { path } }, text);
}

/** Banner, navigation and footer around `main`; `me` = answer of /api/me. */
export function frame(me, main) {
  const links = [link("/", "Dashboard"), ...DATASETS.slice(0, MAIN_DATASETS).map(([name, title]) => link(`/records/${name}`, title))];
  if (me.allow.includes("admin")) links.push(link("/collector", "Collector"));
  const out = h("button", { type: "button", class: "quiet", on: { click: () => signOut(out) } }, "Sign out");
  const banner = h("header", { class: "banner" },
    h("div", { class: "brand" }, icon("gate"), h("span", null, "jumpgate")),
    h("nav", { "aria-label": "Main", class: "main-nav" }, h("ul", null, links.map((one) => h("li", null, one)))),
    h("div", { class: "account" }, themeChooser(), h("span", { class: "who", title: "Signed in" }, visible(me.user)), out,
      h("span", { id: "sign-out-error", role: "alert", class: "inline-error" })));
  const more = DATASETS.slice(MAIN_DATASETS).map(([name, title]) => link(`/records/${name}`, title));
  const footer = h("footer", { class: "footer" }, h("nav", { "aria-label": "More records" }, h("ul", null, more.map((one) => h("li", null, one)))));
  return [h("a", { class: "skip", href: "#main" }, "Skip to content"), banner, main, footer];
}

/** Marks the link of the page that is shown, and lets every link keep the filters of the address. */
export function updateFrame(path, params) {
  const query = commonQuery(params);
  for (const one of document.querySelectorAll("a[data-path]")) {
    one.href = one.dataset.path === "/collector" ? one.dataset.path : one.dataset.path + query;
    if (one.dataset.path === path) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
}
