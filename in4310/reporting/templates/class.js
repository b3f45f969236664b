"use strict";
// The page reads as well without this: it only sorts tables and filters the students.
(function () {
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
  const search = document.querySelector(".search");
  const rows = Array.from(document.querySelectorAll("#all tbody tr"));
  const status = search.querySelector("[role=status]");
  search.querySelector("input").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row) => {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    });
    status.textContent = shown + " of " + rows.length;
  });
  search.hidden = false;
})();
