"""Call sites in JavaScript and TypeScript."""

import pytest

from stepdown.scan.javascript import javascript_sites

pytest.importorskip("tree_sitter_typescript")

CODE = """
import OpenAI from "openai";
import Anthropic from '@anthropic-ai/sdk';
import { generateText as gen } from 'ai';
import { openai } from '@ai-sdk/openai';
import { ChatOpenAI } from "@langchain/openai";
const twilio = require("twilio")();
const client = new OpenAI();
const SYSTEM = `Be brief with ${name}.`;
class Router {
  private claude = new Anthropic();
  constructor(private readonly oa: OpenAI) {}
  async route(text: string) {
    await this.claude.messages.create({
      model: "claude-x", max_tokens: 5, messages: [{ role: "user", content: "Ticket: " + text }] });
    return this.oa.responses.create({ model: "m", input: "hi there" });
  }
}
export const label = async (text: string) => {
  await client.chat.completions.create({
    model: "gpt-4o",
    messages: [{role: "system", content: SYSTEM}, { role: "user", content: text }],
    tools: [{type: "function", function: {name: "f", parameters: {}}}] });
  await gen({ model: openai("gpt-4o"), prompt: 'hi\\nyou' });
  twilio.messages.create({ to: "1", body: "x" });
  client.embeddings.create({ model: "m", input: "x" });
};
const llm = new ChatOpenAI({ model: "gpt-4o-mini" });
await llm.invoke("Say hi to them");
"""


def test_typescript():
    found = javascript_sites(CODE.encode(), "app.ts", "typescript")
    told = [(s.library, s.method, s.function, s.model, s.prompts, s.tools) for s in found]
    assert told == [
        ("anthropic", "messages.create", "Router.route", "claude-x", ("Ticket: {}",), ()),
        ("openai", "responses.create", "Router.route", "m", ("hi there",), ()),
        ("openai", "chat.completions.create", "label", "gpt-4o", ("Be brief with {}.",), ("f",)),
        ("ai", "generateText", "label", "gpt-4o", ("hi\nyou",), ()),
        ("langchain", "invoke", "", "gpt-4o-mini", ("Say hi to them",), ()),
    ]


def test_commonjs_and_a_receiver_that_nobody_can_tell():
    code = b"""
    const { OpenAI } = require("openai");
    const ai = new OpenAI();
    function f(c) {
      ai.chat.completions.create({ model, messages });
      c.chat.completions.create({ model: "m", messages: [] });
      c.messages.create({ body: "x" });
    }
    """
    found = javascript_sites(code, "app.js", "javascript")
    assert [(site.function, site.model) for site in found] == [("f", None), ("f", "m")]


@pytest.mark.parametrize("code", [b"", b"const = ;;; {{{", b"\xff\xfe", b"a." * 3000 + b"b()"])
def test_whatever_stands_in_a_file(code):
    assert javascript_sites(code, "x.tsx", "tsx") == []


def read(code, grammar="typescript"):
    head = 'import OpenAI from "openai";\nconst client = new OpenAI();\n'
    return javascript_sites((head + code).encode(), "a.ts", grammar)


def test_texts_in_parts_shorthand_and_types():
    parts = read("""
    const messages = [{ role: "system", content: [{ type: "text", text: "Route it." }] }];
    const model = "gpt-4o";
    client.chat.completions.create({ model, messages });
    client.chat.completions.create({ model: "m", messages: messages as Message[] } as any);
    client.chat.completions.create(<any>{ model: "m", messages: messages! } satisfies Body);
    """)
    assert [(s.model, s.prompts) for s in parts] == [
        ("gpt-4o", ("Route it.",)),
        ("m", ("Route it.",)),
        ("m", ("Route it.",)),
    ]
    gemini = javascript_sites(
        b"""ai.models.generateContent({ model: "g", contents: [{ role: "user", parts: [
        { text: "Sum it up." }, { text }] }], config: { systemInstruction: "Be terse." } });""",
        "a.js",
        "javascript",
    )
    assert gemini[0].prompts == ("Sum it up.", "Be terse.")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ('process.env.MODEL || "gpt-4o"', "gpt-4o"),
        ('(options.model ?? "gpt-4o")', "gpt-4o"),
        ('a || (b ?? "c")', "c"),
        ("process.env.MODEL || other", None),
        ('"gpt-" + version', "gpt-{}"),
        ('"gpt-" + (version || "4")', "gpt-{}"),
        ('fast && "gpt-4o"', None),
        ('n - "1"', None),
    ],
)
def test_a_default_is_no_concatenation(model, told):
    (site,) = read(f'client.responses.create({{ model: {model}, input: `Hi ${{name || "you"}}` }})')
    assert (site.model, site.prompts) == (told, ("Hi {}",))


def test_clients_made_of_clients_in_the_order_of_the_file():
    code = """
    import { ChatOpenAI } from "@langchain/openai";
    const llm = new ChatOpenAI({ model: "m" });
    const strict = llm.withStructuredOutput(schema);
    const chain = prompt.pipe(strict);
    const other = prompt.pipe(parser);
    chain.invoke({ x });
    other.invoke({ x });
    """
    assert [(s.method, s.model) for s in read(code)] == [("invoke", "m")]
