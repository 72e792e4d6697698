/* The question for the token that callers of the service need. */
import { byId } from "./elements.js";

/* What the person enters. refused: whether one was, before. An Error if the question is closed without an answer. */
export function askToken(refused) {
  const dialog = byId("token"), field = byId("token-field");
  byId("token-words").textContent = refused
    ? "The service does not accept that token. Enter another."
    : "The service answers only those who have its token. This tab keeps it until it is closed.";
  field.value = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    let given = "";
    const closed = () => (given ? resolve(given) : reject(new Error("Without its token the service answers nothing.")));
    dialog.addEventListener("close", closed, { once: true });
    byId("token-cancel").onclick = () => dialog.close();
    byId("token-form").onsubmit = (event) => {
      event.preventDefault();
      given = field.value.trim();
      dialog.close();
    };
  });
}
