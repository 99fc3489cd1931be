// ONNX Runtime for peers.py: a JSON object a line in, one a line out.
//
//   node onnx.mjs DIRECTORY THREADS    DIRECTORY has onnxruntime-node in its node_modules
//
// {"version": true}, then {"load": FILE, "shape": [N, 3, H, W], "input": FILE of floats} for a session
// of that shape alone, then {"repeats": N} for the least milliseconds of a pass and the last output.
import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

const [directory, threads] = process.argv.slice(2);
const ort = createRequire(path.resolve(directory, 'package.json'))('onnxruntime-node');
let session, feeds;

async function load({load: file, shape, input}) {
  const [batch, , height, width] = shape;
  const bytes = fs.readFileSync(input);
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);

  await session?.release();
  session = await ort.InferenceSession.create(file, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: Number(threads),
    freeDimensionOverrides: {batch, height, width},
  });
  feeds = {x: new ort.Tensor('float32', floats, shape)};
  return {};
}

async function run({repeats}) {
  let ms = Infinity, y;

  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    ({y} = await session.run(feeds));
    ms = Math.min(ms, performance.now() - start);
  }
  return {ms, output: Array.from(y.data), classes: y.dims[1]};
}

for await (const line of readline.createInterface({input: process.stdin})) {
  const request = JSON.parse(line);
  const answer = request.load ? await load(request) : request.repeats ? await run(request)
    : {version: ort.env.versions.node};
  console.log(JSON.stringify(answer));
}
