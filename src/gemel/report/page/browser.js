"use strict";
/* A list of cards that is searched and filtered in place: only the cards of one page are in the document. */
const PAGE_SIZE = 50;
const MOST_SUGGESTIONS = 500;
const DATA = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

/* An element with attributes and children; strings become text, never markup. */
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children.flat().filter((child) => child !== null && child !== ""));
  return node;
}

/* Letters without case and accents, so that "zurich" finds "Zürich". */
function plain(text) {
  return text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
}

/* A post's text with its mention marked, in the text's own direction. */
function post([before, mention, after], attributes) {
  return make("p", { class: "post", dir: "auto", ...attributes }, before, mention ? make("mark", {}, mention) : null, after);
}

/* A <details> whose content is made when it is first opened. */
function lazy(title, fill) {
  const node = make("details", {}, make("summary", {}, title));
  node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) node.append(...fill()); });
  return node;
}

/* The most frequent values, each with its count, as the options of a <select> or suggestions of a <datalist>. */
function offer(id, values, counted) {
  const counts = new Map();
  for (const value of values) if (value) counts.set(value, (counts.get(value) || 0) + 1);
  const order = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MOST_SUGGESTIONS);
  byId(id).append(...order.map(([value, count]) => make("option", { value }, counted ? `${value} (${count})` : "")));
}

/*
 * items: what there is, in the order to show. words(item): the strings that a search looks through.
 * filters: id of a control -> (item, value) => whether the item stays, asked when the control has a value.
 * card(item): its element. what: what items are called.
 */
function browse({ items, words, filters, card, what }) {
  const cards = byId("cards"), form = byId("filters"), search = byId("search");
  const haystacks = items.map((item) => plain(words(item).join("\n")));
  let shown = [], page = 0, waiting = 0;

  function matching() {
    const terms = plain(search.value).split(/\s+/).filter(Boolean);
    const active = Object.entries(filters).map(([id, keep]) => [byId(id).value.trim(), keep]).filter(([value]) => value);
    return items.filter((item, place) =>
      active.every(([value, keep]) => keep(item, value)) && terms.every((term) => haystacks[place].includes(term)));
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE_SIZE));
    const start = page * PAGE_SIZE;
    cards.replaceChildren(...shown.slice(start, start + PAGE_SIZE).map(card));
    for (const node of cards.children) node.tabIndex = -1;
    byId("count").textContent = `${shown.length} of ${items.length} ${what}`;
    byId("page").textContent = `page ${page + 1} of ${pages}`;
    for (const end of ["", "-below"]) {
      byId(`previous${end}`).disabled = page === 0;
      byId(`next${end}`).disabled = page >= pages - 1;
    }
    if (!shown.length) cards.append(make("p", { class: "notice" }, "Nothing matches; reset the filters to see all."));
  }

  function update() { waiting = 0; shown = matching(); page = 0; draw(); }
  function soon() { if (!waiting) waiting = requestAnimationFrame(update); }

  function turn(by) {
    const next = page + by;
    if (next < 0 || next * PAGE_SIZE >= shown.length) return;
    page = next;
    draw();
    form.scrollIntoView();
  }

  function step(by) {
    const now = [...cards.children].indexOf(document.activeElement && document.activeElement.closest("article"));
    const next = cards.children[Math.min(Math.max(now + by, 0), cards.children.length - 1)];
    if (next) { next.focus({ preventScroll: true }); next.scrollIntoView({ block: "nearest" }); }
  }

  function open() {
    const found = document.activeElement.closest("article")?.querySelectorAll("details") || [];
    const all = [...found].every((node) => node.open);
    for (const node of found) node.open = !all;
  }

  const keys = { "/": () => search.focus(), j: () => step(1), k: () => step(-1), n: () => turn(1), p: () => turn(-1) };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && event.target.closest("form")) { event.target.blur(); return; }
    if (event.target.closest("input, select, textarea")) return;
    if (event.key === "Enter" && event.target.matches("article")) { event.preventDefault(); open(); return; }
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  form.addEventListener("input", soon);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(update));
  for (const end of ["", "-below"]) {
    byId(`previous${end}`).addEventListener("click", () => turn(-1));
    byId(`next${end}`).addEventListener("click", () => turn(1));
  }
  update();
  return update;
}
