// SPDX-License-Identifier: Apache-2.0
//
// api.js - calls of the API: JSON in and out, problems as errors, the token against forged requests.
//
// Where the server no longer knows who is signed in, the page goes to the sign-in page and comes back to the same
// address, which holds the whole state; what an address does not hold is kept by `onSignedOut` listeners before.

/** A call that failed: `status` 0 = no answer came. `message` is for readers. */
export class ApiError extends Error {
  constructor(status, code, message, retryAfter) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

const MESSAGES = {
  0: "The server did not answer. Check the connection, then try again.",
  403: "You may not see this.",
  404: "There is nothing here, or you may not see it.",
  429: "Too many requests. Try again shortly.",
  503: "The server is busy, or its database is away. Try again shortly.",
  504: "This took too long. Choose a shorter range or fewer filters.",
};

const CSRF_MESSAGE = "The server does not take this for a request of its page. Open the page at the address that `public_url` in [web] has, or reload it.";

let csrf = "";
const signedOut = new Set();

export function setCsrf(token) {
  csrf = token;
}

/** `listener` is called before the page goes to sign in. Gives a function that ends this. */
export function onSignedOut(listener) {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

function goToSignIn() {
  signedOut.forEach((listener) => listener());
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

async function problem(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // Not JSON: a proxy's page, perhaps. The status says enough.
  }
  const text = body.code === "csrf" ? CSRF_MESSAGE : MESSAGES[response.status];
  const detail = typeof body.detail === "string" ? body.detail : body.title;
  const message = response.status === 400 || response.status === 409 || response.status === 412 ? detail : (text ?? detail);
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  return new ApiError(response.status, body.code, message || `The server answered with status ${response.status}.`, retryAfter);
}

/**
 * Calls the API. `options`: method, body (becomes JSON), headers, signal, refresh (the page asks on its own, nobody looks),
 * signIn (false: 401 is an error like others). Gives the answer's JSON, or null without one. Throws ApiError; an abort as it is.
 */
export async function call(path, { method = "GET", body, headers = {}, signal, refresh = false, signIn = true } = {}) {
  const all = { Accept: "application/json", ...headers };
  if (method !== "GET") all["X-Jumpgate-Csrf"] = csrf;
  if (body !== undefined) all["Content-Type"] = "application/json";
  if (refresh) all["X-Jumpgate-Refresh"] = "1";
  let response;
  try {
    response = await fetch(path, {
      method, headers: all, body: body === undefined ? undefined : JSON.stringify(body), signal, credentials: "same-origin", cache: "no-store", redirect: "error",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, null, MESSAGES[0]);
  }
  if (response.status === 401 && signIn) {
    goToSignIn();
    return new Promise(() => {});
  }
  if (!response.ok) throw await problem(response);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, null, "The answer broke off. Try again.");
  }
}

const values = new Map();

/** Values of a column that begin with `prefix`, at most 50; asked for once. None if the server gives none. */
export function columnValues(dataset, column, prefix = "") {
  const path = `/api/values/${dataset}/${encodeURIComponent(column)}${prefix ? `?prefix=${encodeURIComponent(prefix)}` : ""}`;
  if (!values.has(path)) {
    if (values.size > 200) values.clear();
    values.set(path, call(path).then((answer) => answer.values.filter((value) => value !== null).map(String)).catch(() => {
      values.delete(path);
      return [];
    }));
  }
  return values.get(path);
}
