// SPDX-License-Identifier: Apache-2.0
//
// app.js - begins: who is signed in, the frame, and the page that the address names; then follows links within.

import { call, setCsrf } from "./api.js";
import { route } from "./address.js";
import { CollectorPage } from "./collector_page.js";
import { Dashboard } from "./dashboard.js";
import { errorBox, h } from "./dom.js";
import { frame, updateFrame } from "./frame.js";
import { Grid } from "./grid.js";
import { SessionPage } from "./session_page.js";

class MissingPage {
  constructor() {
    this.heading = h("h1", { tabindex: "-1" }, "Page not found");
    this.element = h("div", { class: "missing" }, this.heading, h("p", null, "There is no page at this address."), h("p", null, h("a", { href: "/" }, "Go to the dashboard")));
  }

  title() {
    return "Page not found";
  }

  update() {}

  destroy() {}
}

const PAGES = { dashboard: Dashboard, records: Grid, session: SessionPage, collector: CollectorPage, missing: MissingPage };

const main = h("main", { id: "main", tabindex: "-1" });
const context = { me: null, go };
let page = null;
let path = null;

/** Shows the page of the address; the same page with another query keeps its elements. */
function show(moved) {
  const params = new URLSearchParams(location.search);
  if (location.pathname !== path) {
    path = location.pathname;
    page?.destroy();
    const found = route(path);
    const kind = found.page === "collector" && !context.me.allow.includes("admin") ? "missing" : found.page;
    page = new PAGES[kind](context, found);
    main.replaceChildren(page.element);
    if (moved) {
      page.heading.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  }
  document.title = `${page.title()} · jumpgate`;
  updateFrame(path, params);
  page.update(params);
}

/** Goes to an address of our own. */
function go(address) {
  const url = new URL(address, location.origin);
  if (url.pathname !== path && page?.editor?.dirty() && !confirm("The dashboard is not saved. Leave it?")) return;
  const here = location.pathname + location.search;
  if (url.pathname + url.search !== here) history.pushState(null, "", url);
  show(true);
}

/** Links within the page do not load it again. */
function follow(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin || link.getAttribute("href").startsWith("#")) return;
  if (/^\/(?:api|sign-in|assets)(?:\/|$)/.test(link.pathname)) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

function skip(event) {
  const link = event.target.closest?.("a.skip");
  if (!link) return;
  event.preventDefault();
  main.focus();
}

async function begin() {
  try {
    context.me = await call("/api/me");
  } catch (error) {
    document.body.replaceChildren(h("main", { class: "lone" }, h("h1", null, "Session reports"), errorBox(error.message, "Retry", begin)));
    return;
  }
  context.me.allow ??= [];
  context.me.time_zone ||= "UTC";
  setCsrf(context.me.csrf);
  document.body.replaceChildren(...frame(context.me, main));
  document.addEventListener("click", skip);
  document.addEventListener("click", follow);
  addEventListener("popstate", () => show(false));
  show(false);
}

begin();
