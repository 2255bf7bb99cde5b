"""Lines are taken out of a spooled log, and all others keep their numbers and ids."""

import io
import json
import tracemalloc

import pytest

from stepdown import plugins
from stepdown.logs import read_calls, spool
from stepdown.logs.rewriting import without_lines


def call(user, text):
    return {
        "request": {"model": "m", "user": user, "messages": [{"role": "user", "content": text}]},
        "response": {"choices": [{"message": {"content": "ok"}}]},
    }


CALLS = [call("ann" if n % 3 == 0 else "bob", f"text {n}") for n in range(9)]
FORMS = {
    "lines": "\n".join(map(json.dumps, CALLS)).encode() + b"\n",
    "one document": json.dumps(CALLS).encode(),
    "printed prettily": json.dumps(CALLS, indent=1).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_others_keep_their_ids(tmp_path, form):
    path = spool(io.BytesIO(FORMS[form]), tmp_path)

    def ids():
        calls = read_calls([str(path)], plugins.log_formats(), [])
        return {call.request.messages[0].text: call.id for call in calls}

    before = ids()
    assert without_lines(path, lambda line: b'"ann"' in line.data) == 3
    after = ids()
    assert after == {text: id for text, id in before.items() if int(text[-1]) % 3}
    assert without_lines(path, lambda line: b'"ann"' in line.data) == 0
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o077 == 0


def test_a_log_of_any_size_goes_through_one_record_at_a_time(tmp_path):
    lines = (json.dumps(call("bob", f"{n} " + "x" * 20_000)).encode() for n in range(5_000))
    path = spool(io.BytesIO(b"\n".join(lines)), tmp_path)
    tracemalloc.start()
    try:
        assert without_lines(path, lambda line: b" 7 x" in line.data or b'"7 x' in line.data) == 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50e6  # of 100 MB
