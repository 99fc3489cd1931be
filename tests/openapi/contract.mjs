// An OpenAPI 3.1 document as a contract: does a request, does an answer keep to it?
import assert from "node:assert/strict";

// Headers of every answer, described in the document's own text or by HTTP.
const EVERYWHERE = new Set(["date", "connection", "keep-alive", "content-type", "content-length",
  "x-content-type-options", "cache-control"]);
const CORS = /^(vary|access-control-.*)$/;

const escape = (text) => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");

// What is not described must not be there: objects that list their members have no others.
function tighten(node) {
  if (Array.isArray(node)) return node.map(tighten);
  if (node === null || typeof node !== "object") return node;
  const tight = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, tighten(value)]));
  if (node.type === "object" && node.properties && !("additionalProperties" in node) &&
      !Array.isArray(node.properties.required))
    tight.additionalProperties = false;
  return tight;
}

export class Contract {
  constructor(document, Ajv) {
    this.document = tighten(document);
    this.ajv = new Ajv({ strict: false, allErrors: true });
    this.validators = new Map();
    this.seen = new Set(); // "METHOD path status"
    this.routes = Object.keys(document.paths).map((path) => ({
      path,
      admin: "servers" in document.paths[path],
      pattern: new RegExp("^" + escape(path).replace(/\{[^}]*\}/g, "([^/]+)") + "$"),
      names: [...path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]),
    }));
    // A path without variables wins, then the longer one.
    this.routes.sort((a, b) => a.names.length - b.names.length || b.path.length - a.path.length);
  }

  resolve(node) {
    while (node.$ref)
      node = node.$ref.slice(2).split("/").reduce((at, key) => at[key.replaceAll("~1", "/")],
        this.document);
    return node;
  }

  check(schema, value, what) {
    const key = JSON.stringify(schema);
    if (!this.validators.has(key))
      this.validators.set(key, this.ajv.compile({ ...schema, components: this.document.components }));
    const validate = this.validators.get(key);
    assert.ok(validate(value), `${what}: ${this.ajv.errorsText(validate.errors).slice(0, 2000)} ` +
      `in ${JSON.stringify(value).slice(0, 300)}`);
  }

  // The route and operation of a request; operation undefined where the method is not described.
  find(method, path, admin) {
    for (const route of this.routes) {
      const match = route.admin === admin && route.pattern.exec(path);
      if (match) {
        const item = this.document.paths[route.path];
        const values = Object.fromEntries(route.names.map((name, i) =>
          [name, decodeURIComponent(match[i + 1])]));
        return { route, values, item, operation: item[method.toLowerCase()] };
      }
    }
    return undefined;
  }

  // A request that should be a good one.
  checkRequest({ operation, values }, { headers, query, body }) {
    const given = {
      path: values,
      query: Object.fromEntries(query),
      header: Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v])),
    };
    const parameters = (operation.parameters ?? []).map((node) => this.resolve(node));
    for (const parameter of parameters) {
      const name = parameter.in === "header" ? parameter.name.toLowerCase() : parameter.name;
      const value = given[parameter.in][name];
      assert.ok(value !== undefined || !parameter.required, `parameter ${name} is missing`);
      if (value !== undefined)
        this.check(parameter.schema, ["integer", "number"].includes(this.resolve(parameter.schema).type)
          ? Number(value) : value, `parameter ${name}`);
    }
    for (const name of Object.keys(given.query))
      assert.ok(parameters.some((p) => p.in === "query" && p.name === name),
        `query parameter ${name} is not described`);
    const content = operation.requestBody?.content;
    const length = given.header["inference-header-content-length"];
    const json = length === undefined ? content?.["application/json"]?.schema
      : content["application/octet-stream"]["x-json-part"];
    assert.ok(content || body === undefined || body.length === 0, "no body is described");
    assert.ok(!operation.requestBody?.required || body?.length, "a body is required");
    if (json && body?.length && length !== "0")
      this.check(json, JSON.parse(body.subarray(0, Number(length ?? body.length))), "request body");
  }

  checkHeaders(described, headers, cors) {
    for (const [name, node] of Object.entries(described ?? {})) {
      const header = this.resolve(node), value = headers[name.toLowerCase()];
      assert.ok(value !== undefined || !header.required, `header ${name} is missing`);
      if (value !== undefined) this.check(header.schema, value, `header ${name}`);
    }
    const names = new Set(Object.keys(described ?? {}).map((name) => name.toLowerCase()));
    for (const name of Object.keys(headers))
      assert.ok(names.has(name) || EVERYWHERE.has(name) || (cors && CORS.test(name)),
        `header ${name} is not described`);
  }

  checkBody(content, headers, body) {
    const type = headers["content-type"];
    const media = content[type];
    assert.ok(media, `media type ${type} is not described`);
    if (media["x-json-part"]) {
      const length = Number(headers["inference-header-content-length"]);
      const json = JSON.parse(body.subarray(0, length));
      this.check(media["x-json-part"], json, "JSON part");
      const binary = json.outputs.reduce((sum, o) => sum + (o.parameters?.binary_data_size ?? 0), 0);
      assert.equal(length + binary, body.length);
    } else if (media.schema)
      this.check(media.schema, type.includes("json") ? JSON.parse(body) : body.toString(), "body");
  }

  checkAnswer(method, { route, operation }, { status, headers, body, cors }) {
    const described = operation.responses[status];
    assert.ok(described, `status ${status} is not described: ${body.toString().slice(0, 200)}`);
    const response = this.resolve(described);
    this.checkHeaders(response.headers, headers, cors);
    if (method !== "HEAD" && response.content && status !== 304)
      this.checkBody(response.content, headers, body);
    else assert.equal(body.length, 0);
    this.seen.add(`${method} ${route.path} ${status}`);
  }

  // Operations and their statuses, as in `seen`.
  all() {
    return this.routes.flatMap(({ path }) => ["get", "post"].flatMap((method) =>
      Object.keys(this.document.paths[path][method]?.responses ?? {})
        .map((status) => `${method.toUpperCase()} ${path} ${status}`)));
  }
}
