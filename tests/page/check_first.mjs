// The page at "/" before a picture, and the ways to give one: what the model knows, samples, the drop
// zone, links and folders, the camera. check_first.mjs VGG MODULES, as check.mjs.
import assert from "node:assert/strict";
import {
  checkAccessible, done, drawPicture, drop, elsewhere, file, finish, makeModel, open, paste, save, startServer, test,
  texts, until,
} from "./harness.mjs";

const url = await startServer(); // the model of the program: six kinds of rubbish
const strange = await startServer("--model", makeModel(), "--scales", "64");
const jpeg = await drawPicture(300, 200, "image/jpeg");
const photo = save("photo.jpg", jpeg);
const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
const narrow = { viewport: { width: 800, height: 740 } };
const KINDS = ["cardboard", "glass", "metal", "paper", "plastic", "trash"];

async function openKnowing(address, options) {
  const opened = await open(address, options);

  await opened.page.waitForSelector("#knowledge:not([hidden])");
  return opened;
}

// ---------------------------------------------------------------- what it knows

await test("the classes, and what the model is not for", async () => {
  const opened = await openKnowing(url);
  const { page } = opened;

  assert.equal(await page.textContent("#knowledge-title"), "This model knows 6 classes");
  assert.deepEqual(await texts(page, "#labels li"), KINDS);
  assert.ok(!(await page.isVisible("#search")));
  assert.match(await page.textContent("#limits"), /not for anything else: .* one of these 6 names/);
  assert.equal(await page.textContent("#samples-note"), "");
  await page.setInputFiles("#file", photo);
  await page.waitForSelector("#answer:not([hidden])");
  assert.equal(await page.textContent("#classes-title"), "Likeliest of the 6 classes it knows");
  assert.ok(await page.isVisible("#limits"));
  await done(opened);
});

await test("a thousand classes are searched, not all shown", async () => {
  const opened = await openKnowing(strange);
  const { page } = opened;
  const served = (await (await fetch(`${strange}model?labels=1`)).json()).labels;
  const rows = page.locator("#labels li");

  assert.equal(await page.textContent("#knowledge-title"), "This model knows 1000 classes");
  assert.equal(await rows.count(), 61);
  assert.equal(await rows.last().textContent(), "and 940 more");
  for (const [words, matches] of [
    ["Ostrich", (text) => /ostrich/.test(text)],
    ["dog shepherd", (text) => /dog/.test(text) && /shepherd/.test(text)],
    ["n01440764", (text) => /n01440764/.test(text)],
    ["no such thing", () => false],
  ]) {
    const found = served.filter(({ id, label }) => matches(`${id} ${label}`.toLowerCase())).map(({ label }) => label);

    await page.fill("#search", words);
    assert.deepEqual(await texts(page, "#labels li"), found);
    assert.equal(await page.textContent("#found"), `${found.length} of 1000`);
  }
  await page.fill("#search", "");
  assert.equal(await rows.count(), 61);
  await checkAccessible(page, "1000 classes");
  assert.match(await page.textContent("#samples-note"), /no class called glass, metal, or cardboard/);
  await done(opened);
});

await test("labels are text, whatever they hold; none are numbers", async () => {
  for (const labels of [[{ label: '<img src="x">' }, { label: "=1+1" }], [{}, {}]]) {
    const { page, log, close } = await open("about:blank");

    await page.route("**/model?*", async (route) =>
      route.fulfill({ json: { ...(await (await fetch(`${url}model`)).json()), classes: 2, labels } }));
    await page.goto(url);
    await page.waitForSelector("#knowledge:not([hidden])");
    assert.deepEqual(await texts(page, "#labels li"), labels.map(({ label }, i) => label ?? `class ${i}`));
    assert.deepEqual(log.errors, []);
    await close();
  }
});

await test("three samples, each of which is answered right", async () => {
  const opened = await openKnowing(url);
  const { page } = opened;
  const samples = page.locator("#sample-buttons button");

  assert.equal(await samples.count(), 3);
  assert.match(await page.textContent("#samples"), /TrashNet, © 2017 Gary Thung/);
  assert.match(await (await fetch(new URL(await page.getAttribute("#samples a", "href"), url))).text(),
    /^MIT License\s+Copyright \(c\) 2017 Gary Thung/);
  for (let i = 0; i < 3; i++) {
    const shown = (await samples.nth(i).getAttribute("aria-label")).replace("Sample picture: ", "");
    const loaded = await samples.nth(i).locator("img").evaluate((image) => image.complete && image.naturalWidth);

    assert.ok(loaded > 200, shown);
    await samples.nth(i).focus();
    await page.keyboard.press("Enter");
    await until(page, (name) => document.getElementById("curl").textContent.includes(name), `${shown}.jpg`);
    assert.equal(await page.textContent("#headline"), shown);
    assert.ok(await samples.nth(i).isVisible(), "the others stay at hand");
  }
  await page.setInputFiles("#file", photo);
  await until(page, () => document.getElementById("curl").textContent.includes("photo.jpg"));
  assert.ok(!(await samples.first().isVisible()));
  await done(opened);
});

// ---------------------------------------------------------------- the drop zone

for (const [name, options] of [["wide", {}], ["narrow", narrow], ["phone", phone]])
  await test(`the drop zone speaks and opens the chooser: ${name}`, async () => {
    const opened = await openKnowing(url, options);
    const { page } = opened;
    const said = (await page.innerText("#invitation")).replaceAll(/\s+/g, " ");
    const [zone, text] = [await page.locator("#stage").boundingBox(), await page.locator("#invitation").boundingBox()];

    assert.equal(said, name === "phone" ? "Tap to choose pictures" : "Drop pictures here paste, or click to choose");
    assert.ok(text.height > 20 && text.y > zone.y && text.y + text.height < zone.y + zone.height);
    const chooser = page.waitForEvent("filechooser");
    await page.click("#stage");
    assert.ok((await chooser).isMultiple());
    await (await chooser).setFiles(photo);
    await page.waitForSelector("#answer:not([hidden])");
    page.on("filechooser", () => assert.fail("a click on the picture is for its windows"));
    await page.click("#frame");
    await page.waitForTimeout(200);
    await done(opened);
  });

await test("a dropped or pasted link says why it is no picture", async () => {
  const link = "http://example.org/cat.jpg";

  for (const act of [
    (page) => drop(page, [], { "text/uri-list": link, "text/html": `<img src="${link}">` }),
    (page) => paste(page, [], { "text/plain": ` ${link}\n` }),
  ]) {
    const opened = await openKnowing(url);
    const { page } = opened;

    await act(page);
    assert.equal(await page.textContent("#problem h2"), "A link, not a picture");
    assert.match(await page.textContent("#problem"), /fetches nothing/);
    assert.equal(page.url(), url, "the browser stays");
    await checkAccessible(page, "link");
    await page.setInputFiles("#file", photo);
    await page.waitForSelector("#answer:not([hidden])");
    assert.equal(await page.textContent("#problem"), "");
    await done(opened);
  }
});

await test("text is nobody's business, and fields keep theirs", async () => {
  const opened = await openKnowing(url);
  const { page } = opened;

  await paste(page, [], { "text/plain": "some words" });
  await drop(page, [], { "text/plain": "some words" });
  await page.click("#options summary");
  await page.focus("#token");
  await paste(page, [], { "text/plain": "http://example.org/" });
  assert.equal(await page.textContent("#problem"), "");
  await done(opened);
});

await test("a dropped folder says so", async () => {
  const opened = await openKnowing(url);
  const { page } = opened;

  await page.evaluate(() => {
    DataTransferItem.prototype.webkitGetAsEntry = function () {
      return { isDirectory: this.type === "" };
    };
  });
  const folder = file("photos", Buffer.from(""), "");
  await drop(page, [folder]);
  assert.equal(await page.textContent("#problem h2"), "A folder, not a picture");
  await drop(page, [file("a.jpg", jpeg), folder, file("b.jpg", jpeg)]);
  await page.waitForSelector("#many-save:not([hidden])");
  assert.deepEqual(await texts(page, "#many-body th"), ["a.jpg", "b.jpg"]);
  assert.equal(await page.textContent("#problem h2"), "A folder, not a picture");
  await done(opened);
});

// ---------------------------------------------------------------- the camera

await test("a photograph with the desktop's camera", async () => {
  const opened = await openKnowing(url, { permissions: ["camera"] });
  const { page } = opened;

  await page.click("#photograph");
  await page.waitForSelector("#shutter:enabled");
  await checkAccessible(page, "camera");
  const track = await page.evaluateHandle(() => document.getElementById("video").srcObject.getTracks()[0]);
  await page.keyboard.press("Enter"); // the focus is on the shutter
  await page.waitForSelector("#answer:not([hidden])");
  assert.match(await page.textContent("#facts"), /JPEG, \d{3,} × \d{3,}/);
  assert.equal(await page.textContent("#name"), "photograph.jpg");
  assert.equal(await track.evaluate((one) => one.readyState), "ended");
  await page.click("#photograph");
  await page.waitForSelector("#shutter:enabled");
  await page.keyboard.press("Escape");
  assert.ok(!(await page.isVisible("#viewfinder")));
  await until(page, () => document.getElementById("video").srcObject === null);
  assert.equal(await page.evaluate(() => document.activeElement.id), "photograph");
  await done(opened);
});

await test("a camera that the browser does not allow", async () => {
  const opened = await openKnowing(url);
  const { page } = opened;

  await page.click("#photograph");
  await page.waitForSelector("#problem h2");
  assert.equal(await page.textContent("#problem h2"), "The camera was not allowed");
  assert.match(await page.textContent("#problem"), /or choose a file/);
  assert.ok(!(await page.isVisible("#viewfinder")));
  await done(opened);
});

for (const [error, title] of [
  ["NotFoundError", "No camera"],
  ["NotReadableError", "The camera does not work"],
])
  await test(`no photograph: ${error}`, async () => {
    const opened = await openKnowing(url);
    const { page } = opened;

    await page.evaluate((name) => {
      navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", name); };
    }, error);
    await page.click("#photograph");
    await page.waitForSelector("#problem h2");
    assert.equal(await page.textContent("#problem h2"), title);
    assert.ok(!(await page.isVisible("#viewfinder")));
    await done(opened);
  });

await test("a camera that comes after the dialogue was closed is let go", async () => {
  const opened = await openKnowing(url, { permissions: ["camera"] });
  const { page } = opened;

  await page.evaluate(() => {
    const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);

    navigator.mediaDevices.getUserMedia = async (wanted) => {
      const stream = await get(wanted);

      await new Promise((go) => (window.go = go));
      window.track = stream.getTracks()[0];
      return stream;
    };
  });
  await page.click("#photograph");
  await page.click("#shut");
  await until(page, () => window.go !== undefined);
  await page.evaluate(() => window.go());
  await until(page, () => window.track?.readyState === "ended");
  await done(opened);
});

await test("without TLS on another host there is no camera, and the page says so", async () => {
  const opened = await openKnowing(url.replace("127.0.0.1", elsewhere));
  const { page } = opened;

  assert.equal(await page.evaluate(() => navigator.mediaDevices), undefined);
  await page.click("#photograph");
  assert.equal(await page.textContent("#problem h2"), "No camera here");
  assert.match(await page.textContent("#problem"), /HTTPS.*--tls-cert/);
  await opened.close(); // the browser complains that it cannot isolate a page without TLS
});

await test("a phone's own camera takes the photograph", async () => {
  const opened = await openKnowing(url, phone);
  const { page } = opened;
  const chooser = page.waitForEvent("filechooser");

  await page.click("#photograph");
  assert.equal(await (await chooser).element().getAttribute("capture"), "environment");
  await (await chooser).setFiles(photo);
  await page.waitForSelector("#answer:not([hidden])");
  await done(opened);
});

await finish();
