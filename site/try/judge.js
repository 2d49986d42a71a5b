// How the page answers inside the browser: the model by LiteRT.js, for pixels that utils/images.py
// would make of the same image. utils/decision.py has the rule.
"use strict";

const LOBES = 3; // of the Lanczos filter
const BITS = 22; // of a weight's fraction, as in Pillow
const STRIP = 256; // rows of an image that are on the canvas at a time: a phone has little memory
const STARTS = ["\xff\xd8\xff", "\x89PNG", "RIFF", "BM", "GIF8"]; // of files that browsers can read
const NOT_LOADED = "The model could not be loaded: check the connection and open this page again.";
const NO_WASM = "This browser runs no WebAssembly, which the model needs: use a current Firefox, "
  + "Chrome, Edge or Safari.";
let CARD = "";

// --- an image becomes what the model sees

function lanczos(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  return Math.sin(Math.PI * x) * Math.sin(Math.PI * x / LOBES) * LOBES / (Math.PI * x) ** 2;
}

// For each pixel of the result, along one axis: the first pixel that counts, and the weights from
// there on. As Pillow's precompute_coeffs; `start` and `side` are the square's, `length` is all.
function weights(start, side, length, size) {
  const ratio = side / size, wide = Math.max(ratio, 1);
  return Array.from({length: size}, (_, i) => {
    const center = start + (i + 0.5) * ratio;
    const first = Math.max(0, Math.floor(center - LOBES * wide + 0.5));
    const last = Math.min(length, Math.floor(center + LOBES * wide + 0.5));
    const found = Array.from({length: last - first}, (_, k) =>
      lanczos((first + k - center + 0.5) / wide));
    const sum = found.reduce((a, b) => a + b);
    return {first, weights: Int32Array.from(found, (w) =>
      Math.trunc(w / sum * 2 ** BITS + (w < 0 ? -0.5 : 0.5)))};
  });
}

// The centre square of an image, resized as Pillow's ImageOps.fit does: size * size * 3 numbers.
function square({image, orientation}, size) {
  const {width, height} = image, side = Math.min(width, height);
  const across = weights((width - side) / 2, side, width, size);
  const down = weights((height - side) / 2, side, height, size);
  const top = down[0].first, end = down[size - 1].first + down[size - 1].weights.length;
  const narrow = new Uint8ClampedArray((end - top) * size * 3);
  const canvas = new OffscreenCanvas(width, STRIP);
  const context = canvas.getContext("2d", {colorSpace: "srgb", willReadFrequently: true});
  context.imageSmoothingEnabled = false;
  for (let y = top; y < end; y += STRIP) {
    const rows = Math.min(STRIP, end - y);
    context.fillStyle = "white"; // behind transparent pixels
    context.fillRect(0, 0, width, rows);
    context.drawImage(image, 0, y, width, rows, 0, 0, width, rows);
    const {data} = context.getImageData(0, 0, width, rows);
    for (let row = 0; row < rows; row++) {
      across.forEach(({first, weights}, x) => {
        let r = 2 ** (BITS - 1), g = r, b = r, at = 4 * (row * width + first);
        for (let k = 0; k < weights.length; k++, at += 4) {
          r += data[at] * weights[k]; g += data[at + 1] * weights[k]; b += data[at + 2] * weights[k];
        }
        narrow.set([r >> BITS, g >> BITS, b >> BITS], 3 * ((y - top + row) * size + x));
      });
    }
  }
  const found = new Uint8ClampedArray(size * size * 3);
  down.forEach(({first, weights}, y) => {
    for (let x = 0; x < 3 * size; x++) {
      let sum = 2 ** (BITS - 1), at = 3 * size * (first - top) + x;
      for (let k = 0; k < weights.length; k++, at += 3 * size) sum += narrow[at] * weights[k];
      found[3 * size * y + x] = sum >> BITS;
    }
  });
  return turned(found, orientation, size);
}

// A square's pixels, turned as an orientation says.
function turned(pixels, orientation, size) {
  const last = size - 1, found = new Uint8ClampedArray(pixels.length);
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
    let [column, row] = orientation > 4 ? [y, x] : [x, y];
    if ([2, 3, 7, 8].includes(orientation)) column = last - column;
    if ([3, 4, 6, 7].includes(orientation)) row = last - row;
    const at = 3 * (size * row + column);
    found.set(pixels.subarray(at, at + 3), 3 * (size * y + x));
  }
  return found;
}

// Whether a JPEG or PNG has its end: some browsers take half an image for a whole one.
function ended(bytes) {
  const has = (mark, from) => {
    while (from < bytes.length && !mark.every((one, i) => bytes[from + i] === one)) from++;
    return from < bytes.length;
  };
  if (bytes[0] === 0x89) return has([0x49, 0x45, 0x4e, 0x44], 0); // IEND
  if (bytes[0] !== 0xff) return true;
  let at = 2; // segments up to the pixels have their lengths, and a small image may be in one
  while (bytes[at] === 0xff && bytes[at + 1] !== 0xda) at += 2 + 256 * bytes[at + 2] + bytes[at + 3];
  return has([0xff, 0xd9], at);
}

// The orientation, 1 to 8, in a WebP's EXIF, which is set to 1 there: not every browser turns it.
// JPEG and PNG they turn themselves.
function orientation(bytes) {
  const view = new DataView(bytes.buffer);
  const is = (word, at) => [...word].every((one, i) => one.charCodeAt(0) === bytes[at + i]);
  if (!is("RIFF", 0) || !is("WEBP", 8)) return 1;
  try {
    let at = 12, length;
    while (!is("EXIF", at)) length = view.getUint32(at + 4, true), at += 8 + length + length % 2;
    at += is("Exif\0\0", at + 8) ? 14 : 8;
    const little = is("II", at), list = at + view.getUint32(at + 4, little);
    for (let i = 0; i < view.getUint16(list, little); i++) {
      const tag = list + 2 + 12 * i, found = view.getUint16(tag + 8, little);
      if (view.getUint16(tag, little) !== 0x112) continue;
      view.setUint16(tag + 8, 1, little);
      return found;
    }
  } catch { /* its end came first */ }
  return 1;
}

// An image file with colours of sRGB, which browsers see to, and how it is still to be turned.
async function read(file, largest) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const start = String.fromCharCode(...bytes.slice(0, 4));
  const turn = orientation(bytes);
  let image;
  try {
    if (!ended(bytes)) throw new Error("half an image");
    image = await createImageBitmap(new Blob([bytes], {type: file.type}));
  } catch {
    throw new Error(STARTS.some((one) => start.startsWith(one))
      ? "This file is broken, truncated or too large for this browser: get a new copy of it, or a "
        + "smaller one."
      : "This file is not an image that this browser can read: give a JPEG or PNG file.");
  }
  if (image.width * image.height > largest) {
    throw new Error(`This file has more than ${largest.toLocaleString("en")} pixels, too many for a `
      + "photograph of a lesion: save it smaller.");
  }
  return {image, orientation: turn};
}

// --- the model

async function fetched(name) {
  const reply = await fetch(name);
  if (!reply.ok) throw new Error(name);
  return reply;
}

async function load() {
  if (typeof WebAssembly === "undefined") throw new Error(NO_WASM);
  try {
    const facts = await (await fetched("facts.json")).json();
    CARD = facts.card;
    const [litert, content] = await Promise.all([
      import("./litert/index.js"),
      fetched(facts.file).then((reply) => reply.arrayBuffer()),
      ...facts.samples.map(addSample),
    ]);
    await litert.loadLiteRt("./litert/litert_wasm_compat_internal.js");
    const model = await litert.loadAndCompile(new Uint8Array(content), {accelerator: "wasm"});
    return {facts, litert, model};
  } catch (error) {
    console.error(error);
    throw new Error(NOT_LOADED);
  }
}

const loaded = load();
loaded.then(
  () => { $("state").textContent = "The model is loaded: this page needs no network any more."; },
  (error) => { $("state").textContent = error.message; },
);

// All outputs by their names, for pixels 0..255.
async function outputs(pixels, {litert, model, facts}) {
  const [asked] = model.getInputDetails(), size = facts.source_size;
  const input = new litert.Tensor(Float32Array.from(pixels), [1, size, size, 3]);
  const found = await model.run({[asked.name]: input});
  const numbers = Object.entries(found).map(([name, one]) => [name, one.toTypedArray().slice()]);
  for (const one of [input, ...Object.values(found)]) one.delete();
  return Object.fromEntries(numbers);
}

// Mahalanobis distance, as decision.distance.
function distance(found, mean, precision) {
  const offset = mean.map((one, i) => found[i] - one);
  return Math.sqrt(offset.reduce((sum, a, i) =>
    sum + a * precision[i].reduce((s, one, j) => s + one * offset[j], 0), 0));
}

// The answer for an image, or an error in one sentence.
async function judge(file) {
  const ready = await loaded, {facts} = ready;
  const given = await read(file, facts.largest);
  let found;
  try {
    found = await outputs(square(given, facts.source_size), ready);
  } catch (error) {
    console.error(error);
    throw new Error("This browser could not judge the image: open the page again, or save the "
      + "image smaller.");
  } finally {
    given.image.close();
  }
  const [probability] = found.probability, {guard, threshold} = facts;
  const far = guard && distance(found.means, guard.mean, guard.precision) > guard.limit;
  const decision = far ? "refused" : probability >= threshold ? "melanoma" : "benign";
  return {...facts.answer, threshold, decision, meaning: facts.meaning[decision],
          probability: far ? null : probability};
}

// --- samples, fetched before they are asked for

async function addSample({image, diagnosis}) {
  const button = element("button", "", "sample"), picture = element("img");
  const content = fetched(`samples/${image}`).then((reply) => reply.blob());
  button.type = "button";
  picture.alt = `Sample ${image}`;
  button.append(picture);
  $("samples").append(button);
  button.addEventListener("click", () => content.then(
    (blob) => ask(blob, `${image} (CC0). Its diagnosis: ${diagnosis}.`),
    () => fail(NOT_LOADED),
  ));
  picture.src = URL.createObjectURL(await content);
}
