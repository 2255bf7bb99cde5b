"""The corpus holds what it says, and its classes are found or not as they are published."""

import pytest
from tests.cli.bench.small import labelled, write_set

from stepdown.cli.bench import redaction as bench
from stepdown.core.ports import silent

NOT_FOUND = {
    "credentials: password in a sentence",
    "emails: in words",
    "ibans: small letters",
    "phones: at home, digits alone",
    "phones: extension of a desk",
    "(no kind): names in five scripts",
    "(no kind): street and date of birth",
}


def test_what_has_a_form_is_found_and_what_has_none_is_said(tmp_path, monkeypatch):
    for library in ("phonenumbers", "stdnum"):
        pytest.importorskip(library, reason="the extra privacy is not installed")
    write_set(tmp_path, "banking77", labelled(40))
    monkeypatch.setattr(bench, "_EACH", 20)
    shares = {figure.name: figure.number for figure in bench.redaction(tmp_path, silent)}
    recall = {name[:-7]: share for name, share in shares.items() if name.endswith(", found")}
    assert {name for name, share in recall.items() if share < 0.9} == NOT_FOUND
    assert {name for name in NOT_FOUND if recall[name]} == set()
    wrong = {name: share for name, share in shares.items() if name.startswith("taken")}
    assert len(wrong) == len(bench.classes()["ordinary"]) + 1
    assert max(wrong.values()) <= 0.1


def test_the_same_seed_hides_the_same():
    assert list(bench._texts(["sk-*{9}"], "a")) == list(bench._texts(["sk-*{9}"], "a"))
    assert list(bench._texts(["sk-*{9}"], "a")) != list(bench._texts(["sk-*{9}"], "b"))
