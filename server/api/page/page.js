// The page: takes a picture, asks /classify, shows what comes back.
import { announce, byId, copyText, make, nameOf, percent, shortLabel } from "./dom.js";
import { noAnswer, readProblem, showProblem } from "./problem.js";
import { address, askForToken, classify, classifyUrl, credentials } from "./request.js";
import { curlCommand, showAnswer } from "./answer.js";
import { showMap, showMapOf } from "./map.js";
import { askAgain, askMany, forgetMany } from "./many.js";
import * as intake from "./intake.js";
import * as camera from "./camera.js";
import * as knowledge from "./knowledge.js";

const DEFAULT_SCALES = [256, 384, 512];

let file; // whose picture is shown
let version; // of the model that the page speaks of
let pictureUrl; // its object URL
let asking; // AbortController of the request under way
let timer;

// ---------------------------------------------------------------- the model

function showFrames(scales) {
  const largest = Math.max(...scales);

  byId("frames").replaceChildren(...scales.map((scale) => {
    const frame = make("i", { "data-scale": scale });

    frame.style.width = frame.style.height = `${(100 * scale) / largest}%`;
    return frame;
  }));
}

function showModel(model) {
  byId("model").textContent =
    `${model.name}, configuration ${model.arch}, ${model.classes} classes`;
  byId("untrained").hidden = model.trained;
  byId("scales").placeholder = model.scales.join(",");
  if (version === undefined) byId("flip").checked = model.flip;
  byId("top-k").max = Math.min(100, model.classes);
  showFrames(model.scales);
  knowledge.showKnowledge(model);
  version = model.version;
}

async function loadModel() {
  try {
    const response = await fetch(address("model?labels=1"), { headers: credentials() });

    if (response.ok) return showModel(await response.json());
    const problem = await readProblem(response);
    showProblem(byId("problem"), problem);
    if (problem.status === 401) askForToken();
  } catch {
    showProblem(byId("problem"), noAnswer, () => {
      showProblem(byId("problem"));
      loadModel();
    });
  }
}

// ---------------------------------------------------------------- the picture

function showPicture() {
  const picture = byId("picture");

  URL.revokeObjectURL(pictureUrl);
  pictureUrl = URL.createObjectURL(file);
  showMap();
  byId("invitation").hidden = true;
  byId("frame").hidden = false;
  byId("name").textContent = file.name;
  picture.alt = file.name;
  picture.src = pictureUrl;
}

// Damaged, or of a kind that this browser does not know: the server may still say something.
byId("picture").addEventListener("error", () => {
  byId("frame").hidden = true;
  byId("invitation").hidden = false;
  byId("name").textContent = `${file.name} cannot be shown here.`;
});

// The overlay lies right only where browser and server agree on which way is up.
async function fitsPicture(answer) {
  const picture = byId("picture");

  try {
    await picture.decode();
  } catch {
    return false;
  }
  return picture.naturalWidth === answer.image.width && picture.naturalHeight === answer.image.height;
}

// One picture gives its answer, several a table.
function take(files) {
  asking?.abort();
  forgetMany();
  file = files[0];
  showPicture();
  if (files.length === 1) return ask();
  show("many");
  askMany(files, open);
}

// A row of the table was chosen.
async function open(chosen) {
  file = chosen;
  showPicture();
  await ask();
  byId("answer").scrollIntoView({ block: "nearest" });
}

// ---------------------------------------------------------------- the request

function showBusy(text) {
  const start = performance.now();
  const tick = () => (byId("elapsed").textContent = `${((performance.now() - start) / 1000).toFixed(1)} s`);

  clearInterval(timer);
  document.body.classList.toggle("busy", Boolean(text));
  byId("busy").hidden = !text;
  if (!text) return;
  byId("busy-text").textContent = text;
  announce(text);
  tick();
  timer = setInterval(tick, 100);
}

// What the right side tells: "nothing" yet, "busy", "problem", "answer", or only the table of "many".
function show(part) {
  for (const id of ["question", "intro"]) byId(id).hidden = part !== "nothing";
  byId("samples").hidden = part !== "nothing" && !knowledge.isSample(file);
  byId("answer").hidden = part !== "answer";
  showBusy(part === "busy" ? `Looking at ${file.name}` : "");
  if (part !== "problem") showProblem(byId("problem"));
}

function fail(problem) {
  show("problem");
  showMap();
  showProblem(byId("problem"), problem, ask);
  document.title = `${problem.title} - vgg`;
  if (problem.status === 401) askForToken();
}

async function receive(answer, request) {
  const fits = await fitsPicture(answer);

  if (request.aborted()) return;
  show("answer");
  document.title = `${nameOf(answer)} - vgg`;
  showAnswer(answer, request, showMapOf);
  if (answer.model.version !== version) loadModel();
  showMap(fits ? answer : undefined);
  announce(`${answer.known === false ? "Not like anything this model was trained on; likeliest " : ""}`
    + `${shortLabel(answer.top[0])}, ${percent(answer.top[0].score)}`);
}

async function ask() {
  const controller = new AbortController();
  const start = performance.now();
  const request = {
    url: classifyUrl(true), name: file.name, token: byId("token").value.trim() !== "",
    aborted: () => controller.signal.aborted,
  };

  asking?.abort();
  asking = controller;
  show("busy");
  const { answer, problem } = await classify(file, request.url, controller.signal);
  request.ms = performance.now() - start;
  if (controller.signal.aborted) return; // another request has taken over
  if (answer) await receive(answer, request);
  else fail(problem);
}

function cancel() {
  asking?.abort();
  show(byId("many").hidden ? "nothing" : "many");
  byId("choose").focus();
  announce("Cancelled");
}

// ---------------------------------------------------------------- events

addEventListener("pagehide", (event) => {
  if (!event.persisted) URL.revokeObjectURL(pictureUrl);
});

for (const source of [intake, camera, knowledge]) source.listen(take);
byId("cancel").addEventListener("click", cancel);
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (version === undefined) {
    showProblem(byId("problem"));
    loadModel();
  }
  if (!byId("many").hidden) {
    asking?.abort();
    show("many");
    showMap();
    askAgain();
  } else if (file) ask();
});
byId("copy").addEventListener("click", async () => {
  const button = byId("copy");

  try {
    await copyText(byId("curl").textContent);
    button.textContent = "Copied";
    announce("Copied");
  } catch {
    getSelection().selectAllChildren(byId("curl"));
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
});

showFrames(DEFAULT_SCALES);
byId("intro-curl").textContent = curlCommand(address("classify").href, "photo.jpg", false);
loadModel();
