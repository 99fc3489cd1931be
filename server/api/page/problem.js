// Problems (RFC 9457) as messages for people.
import { make } from "./dom.js";

// What to do about each type of problem that the server knows.
const advice = {
  "bad-request": "Something between this page and the server changed the request.",
  "bad-parameter": "Change it under Options and apply.",
  "empty-body": "The file is empty. Choose another one.",
  "bad-multipart": "Send the picture again.",
  "bad-encoding": "Send the picture again.",
  unauthorized: "This server wants an access token: enter it under Options.",
  "cross-origin": "This listener takes nothing from web pages.",
  "not-found": "Is this page served from the same address as the server?",
  "method-not-allowed": "Something between this page and the server changed the request.",
  "reload-in-progress": "Wait until the other reload has ended.",
  "no-previous-model": "There is nothing to go back to.",
  "body-too-large": "Choose a smaller file, or save the picture with stronger compression.",
  "image-too-large": "Choose a smaller picture, or smaller scales under Options.",
  "too-many-images": "Send fewer pictures at a time.",
  "too-costly": "Ask for fewer or smaller scales under Options, or without mirror images.",
  "uri-too-long": "Ask for fewer scales under Options.",
  "unsupported-format": "Save the picture as JPEG, PNG or WebP.",
  "unsupported-media-type": "Something between this page and the server changed the request.",
  "expectation-failed": "Something between this page and the server changed the request.",
  "bad-model": "The old model goes on serving. The text above says what is wrong with the new one.",
  "bad-image": "The file is damaged or unusual. Open it in an image program and save it again.",
  "headers-too-large": "This site's cookies may have grown too large: delete them.",
  "not-implemented": "Something between this page and the server changed the request.",
  "http-version": "Something between this page and the server changed the request.",
  internal: "That is the server's fault. Its log tells more under the request id.",
  "queue-full": "Many people are asking at once. It gets better by itself.",
  draining: "The server is restarting. Try again in a moment.",
  "out-of-memory": "The server is short of memory. Try again in a moment.",
  deadline: "Too much was waiting. Try again, or ask for fewer scales under Options.",
};

// What came instead of an answer: a problem document, or something that stands between us.
export async function readProblem(response) {
  const retry = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  let problem;

  try {
    problem = await response.json();
  } catch {
    problem = { title: "Not an answer of this server", detail: "It came from something in between." };
  }
  return {
    title: problem.title ?? "Error",
    detail: problem.detail ?? "",
    status: response.status,
    kind: (problem.type ?? "").replace("urn:vgg:problem:", ""),
    id: problem.request_id ?? response.headers.get("X-Request-Id") ?? "",
    retryAfter: Number.isFinite(retry) ? retry : 0,
  };
}

export const noAnswer = {
  title: "No answer",
  detail: "The connection broke before an answer came.",
  advice: "Is the server running? It may also have cut off a file that is too large.",
};

export const unreadable = {
  title: "The file cannot be read",
  detail: "The browser could not open it",
  advice: "It may have been moved since it was chosen, or be a folder. Choose it again.",
};

// The others need another request.
export const mayPass = (problem) => !problem.status || problem.status >= 500;

let countdown;

// Show a problem in `place`, or nothing; `retry` is called by its button.
export function showProblem(place, problem, retry) {
  clearInterval(countdown);
  if (!problem) return place.replaceChildren();

  const again = make("button", { type: "button", textContent: "Try again", onclick: retry });
  const wait = make("span", { class: "soft", "aria-live": "off" });
  const facts = [problem.status ? `Status ${problem.status}` : "", problem.id && `request ${problem.id}`];
  let left = problem.retryAfter ?? 0;
  const tick = () => {
    again.disabled = left > 0;
    wait.textContent = left > 0 ? `in ${left} s` : "";
    if (left-- <= 0) clearInterval(countdown);
  };

  place.replaceChildren(
    make("h2", { textContent: problem.title }),
    make("p", { class: "detail", textContent: sentence(problem.detail) }),
    make("p", { textContent: problem.advice ?? advice[problem.kind] ?? "" }),
    make("div", { class: "buttons" }, ...(retry && mayPass(problem) ? [again, wait] : [])),
    make("p", { class: "facts", textContent: facts.filter(Boolean).join(", ") }),
  );
  tick();
  countdown = setInterval(tick, 1000);
}

const sentence = (text) => text && text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
