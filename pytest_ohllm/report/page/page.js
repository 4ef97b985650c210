"use strict";
// The page can be read without this: it adds what only a program can do.
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const say = (text) => { document.getElementById("status").textContent = text; };
  root.classList.add("js");

  // Copy buttons beside commands.
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  };
  for (const text of all("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${text.dataset.copy}`);
    button.addEventListener("click", async () => {
      const done = await copied(text.textContent);
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      say(done ? "Copied" : "Could not copy");
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    text.after(button);
  }

  // Tables that can be sorted by a column.
  const key = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.value ?? cell.textContent.trim();
    return value !== "" && !Number.isNaN(Number(value)) ? Number(value) : value.toLowerCase();
  };
  const order = (a, b) => {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return typeof a === "number" ? a - b : a.localeCompare(b);
  };
  const sort = (head, column) => {
    const heads = all("th", head.parentNode);
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows].map((row) => [key(row, column), row]);
    rows.sort(([a], [b]) => (down ? order(b, a) : order(a, b)));
    body.append(...rows.map(([, row]) => row));
    say(`Sorted by ${head.textContent.trim()}, ${down ? "descending" : "ascending"}`);
  };
  for (const table of all("table.sortable")) {
    all("thead th", table).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(head, column));
    });
  }

  // Search: what does not match is hidden.
  const units = all("[data-find]").map((unit) => ({ unit, text: "" }));
  const find = (wanted) => {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const one of units) {
      one.text ||= `${one.unit.dataset.find} ${one.unit.textContent}`.toLowerCase();
      one.unit.hidden = !words.every((word) => one.text.includes(word));
      shown += !one.unit.hidden;
    }
    for (const part of all(".profile")) {
      const inner = all("[data-find]", part);
      part.hidden = inner.length > 0 && inner.every((unit) => unit.hidden);
    }
    say(words.length ? `${shown} of ${units.length} parts match` : "");
  };
  const search = document.getElementById("search");
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => find(search.value), 120);
  });

  // Fold and unfold.
  const fold = document.getElementById("fold");
  fold.addEventListener("click", () => {
    const open = fold.getAttribute("aria-pressed") !== "true";
    all("details.piece").forEach((part) => { part.open = open; });
    fold.setAttribute("aria-pressed", String(open));
    fold.textContent = open ? "Fold all" : "Unfold all";
  });

  // A link into a folded part unfolds it.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (let part = target || null; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") part.open = true;
    }
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
