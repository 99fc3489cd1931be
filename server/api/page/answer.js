// An answer of /classify as bars, votes, times and the command that gives it again.
import { byId, level, make, milliseconds, nameOf, percent, shortLabel } from "./dom.js";

const AXES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]; // where the axis of the votes may end
const STAGES = ["queue", "decode", "rescale", "infer"];

function showClasses(top, onSelect) {
  const rows = top.map((entry, i) => {
    const bar = make("i");
    const names = (entry.label ?? `class ${entry.index}`).split(",");

    bar.style.width = `${100 * entry.score}%`;
    return make("label", { class: "bar" },
      make("input", { type: "radio", name: "class", value: i, checked: i === 0, onchange: () => onSelect(i) }),
      make("span", { class: "name", title: entry.id ?? "" },
        names[0], make("small", { textContent: names.slice(1).join(",") })),
      make("span", { class: "score", textContent: percent(entry.score) }),
      make("span", { class: "track", "aria-hidden": "true" }, bar));
  });

  byId("classes").replaceChildren(byId("classes").firstElementChild, ...rows);
}

// What one view says of a class: its score, or that it is below those that the view lists.
function vote(view, index) {
  const entry = view.top.find((candidate) => candidate.index === index);

  return { view, known: entry !== undefined, first: view.top[0].index === index,
    score: entry?.score ?? view.top.at(-1).score };
}

function agreement(votes, label) {
  const firsts = votes.filter((one) => one.first).length;
  const scores = votes.map((one) => one.score);
  const least = votes.reduce((a, b) => (b.score < a.score ? b : a));
  const range = `${least.known ? "" : "below "}${percent(least.score)} to ${percent(Math.max(...scores))}`;

  if (votes.length === 1) return firsts ? `The one view puts ${label} first.` : `The one view puts another class first.`;
  if (firsts === votes.length) return `All ${votes.length} views put ${label} first, with ${range}.`;
  return `${firsts} of ${votes.length} views put ${label} first; their scores run from ${range}.`;
}

// Each view's score of a class on one axis, with the mean of all.
export function showVotes(answer, rank) {
  const entry = answer.top[rank];
  const votes = answer.views.map((view) => vote(view, entry.index));
  const scores = votes.map((one) => one.score);
  const end = AXES.find((candidate) => candidate >= Math.max(...scores, entry.score)) ?? 1;
  const place = (score) => `${(100 * score) / end}%`;

  byId("agreement").textContent = agreement(votes, `“${shortLabel(entry)}”`);
  byId("votes").replaceChildren(...votes.map(({ view, known, first, score }) => {
    const axis = make("span", { class: "axis", "aria-hidden": "true" });
    const [span, mean, dot] = ["span", "mean", known ? "dot" : "dot below"].map((name) => make("i", { class: name }));

    span.style.left = place(Math.min(...scores));
    span.style.width = place(Math.max(...scores) - Math.min(...scores));
    mean.style.left = place(entry.score);
    dot.style.left = place(score);
    axis.append(span, mean, dot);
    return make("li", {},
      make("span", { class: "view" }, `${view.scale}`, make("small", { textContent: view.flip ? " mirrored" : "" })),
      axis,
      make("span", { class: "score", textContent: `${known ? "" : "<"}${percent(score)}` }),
      make("small", { class: "other", textContent: first ? "" : `first: ${shortLabel(view.top[0])}` }));
  }));
  byId("axis-end").textContent = `${100 * end}%`;
}

// Nothing where the picture is known, or nobody can tell.
function showUnknown({ known, typicality, reject }) {
  byId("unknown").hidden = known !== false;
  if (known !== false) return;
  byId("unknown-why").textContent = `Its typicality is ${level(typicality)}, below ${level(reject)}: of pictures `
    + `that do show its classes about ${percent(typicality)} are as strange. The classes below are guesses.`;
}

function showTimes(timing, here) {
  const parts = STAGES.filter((stage) => timing[stage] !== undefined);

  byId("time-bar").replaceChildren(...parts.map((stage) => {
    const part = make("i", { class: stage });

    part.style.flexGrow = timing[stage];
    return part;
  }));
  byId("times").replaceChildren(
    ...[...parts.map((stage) => [stage, timing[stage], stage]),
      ["in the server", timing.total, "total"], ["seen from here", here, "total"]].map(([name, ms, kind]) =>
      make("div", { class: kind }, make("dt", { textContent: name }), make("dd", { textContent: milliseconds(ms) }))));
}

function showFacts(answer) {
  const { image, model, typicality, reject } = answer;

  byId("facts").replaceChildren(...[
    ["Picture", `${image.format.toUpperCase()}, ${image.width} × ${image.height}`],
    ["Model", `${model.name}, ${model.version.replace("sha256:", "").slice(0, 12)}`],
    ...(typicality === undefined ? [] : [["Typicality", `${level(typicality)}, unknown below ${level(reject)}`]]),
    ["Kernel", `${model.kernel}, ${model.precision}`],
    ["Request", answer.request_id],
  ].map(([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))));
}

// Quoted for a POSIX shell.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function curlCommand(url, name, token) {
  return `curl --data-binary @${quoted(name)}${token ? ' \\\n  -H "Authorization: Bearer $TOKEN"' : ""} \\\n  ${quoted(url)}`;
}

// `request` says what was asked: its URL, the file's name, whether a token went along, the time.
export function showAnswer(answer, request, onSelect) {
  byId("headline").textContent = nameOf(answer);
  showUnknown(answer);
  showClasses(answer.top, (rank) => {
    showVotes(answer, rank);
    onSelect(rank);
  });
  showVotes(answer, 0);
  showTimes(answer.timing_ms, request.ms);
  byId("curl").textContent = curlCommand(request.url, request.name, request.token);
  showFacts(answer);
}
