/* The list of mentions that two runs answered. */
const SIGNS = { fixed: "✓ fixed", broken: "✗ broken", "unchanged right": "right in both", "unchanged wrong": "wrong in both" };
const entities = (item) => [item.gold, item.a, item.b];
const has = (text, value) => plain(text).includes(plain(value));

function named([id, name]) {
  return make("bdi", { class: "name", title: id }, name || id);
}

function answer(label, item, right) {
  const found = item[label];
  return [make("dt", {}, label.toUpperCase()), make("dd", {},
    make("span", { class: right ? "right" : "wrong" }, right ? "✓ " : "✗ "), named(found), make("span", { class: "quiet" }, ` ${(100 * found[2]).toFixed(1)} %`))];
}

function card(item) {
  const [a, b] = [["broken", "unchanged right"], ["fixed", "unchanged right"]].map((right) => right.includes(item.outcome));
  return make("article", { class: b ? "plain" : "plain is-wrong", "data-id": item.id }, make("div", {},
    make("div", { class: "head" }, make("span", { class: `chip ${b ? "" : "wrong"}` }, SIGNS[item.outcome]), make("bdi", {}, item.mention), make("span", {}, item.id)),
    post(item.text),
    make("dl", { class: "pairs" }, make("dt", {}, "gold"), make("dd", {}, make("b", {}, named(item.gold)), make("span", { class: "quiet" }, ` ${item.gold[0]}`)),
      answer("a", item, a), answer("b", item, b))));
}

offer("mention-list", DATA.mentions.map((item) => item.mention));
offer("entity-list", DATA.mentions.flatMap((item) => entities(item).map(([, name]) => name)));
if (!DATA.mentions.some((item) => ["fixed", "broken"].includes(item.outcome))) {
  for (const option of byId("outcome").options) option.defaultSelected = option.value === "";
  byId("filters").reset();
}
browse({
  items: DATA.mentions,
  what: "mentions",
  card,
  words: (item) => [item.text.join(""), item.mention, item.id, ...entities(item).flatMap(([id, name]) => [id, name])],
  filters: {
    outcome: (item, value) => item.outcome === value || (value === "changed" && ["fixed", "broken"].includes(item.outcome)) ||
      (value === "other" && item.outcome === "unchanged wrong" && item.a[0] !== item.b[0]),
    mention: (item, value) => has(item.mention, value),
    entity: (item, value) => entities(item).some(([id, name]) => has(name, value) || id === value),
  },
});
