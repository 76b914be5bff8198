"use strict";
// Headings of the page's tables become buttons that sort: upwards, downwards, and as the page had the rows.
(() => {
  const SIZES = { k: 1e3, M: 1e6, G: 1e9, T: 1e12 };

  // A number may stand in a bracket, and be followed by a size, a unit or words: 5.1G, 12 %, [0.31, 0.35], 9 of 10.
  const number = (text) => {
    const found = /^\[?([+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?)([kMGT]?)(?=$|[\s,\]%])/.exec(text.replace("\u2212", "-"));
    return found ? Number(found[1]) * (SIZES[found[2]] || 1) : null;
  };

  const empty = (text) => text === "" || text === "\u2013";

  // Numbers come before words in both directions, and cells without a value last.
  const order = (a, b, sign) => {
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    const [x, y] = [number(a), number(b)];
    if (x === null && y === null) return sign * a.localeCompare(b, "en", { numeric: true });
    return x === null || y === null ? (x === null) - (y === null) : sign * (x - y);
  };

  const sortable = (table) => {
    const body = table.tBodies[0], rows = [...body.rows];
    if (rows.length < 3) return;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (!head.textContent) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort || "none"];
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (next !== "none") head.setAttribute("aria-sort", next);
        const text = (row) => row.cells[column].textContent.trim(), sign = next === "descending" ? -1 : 1;
        const sorted = next === "none" ? rows : [...rows].sort((a, b) => order(text(a), text(b), sign));
        body.append(...sorted);
      });
    });
  };

  document.querySelectorAll("table.sortable").forEach(sortable);
})();
