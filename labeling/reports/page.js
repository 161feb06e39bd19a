// Sorting, and nothing else: a click on a column's heading sorts the overview, and the cards follow it.
for (const head of document.querySelectorAll(".overview thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const down = head.ariaSort === "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.ariaSort = down ? "descending" : "ascending";
    const body = document.querySelector(".overview tbody");
    const text = (row) => row.children[head.cellIndex].textContent;
    const rows = [...body.rows].sort((a, b) => text(a).localeCompare(text(b), undefined, { numeric: true }));
    if (down) rows.reverse();
    body.append(...rows);
    document.querySelector(".cards").append(...rows.map((row) => document.getElementById("f" + row.dataset.row)));
  });
}
