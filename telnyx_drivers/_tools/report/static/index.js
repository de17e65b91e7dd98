"use strict";
(() => {
  const calls = JSON.parse(document.getElementById("data").textContent);
  const rows = [...document.querySelectorAll("[data-row]")];
  const value = (id) => document.getElementById(id).value;

  /* Nearest rank: a figure that a call really had. */
  const rank = (sorted, part) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];

  const spread = (shown) => document.querySelectorAll("[data-figure]").forEach((line) => {
    const name = line.dataset.figure, digits = Number(line.dataset.digits);
    const known = shown.filter((call) => call.answered && call[name] !== null).map((call) => call[name]);
    known.sort((one, other) => (name === "mos" ? other - one : one - other));
    const cells = line.querySelectorAll("td");
    [0.5, 0.9, 0.95, 0.99, 1].forEach((part, index) => {
      cells[index].textContent = known.length ? rank(known, part).toFixed(digits) : "–";
    });
    cells[5].textContent = known.length;
  });

  const troubled = {
    "": () => true,
    errors: (call) => call.errors > 0,
    warnings: (call) => call.warnings > 0,
    mos: (call) => call.mos !== null && call.mos < 3.5,
  };

  const show = () => {
    const words = value("search").toLowerCase().split(/\s+/).filter(Boolean);
    const shown = calls.filter((call, index) => {
      const text = rows[index].textContent.toLowerCase();
      const wanted = words.every((word) => text.includes(word))
        && (!value("outcome") || call.outcome === value("outcome"))
        && (!value("direction") || call.direction === value("direction"))
        && troubled[value("trouble")](call);
      rows[index].hidden = !wanted;
      return wanted;
    });
    const answered = shown.filter((call) => call.answered).length;
    document.getElementById("count").textContent =
      (shown.length === calls.length ? "" : shown.length + " of ") + calls.length + " calls, " + answered + " answered";
    spread(shown);
  };

  ["search", "outcome", "direction", "trouble"].forEach((id) => document.getElementById(id).addEventListener("input", show));
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  show();
})();
