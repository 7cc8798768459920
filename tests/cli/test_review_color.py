"""``--color``: escape sequences on the terminal, and never in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.cli.main import main
from tests.support.repositories import _alone, write
from tests.support.reviews import added

if TYPE_CHECKING:
    import pytest

__all__ = ["_alone"]

BAD = added("app.py", "", "def drop(orders):", "    for key in orders:", "        del orders[key]")


def test_always_colours_text_that_is_piped(capsys: pytest.CaptureFixture[str]) -> None:
    main(["review", write(BAD)])
    plain = capsys.readouterr().out
    main(["review", write(BAD), "--color", "always"])
    coloured = capsys.readouterr().out
    assert "\x1b[" not in plain
    assert "\x1b[1;31merror: \x1b[0m" in coloured


def test_always_does_not_colour_files_and_formats_for_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["review", write(BAD), "--color", "always", "--output", "out.txt"])
    assert "\x1b[" in capsys.readouterr().out
    assert "\x1b[" not in Path("out.txt").read_text("utf-8")
    main(["review", write(BAD), "--color", "always", "--format", "ndjson"])
    assert "\x1b[" not in capsys.readouterr().out
