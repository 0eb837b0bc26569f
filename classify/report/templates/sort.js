"use strict";
// Headings of sortable tables become buttons. A cell sorts by its data-value, or by its text;
// cells without a value stay last in both directions.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const first = [...body.rows];
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value !== undefined) {
      return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    }
    return cell.textContent;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number"
      ? a - b
      : String(a).localeCompare(String(b), "en", { numeric: true });
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const numeric = first.some((row) => typeof keyOf(row, column) === "number");
      const now = heading.getAttribute("aria-sort");
      // Numbers are wanted from the highest, words from A.
      const turned = now === "none" ? numeric : now === "ascending";
      for (const other of headings) other.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", turned ? "descending" : "ascending");
      const sign = turned ? -1 : 1;
      const rows = first.map((row) => [keyOf(row, column), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * compare(a, b);
      });
      body.append(...rows.map(([, row]) => row));
      document.getElementById("sorted").textContent =
        `Sorted by ${button.textContent}, ${turned ? "descending" : "ascending"}`;
    });
  });
}
// Paper can't be opened.
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details")) one.open = true;
});
