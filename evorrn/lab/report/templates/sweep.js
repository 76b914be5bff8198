"use strict";
// Tables that sort and filter, made from the data in the page; rows are drawn some at a time.
(() => {
  const STEP = 200, MOST_CHOICES = 16;

  const element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  const text = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value !== "number" || Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
    return Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3 && value !== 0 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  };

  const order = (a, b) => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;  // what has no value comes last
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };

  const build = (home) => {
    const { columns, rows } = JSON.parse(document.getElementById(home.dataset.source).textContent);
    const numeric = columns.map((_, place) => rows.some((row) => typeof row[place] === "number"));
    const lines = rows.map((row) => row.map((value) => value === null ? "" : String(value)).join(" ").toLowerCase());
    const state = { column: -1, descending: false, shown: STEP, found: rows.map((_, place) => place) };

    const search = element("input", { type: "search", placeholder: "filter: words that a row must have", "aria-label": "filter " + home.dataset.noun });
    const count = element("output", { "aria-live": "polite" });
    const controls = element("div", { class: "controls" }, search);
    const choices = [];
    columns.forEach((name, place) => {
      const values = [...new Set(rows.map((row) => text(row[place])))];
      if (values.length < 2 || values.length > MOST_CHOICES || values.length === rows.length || ["seeds", "failed", "error", "metric"].includes(name)) return;
      const select = element("select", { "aria-label": name }, new Option("all", "\u0000"));
      values.sort(order).forEach((value) => select.add(new Option(value === "" ? "none" : value, value)));
      choices.push([place, select]);
      controls.append(element("label", {}, name + " ", select));
    });
    controls.append(count);

    const body = element("tbody");
    const heads = columns.map((name, place) => {
      const button = element("button", { type: "button" }, name);
      const head = element("th", numeric[place] ? { class: "number" } : {}, button);
      button.addEventListener("click", () => {
        state.descending = state.column === place && !state.descending;
        state.column = place;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
        update();
      });
      return head;
    });
    const more = element("button", { type: "button", class: "more" }, "show more");
    more.addEventListener("click", () => { state.shown += 5 * STEP; draw(); });

    const draw = () => {
      body.replaceChildren(...state.found.slice(0, state.shown).map((place) => element("tr", {}, ...rows[place].map((value, column) => {
        const cell = element("td", numeric[column] ? { class: "number" } : {}, text(value));
        if (columns[column] === "status") cell.dataset.status = value;
        if (value !== null && text(value) !== String(value) || String(value).length > 24) cell.title = value;
        return cell;
      }))));
      more.hidden = state.found.length <= state.shown;
      const drawn = Math.min(state.shown, state.found.length);
      count.textContent = `${state.found.length} of ${rows.length} ${home.dataset.noun}` + (more.hidden ? "" : `, the first ${drawn} shown`);
    };

    const update = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      state.found = rows.map((_, place) => place).filter((place) =>
        words.every((word) => lines[place].includes(word)) &&
        choices.every(([column, select]) => select.value === "\u0000" || text(rows[place][column]) === select.value));
      if (state.column >= 0) {
        const sign = state.descending ? -1 : 1, column = state.column;
        state.found.sort((a, b) => {
          const [x, y] = [rows[a][column], rows[b][column]];
          return (x === null || y === null ? order(x, y) : sign * order(x, y)) || a - b;
        });
      }
      state.shown = STEP;
      draw();
    };

    search.addEventListener("input", update);
    choices.forEach(([, select]) => select.addEventListener("change", update));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body);
    home.append(controls, element("div", { class: "scroll", tabindex: "0" }, table), more);
    draw();
  };

  document.querySelectorAll(".data").forEach(build);
})();
