// The page: takes a picture, asks /classify, shows what comes back.
import { announce, byId, copyText, make, percent, shortLabel } from "./dom.js";
import { noAnswer, readProblem, showProblem } from "./problem.js";
import { curlCommand, showAnswer } from "./answer.js";
import { showMap, showMapOf } from "./map.js";

const here = new URL(".", location.href);
const DEFAULT_SCALES = [256, 384, 512];

let file; // what was chosen
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
  byId("flip").checked = model.flip;
  byId("top-k").max = Math.min(100, model.classes);
  showFrames(model.scales);
}

const credentials = () => {
  const token = byId("token").value.trim();

  return token ? { Authorization: `Bearer ${token}` } : {};
};

function askForToken() {
  byId("options").open = true;
  byId("token").focus();
}

async function loadModel() {
  try {
    const response = await fetch(new URL("model", here), { headers: credentials() });

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

function take(files) {
  const pictures = [...files];

  if (pictures.length === 0) return announce("There was no picture in that.");
  file = pictures[0];
  showPicture();
  if (pictures.length > 1) byId("name").textContent += ` (the first of ${pictures.length})`;
  ask();
}

// ---------------------------------------------------------------- the request

function requestUrl() {
  const url = new URL("classify", here);
  const scales = byId("scales").value.replaceAll(/\s/g, "");

  url.searchParams.set("top_k", byId("top-k").value || "5");
  url.searchParams.set("flip", byId("flip").checked ? "on" : "off");
  if (scales) url.searchParams.set("scales", scales);
  url.searchParams.set("views", "1");
  url.searchParams.set("map", "1");
  return url.href.replaceAll("%2C", ",");
}

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

function show(part) {
  byId("intro").hidden = true;
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
  document.title = `${shortLabel(answer.top[0])} - vgg`;
  showAnswer(answer, request, showMapOf);
  showMap(fits ? answer : undefined);
  announce(`${shortLabel(answer.top[0])}, ${percent(answer.top[0].score)}`);
}

async function ask() {
  const controller = new AbortController();
  const start = performance.now();
  const request = {
    url: requestUrl(), name: file.name, token: byId("token").value.trim() !== "",
    aborted: () => controller.signal.aborted,
  };
  let answer, problem;

  asking?.abort();
  asking = controller;
  show("busy");
  try {
    const response = await fetch(request.url, {
      method: "POST", body: file, headers: credentials(), signal: controller.signal,
    });

    if (response.ok) answer = await response.json();
    else problem = await readProblem(response);
  } catch {
    problem = noAnswer;
  }
  request.ms = performance.now() - start;
  if (controller.signal.aborted) return; // another request has taken over
  if (answer) await receive(answer, request);
  else fail(problem);
}

function cancel() {
  asking?.abort();
  show("nothing");
  byId("intro").hidden = false;
  byId("choose").focus();
  announce("Cancelled");
}

// ---------------------------------------------------------------- events

const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

function onDrag(event) {
  if (!holdsFiles(event)) return;
  event.preventDefault(); // or the browser leaves this page for the picture
  document.body.classList.toggle("dropping", event.type === "dragover");
}

addEventListener("dragover", onDrag);
addEventListener("dragleave", onDrag);
addEventListener("drop", (event) => {
  onDrag(event);
  if (holdsFiles(event)) take(event.dataTransfer.files);
});
addEventListener("paste", (event) => {
  const { files } = event.clipboardData;

  if (files.length > 0) take(files);
});
addEventListener("pagehide", (event) => {
  if (!event.persisted) URL.revokeObjectURL(pictureUrl);
});

for (const [button, input] of [["choose", "file"], ["photograph", "camera"]]) {
  byId(button).addEventListener("click", () => byId(input).click());
  byId(input).addEventListener("change", () => {
    if (byId(input).files.length > 0) take(byId(input).files);
    byId(input).value = ""; // so that the same file can be chosen again
  });
}
byId("cancel").addEventListener("click", cancel);
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (file) ask();
  else {
    showProblem(byId("problem"));
    loadModel();
  }
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
byId("intro-curl").textContent = curlCommand(new URL("classify", here).href, "photo.jpg", false);
loadModel();
