// htmx loads a dialog's content into #g-dialog; it opens then, with the focus on what is safe.
const dialog = document.getElementById("g-dialog");
let opener = null;

function open() {
  if (!dialog.open) {
    opener = document.activeElement;
    dialog.showModal();
  }
  dialog.classList.toggle("is-wide", dialog.querySelector("[data-wide]") !== null);
  const heading = dialog.querySelector("h2");
  if (heading) {
    heading.id ||= "g-dialog-title";
    dialog.setAttribute("aria-labelledby", heading.id);
  }
  const first =
    dialog.querySelector("[aria-invalid=true]") ??
    dialog.querySelector("[data-focus]") ??
    dialog.querySelector("input:not([type=hidden]), select, textarea");
  first?.focus();
  check();
}

// "Type the name": the confirming button waits for the right word.
function check() {
  for (const field of dialog.querySelectorAll("[data-must-be]")) {
    const button = field.form?.querySelector("[type=submit]");
    if (button) button.disabled = field.value !== field.dataset.mustBe;
  }
}

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target === dialog && dialog.childElementCount) open();
});

// An answer without content is a success: its outcome goes on as a toast.
document.addEventListener("htmx:afterRequest", (event) => {
  if (dialog.open && dialog.contains(event.detail.elt) && event.detail.xhr?.status === 204) dialog.close();
});

dialog?.addEventListener("input", check);
dialog?.addEventListener("close", () => {
  dialog.replaceChildren();
  if (opener?.isConnected) opener.focus();
  opener = null;
});

document.addEventListener("click", (event) => {
  const closer = event.target.closest("[data-close]");
  if (closer) closer.closest("dialog")?.close();
  if (event.target instanceof HTMLDialogElement) event.target.close(); // the backdrop
  const shows = event.target.closest("[data-show-dialog]");
  if (shows) document.getElementById(shows.dataset.showDialog)?.showModal();
});
