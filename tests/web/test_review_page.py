"""The page of doubted answers: one file, no script, and hostile text is text."""

from stepdown.core.gold import Question
from stepdown.web.review_page import review_page

EVIL = "<script>alert(1)</script>\u202e</pre><b onclick=x>"


def test_only_fields_that_differ_are_shown_and_all_text_is_escaped():
    rows = [
        Question(EVIL, EVIL, {"/a": EVIL, "/b": 1, "/c": 2}, {"/a": "x", "/b": 1.0}, 0.98),
        Question("2", "t", {"": "cards"}, {"": "loans"}, 0.9),
    ]
    page = review_page(rows, EVIL, made_at="2026-11-29T00:00:00Z", version="0.1.0")
    assert "<script" not in page
    assert "<b onclick" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<article>") == 2
    assert "<code>/c</code>" in page
    assert "<code>/b</code>" not in page
    assert "98.0\u00a0%" in page
    assert "2 doubted answers" in page


def test_nothing_to_judge_is_said():
    page = review_page([], "t", made_at="", version="0")
    assert "No answer is doubted" in page
