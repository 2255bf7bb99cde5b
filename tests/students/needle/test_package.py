"""What is missing is said in one sentence that names what to fetch; telemetry is off."""

from importlib.metadata import PackageNotFoundError

import pytest

from stepdown.errors import Unavailable
from stepdown.students.needle import package


def test_telemetry_is_off():
    assert package.quiet()["NEEDLE_TELEMETRY"] == "0"
    assert package.quiet()["DO_NOT_TRACK"] == "1"


def test_the_engine_is_where_it_is_said_to_be(engine, monkeypatch, tmp_path):
    assert package.engine_path() == engine
    monkeypatch.setenv("NEEDLE3_LIB_PATH", str(tmp_path / "gone.so"))
    with pytest.raises(Unavailable, match="not there"):
        package.engine_path()


def test_an_engine_in_the_cache_is_found(monkeypatch, tmp_path):
    monkeypatch.delenv("NEEDLE3_LIB_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Unavailable, match="needle fetch"):
        package.engine_path()
    cached = tmp_path / ".cache/cactus-needle/v3/3.3.3/libneedle.so"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert package.engine_path() == cached


def test_without_the_package_it_says_what_to_install(monkeypatch):
    def gone(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(package, "distribution", gone)
    for ask in (package.command, package.worker_command):
        with pytest.raises(Unavailable, match=r"stepdown\[needle\]"):
            ask()
