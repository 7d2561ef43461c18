// The parameters of a request: what they begin as, what is wrong with what somebody typed, and what a model takes.

(function (playground) {
  const USUAL = {
    temperature: "", top_p: "", max_completion_tokens: "", reasoning_effort: "", seed: "", stop: "", format: "",
    tool_choice: "", stream: true,
  };
  const LABELS = {
    temperature: "Temperature", top_p: "Top p", max_completion_tokens: "Max tokens", seed: "Seed", stop: "Stop sequences",
    reasoning_effort: "Reasoning effort", tools: "Tools", format: "Response format", pictures: "Images",
  };
  const NUMBERS = {
    temperature: { least: 0, most: 2 },
    top_p: { least: 0, most: 1 },
    max_completion_tokens: { least: 1, most: Number.MAX_SAFE_INTEGER, whole: true },
    seed: { least: -Number.MAX_SAFE_INTEGER, most: Number.MAX_SAFE_INTEGER, whole: true },
  };
  const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
  const MOST_STOPS = 4;
  const NAME = /^[A-Za-z0-9_-]{1,64}$/;

  // What is wrong with a value, as a sentence; empty when nothing is.
  function complaint(name, text) {
    const bounds = NUMBERS[name];
    if (!bounds || text === "") return "";
    const value = Number(text);
    const what = bounds.whole ? "a whole number" : "a number";
    if (!Number.isFinite(value) || (bounds.whole && !Number.isInteger(value))) return `${LABELS[name]} must be ${what}.`;
    if (value < bounds.least) return `${LABELS[name]} must be at least ${bounds.least}.`;
    if (value > bounds.most) return `${LABELS[name]} must be at most ${bounds.most}.`;
    return "";
  }

  function stopsOf(text) {
    return text.split("\n").filter((line) => line !== "");
  }

  // Whether a model takes it: true when nobody has said otherwise, as the gateway has it.
  function takes(capabilities, name) {
    if (name === "sampling") return !["none", "without_reasoning"].includes(capabilities.sampling);
    if (name === "reasoning") return capabilities.reasoning !== false;
    if (name === "pictures") return capabilities.vision !== false;
    return capabilities[name] !== false;
  }

  function effortsOf(capabilities) {
    if (capabilities.reasoning === false) return [];
    return capabilities.efforts?.length ? capabilities.efforts : EFFORTS;
  }

  // Definitions of functions, out of JSON that somebody typed. Throws an Error in words for them.
  function readTools(text) {
    if (!text.trim()) return [];
    const tools = readJson(text, "Tools");
    if (!Array.isArray(tools)) throw new Error("Tools must be a JSON list: begin with [ and end with ].");
    tools.forEach((tool, place) => {
      const where = `Tool ${place + 1}`;
      if (tool?.type !== "function") throw new Error(`${where} must have "type": "function".`);
      if (!tool.function || typeof tool.function !== "object") throw new Error(`${where} must have a "function" with its name.`);
      if (!NAME.test(tool.function.name ?? "")) {
        throw new Error(`${where} needs a "name" of letters, digits, _ and -, with at most 64 of them.`);
      }
      const parameters = tool.function.parameters;
      if (parameters !== undefined && (parameters === null || typeof parameters !== "object" || Array.isArray(parameters))) {
        throw new Error(`The "parameters" of ${tool.function.name} must be a JSON schema: an object.`);
      }
    });
    return tools;
  }

  function readSchema(text) {
    if (!text.trim()) throw new Error("Write the JSON schema that the answer is to follow, or choose another form.");
    const schema = readJson(text, "The JSON schema");
    if (schema === null || typeof schema !== "object" || Array.isArray(schema)) throw new Error("The JSON schema must be an object.");
    return schema;
  }

  // Browsers word these errors each in its way; where it is, people are told in one.
  function readJson(text, what) {
    try {
      return JSON.parse(text);
    } catch (error) {
      const at = /position (\d+)/.exec(error.message);
      const line = at ? text.slice(0, Number(at[1])).split("\n").length : null;
      throw new Error(`${what} cannot be read as JSON${line ? `: look at line ${line}` : ""}. (${error.message})`);
    }
  }

  Object.assign(playground, { USUAL, LABELS, complaint, stopsOf, takes, effortsOf, readTools, readSchema, MOST_STOPS });
})(globalThis.playground);
