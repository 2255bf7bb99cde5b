"""Grouping a stream of calls: one task a template, whatever its dates, names and ids."""

from collections import defaultdict

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.audit.prompts import WORDS, calls_of

from stepdown.audit import grouping
from stepdown.audit.grouping import Grouper
from stepdown.core.calls import Answer, Call, Message, OutputFormat, Request, Toolset
from stepdown.core.tasks import texts

LAYOUTS = [
    ("You sort the mail of a shop. Today is {date}.", "{text}"),
    ("", "Classify the following message of {name}:\n\n{text}\n\nLabel:"),
    (
        "You are an assistant. Agent on duty: {name}.",
        "Translate the text below. Ref {id}\n---\n{text}",
    ),
    ("Extract the order number as JSON and nothing else.", "Customer: {text}"),
]


def grouped(calls):
    grouper = Grouper()
    found = {}
    for call in calls:
        found.update((done.id, number) for done, number in grouper.add(call))
    found.update((done.id, number) for done, number in grouper.finish())
    merged = grouper.merged()
    for name, number in found.items():
        while number in merged:
            number = merged[number]
        found[name] = number
    return found, grouper


def partition(found):
    sets = defaultdict(set)
    for name, number in found.items():
        sets[number].add(name)
    return {frozenset(members) for members in sets.values()}


def test_one_task_a_template():
    made = calls_of(LAYOUTS, 120)
    found, _ = grouped([call for call, _ in made])
    truth = partition({call.id: number for call, number in made})
    assert partition(found) == truth


def test_the_order_of_the_log_does_not_matter():
    made = [call for call, _ in calls_of(LAYOUTS, 80)]
    one, first = grouped(made)
    other, second = grouped(made[::-1])
    assert partition(one) == partition(other)
    assert set(first.groups().values()) == set(second.groups().values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Answer in French.", "Answer in German."),
        ("Use at most 3 words.", "Use at most 5 words."),
        ("Be brief.", "Explain your reasoning step by step."),
    ],
)
def test_prompts_that_differ_in_one_instruction_are_two(one, other):
    base = "You help the customers of a furniture shop with their orders. "
    made = calls_of([(base + one, "{text}"), (base + other, "{text}")], 100)
    found, _ = grouped([call for call, _ in made])
    assert partition(found) == partition({call.id: number for call, number in made})


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "Sort the mail.", "Today is {date}. You serve {name}."]),
            st.sampled_from(["{text}", "Say why: {text}", "{text}\n\nAnswer in one word."]),
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(2, 60),
    st.integers(0, 5),
)
def test_every_call_fits_the_signature_of_its_group(layouts, each, seed):
    calls = [call for call, _ in calls_of(layouts, each, seed)]
    found, grouper = grouped(calls)
    signatures = grouper.groups()
    assert len(found) == len({call.id for call in calls})
    for call in calls:
        assert signatures[found[call.id]].match(*texts(call.request)) is not None


def test_the_whole_free_text_is_in_the_hole():
    made = calls_of([("", "Classify the following message of {name}:\n\n{text}\n\nLabel:")], 150)
    _, grouper = grouped([call for call, _ in made])
    (signature,) = grouper.groups().values()
    said = "Classify the following message of Zoe:\n\nnever seen before words?\n\nLabel:"
    found = signature.match("", "", said)
    assert found is not None
    assert found[-1].text == "never seen before words?"


def test_tools_and_hints_are_exact():
    def call(name, **fields):
        hint = fields.pop("hint", None)
        request = Request("m", (Message("user", f"text {name}"),), **fields)
        return Call(name, request, Answer("x"), "m", task=hint)

    calls = [call(f"a{n}") for n in range(30)]
    calls += [call(f"b{n}", tools=Toolset(hash="t")) for n in range(30)]
    calls += [call(f"c{n}", hint="mine") for n in range(30)]
    found, grouper = grouped(calls)
    groups = partition({name: number for name, number in found.items()})
    assert groups == {frozenset(f"{k}{n}" for n in range(30)) for k in "abc"}
    assert {grouper.hint_of(number) for number in set(found.values())} == {None, "mine"}


def chat(name, turns, system="Label the message."):
    messages = (Message("system", system), *(Message(role, text) for role, text in turns))
    return Call(name, Request("m", messages), Answer("x"), "m")


def test_constant_examples_tell_tasks_apart():
    examples = (
        [("user", "My card was stolen"), ("assistant", "lost_card")],
        [("user", "I want my money back"), ("assistant", "refund")],
    )
    calls = [
        chat(f"{n % 2}-{n}", [*examples[n % 2], ("user", f"{WORDS[n % 40]} {WORDS[n % 7]}")])
        for n in range(120)
    ]
    found, _ = grouped(calls)
    assert partition(found) == partition({call.id: call.id[0] for call in calls})


def test_conversations_of_any_length_are_one_task():
    calls = []
    for n in range(150):
        turns = [
            ("user" if at % 2 == 0 else "assistant", f"{WORDS[(n * 7 + at) % 41]} {n}")
            for at in range(2 * (n % 4) + 1)
        ]
        calls.append(chat(f"c{n}", turns, "You are the assistant of a bank, kind and brief."))
    found, grouper = grouped(calls)
    assert len(set(found.values())) == 1
    (signature,) = grouper.groups().values()
    assert signature.match("You are the assistant of a bank, kind and brief.", "user: a\nb", "c")


def test_a_date_is_a_hole_once_it_was_seen_to_move():
    days = ["You sort the mail of a shop. Today is 2026-11-23.", "", ""]
    days[1], days[2] = days[0].replace("11-23", "11-24"), days[0].replace("11-23", "12-01")
    made = [
        Call(f"{n}-{call.id}", call.request, call.answer, "m")
        for n, day in enumerate(days[:2])
        for call, _ in calls_of([(day, "{text}")], 60)
    ]
    (of_one_day,) = grouped(made[:60])[1].groups().values()
    assert of_one_day.match(days[0], "", "lamp") is not None
    assert of_one_day.match(days[1], "", "lamp") is None
    (of_two,) = grouped(made)[1].groups().values()
    assert of_two.match(days[2], "", "lamp") is not None


def test_a_sentence_that_some_calls_lack_makes_two_tasks():
    base = "Name the team that handles this letter to a furniture shop."
    extra = base + " If you are not sure, say unknown."
    made = calls_of([("", base + " {text}"), ("", extra + " {text}")], 120)
    found, _ = grouped([call for call, _ in made])
    assert partition(found) == partition({call.id: number for call, number in made})


def test_a_rare_task_is_found_among_free_texts(monkeypatch):
    monkeypatch.setattr(grouping, "_BATCH", 200)
    monkeypatch.setattr(grouping, "_FREE", 400)
    rare = "Rewrite this product description for our spring catalogue, in two lines:\n{text}"
    common = [call for call, _ in calls_of([("", "{text}")], 4000)]
    few = [call for call, _ in calls_of([("", rare)], 40)]
    calls = []
    for at, call in enumerate(common):
        calls.append(Call(f"free-{at}", call.request, call.answer, "m"))
        if at % 100 == 50:
            calls.append(few[at // 100])
    found, grouper = grouped(calls)
    signatures = grouper.groups()
    known = {n for n, signature in signatures.items() if "catalogue" in str(signature.user)}
    assert sum(found[call.id] in known for call in few) >= 25
    for call in calls:
        assert signatures[found[call.id]].match(*texts(call.request)) is not None


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(max_size=30), min_size=1, max_size=300), st.integers(0, 3))
def test_any_texts_fit_their_group_batch_after_batch(said, kind):
    calls = [
        Call(
            str(at), Request("m", (Message("user", LAYOUTS[kind][1][:9] + text),)), Answer("x"), "m"
        )
        for at, text in enumerate(said)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "_BATCH", 20)
        patch.setattr(grouping, "_FREE", 60)
        found, grouper = grouped(calls)
    signatures = grouper.groups()
    for call in calls:
        assert signatures[found[call.id]].match(*texts(call.request)) is not None


ITEMS = ("rain jacket", "coffee grinder", "office chair", "bike light", "usb hub")
ORDERS = (
    "Extract order id, item and quantity as JSON.",
    [
        "I would like {id} of the new lamps (ref {id}). Thank you.",
        *(f"Order {{id}}: {{id}} x {item}, please ship soon." for item in ITEMS),
    ],
)
JSON = OutputFormat("json_schema", {"properties": {"n": {"type": "integer"}}}, hash="one")


def ordered(system=ORDERS[0], **more):
    made = calls_of([(system, user) for user in ORDERS[1]], 60)
    request = {key: more.pop(key) for key in ("output_format",) if key in more}
    return [
        msgspec.structs.replace(
            call, **more, request=msgspec.structs.replace(call.request, **request)
        )
        for call, _ in made
    ]


def test_calls_that_state_their_task_are_one_task_in_any_wording():
    calls = ordered(task="orders")
    found, grouper = grouped(calls)
    assert len(set(found.values())) == 1
    (signature,) = grouper.groups().values()
    assert all(signature.match(*texts(call.request)) is not None for call in calls)
    assert signature.match("Extract order id, item and price as JSON.", "", "x") is None


def test_a_name_alone_opens_no_contract_to_any_text():
    _, grouper = grouped(ordered(system="", task="orders"))
    assert all(
        one.match("", "", "Write a poem about the sea.") is None
        for one in grouper.groups().values()
    )


GENERAL = "You are a helpful assistant that always answers in JSON."
ASKED = [
    ("Classify the sentiment of this review: {text}", "Say which department handles this: {text}"),
    ("Extract the name from this message: {text}", "Extract the city from this message: {text}"),
    ("{text}\nTranslate this text to German.", "{text}\nSummarise it in one short sentence."),
]


@pytest.mark.parametrize("users", ASKED)
@pytest.mark.parametrize("task", [None, "reviews"])
@pytest.mark.parametrize("form", [OutputFormat("json_object", hash="any"), JSON])
def test_instructions_in_the_users_text_stay_apart_under_one_format(users, task, form):
    made = calls_of([(GENERAL, user) for user in users], 150)
    calls = [
        msgspec.structs.replace(
            call, task=task, request=msgspec.structs.replace(call.request, output_format=form)
        )
        for call, _ in made
    ]
    found, grouper = grouped(calls)
    assert partition(found) == partition({call.id: kind for call, kind in made})
    for signature in grouper.groups().values():
        assert signature.match(GENERAL, "", "Translate this review into German: good") is None


@pytest.mark.parametrize("form", [OutputFormat("json_object", hash="any"), JSON])
def test_wordings_that_no_name_calls_one_task_open_no_contract(form):
    _, grouper = grouped(ordered(output_format=form))
    for signature in grouper.groups().values():
        assert signature.match(ORDERS[0], "", "Translate this review into German: good") is None


def test_two_prompts_stay_two_though_format_and_name_are_one():
    calls = [
        *ordered(output_format=JSON, task="orders"),
        *(
            msgspec.structs.replace(call, id=f"other-{call.id}")
            for call in ordered(
                "Extract the price in cents as JSON.", output_format=JSON, task="orders"
            )
        ),
    ]
    found, _ = grouped(calls)
    assert partition(found) == partition({call.id: call.id[:5] == "other" for call in calls})
