"""Records ``docs/images/terminal.svg``: ``python -m tests.record_terminal``.

What the command line prints about ``fixtures/demo.diff``, as an SVG that plays by itself where it
is shown as a picture. The offline rules are done in a moment, so the findings come at a pace at
which they can be read; who wants less motion sees the first of them.
"""

from __future__ import annotations

import contextlib
import html
import io
import os
import re
from pathlib import Path
from typing import Final
from unittest.mock import patch

from reviewbot.cli.main import main as reviewbot
from reviewbot.models.linters import linters

ROOT: Final = Path(__file__).parent.parent
RECORDING: Final = ROOT / "docs" / "images" / "terminal.svg"

COMMAND: Final = "reviewbot review fixtures/demo.diff --model offline"
ROWS: Final = 26
LINE: Final = 18
WIDTH: Final = 860
LEFT: Final = 16
TOP: Final = 40

BLOCK_S: Final = 1.6
LAST_S: Final = 6.0
SGR: Final = re.compile(r"\x1b\[([\d;]*)m")
STYLE: Final = """\
text { font: 13.5px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
       fill: #e6edf3; white-space: pre; }
.c1 { font-weight: bold; } .c2 { fill: #9198a1; }
.c31 { fill: #ff7b72; } .c32 { fill: #7ee787; } .c33 { fill: #e3b341; } .c36 { fill: #79c0ff; }
@media (prefers-reduced-motion: reduce) { g { animation: none !important; } }
"""


def main() -> None:
    """Run, and draw."""
    RECORDING.write_text(drawn(printed()), encoding="utf-8")


def printed() -> str:
    """What the command prints, with its colours, where no linter is installed; without times."""
    out = io.StringIO()
    arguments = COMMAND.removeprefix("reviewbot ").split()
    alone, wide = (
        patch.object(linters, "find_programs", tuple),
        patch.dict(os.environ, COLUMNS="100"),
    )
    with alone, wide, contextlib.chdir(ROOT), contextlib.redirect_stdout(out):
        reviewbot([*arguments, "--color", "always"])
    lines = out.getvalue().split("\n")
    return "\n".join(line for line in lines if not SGR.sub("", line).startswith("  spent "))


def drawn(text: str) -> str:
    """The animation: one block after the other, as the window scrolls."""
    blocks = [[f"\x1b[1m$ {COMMAND}\x1b[0m"]]
    blocks += [["", *block.split("\n")] for block in text.strip("\n").split("\n\n")]
    whole = BLOCK_S * (len(blocks) - 1) + LAST_S
    styles, parts, scrolled, row = [STYLE], [], ["0% { transform: none; }"], 0
    for number, block in enumerate(blocks):
        at = f"{100 * BLOCK_S * number / whole:.2f}%"
        if number:
            frames = f"0% {{ visibility: hidden; }} {at} {{ visibility: visible; }}"
            styles.append(f"@keyframes b{number} {{ {frames} }}")
            styles.append(f".b{number} {{ animation: b{number} {whole:.1f}s step-end infinite; }}")
        lines = [
            f'<text x="{LEFT}" y="{(row + index) * LINE}">{spans(line)}</text>'
            for index, line in enumerate(block)
            if line
        ]
        row += len(block)
        parts.append(f'<g class="b{number}">{"".join(lines)}</g>')
        if row > ROWS:
            up = (row - ROWS) * LINE
            scrolled.append(f"{at} {{ transform: translateY(-{up}px); }}")
    styles.append(f"@keyframes scroll {{ {' '.join(scrolled)} }}")
    styles.append(f".scroll {{ animation: scroll {whole:.1f}s step-end infinite; }}")
    height = TOP + ROWS * LINE
    newline = "\n"
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">
<title>reviewbot reviews a diff in the terminal</title>
<style>
{newline.join(styles)}
</style>
<rect width="{WIDTH}" height="{height}" rx="8" fill="#0d1117"/>
<circle cx="20" cy="14" r="5" fill="#ff5f57"/><circle cx="38" cy="14" r="5" fill="#febc2e"/>\
<circle cx="56" cy="14" r="5" fill="#28c840"/>
<svg y="{TOP - 9}" width="{WIDTH}" height="{height - TOP + 9}" overflow="hidden">
<g class="scroll"><g transform="translate(0 {LINE - 5})">
{newline.join(parts)}
</g></g>
</svg>
</svg>
"""


def spans(line: str) -> str:
    """A line with what its colours are as classes."""
    parts = SGR.split(line)
    found = [html.escape(parts[0], quote=False)]
    for codes, text in zip(parts[1::2], parts[2::2], strict=True):
        classes = " ".join(f"c{code}" for code in codes.split(";") if code not in ("", "0"))
        shown = html.escape(text, quote=False)
        found.append(f'<tspan class="{classes}">{shown}</tspan>' if classes and text else shown)
    return "".join(found)


if __name__ == "__main__":
    main()
