// Passkeys: a form with data-passkey asks the browser for one, then sends itself with what the browser answered.
// Without a browser that has them, forms that only take passkeys stay hidden.

(() => {
  const supported = Boolean(window.PublicKeyCredential) && window.isSecureContext;
  const named = !/^[\d.]+$|^\[/.test(location.hostname);

  async function options(form) {
    if (form.dataset.passkey !== "sign-in") return JSON.parse(document.getElementById("passkey-options").textContent);
    const response = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error("The server does not answer. Try again in a minute.");
    return (await response.json()).request_options;
  }

  function withChoice(form, asked) {
    const alone = form.elements.passwordless.checked;
    const selection = asked.publicKey.authenticatorSelection;
    selection.residentKey = alone ? "required" : "discouraged";
    selection.requireResidentKey = alone;
    if (alone) selection.userVerification = "required";
    return asked;
  }

  function words(error) {
    if (error.name === "InvalidStateError") return "This device holds a passkey of yours for this site already.";
    if (error.name === "NotAllowedError") return "No passkey was chosen. Try again, or use another way.";
    if (error.name === "SecurityError") return "Browsers keep passkeys for sites with a name and https, or localhost.";
    return error.message;
  }

  async function ask(form) {
    const problem = form.querySelector(".error[role='alert'][hidden], .error[role='alert']");
    problem.hidden = true;
    form.setAttribute("aria-busy", "true");
    try {
      const asked = await options(form);
      const credential =
        form.dataset.passkey === "add" ? await webauthnJSON.create(withChoice(form, asked)) : await webauthnJSON.get(asked);
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      problem.textContent = words(error);
      problem.hidden = false;
    } finally {
      form.removeAttribute("aria-busy");
    }
  }

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!supported || !named) continue;
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask(form);
    });
  }
  const impossible = document.querySelector("[data-passkey-impossible]");
  if (impossible && !(supported && named)) {
    impossible.hidden = false;
    for (const button of document.querySelectorAll("form[data-passkey='add'] button")) button.disabled = true;
  }
})();
