// Is GET /openapi.json true? Drives every route of both listeners, with requests that are to succeed
// and requests that are to fail, and holds requests and answers against it.
//
//     node check.mjs VGG MODULES      MODULES: where npm has put package.json's dependencies
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { deflateSync } from "node:zlib";
import { Contract } from "./contract.mjs";

const [vgg, modules] = process.argv.slice(2).map((path) => resolve(path));
const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const require = createRequire(join(modules, "package.json"));
const Ajv = require("ajv/dist/2020").default;
const { Validator } = await import(pathToFileURL(
  require.resolve("@seriousme/openapi-schema-validator")));
const folder = mkdtempSync(join(tmpdir(), "vgg-openapi-"));
const document = JSON.parse(readFileSync(join(root, "server/api/openapi.json")));
const contract = new Contract(document, Ajv);
const children = [];
let passed = 0, failed = 0;

async function test(name, run) {
  try {
    await run();
    passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.stack}`);
  }
}

// ---------------------------------------------------------------- servers

function start(...options) {
  const child = spawn(vgg, ["serve", "--model", model, "--scales", "32,40", "--listen",
    "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", ...options],
  { stdio: ["ignore", "pipe", "ignore"] });
  const server = { child, cors: options.includes("--cors-origin") };

  children.push(child);
  server.ended = new Promise((done) => child.on("exit", done));
  return new Promise((ready, fail) => {
    let text = "";

    child.on("exit", () => fail(new Error("the server ended")));
    child.stdout.on("data", (data) => {
      const match = /:(\d+), admin on .*:(\d+)/.exec(text += data);
      if (match) ready(Object.assign(server, { ports: [Number(match[1]), Number(match[2])] }));
    });
  });
}

async function stop(server) {
  server.child.kill("SIGTERM");
  assert.equal(await server.ended, 0);
}

// ---------------------------------------------------------------- requests

function send(server, { method = "GET", path, admin = false, headers = {}, body }) {
  return new Promise((done, fail) => {
    const request = http.request({ host: "127.0.0.1", port: server.ports[admin ? 1 : 0], method,
      path, headers: body ? { "Content-Length": body.length, ...headers } : headers, agent: false },
    (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers,
        body: Buffer.concat(pieces), cors: server.cors && !admin }));
    });
    request.on("error", fail);
    request.end(body);
  });
}

// Send, check against the contract, and the status. `good`: the request keeps to it as well.
async function call(server, request, status, good = status < 400) {
  const { method = "GET", path, admin = false, headers = {}, body } = request;
  const url = new URL(path, "http://x");
  const found = contract.find(method === "HEAD" ? "GET" : method, url.pathname, admin);
  const what = `${method} ${path}`;

  assert.ok(found?.operation, `${what} is not described`);
  try {
    if (good) contract.checkRequest(found, { headers, query: url.searchParams, body });
    const answer = await send(server, request);
    assert.equal(answer.status, status, answer.body.toString().slice(0, 300));
    contract.checkAnswer(method, found, answer);
    return answer;
  } catch (error) {
    error.message = `${what}: ${error.message}`;
    throw error;
  }
}

const post = (path, body, headers) => ({ method: "POST", path, headers, body: Buffer.from(body) });

// ---------------------------------------------------------------- what is sent

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? crc >>> 1 ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function png(width, height, seed = 1) {
  const chunk = (kind, data) => {
    const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(kind), data, Buffer.alloc(4)]);
    bytes.writeUInt32BE(data.length, 0);
    bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4);
    return bytes;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const rows = Buffer.alloc(height * (3 * width + 1));
  for (let i = 0; i < rows.length; i++) rows[i] = i % (3 * width + 1) ? (i * seed) % 251 : 0;
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

const picture = png(48, 40);

function multipart(files) {
  const parts = files.map((file) => Buffer.concat([Buffer.from("--XyZ\r\nContent-Disposition: " +
    'form-data; name="image"; filename="a"\r\n\r\n'), file, Buffer.from("\r\n")]));
  return [Buffer.concat([...parts, Buffer.from("--XyZ--\r\n")]),
    { "Content-Type": "multipart/form-data; boundary=XyZ" }];
}

const base64 = (bytes) => bytes.toString("base64");
const image = (...pictures) => ({ name: "image", datatype: "BYTES", shape: [pictures.length],
  data: pictures.map(base64) });
const infer = (body) => Buffer.from(JSON.stringify(body));

// ---------------------------------------------------------------- the tests

const model = join(folder, "model");
execFileSync(vgg, ["init", "--arch", "A", "--width", "4", "--fc", "16", "--crop", "32", "-o", model]);
writeFileSync(join(folder, "token"), "secret\n", { mode: 0o600 });
const server = await start("--max-images", "3", "--max-body", "300000", "--max-view-pixels", "20000");
const name = JSON.parse((await send(server, { path: "/model" })).body).name;
const sha = JSON.parse((await send(server, { path: "/model" })).body).version;
const models = `/v2/models/${name}`;
const versioned = `${models}/versions/${sha}`;

await test("the document is OpenAPI 3.1", async () => {
  const result = await new Validator().validate(structuredClone(document));
  assert.ok(result.valid, JSON.stringify(result.errors));
  assert.equal(document.openapi, "3.1.0");
  const served = await call(server, { path: "/openapi.json" }, 200);
  const [port, ours] = [String(server.ports[1]), document.servers[0].url];
  const expected = JSON.stringify(document).replaceAll("http://localhost:8081", `http://127.0.0.1:${port}`)
    .replaceAll(/"(maximum|maxItems)":16\b/g, '"$1":3');
  assert.deepEqual(JSON.parse(served.body), JSON.parse(expected));
  assert.equal(ours, "/");
});

await test("it has every route, and no other", () => {
  const table = readFileSync(join(root, "server/serve/routes.c"), "utf8");
  const rows = [...table.matchAll(/^\s*\{"(\/[^"]*)", ((?:\.(?:admin|post|open) = true, )*)/gm)]
    .map(([, path, flags]) => [path, flags.includes(".admin"), flags.includes(".post") ? "post" : "get"]);
  const page = readFileSync(join(root, "server/api/page_files.h"), "utf8");
  const files = [...page.matchAll(/X\(\w+, "([^"]*)"/g)].map(([, path]) => [path, false, "get"]);
  assert.ok(rows.length > 15 && files.length >= 2);
  const used = new Set();
  for (const [path, admin, method] of [...rows, ...files]) {
    const found = contract.find(method, path.replaceAll(/[{}]/g, ""), admin);
    assert.ok(found?.operation, `${method} ${path} (admin: ${admin}) is not described`);
    if (found.values.file !== undefined)
      contract.check(contract.resolve(found.operation.parameters.find((p) => p.name === "file")).schema,
        found.values.file, "file");
    used.add(`${method} ${found.route.path}`);
  }
  for (const [path, item] of Object.entries(document.paths))
    for (const method of ["get", "post", "put", "delete", "patch", "options", "head"])
      if (item[method]) assert.ok(used.has(`${method} ${path}`), `${method} ${path} is no route`);
  const slugs = [...readFileSync(join(root, "server/answer/problem.h"), "utf8")
    .matchAll(/^ *X\([A-Z_0-9]+, "([a-z-]+)", \d+/gm)].map(([, slug]) => `urn:vgg:problem:${slug}`);
  assert.deepEqual([...document.components.schemas.Problem.properties.type.enum].sort(), slugs.sort());
});

const gets = [["/livez"], ["/readyz"], ["/healthz"], ["/metrics"], ["/model"], ["/openapi.json"],
  ["/"], ["/page/page.js"], ["/page/page.css"], ["/v2"], ["/v2/health/live"], ["/v2/health/ready"],
  [models], [`${models}/ready`], [versioned], [`${models}/versions/1/ready`],
  [`${models}/config`], [`${models}/versions/1/config`], [`${models}/stats`], [`${versioned}/stats`],
  ["/v2/models/stats"], ["/admin/model", true]];
const posts = [["/classify"], [`${models}/infer`], [`${versioned}/infer`],
  ["/admin/reload", true], ["/admin/rollback", true], ["/v2/repository/index", true],
  [`/v2/repository/models/${name}/load`, true], [`/v2/repository/models/${name}/unload`, true]];

await test("GET and HEAD", async () => {
  for (const [path, admin] of gets) {
    const got = await call(server, { path, admin, headers: { "X-Request-Id": "my.id-1" } }, 200);
    assert.equal(got.headers["x-request-id"], "my.id-1");
    const head = await call(server, { method: "HEAD", path, admin }, 200);
    assert.equal(head.headers["content-type"], got.headers["content-type"]);
  }
  await call(server, { path: "/page/none.js" }, 404);
  for (const path of ["/", "/page/page.js", "/openapi.json"]) {
    const { etag } = (await call(server, { path }, 200)).headers;
    await call(server, { path, headers: { "If-None-Match": etag } }, 304);
    const packed = await send(server, { path, headers: { "Accept-Encoding": "gzip" } });
    assert.equal(packed.headers["content-encoding"], "gzip");
    assert.notEqual(packed.headers.etag, etag);
  }
  for (const [path, admin] of posts)
    await call(server, { ...post(path, "{}", { "Content-Encoding": "br" }), admin }, 415);
  await call(server, { ...post("/v2/repository/index", "{}", { "Content-Encoding": "gzip" }),
    admin: true }, 400);
});

await test("other methods and paths", async () => {
  for (const [path, admin, allow] of [...gets.map(([p, a]) => [p, a, "GET, HEAD"]),
    ...posts.map(([p, a]) => [p, a, "POST"])])
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      if (allow.split(", ").includes(method)) continue;
      const answer = await send(server, { method, path, admin });
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.equal(answer.headers.allow, allow);
      if (method !== "HEAD")
        contract.check({ $ref: path.startsWith("/v2") ? "#/components/schemas/V2Error"
          : "#/components/schemas/Problem" }, JSON.parse(answer.body), "405");
    }
  for (const [path, admin] of [...gets, ...posts])
    assert.equal((await send(server, { path, admin: !admin })).status, 404, path);
});

await test("POST /classify", async () => {
  for (const query of ["", "?top_k=2", "?scales=32,64&flip=off", "?views=1&top_k=3&flip=1",
    "?map=1&views=true&scales=40&features=1", "?reject=0.05&top_k=1"])
    await call(server, post("/classify" + query, picture), 200);
  await call(server, post("/classify", ...multipart([picture])), 200);
  await call(server, post("/classify?map=1&features=on", ...multipart([picture, png(40, 48, 3), picture.subarray(9)])),
    200);
  for (const bad of ["?top_k=0", "?scales=7", "?reject=0", "?reject=5%25", "?scale=64", "?flip=on&flip=on", "?map=1&top_k=200"])
    await call(server, post("/classify" + bad, picture), 400);
  await call(server, post("/classify", picture, { "X-Request-Timeout-Ms": "x" }), 400);
  await call(server, { method: "POST", path: "/classify" }, 400);
  await call(server, post("/classify", "x", { "Content-Type": "multipart/form-data" }), 400);
  await call(server, post("/classify", ...multipart([picture, picture, picture, picture])), 413);
  await call(server, post("/classify?scales=200", picture), 413);
  await call(server, post("/classify", "GIF89a"), 415);
  await call(server, post("/classify", picture.subarray(0, -30)), 422);
});

await test("POST infer", async () => {
  const asked = (parameters) => [{ name: "posteriors", parameters }];
  const pixels = { name: "pixels", datatype: "FP32", shape: [1, 3, 32, 33], data: Array(3168).fill(0.5) };
  const row = Array(33).fill(0), nested = Array(3).fill(Array(32).fill(row));

  for (const path of [`${models}/infer`, `${models}/versions/1/infer`, `${versioned}/infer`]) {
    for (const body of [
      { inputs: [image(picture)] },
      { id: "x", inputs: [image(picture, png(33, 60))], outputs: asked({ classification: 5 }) },
      { inputs: [pixels], outputs: null, parameters: null },
      { inputs: [pixels], outputs: [], parameters: { binary_data_output: true } },
      { inputs: [{ ...image(picture), shape: [1, 1] }],
        outputs: asked({ classification: 2, binary_data: true }) },
      { inputs: [{ ...image(picture), parameters: { content_type: "base64" } }],
        parameters: { scales: "32,64", flip: false, timeout: 100000000 } },
      { inputs: [image(picture)], outputs: [{ name: "features" }, ...asked({ binary_data: true })] },
      { inputs: [image(picture)], outputs: [{ name: "features", parameters: { binary_data: true } }] },
      { inputs: [image(picture)], parameters: { scales: 40, flip: "on", reject: 0.05 } },
      { inputs: [{ ...image(picture), parameters: { mine: {} } }],
        outputs: [{ name: "posteriors", parameters: { content_type: "np" } }],
        parameters: { priority: 1, sequence_id: 0, content_type: "np", mine: [] } }])
      await call(server, post(path, infer(body)), 200);
    // Read, but not described: it would make the types of generated clients hard to use.
    for (const body of [{ inputs: [{ ...pixels, data: [nested] }] },
      { inputs: [{ ...image(picture), shape: [1, 1], data: [[base64(picture)]] }] }])
      await call(server, post(path, infer(body)), 200, false);
    const binary = infer({ inputs: [{ name: "image", datatype: "BYTES", shape: [1],
      parameters: { binary_data_size: 4 + picture.length } }] });
    const length = Buffer.alloc(4);
    length.writeUInt32LE(picture.length);
    await call(server, post(path, Buffer.concat([binary, length, picture]),
      { "Inference-Header-Content-Length": String(binary.length) }), 200);
    await call(server, post(path, picture, { "Inference-Header-Content-Length": "0" }), 200);

    for (const body of ["{", "{}", infer({ inputs: [{ ...image(picture), shape: [2] }] }),
      infer({ inputs: [{ ...pixels, datatype: "FP16" }] })])
      await call(server, post(path, body), 400);
    await call(server, post(path.replace(name, "other"), "{}"), 404);
    await call(server, post(path, infer({ inputs: [image(...Array(4).fill(picture))] })), 413);
    await call(server, post(path, infer({ inputs: [image(Buffer.from("GIF89a"))] })), 415);
    await call(server, post(path, infer({ inputs: [image(picture.subarray(0, -30))] })), 422);
    await call(server, post(path, infer({ inputs: [image(picture)], parameters: { timeout: 1 } })), 504);
  }
});

await test("requests of the wrong bytes are not described", () => {
  const found = contract.find("POST", `${models}/infer`, false);
  const request = (body) => ({ headers: {}, query: new Map(), body: infer(body) });
  const good = { inputs: [image(picture)] };

  contract.checkRequest(found, request(good));
  for (const bad of [{}, { inputs: [] }, { inputs: [image(picture), image(picture)] },
    { ...good, id: 5 }, { ...good, parameters: { scales: true } }, { ...good, parameters: { reject: 0 } },
    { inputs: [{ ...image(picture), data: undefined }] },
    { inputs: [{ ...image(picture), shape: [17] }] },
    { inputs: [{ name: "pixels", datatype: "FP32", shape: [17, 3, 32, 32], data: [1] }] },
    { inputs: [{ name: "pixels", datatype: "FP32", shape: [1, 4, 32, 32], data: [1] }] },
    { ...good, outputs: [{ name: "x" }] }, { inputs: [{ ...image(picture), shape: [0] }] },
    { inputs: [{ ...image(picture), shape: [1, 2] }] },
    { inputs: [{ ...image(picture), datatype: "FP32" }] },
    { ...good, outputs: [{ name: "posteriors", parameters: { classification: 0 } }] },
    { ...good, outputs: [{ name: "features", parameters: { classification: 1 } }] }])
    assert.throws(() => contract.checkRequest(found, request(bad)), JSON.stringify(bad).slice(0, 200));
});

await test("unknown models and versions", async () => {
  for (const version of ["", "/versions/2"])
    for (const route of ["", "/ready", "/config", "/stats"])
      await call(server, { path: `/v2/models/${version ? name : "other"}${version}${route}` }, 404);
});

await test("a slash at a path's end", async () => {
  const same = (a, b) => assert.deepEqual([a.status, a.headers.allow, a.headers["content-type"]],
    [b.status, b.headers.allow, b.headers["content-type"]]);

  for (const [path, admin] of [...gets, ...posts])
    for (const method of admin ? ["GET", "PUT"] : ["GET", "HEAD", "POST", "PUT"]) // no reload
      same(await send(server, { method, path: path + "/", admin }),
        await send(server, { method, path, admin }));
  const answer = await send(server, post("/classify/?top_k=1", picture));
  assert.equal(JSON.parse(answer.body).top.length, 1);
  same(await send(server, { path: "/page/page.js/" }), await send(server, { path: "/page/page.js" }));
  same(await send(server, { path: "/none/" }), await send(server, { path: "/none" }));
});

await test("what is not below a model", async () => {
  for (const below of ["/generate", "/trace/setting", "/versions", "/versions/1/generate", "/config/x"])
    for (const method of ["GET", "POST"]) {
      const answer = await send(server, { path: models + below, method });
      const { error } = JSON.parse(answer.body);
      assert.equal(answer.status, 404);
      assert.ok(error.includes(`nothing at "${below}"`) && error.includes("/config"), error);
    }
  const answer = await send(server, { path: "/v2/models/other/config" });
  assert.match(JSON.parse(answer.body).error, /no model "other"/);
});

await test("the admin listener", async () => {
  await call(server, { method: "POST", path: "/v2/repository/index", admin: true }, 200);
  await call(server, { ...post("/v2/repository/index", '{"ready":true}'), admin: true }, 200);
  await call(server, { ...post(`/v2/repository/models/${name}/unload`, "{}"), admin: true }, 400);
  await call(server, { ...post("/v2/repository/models/other/unload", "{}"), admin: true }, 404);
  for (const [path, admin] of [...gets, ...posts].filter(([, admin]) => admin))
    await call(server, { path, admin, method: posts.some(([p]) => p === path) ? "POST" : "GET",
      headers: { Origin: "http://x" } }, 403);
});

await test("reload, rollback, load", async () => {
  const json = { "Content-Type": "application/json" };
  const admin = (path, body = "", headers = json) => ({ ...post(path, body, headers), admin: true });
  const load = `/v2/repository/models/${name}/load`;
  const copy = join(folder, "copy"), bytes = readFileSync(model);

  writeFileSync(copy, bytes);
  await call(server, admin("/admin/rollback"), 409, true);
  for (const body of ["", "{}"]) await call(server, admin("/admin/reload", body), 200);
  await call(server, admin(load, "", {}), 200);
  await call(server, admin(load, "{}", {}), 200);
  await call(server, admin(load, '{"parameters":{}}'), 200);
  await call(server, admin("/admin/reload", JSON.stringify({ model: copy })), 200);
  await call(server, admin("/admin/rollback", "{}"), 200);
  await call(server, admin("/admin/reload", JSON.stringify({ model: copy })), 200);
  await call(server, admin("/admin/reload", JSON.stringify({ model: "/none" })), 422, true);
  writeFileSync(copy, "no model");
  await call(server, admin("/admin/reload"), 422, true);
  await call(server, admin(load), 422, true);
  await call(server, admin("/admin/reload", JSON.stringify({ model })), 200);
  await call(server, admin("/admin/rollback"), 422, true);
  for (const path of ["/admin/reload", "/admin/rollback", load]) {
    await call(server, admin(path, '{"parameters":{"config":"x"}}'), 400);
    await call(server, admin(path, "{"), 400);
    await call(server, admin(path, "{}", { "Content-Type": "text/plain" }), 415);
  }
  await call(server, admin(load.replace(name, "other")), 404);
  for (let tries = 0; tries < 50 && !contract.seen.has(
    "POST /v2/repository/models/{model}/load 409"); tries++)
    await Promise.all([admin("/admin/reload"), admin(load), admin("/admin/reload"), admin(load)]
      .map(async (request) => contract.checkAnswer("POST",
        contract.find("POST", request.path, true), await send(server, request))));
});

// A copy of the model at the server's scales, all of whose classes' means lie at the same place, away
// from every picture's; known pictures lay there.
function knowing() {
  const path = join(folder, "knowing"), bytes = readFileSync(model);
  const size = Number(bytes.readBigUInt64LE(0)), header = JSON.parse(bytes.subarray(8, 8 + size));
  const parts = [bytes.subarray(8 + size)];

  for (const [tensor, shape, value] of [["transform", [2, 16], 0], ["means", [1000, 2], 1], ["distances", [99], 0]]) {
    const data = Buffer.from(new Float32Array(shape.reduce((a, b) => a * b)).fill(value).buffer);
    const begin = parts.reduce((sum, part) => sum + part.length, 0);
    header[`typicality.${tensor}`] = { dtype: "F32", shape, data_offsets: [begin, begin + data.length] };
    parts.push(data);
  }
  header.__metadata__["vgg.scales"] = "[32,40]";
  const text = Buffer.from(JSON.stringify(header)), length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, ...parts]));
  return path;
}

await test("a model with typicality", async () => {
  const reload = (path) => call(server, { ...post("/admin/reload", JSON.stringify({ model: path }),
    { "Content-Type": "application/json" }), admin: true }, 200);
  const json = async (...request) => JSON.parse((await call(server, ...request)).body);
  const both = ["typicality", "known"].map((output) => ({ name: output }));
  const inputs = [image(picture)];

  await reload(knowing());
  assert.deepEqual((await json({ path: "/model" }, 200)).typicality, { known: 99, reject: 0.02 });
  for (const path of [models, `${models}/config`])
    await call(server, { path }, 200);
  for (const [query, reject] of [["", 0.02], ["?reject=0.05", 0.05], ["?reject=1e-3", 0.02]]) {
    const answer = await json(post("/classify" + query, picture), 200);
    assert.deepEqual([answer.typicality, answer.reject, answer.known], [0.01, reject, false]);
  }
  assert.ok(!("known" in await json(post("/classify?flip=off", picture), 200)));
  const several = await json(post("/classify", ...multipart([picture, picture.subarray(9)])), 200);
  assert.deepEqual(several.results.map(({ known }) => known), [false, undefined]);
  const answer = await json(post(`${models}/infer`, infer({ inputs, outputs: both, parameters: { reject: 0.5 } })), 200);
  assert.deepEqual(answer.outputs.map(({ data }) => data[0]), [0.00999999978, false]); // as a float
  assert.equal(answer.parameters.reject, 0.5);
  await call(server, post(`${models}/infer`, infer({ inputs, outputs: both, parameters: { binary_data_output: true } })), 200);
  await call(server, post(`${models}/infer`, infer({ inputs, outputs: both, parameters: { flip: false } })), 400);
  await reload(model);
  await call(server, post(`${models}/infer`, infer({ inputs, outputs: both })), 400);
});

await test("refused at the headers", async () => {
  for (const [path, admin, method] of [...gets, ...posts.map(([p, a]) => [p, a, "POST"])]) {
    await call(server, { path, admin, method, headers: { "X-Long": "x".repeat(16500) } }, 431);
    await call(server, { path, admin, method, body: Buffer.alloc(300001) }, 413);
  }
});

await test("tokens", async () => {
  const guarded = await start("--api-token-file", join(folder, "token"),
    "--admin-token-file", join(folder, "token"));

  for (const [path, admin, method] of [...gets, ...posts.map(([p, a]) => [p, a, "POST"])]) {
    const { operation } = contract.find(method ?? "GET", path, Boolean(admin));
    const open = operation.security?.length === 1;
    await call(guarded, { path, admin, method }, open ? 200 : 401);
    if (!method)
      await call(guarded, { path, admin, headers: { Authorization: "Bearer secret" } }, 200);
  }
  await stop(guarded);
});

await test("scripts of other origins", async () => {
  const shared = await start("--cors-origin", "https://a.example,https://b.example:8443");
  const exposed = "X-Request-Id, Retry-After, Inference-Header-Content-Length";

  for (const [path, , method] of [...gets.filter(([, admin]) => !admin),
    ...posts.filter(([, admin]) => !admin).map(([p]) => [p, false, "POST"])]) {
    for (const origin of ["https://a.example", "https://b.example:8443"]) {
      const asks = { Origin: origin, "Access-Control-Request-Method": method ?? "GET" };
      const ask = await send(shared, { path, method: "OPTIONS", headers: asks });
      assert.equal(ask.status, 204, path);
      assert.equal(ask.body.length, 0);
      assert.ok(!("content-type" in ask.headers) && !("content-length" in ask.headers));
      assert.equal(ask.headers["access-control-allow-origin"], origin);
      assert.equal(ask.headers["access-control-allow-methods"], method ?? "GET, HEAD");
      assert.match(ask.headers["access-control-allow-headers"], /Authorization, Content-Type/);
      assert.equal(ask.headers.vary, "Origin");
      const answer = await call(shared, { path, method, headers: { Origin: origin } },
        method ? 400 : 200);
      assert.equal(answer.headers["access-control-allow-origin"], origin);
      assert.equal(answer.headers["access-control-expose-headers"], exposed);
      assert.ok(answer.headers.vary.split(", ").includes("Origin"));
    }
    for (const origin of ["https://c.example", "http://a.example", "https://b.example", "null"]) {
      const asks = { Origin: origin, "Access-Control-Request-Method": method ?? "GET" };
      const ask = await send(shared, { path, method: "OPTIONS", headers: asks });
      assert.equal(ask.status, 403);
      const answer = await call(shared, { path, method, headers: { Origin: origin } },
        method ? 400 : 200);
      assert.ok(!Object.keys(answer.headers).some((key) => key.startsWith("access-control")));
      assert.ok(answer.headers.vary.split(", ").includes("Origin"));
    }
    const plain = await send(shared, { path, method: "OPTIONS" });
    assert.equal(plain.status, 405);
    const early = await call(shared, { path, method, headers: { Origin: "https://a.example",
      "X-Long": "x".repeat(16500) } }, 431);
    assert.equal(early.headers["access-control-allow-origin"], "https://a.example");
  }
  const asks = { Origin: "https://a.example", "Access-Control-Request-Method": "POST" };
  for (const [path, admin] of [...gets, ...posts].filter(([, admin]) => admin)) {
    const ask = await send(shared, { path, admin, method: "OPTIONS", headers: asks });
    assert.equal(ask.status, 403);
    assert.ok(!("access-control-allow-origin" in ask.headers));
  }
  await stop(shared);
  const any = await start("--cors-origin", "*", "--api-token-file", join(folder, "token"));
  const ask = await send(any, { path: "/classify", method: "OPTIONS", headers: asks });
  assert.equal(ask.status, 204, "a preflight request has no token");
  const denied = await call(any, { path: "/model", headers: { Origin: "https://z.example" } }, 401);
  assert.equal(denied.headers["access-control-allow-origin"], "https://z.example");
  await stop(any);
  const off = await send(server, { path: "/classify", method: "OPTIONS", headers: asks });
  assert.equal(off.status, 405);
  assert.ok(!("vary" in off.headers));
});

await test("a full queue, and the end", async () => {
  const full = await start("--max-queue", "0s", "--max-cost", "1000",
    "--drain-delay", "3s");
  const slow = post("/classify?scales=1024", png(1024, 1024));
  let shed = false;

  await call(full, post("/classify?scales=896,960,1024", png(1024, 1024),
    { "X-Request-Timeout-Ms": "50" }), 504, true);
  for (let i = 0; i < 20 && !shed; i++) {
    let ended = false;
    const first = send(full, slow).then(() => { ended = true; });
    while (!shed && !ended) {
      const answer = await send(full, post("/classify", picture));
      shed = answer.status === 503;
      if (shed) {
        await call(full, post("/classify", picture), 503, true).catch((error) => {
          if (!/200 !== 503/.test(error.message)) throw error;
          shed = false; // the slow one has just ended
        });
      }
    }
    await first;
  }
  assert.ok(shed, "nothing was shed");
  full.child.kill("SIGTERM");
  for (const path of ["/readyz", "/healthz", "/v2/health/ready", `${models}/ready`,
    `${models}/versions/1/ready`]) {
    while ((await send(full, { path })).status === 200);
    await call(full, { path }, 503, true);
  }
  await full.ended;
});

await test("every described status was seen", () => {
  const left = contract.all().filter((item) => !contract.seen.has(item) && !/ (500|503)$/.test(item));
  assert.deepEqual(left, []);
});

await stop(server);
for (const child of children) child.kill("SIGKILL");
rmSync(folder, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
