// SPDX-License-Identifier: Apache-2.0
//
// sign_in.js - the form of the sign-in page.

import { call } from "./api.js";
import { nextPath } from "./address.js";
import { themeChooser } from "./frame.js";

const form = document.querySelector("form");
const alert = document.querySelector("[role=alert]");
const [user, password] = form.querySelectorAll("input");
const button = form.querySelector("button");

function message({ status, retryAfter, message: text }) {
  if (status === 401 || status === 400) return "User name or password is wrong.";
  if (status === 429) return `Too many attempts. Try again in ${Math.max(1, Math.ceil((retryAfter ?? 60) / 60))} minutes.`;
  return text;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  button.disabled = true;
  alert.textContent = "";
  try {
    await call("/api/sign-in", { method: "POST", body: { user: user.value, password: password.value }, signIn: false });
    location.replace(nextPath(location.search));
    return;
  } catch (error) {
    alert.textContent = message(error);
  }
  button.disabled = false;
  password.value = "";
  (user.value ? password : user).focus();
});

document.querySelector(".lone-foot").append(themeChooser());
