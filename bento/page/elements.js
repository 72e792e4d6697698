/* Elements, and how figures are written. */
export const byId = (id) => document.getElementById(id);

/* An element with attributes, listeners (functions) and children; strings become text, never markup. */
export function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== ""));
  return node;
}

/* A share as a percentage that never says more than is known: "< 0.1 %", "> 99.9 %". */
export function percent(share) {
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  if (share < 1 && share >= 0.9995) return "> 99.9 %";
  return `${(100 * share).toFixed(1)} %`;
}

/* A log-probability. */
export const score = (value) => value.toFixed(2).replace(/^-(0\.00)$/, "$1").replace("-", "−");

export const megabytes = (bytes) => (bytes < 1e5 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/* A word in the number of what is counted. */
export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
