// One websocket a page says what changed; parts of the page with `data-live="topics"` then fetch
// themselves (their own hx-get, on the event gantry:refresh) and are morphed in place.
//
// The first hint acts at once, later ones at most every 700 ms; never while a menu or dialog inside
// is open, never while the page is hidden. Cut off, the page polls every 10 s and says so.
const LEAST_MS = 700;
const POLL_MS = 10_000;
const BACKOFF_MS = [500, 1000, 2000, 5000, 10_000, 15_000];
const GRACE_MS = 1500; // a reload of the console is not worth a banner
const SIGN_IN = 4401;

const parts = new WeakMap(); // element → { last, timer, isBusy, isStale }
let socket = null;
let attempts = 0;
let cutSince = 0;
let pollAt = 0;
let wasCut = false;

export const isConnected = () => socket?.readyState === WebSocket.OPEN;

function partOf(element) {
  if (!parts.has(element)) parts.set(element, { last: -LEAST_MS, timer: 0, isBusy: false, isStale: false });
  return parts.get(element);
}

const isHeld = (element) =>
  document.hidden || element.querySelector(":popover-open, dialog[open]") !== null || element.matches("[data-hold]");

function want(element) {
  const part = partOf(element);
  if (isHeld(element) || part.isBusy) {
    part.isStale = true;
    return;
  }
  if (part.timer) return;
  const wait = Math.max(0, part.last + LEAST_MS - performance.now());
  part.timer = setTimeout(() => {
    part.timer = 0;
    fetchNow(element);
  }, wait);
}

function fetchNow(element) {
  const part = partOf(element);
  if (!element.isConnected) return;
  if (isHeld(element)) {
    part.isStale = true;
    return;
  }
  part.isStale = false;
  part.isBusy = true;
  part.last = performance.now();
  htmx.trigger(element, "gantry:refresh");
}

function lookAgain() {
  for (const element of document.querySelectorAll("[data-live]")) {
    if (partOf(element).isStale && !isHeld(element)) want(element);
  }
}

function changed(topics, host) {
  for (const element of document.querySelectorAll("[data-live]")) {
    const wanted = element.dataset.live.split(" ");
    if (!topics.some((topic) => wanted.includes(topic))) continue;
    if (host && element.dataset.liveHost && element.dataset.liveHost !== host) continue;
    want(element);
  }
}

export function refreshAll() {
  document.querySelectorAll("[data-live]").forEach(want);
}

function done(event) {
  const element = event.detail.elt;
  if (!element?.dataset?.live) return;
  const part = partOf(element);
  part.isBusy = false;
  if (part.isStale) want(element);
}

// An object that was removed while its page is open: say so, and stop asking for it.
document.addEventListener("htmx:responseError", (event) => {
  const element = event.detail.elt;
  if (event.detail.xhr.status !== 404 || !element.matches("[data-live]")) return;
  element.dataset.live = ""; // no topic concerns it any more
  document.getElementById("g-gone")?.removeAttribute("hidden");
  document.getElementById("main").dataset.gone = "";
});

// --- the socket

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const mine = new WebSocket(`${scheme}://${location.host}/ws/live`);
  socket = mine;
  mine.addEventListener("open", () => {
    attempts = 0;
    refreshAll(); // what happened since the page was made, or while the line was cut
    wasCut = false;
    cutSince = 0;
    showCut();
  });
  mine.addEventListener("message", (event) => {
    let hint;
    try {
      hint = JSON.parse(event.data);
    } catch {
      return;
    }
    if (!Array.isArray(hint.topics)) return;
    changed(hint.topics, hint.host);
    document.dispatchEvent(new CustomEvent("gantry:changed", { detail: hint }));
  });
  mine.addEventListener("close", (event) => {
    if (socket !== mine) return;
    socket = null;
    if (event.code === SIGN_IN) {
      location.reload(); // the server leads to signing in
      return;
    }
    wasCut = true;
    if (!cutSince) {
      cutSince = Date.now();
      pollAt = cutSince + POLL_MS;
    }
    const step = BACKOFF_MS[Math.min(attempts, BACKOFF_MS.length - 1)];
    attempts += 1;
    setTimeout(connect, step * (0.5 + Math.random())); // jitter: not all pages at the same moment
  });
}

function showCut() {
  const isCut = cutSince > 0 && Date.now() - cutSince > GRACE_MS;
  const banner = document.getElementById("g-cut");
  if (banner) {
    banner.hidden = !isCut;
    const next = banner.querySelector("[data-next]");
    if (isCut && next) next.textContent = `next in ${Math.max(0, Math.ceil((pollAt - Date.now()) / 1000))} s`;
  }
  for (const mark of document.querySelectorAll("[data-live-mark]")) {
    mark.classList.toggle("is-cut", isCut);
    const text = isCut ? `As of ${clock(cutSince)}` : `Live, ${clock(Date.now())}`;
    if (mark.textContent !== text) mark.textContent = text;
  }
}

const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

setInterval(() => {
  if (cutSince && Date.now() >= pollAt) {
    pollAt = Date.now() + POLL_MS;
    refreshAll();
  }
  showCut();
}, 1000);

// A hint may be lost on the way (a broker that restarts): no page stays behind for longer than this.
setInterval(() => {
  if (isConnected()) refreshAll();
}, 60_000);

document.addEventListener("visibilitychange", lookAgain);
document.addEventListener("toggle", lookAgain, true); // a menu closed
document.addEventListener("close", lookAgain, true); // a dialog closed
document.addEventListener("htmx:afterRequest", done);
document.addEventListener("htmx:sendError", done);

// --- morphing

// What the reader did to the page stays when the server's version comes: ticks, opened parts, text being typed.
// Only fields are spared: a focused button that kept its old word would do something else than it says.
// So are parts that a host's engine filled: the page's own version has only their place.
Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => {
  if (old.matches?.("[data-fetched]")) return false;
  return old !== document.activeElement || !old.matches("input:not([type=checkbox]), textarea, select");
};
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) => {
  if (name === "checked" && element.matches("[data-select], [data-select-all]")) return false;
  if (name === "open" && element.matches("details, dialog")) return false;
  if (name === "style" && element.matches(".g-menu")) return false; // where menus.js put it
  if (name === "data-mark") flash(element);
  return true;
};

function flash(element) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const tint = getComputedStyle(element).getPropertyValue("--g-selected");
  for (const cell of element.cells ?? [element]) {
    cell.animate([{ backgroundColor: tint }, { backgroundColor: "transparent" }], 600);
  }
}

connect();
