// What a report can do with a script; without one it has all that it says.
"use strict";

// ---------------------------------------------------------------- tables that can be sorted

// A number at the start of a cell's text, or the text.
function valueOf(row, column) {
  const text = row.cells[column].textContent;
  const number = parseFloat(text);

  return Number.isNaN(number) ? text : number;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === typeof b) return a.localeCompare(b);
  return typeof a === "number" ? 1 : -1; // a dash comes first
}

function sort(table, header) {
  const falling = header.getAttribute("aria-sort") === "ascending";
  const [body] = table.tBodies;
  const rows = [...body.rows].map((row) => ({ row, value: valueOf(row, header.cellIndex) }));

  rows.sort((a, b) => (falling ? compare(b.value, a.value) : compare(a.value, b.value)));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", falling ? "descending" : "ascending");
  body.append(...rows.map(({ row }) => row));
}

for (const table of document.querySelectorAll(".sortable"))
  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");

    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, header));
    header.append(button);
  }

// ---------------------------------------------------------------- commands that can be copied

for (const command of document.querySelectorAll(".command")) {
  const button = document.createElement("button");

  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(command.querySelector("pre").textContent);
    button.textContent = "Copied";
  });
  if (navigator.clipboard) command.append(button);
}

// ---------------------------------------------------------------- pictures of a cell

// The number that opened them has the focus again.
addEventListener("keydown", (event) => {
  const open = document.querySelector(".cell:target");

  if (event.key !== "Escape" || open === null) return;
  location.hash = "confusion";
  document.querySelector(`a[href="#${open.id}"]`).focus();
});
