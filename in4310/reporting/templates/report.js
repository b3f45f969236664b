// Filters checks, and opens what a link points at and everything for printing; the page reads as well without.
(function () {
  const filter = document.querySelector(".filter");
  const checks = Array.from(document.querySelectorAll(".check"));
  const buttons = Array.from(filter.querySelectorAll("[data-show]"));
  const opener = filter.querySelector("[data-open]");
  const status = filter.querySelector("[role=status]");

  function show(outcome) {
    checks.forEach((check) => { check.hidden = outcome !== "all" && check.dataset.outcome !== outcome; });
    document.querySelectorAll(".requirement").forEach((section) => {
      section.hidden = !section.querySelector(".check:not([hidden])");
    });
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.show === outcome)));
    status.textContent = filter.dataset.count.replace("{}", checks.filter((check) => !check.hidden).length);
  }

  function reveal() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) show("all");
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
  }

  buttons.forEach((button) => button.addEventListener("click", () => show(button.dataset.show)));
  opener.addEventListener("click", () => {
    const open = opener.dataset.open === "true";
    checks.forEach((check) => { check.open = open; });
    opener.dataset.open = String(!open);
    opener.textContent = open ? filter.dataset.closeAll : filter.dataset.openAll;
  });
  window.addEventListener("hashchange", reveal);
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  filter.hidden = !checks.length;
  reveal();
})();
