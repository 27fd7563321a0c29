// Finding in a document's tree: what matches stays and is opened, the rest is hidden.
function find(tree) {
  const wanted = tree.querySelector("[data-tree-query]").value.trim().toLowerCase();
  let found = 0;
  for (const node of [...tree.querySelectorAll("[data-node]")].reverse()) {
    // Deepest first, so that a part knows whether something in it was found.
    const own = node.querySelector(":scope > details > summary") ?? node;
    const inner = node.querySelector(":scope > details");
    const isHit = wanted !== "" && own.textContent.toLowerCase().includes(wanted);
    const holdsHit = inner !== null && inner.querySelector("[data-node]:not([hidden])") !== null;
    if (isHit) found += 1;
    node.classList.toggle("is-hit", isHit);
    node.hidden = wanted !== "" && !isHit && !holdsHit;
    if (isHit && inner !== null && !holdsHit) {
      for (const part of inner.querySelectorAll("[data-node]")) part.hidden = false;
    }
    if (inner !== null && wanted !== "") inner.open = holdsHit;
  }
  tree.querySelector("[data-tree-found]").textContent = wanted === "" ? "" : `${found} found`;
}

document.addEventListener("input", (event) => {
  const tree = event.target.matches("[data-tree-query]") && event.target.closest("[data-tree]");
  if (tree) find(tree);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-tree-all]");
  if (!button) return;
  for (const part of button.closest("[data-tree]").querySelectorAll("details")) {
    part.open = button.dataset.treeAll === "open";
  }
});
