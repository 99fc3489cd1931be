// Asking this server: addresses, the token, and what came back.
import { byId } from "./dom.js";
import { noAnswer, readProblem, unreadable } from "./problem.js";

const here = new URL(".", location.href);

export const address = (path) => new URL(path, here);

export function credentials() {
  const token = byId("token").value.trim();

  return token ? { Authorization: `Bearer ${token}` } : {};
}

export function askForToken() {
  byId("options").open = true;
  byId("token").focus();
}

// What /classify is asked, by the options; with `details`, views and maps too.
export function classifyUrl(details) {
  const url = address("classify");
  const scales = byId("scales").value.replaceAll(/\s/g, "");

  url.searchParams.set("top_k", byId("top-k").value || "5");
  url.searchParams.set("flip", byId("flip").checked ? "on" : "off");
  if (scales) url.searchParams.set("scales", scales);
  if (details) {
    url.searchParams.set("views", "1");
    url.searchParams.set("map", "1");
  }
  return url.href.replaceAll("%2C", ",");
}

// A file may be a folder, or have gone since it was chosen: no request says so.
async function canBeRead(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

// The answer to `file`, or the problem; neither where `signal` aborted.
export async function classify(file, url, signal) {
  try {
    const response = await fetch(url, { method: "POST", body: file, headers: credentials(), signal });

    return response.ok ? { answer: await response.json() } : { problem: await readProblem(response) };
  } catch {
    if (signal.aborted) return {};
    return { problem: (await canBeRead(file)) ? noAnswer : unreadable };
  }
}
