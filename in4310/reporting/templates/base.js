"use strict";
// Every page reads as well without this: it only turns dark and light, copies commands and sorts tables.
(function () {
  const tools = document.querySelector(".tools");
  const root = document.documentElement;
  const theme = tools.querySelector("[data-theme]");
  const system = matchMedia("(prefers-color-scheme: dark)");
  // The rules for dark are written once, in a media query; turning is to say when that query holds.
  const rules = Array.from(document.styleSheets[0].cssRules)
    .filter((rule) => rule.media && rule.media.mediaText.includes("prefers-color-scheme"));
  let dark = system.matches;

  function turn(chosen) {
    dark = chosen;
    rules.forEach((rule) => { rule.media.mediaText = dark ? "screen" : "not all"; });
    root.style.colorScheme = dark ? "dark" : "light";
    theme.textContent = dark ? theme.dataset.light : theme.dataset.dark;
  }
  theme.textContent = dark ? theme.dataset.light : theme.dataset.dark;
  theme.addEventListener("click", () => turn(!dark));
  system.addEventListener("change", () => turn(system.matches));
  tools.hidden = false;

  document.querySelectorAll("[data-copy]").forEach((button) => {
    const words = button.textContent;
    button.hidden = false;
    button.addEventListener("click", () => {
      const code = button.parentElement.querySelector("code");
      const done = () => {
        button.textContent = button.dataset.done;
        setTimeout(() => { button.textContent = words; }, 2000);
      };
      const by_hand = () => {
        getSelection().selectAllChildren(code);
        if (document.execCommand("copy")) done();
      };
      if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, by_hand);
      else by_hand();
    });
  });

  document.querySelectorAll("table.sortable").forEach((table) => {
    const heads = Array.from(table.querySelectorAll("thead th"));
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        const value = (row) => {
          const cell = row.cells[column];
          return cell.dataset.value === undefined ? cell.textContent.trim().toLowerCase() : Number(cell.dataset.value);
        };
        const rows = Array.from(table.tBodies[0].rows).map((row) => [value(row), row]);
        const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b));
        rows.sort((a, b) => (down ? -1 : 1) * compare(a[0], b[0]));
        table.tBodies[0].append(...rows.map((pair) => pair[1]));
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
      });
    });
  });
})();
