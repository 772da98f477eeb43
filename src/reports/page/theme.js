// SPDX-License-Identifier: Apache-2.0
//
// theme.js - puts the reader's theme on the document before anything is painted. Not a module, since those run later.

(function () {
  "use strict";
  try {
    const theme = localStorage.getItem("jumpgate-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage the system's theme is used.
  }
})();
