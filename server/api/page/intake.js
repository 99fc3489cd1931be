// Where pictures come from: chosen, dropped, pasted. What is none says why.
import { byId } from "./dom.js";
import { showProblem } from "./problem.js";

const link = {
  title: "A link, not a picture",
  detail: "The server takes pictures only; it fetches nothing from other places",
  advice: "Save the picture first and drop or choose the file, or copy the picture itself and paste it.",
};
const folder = {
  title: "A folder, not a picture",
  detail: "Browsers do not send folders",
  advice: "Open it, select the pictures in it, and drop those.",
};
const nothing = {
  title: "No picture",
  detail: "There was no file in what was dropped",
  advice: "Drop or choose JPEG, PNG or WebP files.",
};

const ADDRESS = /^(\w+:\/\/|www\.)\S+$/;

const refuse = (problem) => showProblem(byId("problem"), problem);
const types = (event) => [...(event.dataTransfer?.types ?? [])];
const holdsFiles = (event) => types(event).includes("Files");
const holdsLink = (event) => types(event).includes("text/uri-list");
const isField = (element) => element instanceof HTMLElement && element.matches("input, select, textarea");

// The files of a drop without its folders, which look like files.
function filesOf(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const folders = items.map((item) => item.webkitGetAsEntry?.()?.isDirectory === true);

  return { files: [...transfer.files].filter((_, i) => !folders[i]), folders: folders.includes(true) };
}

function onDrag(event) {
  if (!holdsFiles(event) && !holdsLink(event)) return;
  event.preventDefault(); // or the browser leaves this page for the picture
  document.body.classList.toggle("dropping", event.type === "dragover" && holdsFiles(event));
}

function onDrop(event, take) {
  onDrag(event);
  if (!event.defaultPrevented) return;
  const { files, folders } = filesOf(event.dataTransfer);

  if (files.length > 0) take(files);
  if (folders) refuse(folder);
  else if (files.length === 0) refuse(holdsLink(event) ? link : nothing);
}

function onPaste(event, take) {
  const { files } = event.clipboardData;

  if (files.length > 0) take([...files]);
  else if (!isField(event.target) && ADDRESS.test(event.clipboardData.getData("text/plain").trim())) refuse(link);
}

// Calls take() with one file or more.
export function listen(take) {
  addEventListener("dragover", onDrag);
  addEventListener("dragleave", onDrag);
  addEventListener("drop", (event) => onDrop(event, take));
  addEventListener("paste", (event) => onPaste(event, take));
  for (const input of [byId("file"), byId("camera")])
    input.addEventListener("change", () => {
      const files = [...input.files];

      input.value = ""; // so that the same file can be chosen again
      if (files.length > 0) take(files);
    });
  byId("choose").addEventListener("click", () => byId("file").click());
  byId("stage").addEventListener("click", (event) => {
    if (!byId("frame").contains(event.target)) byId("file").click();
  });
}
