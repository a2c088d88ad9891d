"""The style of a replay's page. Colours are a fixed order of hues that can be told apart, in light and in dark."""

from __future__ import annotations

LIGHT = ("#2a78d6", "#eda100", "#1baf7a", "#008300", "#4a3aa7", "#e34948", "#8b8a86", "#e87ba4", "#eb6834")
DARK = ("#3987e5", "#c98500", "#199e70", "#35a835", "#9085e9", "#e66767", "#8f8e8a", "#d55181", "#d95926")
"""The colours of pieces of bars and of lines, by their number."""


def _variables(colours: tuple[str, ...]) -> str:
    return "".join(f"--c{number}:{colour};" for number, colour in enumerate(colours))


COLOURS = "".join(
    f".c{number},.s{number}{{background:var(--c{number})}}.l{number}{{stroke:var(--c{number})}}"
    for number in range(len(LIGHT))
)

STYLE = (
    f":root{{color-scheme:light dark;--page:#f9f9f7;--card:#fcfcfb;--ink:#0b0b0b;--soft:#52514e;--rule:#e1e0d9;"
    f"{_variables(LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{--page:#0d0d0d;--card:#1a1a19;--ink:#fff;--soft:#c3c2b7;"
    f"--rule:#33332f;{_variables(DARK)}}}}}"
    """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:16px}
h1{font-size:22px;margin:8px 0 0}h2{font-size:16px;margin:0}
header p,.sub{color:var(--soft);margin:0 0 10px;overflow-wrap:anywhere}
section{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:14px;margin:14px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:14px 0}
.tiles div{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 14px}
.tiles span{display:block;color:var(--soft);font-size:13px}.tiles b{font-size:20px;overflow-wrap:anywhere}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 16px;margin:6px 0 12px;padding:0;font-size:13px}
.legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}
.legend span{color:var(--soft)}
.row{display:grid;grid-template-columns:minmax(70px,130px) 1fr minmax(70px,auto);gap:10px;align-items:center;
margin:6px 0}
.row b{font-weight:500;font-size:14px;overflow-wrap:anywhere}
.row span{font-size:13px;color:var(--soft);text-align:right;font-variant-numeric:tabular-nums}
.row div{display:flex;height:20px}
.row i{border-radius:2px;box-shadow:inset -1px 0 var(--card)}
.ideal{border:1px dashed var(--soft)}
.plot{position:relative;height:240px;padding-left:58px}
.plot svg{width:100%;height:100%;display:block;overflow:visible}
.plot path{fill:none;stroke-width:2px;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.grid line{stroke:var(--rule);stroke-width:1px;vector-effect:non-scaling-stroke}
.ticks span{position:absolute;left:0;width:50px;text-align:right;transform:translateY(-50%);
font-size:12px;color:var(--soft);font-variant-numeric:tabular-nums}
.axis{display:flex;justify-content:space-between;padding-left:58px;font-size:12px;color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:4px 12px 4px 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th[scope=row]{text-align:left;font-weight:400;color:var(--soft);position:sticky;left:0;background:var(--card)}
li{margin:4px 0}
@media (max-width:520px){.row{grid-template-columns:1fr auto;gap:2px 8px}.row div{grid-column:1/3;grid-row:2}
th[scope=row]{white-space:normal;min-width:110px}}
""" + COLOURS
)
