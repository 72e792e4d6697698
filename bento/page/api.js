/* Calls of the service that the page comes from. What goes wrong is an Error whose message is a sentence for people. */
import { askToken } from "./token.js";

const TOKEN = "gemel-token";
let asking = null;

const token = () => sessionStorage.getItem(TOKEN);
export const isAborted = (error) => error.name === "AbortError";

/* The reply's JSON. body: sent as JSON by POST; without one it is a GET. Addresses start at the page's, behind a proxy too. */
export async function call(path, { body, signal } = {}) {
  const reply = await send(path, body, signal);
  if (!reply.ok) throw await refusal(reply);
  return reply.json();
}

async function send(path, body, signal) {
  const used = token();
  const reply = await fetched(path, {
    signal,
    method: body === undefined ? "GET" : "POST",
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(used === null ? {} : { Authorization: `Bearer ${used}` }),
    },
  });
  if (reply.status !== 401) return reply;
  /* Several calls may wait: the first asks, the others use what it was told. */
  if (token() === used) await askOnce(used !== null);
  return send(path, body, signal);
}

async function fetched(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new Error("The service does not answer. It or the network is down; what you entered is kept, so try again.");
  }
}

function askOnce(refused) {
  asking ??= askToken(refused)
    .then((given) => sessionStorage.setItem(TOKEN, given))
    .finally(() => { asking = null; });
  return asking;
}

async function refusal(reply) {
  if (reply.status === 429) return new Error(busy(Number(reply.headers.get("Retry-After"))));
  const told = await reply.json().catch(() => ({}));
  if (!told.error) return new Error(`The service failed with status ${reply.status} and gave no reason. Try again later.`);
  return new Error(`${sentence(told.error)} (request ${told.request_id})`);
}

function busy(seconds) {
  const when = seconds > 0 ? `in ${seconds} second${seconds === 1 ? "" : "s"}` : "in a moment";
  return `The service has too much to do just now. Try again ${when}.`;
}

function sentence(words) {
  const capital = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
