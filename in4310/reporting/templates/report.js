// Filters checks, walks through them by keys, opens what a link points at, and everything for printing.
(function () {
  const filter = document.querySelector(".filter");
  const checks = Array.from(document.querySelectorAll(".check"));
  const buttons = Array.from(filter.querySelectorAll("[data-show]"));
  const opener = filter.querySelector("[data-open]");
  const status = filter.querySelector("[role=status]");
  const keys = document.querySelector(".keys");
  const on = keys.querySelector("input");
  const SHOW = "#show=";

  const visible = () => checks.filter((check) => !check.hidden);

  function show(what) {
    const matches = (check) => what === "all" || (what === "changed" ? "changed" in check.dataset : check.dataset.outcome === what);
    checks.forEach((check) => { check.hidden = !matches(check); });
    document.querySelectorAll(".requirement").forEach((section) => {
      section.hidden = !section.querySelector(".check:not([hidden])");
    });
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.show === what)));
    status.textContent = filter.dataset.count.replace("{}", visible().length);
  }

  // What is shown stands in the address, so that it can be sent to somebody.
  function choose(what) {
    const button = buttons.find((one) => one.dataset.show === what);
    if (!button) return;
    history.replaceState(null, "", what === "all" ? location.pathname + location.search : SHOW + what);
    show(what);
  }

  function follow() {
    if (location.hash.startsWith(SHOW)) {
      const what = location.hash.slice(SHOW.length);
      if (buttons.some((button) => button.dataset.show === what)) {
        show(what);
        filter.scrollIntoView();
      }
      return;
    }
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) show("all");
    if (target.tagName === "DETAILS") {
      target.open = true;
      target.querySelector("summary").focus({ preventScroll: true });
    }
    target.scrollIntoView();
  }

  function openAll() {
    const open = opener.dataset.open === "true";
    checks.forEach((check) => { check.open = open; });
    opener.dataset.open = String(!open);
    opener.textContent = open ? filter.dataset.closeAll : filter.dataset.openAll;
  }

  function current() {
    return document.activeElement && document.activeElement.closest(".check");
  }

  // To the check after (or before) the focused one; without one, to the first below the top of the window.
  function walk(step) {
    const shown = visible();
    const at = shown.indexOf(current());
    const below = shown.findIndex((check) => check.getBoundingClientRect().top > filter.offsetHeight);
    const next = at >= 0 ? at + step : step > 0 ? below : (below < 0 ? shown.length : below) - 1;
    const check = shown[Math.max(0, Math.min(shown.length - 1, next))];
    if (!check) return;
    check.querySelector("summary").focus({ preventScroll: true });
    check.scrollIntoView({ block: "start" });
  }

  const ACTIONS = {
    j: () => walk(1),
    k: () => walk(-1),
    o: () => { const check = current(); if (check) check.open = !check.open; },
    e: openAll,
    a: () => choose("all"),
    f: () => choose("failed"),
    w: () => choose("warned"),
    n: () => choose("not-run"),
    p: () => choose("passed"),
    c: () => choose("changed"),
    t: () => window.scrollTo(0, 0),
  };
  window.addEventListener("keydown", (event) => {
    const typing = event.target.closest && event.target.closest("input, textarea, select, [contenteditable]");
    if (event.ctrlKey || event.metaKey || event.altKey || typing || keys.open) return;
    if (event.key === "?") keys.showModal();
    else if (on.checked && Object.hasOwn(ACTIONS, event.key)) ACTIONS[event.key]();
    else return;
    event.preventDefault();
  });
  document.querySelector("[data-help]").addEventListener("click", () => keys.showModal());
  keys.querySelector("[data-close]").addEventListener("click", () => keys.close());

  buttons.forEach((button) => button.addEventListener("click", () => choose(button.dataset.show)));
  opener.addEventListener("click", openAll);
  window.addEventListener("hashchange", follow);

  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = Array.from(document.querySelectorAll("details:not([open])"));
    closed.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));

  filter.hidden = !checks.length;
  // What is focused or linked to is never behind the filter, which wraps on narrow windows.
  const leaveRoom = () => {
    const sticks = getComputedStyle(filter).position === "sticky";
    document.documentElement.style.scrollPaddingTop = (sticks ? filter.offsetHeight : 0) + 12 + "px";
  };
  window.addEventListener("resize", leaveRoom);
  leaveRoom();
  follow();
})();
