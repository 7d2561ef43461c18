// Images of a message: from files, dropped or pasted, as data URLs; or by their address, which the page does not fetch.

(function (playground) {
  const { make } = playground;
  const MOST = 5 * 1024 * 1024; // of one file
  const TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

  // What is wrong with a file, as a sentence; empty when nothing is.
  function complaintOf(file) {
    if (!TYPES.includes(file.type)) return `${file.name || "This"} is no PNG, JPEG, GIF or WebP image.`;
    if (file.size > MOST) return `${file.name || "This image"} has ${(file.size / 1048576).toFixed(1)} MiB. At most ${MOST / 1048576} are taken: make it smaller.`;
    return "";
  }

  function read(file) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve({ name: file.name || "Pasted image", url: reader.result });
      reader.onerror = () => reject(new Error(`${file.name || "The image"} could not be read.`));
      reader.readAsDataURL(file);
    });
  }

  function isAddress(text) {
    return /^https?:\/\/\S+\.\S+$/i.test(text);
  }

  // A list of pictures; with `remove`, each can be taken out.
  function draw(pictures, remove) {
    return pictures.map((picture, place) => make("li", {}, shown(picture),
      make("span", { className: "picture-name" }, picture.lost ? `${picture.name}: too large to keep, attach it again` : picture.name),
      remove && playground.button(playground.icon("x"), () => remove(place), { kind: "quiet small icon-only", attributes: { "aria-label": `Remove ${picture.name}` } }),
    ));
  }

  function shown(picture) {
    if (picture.url.startsWith("data:image/")) return make("img", { src: picture.url, alt: picture.name });
    return playground.icon("image");
  }

  // Images that come with a paste or a drop; empty for anything else.
  function filesOf(transfer) {
    return [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/"));
  }

  Object.assign(playground, { pictureComplaint: complaintOf, readPicture: read, isAddress, drawPictures: draw, picturesIn: filesOf });
})(globalThis.playground);
