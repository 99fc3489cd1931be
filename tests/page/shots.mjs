// The pictures in README.md and the others, of the embedded model, into the current directory:
// shots.mjs VGG MODULES PICTURE..., one picture or more, and of a report of `vgg train` that REPORT
// names. They were reduced to 128 colours afterwards.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { finish, open, startServer } from "./harness.mjs";

const pictures = process.argv.slice(4);
const [picture] = pictures;
const url = await startServer();

async function shoot(name, options, act, address = url) {
  const { page, close } = await open(address, options);

  await page.waitForSelector("#knowledge:not([hidden]), #summary");
  await act(page);
  await page.waitForTimeout(800); // transitions
  await page.screenshot({ path: `${name}.png` });
  await close();
}

async function classify(page) {
  await page.setInputFiles("#file", picture);
  await page.waitForSelector("#answer:not([hidden])");
}

await shoot("first", { viewport: { width: 1120, height: 840 } }, () => {});
await shoot("many", { viewport: { width: 1120, height: 640 } }, async (page) => {
  await page.setInputFiles("#file", pictures);
  await page.waitForSelector("#many-save:not([hidden])");
});
await shoot("answer", { viewport: { width: 1120, height: 880 } }, async (page) => {
  await classify(page);
  const box = await page.locator("#frame").boundingBox();
  await page.mouse.move(box.x + 0.55 * box.width, box.y + 0.6 * box.height);
});
await shoot("problem", { viewport: { width: 1120, height: 640 }, colorScheme: "dark" }, async (page) => {
  await page.route("**/classify*", (route) => route.fulfill({
    status: 503, contentType: "application/problem+json", headers: { "Retry-After": "4" },
    json: { type: "urn:vgg:problem:queue-full", title: "Queue full", status: 503, request_id: "1dc22370f9adb90b",
      detail: "the work ahead would take too long; try again in 4s" } }));
  await page.setInputFiles("#file", picture);
  await page.waitForSelector("#problem h2");
});
await shoot("phone", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }, classify);
for (const colorScheme of process.env.REPORT ? ["light", "dark"] : [])
  await shoot(colorScheme === "light" ? "report" : "report-dark", { viewport: { width: 1120, height: 1180 }, colorScheme },
    () => {}, String(pathToFileURL(resolve(process.env.REPORT))));
await finish();
