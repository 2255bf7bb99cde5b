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


def test_each_function_has_names_of_its_own():
    found = read("""
    function route(text: string) {
      const model = "gpt-4o", system = "Route it.";
      return client.responses.create({ model, instructions: system, input: text });
    }
    function extract(text: string) {
      const model = "gpt-4o-mini", system = "Extract it.";
      return client.responses.create({ model, instructions: system, input: text });
    }""")
    assert [(s.model, s.prompts) for s in found] == [
        ("gpt-4o", ("Route it.",)),
        ("gpt-4o-mini", ("Extract it.",)),
    ]


def test_nothing_is_invented_of_names_that_mean_other_things():
    code = """
    import Anthropic from "@anthropic-ai/sdk";
    import { ChatOpenAI } from "@langchain/openai";
    async function ask(q: string) {
      const claude = new Anthropic(), chain = new ChatOpenAI({ model: "m" });
      await chain.invoke(q);
      return claude.messages.create({ model: "c", messages: [] });
    }
    function sms(claude: MailClient, chain: Middleware, model: tf.LayersModel) {
      claude.messages.create({ body: "Your code" });
      chain.invoke(q);
      model.batch(32);
    }
    const log = (claude, { chain }, body: Anthropic.MessageCreateParams) => {
      claude.messages.create({ body });
      chain.invoke(q);
      body.messages.create({ body });
    };
    async function text() {
      const claude = twilio(process.env.SID);
      claude.messages.create({ body: "Your code" });
      const OpenAI = () => 1;
      new OpenAI().completions.create({ input });
    }
    """
    assert [(s.function, s.method) for s in read(code)] == [
        ("ask", "invoke"),
        ("ask", "messages.create"),
    ]


def test_a_typed_name_is_a_client_whatever_it_is_set_to():
    code = """
    let ai: OpenAI | null = null;
    export const set = (given: OpenAI) => { ai = given; };
    export const reset = () => { ai = make(); };
    export const ask = () => ai!.completions.create({ model: "m", prompt: "Say hi." });
    class Service {
      constructor(private readonly ai: OpenAI, other: OpenAI) {}
      ask() { this.other.completions.create({}); return this.ai.completions.create({}); }
    }
    """
    assert [s.function for s in read(code)] == ["ask", "Service.ask"]


def test_what_is_set_under_a_condition_is_one_of_several():
    found = read("""
    let model = "gpt-4o", prompt = "Be brief.";
    let ai;
    if (azure) { ai = new AzureOpenAI(); } else { ai = client; }
    if (cheap) { model = "gpt-4o-mini"; prompt = "Be very brief."; }
    ai.responses.create({ model, input: [{ content: prompt }, ...history] });
    """)
    assert [(s.model, s.prompts) for s in found] == [(None, ("Be brief.", "Be very brief."))]


def test_a_default_import_of_a_required_module():
    code = b"""
    const One = require("openai").default;
    const all = require("openai");
    import * as sdk from "ai";
    new One().completions.create({});
    new all.OpenAI().completions.create({});
    all.toFile().completions.create({});
    sdk.generateText({ prompt: "Say hi." });
    """
    found = javascript_sites(code, "a.js", "javascript")
    assert [(s.line, s.method) for s in found] == [
        (5, "completions.create"),
        (6, "completions.create"),
        (8, "generateText"),
    ]


AGENTS = """
import { ChatOpenAI } from "@langchain/openai";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { initChatModel, createAgent } from "langchain";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { RunnableSequence } from "@langchain/core/runnables";
const llm = new ChatOpenAI({ model: "m" });
const prompt = ChatPromptTemplate.fromMessages([["system", "Rate {thing}."], ["human", "{q}"]]);
"""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("prompt.pipe(llm).pipe(parser).invoke({ q })", ("m", ("Rate {}.",), ())),
        ("RunnableSequence.from([prompt, llm, parser]).invoke({ q })", ("m", ("Rate {}.",), ())),
        ('llm.invoke([["system", "Rate it."], ["human", q]])', ("m", ("Rate it.",), ())),
        (
            'createReactAgent({ llm, tools: [{ name: "t" }], prompt: "Help." }).invoke(state)',
            ("m", ("Help.",), ("t",)),
        ),
        (
            'createAgent({ model: "openai:x", systemPrompt: "Help." }).stream(q)',
            ("openai:x", ("Help.",), ()),
        ),
        ('const ai = await initChatModel("openai:x"); ai.invoke(q)', ("openai:x", (), ())),
    ],
)
def test_chains_and_agents(code, told):
    found = javascript_sites((AGENTS + code).encode(), "a.ts", "typescript")
    assert [(s.model, s.prompts, s.tools) for s in found] == [told]


@pytest.mark.parametrize(
    "code",
    [
        "prompt.pipe(parser).invoke({ q })",
        "RunnableSequence.from([prompt, parser]).invoke({ q })",
        "Array.from([llm]).invoke(q)",
        "function createAgent() {} createAgent().invoke(q)",
        "prompt.invoke({ q })",
    ],
)
def test_what_is_no_chain_and_no_agent(code):
    assert javascript_sites((AGENTS + code).encode(), "a.ts", "typescript") == []


@pytest.mark.parametrize(
    "code",
    [
        "const c = c; c.invoke(c);",
        "var a = a.b; a.invoke(a.b); a.b = a;",
        "let a; if (b) { a = a || a; } a.invoke({ model: a.b.c, messages: [...a] });",
        "a.invoke(b.c); const a = b.x; const b = a.y;",
    ],
)
def test_names_that_stand_for_themselves(code):
    assert read(code) == []
    (site,) = read(
        code.replace("a.invoke", "client.responses.create").replace(
            "c.invoke", "client.responses.create"
        )
    )
    assert (site.model, site.prompts) == (None, ())


def test_a_text_put_together_of_itself_ends():
    def prompts(times, wide):
        code = "import OpenAI from 'openai';\nconst c = new OpenAI();\nconst p0 = 'hello';\n"
        for i in range(times):
            code += f"const p{i + 1} = `{f'${{p{i}}}' * wide}`;\n"
        code += f"c.responses.create({{model: 'm', input: p{times}}});\n"
        (site,) = javascript_sites(code.encode(), "a.js", "javascript")
        return site.prompts

    assert prompts(6, 2) == ("hello" * 64,)
    assert prompts(3, 20) == ("hello" * 8000,)
    assert prompts(8, 60) == ()
