// Small things that the other files share.

export const byId = (id) => document.getElementById(id);

// An element with properties ("class" and "aria-..." as attributes) and children.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);

  for (const [name, value] of Object.entries(properties))
    if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A score in [0, 1] for people: two digits that say something.
export function percent(score) {
  const value = 100 * score;

  if (value >= 99.95 && value < 100) return ">99.9%";
  if (value >= 10) return `${value.toFixed(1)}%`;
  if (value >= 0.1) return `${value.toFixed(2)}%`;
  return value >= 0.001 ? `${value.toFixed(3)}%` : "<0.001%";
}

// "tabby, tabby cat" -> "tabby"; a class without a label goes by its number.
export const shortLabel = (entry) => (entry.label ?? `class ${entry.index}`).split(",")[0];

// The best class, unless the picture is like none that the model knows.
export const nameOf = (answer) => (answer.known === false ? "Unknown" : shortLabel(answer.top[0]));

// A typicality or a level of it, to two digits.
export const level = (p) => String(Number(p.toPrecision(2)));

export function milliseconds(ms) {
  if (ms >= 10000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 100 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
}

// Said by screen readers.
export function announce(text) {
  byId("status").textContent = text;
}

// To the clipboard, also over plain HTTP, where browsers have no navigator.clipboard.
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", { value: text, readOnly: true, class: "unseen" });
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  if (!copied) throw new Error("not copied");
}
