// The report that `vgg train` and `vgg eval` leave, opened from its file: check_report.mjs VGG MODULES.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { checkAccessible, done, drawPicture, finish, folder, looks, makeModel, open, test, texts, vgg } from "./harness.mjs";

const names = ["<script>alert(1)", `"'&]]><img src=x onerror=alert(1)>`, "\u202egpj", "cup"];
const photos = join(folder, "photos");
const model = join(folder, "mine.safetensors");
const pages = Object.fromEntries(["train", "eval", "typicality"].map((name) => [name, join(folder, `${name}.html`)]));

for (const [i, name] of names.entries()) {
  mkdirSync(join(photos, name), { recursive: true });
  for (let j = 0; j < 6; j++)
    writeFileSync(join(photos, name, `${j}${name}.jpg`), await drawPicture(60 + 9 * i, 50 + 11 * j, "image/jpeg"));
}
writeFileSync(join(photos, "cup", "copy.jpg"), readFileSync(join(photos, "cup", "0cup.jpg")));
writeFileSync(join(photos, "cup", "torn.jpg"), "no picture");
const run = (...args) => execFileSync(vgg, args, { stdio: "ignore" });
run("train", "--arch", "A", "--width", "4", "--fc", "16", "--crop", "32", "--scale", "40", "--batch", "8", "--epochs", "3",
  "--validation-fraction", "0.4", "--report", pages.train, "-o", model, photos);
// The same pictures on a base, with others: one like them, and photographs.
const others = join(folder, "others");
const data = fileURLToPath(new URL("../data", import.meta.url));
const photographs = readdirSync(data).filter((name) => name.endsWith(".jpg")).slice(0, 4);
cpSync(photos, others, { recursive: true });
rmSync(join(others, "cup", "torn.jpg"));
mkdirSync(join(others, "_unknown"));
writeFileSync(join(others, "_unknown", "alike.jpg"), await drawPicture(61, 53, "image/jpeg"));
for (const name of photographs) cpSync(join(data, name), join(others, "_unknown", name));
run("train", "--base", makeModel(), "--scales", "48", "--report", pages.typicality, "-o", join(folder, "on.safetensors"), others);
assert.throws(() => run("eval", "--model", model, "--scales", "48", "--report", pages.eval, photos)); // torn.jpg

const address = (name) => String(pathToFileURL(pages[name]));

// A page that never shows an alert.
async function look(name, options) {
  const opened = await open(address(name), options);

  opened.page.on("dialog", (dialog) => {
    opened.log.errors.push(dialog.message());
    dialog.dismiss();
  });
  return opened;
}

for (const name of Object.keys(pages))
  for (const [look_, options] of looks)
    await test(`a report of ${name}, ${look_}`, async () => {
      const opened = await look(name, options);

      await checkAccessible(opened.page, `${name}, ${look_}`);
      assert.equal(await opened.page.locator("script").count(), 1);
      assert.equal(await opened.page.locator("main :is(script, style, [onerror], [onclick])").count(), 0);
      await done(opened);
    });

await test("names as they are", async () => {
  const opened = await look("eval");
  const rows = await texts(opened.page, "#classes tbody th");

  assert.deepEqual(new Set(rows), new Set(names.map((name) => name.replace("\u202e", "?"))));
  assert.ok((await opened.page.textContent("#left-out")).includes("torn.jpg"));
  assert.match(await opened.page.textContent("#copies"), /2 copies/);
  await done(opened);
});

await test("thumbnails are pictures", async () => {
  const opened = await look("eval");
  const sizes = await opened.page.locator("#mistakes img").evaluateAll((images) => images.map((image) =>
    image.complete && image.naturalWidth === image.width && image.naturalHeight === image.height));

  assert.ok(sizes.length > 0 && sizes.every(Boolean), String(sizes));
  await done(opened);
});

// With a script or without, and closed again by a link or by Escape.
for (const javaScriptEnabled of [true, false])
  await test(`pictures of a cell${javaScriptEnabled ? "" : ", without scripts"}`, async () => {
    const opened = await look("eval", { javaScriptEnabled });
    const { page } = opened;
    const cells = page.locator(".matrix a");
    const n = await cells.count();

    assert.ok(n > 0);
    assert.equal(await page.locator(".cell:visible").count(), 0);
    for (let i = 0; i < n; i++) {
      const number = Number(await cells.nth(i).textContent());

      await cells.nth(i).click();
      assert.equal(await page.locator(".cell:visible").count(), 1);
      assert.equal(await page.locator(".cell:visible figure").count(), Math.min(number, 20));
    }
    if (javaScriptEnabled) {
      await checkAccessible(page, "a cell");
      await page.keyboard.press("Escape");
    } else await page.click(".cell:visible .close");
    assert.equal(await page.locator(".cell:visible").count(), 0);
    await done(opened);
  });

// What the sentence counts is shown: pictures by typicality, others that passed, own that did not.
await test("typicality", async () => {
  const opened = await look("typicality");
  const section = opened.page.locator("#typicality");
  const said = await section.locator("p").first().textContent();
  const [, level, known, refused, unknown, caught, auroc] =
    /below a typicality of ([\d.]+)\. Of (\d+) pictures of the classes that is so for (\d+); of (\d+) that are of none of them, for (\d+) \(AUROC ([\d.]+)\)/
      .exec(said).map(Number);
  const figures = async (title) => section.locator(`h3:has-text("${title}") + .figures figure`).count();

  assert.ok(Math.abs(level - 2 / 26) < 1e-3, said); // of so few pictures no less
  assert.equal(known, 25);
  assert.equal(unknown, 1 + photographs.length);
  assert.ok(auroc >= 0 && auroc <= 1, said);
  assert.equal(await figures("Of none of the classes, and yet most typical"), unknown - caught);
  assert.equal(await figures("Of the classes, and least typical"), refused);
  assert.ok(refused > 0 || unknown > caught, said);
  for (const bars of [".bar.trained", ".bar:not(.trained)"]) assert.ok((await section.locator(`svg ${bars}`).count()) > 0, bars);
  assert.equal(await section.locator("svg .level").count(), 1);
  assert.ok((await section.locator("svg").getAttribute("aria-label")).includes("typicality"));
  await done(opened);
});

await test("no typicality, and why", async () => {
  const opened = await look("train");

  assert.match(await opened.page.textContent("#typicality"), /cannot tell what is none of its classes: .*50/);
  await done(opened);
});

await test("a table sorts", async () => {
  const opened = await look("eval");
  const { page } = opened;
  const column = async () => (await texts(page, "#classes tbody td:nth-child(2)")).map(Number);
  const before = await column();

  await page.click("#classes th:nth-child(2) button");
  assert.deepEqual(await column(), before.toSorted((a, b) => a - b));
  await page.click("#classes th:nth-child(2) button");
  assert.deepEqual(await column(), before.toSorted((a, b) => b - a));
  await checkAccessible(page, "sorted");
  await done(opened);
});

await test("it prints", async () => {
  const opened = await look("eval");

  assert.ok((await opened.page.pdf()).length > 10000);
  await done(opened);
});

await finish();
