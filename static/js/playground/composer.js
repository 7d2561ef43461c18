// Where the next message is written: its text, its role and its images.

(function (playground) {
  // `models` are those that it will go to; `send` and `only` are what its buttons do.
  function makeComposer(root, { models, send, only }) {
    const part = (name) => root.querySelector(`[data-${name}]`);
    const form = part("composer");
    const text = part("composer-text");
    const role = part("composer-role");
    const error = part("composer-error");
    const dialog = document.getElementById("playground-address");
    let pictures = [];

    function complain(message, { focus = true } = {}) {
      error.textContent = message;
      error.hidden = !message;
      if (message && focus) text.focus();
    }

    function attach(found) {
      pictures = [...pictures, ...found];
      drawPictures();
    }

    function drawPictures() {
      const list = part("composer-pictures");
      list.hidden = !pictures.length;
      list.replaceChildren(...playground.drawPictures(pictures, (place) => {
        pictures = pictures.filter((_, other) => other !== place);
        drawPictures();
        text.focus();
      }));
    }

    // Why the chosen models cannot be sent an image; empty when one of them can.
    function unseeing(word) {
      const chosen = models();
      const able = chosen.filter((choice) => playground.takes(choice.capabilities, "pictures") && (!word || choice.capabilities[word] !== false));
      if (able.length === chosen.length) return "";
      const names = chosen.filter((choice) => !able.includes(choice)).map((choice) => choice.id).join(" and ");
      return word && able.length === 0 && chosen.every((choice) => playground.takes(choice.capabilities, "pictures"))
        ? `${names} fetches no images by their address. Add the image as a file.`
        : `${names} takes no such images. Choose another model first.`;
    }

    async function attachFiles(files) {
      const wrong = unseeing("") || files.map(playground.pictureComplaint).find(Boolean);
      complain(wrong ?? "");
      if (wrong) return;
      try {
        attach(await Promise.all(files.map(playground.readPicture)));
      } catch (failed) {
        complain(failed.message);
      }
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send();
    });
    text.addEventListener("input", () => complain(""));
    text.addEventListener("paste", (event) => {
      const files = playground.picturesIn(event.clipboardData);
      if (!files.length) return;
      event.preventDefault();
      attachFiles(files);
    });
    form.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      form.classList.add("dropping");
    });
    form.addEventListener("dragleave", () => form.classList.remove("dropping"));
    form.addEventListener("drop", (event) => {
      form.classList.remove("dropping");
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      attachFiles([...event.dataTransfer.files]);
    });
    part("picture-add").addEventListener("click", () => part("picture-file").click());
    part("picture-file").addEventListener("change", async (event) => {
      await attachFiles([...event.target.files]);
      event.target.value = "";
    });
    part("add-only").addEventListener("click", only);
    part("picture-address").addEventListener("click", () => dialog.showModal());

    const address = dialog.querySelector("[data-picture-url]");
    const wrong = dialog.querySelector("[data-picture-url-error]");
    function attachAddress() {
      const url = address.value.trim();
      const why = playground.isAddress(url) ? unseeing("image_urls") : "Write a whole address, such as https://example.com/chart.png.";
      wrong.textContent = why;
      wrong.hidden = !why;
      if (why) return;
      attach([{ name: url, url }]);
      address.value = "";
      dialog.close();
      text.focus();
    }
    dialog.querySelector("[data-picture-url-add]").addEventListener("click", attachAddress);
    address.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      attachAddress();
    });

    return {
      complain,
      focus: () => text.focus(),
      isEmpty: () => !text.value.trim() && !pictures.length,
      look: () => ({ kind: "message", role: role.value, text: text.value, pictures }),
      // What was written, as a turn; the next one begins empty.
      take() {
        const turn = this.look();
        text.value = "";
        pictures = [];
        drawPictures();
        complain("");
        return turn;
      },
      busy(running) {
        part("stop").hidden = !running;
        part("stop-note").hidden = !running;
        part("send").hidden = running;
      },
    };
  }

  Object.assign(playground, { makeComposer });
})(globalThis.playground);
