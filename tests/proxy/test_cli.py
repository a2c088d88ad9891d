"""The command line as users meet it; what the commands do is tested with their own modules."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from proxy import cli
from proxy.config_problem import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> int:
    """The exit code, however it is given."""
    try:
        return cli.main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((), ["serve", "replay", "config", "demo"]),
        (("serve",), ["--config", "--host", "--port", "--workers", "--upstream", "--record", "--log", "--log-level"]),
        (
            ("replay",),
            [
                "FILE",
                "--strategy",
                "--model",
                "--arrivals",
                "--branches",
                "--hit",
                "--calibrate",
                "--report",
                "--ttl",
                "--json",
            ],
        ),
        (("config",), ["check", "show"]),
        (("config", "check"), ["file"]),
        (("config", "show"), ["file"]),
        (("demo",), ["demo"]),
    ],
)
def test_every_command_explains_itself(
    command: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command, "--help") == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: warmgate")
    assert not [word for word in words if word not in out]
    assert err == ""


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"warmgate {version('warmgate')}\n"


@pytest.mark.parametrize(
    "arguments",
    [(), ("sreve",), ("config",), ("config", "chek"), ("replay",), ("serve", "--port", "x"), ("serve", "--nothing")],
)
def test_what_it_does_not_know_is_a_usage_error(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: warmgate")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_recording_that_is_not_there(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.jsonl"
    assert run("replay", str(missing), *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert str(missing) in err
    assert err.count("\n") == 1


def test_a_directory_is_no_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("replay", str(tmp_path)) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("command", [("serve", "--config"), ("config", "check"), ("config", "show")])
def test_a_configuration_that_is_not_there(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.yaml"
    assert run(*command, str(missing)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{missing}: can't be read: No such file or directory" in err


@pytest.mark.parametrize(
    ("flags", "trail"),
    [
        (("--port", "70000"), "listen.port"),
        (("--workers", "0"), "listen.workers"),
        (("--upstream", "ftp://x"), "upstream.base_url"),
        (("--log", "xml"), "log.format"),
        (("--log-level", "loud"), "log.level"),
    ],
)
def test_a_flag_is_held_to_the_same_rules_as_the_file(
    flags: tuple[str, ...], trail: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("serve", *flags) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert trail in err
    assert err.count("\n") == 1


def test_flags_go_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "warmgate.yaml"
    file.write_text("upstream: {base_url: simulated}\nlisten: {port: 1, host: 127.0.0.2}\n")
    parse = cli._parser().parse_args
    settings = cli.settings_of(parse(["serve", "--config", str(file), "--port", "0", "--record", str(tmp_path)]))
    assert (settings.listen.port, settings.listen.host) == (0, "127.0.0.2")
    assert (settings.upstream.base_url, settings.record.dir) == ("simulated", str(tmp_path))
    with pytest.raises(ConfigError, match=r"upstream\.base_url"):
        cli.settings_of(parse(["serve", "--upstream", "nothing at all"]))


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
@pytest.mark.parametrize("arguments", [("config", "show"), ("config", "show", "FILE")])
def test_a_reader_that_goes_away_is_no_error_worth_a_traceback(arguments: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "warmgate.yaml"
    file.write_text("upstream: {base_url: simulated}\n")
    named = [str(file) if argument == "FILE" else argument for argument in arguments]
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "proxy.cli", *named],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(writing)
    assert ended.returncode == 141
    assert ended.stderr == b""
