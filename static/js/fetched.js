// Parts of a page that a host's engine fills: asked for by the page when it is there, and again by a button.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-fetch-again]");
  const part = button && document.getElementById(button.dataset.fetchAgain);
  if (!part) return;
  part.setAttribute("aria-busy", "true");
  htmx.trigger(part, "gantry:again");
});

function tell(event, sentence) {
  const part = event.detail.elt;
  if (!part.matches("[data-fetched]")) return;
  part.setAttribute("aria-busy", "false");
  if (!sentence) return;
  const told = document.createElement("p");
  told.className = "g-pad g-text-3";
  told.setAttribute("role", "alert");
  told.append(sentence);
  part.replaceChildren(told);
}

document.addEventListener("htmx:afterRequest", (event) => tell(event, ""));
document.addEventListener("htmx:responseError", (event) => tell(event, "The console could not tell. Try again."));
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => tell(event, "The console does not answer. Try again."));
}
