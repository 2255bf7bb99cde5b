// One call by the Vercel AI SDK: node ask.mjs PROVIDER SCENARIO BASE_URL prints what came back.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateText, jsonSchema, Output, streamText, tool } from "ai";

const [provider, scenario, baseURL, told] = process.argv.slice(2);
const { system, user } = JSON.parse(told);
const apiKey = "k";

const models = {
  compatible: () => createOpenAICompatible({ name: "gw", baseURL, apiKey })("gpt-4o"),
  chat: () => createOpenAI({ baseURL, apiKey }).chat("gpt-4o"),
  responses: () => createOpenAI({ baseURL, apiKey }).responses("gpt-4o"),
  anthropic: () => createAnthropic({ baseURL, apiKey })("claude-sonnet-4-5"),
};
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const label = { type: "object", properties: { label: { type: "string" } }, required: ["label"], additionalProperties: false };
const tools = { book: tool({ description: "Book a trip.", inputSchema: jsonSchema(city) }) };
const asked = { model: models[provider](), system, prompt: user, maxRetries: 0 };

const scenarios = {
  text: async () => (await generateText(asked)).text,
  stream: async () => {
    let text = "";
    let failure = null;
    const result = streamText({ ...asked, onError: ({ error }) => { failure = error; } });
    for await (const part of result.textStream) text += part;
    if (failure) throw failure;
    return text;
  },
  tool: async () => {
    const [call] = (await generateText({ ...asked, tools })).toolCalls;
    return { name: call.toolName, input: call.input };
  },
  tool_stream: async () => {
    const [call] = await streamText({ ...asked, tools }).toolCalls;
    return { name: call.toolName, input: call.input };
  },
  parsed: async () => (await generateText({ ...asked, output: Output.object({ schema: jsonSchema(label) }) })).output,
  embed: async () => {
    const model = createOpenAICompatible({ name: "gw", baseURL, apiKey }).textEmbeddingModel("e");
    return (await embed({ model, value: "x" })).embedding;
  },
};

try {
  console.log(JSON.stringify({ said: await scenarios[scenario]() }));
} catch (error) {
  const cause = error.lastError ?? error;
  console.log(JSON.stringify({ error: cause.statusCode ?? 0, message: String(cause.message ?? cause) }));
}
