"""The page about output formats shows what the formats really write."""

from __future__ import annotations

import re
from pathlib import Path

from reviewbot.cli.review import FORMATS
from tests.regenerate_golden import STREAMS

PAGE = (Path(__file__).parent.parent / "docs" / "output-formats.md").read_text(encoding="utf-8")


def test_every_example_line_is_a_line_of_a_recorded_output() -> None:
    written = {
        line.rstrip()
        for path in STREAMS.iterdir()
        if path.is_file()
        for line in path.read_text(encoding="utf-8").split("\n")
    }
    blocks = re.findall(r"^```(?:text|json|markdown)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) > 10
    assert [line for line in lines if line not in written] == []


def test_every_format_of_the_command_line_has_its_section() -> None:
    sections = re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)
    assert set(sections) == {*FORMATS}


def test_the_page_names_the_only_command_that_writes_server_sent_events() -> None:
    assert "sse" not in FORMATS
    assert "Only `reviewbot serve` writes server-sent events" in PAGE


def test_every_link_leads_to_a_file() -> None:
    for target in re.findall(r"\]\((\.\.?/[^)#]+)\)", PAGE):
        assert (Path(__file__).parent.parent / "docs" / target).exists(), target
