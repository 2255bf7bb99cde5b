"""A change to the code, priced by the log."""

import msgspec
import pytest

from stepdown.core.anatomy import Anatomy
from stepdown.core.site_changes import site_changes
from stepdown.core.sites import CallSite
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.core.templates import Template

WORDS = "Name the customer's concern in one word."
DAY = 86_400.0
PRICES = {"dear": (10e-6, 40e-6), "cheap": (1e-6, 4e-6)}
TASK = Task(
    "t",
    "t",
    Signature(system=Template((WORDS,))),
    Anatomy("text", (), 1, 1.0, 1.0),
    Verdict("distil"),
    calls=1_000,
    models={"dear": 1_000},
    first_time=0.0,
    last_time=30.4375 * DAY,
    input_tokens=100_000,
    output_tokens=10_000,
)


def site(line, model="dear", words=WORDS, function="f"):
    return CallSite("app.py", line, "openai", "create", function, model, (words,))


def only(old, new):
    (found,) = site_changes(old, new, [TASK], PRICES.get)
    return found


def test_another_model_is_priced_at_the_logs_own_volume():
    found = only([site(3)], [site(5, "cheap")])
    assert found.change == "changed"
    assert found.usd_month == pytest.approx(1_000 * (100 * (1 - 10) + 10 * (4 - 40)) * 1e-6)


def test_a_longer_prompt_costs_what_it_is_longer():
    found = only([site(3)], [site(3, words=WORDS + " " + "x" * 399)])
    assert found.usd_month == pytest.approx(1_000 * 100 * 10e-6)


def test_what_came_and_went():
    assert only([site(3)], []).usd_month == pytest.approx(-1_000 * (100 * 10 + 10 * 40) * 1e-6)
    new = only([], [site(3, words="Summarise the meeting for those away.")])
    assert (new.change, new.usd_month) == ("new", None)
    assert "unknown" in new.why


def test_another_line_is_no_change_and_neither_is_another_order():
    assert site_changes([site(3)], [site(30)], [TASK], PRICES.get) == ()
    two = [site(3), site(4, "cheap")]
    assert site_changes(two, [site(8, "cheap"), site(9)], [TASK], PRICES.get) == ()


def test_sites_of_one_task_share_its_calls():
    old = [site(3, function="f"), site(9, function="g")]
    found = only(old, [site(3, function="f"), site(9, "cheap", function="g")])
    assert found.usd_month == pytest.approx(500 * (100 * (1 - 10) + 10 * (4 - 40)) * 1e-6)
    assert "shared by 2 sites" in found.why


def test_a_price_that_nobody_knows_is_no_saving():
    found = only([site(3)], [site(3, "unheard-of")])
    assert found.usd_month is None
    assert "unheard-of" in found.why


def test_a_call_is_as_long_as_those_that_tell_their_tokens():
    half = msgspec.structs.replace(
        TASK, counted_calls=500, input_tokens=50_000, output_tokens=5_000
    )
    (found,) = site_changes([site(3)], [], [half], PRICES.get)
    assert found.usd_month == only([site(3)], []).usd_month
