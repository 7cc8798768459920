"""Texts that try to be instructions."""

from __future__ import annotations

from pathlib import Path

INJECTIONS = {
    path.stem: path.read_bytes().decode("utf-8", "surrogateescape")
    for path in sorted((Path(__file__).parents[2] / "fixtures" / "injection").glob("*.txt"))
}
