// The page at "/" in a real browser: what a person does with it, by hand and by keyboard, and what
// comes back. check.mjs VGG MODULES, where MODULES has the packages of package.json installed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  checkAccessible, choose, done, drawPicture, file, finish, folder, looks, makeModel, open, paste, save, startServer, test,
  texts, transfer, turned, until,
} from "./harness.mjs";

const model = makeModel();
const url = await startServer("--model", model, "--scales", "64,96");
const jpeg = await drawPicture(300, 200, "image/jpeg");
const photo = save("photo.jpg", jpeg);

// The answer that the server gives without a browser.
async function answerTo(bytes, query) {
  return (await fetch(`${url}classify?${query}`, { method: "POST", body: bytes })).json();
}

async function checkAnswer(page, bytes) {
  const { top } = await answerTo(bytes, "top_k=5");
  const names = (await texts(page, ".bar .name")).map((text) => text.split(",")[0]);
  const widths = await page.locator(".track i").evaluateAll((bars) => bars.map((bar) => parseFloat(bar.style.width)));

  assert.equal(names.length, 5);
  top.forEach((entry, i) => {
    assert.ok(names[i].startsWith(entry.label.split(",")[0]), `${names[i]}, ${entry.label}`);
    assert.ok(Math.abs(widths[i] - 100 * entry.score) < 1e-3);
  });
  assert.equal(await page.textContent("#headline"), top[0].label.split(",")[0]);
  return top;
}

// ---------------------------------------------------------------- ways to give a picture

await test("a chosen picture", async () => {
  const opened = await open(url);
  const { page } = opened;

  assert.ok(await page.isVisible("#untrained"));
  await choose(page, photo);
  await checkAnswer(page, jpeg);
  assert.equal(await page.textContent("#name"), "photo.jpg");
  assert.deepEqual(await page.locator("#votes .view").allTextContents(), ["64", "64 mirrored", "96", "96 mirrored"]);
  assert.match(await page.textContent("#agreement"), /(\d of 4|All 4) views/);
  for (const stage of ["decode", "rescale", "infer", "total"])
    assert.ok(await page.isVisible(`#times .${stage} >> nth=0`), stage);
  assert.match(await page.textContent("#facts"), /JPEG, 300 × 200/);
  await done(opened);
});

for (const [name, type] of [["PNG", "image/png"], ["WebP", "image/webp"]])
  await test(`a ${name} picture`, async () => {
    const opened = await open(url);
    const bytes = await drawPicture(120, 170, type);

    await choose(opened.page, file("picture", bytes, type));
    await checkAnswer(opened.page, bytes);
    assert.ok(await opened.page.isVisible("#map"));
    await done(opened);
  });

await test("a dropped picture", async () => {
  const opened = await open(url);
  const { page } = opened;
  const dataTransfer = await transfer(page, [file("given.jpg", jpeg)]);

  await page.dispatchEvent("#stage", "dragover", { dataTransfer });
  assert.ok(await page.evaluate(() => document.body.classList.contains("dropping")));
  await page.dispatchEvent("#stage", "drop", { dataTransfer });
  await page.waitForSelector("#answer:not([hidden])");
  assert.ok(!(await page.evaluate(() => document.body.classList.contains("dropping"))));
  await checkAnswer(page, jpeg);
  await done(opened);
});

await test("a pasted picture", async () => {
  const opened = await open(url);
  const { page } = opened;

  await paste(page, [file("given.jpg", jpeg)]);
  await page.waitForSelector("#answer:not([hidden])");
  await checkAnswer(page, jpeg);
  await done(opened);
});

// ---------------------------------------------------------------- the map

const pixels = (page) => page.evaluate(() => {
  const canvas = document.getElementById("map");

  return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
});

await test("the map shows the scores of the chosen class and view", async () => {
  const opened = await open(url);
  const { page } = opened;
  const { map, top } = await answerTo(jpeg, "top_k=5&views=1&map=1");

  await choose(page, photo);
  const all = await pixels(page);
  assert.ok(all.some((value, i) => i % 4 === 3 && value > 150), "nothing drawn");
  for (const [i, one] of map.entries()) {
    // A view alone: the pixel at the centre of its best window is the brightest of all.
    await page.selectOption("#map-view", String(i));
    const scores = one.classes[0].values.map((value, k) => Math.exp(value - one.log_sums[k]));
    const best = scores.indexOf(Math.max(...scores));
    const x = one.region.x + one.region.width / 2 + (best % one.columns) * one.region.step_x;
    const y = one.region.y + one.region.height / 2 + Math.floor(best / one.columns) * one.region.step_y;
    const drawn = await pixels(page);
    const at = 4 * (Math.floor((y * 85) / 200) * 128 + Math.floor((x * 128) / 300)) + 3;
    const most = Math.max(...drawn.filter((_, k) => k % 4 === 3));
    assert.ok(drawn[at] >= most - 6, `view ${i}: ${drawn[at]} of ${most}`);
    assert.notDeepEqual(drawn, all);
  }
  await page.selectOption("#map-view", "all");
  assert.deepEqual(await pixels(page), all);
  await page.check(".bar >> nth=2 >> input");
  assert.notDeepEqual(await pixels(page), all);
  assert.match(await page.textContent("#map-class"), new RegExp(top[2].label.split(",")[0]));
  await page.fill("#opacity", "30");
  assert.equal(await page.evaluate(() => document.getElementById("map").style.opacity), "0.3");
  await done(opened);
});

// Scores between 90 and 99% everywhere, as a picture of one thing alone has.
const confident = (map) => map.map((one) => {
  const positions = one.rows * one.columns;

  return { ...one, log_sums: Array(positions).fill(0), classes: one.classes.map((entry) => ({
    ...entry, values: Array.from({ length: positions }, (_, i) => Math.log(0.9 + (0.09 * i) / (positions - 1))) })) };
});

await test("the map shows contrast within a picture that scores high everywhere", async () => {
  const opened = await open(url);
  const { page } = opened;

  await page.route("**/classify?*", async (route) => {
    const answer = await (await route.fetch()).json();

    return route.fulfill({ json: { ...answer, map: confident(answer.map) } });
  });
  await choose(page, photo);
  await page.selectOption("#map-view", "2"); // not mirrored
  assert.deepEqual([await page.textContent("#map-min"), await page.textContent("#map-max")], ["90.0%", "99.0%"]);
  assert.ok(!(await page.isVisible("#map-flat")));
  const drawn = await pixels(page);
  for (const ground of [0, 128, 255]) {
    // The first window has the lowest score, the last the highest.
    const over = (i) => [0, 1, 2].map((k) => ground + (drawn[i + k] - ground) * (drawn[i + 3] / 255));
    const [low, high] = [over(0), over(drawn.length - 4)];
    const distance = Math.hypot(...low.map((value, k) => value - high[k]));
    assert.ok(distance > 80, `over ${ground}: ${distance}`);
  }
  await done(opened);
});

await test("the map can be switched off, and stays off", async () => {
  const opened = await open(url);
  const { page } = opened;

  await choose(page, photo);
  await page.uncheck("#map-on");
  assert.ok(!(await page.isVisible("#map")) && (await page.isDisabled("#opacity")));
  await page.hover("#frame");
  assert.match(await page.textContent("#map-readout"), /^Row \d/, "pointing goes on");
  await choose(page, file("another.jpg", jpeg));
  await until(page, () => document.getElementById("curl").textContent.includes("another.jpg"));
  assert.ok(!(await page.isVisible("#map")) && (await page.isVisible("#map-controls")));
  await page.check("#map-on");
  assert.ok(await page.isVisible("#map"));
  await done(opened);
});

await test("pointing at the picture tells a window and its score", async () => {
  const opened = await open(url);
  const { page } = opened;
  const { map } = await answerTo(jpeg, "top_k=5&map=1");
  const { region, columns, rows, classes, log_sums: sums } = map[2]; // 96, not mirrored

  await choose(page, photo);
  await page.selectOption("#map-view", "2");
  const box = await page.locator("#frame").boundingBox();
  const [row, column] = [rows - 1, columns - 2];
  await page.mouse.move(
    box.x + ((region.x + column * region.step_x + region.width / 2) / 300) * box.width,
    box.y + ((region.y + row * region.step_y + region.height / 2) / 200) * box.height);
  const outline = await page.locator("#window").boundingBox();
  assert.ok(Math.abs(outline.x - box.x - ((region.x + column * region.step_x) / 300) * box.width) < 1);
  assert.ok(Math.abs(outline.width - (region.width / 300) * box.width) < 1);
  assert.ok(Math.abs(outline.y - box.y - ((region.y + row * region.step_y) / 200) * box.height) < 1);
  const k = row * columns + column;
  const score = 100 * Math.exp(classes[0].values[k] - sums[k]);
  const said = await page.textContent("#map-readout");
  assert.match(said, new RegExp(`^Row ${rows} of ${rows}, column ${columns - 1} of ${columns}: `));
  assert.ok(Math.abs(parseFloat(said.split(": ")[1]) - score) < 0.01, `${said}, ${score}`);
  await page.mouse.move(0, 0);
  assert.ok(!(await page.isVisible("#window")));
  await done(opened);
});

await test("the overlay agrees with every EXIF orientation", async () => {
  const opened = await open(url);
  const { page } = opened;

  for (let orientation = 1; orientation <= 8; orientation++) {
    const bytes = turned(jpeg, orientation);
    const { image } = await answerTo(bytes, "");

    assert.deepEqual([image.width, image.height], orientation < 5 ? [300, 200] : [200, 300]);
    await choose(page, file(`turned-${orientation}.jpg`, bytes));
    await until(page, (n) => document.getElementById("curl").textContent.includes(`turned-${n}`), orientation);
    const [picture, overlay] = [await page.locator("#picture").boundingBox(), await page.locator("#map").boundingBox()];
    assert.ok(await page.isVisible("#map"), `orientation ${orientation}`);
    for (const key of ["x", "y", "width", "height"])
      assert.ok(Math.abs(picture[key] - overlay[key]) < 1, `${key} of orientation ${orientation}`);
    assert.ok(Math.abs(picture.width / picture.height - image.width / image.height) < 0.02);
  }
  await done(opened);
});

// ---------------------------------------------------------------- options and the command

await test("options change the request, and the command repeats it", async () => {
  const opened = await open(url);
  const { page } = opened;

  await choose(page, file("it's mine.jpg", jpeg));
  await page.click("#options summary");
  await page.fill("#scales", "64, 33");
  await page.uncheck("#flip");
  await page.fill("#top-k", "3");
  await page.click("#again");
  await until(page, () => document.querySelectorAll(".bar").length === 3);
  assert.deepEqual(await texts(page, "#votes .view"), ["33", "64"]);
  save("it's mine.jpg", jpeg);
  const command = await page.textContent("#curl");
  const printed = JSON.parse(execFileSync("sh", ["-c", command], { cwd: folder, stdio: ["ignore", "pipe", "ignore"] }));
  assert.deepEqual(printed.scales, [33, 64]);
  assert.equal(printed.flip, false);
  assert.deepEqual(printed.top, (await answerTo(jpeg, "top_k=3&scales=64,33&flip=off")).top);
  assert.equal(printed.map.length, 2);
  await done(opened);
});

await test("the command is copied", async () => {
  const opened = await open(url, { permissions: ["clipboard-read", "clipboard-write"] });
  const { page } = opened;

  await choose(page, photo);
  await page.click("#copy");
  await until(page, () => document.getElementById("copy").textContent === "Copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.textContent("#curl"));
  await done(opened);
});

// ---------------------------------------------------------------- problems

await test("a refusal is readable", async () => {
  const opened = await open(url);
  const { page } = opened;

  await page.setInputFiles("#file", file("notes.txt", Buffer.from("hello"), "text/plain"));
  await page.waitForSelector("#problem h2");
  assert.equal(await page.textContent("#problem h2"), "Unsupported image format");
  assert.match(await page.textContent("#problem"), /JPEG, PNG or WebP.*Status 415, request [0-9a-f]{16}/);
  assert.ok(!(await page.isVisible("#problem button")), "the same file would fail again");
  await page.setInputFiles("#file", file("cut.jpg", jpeg.subarray(0, 900)));
  await page.getByRole("heading", { name: "Image cannot be decoded" }).waitFor();
  await choose(page, photo);
  assert.equal(await page.textContent("#problem"), "");
  await page.click("#options summary");
  await page.fill("#scales", "16");
  await page.click("#again");
  await page.waitForSelector("#problem h2");
  assert.match(await page.textContent("#problem"), /Bad parameter.*16.*32/);
  assert.ok(!(await page.isVisible("#answer")));
  await done(opened);
});

await test("a full queue counts down, then one can try again", async () => {
  const opened = await open(url);
  const { page } = opened;
  const body = JSON.stringify({ type: "urn:vgg:problem:queue-full", title: "Queue full", status: 503, detail: "busy", request_id: "abc" });

  await page.route("**/classify*", (route) => route.fulfill({
    status: 503, contentType: "application/problem+json", headers: { "Retry-After": "2" }, body }));
  await page.setInputFiles("#file", photo);
  await page.waitForSelector("#problem h2");
  assert.ok(await page.isDisabled("#problem button"));
  assert.match(await page.textContent("#problem"), /in [12] s/);
  await page.unroute("**/classify*");
  await page.click("#problem button"); // once it is enabled
  await page.waitForSelector("#answer:not([hidden])");
  await checkAnswer(page, jpeg);
  await done(opened);
});

await test("what is no answer of the server", async () => {
  const opened = await open(url);
  const { page } = opened;

  await page.route("**/classify*", (route) => route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad gateway" }));
  await page.setInputFiles("#file", photo);
  await page.waitForSelector("#problem h2");
  assert.match(await page.textContent("#problem"), /Status 502/);
  await page.unroute("**/classify*");
  await page.route("**/classify*", (route) => route.abort());
  await page.click("#problem button");
  await until(page, () => document.querySelector("#problem h2")?.textContent === "No answer");
  await done(opened);
});

await test("a request can be cancelled", async () => {
  const opened = await open(url);
  const { page } = opened;

  await page.route("**/classify*", () => {});
  await page.setInputFiles("#file", photo);
  await page.waitForSelector("#cancel");
  assert.match(await page.textContent("#busy"), /Looking at photo\.jpg \d+\.\d s/);
  await page.click("#cancel");
  assert.ok(!(await page.isVisible("#busy")) && await page.isVisible("#intro"));
  assert.equal(await page.evaluate(() => document.activeElement.id), "choose");
  await page.unroute("**/classify*");
  await choose(page, photo);
  await done(opened);
});

await test("a token is asked for, sent, and not shown", async () => {
  const guarded = await startServer("--model", model, "--scales", "64", "--api-token-file", save("token", "a-secret-of-mine\n"));
  const { page, log, close } = await open(guarded);

  await page.waitForSelector("#problem h2");
  assert.equal(await page.textContent("#problem h2"), "Unauthorized");
  assert.equal(await page.evaluate(() => document.activeElement.id), "token");
  await page.keyboard.type("a-secret-of-mine");
  await page.keyboard.press("Enter");
  await until(page, () => document.getElementById("model").textContent !== "");
  assert.equal(await page.textContent("#problem"), "");
  await choose(page, photo);
  assert.match(await page.textContent("#curl"), /-H "Authorization: Bearer \$TOKEN"/);
  assert.ok(!(await page.content()).includes("a-secret-of-mine"));
  assert.ok(log.urls.every((requested) => !requested.includes("secret")));
  assert.deepEqual(log.errors, []);
  await close();
});

await test("a trained model has no notice", async () => {
  const opened = await open("about:blank");
  const { page } = opened;
  const served = await (await fetch(`${url}model`)).json();

  await page.route("**/model?*", (route) => route.fulfill({ json: { ...served, trained: true } }));
  await page.goto(url);
  await until(page, () => document.getElementById("model").textContent !== "");
  assert.ok(!(await page.isVisible("#untrained")));
  await opened.close();
});

await test("object URLs are released", async () => {
  const opened = await open("about:blank");
  const { page } = opened;

  await page.addInitScript(() => {
    window.live = new Set();
    const [create, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
    URL.createObjectURL = (blob) => { const made = create(blob); window.live.add(made); return made; };
    URL.revokeObjectURL = (made) => { window.live.delete(made); revoke(made); };
  });
  await page.goto(url);
  for (const name of ["a.jpg", "b.jpg", "c.jpg"]) {
    await choose(page, file(name, jpeg));
    await until(page, (text) => document.getElementById("curl").textContent.includes(text), name);
  }
  assert.equal(await page.evaluate(() => window.live.size), 1);
  await opened.close();
});

// ---------------------------------------------------------------- everybody

await test("by keyboard alone", async () => {
  const opened = await open(url);
  const { page } = opened;
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.tagName);
  const tabTo = async (id) => {
    for (let i = 0; i < 30; i++) {
      if ((await focused()) === id) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`cannot reach ${id}`);
  };

  page.on("filechooser", (chooser) => chooser.setFiles(photo));
  await tabTo("choose");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#answer:not([hidden])");
  assert.equal(await focused(), "choose", "the focus stays");
  assert.match(await page.textContent("#status"), /, [\d.]+%$/); // what a screen reader says
  await tabTo("map-view");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.inputValue("#map-view"), "0");
  await tabTo("class");
  const before = await page.textContent("#map-class");
  await page.keyboard.press("ArrowDown");
  assert.notEqual(await page.textContent("#map-class"), before);
  await page.locator("#frame").focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  assert.match(await page.textContent("#map-readout"), /^Row 1 of \d, column 2 of \d/);
  await page.keyboard.press("Escape");
  assert.ok(!(await page.isVisible("#window")));
  await tabTo("copy");
  await done(opened);
});

for (const [name, options] of looks)
  await test(`accessible and whole: ${name}`, async () => {
    const opened = await open(url, options);
    const { page } = opened;

    await until(page, () => document.getElementById("model").textContent !== "");
    await checkAccessible(page, "empty");
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(parseInt(ground.slice(4), 10) < 64, name === "dark", ground);
    await choose(page, photo);
    await page.click("#options summary");
    await checkAccessible(page, "answer");
    await page.setInputFiles("#file", file("notes.txt", Buffer.from("hello"), "text/plain"));
    await page.waitForSelector("#problem h2");
    await checkAccessible(page, "problem");
    await done(opened);
  });

await test("reduced motion stands still", async () => {
  const opened = await open(url, { reducedMotion: "reduce" });

  assert.equal(await opened.page.evaluate(() =>
    getComputedStyle(document.querySelector(".sweep"), "::before").animationName), "none");
  await done(opened);
});

await finish();
