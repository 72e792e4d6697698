/* The answer for one mention. */
import { counted, make, percent, score } from "./elements.js";

const CHANCES = [
  [0.99, "almost certain"],
  [0.9, "very likely"],
  [0.7, "likely"],
  [0.5, "more likely than not"],
  [0.25, "doubtful"],
  [0, "hardly more than a guess"],
];
const WITHOUT_SHOWN = 3, ALIASES_SHOWN = 3;

const CHIPS = {
  sure: ["sure", "Links as probable as this one were right as often as was asked of them"],
  unsure: ["not sure", "Links no more probable than this one are wrong too often to rely on"],
  nil: ["NIL", "The answer is that the catalog lacks the entity"],
};

const kindOf = (link) => (link.nil ? "nil" : link.sure ? "sure" : "unsure");
const inWords = (chance) => CHANCES.find(([least]) => chance >= least)[1];

/* The answer's own chance: of the entity, or that the catalog lacks it. */
export const chanceOf = (link) => (link.nil ? link.nil_probability : link.candidates[0].probability);

/* link: as the service sends it. entity: what the catalog says of the answer, or null. place: from 0. */
export function card(link, entity, place, correction) {
  return make("article", { class: `card ${kindOf(link)}`, "aria-labelledby": `answer-${place}` },
    asked(link),
    make("div", { class: "answer" },
      make("div", {},
        make("h3", { id: `answer-${place}` }, make("bdi", {}, link.nil ? "Not in the catalog" : link.name)),
        about(link, entity)),
      make("p", { class: "chance" }, make("b", {}, percent(chanceOf(link))), inWords(chanceOf(link)))),
    make("div", { class: "compared" }, chances(link), blind(link)),
    make("p", { class: "change" }, change(link)),
    remarks(link), demonstrations(link), correction);
}

function asked(link) {
  const [chip, why] = CHIPS[kindOf(link)];
  return make("p", { class: "asked" },
    make("mark", {}, make("bdi", {}, link.mention)),
    link.start === null ? null : make("span", {}, `characters ${link.start}–${link.end}`),
    make("span", { class: "chip", title: why }, chip));
}

function about(link, entity) {
  if (link.nil) return make("p", { class: "about" }, "No entity of the catalog is meant. The closest is ", make("bdi", {}, link.candidates[0].name), ".");
  const page = entity && webAddress(entity.url);
  const id = make("bdi", { class: "id" }, link.entity_id);
  return make("div", { class: "about" },
    entity && entity.description ? make("p", {}, make("bdi", {}, entity.description)) : null,
    make("p", { class: "facts" },
      entity && entity.type ? make("span", { class: "type" }, make("bdi", {}, entity.type)) : null,
      page ? make("a", { href: page, target: "_blank", rel: "noopener noreferrer", "aria-label": `${link.entity_id}, its page on ${new URL(page).hostname}` }, id, " ↗") : id,
      entity && entity.aliases.length ? make("span", {}, "also ", make("bdi", {}, entity.aliases.slice(0, ALIASES_SHOWN).join(", "))) : null));
}

/* The address if a browser may be sent there; the catalog's owner may have written anything. */
function webAddress(address) {
  return address && /^https?:\/\//i.test(address) ? address : null;
}

function bar(name, share, kind) {
  const fill = make("i");
  fill.style.width = `${100 * share}%`;
  return make("li", { class: kind },
    make("span", { class: "name" }, make("bdi", {}, name)),
    make("span", { class: "number" }, percent(share)),
    make("span", { class: "track", "aria-hidden": "true" }, fill));
}

function chances(link) {
  const rows = link.candidates.map((each, place) => bar(each.name, each.probability, !link.nil && place === 0 ? "taken" : ""));
  rows.push(bar("not in the catalog", link.nil_probability, link.nil ? "taken none" : "none"));
  return make("section", {}, make("h4", {}, "Candidates ", make("span", {}, "chances")), make("ol", { class: "bars" }, rows));
}

function blind(link) {
  if (!link.explanation || link.image !== "read") return null;
  const rows = link.explanation.without_image.slice(0, WITHOUT_SHOWN)
    .map((each, place) => bar(each.name, each.probability, place === 0 ? "taken" : ""));
  return make("section", { class: "blind" },
    make("h4", {}, "Without the image ", make("span", {}, "shares")), make("ol", { class: "bars" }, rows));
}

/* Of the searches that explain a link only the candidates are known, not how likely it is that all are wrong. */
const subject = (link) => (link.nil ? "closest entity" : "answer");
const instead = (other, best) => (other.entity_id === best.entity_id ? ["the same."] : [make("b", {}, make("bdi", {}, other.name)), "."]);

/* What the image did, as text and elements. */
function change(link) {
  if (link.image !== "read") return link.image === "none" ? "No image was given: the text alone decided." : `The image was not used (${link.image}).`;
  if (!link.explanation) return "";
  const best = link.candidates[0], [without] = link.explanation.without_image;
  const begins = link.nil || without.entity_id === best.entity_id
    ? `Without the image the ${subject(link)} would be `
    : "The image changed the answer: by the text alone it would be ";
  return [begins, ...instead(without, best), ...shift(best, link.explanation.blind_score)];
}

function shift(best, blindScore) {
  if (blindScore === null) return [];
  const by = best.score - blindScore;
  return [` The image ${by < 0 ? "lowered" : "raised"} the score of `, make("b", {}, make("bdi", {}, best.name)), ` by ${score(Math.abs(by))}, to ${score(best.score)}.`];
}

function demonstrations(link) {
  const shown = link.explanation ? link.explanation.demonstrations : [];
  if (!shown.length) return null;
  const [without] = link.explanation.without_demonstrations;
  return make("details", {},
    make("summary", {}, `Shown to the model: ${counted(shown.length, "solved mention")}`),
    make("ol", { class: "demonstrations" }, shown.map(demonstration)),
    make("p", { class: "quiet" }, `Without them the ${subject(link)} would be `, instead(without, link.candidates[0])));
}

function demonstration({ text, mention, name, image }) {
  const at = text.indexOf(mention);
  const words = at < 0 || !mention ? [text]
    : [text.slice(0, at), make("mark", {}, mention), text.slice(at + mention.length)];
  return make("li", {},
    make("span", { class: "words", dir: "auto" }, words),
    make("span", { class: "arrow" }, "→ ", make("b", {}, make("bdi", {}, name)), make("span", { class: "quiet" }, image ? " with an image" : " without an image")));
}

function remarks(link) {
  return link.notes.length ? make("ul", { class: "remarks" }, link.notes.map((note) => make("li", { dir: "auto" }, `Note: ${note}.`))) : null;
}
