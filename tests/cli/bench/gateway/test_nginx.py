"""nginx: a missing tool is one sentence, and the proxy passes on what the upstream says."""

import shutil

import pytest

from stepdown.cli.bench.client import Client
from stepdown.cli.bench.gateway import nginx
from stepdown.cli.bench.gateway.processes import cores, cpu_seconds
from stepdown.cli.bench.gateway.upstream import model_behind
from stepdown.errors import Unavailable

HERE = shutil.which("nginx", path="/usr/sbin:/usr/bin") is not None


def test_what_is_missing_is_told_with_its_package(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    with pytest.raises(Unavailable, match="needs nginx; on Debian, `apt-get install nginx-light"):
        nginx.checked()


@pytest.mark.skipif(not HERE, reason="nginx is not installed")
@pytest.mark.parametrize("kept", [False, True])
def test_the_proxy_passes_answers_on(tmp_path, kept):
    with (
        model_behind() as upstream,
        nginx.proxy(tmp_path / "nginx", upstream, cores().measured, kept=kept) as proxy,
        Client(proxy.url, b"{}") as client,
    ):
        head = client.post()[1]
        assert b"server: nginx" in head
        assert b" 200 " in head
        assert cpu_seconds(proxy.pid) >= 0
