"""Run the Python code of the README and of docs/ as tests, each document in a folder of its own;
and tell how the reliability plan's promises fare, where `--reliability PAGE` asks for it."""

import os
import platform
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from tests.plan import promise_of, table

# Nothing is timed in a test: a machine that others share may be slow for a moment.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_BEGIN, _END = "<!-- promises -->", "<!-- /promises -->"


def _enter(namespace: dict[str, Any]) -> None:
    import tempfile

    namespace["_before"] = os.getcwd()
    namespace["_folder"] = tempfile.TemporaryDirectory()
    os.chdir(namespace["_folder"].name)


def _leave(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_before"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md"],
    setup=_enter,
    teardown=_leave,
).pytest()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options: the plan's tests with a page for their table, and figures without one."""
    parser.addoption("--reliability", type=Path, help="Run the plan's tests; write their table.")
    parser.addoption("--figures", action="store_true", help="Tell what tests have measured.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the plan's tests alone, where their table is asked for."""
    if config.getoption("--reliability", None) is None:
        return
    kept = [item for item in items if promise_of(item.name)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture
def figure(record_property: Any) -> Any:
    """Note what a test of the plan has measured, for its line: figure("40 kills, 0 lost")."""

    def note(text: str) -> None:
        record_property("figure", text)

    return note


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell the figures; write the table between its marks, where the rest stays as it is."""
    path = config.getoption("--reliability", None)
    results: list[tuple[str, str, list[str]]] = []
    measured: list[str] = []
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            name = report.nodeid.rpartition("::")[2]
            noted = getattr(report, "user_properties", ())  # a module that is skipped has none
            figures = [str(text) for key, text in noted if key == "figure"]
            measured += [f"{name}: {text}" for text in figures if report.when == "call"]
            if promise := promise_of(name):
                results.append((promise, outcome, figures))
    if config.getoption("--figures", False) and measured:
        terminalreporter.section("measured")
        terminalreporter.write("\n".join([*measured, ""]))
    if path is None:
        return
    page = path.read_text(encoding="utf-8") if path.exists() else f"{_BEGIN}\n{_END}\n"
    before, _, rest = page.partition(_BEGIN)
    after = rest.partition(_END)[2]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {date.today().isoformat()}"
    told = "\n".join(["", f"Printed by `make reliability` on {machine}.", "", *table(results), ""])
    path.write_text(f"{before}{_BEGIN}{told}{_END}{after}", encoding="utf-8")
