/* A field that completes to an entity, as the combobox pattern of ARIA has it. */
import { counted, make } from "./elements.js";
import { isAborted } from "./api.js";

const PAUSE_MS = 150;

/*
 * id: of the field. offered: entities to show before anything is entered. find(prefix, signal): entities that begin so.
 * node: the field with its list. chosen: the entity, or null.
 */
export class Combobox {
  #options = [];
  #active = -1;
  #asked = null;
  #waiting = 0;
  chosen = null;

  constructor(id, offered, find) {
    Object.assign(this, { id, offered, find });
    this.list = make("ul", { role: "listbox", id: `${id}-list`, "aria-label": "Entities", hidden: "" });
    this.status = make("span", { class: "unseen", role: "status" });
    this.field = make("input", {
      id, role: "combobox", autocomplete: "off", spellcheck: "false", dir: "auto", placeholder: "Type the beginning of its name",
      "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": `${id}-list`,
      input: () => this.#typed(), keydown: (event) => this.#key(event), blur: () => this.#close(),
      click: () => this.#openOffered(), focus: () => this.#openOffered(),
    });
    this.node = make("span", { class: "combobox" }, this.field, this.list, this.status);
  }

  set disabled(off) { this.field.disabled = off; }

  #typed() {
    this.chosen = null;
    clearTimeout(this.#waiting);
    this.#asked?.abort();
    const prefix = this.field.value.trim();
    if (prefix) this.#waiting = setTimeout(() => this.#search(prefix), PAUSE_MS);
    else this.#show(this.offered);
  }

  async #search(prefix) {
    this.#asked = new AbortController();
    try {
      this.#show(await this.find(prefix, this.#asked.signal), `No entity of the catalog begins with “${prefix}”.`);
    } catch (error) {
      if (!isAborted(error)) this.#show([], error.message);
    }
  }

  #openOffered() { if (!this.chosen && !this.field.value.trim()) this.#show(this.offered); }

  /* otherwise: what to say if there are none. */
  #show(entities, otherwise = "") {
    if (document.activeElement !== this.field) return;
    this.#options = entities;
    this.list.replaceChildren(...entities.map((entity, place) => this.#option(entity, place)));
    if (!entities.length && otherwise) this.list.append(make("li", { class: "nothing", role: "presentation" }, otherwise));
    this.status.textContent = entities.length ? counted(entities.length, "entity", "entities") : otherwise;
    this.#open(this.list.childElementCount > 0);
    this.#point(-1);
  }

  #option(entity, place) {
    const said = [entity.description, entity.type].filter(Boolean).join(" · ");
    return make("li", {
      role: "option", id: `${this.id}-${place}`, "aria-selected": "false",
      /* Before the field loses the focus, which would close the list. */
      mousedown: (event) => { event.preventDefault(); this.#choose(place); },
    }, make("bdi", { class: "name" }, entity.name), make("span", { class: "quiet" }, make("bdi", {}, entity.entity_id), said ? " · " : "", make("bdi", {}, said)));
  }

  #open(open) {
    this.list.hidden = !open;
    this.field.setAttribute("aria-expanded", String(open));
  }

  #close() { this.#asked?.abort(); clearTimeout(this.#waiting); this.#open(false); this.#point(-1); }

  #point(place) {
    this.#active = place;
    for (const [at, node] of [...this.list.children].entries()) if (node.role === "option") node.setAttribute("aria-selected", String(at === place));
    if (place < 0) this.field.removeAttribute("aria-activedescendant");
    else {
      this.field.setAttribute("aria-activedescendant", `${this.id}-${place}`);
      this.list.children[place].scrollIntoView({ block: "nearest" });
    }
  }

  #choose(place) {
    this.chosen = this.#options[place];
    this.field.value = `${this.chosen.name} (${this.chosen.entity_id})`;
    this.#close();
  }

  #key(event) {
    const count = this.#options.length, open = !this.list.hidden;
    const keys = {
      ArrowDown: () => (open && count ? this.#point((this.#active + 1) % count) : this.#openOffered()),
      ArrowUp: () => { if (open && count) this.#point((this.#active <= 0 ? count : this.#active) - 1); },
      Enter: () => { if (open && this.#active >= 0) this.#choose(this.#active); },
      Escape: () => this.#close(),
    };
    /* Enter would send the form it stands in, before an entity is chosen. */
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }
}
