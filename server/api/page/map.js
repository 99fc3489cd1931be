// The class score map over the picture. Positions of a map are windows of the picture; their
// scores, interpolated between the windows' centres, become colours.
import { byId, make, percent } from "./dom.js";

const COLUMNS = 128; // of the drawing, before the browser smooths it

// Colour and opacity from the picture's lowest score to its highest; the legend in page.css has the
// same. No end of it is as light or as dark as a picture may be.
const RAMP = [
  [0, 59, 15, 112, 0],
  [0.3, 114, 31, 129, 0.3],
  [0.6, 196, 58, 117, 0.5],
  [1, 252, 120, 80, 0.75],
];
const FLAT = 0.05; // of the highest score: less between the ends says little

let answer, rank, maps, shown, at;

// Scores [rows * columns] of the class at `rank` in one view's map.
function scoresOf(map) {
  const values = map.classes[rank].values;

  return values.map((value, i) => Math.exp(value - map.log_sums[i]));
}

const clamp = (value, max) => Math.min(Math.max(value, 0), max);

// A map's score at (x, y) of the picture; beyond the outermost centres that of the nearest.
function scoreAt({ map, scores }, x, y) {
  const { region, columns, rows } = map;
  const u = clamp((x - region.x - region.width / 2) / region.step_x, columns - 1);
  const v = clamp((y - region.y - region.height / 2) / region.step_y, rows - 1);
  const c = Math.min(Math.floor(u), Math.max(columns - 2, 0));
  const r = Math.min(Math.floor(v), Math.max(rows - 2, 0));
  const right = Math.min(c + 1, columns - 1);
  const below = Math.min(r + 1, rows - 1);
  const row = (index) => scores[index * columns + c] * (1 - u + c) + scores[index * columns + right] * (u - c);

  return row(r) * (1 - v + r) + row(below) * (v - r);
}

const meanAt = (x, y) => shown.reduce((sum, view) => sum + scoreAt(view, x, y), 0) / shown.length;

function colour(t, out, i) {
  let k = 1;

  while (k < RAMP.length - 1 && t > RAMP[k][0]) k++;
  const [from, to] = [RAMP[k - 1], RAMP[k]];
  const part = (t - from[0]) / (to[0] - from[0]);
  for (let channel = 1; channel <= 4; channel++) {
    const value = from[channel] + part * (to[channel] - from[channel]);
    out[i + channel - 1] = channel === 4 ? 255 * value : value;
  }
}

function draw() {
  const canvas = byId("map");
  const { width, height } = answer.image;
  const rows = Math.max(1, Math.round((COLUMNS * height) / width));
  const scores = new Float64Array(COLUMNS * rows);
  const context = canvas.getContext("2d");

  canvas.width = COLUMNS;
  canvas.height = rows;
  for (let i = 0; i < scores.length; i++)
    scores[i] = meanAt((((i % COLUMNS) + 0.5) * width) / COLUMNS, ((Math.floor(i / COLUMNS) + 0.5) * height) / rows);
  const least = scores.reduce((a, b) => Math.min(a, b));
  const most = scores.reduce((a, b) => Math.max(a, b));
  const pixels = context.createImageData(COLUMNS, rows);
  scores.forEach((score, i) => colour(most > least ? (score - least) / (most - least) : 0, pixels.data, 4 * i));
  context.putImageData(pixels, 0, 0);
  byId("map-min").textContent = percent(least);
  byId("map-max").textContent = percent(most);
  byId("map-flat").hidden = most - least > FLAT * most;
}

function showOverlay() {
  const on = byId("map-on").checked;

  byId("map").hidden = !maps || !on;
  byId("map").style.opacity = byId("opacity").value / 100;
  byId("opacity").disabled = !on;
}

function choose() {
  const wanted = byId("map-view").value;

  shown = maps
    .filter((_, i) => wanted === "all" || Number(wanted) === i)
    .map((map) => ({ map, scores: scoresOf(map) }));
  byId("map-class").textContent = `of “${answer.top[rank].label ?? `class ${answer.top[rank].index}`}”`;
  draw();
  if (at) point(at.row, at.column);
}

// The windows one can point at: of the view that is shown, or of the largest scale.
const pointed = () => shown[shown.length === 1 ? 0 : shown.findLastIndex((view) => !view.map.flip)];

// Outline a window and tell its score.
function point(row, column) {
  const { map, scores } = pointed();
  const { region } = map;
  const outline = byId("window");

  at = { row: clamp(row, map.rows - 1), column: clamp(column, map.columns - 1) };
  const x = region.x + at.column * region.step_x;
  const y = region.y + at.row * region.step_y;
  const score = shown.length === 1
    ? scores[at.row * map.columns + at.column]
    : meanAt(x + region.width / 2, y + region.height / 2);
  outline.hidden = false;
  for (const [property, part, whole] of [
    ["left", x, answer.image.width], ["width", region.width, answer.image.width],
    ["top", y, answer.image.height], ["height", region.height, answer.image.height],
  ]) outline.style[property] = `${(100 * part) / whole}%`;
  byId("map-readout").textContent =
    `Row ${at.row + 1} of ${map.rows}, column ${at.column + 1} of ${map.columns}: ${percent(score)}`;
}

function unpoint() {
  at = undefined;
  byId("window").hidden = true;
  byId("map-readout").textContent = "";
}

function onPointer(event) {
  if (!shown) return;
  const box = byId("frame").getBoundingClientRect();
  const { map: { region } } = pointed();
  const x = ((event.clientX - box.left) / box.width) * answer.image.width;
  const y = ((event.clientY - box.top) / box.height) * answer.image.height;

  point(
    Math.round((y - region.y - region.height / 2) / region.step_y),
    Math.round((x - region.x - region.width / 2) / region.step_x),
  );
}

function onKey(event) {
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const move = moves[event.key];

  if (event.key === "Escape" && shown) unpoint();
  if (!move || !shown) return;
  event.preventDefault();
  if (at) point(at.row + move[0], at.column + move[1]);
  else point(0, 0);
}

// The map of an answer, or nothing where there is none that fits the picture on the page.
export function showMap(given) {
  answer = given;
  maps = given?.map;
  shown = undefined;
  unpoint();
  byId("map-controls").hidden = !maps;
  showOverlay();
  byId("frame").tabIndex = maps ? 0 : -1;
  if (!maps) return;
  rank = 0;
  byId("map-view").replaceChildren(
    make("option", { value: "all", textContent: `All ${maps.length} views` }),
    ...maps.map((map, i) =>
      make("option", { value: i, textContent: `${map.scale}${map.flip ? ", mirrored" : ""}` })),
  );
  choose();
}

export function showMapOf(newRank) {
  rank = newRank;
  if (maps) choose();
}

byId("map-view").addEventListener("change", choose);
byId("opacity").addEventListener("input", showOverlay);
byId("map-on").addEventListener("change", showOverlay);
byId("frame").addEventListener("pointermove", onPointer);
byId("frame").addEventListener("pointerdown", onPointer);
byId("frame").addEventListener("pointerleave", unpoint);
byId("frame").addEventListener("keydown", onKey);
byId("frame").addEventListener("blur", unpoint);
