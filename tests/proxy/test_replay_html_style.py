import re

from proxy.replay_html import CAUSE_NAMES, CLASS_NAMES
from proxy.replay_html_style import DARK, LIGHT, STYLE
from proxy.replay_strategies import TOLD


def test_every_colour_is_there_in_light_and_in_dark() -> None:
    assert len(LIGHT) == len(DARK) >= max(len(CAUSE_NAMES), len(CLASS_NAMES), len(TOLD))
    assert len({*LIGHT}) == len(LIGHT)
    assert len({*DARK}) == len(DARK)
    assert STYLE.count("--c0:") == 2
    used = set(re.findall(r"var\((--\w+)\)", STYLE))
    light, dark = STYLE.split("prefers-color-scheme:dark", 1)
    for name in used:
        assert f"{name}:" in light
        assert f"{name}:" in dark


def test_nothing_is_loaded() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE
