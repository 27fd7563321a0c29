// Keys, as the dialog behind `?` lists them. Single keys rest while someone types, and can be turned off.
import { clear, toggle } from "./select.js";

const OFF = "gantry.keys";
let goAt = 0; // when G was pressed

const areOff = () => {
  try {
    return localStorage.getItem(OFF) === "off";
  } catch {
    return false;
  }
};

const isTyping = (element) =>
  element.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

const rows = () => [...document.querySelectorAll("[data-rows] tr[data-id]")];
const currentRow = () => document.activeElement?.closest("[data-rows] tr[data-id]");

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(currentRow());
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step));
  const link = all[next].querySelector(".g-name a");
  link?.focus({ focusVisible: true });
  all[next].scrollIntoView({ block: "nearest" });
}

function go(place) {
  const link = document.querySelector(`[data-go="${place}"]`);
  if (link) location.assign(link.href);
}

const actions = {
  j: () => move(1),
  k: () => move(-1),
  x: () => {
    const box = currentRow()?.querySelector("[data-select]");
    if (box) toggle(box);
  },
  l: () => {
    const url = currentRow()?.dataset.logs ?? document.querySelector("[data-page-logs]")?.href;
    if (url) location.assign(url);
  },
  "/": () => focusSearch(document.querySelector("[data-filter-text]") ?? document.getElementById("g-search")),
  "?": () => document.getElementById("g-keys")?.showModal(),
  g: () => {
    goAt = performance.now();
  },
};

const places = { o: "overview", c: "containers", h: "hosts" };

function focusSearch(field) {
  document.querySelector(".g-top")?.classList.toggle("is-searching", field?.id === "g-search");
  field?.focus();
  field?.select();
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    focusSearch(document.getElementById("g-search"));
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape") {
    if (document.querySelector("dialog[open], :popover-open")) return; // they close themselves
    if (isTyping(document.activeElement)) document.activeElement.blur();
    else clear();
    return;
  }
  if (areOff() || isTyping(event.target) || document.querySelector("dialog[open], :popover-open")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isGoing = performance.now() - goAt < 1200;
  goAt = 0;
  if (isGoing && places[key]) {
    event.preventDefault();
    go(places[key]);
    return;
  }
  const act = actions[key];
  if (!act) return;
  event.preventDefault();
  act();
});

const top = document.querySelector(".g-top");
document.getElementById("g-search")?.addEventListener("blur", () => top.classList.remove("is-searching"));

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-open-search]")) focusSearch(document.getElementById("g-search"));
  const more = event.target.closest("[data-open-nav]");
  const side = document.querySelector(".g-side");
  if (more) {
    const isOpen = side.classList.toggle("is-open");
    more.setAttribute("aria-expanded", String(isOpen));
  }
});

const single = document.querySelector("[data-keys-on]");
if (single) {
  single.checked = !areOff();
  single.addEventListener("change", () => localStorage.setItem(OFF, single.checked ? "on" : "off"));
}
