"""Who is asked, with which key, under which name, at what price."""

import json
from pathlib import Path

import pytest

from stepdown.cli.options import Session
from stepdown.cli.teachers import section_of, teacher_of
from stepdown.config import load_config
from stepdown.core.calls import Message, Request, Usage
from stepdown.errors import ConfigError
from stepdown.workspace import Workspace

REQUEST = Request("small", (Message("user", "hello"),))


@pytest.fixture
def named(tmp_path, monkeypatch):
    monkeypatch.setenv("KEY", "k-1")

    def made(text, name="m"):
        path = tmp_path / "stepdown.toml"
        path.write_text(text)
        return teacher_of(Session(Workspace(Path("ws")), load_config(path)), name)

    return made


def test_the_address_is_its_own_or_the_frontiers(named):
    frontier = '[tiers.frontier]\nbase_url = "http://f/v1"\napi_key_env = "KEY"\n'
    teacher = named(frontier)
    assert (teacher.address, teacher.key, teacher.model) == ("http://f/v1", "k-1", "m")
    teacher = named(frontier + '[teacher]\nbase_url = "http://t/v1/"\n')
    assert (teacher.address, teacher.key) == ("http://t/v1", None)
    assert named('[teacher]\nbase_url = "http://t/"\n').address == "http://t/v1"
    teacher = named(frontier + '[teachers.m]\nmodel = "big"\n[teacher]\nbase_url = "http://t"\n')
    assert (teacher.address, teacher.key, teacher.model) == ("http://f/v1", "k-1", "big")


def test_no_address_and_no_key_are_said(named):
    with pytest.raises(ConfigError, match=r"base_url and api_key_env under \[teacher\]"):
        named("")
    with pytest.raises(ConfigError, match=r"\[teachers\.m\] takes its key from NONE"):
        named('[teachers.m]\nbase_url = "http://t"\napi_key_env = "NONE"\n')


@pytest.mark.parametrize("name", ["big", "gpt-5_2", "gpt-5.2", "a/b", 'a"b', "größer", "-"])
def test_a_teachers_section_can_be_written_as_it_is_said(named, name):
    assert named(f'{section_of(name)}\nbase_url = "http://t"\n', name).section == section_of(name)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "t/v1", "ftp://t/v1", "http:///v1"])
def test_an_address_that_is_none_is_said(named, address):
    with pytest.raises(ConfigError, match=r"base_url under \[teacher\].* http"):
        named(f'[teacher]\nbase_url = "{address}"\n')


def test_the_price_is_the_configurations_or_the_lists(named):
    priced = "usd_per_million_input = 0.15\nusd_per_million_output = 0.6\n"
    teacher = named(f'[teacher]\nbase_url = "http://t"\n{priced}')
    assert teacher.price(Usage(1_000_000, 0), 0.0) == 15 * 10**16
    assert teacher.price(Usage(3, 2), 0.0) == 3 * 150 * 10**9 + 2 * 600 * 10**9
    for odd in (Usage(-1_000_000, 3), Usage(3, -1), Usage(3, 1, 4)):
        assert teacher.price(odd, 0.0) is None
    teacher = named('[teacher]\nbase_url = "http://t"\n', "gpt-4o")
    assert (teacher.price(Usage(1000, 10), 1_790_000_000.0) or 0) > 0
    assert (
        named('[teacher]\nbase_url = "http://t"\n', "nobody-knows").price(Usage(1, 1), 0.0) is None
    )


def test_a_question_is_named_by_what_is_asked_of_whom_and_how_often(named):
    teacher = named('[teacher]\nbase_url = "http://t/v1"\n')
    body, most = teacher.body(REQUEST)
    assert json.loads(body)["max_tokens"] == most.output_tokens == 4096
    key = teacher.question(body, 0)
    assert key == teacher.question(json.dumps(json.loads(body), indent=1).encode(), 0)
    elsewhere = named('[teacher]\nbase_url = "http://u/v1"\n')
    other = named('[teacher]\nbase_url = "http://t/v1"\n', "m2")
    keys = {key, teacher.question(body, 1), elsewhere.question(body, 0)}
    assert len(keys | {other.question(other.body(REQUEST)[0], 0)}) == 4


def test_openais_own_address_knows_the_limit_by_its_newer_name(named):
    teacher = named('[teacher]\nbase_url = "https://api.openai.com/v1"\nmax_tokens = 9\n')
    assert json.loads(teacher.body(REQUEST)[0])["max_completion_tokens"] == 9
