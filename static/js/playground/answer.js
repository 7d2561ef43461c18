// What a model says, put together from a whole answer or from the chunks of a stream.

(function (playground) {
  function begin() {
    return { role: "assistant", content: "", reasoning: "", refusal: "", calls: [], finish: null, model: null, usage: null };
  }

  // A chunk of a stream, added to what came before. Returns whether it holds any of the answer itself.
  function addChunk(answer, chunk) {
    if (chunk.model) answer.model = chunk.model;
    if (chunk.usage) answer.usage = chunk.usage;
    const choice = (chunk.choices || []).find((one) => (one.index ?? 0) === 0);
    if (!choice) return false;
    if (choice.finish_reason) answer.finish = choice.finish_reason;
    return addMessage(answer, choice.delta || {});
  }

  function addMessage(answer, message) {
    const content = textOf(message.content);
    const reasoning = message.reasoning_content ?? message.reasoning ?? "";
    if (content) answer.content += content;
    if (typeof reasoning === "string") answer.reasoning += reasoning;
    if (message.refusal) answer.refusal += message.refusal;
    for (const call of message.tool_calls || []) addCall(answer, call);
    return Boolean(content || reasoning || message.refusal || (message.tool_calls || []).length);
  }

  // Most vendors send text; parts of it are joined.
  function textOf(content) {
    if (typeof content === "string") return content;
    if (!Array.isArray(content)) return "";
    return content.map((part) => (typeof part.text === "string" ? part.text : "")).join("");
  }

  // Calls come in pieces that name their place. Without a place, an id begins another one.
  function addCall(answer, piece) {
    const index = piece.index ?? (piece.id ? answer.calls.length : Math.max(0, answer.calls.length - 1));
    const call = (answer.calls[index] ??= { id: "", name: "", arguments: "" });
    if (piece.id) call.id = piece.id;
    if (piece.function?.name) call.name += piece.function.name;
    if (piece.function?.arguments) call.arguments += piece.function.arguments;
  }

  function addWhole(answer, completion) {
    answer.model = completion.model ?? null;
    answer.usage = completion.usage ?? null;
    const choice = (completion.choices || [])[0];
    if (!choice) return;
    answer.finish = choice.finish_reason ?? null;
    addMessage(answer, choice.message || {});
  }

  // The tokens that an answer is shown with, or null when nobody said.
  function tokensOf(usage) {
    if (!usage) return null;
    return {
      input: usage.prompt_tokens ?? 0,
      cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
      output: usage.completion_tokens ?? 0,
      reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
    };
  }

  // The same out of a receipt, whose buckets never overlap.
  function tokensOfReceipt(receipt) {
    const bucket = (...names) => names.reduce((sum, name) => sum + (receipt.tokens?.[name] ?? 0), 0);
    const cached = bucket("cache_read");
    const reasoning = bucket("reasoning");
    return {
      input: bucket("input", "cache_write_5m", "cache_write_1h", "audio_input", "image_input") + cached,
      cached,
      output: bucket("output", "audio_output", "image_output") + reasoning,
      reasoning,
    };
  }

  Object.assign(playground, { beginAnswer: begin, addChunk, addWhole, tokensOf, tokensOfReceipt });
})(globalThis.playground);
