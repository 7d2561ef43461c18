// The body of a request, out of the conversation and the settings. It is what is sent, and what "view code" shows.
//
// A conversation is a list of turns. A message is what a person wrote: {kind: "message", role, text, pictures}. An answer
// is {kind: "answer", sides: [steps, steps]}: what each of the models said to the same prompt. Its steps are assistant
// messages and, between them, the results of tools: {role: "tool", id, name, content}.

(function (playground) {
  // Throws an Error whose message names the setting, and has its name in `setting`.
  function buildBody({ model, capabilities = {}, settings, turns, side = 0, upTo = turns.length }) {
    const messages = messagesOf(settings.system, turns.slice(0, upTo), side);
    const body = { model, messages };
    addSampling(body, settings, capabilities);
    addFormat(body, settings, capabilities);
    addTools(body, settings, capabilities);
    if (settings.stream) {
      body.stream = true;
      body.stream_options = { include_usage: true };
    }
    return body;
  }

  function messagesOf(system, turns, side) {
    const messages = system.trim() ? [{ role: "system", content: system }] : [];
    for (const turn of turns) {
      if (turn.kind === "message") messages.push(messageOf(turn));
      else messages.push(...stepsOf(turn, side).flatMap(stepOf));
    }
    return messages;
  }

  // What this model said, or the other one where this one was not asked.
  function stepsOf(turn, side) {
    return turn.sides[side] ?? turn.sides.find(Boolean) ?? [];
  }

  function messageOf(turn) {
    const pictures = (turn.pictures || []).filter((picture) => picture.url);
    if (!pictures.length) return { role: turn.role, content: turn.text };
    const parts = pictures.map((picture) => ({ type: "image_url", image_url: { url: picture.url } }));
    return { role: turn.role, content: turn.text ? [{ type: "text", text: turn.text }, ...parts] : parts };
  }

  // One message; none of an answer that failed before it said anything.
  function stepOf(step) {
    if (step.role === "tool") return [{ role: "tool", tool_call_id: step.id, content: step.content }];
    const said = step.content || step.refusal || "";
    const calls = step.calls || [];
    if (!said && !calls.length) return [];
    const message = { role: "assistant", content: said || null };
    if (calls.length) {
      message.tool_calls = calls.map((call) => ({
        id: call.id, type: "function", function: { name: call.name, arguments: call.arguments || "{}" },
      }));
    }
    return [message];
  }

  function addSampling(body, settings, capabilities) {
    for (const name of ["temperature", "top_p", "max_completion_tokens", "seed"]) {
      const text = String(settings[name] ?? "").trim();
      const wrong = playground.complaint(name, text);
      if (wrong) throw wrongSetting(name, wrong);
      const sampling = name === "temperature" || name === "top_p";
      if (text !== "" && (!sampling || playground.takes(capabilities, "sampling"))) body[name] = Number(text);
    }
    const effort = settings.reasoning_effort;
    if (effort && playground.effortsOf(capabilities).includes(effort)) body.reasoning_effort = effort;
    const stops = playground.stopsOf(settings.stop ?? "");
    if (stops.length > playground.MOST_STOPS) {
      throw wrongSetting("stop", `Stop sequences may be ${playground.MOST_STOPS}, and these are ${stops.length}.`);
    }
    if (stops.length && playground.takes(capabilities, "stop")) body.stop = stops;
  }

  function addFormat(body, settings, capabilities) {
    if (!settings.format || !playground.takes(capabilities, settings.format)) return;
    if (settings.format === "json_schema") {
      const schema = settle("schema", () => playground.readSchema(settings.schema ?? ""));
      body.response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema } };
    } else {
      body.response_format = { type: settings.format };
    }
  }

  function addTools(body, settings, capabilities) {
    const tools = settle("tools", () => playground.readTools(settings.tools ?? ""));
    if (!tools.length || !playground.takes(capabilities, "tools")) return;
    body.tools = tools;
    const choice = settings.tool_choice;
    if (choice && (choice !== "required" || playground.takes(capabilities, "forced_tool_choice"))) body.tool_choice = choice;
  }

  function settle(name, read) {
    try {
      return read();
    } catch (error) {
      throw wrongSetting(name, error.message);
    }
  }

  function wrongSetting(name, message) {
    return Object.assign(new Error(message), { setting: name });
  }

  // What was set and is left out, because this model is known not to take it: labels.
  function leftOut(settings, capabilities) {
    const set = (name) => String(settings[name] ?? "").trim() !== "";
    const found = [];
    for (const name of ["temperature", "top_p"]) if (set(name) && !playground.takes(capabilities, "sampling")) found.push(name);
    if (set("stop") && !playground.takes(capabilities, "stop")) found.push("stop");
    const effort = settings.reasoning_effort;
    if (effort && !playground.effortsOf(capabilities).includes(effort)) found.push("reasoning_effort");
    if (settings.format && !playground.takes(capabilities, settings.format)) found.push("format");
    if (set("tools") && !playground.takes(capabilities, "tools")) found.push("tools");
    return found.map((name) => playground.LABELS[name]);
  }

  Object.assign(playground, { buildBody, leftOut });
})(globalThis.playground);
