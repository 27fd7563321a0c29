// The lines of a log on the page: at most MOST of them, in chunks; only chunks near the view have elements.
import { pieces, plain } from "./ansi.js";

const MOST = 20_000;
const CHUNK = 100;
const LINE_PX = 18;
const NEAR_END = 2; // chunks that are drawn at once while the end is followed; the rest when they come into view
const CUT = 8000; // characters of one line that are shown

const make = (tag, css, text = "") => {
  const element = document.createElement(tag);
  if (css) element.className = css;
  if (text) element.textContent = text;
  return element;
};

const pad = (number, length = 2) => String(number).padStart(length, "0");

function clock(time) {
  const moment = new Date(time);
  if (Number.isNaN(moment.getTime())) return "";
  const { h, m, s, ms } = {
    h: moment.getHours(),
    m: moment.getMinutes(),
    s: moment.getSeconds(),
    ms: moment.getMilliseconds(),
  };
  return `${pad(h)}:${pad(m)}:${pad(s)}.${pad(ms, 3)}`;
}

export class LogLines {
  constructor(root) {
    this.root = root;
    this.chunks = [];
    this.count = 0; // lines held
    this.seen = 0; // lines ever
    this.stderr = 0;
    this.stream = "";
    this.query = null; // RegExp, global
    this.isFiltered = false;
    this.matches = []; // lines that the query is in, oldest first
    this.current = null;
    this.observer = new IntersectionObserver((entries) => this.#watch(entries), {
      root,
      rootMargin: "800px 0px",
    });
  }

  /** Add lines at the end. Thousands a second come: only what can be seen gets elements. */
  append(lines) {
    // More than fits came at once: what would leave at once is not held at all.
    const kept = lines.length > MOST ? lines.slice(-MOST) : lines;
    this.seen += lines.length - kept.length;
    for (const line of kept) this.#add(line);
    this.#trim();
    this.#drawChanged();
  }

  /** Draw the last lines now, as the view is led to them. */
  drawEnd() {
    for (const chunk of this.chunks.slice(-NEAR_END)) this.#fill(chunk);
  }

  rule(text, kind = "") {
    this.#add({ rule: text, kind });
    this.#drawChanged();
  }

  clear() {
    for (const chunk of this.chunks) this.#drop(chunk);
    Object.assign(this, { chunks: [], count: 0, stderr: 0, matches: [], current: null });
  }

  /** Show other lines, or mark other words; what is held stays. */
  show({ stream = this.stream, query = this.query, isFiltered = this.isFiltered }) {
    Object.assign(this, { stream, query, isFiltered, matches: [] });
    for (const chunk of this.chunks) {
      for (const line of chunk.lines) if (this.#hits(line)) this.matches.push(line);
    }
    if (!this.matches.includes(this.current)) this.current = null;
    for (const chunk of this.chunks) this.#redraw(chunk);
  }

  /** Lead to the next (1) or previous (-1) match. Returns its number from 1, or 0. */
  step(direction) {
    if (!this.matches.length) return 0;
    const at = this.current ? this.matches.indexOf(this.current) : direction > 0 ? -1 : this.matches.length;
    const next = (at + direction + this.matches.length) % this.matches.length;
    const before = this.current;
    this.current = this.matches[next];
    for (const line of [before, this.current]) if (line) this.#redraw(line.chunk);
    this.#fill(this.current.chunk);
    const element = this.current.element ?? this.current.chunk.element;
    element.scrollIntoView({ block: "center" });
    return next + 1;
  }

  get position() {
    return this.current ? this.matches.indexOf(this.current) + 1 : 0;
  }

  #add(line) {
    let chunk = this.chunks.at(-1);
    if (!chunk || chunk.lines.length >= CHUNK) chunk = this.#newChunk();
    line.chunk = chunk;
    chunk.lines.push(line);
    this.count += 1;
    this.seen += 1;
    if (line.stream === "stderr") this.stderr += 1;
    if (this.#hits(line)) this.matches.push(line);
    if (this.#isShown(line)) chunk.shown += 1;
    chunk.isChanged = true;
  }

  #newChunk() {
    const chunk = { lines: [], shown: 0, drawn: 0, isFilled: false, isChanged: true, element: make("div", "g-log-chunk") };
    chunk.element.chunk = chunk;
    this.chunks.push(chunk);
    this.root.append(chunk.element);
    this.observer.observe(chunk.element);
    return chunk;
  }

  #trim() {
    while (this.count > MOST && this.chunks.length > 1) {
      const chunk = this.chunks.shift();
      this.count -= chunk.lines.length;
      this.stderr -= chunk.lines.filter((line) => line.stream === "stderr").length;
      this.#drop(chunk);
    }
    const first = this.chunks[0];
    let gone = 0;
    while (gone < this.matches.length && !this.matches[gone].chunk.element.isConnected) gone += 1;
    if (gone && first) this.matches.splice(0, gone);
  }

  #drop(chunk) {
    this.observer.unobserve(chunk.element);
    chunk.element.remove();
  }

  #hits(line) {
    if (!this.query || line.rule || !this.#isOfStream(line)) return false;
    this.query.lastIndex = 0;
    line.plain ??= plain(line.text);
    return this.query.test(line.plain);
  }

  #isOfStream(line) {
    return !this.stream || line.stream === this.stream;
  }

  #isShown(line) {
    if (line.rule) return true;
    if (!this.#isOfStream(line)) return false;
    return !this.isFiltered || !this.query || this.#hits(line);
  }

  // --- elements

  #watch(entries) {
    for (const entry of entries) {
      const { chunk } = entry.target;
      if (entry.isIntersecting) this.#fill(chunk);
      else this.#empty(chunk, entry.boundingClientRect.height);
    }
  }

  #fill(chunk) {
    if (chunk.isFilled) return;
    chunk.isFilled = true;
    chunk.element.style.height = "";
    this.#settle(chunk);
  }

  #empty(chunk, height) {
    if (!chunk.isFilled) return;
    chunk.isFilled = false;
    chunk.drawn = 0;
    chunk.element.replaceChildren();
    chunk.element.style.height = `${height || chunk.shown * LINE_PX}px`;
    for (const line of chunk.lines) line.element = null;
  }

  #redraw(chunk) {
    chunk.shown = chunk.lines.filter((line) => this.#isShown(line)).length;
    chunk.drawn = 0;
    chunk.element.replaceChildren();
    if (chunk.isFilled) this.#settle(chunk);
    else this.#reserve(chunk);
  }

  #drawChanged() {
    for (let i = this.chunks.length - 1; i >= 0 && this.chunks[i].isChanged; i -= 1) {
      const chunk = this.chunks[i];
      if (chunk.isFilled) this.#settle(chunk);
      else this.#reserve(chunk);
    }
  }

  // Room for lines that are not drawn.
  #reserve(chunk) {
    chunk.element.style.height = `${chunk.shown * LINE_PX}px`;
    chunk.isChanged = false;
  }

  #settle(chunk) {
    if (!chunk.isFilled) return;
    const fresh = document.createDocumentFragment();
    for (const line of chunk.lines.slice(chunk.drawn)) {
      if (this.#isShown(line)) fresh.append((line.element = this.#draw(line)));
    }
    chunk.drawn = chunk.lines.length;
    chunk.isChanged = false;
    chunk.element.append(fresh);
  }

  #draw(line) {
    if (line.rule) {
      const rule = make("div", `g-log-rule ${line.kind}`);
      rule.append(make("span", "", line.rule));
      return rule;
    }
    const isError = line.stream === "stderr";
    const row = make("div", `g-log-line${isError ? " is-stderr" : ""}${line === this.current ? " is-current" : ""}`);
    const time = make("span", "g-log-time", line.time ? clock(line.time) : "");
    if (line.time) time.title = line.time;
    row.append(time, make("span", "g-log-stream", isError ? "stderr" : ""), this.#text(line));
    return row;
  }

  #text(line) {
    const text = make("span", "g-log-text");
    const isLong = line.text.length > CUT;
    const parts = pieces(isLong ? line.text.slice(0, CUT) : line.text);
    const marks = this.query && !line.rule ? this.#ranges(parts) : [];
    let at = 0;
    for (const part of parts) {
      this.#piece(text, part, at, marks, line === this.current);
      at += part.text.length;
    }
    if (isLong) text.append(make("span", "g-log-more", ` … ${line.text.length - CUT} more characters, in the download`));
    return text;
  }

  #ranges(parts) {
    const whole = parts.map((part) => part.text).join("");
    const ranges = [];
    this.query.lastIndex = 0;
    for (const match of whole.matchAll(this.query)) {
      if (match[0]) ranges.push([match.index, match.index + match[0].length]);
      if (ranges.length >= 200) break;
    }
    return ranges;
  }

  // One coloured piece, cut where marks begin and end.
  #piece(parent, part, offset, marks, isCurrent) {
    const target = part.css ? make("span", part.css) : parent;
    let at = 0;
    for (const [from, to] of marks) {
      const start = Math.max(0, from - offset);
      const end = Math.min(part.text.length, to - offset);
      if (end <= at || start >= part.text.length || start >= end) continue;
      if (start > at) target.append(part.text.slice(at, start));
      target.append(make("mark", isCurrent ? "is-now" : "", part.text.slice(start, end)));
      at = end;
    }
    if (at < part.text.length) target.append(part.text.slice(at));
    if (target !== parent) parent.append(target);
  }
}
