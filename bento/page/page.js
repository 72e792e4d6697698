/* The page: what is asked, what is answered, and what goes wrong. */
import { call, isAborted } from "./api.js";
import { card, chanceOf } from "./card.js";
import { correction, knowType } from "./correction.js";
import { byId, counted, make, percent } from "./elements.js";
import { MentionField } from "./mentions.js";
import { Picture } from "./picture.js";

const EXAMPLE = { text: "Great shot of the Jaguar this morning", mention: { start: 18, end: 24 }, image: "page/example.png" };
let info = null;
let running = null;

const field = new MentionField();
const picture = new Picture(complain);

function complain(words) { byId("error").textContent = words; }
const say = (words) => { byId("said").textContent = words; };

/* Do one thing at a time: a new one ends the one before, whose answer nobody waits for. */
async function alone(work) {
  running?.abort();
  const mine = running = new AbortController();
  complain("");
  document.body.classList.add("working");
  byId("answers").setAttribute("aria-busy", "true");
  try {
    await work(mine.signal);
  } catch (error) {
    if (!mine.signal.aborted) { complain(error.message); say(""); }
  }
  if (mine === running) settle();
}

function settle() {
  running = null;
  document.body.classList.remove("working");
  byId("answers").removeAttribute("aria-busy");
}

/* What would be refused for sure is said without a request. */
function check() {
  const length = [...field.text].length, { text, mentions } = info.limits;
  if (!field.text.trim()) throw new Error("There is no text to link. Type or paste one, or try the example.");
  if (length > text) throw new Error(`The text has ${counted(length, "character")}, and the service takes ${text.toLocaleString("en")} at most. Shorten it.`);
  if (field.wanted.length > mentions) throw new Error(`${field.wanted.length} mentions are marked, and the service takes ${mentions} at most. Leave some out.`);
}

async function findMentions(signal) {
  const { links } = await call("link", { body: { text: field.text, top_k: 1 }, signal });
  field.offer(links);
  return links.map(({ mention, start, end }) => ({ mention, start, end }));
}

/* The mentions to send; null to have them found. A type can be asked of mentions that are known. */
async function mentionsToLink(type, signal) {
  if (field.wanted.length) return field.wanted.map((each) => ({ ...each, type }));
  return type ? (await findMentions(signal)).map((each) => ({ ...each, type })) : null;
}

const link = () => alone(async (signal) => {
  await introduce();
  check();
  say("Linking…");
  const image = await picture.base64(info.limits.image_bytes);
  const mentions = await mentionsToLink(byId("type").value.trim(), signal);
  const post = { text: field.text, image };
  const began = performance.now();
  const body = { ...post, mentions, explain: byId("explain").checked };
  const reply = mentions?.length === 0 ? { links: [] } : await call("link", { body, signal });
  const seconds = (performance.now() - began) / 1000;
  const entities = await Promise.all(reply.links.map((each) => described(each.entity_id, signal)));
  if (!mentions && field.text === post.text) field.offer(reply.links);
  show(post, reply, entities, seconds);
});

const find = () => alone(async (signal) => {
  await introduce();
  check();
  say("Looking for mentions…");
  const found = await findMentions(signal);
  say(found.length ? `Found ${counted(found.length, "mention")}: press those to link.` : "No mention was found. Select the words to link.");
});

/* What the catalog says of an entity; null where it can't be had, for the answer is worth more than its description. */
async function described(id, signal) {
  if (id === null) return null;
  try {
    const entity = await call(`entities/${encodeURIComponent(id)}`, { signal });
    knowType(entity.type);
    return entity;
  } catch (error) {
    if (isAborted(error)) throw error;
    return null;
  }
}

function show(post, { links, release }, entities, seconds) {
  const cards = links.map((each, place) =>
    card(each, entities[place], place, info.feedback === "off" ? null : correction(post, each, place, link)));
  byId("cards").replaceChildren(...(cards.length ? cards : [nothing()]));
  byId("took").textContent = links.length ? `${counted(links.length, "mention")} · ${seconds.toFixed(2)} s · release ${release}` : "";
  say(links.map((each) => `${each.mention}: ${each.name ?? "not in the catalog"}, ${percent(chanceOf(each))}`).join(". ") || "No mention was found.");
  reveal();
}

/* On a narrow screen the answer is below the post. */
function reveal() {
  if (byId("answers").getBoundingClientRect().top < window.innerHeight / 2) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  byId("answers").scrollIntoView({ behavior: still ? "auto" : "smooth" });
}

const nothing = () => make("p", { class: "empty" }, "No mention was found in the text. Select the words to link, and press Link.");

async function tryExample() {
  field.fill(EXAMPLE.text, [EXAMPLE.mention]);
  byId("type").value = "";
  const image = await fetch(EXAMPLE.image).then((reply) => (reply.ok ? reply.blob() : null), () => null);
  picture.show(image && new File([image], "example.png", { type: image.type }));
  link();
}

function clear() {
  running?.abort();
  settle();
  field.fill("");
  picture.show(null);
  complain("");
  say("");
  byId("ask").reset();
  byId("took").textContent = "";
  byId("cards").replaceChildren(byId("welcome").content.cloneNode(true));
  field.field.focus();
}

/* What the service says of itself, which decides what it can be asked; once. */
async function introduce() {
  if (info) return;
  info = await call("info");
  byId("about").textContent = `${info.dataset} · ${counted(info.entities, "entity", "entities")} · release ${info.release}`;
  byId("notice").textContent = info.notice;
}

byId("ask").addEventListener("submit", (event) => { event.preventDefault(); link(); });
byId("text").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); link(); } });
byId("find").addEventListener("click", find);
byId("clear").addEventListener("click", clear);
document.addEventListener("click", (event) => { if (event.target.closest(".example")) tryExample(); });
byId("cards").replaceChildren(byId("welcome").content.cloneNode(true));
introduce().catch((error) => complain(error.message));
