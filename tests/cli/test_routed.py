"""From comparisons to traffic: a fitted score sends calls over HTTP, and pairs are learnt from."""

import json
import re
import urllib.request

import pytest
from tests.cli.story import call
from tests.cli.test_routing import prompts
from tests.guards.test_guards import gateway

TIERS = """
[tiers.frontier]
base_url = "UPSTREAM"
[tiers.mid]
base_url = "UPSTREAM"
model = "cheap"
[tiers.small]
base_url = "UPSTREAM"
model = "tiny"
"""


def tier_of(place, text):
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]})
    request = urllib.request.Request(f"{place.address}/chat/completions", body.encode())
    with urllib.request.urlopen(request, timeout=20) as reply:
        return reply.headers["x-stepdown-tier"]


@pytest.fixture
def fitted(tmp_path):
    lines = [
        json.dumps({"prompt": text, "models": {"w": {"correct": not hard}, "s": {"correct": 1}}})
        for text, hard in prompts()
    ]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(lines))
    arguments = (rows, "--weak", "w", "--strong", "s", "--workspace", tmp_path / "w")
    assert call("routing", *arguments) == 0
    return tmp_path


@pytest.mark.reliability
def test_a_fitted_score_sends_easy_calls_to_a_cheaper_tier(fitted):
    with gateway(fitted, f"[routing]\nenabled = true\n{TIERS}") as place:
        assert tier_of(place, "greet the guest 7") == "small"
        assert tier_of(place, "prove the sum 7") == "frontier"


@pytest.mark.reliability
def test_without_being_asked_it_sends_none(fitted):
    with gateway(fitted, TIERS) as place:
        assert tier_of(place, "greet the guest 7") == "frontier"


@pytest.mark.reliability
def test_a_changed_score_sends_none_either(fitted):
    for path in fitted.glob("w/routing/*/score.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with gateway(fitted, f"[routing]\nenabled = true\n{TIERS}") as place:
        assert tier_of(place, "greet the guest 7") == "frontier"


@pytest.mark.reliability
def test_compared_calls_are_comparisons(tmp_path, capsys):
    settings = f"[routing]\nenabled = true\ncompare_share = 0.999\n{TIERS}"
    with gateway(tmp_path, settings) as place:
        for at in range(20):
            tier_of(place, f"Is it {at}? Answer yes or no.")
    assert call("routing", "--workspace", tmp_path / "w") == 1
    said = capsys.readouterr().err
    # Both tiers' doubles say the same, so each pair that was kept in time is an easy one.
    easy = re.search(r"there are 0 and (\d+):", said)
    assert easy is not None, said
    assert 10 <= int(easy[1]) <= 20
