// Filters the students, and shows the one that a link points at; the page reads as well without.
(function () {
  const search = document.querySelector(".search");
  if (!search) return;
  const table = document.getElementById("all");
  const rows = Array.from(table.tBodies[0].rows).map((row) => ({ row, text: row.cells[0].textContent.toLowerCase(), groups: row.dataset.groups.split(" ") }));
  const status = search.querySelector("[role=status]");
  const input = search.querySelector("input");
  const select = search.querySelector("select");
  const buttons = Array.from(search.querySelectorAll("[data-show]"));
  let group = "";

  function filter() {
    const wanted = input.value.trim().toLowerCase();
    // The column of the requirement: its cells follow three others, as the options follow 'any'.
    const column = select && select.selectedIndex > 0 ? select.selectedIndex + 2 : -1;
    let shown = 0;
    rows.forEach(({ row, text, groups }) => {
      const fits = text.includes(wanted) && (!group || groups.includes(group))
        && (column < 0 || row.cells[column].classList.contains("lost"));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.show === group)));
    status.textContent = search.dataset.count.replace("{}", shown).replace("{}", rows.length);
  }

  function reveal() {
    const target = rows.find(({ row }) => "#" + row.id === location.hash);
    if (!target) return;
    if (target.row.hidden) {
      input.value = group = "";
      if (select) select.selectedIndex = 0;
      filter();
    }
    target.row.scrollIntoView({ block: "center" });
  }

  input.addEventListener("input", filter);
  if (select) select.addEventListener("change", filter);
  buttons.forEach((button) => button.addEventListener("click", () => { group = button.dataset.show; filter(); }));
  window.addEventListener("hashchange", reveal);
  filter();
  search.hidden = false;
  reveal();
})();
