// The page at "/" with pictures that are like none that the model knows. check_unknown.mjs VGG MODULES,
// as check.mjs. The model knows nothing, so that the answers are given their typicality on the way.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  checkAccessible, choose, done, drawPicture, file, finish, looks, makeModel, open, startServer, test, texts, until,
} from "./harness.mjs";

const url = await startServer("--model", makeModel(), "--scales", "64");
const jpeg = await drawPicture(300, 200, "image/jpeg");
const photo = file("photo.jpg", jpeg);
const best = (await (await fetch(`${url}classify`, { method: "POST", body: jpeg })).json()).top[0].label.split(",")[0];

const STRANGE = { typicality: 0.00392156863, reject: 0.01, known: false };
const USUAL = { typicality: 0.421568627, reject: 0.01, known: true };

// A page whose nth answer has the members of ofAnswer(n) too.
async function openTelling(ofAnswer, options) {
  const opened = await open("about:blank", options);
  const { page } = opened;
  let n = 0;

  await page.route("**/classify?*", async (route) =>
    route.fulfill({ json: { ...(await (await route.fetch()).json()), ...ofAnswer(++n) } }));
  await page.route("**/model?*", async (route) =>
    route.fulfill({ json: { ...(await (await route.fetch()).json()), typicality: { known: 203, reject: 0.01 } } }));
  await page.goto(url);
  return { ...opened, url };
}

await test("a picture like none that the model knows", async () => {
  const opened = await openTelling(() => STRANGE);
  const { page } = opened;

  await choose(page, photo);
  assert.equal(await page.textContent("#headline"), "Unknown");
  assert.match(await page.title(), /^Unknown/);
  assert.match(await page.textContent("#unknown"), /^Not like anything this model was trained on\./);
  assert.match(await page.textContent("#unknown-why"), /typicality is 0\.0039, below 0\.01: .* about 0\.39% /);
  assert.match(await page.textContent("#status"), /^Not like anything .*; likeliest .*, [\d.]+%$/);
  const [notice, bars] = await Promise.all(["#unknown", "#classes"].map((id) => page.locator(id).boundingBox()));
  assert.ok(notice.y + notice.height <= bars.y, "it is read before the bars");
  assert.match(await page.textContent("#limits"), /marked as unknown\.$/);
  await done(opened);
});

await test("a known picture, then one without typicality", async () => {
  const opened = await openTelling((n) => [STRANGE, USUAL, {}][n - 1]);
  const { page } = opened;

  await choose(page, photo);
  assert.ok(await page.isVisible("#unknown"));
  for (const [name, facts] of [["second.jpg", /Typicality0\.42, unknown below 0\.01/], ["third.jpg", /^((?!Typicality).)*$/]]) {
    await choose(page, file(name, jpeg));
    await until(page, (wanted) => document.getElementById("curl").textContent.includes(wanted), name);
    assert.ok(!(await page.isVisible("#unknown")), name);
    assert.equal(await page.textContent("#headline"), best);
    assert.match(await page.textContent("#facts"), facts);
    assert.match(await page.textContent("#status"), new RegExp(`^${best}, `));
  }
  await done(opened);
});

await test("a table with unknown pictures, and its CSV", async () => {
  const opened = await openTelling((n) => [STRANGE, USUAL, {}][n - 1]);
  const { page } = opened;
  const cells = (n) => texts(page, `#many-body tr:nth-child(${n}) > *`);

  await page.setInputFiles("#file", [1, 2, 3].map((n) => file(`${n}.jpg`, jpeg)));
  await page.waitForSelector("#many-save:not([hidden])");
  assert.equal((await cells(1))[1], `${best}unknown`);
  assert.equal((await cells(2))[1], best);
  assert.equal((await cells(3))[1], best);
  assert.equal(await page.textContent("#many-text"), "3 of 3, 1 unknown");
  assert.equal(await page.textContent("#status"), "3 of 3 pictures answered, 1 unknown");
  const download = page.waitForEvent("download");
  await page.click("#many-save");
  const lines = readFileSync(await (await download).path(), "utf8").split("\r\n");
  assert.match(lines[0], /^"file","label","score","error","typicality","known","label_2"/);
  assert.match(lines[1], /^"1\.jpg",".*",[\d.e-]+,"",0\.00392156863,"false",/);
  assert.match(lines[2], /^"2\.jpg",".*",[\d.e-]+,"",0\.421568627,"true",/);
  assert.match(lines[3], /^"3\.jpg",".*",[\d.e-]+,"","","",/);
  await done(opened);
});

for (const [name, options] of looks)
  await test(`accessible and whole: ${name}`, async () => {
    const opened = await openTelling(() => STRANGE, options);
    const { page } = opened;

    await page.setInputFiles("#file", [photo, file("another.jpg", jpeg)]);
    await page.waitForSelector("#many-save:not([hidden])");
    await page.click("#many-body tr:nth-child(2) button");
    await page.waitForSelector("#answer:not([hidden])");
    await checkAccessible(page, "unknown");
    await done(opened);
  });

await finish();
