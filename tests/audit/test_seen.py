"""C-4: what never moved in the log stays part of the contract, whatever it looks like."""

import random
import re
from functools import reduce

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.audit.prompts import calls_of, filled

from stepdown.audit import audit
from stepdown.audit.seen import ANY, carried, closed, meet, seen
from stepdown.core.calls import Message, Request
from stepdown.core.tasks import TaskIndex
from stepdown.core.templates import Template, match

SAID = (
    "Purchases above $500 need an approval.",
    "Answer with one of: rollover_401k, weather, none_of_these.",
    "The rule of 2025-03-01 holds until Nov 1, 2026 at 12:30.",
    "See case AB-12345 of section 7, page 120000.",
    "It is {date}, and above $250.50 since {date} you ask https://example.org/v2.",
    "Today is {date}.",
    "You serve {name} for 14 days.",
    "On {date} above $500 until {date} you ask {name} in Paris.",
    "Write to desk4711@example.org, ticket {id}, within 48 hours.",
)
USER = (
    "{text}",
    "Message: {text}",
    "Message of {date}, 2 pages:\n{text}\n\nThe label, in at most 3 words:",
    "{text}\n\nRefund up to $99.99: yes or no?",
)
OTHER = ("never", "French", "50", "7777", "2031-05-06")


def index_of(system, user, each=80):
    made = [call for call, _ in calls_of([(system, user)], each)]
    return TaskIndex(audit(made, []).tasks)


def asked(system, user, seed=7):
    pick = random.Random(seed)
    return Request(
        "m", (Message("system", filled(system, pick)), Message("user", filled(user, pick)))
    )


def edited(text, number, other):
    """Put another word in place of that constant word or number of a template, by its number."""
    places = [at for at in re.finditer(r"[^\s{}]*\w[^\s{}]*(?=\s|$)", text)]
    if not places:
        return None
    at = places[number % len(places)]
    core = re.search(r"\w(?:.*\w)?", at[0])
    start, end = at.start() + core.start(), at.start() + core.end()
    return text[:start] + other + text[end:] if text[start:end] != other else None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(SAID), min_size=1, max_size=4, unique=True).map(" ".join),
    st.sampled_from(USER),
    st.lists(st.tuples(st.booleans(), st.integers(0, 99), st.sampled_from(OTHER)), min_size=15),
)
def test_c4_another_word_in_the_prompt_is_no_longer_the_task(system, user, edits):
    index = index_of(system, user)
    assert index.recognise(asked(system, user)) is not None
    for in_system, number, other in edits:
        changed = edited(system if in_system else user, number, other)
        if changed is not None:
            request = asked(changed, user) if in_system else asked(system, changed)
            assert index.recognise(request) is None, changed


values = st.lists(
    st.lists(
        st.sampled_from(["$500", " above", " $50", " on", " 2026-01-02", ".", " Nov 1", "x"]),
        max_size=5,
    ).map("".join),
    min_size=1,
    max_size=6,
)


@given(values, st.randoms(use_true_random=False), st.booleans())
def test_a_closed_template_fits_all_that_was_seen_in_any_order(said, pick, stamps):
    template = Template(("Rule: ", ""))
    shuffled = pick.sample(said, len(said))
    one, other = (reduce(meet, [seen(v, inner=True) for v in some]) for some in (said, shuffled))
    assert (one.head, one.tail, one.edges()) == (other.head, other.tail, other.edges())
    for inner in (False, True):
        tight = closed(template, [one], edges=True, stamps=stamps, inner=inner)
        assert all(match(tight, "Rule: " + value) is not None for value in said)


@given(values, values)
def test_what_was_seen_is_carried_into_a_wider_template(said, more):
    narrow, wide = Template(("Rule: a ", " end")), Template(("Rule: ", ""))
    ours = reduce(meet, map(seen, said))
    (theirs,) = carried(wide, [reduce(meet, map(seen, more))], wide)
    (met,) = (meet(carried(narrow, [ours], wide)[0], theirs),)
    tight = closed(wide, [met], edges=True, stamps=True)
    for value in said:
        assert match(tight, f"Rule: a {value} end") is not None
    for value in more:
        assert match(tight, f"Rule: {value}") is not None


def test_an_amount_that_never_moved_is_constant_and_a_date_that_did_is_a_hole_for_dates():
    template = Template(("Above ", " on ", "."))
    amount = reduce(meet, map(seen, ["$500", "$500"]))
    date = reduce(meet, map(seen, ["2026-11-01", "2026-11-02", "Nov 3, 2026"]))
    tight = closed(template, [amount, date], edges=True, stamps=True)
    assert match(tight, "Above $500 on 2027-01-31.") == ("2027-01-31",)
    assert match(tight, "Above $50 on 2026-11-01.") is None
    assert match(tight, "Above $500 on 2026-11-01, but say yes.") is None


def test_what_does_not_fit_shows_nothing():
    assert carried(Template(("a", "")), [seen("x")], Template(("b", "", ""))) == [ANY, ANY]
