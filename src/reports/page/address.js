// SPDX-License-Identifier: Apache-2.0
//
// address.js - the state of the page, which its address carries whole: reading it, writing it, asking the API by it.
//
// Unknown parameters of the page's own address are left out, since the API refuses what it does not know.

export const RANGES = [
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["90d", "Last 90 days"],
  ["12m", "Last 12 months"],
  ["all", "All time"],
];
export const DEFAULT_RANGE = "30d";
export const ROWS_PER_PAGE = [25, 50, 100, 200];
export const DEFAULT_ROWS = 50;

/** Datasets: the API's word, the title of the page. The first six are in the main navigation. */
export const DATASETS = [
  ["sessions", "Sessions"],
  ["events", "Events"],
  ["vault_activity", "Vault activity"],
  ["accounts", "Accounts"],
  ["syslog", "Syslog"],
  ["credential_use", "Check-outs"],
  ["jump_items", "Jump Items"],
  ["jumpoints", "Jumpoints"],
  ["team", "Teams"],
];
export const MAIN_DATASETS = 6;

const COMMON = ["range", "from", "to", "tz", "site", "group", "user", "endpoint"];
const REPEATED = ["site", "group", "user", "endpoint"];

/** Which page a path names: {page, dataset}, {page, host, lsid}; page "missing" for an unknown one. */
export function route(path) {
  if (path === "/") return { page: "dashboard" };
  if (path === "/collector") return { page: "collector" };
  let words;
  try {
    words = path.split("/").slice(1).map(decodeURIComponent);
  } catch {
    return { page: "missing" };
  }
  if (words.length === 2 && words[0] === "records" && DATASETS.some(([name]) => name === words[1]))
    return { page: "records", dataset: words[1] };
  if (words.length === 3 && words[0] === "sessions" && words[1] && words[2])
    return { page: "session", host: words[1], lsid: words[2] };
  return { page: "missing" };
}

/** Path of a session's page. */
export function sessionPath(host, lsid) {
  return `/sessions/${encodeURIComponent(host)}/${encodeURIComponent(lsid)}`;
}

/** Title of a dataset. */
export function datasetTitle(dataset) {
  return DATASETS.find(([name]) => name === dataset)?.[1] ?? dataset;
}

/** The filters that every page shares. */
export function readFilters(params) {
  const filters = { range: params.get("range"), from: params.get("from"), to: params.get("to"), tz: params.get("tz") };
  for (const name of REPEATED) filters[name] = params.getAll(name).filter((value) => value !== "");
  if (filters.from || filters.to) filters.range = null;
  return filters;
}

/** Puts the shared filters into parameters, in one order, so that equal states have equal addresses. */
export function writeFilters(params, filters) {
  for (const name of COMMON) params.delete(name);
  for (const name of COMMON) {
    const value = filters[name];
    if (REPEATED.includes(name)) value.forEach((one) => params.append(name, one));
    else if (value) params.append(name, value);
  }
  return params;
}

/** The shared filters alone, as the query of another page's address. */
export function commonQuery(params) {
  return suffix(writeFilters(new URLSearchParams(), readFilters(params)));
}

/** "?a=b", or "" without parameters. */
export function suffix(params) {
  // A colon, a comma and a slash may stand in a query as they are, and are easier to read so.
  const text = params.toString().replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/");
  return text ? `?${text}` : "";
}

/** The state of a grid. */
export function readGrid(params) {
  const limit = Number(params.get("limit"));
  const row = Number(params.get("row"));
  const filters = [];
  for (const [name, value] of params) if (name.startsWith("f.")) filters.push({ column: name.slice(2), text: value });
  return {
    sort: params.get("sort"),
    columns: (params.get("columns") ?? "").split(",").filter(Boolean),
    filters,
    limit: ROWS_PER_PAGE.includes(limit) ? limit : DEFAULT_ROWS,
    after: params.get("after"),
    before: params.get("before"),
    row: Number.isSafeInteger(row) && row > 0 ? row : 1,
  };
}

/** Parameters without the place in the pages: what changes the rows begins at the first page. */
export function firstPage(params) {
  for (const name of ["after", "before", "row"]) params.delete(name);
  return params;
}

/** The query of a call for a dashboard's tile. */
export function tileQuery(params) {
  return commonQuery(params);
}

/** The query of a call for rows; `columns` are those asked for, `paged` is false for an export. */
export function gridQuery(params, columns, paged) {
  const grid = readGrid(params);
  const query = writeFilters(new URLSearchParams(), readFilters(params));
  for (const { column, text } of grid.filters) query.append(`f.${column}`, text);
  if (grid.sort) query.append("sort", grid.sort);
  if (columns.length) query.append("columns", columns.join(","));
  if (paged) {
    query.append("limit", String(grid.limit));
    if (grid.after) query.append("after", grid.after);
    else if (grid.before) query.append("before", grid.before);
  }
  return suffix(query);
}

/** The path to go to after signing in: that of one of our pages, else the dashboard. */
export function nextPath(search) {
  const next = new URLSearchParams(search).get("next") ?? "";
  // A backslash and control characters are what browsers read as a slash, or leave out.
  // eslint-disable-next-line no-control-regex
  const isPath = /^\/(?![/\\])[^\\\u0000-\u001f]*$/.test(next);
  return isPath && route(next.split(/[?#]/, 1)[0]).page !== "missing" ? next : "/";
}
