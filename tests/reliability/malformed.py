"""Request bodies that are wrong, too deep, too large or meant to keep a reader busy (S-11)."""

import json

Z = "Z" * 1000
"""What must not be echoed at length."""


def base(dialect):
    """Return a sound body of a dialect."""
    turns = [{"role": "user", "content": "hello"}]
    if dialect == "responses":
        return {"model": "gpt-4o", "input": "hello"}
    return {"model": "gpt-4o", "messages": turns} | (
        {"max_tokens": 9} if dialect == "messages" else {}
    )


def nested(depth, opening="[", closing="]"):
    return opening * depth + closing * depth


def schema_of(schema):
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    tool = {"type": "function", "function": {"name": "x", "parameters": schema}}
    claude = {"name": "x", "input_schema": schema}
    return {"response_format": form, "tools": [tool, claude], "text": {"format": form}}


def _deep_schema(depth):
    found = {}
    for _ in range(depth):
        found = {"type": "object", "properties": {"a": found}}
    return found


CYCLE = {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
FIELDS = {
    "n of 10^9": {"n": 10**9},
    "best_of": {"best_of": 10**9, "n": 10**9},
    "no tokens at all": {"max_tokens": -1, "max_output_tokens": -(10**18)},
    "tokens beyond all": {"max_tokens": 10**30, "max_completion_tokens": 10**400},
    "temperature": {"temperature": 1e308, "top_p": -5, "frequency_penalty": "x"},
    "stop of 1 MB": {"stop": "Z" * 2**20},
    "a million stops": {"stop": ["Z"] * 300_000},
    "cycle of references": schema_of(CYCLE),
    "reference to itself": schema_of({"$ref": "#"}),
    "reference elsewhere": schema_of({"$ref": "http://169.254.169.254/latest/meta-data"}),
    "reference to a file": schema_of({"$ref": "file:///etc/passwd"}),
    "hostile pattern": schema_of({"type": "string", "pattern": "^(a+)+$"}),
    "pattern that is none": schema_of({"type": "string", "pattern": "(((("}),
    "pattern of counts": schema_of({"pattern": "((a{1,1000}){1,1000}){1,1000}"}),
    "schema 500 deep": schema_of(_deep_schema(200)),
    "schema of nothing": schema_of(None),
    "schema of a list": schema_of([1, 2]),
    "enum of 100,000": schema_of({"enum": list(range(100_000))}),
    "template": {"user": "{{7*7}}${7*7}%n%s<%= 7*7 %>"},
    "metadata of 10,000": {"metadata": {f"k{n}": "v" for n in range(10_000)}},
    "metadata of Z": {"metadata": {Z: Z}, "user": Z, "service_tier": Z},
    "model of Z": {"model": Z},
    "own model of Z": {"model": f"stepdown/{Z}"},
    "roles": {"messages": [{"role": Z, "content": Z}], "input": [{"role": Z, "content": Z}]},
    "no messages": {"messages": [], "input": []},
    "messages of null": {"messages": [None], "input": [None]},
    "100,000 messages": {"messages": [{"role": "user", "content": "x"}] * 60_000},
    "parts of other kinds": {
        "messages": [{"role": "user", "content": [{"type": Z, Z: Z}, 1, None, "x", []]}],
        "input": [{"type": Z}, 7, None],
    },
    "tool calls that are none": {
        "messages": [{"role": "assistant", "tool_calls": [{"function": Z}, 1, {"id": {}}]}]
    },
    "system of numbers": {"system": 5, "instructions": {"a": 1}},
    "documents that are none": {
        "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": Z}}]}]
    },
    "pdf that is none": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file": {
                            "file_data": "data:application/pdf;base64,JVBERi0xLjcK" + "A" * 4000
                        },
                    }
                ],
            }
        ]
    },
    "stream of a string": {"stream": "yes", "stream_options": 5},
    "logit_bias": {"logit_bias": {str(n): 100 for n in range(20_000)}},
    "10^5 tools": {"tools": [{"type": "function", "function": {"name": "f"}}] * 60_000},
    "tools of other kinds": {"tools": [{"type": Z, "name": Z}, 5, None], "tool_choice": {Z: Z}},
    "previous": {"previous_response_id": Z, "conversation": Z, "store": Z, "background": True},
}


def raw_bodies(dialect):
    """Return bodies that are no JSON, or JSON that no encoder makes."""
    sound = json.dumps(base(dialect))
    with_a = sound[:-1] + ', "a": '
    found = {
        f"{name} {depth} deep": with_a + nested(depth, opening, closing) + "}"
        for depth in (65, 500, 1025, 2000, 50_000, 200_000)
        for name, opening, closing in (("list", "[", "]"), ("object", '{"a":', "}"))
    }
    found |= {f"open {depth} deep": nested(depth, "[", "") for depth in (1000, 200_000)}
    found |= {
        "huge integer": with_a + "9" * 100_000 + "}",
        "huge float": with_a + "1e" + "9" * 1000 + "}",
        "long float": with_a + "0." + "1" * 100_000 + "}",
        "NaN": with_a + "NaN}",
        "Infinity": with_a + "-Infinity}",
        "keys twice": '{"model": "a", "messages": 1, ' + sound[1:],
        "model twice": '{"model": "stepdown/intents", ' + sound[1:],
        "lone surrogate": with_a + '"\\ud800"}',
        "surrogate in the text": sound.replace("hello", "\\udfff\\ud83d"),
        "NUL in the text": sound.replace("hello", "\\u0000"),
        "control letters": sound.replace("hello", "a\x01b"),
        "single quotes": sound.replace('"', "'"),
        "comment": "/* x */" + sound,
        "two values": sound + sound,
        "trailing comma": sound[:-1] + ",}",
        "byte order mark": "\ufeff" + sound,
        "nothing": "",
        "space": " " * 100_000,
        "a word": "Z" * 1000,
        "null": "null",
        "a string of Z": json.dumps(Z),
        "a list": f"[{sound}]",
        "escapes": '"' + "\\u005a" * 100_000 + '"',
    }
    raw = {name: text.encode("utf-8", "surrogatepass") for name, text in found.items()}
    raw["not UTF-8"] = sound.encode().replace(b"hello", b"\xff\xfe\x80")
    raw["UTF-16"] = sound.encode("utf-16")
    raw["UTF-32"] = sound.encode("utf-32")
    raw["overlong"] = sound.encode().replace(b"hello", b"\xc0\xaf\xed\xa0\x80")
    for name, fields in FIELDS.items():
        raw[name] = json.dumps(base(dialect) | fields).encode()
    return raw
