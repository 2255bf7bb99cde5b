"""Promotion is one numbered step; nothing is lost between two that race."""

import multiprocessing

import pytest

from stepdown.core.routes import Policy, Route
from stepdown.errors import ArtefactError, Refusal
from stepdown.workspace.policies import change_policy, read_policy, rolled_back


def route(student, previous=None):
    return Route("t", student, "p", 0.5, previous=previous)


def test_no_policy_yet_is_the_empty_one(tmp_path):
    assert read_policy(tmp_path / "policy.json") == Policy()


def test_promote_and_roll_back(tmp_path):
    path = tmp_path / "policy.json"
    change_policy(path, "t", lambda old: route("one", old))
    change_policy(path, "t", lambda old: route("two", old))
    policy = change_policy(path, "t", rolled_back)
    assert policy.generation == 3
    assert policy.routes["t"].student == "one"
    assert change_policy(path, "t", rolled_back).routes == {}
    with pytest.raises(Refusal, match="nothing to roll back"):
        change_policy(path, "t", rolled_back)


def test_three_previous_routes_are_kept(tmp_path):
    path = tmp_path / "policy.json"
    for n in range(6):
        change_policy(path, "t", lambda old, n=n: route(str(n), old))
    kept = []
    at = read_policy(path).routes["t"]
    while at is not None:
        kept.append(at.student)
        at = at.previous
    assert kept == ["5", "4", "3", "2"]


def test_a_file_that_is_no_policy_is_refused(tmp_path):
    path = tmp_path / "policy.json"
    path.write_text("[]")
    with pytest.raises(ArtefactError, match="promote"):
        read_policy(path)


def _promote(path, name, times):
    for n in range(times):
        change_policy(path, f"{name}-{n}", lambda old: route("s", old))


def test_racing_changes_each_make_their_own_generation(tmp_path):
    path = tmp_path / "policy.json"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_promote, args=(path, n, 20)) for n in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    policy = read_policy(path)
    assert policy.generation == 40
    assert len(policy.routes) == 40
