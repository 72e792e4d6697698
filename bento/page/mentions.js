/* The text, and the mentions marked in it. */
import { byId, counted, make } from "./elements.js";
import { moved, overlap, pieces, toCharacters, toUnits, trimmed } from "./spans.js";

const AFTER_TOUCH_MS = 500;

/*
 * Words are marked by selecting them, with the mouse, a finger or Shift and the arrows. A span is
 * {start, end, marked, found}: found ones stay to be pressed when they are not marked.
 */
export class MentionField {
  #spans = [];
  #known = "";
  #dragged = false;
  #byTouch = false;
  #settling = 0;

  constructor() {
    this.field = byId("text");
    this.field.addEventListener("input", () => this.#edited());
    this.field.addEventListener("pointerdown", (event) => { this.#dragged = true; this.#byTouch = event.pointerType === "touch"; });
    document.addEventListener("pointerup", () => this.#released());
    this.field.addEventListener("keyup", (event) => { if (event.key === "Shift") this.#markSelection(); });
    document.addEventListener("selectionchange", () => this.#handlesMoved());
  }

  get text() { return this.field.value; }

  /* The marked mentions as the service wants them. */
  get wanted() {
    return this.#spans.filter((span) => span.marked).map(({ start, end }) => ({
      mention: this.text.slice(start, end),
      start: toCharacters(this.text, start),
      end: toCharacters(this.text, end),
    }));
  }

  /* Another text, with its marked mentions as the service counts them. */
  fill(text, wanted = []) {
    this.field.value = this.#known = text;
    this.#spans = wanted.map((each) => ({ ...this.#units(each), marked: true }));
    this.#draw();
  }

  /* Offer links' mentions to be pressed. Those that are marked stay as they are. */
  offer(links) {
    const found = links.filter((link) => link.start !== null).map((link) => ({ ...this.#units(link), marked: false, found: true }));
    const kept = this.#spans.filter((span) => span.marked);
    this.#spans = [...kept, ...found.filter((span) => !kept.some((other) => overlap(span, other)))];
    this.#draw();
  }

  #units({ start, end }) { return { start: toUnits(this.text, start), end: toUnits(this.text, end) }; }

  #edited() {
    this.#spans = moved(this.#spans, this.#known, this.text);
    this.#known = this.text;
    this.#draw();
  }

  #released() {
    /* A click into a selection takes it back only after this event. */
    if (this.#dragged && !this.#byTouch) setTimeout(() => this.#markSelection());
    this.#dragged = false;
  }

  /* A finger lets go of the handles without any event but the selection's own. */
  #handlesMoved() {
    if (!this.#byTouch || document.activeElement !== this.field) return;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#markSelection(), AFTER_TOUCH_MS);
  }

  #markSelection() {
    const span = trimmed(this.text, { start: this.field.selectionStart, end: this.field.selectionEnd });
    if (!span) return;
    const found = this.#spans.some((other) => other.found && other.start === span.start && other.end === span.end);
    this.#spans = [...this.#spans.filter((other) => !overlap(span, other)), { ...span, marked: true, found }];
    this.#draw();
    byId("said").textContent = `Marked: ${this.text.slice(span.start, span.end)}`;
  }

  #toggle(span) {
    if (span.found) span.marked = !span.marked;
    else this.#spans = this.#spans.filter((other) => other !== span);
    this.#draw();
    const place = this.#spans.indexOf(span);
    (byId("mentions").children[place]?.firstElementChild || this.field).focus();
  }

  #draw() {
    this.#spans.sort((one, other) => one.start - other.start);
    const kind = (span) => (span.marked ? "marked" : "found");
    /* The last line of a <pre> needs a character to be as high as that of a <textarea>. */
    byId("echo").replaceChildren(...pieces(this.text, this.#spans).map(([piece, span]) =>
      (span ? make("mark", { class: kind(span) }, piece) : piece)), "\u200b");
    byId("mentions").replaceChildren(...this.#spans.map((span) => this.#chip(span)));
    byId("mentions-hint").hidden = this.#spans.length > 0;
    byId("count").textContent = counted([...this.text].length, "character");
  }

  #chip(span) {
    const place = `${toCharacters(this.text, span.start)}–${toCharacters(this.text, span.end)}`;
    const chip = make("button", { type: "button", class: "mention", "aria-pressed": String(span.marked), click: () => this.#toggle(span),
      title: span.marked ? "Press to leave it out" : "Press to link it" },
    make("bdi", {}, this.text.slice(span.start, span.end)), make("span", { class: "place" }, place));
    return make("li", {}, chip);
  }
}
