// Runs before the first paint (a plain script in <head>), so that no page flashes in the wrong theme.
// The cookie lets the server render the choice; "system" is resolved here, where the system is known.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const remember = (name, value) => {
    document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`;
  };

  const show = (choice) => {
    root.dataset.theme = choice;
    root.dataset.bsTheme = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
    for (const button of document.querySelectorAll("[data-set-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.setTheme === choice));
    }
  };

  const stored = () => {
    try {
      return localStorage.getItem("gantry.theme");
    } catch {
      return null; // storage is forbidden: the cookie alone remembers
    }
  };

  show(stored() || root.dataset.theme || "system");
  dark.addEventListener("change", () => show(root.dataset.theme));
  document.addEventListener("DOMContentLoaded", () => show(root.dataset.theme));
  addEventListener("storage", (event) => {
    if (event.key === "gantry.theme" && event.newValue) show(event.newValue);
  });

  document.addEventListener("click", (event) => {
    const theme = event.target.closest("[data-set-theme]");
    if (theme) {
      const choice = theme.dataset.setTheme;
      try {
        localStorage.setItem("gantry.theme", choice);
      } catch {
        // as above
      }
      remember("gantry_theme", choice);
      show(choice);
      return;
    }
    const rail = event.target.closest("[data-toggle-rail]");
    if (rail) {
      const shell = document.querySelector(".g-shell");
      const isRail = shell.classList.toggle("is-rail");
      remember("gantry_rail", isRail ? "1" : "0");
      rail.setAttribute("aria-expanded", String(!isRail));
      rail.title = isRail ? "Expand sidebar" : "Collapse sidebar";
    }
  });
})();
