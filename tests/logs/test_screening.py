"""What a screen takes out is not read, what it fails on is no call, and every line is counted."""

import json

from stepdown import plugins
from stepdown.logs import read_calls
from stepdown.logs.screening import Screened


def line(number, text):
    return json.dumps(
        {
            "id": f"c{number}",
            "request": {"model": "m", "messages": [{"role": "user", "content": text}]},
            "response": {"choices": [{"message": {"content": "ok"}}]},
        }
    )


def test_lines_are_cleaned_passed_over_or_refused_and_counted(tmp_path):
    log = tmp_path / "log.jsonl"
    texts = ["secret", "gone", "broken", "plain"]
    log.write_text("\n".join(line(n, text) for n, text in enumerate(texts)), encoding="utf-8")

    def screen(data):
        if b"broken" in data:
            raise RecursionError
        return None if b"gone" in data else data.replace(b"secret", b"[redacted key]")

    coverage = []
    formats = [Screened(one, screen) for one in plugins.log_formats()]
    calls = list(read_calls([str(log)], formats, coverage))
    assert [call.request.messages[0].text for call in calls] == ["[redacted key]", "plain"]
    (entry,) = coverage
    assert (entry.format, entry.lines, entry.calls) == ("native", 4, 2)
    assert entry.rejected == {"redaction failed": 1, "of somebody who was forgotten": 1}


def test_what_a_format_says_of_itself_stays_so():
    for one in plugins.log_formats():
        screened = Screened(one, bytes)
        assert screened.name == one.name
        assert screened.joins == getattr(one, "joins", False)
        assert screened.records == getattr(one, "records", None)
