// @hey-api/openapi-ts' client: generated_hey.js URL MODEL PICTURE
import { readFileSync } from "node:fs";
import { classify, v2Infer, type InferRequest } from "./hey/index";
import { client } from "./hey/client.gen";

async function main() {
  const [url, model, path] = process.argv.slice(2);
  const picture = readFileSync(path);
  client.setConfig({ baseUrl: url, throwOnError: true });

  const { data: answer } = await classify({ body: new Blob([new Uint8Array(picture)]), query: { top_k: 2 } });
  if (!answer || !("top" in answer) || answer.top[0].label !== "glass" || answer.top.length !== 2)
    throw new Error(JSON.stringify(answer));

  const body: InferRequest = { inputs: [{ name: "image", datatype: "BYTES", shape: [1],
    data: [picture.toString("base64")] }] };
  const first = async () => {
    const { data } = await v2Infer({ path: { model }, body });
    if (!data || !("outputs" in data)) throw new Error(JSON.stringify(data));
    return data.outputs[0];
  };
  const floats = await first();
  if (floats.datatype !== "FP32" || floats.data.length !== floats.shape[1])
    throw new Error(JSON.stringify(floats));
  body.outputs = [{ name: "posteriors", parameters: { classification: 1 } }];
  const classes = await first();
  if (classes.datatype !== "BYTES" || !classes.data[0].endsWith(":glass"))
    throw new Error(JSON.stringify(classes));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
