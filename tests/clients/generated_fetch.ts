// openapi-generator's typescript-fetch client: generated_fetch.js URL MODEL PICTURE
import { readFileSync } from "node:fs";
import { ClassifyApi, Configuration, V2Api, type InferRequest } from "./fetch/index";

async function main() {
  const [url, model, path] = process.argv.slice(2);
  const configuration = new Configuration({ basePath: url });
  const picture = readFileSync(path);

  const answer = await new ClassifyApi(configuration).classify({ body: new Blob([new Uint8Array(picture)]), topK: 2 });
  if (!("top" in answer) || answer.top[0].label !== "glass" || answer.top.length !== 2)
    throw new Error(JSON.stringify(answer));

  const v2 = new V2Api(configuration);
  const inferRequest: InferRequest = { inputs: [{ name: "image", datatype: "BYTES", shape: [1],
    data: [picture.toString("base64")] }] };
  const [floats] = (await v2.v2Infer({ model, inferRequest })).outputs;
  if (floats.datatype !== "FP32" || floats.data.length !== floats.shape[1])
    throw new Error(JSON.stringify(floats));
  inferRequest.outputs = [{ name: "posteriors", parameters: { classification: 1 } }];
  const [classes] = (await v2.v2Infer({ model, inferRequest })).outputs;
  if (classes.datatype !== "BYTES" || !classes.data[0].endsWith(":glass"))
    throw new Error(JSON.stringify(classes));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
