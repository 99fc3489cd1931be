// Several pictures: one request after another, each picture's answer or problem as a row of a table.
import { announce, byId, make, percent, shortLabel } from "./dom.js";
import { csvOf, save } from "./csv.js";
import { askForToken, classify, classifyUrl } from "./request.js";
import { mayPass, showProblem } from "./problem.js";

const TRIES = 8; // of a picture that a busy server sends back

let rows = []; // { file, row, answer, problem }: neither while it waits
let stopper; // AbortController of the run under way
let onOpen; // called with the file of a row that was chosen

const done = ({ answer, problem }) => answer !== undefined || problem !== undefined;
const isLeft = (entry) => !done(entry) || (entry.problem && mayPass(entry.problem));
const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

// ", 3 unknown"
function ofThemUnknown() {
  const n = rows.filter(({ answer }) => answer?.known === false).length;

  return n > 0 ? `, ${n} unknown` : "";
}

// What refuses one request by its options or token would refuse them all.
const refusesAll = (problem) => problem.status === 401 || problem.kind === "bad-parameter";

// ---------------------------------------------------------------- the table

function cellsOf({ answer, problem }) {
  if (problem) return [make("td", { class: "failed", colSpan: 2 }, problem.title,
    make("small", { textContent: problem.detail }))];
  if (!answer) return [make("td", { class: "soft", colSpan: 2, textContent: "waiting" })];
  const bar = make("i");
  const [best] = answer.top;

  bar.style.width = `${100 * best.score}%`;
  return [make("td", {}, shortLabel(best), make("span", { class: "track", "aria-hidden": "true" }, bar),
    ...(answer.known === false ? [make("small", { class: "unknown", textContent: "unknown" })] : [])),
    make("td", { class: "score", textContent: percent(best.score) })];
}

function update(entry) {
  entry.row.replaceChildren(entry.row.firstElementChild, ...cellsOf(entry));
}

function choose(entry) {
  for (const { row } of rows) row.removeAttribute("aria-current");
  entry.row.setAttribute("aria-current", "true");
  onOpen(entry.file);
}

function makeRow(file) {
  const entry = { file };
  const name = make("button", { type: "button", textContent: file.name, onclick: () => choose(entry) });

  entry.row = make("tr", {}, make("th", { scope: "row" }, name));
  update(entry);
  return entry;
}

function showProgress(note = "") {
  const finished = rows.filter(done).length;
  const failed = rows.filter((entry) => entry.problem).length;
  const running = stopper !== undefined;
  const left = rows.filter(isLeft).length;

  byId("many-bar").max = rows.length;
  byId("many-bar").value = finished;
  byId("many-text").textContent =
    `${finished} of ${rows.length}${failed > 0 ? `, ${failed} without an answer` : ""}${ofThemUnknown()}${note && `. ${note}`}`;
  byId("many-stop").hidden = !running;
  byId("many-again").hidden = running || left === 0;
  byId("many-again").textContent = finished < rows.length ? `Go on with ${left}` : `Try ${left} again`;
  byId("many-save").hidden = running || finished === 0;
}

// ---------------------------------------------------------------- the requests

// Waits, telling how long; ends early where `signal` aborts.
async function wait(seconds, signal) {
  for (let left = seconds; left > 0 && !signal.aborted; left--) {
    showProgress(`The server is busy: again in ${left} s`);
    await new Promise((next) => setTimeout(next, 1000));
  }
}

async function ask(file, signal) {
  let result;

  for (let tries = 1; tries <= TRIES && !signal.aborted; tries++) {
    result = await classify(file, classifyUrl(false), signal);
    if (result.problem?.status !== 503) return result;
    if (tries < TRIES) await wait(result.problem.retryAfter || 1, signal);
  }
  return result;
}

function end(problem) {
  const answered = rows.filter((entry) => entry.answer).length;
  const button = document.activeElement === byId("many-stop");

  stopper = undefined;
  showProgress();
  if (button) byId(byId("many-again").hidden ? "many-save" : "many-again").focus(); // it is hidden now
  announce(`${answered} of ${count(rows.length, "picture")} answered${ofThemUnknown()}`);
  if (!problem) return;
  showProblem(byId("problem"), problem);
  if (problem.status === 401) askForToken();
}

async function run() {
  const controller = new AbortController();
  const left = rows.filter(isLeft);

  stopper = controller;
  showProblem(byId("problem"));
  for (const entry of left) {
    entry.problem = undefined;
    update(entry);
  }
  showProgress();
  for (const entry of left) {
    const { answer, problem } = await ask(entry.file, controller.signal);

    if (stopper !== controller) return; // stopped, or others have come
    if (problem && refusesAll(problem)) return end(problem);
    Object.assign(entry, { answer, problem });
    update(entry);
    showProgress();
  }
  end();
}

function stop() {
  stopper?.abort();
  end();
}

// ---------------------------------------------------------------- from outside

// Ask about `files`; `open` is called with the file whose row is chosen.
export function askMany(files, open) {
  forgetMany();
  onOpen = open;
  rows = files.map(makeRow);
  byId("many-title").textContent = count(files.length, "picture");
  byId("many-body").replaceChildren(...rows.map(({ row }) => row));
  byId("many").hidden = false;
  announce(`Looking at ${count(files.length, "picture")}`);
  run();
}

// About all of them, as the options are now.
export function askAgain() {
  stopper?.abort();
  for (const entry of rows) entry.answer = entry.problem = undefined;
  run();
}

export function forgetMany() {
  stopper?.abort();
  stopper = undefined;
  rows = [];
  byId("many").hidden = true;
}

// A line a picture: its name, what it is, why not, how typical, and the classes that come next.
function lines() {
  const most = rows.reduce((n, { answer }) => Math.max(n, answer?.top.length ?? 0), 1);
  const head = ["file", "label", "score", "error", "typicality", "known"];

  for (let rank = 2; rank <= most; rank++) head.push(`label_${rank}`, `score_${rank}`);
  return [head, ...rows.map(({ file, answer, problem }) => {
    const [label = "", score = "", ...others] =
      answer?.top.flatMap((entry) => [entry.label ?? `class ${entry.index}`, entry.score]) ?? [];
    const error = problem ? `${problem.title}: ${problem.detail}` : answer ? "" : "not asked";
    const line = [file.name, label, score, error, answer?.typicality ?? "", String(answer?.known ?? ""), ...others];

    return [...line, ...Array(head.length - line.length).fill("")];
  })];
}

byId("many-stop").addEventListener("click", stop);
byId("many-again").addEventListener("click", () => {
  byId("many-stop").hidden = false;
  byId("many-stop").focus();
  run();
});
byId("many-save").addEventListener("click", () => save(csvOf(lines()), "answers.csv"));
