// Copies the text of the element that a button names.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const word = button.querySelector("[data-word]") ?? button;
  const before = word.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    word.textContent = "Copied";
  } catch {
    // Without HTTPS browsers keep the clipboard shut: select the text, so that Ctrl C does it.
    getSelection().selectAllChildren(source);
    word.textContent = "Press Ctrl C";
  }
  setTimeout(() => {
    word.textContent = before;
  }, 2000);
});
