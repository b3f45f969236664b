// Filters the students; the page reads as well without.
(function () {
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
    status.textContent = search.dataset.count.replace("{}", shown).replace("{}", rows.length);
  });
  search.hidden = false;
})();
