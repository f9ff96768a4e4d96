"""`lockstep worker`: what is no address is told before Dask is started."""

from __future__ import annotations

import os

import pytest

from lockstep import cli


@pytest.mark.parametrize(
    "address", ["", "10.0.0.1", "tcp://", "tcp://:8786", "tcp://a:99999", "tcp://a:b", "http://a:8787"]
)
def test_what_is_no_address(
    address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "execv", None)
    assert cli.main(["worker", address]) == 2
    out, error = capsys.readouterr()
    assert (out, error) == ("", f"lockstep: address: wanted a Dask scheduler's, as tcp://10.0.0.1:8786, got {address!r}\n")


@pytest.mark.parametrize("address", ["10.0.0.1:8786", "tcp://[::1]:8786", "tls://scheduler:8786"])
def test_dask_is_started(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda file, command: started.append(command))
    assert cli.main(["worker", address, "--workers", "3"]) == 0
    assert started[0][1:6] == ["-m", "distributed.cli.dask_worker", address, "--nworkers", "3"]
