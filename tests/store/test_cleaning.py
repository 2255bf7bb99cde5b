"""P-1, P-2 for paid labels: no secret is kept; what can't be cleaned has no content."""

from stepdown.core.calls import Answer, Message, Request, ToolCall
from stepdown.core.labels import MADE_OF, Batched, Failed, Parsed, Reserved, Sent, Spend, Stored
from stepdown.store.cleaning import cleaned, take_out
from stepdown.store.ledger import Ledger

STEPS = [
    Stored("k", 1, b'{"text": "secret"}', 1.0),
    Parsed("k", "answered", Answer("secret", (ToolCall("f", '{"a": "secret"}'),))),
    Reserved("k", "synthetic-1", "synthetic", request=Request("m", (Message("user", "secret"),))),
    Failed("k", 1, "said secret", None),
    Sent("k", 1, 1.0),
]


def test_p1_no_step_keeps_what_is_taken_out():
    for step in STEPS:
        kept = cleaned(step, lambda line: line.replace(b"secret", b"[redacted key]"))
        assert "secret" not in repr(kept)
        assert type(kept) is type(step)


def test_p2_what_cannot_be_cleaned_keeps_no_content():
    def broken(line):
        raise RecursionError

    for step in STEPS:
        assert "secret" not in repr(cleaned(step, broken))
    assert "unreadable" in repr(cleaned(STEPS[1], broken))


def test_a_question_that_shows_somebodys_input_is_taken_out_with_it(tmp_path):
    ledger = Ledger(tmp_path / "labels.db")
    run = ledger.begin("t", "m", {})
    shows = Request("", (Message("user", "hers"),), metadata={MADE_OF: ["c1", "c2"]})
    ledger.commit(
        run.id,
        [
            Reserved("a", "writing-1", "again", request=shows),
            Reserved("b", "writing-2", "again", request=Request("", ())),
            Reserved("c", "c1", "again"),
            Reserved("d", "c9", "again"),
        ],
    )
    ledger.close()
    assert take_out(ledger.path, "user-1", {"c1"}) == 2
    assert b"hers" not in ledger.path.read_bytes()
    assert take_out(ledger.path, "user-1", {"c1"}) == 0


def test_what_was_spent_on_a_forgotten_text_stays_when_it_is_asked_again(tmp_path):
    ledger = Ledger(tmp_path / "labels.db")
    run = ledger.begin("t", "m", {})
    old, new = Reserved("k", "c1", "random"), Reserved("k", "c2", "random")
    ledger.commit(run.id, [old, Sent("k", 1, 1.0, 90), Stored("k", 1, b"{}", 1.0, None, 70)])
    ledger.close()
    assert take_out(ledger.path, "user-1", {"c1"}) == 1
    ledger = Ledger(ledger.path)
    owner, kept = ledger.found(new)
    assert (owner, kept.reserved, kept.sends, kept.answered) == ("", new, 1, False)
    batch = Batched("b", 2.0)
    ledger.commit(run.id, [new, batch, Sent("k", kept.sends + 1, 2.0, 90, "b")])
    assert ledger.sent_in("b") == {"k": (2, 90)}
    ledger.commit(run.id, [Stored("k", 2, b"{}", 2.0, None, 50)])
    assert ledger.spend(run.id) == Spend(120, 2, at_most=120)
    ledger.close()
