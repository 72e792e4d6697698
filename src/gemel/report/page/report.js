/* The browser of a run's graded mentions. */
const [ID, NAME, TYPE, DESCRIPTION, NEAR] = [0, 1, 2, 3, 4];
const entity = (number) => DATA.entities[number];
const isRight = (item) => item.place === 1;
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function named(number) {
  const [id, name, type, description] = entity(number);
  const title = [id, type, description].filter(Boolean).join(" · ");
  return make("bdi", { class: "name", title }, name || id);
}

function outcome(item) {
  if (isRight(item)) return "✓ right";
  return item.place ? `✗ wrong, gold is candidate ${item.place}` : "✗ wrong, gold not among the candidates";
}

function picture(item) {
  const uri = item.image && DATA.images[item.image];
  const node = uri
    ? make("img", { src: uri, alt: `image of the post ${item.id}` })
    : make("div", { class: "no-image", title: item.why }, item.why);
  return make("div", { class: "picture" }, node);
}

function candidates(item) {
  const rows = item.answers.flatMap(([number, score, share], place) => {
    const gold = number === item.gold || (place === item.place - 1);
    const kind = gold ? "gold" : place === 0 ? "taken" : "";
    const bar = make("i");
    bar.style.width = `${100 * share}%`;
    return [
      make("span", { class: gold ? "right" : place === 0 ? "wrong" : "" }, gold ? "✓" : place === 0 ? "✗" : ""),
      make("span", { class: kind }, named(number)),
      make("span", { class: `share ${kind}` }, bar),
      make("span", { class: "number" }, percent(share)),
      make("span", { class: "number quiet score", title: "mean log-probability per token" }, score.toFixed(3)),
    ];
  });
  return make("div", { class: "candidates" }, rows);
}

function gold(item) {
  const [id, , type] = entity(item.gold);
  return make("p", { class: "gold-line" }, "gold: ", make("b", {}, named(item.gold)), make("span", { class: "quiet" }, ` ${id}${type ? ` · ${type}` : ""}`));
}

function others(item) {
  const rows = item.others.flatMap((found, place) => found === null ? [] : [
    make("dt", {}, DATA.variants[place]),
    make("dd", {}, make("span", { class: found[2] ? "right" : "wrong" }, found[2] ? "✓ " : "✗ "), named(found[0]), make("span", { class: "quiet" }, ` ${percent(found[1])}`)),
  ]);
  return make("dl", { class: "pairs" }, rows);
}

function demonstrations(item) {
  const used = item.demonstrations.length - item.left_out;
  return [make("ol", { class: "lines" }, item.demonstrations.map((number, place) => {
    const { text: [before, mention, after], name, image } = DATA.demonstrations[number];
    const notes = `${image ? "with image" : "without image"}${place < used ? "" : ", left out to fit the LLM"}`;
    return make("li", { class: place < used ? "" : "faded" }, `${place + 1}. `,
      make("bdi", {}, before, mention ? make("mark", {}, mention) : null, after), " → ", make("b", {}, make("bdi", {}, name)), make("span", { class: "quiet" }, ` (${notes})`));
  }))];
}

/* Entities whose names share a beginning with the gold's and with the answer's. */
function neighbours(item) {
  const numbers = isRight(item) ? [item.gold] : [...new Set([item.gold, item.answers[0][0]])];
  const rows = numbers.flatMap((number) => [
    make("dt", {}, "near ", named(number)),
    make("dd", {}, entity(number)[NEAR].length ? entity(number)[NEAR].flatMap(([other, shared], place) => [
      place ? ", " : null, named(other), make("span", { class: "quiet" }, ` ${shared}`)]) : "no name begins with its first token"),
  ]);
  return [make("p", { class: "note" }, "Names that begin with the same tokens, and how many they share."), make("dl", { class: "pairs" }, rows)];
}

function card(item) {
  const cut = item.kept === null ? null : make("span", {}, `text cut to ${item.kept} characters for the LLM`);
  const node = make("article", { class: isRight(item) ? "" : "is-wrong", "data-id": item.id },
    picture(item),
    make("div", {},
      make("div", { class: "head" }, make("span", { class: `chip ${isRight(item) ? "" : "wrong"}` }, outcome(item)),
        make("bdi", {}, item.mention), make("span", {}, item.split), make("span", {}, item.id), cut),
      post(item.text), gold(item), candidates(item), others(item),
      make("p", { class: "tags" }, item.tags.join(" · ")),
      lazy(`demonstrations (${item.demonstrations.length})`, () => demonstrations(item)),
      lazy("neighbours in the trie", () => neighbours(item))));
  return node;
}

const OUTCOMES = {
  wrong: (item) => !isRight(item),
  right: isRight,
  "on beam": (item) => item.place > 1,
  "off beam": (item) => item.place === 0,
};
const involved = (item) => [item.gold, item.answers[0][0]];
const has = (text, value) => plain(text).includes(plain(value));

offer("mention-list", DATA.mentions.map((item) => item.mention));
offer("entity-list", DATA.mentions.flatMap((item) => involved(item).map((number) => entity(number)[NAME])));
offer("type", DATA.mentions.map((item) => entity(item.gold)[TYPE]), true);
offer("status", DATA.mentions.map((item) => item.status), true);
offer("tag", DATA.mentions.flatMap((item) => item.tags), true);
if (DATA.mentions.every(isRight)) {
  for (const option of byId("outcome").options) option.defaultSelected = option.value === "";
  byId("filters").reset();
}
const update = browse({
  items: DATA.mentions,
  what: "graded mentions",
  card,
  words: (item) => [item.text.join(""), item.mention, item.id,
    ...[item.gold, ...item.answers.map(([number]) => number)].flatMap((number) => [entity(number)[ID], entity(number)[NAME]])],
  filters: {
    outcome: (item, value) => OUTCOMES[value](item),
    split: (item, value) => item.split === value,
    mention: (item, value) => has(item.mention, value),
    entity: (item, value) => involved(item).some((number) => has(entity(number)[NAME], value) || entity(number)[ID] === value),
    type: (item, value) => entity(item.gold)[TYPE] === value,
    status: (item, value) => item.status === value,
    tag: (item, value) => item.tags.includes(value),
  },
});

document.getElementById("confusions").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-mention]");
  if (!button) return;
  byId("filters").reset();
  setTimeout(() => {
    byId("mention").value = button.dataset.mention;
    byId("outcome").value = "wrong";
    update();
    byId("browser").scrollIntoView();
    byId("cards").firstElementChild?.focus({ preventScroll: true });
  });
});
