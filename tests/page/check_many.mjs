// The page at "/" with several pictures: the table, what goes wrong with some of them, and the CSV.
// check_many.mjs VGG MODULES, as check.mjs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  checkAccessible, done, drawPicture, drop, file, finish, looks, makeModel, open, paste, save, startServer, test,
  texts, until,
} from "./harness.mjs";

const model = makeModel();
const url = await startServer("--model", model, "--scales", "64", "--max-body", "64KiB", "--max-images", "2");
const jpegs = await Promise.all([80, 96, 120].map((width) => drawPicture(width, 100, "image/jpeg")));
const twelve = Array.from({ length: 12 }, (_, i) => file(`picture ${i + 1}.jpg`, jpegs[i % jpegs.length]));
const notes = file("notes.txt", Buffer.from("hello"), "text/plain");
const large = file("large.jpg", Buffer.alloc(200 << 10, jpegs[0]));

const answers = await Promise.all(jpegs.map(async (body) =>
  (await fetch(`${url}classify?top_k=3`, { method: "POST", body })).json()));
const short = (entry) => entry.label.split(",")[0];

const ended = (page) => page.waitForSelector("#many-save:not([hidden])");
const cells = (page, n) => texts(page, `#many-body tr:nth-child(${n}) > *`);

// Counts requests to /classify; `respond` is called with each and its number.
async function watch(page, respond = (route) => route.continue()) {
  const seen = { n: 0 };

  await page.route("**/classify?*", (route) => respond(route, ++seen.n));
  return seen;
}

// How many requests the page has under way at most, from now on: in its `most`.
const watchMost = (page) => page.evaluate(() => {
  const ask = window.fetch;
  let now = 0;

  window.most = 0;
  window.fetch = async (...given) => {
    window.most = Math.max(window.most, ++now);
    try {
      return await ask(...given);
    } finally {
      now--;
    }
  };
});

const refusal = (status, slug, title, headers = {}) => ({
  status, headers, contentType: "application/problem+json",
  body: JSON.stringify({ type: `urn:vgg:problem:${slug}`, title, status, detail: "not now", request_id: "abc" }),
});
const busy = refusal(503, "queue-full", "Queue full", { "Retry-After": "2" });

async function csvOf(page) {
  const download = page.waitForEvent("download");

  await page.click("#many-save");
  assert.equal((await download).suggestedFilename(), "answers.csv");
  return readFileSync(await (await download).path(), "utf8");
}

// Fields of a CSV, none of which holds a newline.
const parse = (csv) => csv.trimEnd().split("\r\n").map((line) =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))/g)].map(([, text, plain]) => text?.replaceAll('""', '"') ?? plain));

// ---------------------------------------------------------------- the table

for (const [name, give] of [
  ["chosen", (page) => page.setInputFiles("#file", twelve)],
  ["dropped", (page) => drop(page, twelve)],
  ["pasted", (page) => paste(page, twelve)],
])
  await test(`twelve ${name} pictures give a table`, async () => {
    const opened = await open(url);
    const { page } = opened;
    const seen = await watch(page);

    await watchMost(page);
    await give(page);
    await ended(page);
    assert.deepEqual([seen.n, await page.evaluate(() => window.most)], [12, 1], "one after another");
    assert.equal(await page.textContent("#many-title"), "12 pictures");
    assert.equal(await page.textContent("#many-text"), "12 of 12");
    assert.equal(await page.textContent("#status"), "12 of 12 pictures answered");
    for (let i = 0; i < 12; i++) {
      const [picture, label, score] = await cells(page, i + 1);
      const [best] = answers[i % 3].top;

      assert.equal(picture, twelve[i].name);
      assert.equal(label, short(best));
      assert.ok(Math.abs(parseFloat(score) - 100 * best.score) < 0.01, score);
    }
    assert.ok(!(await page.isVisible("#many-stop")) && !(await page.isVisible("#many-again")));
    await done(opened);
  });

await test("a name of the table shows that picture's whole answer", async () => {
  const opened = await open(url);
  const { page } = opened;

  await page.setInputFiles("#file", twelve.slice(0, 3));
  await ended(page);
  assert.ok(!(await page.isVisible("#answer")));
  for (const n of [3, 2]) {
    await page.click(`#many-body tr:nth-child(${n}) button`);
    await until(page, (name) => document.getElementById("curl").textContent.includes(name), twelve[n - 1].name);
    assert.equal(await page.textContent("#headline"), short(answers[n - 1].top[0]));
    assert.equal(await page.textContent("#name"), twelve[n - 1].name);
    assert.ok(await page.isVisible("#map"));
    assert.deepEqual(await texts(page, "#many-body tr[aria-current] th"), [twelve[n - 1].name]);
  }
  assert.ok(await page.isVisible("#many"));
  await page.setInputFiles("#file", twelve[0]);
  await until(page, () => document.getElementById("curl").textContent.includes("picture 1.jpg"));
  assert.ok(!(await page.isVisible("#many")), "one picture needs no table");
  await done(opened);
});

await test("more pictures replace those under way", async () => {
  const opened = await open(url);
  const { page } = opened;
  const seen = await watch(page, (route, n) => (n === 1 ? undefined : route.continue())); // the first hangs

  await page.setInputFiles("#file", twelve);
  await until(page, () => document.getElementById("many-text").textContent === "0 of 12");
  await page.setInputFiles("#file", twelve.slice(0, 2));
  await ended(page);
  assert.equal(await page.textContent("#many-text"), "2 of 2");
  assert.equal(seen.n, 3);
  await done(opened);
});

// ---------------------------------------------------------------- what goes wrong

await test("bad files do not stop the others", async () => {
  const opened = await open(url);
  const { page } = opened;

  await page.setInputFiles("#file", [twelve[0], notes, large, file("cut.jpg", jpegs[0].subarray(0, 600)), file("empty.jpg", Buffer.alloc(0)), twelve[1]]);
  await ended(page);
  assert.equal(await page.textContent("#many-text"), "6 of 6, 4 without an answer");
  assert.match((await cells(page, 2))[1], /^Unsupported image format/);
  assert.match((await cells(page, 3))[1], /^(Body too large|No answer)/);
  assert.match((await cells(page, 4))[1], /^Image cannot be decoded/);
  assert.match((await cells(page, 5))[1], /^Empty body/);
  assert.equal((await cells(page, 6))[1], short(answers[1].top[0]));
  assert.equal(await page.textContent("#status"), "2 of 6 pictures answered");
  await done(opened);
});

await test("what may pass is tried again, and nothing else", async () => {
  const opened = await open(url);
  const { page } = opened;
  const seen = await watch(page, (route, n) => (n === 2 ? route.abort() : route.continue()));

  await page.setInputFiles("#file", [twelve[0], twelve[1], notes]);
  await ended(page);
  assert.match((await cells(page, 2))[1], /^No answer/);
  assert.equal(await page.textContent("#many-again"), "Try 1 again");
  await page.click("#many-again");
  await ended(page);
  assert.equal(seen.n, 4);
  assert.equal(await page.textContent("#many-text"), "3 of 3, 1 without an answer");
  assert.ok(!(await page.isVisible("#many-again")));
  await done(opened);
});

await test("a busy server is waited for as long as it asks", async () => {
  const opened = await open(url);
  const { page } = opened;
  const times = [];

  await watch(page, (route, n) => {
    times.push(performance.now());
    return n === 2 ? route.fulfill(busy) : route.continue();
  });
  await page.setInputFiles("#file", twelve.slice(0, 3));
  await until(page, () => /^1 of 3\. The server is busy: again in [12] s$/.test(document.getElementById("many-text").textContent));
  await ended(page);
  assert.equal(await page.textContent("#many-text"), "3 of 3");
  assert.equal(times.length, 4);
  assert.ok(times[2] - times[1] > 1900, String(times));
  await done(opened);
});

await test("stopped, gone on with", async () => {
  const opened = await open(url);
  const { page } = opened;

  await watch(page, (route, n) => (n === 3 ? undefined : route.continue()));
  await page.setInputFiles("#file", twelve.slice(0, 4));
  await until(page, () => document.getElementById("many-text").textContent === "2 of 4");
  await page.focus("#many-stop");
  await page.keyboard.press("Enter");
  assert.equal(await page.textContent("#many-again"), "Go on with 2");
  assert.equal(await page.evaluate(() => document.activeElement.id), "many-again");
  assert.deepEqual(parse(await csvOf(page)).map((line) => line[3]), ["error", "", "", "not asked", "not asked"]);
  await page.focus("#many-again");
  await page.keyboard.press("Enter");
  await ended(page);
  assert.equal(await page.textContent("#many-text"), "4 of 4");
  await done(opened);
});

await test("stopped while the server is busy", async () => {
  const opened = await open(url);
  const { page } = opened;
  const seen = await watch(page, (route) => route.fulfill(busy));

  await page.setInputFiles("#file", twelve.slice(0, 2));
  await until(page, () => document.getElementById("many-text").textContent.includes("busy"));
  await page.click("#many-stop");
  await page.waitForTimeout(1500);
  assert.equal(seen.n, 1);
  assert.equal(await page.textContent("#many-text"), "0 of 2");
  await done(opened);
});

await test("a token is asked for once, then all go on", async () => {
  const guarded = await startServer("--model", model, "--scales", "64", "--api-token-file", save("token", "a-secret-of-mine\n"));
  const opened = await open(guarded);
  const { page } = opened;
  const seen = await watch(page);

  await page.setInputFiles("#file", twelve.slice(0, 3));
  await page.waitForSelector("#many-again:not([hidden])");
  assert.equal(seen.n, 1, "the others would be refused too");
  assert.equal(await page.textContent("#problem h2"), "Unauthorized");
  assert.equal(await page.evaluate(() => document.activeElement.id), "token");
  await page.keyboard.type("a-secret-of-mine");
  await page.keyboard.press("Enter");
  await ended(page);
  assert.equal(await page.textContent("#many-text"), "3 of 3");
  assert.equal(await page.textContent("#problem"), "");
  await page.waitForSelector("#knowledge:not([hidden])");
  await done(opened);
});

await test("an option that the server refuses stops them; all are asked anew", async () => {
  const opened = await open(url);
  const { page } = opened;

  await page.click("#options summary");
  await page.fill("#scales", "7");
  await page.setInputFiles("#file", twelve.slice(0, 3));
  await page.waitForSelector("#problem h2");
  assert.equal(await page.textContent("#problem h2"), "Bad parameter");
  await page.fill("#scales", "96");
  await page.fill("#top-k", "1");
  await page.click("#again");
  await ended(page);
  assert.equal(await page.textContent("#many-text"), "3 of 3");
  assert.deepEqual(parse(await csvOf(page))[0], ["file", "label", "score", "error", "typicality", "known"]);
  await done(opened);
});

// ---------------------------------------------------------------- CSV

await test("the CSV holds every answer, and no formula", async () => {
  const opened = await open(url);
  const { page } = opened;
  const names = ["=cmd|' /C calc'!A0.jpg", "+1.jpg", "-1.jpg", "@SUM(A1).jpg", " =1+1.jpg", "a \"b\", c;=1.jpg", "größe.jpg", "plain.jpg", "\uff1d1.jpg"];

  await page.click("#options summary");
  await page.fill("#top-k", "3");
  await page.setInputFiles("#file", [...names.map((name) => file(name, jpegs[0])), notes]);
  await ended(page);
  assert.deepEqual(await texts(page, "#many-body th"), [...names, "notes.txt"]);
  const csv = await csvOf(page);
  const [head, ...lines] = parse(csv.replace("\ufeff", ""));
  assert.deepEqual(head, ["file", "label", "score", "error", "typicality", "known", "label_2", "score_2", "label_3", "score_3"]);
  assert.ok(csv.startsWith("\ufeff"), "or spreadsheets spoil the name with an umlaut");
  lines.forEach((line, i) => {
    assert.equal(line.length, head.length);
    assert.ok(!/^\s*[=+@-]/.test(line[0]), line[0]);
    if (i === names.length) return;
    const expected = answers[0].top.flatMap((entry) => [entry.label, String(entry.score)]);
    assert.equal(line[0].replace(/^'/, ""), names[i]);
    assert.deepEqual(line.slice(3, 6), ["", "", ""]);
    assert.deepEqual([line[1], line[2], ...line.slice(6)], expected);
  });
  assert.match(lines.at(-1)[3], /^Unsupported image format: /);
  assert.equal(lines[7][0], "plain.jpg");
  await page.setInputFiles("#file", twelve.slice(0, 2));
  await until(page, () => document.getElementById("many-text").textContent === "2 of 2");
  assert.ok((await csvOf(page)).startsWith('"file",'), "no mark where all is ASCII");
  await done(opened);
});

// ---------------------------------------------------------------- everybody

await test("by keyboard alone", async () => {
  const opened = await open(url);
  const { page } = opened;
  const tabTo = async (selector) => {
    for (let i = 0; i < 40; i++) {
      if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`cannot reach ${selector}`);
  };

  page.on("filechooser", (chooser) => chooser.setFiles(twelve.slice(0, 3)));
  await tabTo("#choose");
  await page.keyboard.press("Enter");
  await ended(page);
  await tabTo("#many-rows");
  await tabTo("#many-body tr:nth-child(2) button");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#answer:not([hidden])");
  await tabTo("#many-save");
  const download = page.waitForEvent("download");
  await page.keyboard.press("Enter");
  await download;
  await done(opened);
});

for (const [name, options] of looks)
  await test(`accessible and whole: ${name}`, async () => {
    const opened = await open(url, options);
    const { page } = opened;

    await watch(page, (route, n) => (n === 2 ? undefined : route.continue()));
    await page.setInputFiles("#file", [...twelve, notes, file(`${"long".repeat(40)}.jpg`, jpegs[0])]);
    await until(page, () => document.getElementById("many-text").textContent === "1 of 14");
    await checkAccessible(page, "under way");
    await page.click("#many-stop");
    await page.click("#many-again");
    await ended(page);
    await page.click("#many-body tr:nth-child(2) button");
    await page.waitForSelector("#answer:not([hidden])");
    await checkAccessible(page, "ended");
    await done(opened);
  });

await finish();
