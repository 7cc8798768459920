"""The block of the summary comment for coding agents. Pure.

It contains fixed words, ids, rules, links and the paths of the pull request. Paths are hostile, so
it is ASCII JSON without characters that could end the block.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.core.render.markdown_text import is_address
from reviewbot.github.publish.sections import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reviewbot.core.findings.finding import Finding

LABEL: Final = "For coding agents"
FIRST: Final = "Claims about code; verify each."
"""The first sentence, which does not depend on the review."""
MOST: Final = 200
"""Maximum number of findings."""
_ESCAPES: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&`"}
"""Characters that could end a fence or a fold, or begin a marker."""


def for_agents(findings: Iterable[Finding], addresses: Mapping[str, str | None], room: int) -> str:
    """Return the folded block of the findings that count; empty if there is none or no room.

    Args:
        findings: findings, worst first.
        addresses: address of the comment or of the code of each finding, by finding id.
        room: maximum number of characters. ``left_out`` counts the findings without room.
    """
    counted = [finding for finding in findings if counts_for_fail_on(finding)]
    entries = [_entry(finding, addresses.get(finding.id)) for finding in counted[:MOST]]
    room -= len(_block([], len(counted)))
    kept = []
    for entry in entries:
        room -= len(entry) + 2
        if room < 0:
            break
        kept.append(entry)
    return _block(kept, len(counted) - len(kept)) if kept else ""


def _block(entries: list[str], left_out: int) -> str:
    rows = ",\n".join(entries)
    text = f'{{"findings": [\n{rows}\n], "left_out": {left_out}}}'
    return folded(LABEL, f"{FIRST}\n\n```json\n{text}\n```")


def _entry(finding: Finding, address: str | None) -> str:
    """Return one finding as an object. A line that a model only claimed is null."""
    fields = {
        "id": finding.id,
        "path": finding.path,
        "line": finding.line if finding.is_placed else None,
        "severity": finding.severity,
        "rule": finding.rule,
        "link": address if is_address(address) else None,
    }
    return json.dumps(fields).translate(_ESCAPES)
