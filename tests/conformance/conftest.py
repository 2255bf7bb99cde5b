"""The gateway and its doubles, as the tests of the gateway have them; and the matrix."""

from collections import defaultdict
from pathlib import Path

import pytest
from tests.serve.conftest import start, upstream, world

__all__ = ["start", "upstream", "world"]

_SYMBOLS = {"passed": "yes", "failed": "**no**", "skipped": "–"}


def pytest_addoption(parser):
    parser.addoption("--matrix", type=Path, help="Write the conformance matrix to this file.")


def pytest_terminal_summary(terminalreporter, config):
    """Write what each client could do, where --matrix asks for it."""
    path = config.getoption("--matrix", None)
    if path is None:
        return
    found = defaultdict(dict)
    for outcome in _SYMBOLS:
        for report in terminalreporter.stats.get(outcome, []):
            told = dict(report.user_properties)
            if "client" in told:
                found[told["client"]][told["scenario"]] = _SYMBOLS[outcome]
    columns = list(dict.fromkeys(name for row in found.values() for name in row))
    lines = [f"| client | {' | '.join(columns)} |", "|" + " --- |" * (len(columns) + 1)]
    for client, row in found.items():
        cells = " | ".join(row.get(name, "") for name in columns)
        lines.append(f"| {client} | {cells} |")
    before = path.read_text(encoding="utf-8").partition("<!-- matrix -->")[0]
    path.write_text(before + "<!-- matrix -->\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def told(record_property):
    """Note the client and the scenario of a test for the matrix."""

    def note(client, scenario):
        record_property("client", client)
        record_property("scenario", scenario)

    return note
