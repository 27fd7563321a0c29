// Keeps <time data-time="ago|since|left"> fresh. The words are those of console/dashboard/amounts.py.
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
const YEAR = 365 * DAY;

export function spanText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h`;
  if (whole < YEAR) {
    const days = Math.floor(whole / DAY);
    const hours = Math.floor((whole % DAY) / HOUR);
    return days < 7 && hours ? `${days} d ${hours} h` : `${days} d`;
  }
  const years = Math.floor(whole / YEAR);
  const days = Math.floor((whole % YEAR) / DAY);
  return days ? `${years} y ${days} d` : `${years} y`;
}

// The browser's clock may be off: ages are counted by the server's, which each page carries.
const serverTime = Date.parse(document.querySelector("meta[name=gantry-time]")?.content ?? "");
const skew = Number.isNaN(serverTime) ? 0 : serverTime - Date.now();
export const now = () => Date.now() + skew;

function textOf(element) {
  const age = (now() - Date.parse(element.dateTime)) / 1000;
  switch (element.dataset.time) {
    case "since":
      return spanText(age);
    case "left": {
      const left = Math.max(0, Math.ceil(-age));
      return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    }
    default:
      if (Math.abs(age) < 1) return "now";
      return age >= 0 ? `${spanText(age)} ago` : `in ${spanText(-age)}`;
  }
}

function refresh() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time[data-time]")) {
    const text = textOf(element);
    if (element.textContent !== text) element.textContent = text;
    if (element.dataset.time === "left" && Date.parse(element.dateTime) <= now() && !element.dataset.over) {
      element.dataset.over = "1";
      element.dispatchEvent(new CustomEvent("gantry:expired", { bubbles: true }));
    }
  }
}

// The exact time in the reader's own zone, once they look.
function localTitle(event) {
  const element = event.target.closest?.("time[datetime]");
  if (!element || element.dataset.local) return;
  element.dataset.local = "1";
  const moment = new Date(element.dateTime);
  element.title = `${moment.toLocaleString()} (${moment.toISOString().replace("T", " ").slice(0, 19)} UTC)`;
}

setInterval(refresh, 1000);
document.addEventListener("visibilitychange", refresh);
document.addEventListener("pointerover", localTitle);
document.addEventListener("focusin", localTitle);
