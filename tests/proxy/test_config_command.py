import io

import pytest
import yaml

from proxy.config_command import check, show
from proxy.config_file import loads
from proxy.config_problem import ConfigError

SECRET = "Zx9k3yVal00000"
MANAGED = f"""\
listen: {{host: "::1", workers: 2}}
upstream: {{base_url: "https://me:{SECRET}@host/v1", api_key_env: PROVIDER}}
tenants:
  mode: managed
  keys:
    - {{tenant: a, key: {SECRET}}}
    - {{tenant: b, key_env: TEAM_B}}
"""


@pytest.fixture
def run(tmp_path):
    def run(command, text, env=None, changes=None):
        path = tmp_path / "w.yaml"
        path.write_text(text)
        out, err = io.StringIO(), io.StringIO()
        code = command(path, {"HOME": str(tmp_path), **(env or {})}, out, err, changes)
        return code, out.getvalue(), err.getvalue().replace(str(path), "w.yaml")

    return run


def test_check_says_what_a_server_would_do(run, tmp_path):
    code, out, err = run(check, MANAGED, {"PROVIDER": "sk-provider", "TEAM_B": "bbbb"})
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{tmp_path}/w.yaml: ok",
        "  listens   http://[::1]:4100, 2 workers",
        "  upstream  https://****@host/v1",
        "  tenants   managed, 2 keys of 2 tenants",
        "  shared    nothing between tenants",
        "  cache     coalescing, exact answers",
        "  semantic  off",
        f"  disk      {tmp_path}/.cache/warmgate/answers.sqlite",
        "  redis     none",
        "  records   nothing",
    ]


SEMANTIC = "cache: {{enabled: {0}, semantic: {{enabled: {1}, mode: '{2}', policy: {3}}}}}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SEMANTIC.format("true", "true", "shadow", "calibrated"), "shadow; policy calibrated"),
        (SEMANTIC.format("true", "true", "on", "static"), "on; policy static"),
        (SEMANTIC.format("true", "false", "on", "static"), "off"),
        (SEMANTIC.format("false", "true", "on", "static"), "off"),
        (
            SEMANTIC.format("true", "true", "off", "verified")
            + "routes: [{model: a-*, upstream: openai, semantic: 'on'}, {model: b, upstream: openai, semantic: 'off'}]",
            "off, a-* on; policy verified",
        ),
    ],
)
def test_check_says_what_is_done_about_equivalent_questions(run, text, told):
    code, out, err = run(check, text)
    assert (code, err) == (0, "")
    assert f"  semantic  {told}" in out.splitlines()


def test_check_names_every_variable_that_is_missing_with_its_place(run):
    assert run(check, MANAGED) == (
        1,
        "",
        "w.yaml:2:72: upstream.api_key_env: the variable PROVIDER is not set\n"
        "w.yaml:7:28: tenants.keys[1].key_env: the variable TEAM_B is not set\n"
        "2 problems\n",
    )


def test_show_needs_no_variable_and_shows_no_secret(run):
    code, out, err = run(show, MANAGED, {"WARMGATE_LISTEN_PORT": "9000"}, {"log.level": "debug"})
    assert (code, err) == (0, "")
    assert SECRET not in out
    assert "key: '****'" in out
    assert "base_url: https://****@host/v1" in out
    shown = yaml.safe_load(out)
    assert (shown["listen"]["port"], shown["log"]["level"]) == (9000, "debug")
    with pytest.raises(ConfigError, match=r"tenants\.keys\[0\]\.key: must be made of letters"):
        loads(out)  # a masked key must never become a key


@pytest.mark.parametrize("command", [check, show])
def test_a_broken_file_is_one_exit_code_and_no_output(run, command):
    code, out, err = run(command, "listen: {prot: 1}\n")
    assert (code, out) == (1, "")
    assert err == "w.yaml:1:10: listen.prot: unknown setting; did you mean `port`?\n1 problem\n"


def test_without_a_file_the_defaults_hold(tmp_path):
    out = io.StringIO()
    assert check(None, {"HOME": str(tmp_path)}, out) == 0
    assert out.getvalue().startswith("defaults: ok\n  listens   http://127.0.0.1:4100, 1 worker\n")


def test_without_a_stream_for_problems_they_go_to_standard_error(tmp_path, capsys):
    assert check(tmp_path / "none.yaml", {}, io.StringIO()) == 1
    assert "none.yaml: can't be read: No such file or directory" in capsys.readouterr().err
