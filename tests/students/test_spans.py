"""Training span models: what was copied, derived, left out or repeated is found in new texts."""

import random

import pytest

from stepdown.core.anatomy import Field
from stepdown.errors import NotEnoughData
from stepdown.students.crf import CrfSettings
from stepdown.students.spans import train_spans

QUICK = CrfSettings(c1=0.0, c2=0.01, iterations=30)
CITIES = ["Oslo", "New York", "Rome", "Lima", "San Jose", "Paris", "Cairo", "Kyoto"]


def rows(count=60, seed=0):
    """Return texts and records of booking requests: a city, a date, and a sum now and then."""
    draw = random.Random(seed)
    texts, records = [], []
    for _ in range(count):
        city, day, month = draw.choice(CITIES), draw.randint(1, 28), draw.randint(1, 12)
        text, record = f"fly to {city} on {day:02}/{month:02}/2019", {
            "/city": city.upper(),
            "/date": f"2019-{month:02}-{day:02}",
        }  # fmt: skip
        if draw.random() < 0.5:
            record["/limit"] = draw.randint(50, 900)
            text += f" below ${record['/limit']}.00"
        texts.append(text + " please")
        records.append(record)
    return texts, records


FIELDS = [Field("/city", "derived"), Field("/date", "derived"), Field("/limit", "derived")]


@pytest.fixture(scope="module")
def model():
    return train_spans(*rows(), FIELDS, settings=QUICK)


def test_normalised_values_are_found(model):
    guess = model.predict("fly to Quito on 03/04/2019 below $75.00 please")
    assert {path: g.value for path, g in guess.items()} == {
        "/city": "QUITO",
        "/date": "2019-04-03",
        "/limit": 75,
    }
    assert "fly to Quito"[guess["/city"].start : guess["/city"].end] == "Quito"
    assert all(0 < g.probability <= 1 and not g.failed for g in guess.values())


def test_what_is_absent_has_a_probability_of_its_own(model):
    guess = model.predict("fly to Oslo on 03/04/2019 please")["/limit"]
    assert (guess.value, guess.start) == (None, -1)
    assert guess.probability > 0.8


def test_a_field_that_was_never_absent_is_always_guessed(model):
    guess = model.predict("something else entirely")
    assert guess["/city"].value is not None
    assert guess["/city"].probability < 0.9
    assert guess["/limit"].value is None


def test_an_empty_text_says_how_often_nothing_was_there(model):
    guess = model.predict("  ")
    assert guess["/city"].value is None
    assert guess["/city"].probability == 0.0
    assert 0.3 < guess["/limit"].probability < 0.7


def test_what_the_normaliser_cannot_read_is_failed(model):
    guess = model.predict("fly to Oslo on 55/55/2019 please")["/date"]
    assert guess.failed
    assert guess.value is None


def test_training_is_deterministic(model):
    again = train_spans(*rows(), FIELDS, settings=QUICK)
    text = "fly to Bergen on 03/04/2019 below $75.00 please"
    assert again.predict(text) == model.predict(text)


def test_lists_keep_their_order_and_the_written_form_of_none():
    texts = ["buy ham and eggs", "buy tea", "buy eggs and tea and ham", "buy it"] * 10
    records = [{"/x": v} for v in (["ham", "eggs"], ["tea"], ["eggs", "tea", "ham"], [])] * 10
    model = train_spans(texts, records, [Field("/x", "copy", many=True)], settings=QUICK)
    assert model.predict("buy tea and ham")["/x"].value == ["tea", "ham"]
    assert model.predict("buy it")["/x"].value == []
    assert model.predict("buy ham and ham")["/x"].value == ["ham"]


def test_fields_may_share_their_words():
    texts = [f"from {city}" for city in CITIES] * 4
    records = [{"/a": city, "/b": city.lower()} for city in CITIES] * 4
    model = train_spans(texts, records, [Field("/a", "copy"), Field("/b", "copy")], settings=QUICK)
    assert len(model.layers) == 2
    assert {p: g.value for p, g in model.predict("from Oslo").items()} == {
        "/a": "Oslo",
        "/b": "oslo",
    }


def test_a_field_found_nowhere_is_unread():
    texts, records = rows(20)
    records = [{**record, "/why": f"reason {at}"} for at, record in enumerate(records)]
    model = train_spans(texts, records, [*FIELDS, Field("/why", "free")], settings=QUICK)
    assert [field.path for field in model.unread] == ["/why"]
    assert model.predict(texts[0])["/why"].probability == 0.0


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(NotEnoughData, match="/x"):
        train_spans(["a", "b"], [{"/x": "q"}, {"/x": "r"}], [Field("/x", "free")])


def test_numbers_within_tokens_change_the_cut():
    texts = [f"code 7-{n}-9" for n in range(100, 130)]
    records = [{"/x": str(n)} for n in range(100, 130)]
    model = train_spans(texts, records, [Field("/x", "copy")], settings=QUICK)
    assert not model.layout.compound
    assert model.predict("code 7-555-9")["/x"].value == "555"


def test_documents_are_read_by_line_and_repeats_agree():
    texts = [f"Shop {n}\nITEM\n1.00\nTOTAL\n{n}.50\nCASH\n{n}.50\nBYE" for n in range(10, 40)]
    records = [{"/total": f"{n}.50"} for n in range(10, 40)]
    model = train_spans(texts, records, [Field("/total", "copy")], settings=QUICK)
    assert model.layout.lines
    guess = model.predict("Shop 5\nITEM\n1.00\nTOTAL\n77.50\nCASH\n77.50\nBYE")["/total"]
    assert (guess.value, guess.start >= 0) == ("77.50", True)


def test_long_documents_are_learnt_in_parts(monkeypatch):
    monkeypatch.setattr("stepdown.students.spans._MAX_TOKENS", 1000)
    monkeypatch.setattr("stepdown.students.spans._CHUNK", 20)
    filler = "the party of the first part agrees. " * 20
    texts = [f"{filler}\n\n\nGoverned by the law of {c}.\n{filler}" for c in CITIES] * 3
    records = [{"/law": city} for city in CITIES] * 3
    model = train_spans(texts, records, [Field("/law", "copy")], settings=QUICK)
    assert model.predict(texts[2])["/law"].value == "Rome"


def test_conversations_are_told_by_their_roles():
    texts = ["user: to Oslo\nassistant: from where?\nRome"] * 4
    model = train_spans(texts, [{"/to": "Oslo"}] * 4, [Field("/to", "copy")], settings=QUICK)
    assert model.layout.roles


def test_progress_reaches_its_total():
    told: list[tuple[str, int, int]] = []
    train_spans(*rows(20), FIELDS, lambda *step: told.append(step), settings=QUICK)
    assert told[-1] == ("spans", 30, 30)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
