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


def test_a_copied_site_has_no_calls_yet():
    copied = msgspec.structs.replace(site(3), file="copy.py")
    new = only([site(3)], [site(3), copied])
    assert (new.change, new.site, new.usd_month) == ("new", copied, None)


def test_a_site_that_moved_is_no_change_and_its_old_place_no_saving():
    elsewhere = msgspec.structs.replace(site(9), file="other.py", function="g")
    assert site_changes([site(3)], [elsewhere], [TASK], PRICES.get) == ()
    dearer = only([msgspec.structs.replace(site(3), model="cheap")], [elsewhere])
    assert dearer.change == "changed"
    assert dearer.usd_month == pytest.approx(1_000 * (100 * (10 - 1) + 10 * (40 - 4)) * 1e-6)
    for words in ((WORDS + " Please.",), ()):
        reworded = msgspec.structs.replace(elsewhere, prompts=words)
        changes = site_changes([site(3)], [reworded], [TASK], PRICES.get)
        assert {one.change for one in changes} == {"new", "gone"}
        assert [one.usd_month for one in changes] == [None, None]
    elsewhere = msgspec.structs.replace(elsewhere, prompts=("Summarise the meeting for us.",))
    gone, _ = site_changes([site(3)], [elsewhere], [TASK], PRICES.get)
    assert gone.usd_month == only([site(3)], []).usd_month


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Where nobody counts what stands elsewhere, one text less may be one that moved.
        (((WORDS,), None), ((), None)),
        (((WORDS, "Be brief."), None), ((WORDS,), None)),
        (((WORDS, "{} is all"), 0), (("{} is all",), 1)),
        (((WORDS,), 1), ((), 2)),
        # Both messages are built by a function now, or were.
        (((WORDS,), 1), ((), 1)),
        (((), 1), ((WORDS,), 1)),
        (((WORDS, "x" * 40), 1), ((WORDS,), 1)),
        (((), 2), ((WORDS,), 1)),
        (((WORDS + "{}",), 0), (("{}{} it is",), 0)),
    ],
)
def test_a_text_that_can_no_longer_be_seen_is_no_saving(old, new):
    before, after = (
        msgspec.structs.replace(site(3), prompts=words, unseen=unseen)
        for words, unseen in (old, new)
    )
    found = only([before], [after])
    assert (found.change, found.usd_month) == ("changed", None)
    assert "elsewhere" in found.why


def test_a_shorter_text_is_a_saving_and_one_more_a_cost():
    short = msgspec.structs.replace(site(3), unseen=1)
    long = msgspec.structs.replace(short, prompts=(WORDS + "x" * 40,))
    more = msgspec.structs.replace(short, prompts=(WORDS, "y" * 40))
    assert only([long], [short]).usd_month == pytest.approx(-1_000 * 10 * 10e-6)
    assert only([short], [more]).usd_month == pytest.approx(1_000 * 10 * 10e-6)


def test_a_model_that_can_no_longer_be_seen_is_no_saving():
    found = only([site(3)], [site(3, None)])
    assert found.usd_month is None
    assert "model" in found.why


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
