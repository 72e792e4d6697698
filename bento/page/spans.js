/* Spans of a text. The browser counts UTF-16 units, the service characters: "😀" is two of the one, one of the other. */
export const toCharacters = (text, units) => [...text.slice(0, units)].length;
export const toUnits = (text, characters) => [...text].slice(0, characters).join("").length;

/* The span without white space around it; null where nothing is left. */
export function trimmed(text, { start, end }) {
  const words = text.slice(start, end);
  const from = start + words.length - words.trimStart().length;
  const to = from + words.trim().length;
  return to > from ? { start: from, end: to } : null;
}

export const overlap = (one, other) => one.start < other.end && other.start < one.end;

/* The spans where they lie after an edit; those that it touched are gone. */
export function moved(spans, before, after) {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const by = after.length - before.length;
  return spans.flatMap((span) => {
    if (span.end <= head) return [span];
    return span.start >= before.length - tail ? [{ ...span, start: span.start + by, end: span.end + by }] : [];
  });
}

/* The text in pieces, each with the span it is of, or null. spans: sorted, none within another. */
export function pieces(text, spans) {
  const found = [];
  let at = 0;
  for (const span of spans) {
    found.push([text.slice(at, span.start), null], [text.slice(span.start, span.end), span]);
    at = span.end;
  }
  return [...found, [text.slice(at), null]].filter(([piece]) => piece);
}
