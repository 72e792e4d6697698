/* The post's image: chosen, dropped or pasted, shown small, and made fit to be sent. */
import { byId, megabytes } from "./elements.js";

const SIDES = [2048, 1024, 512];
const QUALITY = 0.9;
/* Fewer pixels than the thumbnail has look better as squares than blurred. */
const COARSE = 144;

export class Picture {
  #file = null;
  #sent = null;

  constructor(complain) {
    this.complain = complain;
    byId("file").addEventListener("change", (event) => this.#take(event.target.files));
    byId("remove").addEventListener("click", () => { this.show(null); byId("file").focus(); });
    byId("thumbnail").addEventListener("load", () => byId("thumbnail").classList.toggle("coarse", byId("thumbnail").naturalWidth < COARSE));
    byId("thumbnail").addEventListener("error", () => { if (this.#file) this.#frame("unseen"); });
    document.addEventListener("paste", (event) => {
      /* Office programs put a picture of the words beside the words. */
      if (event.clipboardData.files.length && !event.clipboardData.types.includes("text/plain")) this.#take(event.clipboardData.files);
    });
    for (const kind of ["dragover", "dragleave", "drop"]) document.addEventListener(kind, (event) => this.#dragged(event));
  }

  /* Show a file in place of what was there; null: none. */
  show(file) {
    this.#file = file;
    this.#sent = null;
    byId("file").value = "";
    URL.revokeObjectURL(byId("thumbnail").src);
    byId("thumbnail").removeAttribute("src");
    this.#frame(file ? "full" : "empty");
    byId("file-name").textContent = file ? file.name : "";
    byId("file-size").textContent = file ? megabytes(file.size) : "";
    if (file) byId("thumbnail").src = URL.createObjectURL(file);
  }

  /* The image as base64, scaled down if it has more bytes or pixels than the limits; null without one. */
  async base64(limits) {
    if (!this.#file) return null;
    if (!this.#sent) {
      const file = this.#file, fit = await fitted(file, await pixels(), limits), data = await encoded(fit);
      if (file !== this.#file) return this.base64(limits);
      this.#sent = data;
      if (fit !== file) byId("file-size").textContent = `${megabytes(file.size)}, sent as ${megabytes(fit.size)}`;
    }
    return this.#sent;
  }

  #frame(state) { byId("picture").dataset.state = state; byId("remove").hidden = state === "empty"; }

  #take(files) {
    const [file] = files;
    if (!file) return;
    /* Of some kinds of image the browser does not know that they are: the service decides. */
    if (file.type && !file.type.startsWith("image/")) this.complain(`${file.name} is no image but ${file.type}. Choose an image file.`);
    else this.show(file);
  }

  #dragged(event) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    byId("picture").classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") this.#take(event.dataTransfer.files);
  }
}

/* Of what is shown; 0 if it can't be. */
async function pixels() {
  await byId("thumbnail").decode().catch(() => null);
  return byId("thumbnail").naturalWidth * byId("thumbnail").naturalHeight;
}

/* What the service would see of it: upright, the first frame, on white. */
async function fitted(file, count, { image_bytes: limit, pixels: most }) {
  if (file.size <= limit && count <= most) return file;
  const bitmap = await createImageBitmap(file).catch(() => null);
  for (const side of bitmap ? SIDES : []) {
    const smaller = await drawn(bitmap, side);
    if (smaller.size <= limit) return smaller;
  }
  throw new Error(`${file.name} has ${megabytes(file.size)}, and the service takes ${megabytes(limit)} at most. Scale it down.`);
}

function drawn(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = Object.assign(document.createElement("canvas"), {
    width: Math.max(1, Math.round(bitmap.width * scale)),
    height: Math.max(1, Math.round(bitmap.height * scale)),
  });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

function encoded(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] || "");
    reader.onerror = () => reject(new Error("The image can't be read any more. Choose it again."));
    reader.readAsDataURL(blob);
  });
}
