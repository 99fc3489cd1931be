// What the model knows, before anybody asks: its classes, pictures to try, and what it is not for.
import { byId, make } from "./dom.js";
import { address } from "./request.js";
import { noAnswer, showProblem } from "./problem.js";

const FEW = 24; // classes that are read at a glance
const SHOWN = 60; // rows of the list at once, however many classes there are
const SAMPLES = ["glass", "metal", "cardboard"]; // page/glass.jpg ...: what each shows

const or = new Intl.ListFormat("en", { type: "disjunction" });

const samples = new WeakSet(); // their files

let classes; // { name, text }: as shown, and what a search looks through

function readClass({ id = "", label = "" }, index) {
  return { name: label || `class ${index}`, id, text: `${index} ${id} ${label}`.toLowerCase() };
}

function showFound() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = classes.filter(({ text }) => words.every((word) => text.includes(word)));
  const rest = found.length - SHOWN;

  byId("labels").replaceChildren(...found.slice(0, SHOWN).map(({ name, id }) =>
    make("li", { textContent: name, title: id })));
  if (rest > 0) byId("labels").append(make("li", { class: "rest", textContent: `and ${rest} more` }));
  byId("found").textContent = words.length > 0 ? `${found.length} of ${classes.length}` : "";
}

function showLimits({ classes: n, typicality }) {
  byId("limits").textContent = (n === 1
    ? "It knows nothing else: whatever a picture shows, this is the answer."
    : `It is not for anything else: whatever a picture shows, one of these ${n} names comes back, often with a high score.`)
    + (typicality ? " A picture that is not like those it was trained on is marked as unknown." : "");
}

// Do the samples show what the model knows? Where they do not, that is said.
function showSamples() {
  const known = new Set(classes.flatMap(({ name }) => name.toLowerCase().split(",").map((part) => part.trim())));
  const strange = SAMPLES.filter((sample) => !known.has(sample));

  byId("samples-note").textContent = strange.length > 0
    ? `This model has no class called ${or.format(strange)}: it answers with the nearest that it has.` : "";
}

// `model` is what /model?labels=1 says.
export function showKnowledge(model) {
  classes = (model.labels ?? []).map(readClass);
  byId("knowledge-title").textContent = model.classes === 1 ? "This model knows one class" : `This model knows ${model.classes} classes`;
  byId("classes-title").textContent = `Likeliest of the ${model.classes} classes it knows`;
  byId("knowledge-search").hidden = classes.length <= FEW;
  byId("labels").classList.toggle("few", classes.length <= FEW);
  byId("labels").tabIndex = classes.length <= FEW ? -1 : 0;
  byId("search").value = "";
  byId("knowledge").hidden = false;
  showFound();
  showLimits(model);
  showSamples();
}

export const isSample = (file) => samples.has(file);

async function fetchSample(name, take) {
  try {
    const response = await fetch(address(`page/${name}.jpg`));

    if (!response.ok) throw new Error(response.statusText);
    const file = new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" });
    samples.add(file);
    take([file]);
  } catch {
    showProblem(byId("problem"), noAnswer);
  }
}

// Calls take() with the file of a sample that was clicked.
export function listen(take) {
  byId("sample-buttons").replaceChildren(...SAMPLES.map((name) =>
    make("button", { type: "button", "aria-label": `Sample picture: ${name}`, onclick: () => fetchSample(name, take) },
      make("img", { src: `page/${name}.jpg`, alt: "", width: 72, height: 96 }))));
  byId("samples").hidden = false;
  byId("search").addEventListener("input", showFound);
}
