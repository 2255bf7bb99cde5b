"""`promote`, `canary`, `shadow`, `rollback`: each is one numbered step of the policy."""

import json

from tests.cli.story import call


def routes(space):
    return json.loads((space / "policy.json").read_text())


def test_canary_shadow_promote_and_back(ran, space, capsys):
    (outcome,) = ran.printed["tasks"]
    name, task = outcome["name"], outcome["task"]
    assert call("canary", name, "--share", "0.1", "--workspace", space) == 0
    assert routes(space)["routes"][task]["share"] == 0.1
    assert call("shadow", name, "--workspace", space, "--json") == 0
    assert json.loads(capsys.readouterr().out)["route"]["mode"] == "shadow"
    assert call("rollback", name, "--workspace", space) == 0
    assert routes(space)["routes"][task]["mode"] == "canary"
    assert routes(space)["generation"] == 4


def test_rolling_back_the_first_route_sends_all_upstream(ran, space, capsys):
    (outcome,) = ran.printed["tasks"]
    assert call("rollback", outcome["name"], "--workspace", space) == 0
    assert "upstream again" in capsys.readouterr().err
    assert call("rollback", outcome["name"], "--workspace", space) == 1


def test_c10_a_failed_proof_promotes_nothing(ran, space, capsys):
    (outcome,) = ran.printed["tasks"]
    call("prove", outcome["name"], "--workspace", space, "--budget", "0.0005")
    for command in ("promote", "canary", "shadow"):
        assert call(command, outcome["name"], "--workspace", space) == 1
    assert "not certified" in capsys.readouterr().err
