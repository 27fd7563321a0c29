// A container's log: a websocket's lines into LogLines, with follow, search, wrap and times.
import { LogLines } from "./loglines.js";

const BACKOFF_MS = [1000, 2000, 5000, 10_000, 15_000];
const HELD = 20_000; // lines that wait for the next frame; a hidden tab draws none

const viewer = document.querySelector("[data-log]");
const root = viewer.querySelector("[data-log-lines]");
const part = (name) => viewer.querySelector(`[data-log-${name}]`);
const lines = new LogLines(root);

let socket = null;
let attempts = 0;
let retry = 0;
let newest = ""; // time of the newest line
let resumedFrom = ""; // the newest when this connection began: what it repeats is left out
let lastError = "";
let hasNewSinceEnd = false;
let isFollowing = true;
let pausedAt = 0; // lines seen when following stopped
let waiting = [];
let frame = 0;
let perSecond = 0;
let state = "Connecting…";

// --- lines come

function connect() {
  clearTimeout(retry);
  retry = 0;
  const query = new URLSearchParams({ follow: "1", timestamps: "1" });
  resumedFrom = newest; // `since` is inclusive
  if (resumedFrom) query.set("since", resumedFrom);
  else query.set("tail", viewer.dataset.tail ?? "1000");
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const mine = new WebSocket(`${scheme}://${location.host}/ws/containers/${viewer.dataset.container}/logs?${query}`);
  socket = mine;
  let isOver = false;
  mine.addEventListener("open", () => {
    state = "";
    showStatus();
  });
  mine.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.lines) take(message.lines);
    if (message.restart) rule(restartText(message.restart));
    if (message.end || message.error) {
      isOver = true;
      over(message);
    }
  });
  mine.addEventListener("close", () => {
    if (socket !== mine) return;
    socket = null;
    if (!isOver) state = "Reconnecting…";
    again();
  });
}

function again() {
  if (retry) return;
  const step = BACKOFF_MS[Math.min(attempts, BACKOFF_MS.length - 1)];
  attempts += 1;
  retry = setTimeout(connect, step * (0.75 + Math.random() / 2));
  showStatus();
}

function over({ end, error }) {
  flush();
  if (error) {
    state = "Not connected";
    if (error !== lastError) rule(error, "is-error");
    lastError = error;
    return;
  }
  state = "Ended";
  if (hasNewSinceEnd) rule("The container stopped. Its log goes on here when it starts again.", "is-quiet");
  hasNewSinceEnd = false;
  if (end.reason && end.reason !== "the container stopped") state = `Ended: ${end.reason}`;
}

function restartText(restart) {
  const code = restart.exit_code === undefined ? "Restarted" : `Exited (${restart.exit_code})`;
  const memory = restart.oom_killed ? ", out of memory" : "";
  const policy = restart.policy ? ` Restarted by policy “${restart.policy}”.` : "";
  return `${code}${memory}.${policy}`;
}

function take(batch) {
  for (const [time, stream, text] of batch) {
    if (time) {
      if (resumedFrom && time <= resumedFrom) continue;
      if (time > newest) newest = time;
    }
    waiting.push({ time, stream, text });
  }
  if (waiting.length) {
    attempts = 0;
    lastError = "";
    hasNewSinceEnd = true;
  }
  if (waiting.length > HELD) waiting.splice(0, waiting.length - HELD);
  perSecond += batch.length;
  frame ||= requestAnimationFrame(flush);
}

function flush() {
  frame = 0;
  if (waiting.length) {
    lines.append(waiting);
    waiting = [];
  }
  if (isFollowing) toEnd();
  showStatus();
}

function rule(text, kind = "") {
  flush();
  lines.rule(text, kind);
  if (isFollowing) toEnd();
}

// --- following

function toEnd() {
  lines.drawEnd();
  root.scrollTop = root.scrollHeight;
}

function setFollowing(value) {
  if (isFollowing === value) return;
  isFollowing = value;
  pausedAt = lines.seen;
  part("follow").setAttribute("aria-pressed", String(value));
  if (value) toEnd();
  showStatus();
}

const isAtEnd = () => root.scrollHeight - root.scrollTop - root.clientHeight < 8;

root.addEventListener("wheel", (event) => event.deltaY < 0 && setFollowing(false), { passive: true });
root.addEventListener("touchmove", () => !isAtEnd() && setFollowing(false), { passive: true });
root.addEventListener("pointerdown", (event) => {
  if (event.target === root && event.offsetX > root.clientWidth) setFollowing(false); // the scroll bar
});
root.addEventListener("keydown", (event) => {
  if (["ArrowUp", "PageUp", "Home"].includes(event.key)) setFollowing(false);
});
root.addEventListener("scroll", () => !isFollowing && isAtEnd() && setFollowing(true), { passive: true });

// --- status

function showStatus() {
  const fresh = lines.seen - pausedAt;
  const resume = part("resume");
  resume.hidden = isFollowing || fresh <= 0;
  part("resume-text").textContent = `${fresh.toLocaleString("en")} new ${fresh === 1 ? "line" : "lines"}`;
  part("state").textContent = state || (isFollowing ? "Following" : "Paused");
  part("state").classList.toggle("g-c-ok", !state && isFollowing);
  const matched = lines.query ? `, ${lines.matches.length.toLocaleString("en")} with a match` : "";
  part("count").textContent = `${lines.count.toLocaleString("en")} lines${matched}`;
  part("stderr").textContent = lines.stderr ? `${lines.stderr.toLocaleString("en")} lines` : "";
  part("stderr").parentElement.hidden = !lines.stderr;
  part("found").textContent = lines.query ? `${lines.position || "–"} of ${lines.matches.length}` : "";
  part("empty").hidden = lines.count > 0 || Boolean(state && state !== "Ended");
}

setInterval(() => {
  part("rate").textContent = perSecond ? `${perSecond.toLocaleString("en")} lines/s` : "";
  perSecond = 0;
}, 1000);

// --- search

const field = part("query");
let isRegex = false;

function search() {
  const words = field.value;
  let query = null;
  field.removeAttribute("aria-invalid");
  if (words) {
    try {
      query = new RegExp(isRegex ? words : words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
    } catch {
      field.setAttribute("aria-invalid", "true"); // half-typed
    }
  }
  lines.show({ query });
  if (isFollowing) toEnd();
  showStatus();
}

function find(direction) {
  setFollowing(false);
  lines.step(direction);
  showStatus();
}

let typing = 0;
field.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(search, 120);
});
field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  find(event.shiftKey ? -1 : 1);
});

// --- buttons and keys

function flip(button) {
  const isOn = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(isOn));
  return isOn;
}

const setWrap = () => {
  root.classList.toggle("is-wrapped", flip(part("wrap")));
  if (isFollowing) toEnd();
};

viewer.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { dataset } = button;
  if ("logFollow" in dataset) setFollowing(!isFollowing);
  else if ("logResume" in dataset) setFollowing(true);
  else if ("logWrap" in dataset) setWrap();
  else if ("logTimes" in dataset) root.classList.toggle("is-plain-time", !flip(button));
  else if ("logRegex" in dataset) {
    isRegex = flip(button);
    search();
  } else if ("logOnly" in dataset) {
    lines.show({ isFiltered: flip(button) });
    if (isFollowing) toEnd();
  } else if ("logNext" in dataset) find(1);
  else if ("logPrevious" in dataset) find(-1);
  else if ("logStream" in dataset) {
    for (const other of viewer.querySelectorAll("[data-log-stream]")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    lines.show({ stream: dataset.logStream });
    if (isFollowing) toEnd();
    showStatus();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, textarea, select") || document.querySelector("dialog[open]")) return;
  const act = { f: () => setFollowing(!isFollowing), w: setWrap, n: () => find(event.shiftKey ? -1 : 1) };
  act[event.key.toLowerCase()]?.();
});

// The container changed, perhaps started: no need to wait for the next attempt.
document.addEventListener("gantry:changed", (event) => {
  if (!retry || !event.detail.topics.includes("containers")) return;
  clearTimeout(retry);
  retry = setTimeout(connect, 300);
});

addEventListener("pagehide", () => socket?.close());
connect();
