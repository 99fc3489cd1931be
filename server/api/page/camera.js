// A photograph: by the phone's own camera program, else by a camera that the browser may use.
import { byId } from "./dom.js";
import { showProblem } from "./problem.js";

const QUALITY = 0.92;

const insecure = {
  title: "No camera here",
  detail: "Browsers give the camera only to pages that came over HTTPS or from this computer",
  advice: "Open the page by https (the server has --tls-cert and --tls-key), or choose a file.",
};
const denied = {
  title: "The camera was not allowed",
  detail: "The browser keeps it from this page",
  advice: "Allow the camera in the browser's settings for this page, or choose a file.",
};
const absent = {
  title: "No camera",
  detail: "The browser found none",
  advice: "Plug one in, or choose a file.",
};
const broken = {
  title: "The camera does not work",
  detail: "It may be in use by another program",
  advice: "Close what uses it and try again, or choose a file.",
};
const problems = {
  NotAllowedError: denied, SecurityError: denied, NotFoundError: absent, OverconstrainedError: absent,
};

let stream;

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = undefined;
  byId("video").srcObject = null;
  byId("shutter").disabled = true;
}

async function start() {
  const viewfinder = byId("viewfinder");

  showProblem(byId("problem"));
  if (!navigator.mediaDevices?.getUserMedia) return showProblem(byId("problem"), insecure);
  viewfinder.showModal();
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 960 } },
    });
  } catch (error) {
    viewfinder.close();
    return showProblem(byId("problem"), problems[error.name] ?? broken);
  }
  if (!viewfinder.open) return stop(); // closed while the browser asked
  byId("video").srcObject = stream;
}

// The frame that is shown, as a file.
async function shoot() {
  const video = byId("video");
  const canvas = document.createElement("canvas");

  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  byId("viewfinder").close();
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
  return new File([blob], "photograph.jpg", { type: "image/jpeg" });
}

// Calls take() with one file.
export function listen(take) {
  const phone = matchMedia("(any-pointer: coarse) and (hover: none)");

  byId("photograph").addEventListener("click", () => (phone.matches ? byId("camera").click() : start()));
  byId("video").addEventListener("loadeddata", () => {
    byId("shutter").disabled = false;
    byId("shutter").focus();
  });
  byId("shutter").addEventListener("click", async () => take([await shoot()]));
  byId("shut").addEventListener("click", () => byId("viewfinder").close());
  byId("viewfinder").addEventListener("close", stop);
}
