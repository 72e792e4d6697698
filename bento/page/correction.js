/* What a person says of a wrong answer. */
import { call } from "./api.js";
import { Combobox } from "./combobox.js";
import { byId, make } from "./elements.js";

const OFFERED = 8;

/* A panel to open. post: {text, image} as they were linked. link: the answer. again: links the post once more. */
export function correction(post, link, place, again) {
  const id = `right-${place}`;
  const right = new Combobox(id, link.candidates.filter((each) => each.entity_id !== link.entity_id), find);
  const none = make("input", { type: "checkbox", id: `${id}-none`, change: () => { right.disabled = none.checked; } });
  const comment = make("textarea", { id: `${id}-comment`, rows: "2", dir: "auto" });
  const said = make("div", { class: "said", role: "status" });
  const button = make("button", { type: "submit" }, "Send the correction");
  const sent = () => ({
    text: post.text, mention: link.mention, start: link.start, end: link.end, image: post.image, answered: link.entity_id,
    entity_id: none.checked ? null : right.chosen.entity_id, comment: comment.value.trim(),
  });
  const send = async (event) => {
    event.preventDefault();
    if (!none.checked && !right.chosen) { say(said, "wrong", "Choose the right entity from the list, or say that it is none of the catalog."); right.field.focus(); return; }
    button.disabled = true;
    try {
      say(said, "done", ...outcome(await call("feedback", { body: sent() }), none.checked, again));
    } catch (error) {
      say(said, "wrong", error.message);
    }
    button.disabled = false;
  };
  return make("details", { class: "correction" },
    make("summary", {}, "This is wrong"),
    make("form", { submit: send, novalidate: "" },
      make("div", { class: "line" }, make("label", { for: id }, "The right entity"), right.node),
      make("label", { class: "check" }, none, "It is none of the catalog"),
      make("div", { class: "line" }, make("label", { for: `${id}-comment` }, "Comment, if you like"), comment),
      button, said));
}

async function find(prefix, signal) {
  const { entities } = await call(`entities?${new URLSearchParams({ prefix, limit: OFFERED })}`, { signal });
  for (const { type } of entities) knowType(type);
  return entities;
}

/* Types that were met are offered where one may be entered. */
export function knowType(type) {
  const known = [...byId("types").options].map((option) => option.value);
  if (type && !known.includes(type)) byId("types").append(make("option", { value: type }));
}

function outcome({ id, known, acts }, isNone, again) {
  const number = make("span", { class: "quiet" }, ` Correction ${id}.`);
  if (acts) {
    const words = known ? "This correction was there already, and acts." : "Thank you. The correction acts now: it is shown to the model with each new question.";
    return [words, number, " ", make("button", { type: "button", class: "plain", click: again }, "Link again")];
  }
  if (known) return ["This correction was there already.", number];
  return [isNone ? "Thank you. It is kept that none of the catalog is meant." : "Thank you. The correction is kept until somebody takes it over.", number];
}

function say(where, kind, ...words) {
  where.className = `said ${kind}`;
  where.replaceChildren(...words);
}
