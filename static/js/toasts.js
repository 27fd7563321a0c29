// What came of an operation. A POST answers with HX-Trigger
//   {"gantry:operations": {"operations": [{"id", "title"}]}, "gantry:refusals": {"sentences": [...]}}.
// Each operation's toast is fetched, follows it by itself (it is a `data-live` part) and, when it succeeded,
// goes after 6 s unless it is looked at. More than three are told by one toast that leads to their list.
import { spanText } from "./time.js";

const box = document.getElementById("g-toasts");
const MOST = 3;
const STAY_MS = 6000;

function follow(event) {
  const asked = event.detail?.operations ?? [];
  if (!box) return;
  if (asked.length > MOST) {
    const verb = asked[0].title.split(" ")[0];
    say(`${verb}: ${asked.length} asked for`, "Each row shows what comes of it.", { outcome: "succeeded", url: box.dataset.url });
    return;
  }
  for (const { id } of asked) {
    htmx.ajax("GET", `${box.dataset.url}/${encodeURIComponent(id)}?toast`, { target: box, swap: "beforeend" });
  }
}

function refused(event) {
  const sentences = event.detail?.sentences ?? [];
  if (!sentences.length) return;
  const title = sentences.length > 1 ? `${sentences.length} were not asked for` : "Not asked for";
  say(title, sentences.join(" "));
}

// A sentence that no operation stands behind.
export function say(title, sentence = "", { outcome = "failed", url = "" } = {}) {
  const template = document.getElementById(`g-toast-${outcome}`);
  if (!box || !template) return;
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.querySelector("b").textContent = title;
  toast.querySelector("p").textContent = sentence;
  const link = toast.querySelector("a");
  if (url) link.href = url;
  else link.remove();
  box.append(toast);
  tidy();
}

function tidy() {
  while (box.childElementCount > MOST) {
    const oldest = box.querySelector("[data-outcome=succeeded]") ?? box.firstElementChild;
    oldest.remove();
  }
}

// The outcome may have come between the making of a toast and its place in the page: then no hint follows.
setInterval(() => {
  for (const toast of box?.querySelectorAll("[data-outcome=running][data-live]") ?? []) {
    htmx.trigger(toast, "gantry:refresh");
  }
}, 1500);

const isLookedAt = (toast) => toast.matches(":hover") || toast.contains(document.activeElement);

setInterval(() => {
  for (const toast of box?.querySelectorAll("[data-outcome=succeeded]") ?? []) {
    toast.shownSince ??= Date.now();
    if (isLookedAt(toast)) toast.shownSince = Date.now();
    if (Date.now() - toast.shownSince >= STAY_MS) toast.remove();
  }
}, 500);

document.addEventListener("gantry:operations", follow);
document.addEventListener("gantry:refusals", refused);
document.addEventListener("htmx:afterSettle", (event) => {
  if (box && (event.detail.target === box || box.contains(event.detail.target))) tidy();
});
document.addEventListener("click", (event) => {
  event.target.closest("[data-toast-close]")?.closest(".g-toast")?.remove();
});

// Requests that a person made; those of live parts are repeated anyway.
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.elt.matches("[data-live]") && event.detail.requestConfig?.verb === "get") return;
  const { xhr } = event.detail;
  if (xhr.status === 401 || xhr.status === 403) {
    say("Not allowed", "You may not do this, or you were signed out. Reload the page to see.");
  } else if (xhr.status === 404) {
    say("It is gone", "The object was removed meanwhile. Reload the page to see what is there.");
  } else if (xhr.status === 429) {
    const wait = Number(xhr.getResponseHeader("Retry-After"));
    say("Too many requests", wait ? `Try again in ${spanText(wait)}.` : "Try again in a moment.");
  } else {
    say("The console could not do that", `It answered with ${xhr.status}. Nothing was asked of the host.`);
  }
});
document.addEventListener("htmx:sendError", (event) => {
  if (event.detail.elt.matches("[data-live]")) return;
  say("The console does not answer", "Nothing was asked of the host. Check the connection and try again.");
});
