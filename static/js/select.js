// Selection in a list: kept by id, so that it survives rows that are morphed, and told to the bulk bar.
const chosen = new Set();
let lastBox = null;

const list = () => document.querySelector("[data-selectable]");
const boxes = () => [...(list()?.querySelectorAll("[data-select]") ?? [])];

function show() {
  const all = boxes();
  const here = new Set(all.map((box) => box.value));
  for (const id of chosen) if (!here.has(id)) chosen.delete(id); // gone, or filtered out: not acted upon unseen
  const hosts = new Set();
  for (const box of all) {
    box.checked = chosen.has(box.value);
    const row = box.closest("tr");
    row.classList.toggle("is-selected", box.checked);
    if (box.checked) hosts.add(row.dataset.host);
  }
  for (const head of document.querySelectorAll("[data-select-all]")) {
    head.checked = all.length > 0 && chosen.size === all.length;
    head.indeterminate = chosen.size > 0 && chosen.size < all.length;
  }
  const bar = document.getElementById("g-bulk");
  if (!bar) return;
  bar.hidden = chosen.size === 0;
  bar.querySelector("[data-count]").textContent = `${chosen.size} selected`;
  bar.querySelector("[data-hosts]").textContent = hosts.size > 1 ? `on ${hosts.size} hosts` : "";
}

export function clear() {
  const had = chosen.size > 0;
  chosen.clear();
  show();
  return had;
}

export function toggle(box) {
  if (chosen.has(box.value)) chosen.delete(box.value);
  else chosen.add(box.value);
  show();
}

document.addEventListener("click", (event) => {
  const box = event.target.closest("[data-select]");
  if (box) {
    const all = boxes();
    const from = all.indexOf(lastBox);
    if (event.shiftKey && from >= 0) {
      const to = all.indexOf(box);
      for (const between of all.slice(Math.min(from, to), Math.max(from, to) + 1)) {
        if (box.checked) chosen.add(between.value);
        else chosen.delete(between.value);
      }
    } else if (box.checked) chosen.add(box.value);
    else chosen.delete(box.value);
    lastBox = box;
    show();
    return;
  }
  const head = event.target.closest("[data-select-all]");
  if (head) {
    boxes().forEach((each) => (head.checked ? chosen.add(each.value) : chosen.delete(each.value)));
    show();
    return;
  }
  if (event.target.closest("[data-select-clear]")) clear();
});

// The bulk bar's buttons send what is selected.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.closest("[data-with-selection]")) return;
  event.detail.parameters.ids = [...chosen];
});

// After a bulk action was asked for, nothing stays selected by accident.
document.addEventListener("gantry:operations", () => clear());
document.addEventListener("htmx:afterSettle", show);
show();
