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
