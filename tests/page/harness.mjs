// What the tests of the page need: the packages, a browser, servers, pictures, and a count.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const [vgg, modules] = process.argv.slice(2).map((path) => resolve(path));
const require = createRequire(join(modules, "package.json"));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
export const folder = mkdtempSync(join(tmpdir(), "vgg-page-"));

const children = [];
let passed = 0;
let failed = 0;

export async function test(name, run) {
  const start = performance.now();

  try {
    await run();
    passed++;
    console.log(`ok   ${name}  ${((performance.now() - start) / 1000).toFixed(1)} s`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.stack}`);
  }
}

// ---------------------------------------------------------------- servers

// An untrained network with ImageNet's classes, so quick that its answers take milliseconds.
export function makeModel() {
  const path = join(folder, "model.safetensors");

  execFileSync(vgg, ["init", "--arch", "A", "--width", "4", "--fc", "16", "--crop", "32", "-o", path]);
  return path;
}

// Resolves to its address once it is ready.
export function startServer(...options) {
  const child = spawn(vgg, ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", ...options],
    { stdio: ["ignore", "pipe", "ignore"] });

  children.push(child);
  return new Promise((ready, fail) => {
    let text = "";

    child.on("exit", () => fail(new Error("the server ended")));
    child.stdout.on("data", (data) => {
      text += data;
      const match = /ready on ([^ ,]+)/.exec(text);
      if (match) ready(`http://${match[1]}/`);
    });
  });
}

// ---------------------------------------------------------------- the browser

export const elsewhere = "another.test"; // a name of this machine that browsers do not trust
export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--use-fake-device-for-media-stream",
    `--host-resolver-rules=MAP ${elsewhere} 127.0.0.1`,
    ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
  ],
});

// A page whose complaints and requests are kept: `log.errors`, `log.urls`.
export async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 820 }, ...options });
  const page = await context.newPage();
  const log = { errors: [], urls: [] };

  page.on("pageerror", (error) => log.errors.push(String(error)));
  page.on("console", (message) => {
    // The browser itself reports refusals of the server; everything else is ours.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      log.errors.push(message.text());
  });
  page.on("request", (request) => log.urls.push(request.url()));
  await page.goto(url);
  return { page, log, url, close: () => context.close() };
}

// In which every page is to be accessible and whole: a name, and options of open().
export const looks = [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["phone", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
];

// Every page of a test ends here: no complaint, no request to anybody else.
export async function done({ page, log, url, close }) {
  assert.deepEqual(log.errors, []);
  for (const requested of log.urls)
    assert.ok(requested.startsWith(url) || /^(blob|data):/.test(requested), requested);
  await close();
}

export async function checkAccessible(page, state) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));

  assert.deepEqual(violations.map((v) => `${state}: ${v.id}: ${v.nodes.map((node) => node.html).join(" ")}`), []);
  const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(inner <= outer, `${state}: ${inner} pixels wide in ${outer}`);
}

export const texts = (page, selector) => page.locator(selector).allTextContents();

// What Playwright takes for a file, or several.
export const file = (name, buffer, mimeType = "image/jpeg") => ({ name, mimeType, buffer });

export async function choose(page, picture) {
  await page.setInputFiles("#file", picture);
  await page.waitForSelector("#answer:not([hidden])");
}

// A DataTransfer in the page, of files and of data by type.
export const transfer = (page, files, data = {}) => page.evaluateHandle(([given, strings]) => {
  const made = new DataTransfer();

  for (const { name, mimeType, base64 } of given) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    made.items.add(new File([bytes], name, { type: mimeType }));
  }
  for (const [type, value] of Object.entries(strings)) made.setData(type, value);
  return made;
}, [files.map(({ name, mimeType, buffer }) => ({ name, mimeType, base64: buffer.toString("base64") })), data]);

export async function drop(page, files, data) {
  const dataTransfer = await transfer(page, files, data);

  for (const event of ["dragover", "drop"]) await page.dispatchEvent("#stage", event, { dataTransfer });
}

export async function paste(page, files, data) {
  const clipboardData = await transfer(page, files, data);

  await page.evaluate((given) => (document.activeElement ?? document.body).dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: given, bubbles: true })), clipboardData);
}

// Until a predicate holds in the page. (Playwright's own would need eval, which the policy forbids.)
export async function until(page, predicate, argument) {
  for (const end = Date.now() + 30000; !(await page.evaluate(predicate, argument)); )
    if (Date.now() > end) throw new Error(`never: ${predicate}`);
    else await page.waitForTimeout(20);
}

// A picture drawn by the browser, with an object in its upper left part.
export async function drawPicture(width, height, type) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const base64 = await page.evaluate(async ([w, h, mime]) => {
    const canvas = new OffscreenCanvas(w, h);
    const pen = canvas.getContext("2d");

    pen.fillStyle = "#7a8";
    pen.fillRect(0, 0, w, h);
    for (let i = 0; i < 40; i++) {
      pen.fillStyle = `hsl(${i * 47} 80% ${20 + i}%)`;
      pen.fillRect((i * 37) % (w / 2), (i * 23) % (h / 2), 17, 11);
    }
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: mime })).arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
  }, [width, height, type]);

  await context.close();
  return Buffer.from(base64, "base64");
}

// The same JPEG with an EXIF orientation.
export function turned(jpeg, orientation) {
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  const body = Buffer.from([0x45, 0x78, 0x69, 0x66, 0, 0, ...tiff]);
  const head = Buffer.from([0xff, 0xe1, 0, body.length + 2]);

  return Buffer.concat([jpeg.subarray(0, 2), head, body, jpeg.subarray(2)]);
}

export function save(name, bytes) {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

export async function finish() {
  await browser.close();
  for (const child of children) {
    child.removeAllListeners("exit");
    child.kill("SIGTERM");
  }
  rmSync(folder, { recursive: true });
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
