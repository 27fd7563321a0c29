// Terminal text as plain pieces with classes. Colours and weights are kept; everything else in escapes is dropped.
const COLOURS = ["grey", "red", "green", "yellow", "blue", "magenta", "cyan", ""];
const WEIGHTS = { 1: "bold", 2: "faint", 3: "italic", 4: "underline", 9: "strike" };
const ENDS = { 22: ["bold", "faint"], 23: ["italic"], 24: ["underline"], 29: ["strike"] };

// CSI; OSC, DCS and their like up to their end; two-character escapes.
// eslint-disable-next-line no-control-regex
const ESCAPE = /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
// Marks that turn the direction of what follows are shown instead of obeyed.
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const clean = (text) =>
  text
    .replace(CONTROLS, "")
    .replace(TURNS, (mark) => `⟨U+${mark.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

// A progress bar writes over itself: what a terminal would show at the end of the line.
function lastOfReturns(text) {
  const at = text.lastIndexOf("\r", text.length - 2);
  return at < 0 ? text : text.slice(at + 1);
}

function apply(state, parameters) {
  const codes = parameters === "" ? [0] : parameters.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i];
    if (code === 0) {
      state.colour = "";
      state.weights.clear();
    } else if (WEIGHTS[code]) state.weights.add(WEIGHTS[code]);
    else if (ENDS[code]) ENDS[code].forEach((weight) => state.weights.delete(weight));
    else if (code >= 30 && code <= 37) state.colour = COLOURS[code - 30];
    else if (code >= 90 && code <= 97) state.colour = COLOURS[code - 90];
    else if (code === 39) state.colour = "";
    else if (code === 38 || code === 48) {
      const isPalette = codes[i + 1] === 5;
      if (code === 38) state.colour = isPalette && codes[i + 2] < 16 ? COLOURS[codes[i + 2] % 8] : "";
      i += isPalette ? 2 : 4; // colours of 256 and of millions are not the house's
    }
  }
}

function classOf(state) {
  const names = [...state.weights];
  if (state.colour) names.unshift(state.colour);
  return names.map((name) => `g-ansi-${name}`).join(" ");
}

/** [{ text, css }], without escapes. */
export function pieces(raw) {
  const text = lastOfReturns(raw);
  const state = { colour: "", weights: new Set() };
  const found = [];
  let at = 0;
  const add = (part) => {
    const shown = clean(part);
    if (shown) found.push({ text: shown, css: classOf(state) });
  };
  for (const match of text.matchAll(ESCAPE)) {
    add(text.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === "m") apply(state, match[1]);
  }
  add(text.slice(at));
  return found;
}

/** The same as one string: what a search looks in. */
export function plain(raw) {
  const text = lastOfReturns(raw);
  return clean(text.includes("\x1b") || text.includes("\x9b") ? text.replace(ESCAPE, "") : text);
}
