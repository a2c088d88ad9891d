"""`serve` where it ends before it begins, in this very process; all the rest of it is in test_process.py."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from proxy.config_file import loads, override
from proxy.serve import serve


def ended(directory: Path, **listen: Any) -> int:
    changes = {f"listen.{name}": value for name, value in listen.items()}
    changes |= {
        "upstream.base_url": "simulated",
        "cache.multi_level.l2.persistence_path": str(directory / "answers.sqlite"),
    }
    return serve(override(loads(""), changes), {})


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use(workers: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert ended(tmp_path, host="127.0.0.1", port=port, workers=workers) == 1
    out, err = capfd.readouterr()
    assert (out, err) == ("", f"warmgate: can't listen on 127.0.0.1:{port}: Address already in use\n")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_address_of_another_machine(workers: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ended(tmp_path, host="192.0.2.1", port=0, workers=workers) == 1  # RFC 5737: nobody has it
    out, err = capfd.readouterr()
    assert (out, err) == ("", "warmgate: can't listen on 192.0.2.1:0: Cannot assign requested address\n")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_host_that_does_not_resolve(workers: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ended(tmp_path, host="nowhere.invalid", port=0, workers=workers) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("warmgate: can't listen on nowhere.invalid:0: ")
    assert err.count("\n") == 1
    assert "None" not in err


def test_a_socket_in_a_directory_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none" / "s"
    assert ended(tmp_path, unix=str(path)) == 1
    out, err = capfd.readouterr()
    assert (out, err) == ("", f"warmgate: can't listen on {path}: No such file or directory\n")
