// The pages about keys: what is chosen in the list, the dialog that asks before the end, and a secret that is shown once.

function chosen(form) {
  return [...form.querySelectorAll('input[name="key"]')];
}

function count(form) {
  const boxes = chosen(form);
  const number = boxes.filter((box) => box.checked).length;
  const bar = form.querySelector("[data-selection]");
  if (!bar) return;
  bar.hidden = number === 0;
  bar.querySelector("[data-selection-count]").textContent = `${number} chosen`;
  bar.querySelector("[data-selection-button]").textContent = number === 1 ? "Revoke 1 key" : `Revoke ${number} keys`;
  const all = form.querySelector("[data-selects-all]");
  if (!all) return;
  all.hidden = false;
  all.checked = number > 0 && number === boxes.length;
  all.indeterminate = number > 0 && number < boxes.length;
}

function begin() {
  for (const form of document.querySelectorAll("form[data-selects]")) count(form);
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-selects]");
  if (!form) return;
  if (event.target.matches("[data-selects-all]")) {
    for (const box of chosen(form)) box.checked = event.target.checked;
  }
  count(form);
});

// What was asked for is in the dialog now: show it. A page that came instead of it is gone to.
document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = event.detail.target;
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
});

// A form whose answer is shown once is sent once.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-once-sent]");
  if (!form) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-busy", "true");
});

// Browsers keep pages to go back to, also some that are not to be stored: the secret is not in what they keep.
addEventListener("pagehide", () => {
  for (const form of document.querySelectorAll("form[data-once-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-busy");
  }
  for (const part of document.querySelectorAll("[data-shown-once]")) part.remove();
  for (const notice of document.querySelectorAll("[data-shown-before]")) notice.hidden = false;
});

document.addEventListener("htmx:load", begin);
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
