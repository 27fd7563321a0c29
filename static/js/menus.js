// Menus are popovers, opened by a button with popovertarget: placed beside it, led by arrow keys.
const GAP = 4;

function place(menu, button) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const fitsBelow = at.bottom + GAP + height <= innerHeight - 8;
  const left = menu.dataset.align === "start" ? at.left : at.right - width;
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  menu.style.top = `${fitsBelow ? at.bottom + GAP : Math.max(8, at.top - GAP - height)}px`;
}

const buttonOf = (menu) => document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
const items = (menu) => [...menu.querySelectorAll("a[href], button:not(:disabled), summary")].filter((item) => item.checkVisibility());

document.addEventListener(
  "toggle",
  (event) => {
    const menu = event.target;
    if (!menu.matches?.(".g-menu[popover]")) return;
    const button = buttonOf(menu);
    button?.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState !== "open" || !button) return;
    place(menu, button);
    items(menu)[0]?.focus({ focusVisible: button.matches(":focus-visible") });
  },
  true,
);

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".g-menu");
  if (!menu || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
  event.preventDefault();
  const all = items(menu);
  const at = all.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  all[(next + all.length) % all.length]?.focus();
});

document.addEventListener("click", (event) => {
  const menu = event.target.closest(".g-menu:popover-open");
  if (menu && event.target.closest("a, button") && !event.target.closest("[data-stay-open]")) menu.hidePopover();
});

// A menu stands where its button was: it goes when the page scrolls, not when it is scrolled itself.
addEventListener(
  "scroll",
  (event) => {
    const menu = document.querySelector(".g-menu:popover-open");
    if (menu && !menu.contains(event.target)) menu.hidePopover();
  },
  true,
);
