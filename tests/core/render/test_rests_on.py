"""The code that a finding rests on: one short line in every format, from checked places only."""

from __future__ import annotations

import json
from dataclasses import replace

from reviewbot.core.findings.finding import RestsOn
from reviewbot.core.render import markdown, sarif
from reviewbot.core.render.finding_block import finding_block
from reviewbot.core.render.layout import plain
from reviewbot.core.render.rests_on import rests_on
from tests.support.documents import report_of
from tests.support.reports import FINDING


def place(
    path: str, line: int, end: int = 0, *, base: bool = False, is_shown: bool = False
) -> RestsOn:
    return RestsOn(path, line, end or line, "some code", base, is_shown)


TWO = replace(FINDING, rests_on=(place("src/a.py", 12), place("src/b.py", 30, 31, base=True)))
LINE = "src/a.py:12, src/b.py:30-31 (old version)"


def test_the_line_names_lines_and_the_old_version() -> None:
    assert rests_on(TWO) == LINE
    assert rests_on(FINDING) == ""


def test_a_finding_rests_on_three_named_places_and_the_others_are_counted() -> None:
    finding = replace(FINDING, rests_on=tuple(place(f"{n}.py", n) for n in range(1, 6)))
    assert rests_on(finding) == "1.py:1, 2.py:2, 3.py:3 and 2 more"


def test_looked_up_code_comes_first_and_code_beside_the_finding_is_left_out() -> None:
    beside = place(FINDING.path, 4, is_shown=True)
    far = place(FINDING.path, 400)
    in_diff = place("other.py", 7, is_shown=True)
    finding = replace(FINDING, rests_on=(beside, in_diff, far))
    assert rests_on(finding) == f"{FINDING.path}:400, other.py:7"


def test_a_terminal_has_the_line() -> None:
    assert f"= rests on: {LINE}\n" in plain(finding_block(TWO, (), 100))
    assert "rests on" not in plain(finding_block(FINDING, (), 100))


def test_markdown_has_the_line_with_links_if_their_addresses_are_known() -> None:
    text = markdown.render(report_of(TWO))
    assert "\n\nRests on: `src/a.py:12`, `src/b.py:30-31` (old version)\n" in text
    linked = markdown.render(
        report_of(TWO), address_of=lambda code: f"https://h.example/{code.path}"
    )
    assert "Rests on: [`src/a.py:12`](https://h.example/src/a.py), [`src/b.py:30-31`]" in linked
    assert "Rests on" not in markdown.render(report_of(FINDING))


def test_sarif_relates_the_places_and_claims_no_lines_of_an_old_file() -> None:
    (result,) = json.loads(sarif.render(report_of(TWO)))["runs"][0]["results"]
    new, old = (location["physicalLocation"] for location in result["relatedLocations"])
    assert new["region"] == {"startLine": 12, "endLine": 12}
    assert old == {"artifactLocation": {"uri": "src/b.py", "uriBaseId": "%SRCROOT%"}}
    assert "Rests on src/b.py:30-31 (old version)" in json.dumps(result)
    (result,) = json.loads(sarif.render(report_of(FINDING)))["runs"][0]["results"]
    assert "relatedLocations" not in result
