"""A shuffled mix of every data set behind three prompt templates each, with the truth beside it.

Every template is drawn: an instruction of that set, a layout (what stands in the system prompt,
what in the user message, where the text goes) and trimmings that vary from call to call (dates,
names, ids). Sometimes two of the three templates of a set are twins that differ in one instruction.
"""

import itertools
import random
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from stepdown.cli.sets import read_set
from stepdown.core.calls import Answer, Call, Message, Request, Tool, Toolset
from stepdown.core.fingerprint import fingerprint

__all__ = ["mix"]

Slots = dict[str, str]

INSTRUCTIONS: dict[str, tuple[str, ...]] = {
    "banking77": (
        "Classify the customer's question into one of the bank's intents.",
        "Which of our 77 intents does this banking question belong to? Reply with the intent only.",
        "Route the ticket to the right queue and answer with the queue's name.",
        "You label support messages of a retail bank",
    ),
    "clinc150": (
        "Name the intent of this request to a voice assistant, or oos when none fits.",
        "Decide what the speaker wants. Answer with a single snake_case label.",
        "Intent detection for an in-car assistant; out-of-scope requests get the label oos.",
        "Pick the skill that should handle the utterance",
    ),
    "sms_spam": (
        "Is the following text message spam or ham?",
        "You filter SMS for a phone company. Answer spam or ham, nothing else.",
        "Tell unwanted advertising from private messages.",
        "Moderate the message below and give your verdict as one word",
    ),
    "cuad/clauses": (
        "Say which type of contract clause this is.",
        "You are a paralegal. Label the clause with one of 38 clause types.",
        "Legal review: find the category of the provision quoted here.",
        "Read the clause and name its type in title case",
    ),
    "cuad/contracts": (
        "Extract the parties, the agreement date and the governing law as JSON.",
        "Read the whole contract and fill in the fields document_name, parties and effective_date.",
        "When does this agreement expire, and how is it renewed? Return JSON with ISO dates.",
        "Summarise the key terms of the agreement as a JSON object",
    ),
    "sroie": (
        "Extract company, date, address and total from the receipt. Answer in JSON.",
        "You read OCR output of shop receipts and return their total.",
        "From the scanned bill, give vendor, day of purchase and amount due.",
        "Parse the expense document into the fields of our bookkeeping system",
    ),
    "dstc8_spans": (
        "Find the slots that the user fills in this turn.",
        "Copy every city, date and number of people out of the utterance, as JSON.",
        "You are the slot filler of a booking assistant. Return null for slots not mentioned.",
        "List the spans of the sentence that answer the requested slots",
    ),
    "snips": (
        "Turn the utterance into a call of the home assistant's API.",
        "Which of seven intents is meant, and what are its arguments?",
        "Understand the spoken command and return intent and slots in JSON.",
        "Translate the command into the device's own command language",
    ),
    "sgd_calls": (
        "You help people to book and to find things. Call a tool when you have what it needs.",
        "Continue the dialogue with exactly one tool call.",
        "You are a booking agent; use the services that you are given.",
        "Dialogue agent with access to external services",
    ),
    "routellm_mmlu": (
        "Answer the multiple choice question with the letter of the right option.",
        "You sit an exam. Give the letter of the correct answer and no explanation.",
        "Solve the quiz question. One letter.",
        "Choose among A, B, C and D",
    ),
    "routellm_mtbench": (
        "Respond to the user as well as you can.",
        "Write a thorough answer to the task below.",
        "You are a writing coach. Do what is asked in at most two pages.",
        "Do the exercise and explain each step",
    ),
    "llmrouter_multi": (
        "Answer the question briefly.",
        "Solve the problem. Finish with the result on a line of its own.",
        "You are an expert in everything. Complete the task.",
        "Give the answer to the assignment that follows",
    ),
    "gpt4_judge_log": (
        "Perform the evaluation that is described.",
        "You grade answers for a research group. Follow the instruction exactly.",
        "Act as referee and print your rating in double brackets.",
        "Evaluate as told",
    ),
    "bfcl": (
        "Call the function that answers the question, if there is one.",
        "Use the tools. When none fits, say so.",
        "You translate wishes into function calls.",
        "Function calling assistant",
    ),
}
TWINS: tuple[tuple[str, str], ...] = (
    (" Answer in French.", " Answer in German."),
    (" Use at most 3 words.", " Use at most 5 words."),
    (" Be brief.", " Explain your reasoning step by step."),
    (" Return JSON only.", " Return YAML only."),
    ("", " If you are not sure, say unknown."),
    (" Write the label in lower case.", " Write the label in upper case."),
)
PEOPLE = [
    "Alice Johnson",
    "Bob",
    "Carlos Mendez",
    "Dana",
    "Emeka Okafor",
    "Fatima",
    "Grace Lee",
    "Hiroshi Tanaka",
    "Ingrid",
    "Jamal",
    "Katya Petrova",
    "Liam O'Brien",
    "Mei Chen",
    "Noah",
    "Olga",
    "Priya Sharma",
    "Quentin",
    "Rosa Diaz",
    "Sven",
    "Tomasz",
    "Uma",
    "Viktor",
    "Wanda",
    "Xavier",
    "Yasmin",
    "Zoe Miller",
    "Aaron Smith",
    "Bella",
    "Chen Wei",
    "Dmitri",
    "Elena Rossi",
    "Frank",
    "Giulia",
    "Hassan Ali",
    "Iris",
    "Jonas Weber",
    "Kofi",
    "Lena",
    "Marta Silva",
    "Nadia",
]
COMPANIES = [
    "Acme Corp",
    "Globex",
    "Initech",
    "Umbrella Retail",
    "Hooli",
    "Northwind Traders",
    "Stark & Sons",
    "Wayne Logistics",
    "Contoso",
    "Fabrikam",
    "Blue Harbor Bank",
    "Zenith",
]
FORMATS = (
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%B %d, %Y",
    "%A, %d %B %Y",
    "%Y-%m-%dT%H:%M:%SZ",
    "%d.%m.%Y %H:%M",
)
PREAMBLES = (
    "Today is {date}.",
    "Current date: {date}",
    "You work for {company}.",
    "You are the assistant of {company}. The date is {date}.",
    "The user is {person} (customer {id}).",
    "[request {uuid}]",
    "Agent on duty: {person}. Shift started at {date}.",
    "",
    "",
    "You are a helpful assistant.",
)
ENVELOPES = (
    "{text}",
    "{text}",
    "Text: {text}",
    "{person} wrote on {date}:\n{text}",
    'Message from {person}: "{text}"',
    "### Input\n{text}\n\n### Output\n",
    "<document id={id}>\n{text}\n</document>",
    "Ref {id}\n---\n{text}\n---\nAnswer:",
    "Content received {date}:\n\n{text}\n\nResult:",
    "User: {text}",
)
JOINS = ("\n\n", "\n", " ")


class Prompt(msgspec.Struct, frozen=True):
    """One template: the system prompt and the user message, with `{slots}` in them."""

    system: str
    user: str
    date_format: str
    people: tuple[str, ...]
    companies: tuple[str, ...]
    one_day: bool

    def fill(self, text: str, rng: random.Random) -> tuple[str, str]:
        """Return the system and user texts of one call."""
        when = datetime(2026, 3, 9) + timedelta(
            minutes=rng.randrange(1440 * (1 if self.one_day else 200))
        )
        slots = {
            "{date}": when.strftime(self.date_format),
            "{person}": rng.choice(self.people),
            "{company}": rng.choice(self.companies),
            "{id}": str(rng.randrange(10**5, 10**8)),
            "{uuid}": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        }
        system, user = self.system, self.user
        for slot, value in slots.items():
            system, user = system.replace(slot, value), user.replace(slot, value)
        return system, user.replace("{text}", text)


def _prompt(instruction: str, chatty: bool, rng: random.Random) -> Prompt:
    """Draw a layout for one instruction; `chatty` sets keep the user's turns as they are."""
    preamble, envelope, join = rng.choice(PREAMBLES), rng.choice(ENVELOPES), rng.choice(JOINS)
    layout = 0 if chatty else rng.randrange(4)
    if layout == 0:
        system, user = f"{preamble} {instruction}".strip(), "{text}" if chatty else envelope
    elif layout == 1:
        system, user = preamble, f"{instruction}{join}{envelope}"
    elif layout == 2:
        system, user = "", f"{preamble} {instruction}{join}{envelope}".strip()
    else:
        system, user = preamble, f"{envelope}{join if join != ' ' else chr(10)}{instruction}"
    return Prompt(
        system=system,
        user=user,
        date_format=rng.choice(FORMATS),
        people=tuple(rng.sample(PEOPLE, rng.choice((4, 8, 20, 40)))),
        companies=tuple(rng.sample(COMPANIES, rng.choice((3, 5, 12)))),
        one_day=rng.random() < 0.3,
    )


def _prompts(name: str, rng: random.Random) -> list[Prompt]:
    """Draw three templates of one set: three instructions, or one and a pair of twins."""
    chatty = name in ("sgd_calls", "bfcl")
    first, *others = rng.sample(INSTRUCTIONS[name], 3)
    if rng.random() < 0.4:
        twins = rng.choice(TWINS)
        base = _prompt("{instruction}", chatty, rng)
        pair = [
            msgspec.structs.replace(
                base,
                system=base.system.replace("{instruction}", others[0].rstrip(".") + "." + twin),
                user=base.user.replace("{instruction}", others[0].rstrip(".") + "." + twin),
            )
            for twin in twins
        ]
        return [_prompt(first, chatty, rng), *pair]
    return [_prompt(text, chatty, rng) for text in (first, *others)]


def _toolset(row: dict[str, Any]) -> Toolset:
    tools = tuple(
        Tool(f["name"], f.get("description", ""), f["parameters"])
        for f in sorted((t["function"] for t in row["tools"]), key=lambda f: f["name"])
    )
    return Toolset(tools, fingerprint(row["tools"]))


def _turns(row: dict[str, Any]) -> tuple[list[Message], str]:
    said = [m for m in row.get("messages", ()) if m["role"] != "system"]
    if not said:
        return [], row.get("text") or row["prompt"]
    return [Message(m["role"], m["content"]) for m in said[:-1]], said[-1]["content"]


def _call(row: dict[str, Any], prompt: Prompt, number: int, rng: random.Random) -> Call:
    history, text = _turns(row)
    system, user = prompt.fill(text, rng)
    head = [Message("system", system)] if system else []
    request = Request(
        model="gpt-4",
        messages=(*head, *history, Message("user", user)),
        tools=_toolset(row) if row.get("tools") else Toolset(),
    )
    return Call(
        id=str(number), request=request, answer=Answer(text=row.get("label")), model="gpt-4"
    )


def mix(data: Path, seed: int, most: int | None = None) -> list[tuple[Call, str]]:
    """Return every row of every set once, behind one of its set's three templates, shuffled.

    The truth is the set, the template and the exact tools. `most` keeps that many rows a set.
    """
    rng = random.Random(seed)
    made: list[tuple[Call, str]] = []
    numbers = itertools.count()
    for name in INSTRUCTIONS:
        rows = list(read_set(data, name))
        rng.shuffle(rows)
        prompts = _prompts(name, rng)
        for row in rows[:most]:
            at = rng.randrange(3)
            call = _call(row, prompts[at], next(numbers), rng)
            made.append((call, f"{name}-{at}-{call.request.tools.hash}"))
    rng.shuffle(made)
    return made
