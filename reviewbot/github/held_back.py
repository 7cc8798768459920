"""What earlier reviews held back, read again from our summary comment. Pure.

It has no comment on a line, so nothing else knows of it. As all that is known from earlier, it
stands as long as its code does.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from reviewbot.core.findings import CATEGORIES, SEVERITIES, Finding, Placement, fingerprint, rank
from reviewbot.core.shown_text import shown_line, shown_markdown
from reviewbot.github.commented_code import CommentedCode
from reviewbot.github.recognised import overlap, repeats

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.core.findings import Category, Severity
    from reviewbot.core.report import Report
    from reviewbot.github.memory import Memory

_SECTION: Final = re.compile(
    r"^<details>\n<summary>Held back \(\d+\)</summary>\n\n(?s:(.+?))\n\n</details>$", re.MULTILINE
)
_ITEM: Final = re.compile(rf"^\*\*({'|'.join(SEVERITIES)}): (.{{1,400}})\*\*$")
_NEXT: Final = re.compile(rf"\n\n(?=\*\*(?:{'|'.join(SEVERITIES)}): )")
_FACTS: Final = re.compile(
    rf"^\[?(?P<path>`[^`\n]+`)[^`\n]*, (?P<category>{'|'.join(CATEGORIES)})"
    r"(?:, `(?P<rule>[^`\n]+)`)?, `(?P<model>[^`\n]+)`, confidence (?P<confidence>[01]\.\d\d)$"
)
_REASON: Final = "Held back: "
_ESCAPED: Final = re.compile(r"\\([^\w\s])")
_CUT: Final = re.compile(r"\.\.\. [\d,]+ more lines?")


def with_held(
    report: Report, memory: Memory, files: Sequence[FileDiff], link_hosts: Collection[str]
) -> Report:
    """``report`` with what the last review held back and this one does not name.

    Args:
        report: the review, its findings under the ids of their comments.
        memory: what is known of the pull request; the summary is read only if it is surely ours.
        files: the diff of the pull request at its head.
        link_hosts: the hosts that links may lead to.
    """
    if memory.summary is None or not memory.signed:
        return report
    section = _SECTION.search(memory.summary[0].body)
    if section is None:
        return report
    code = CommentedCode(files)
    known = {*memory.posted, *memory.ignored}
    findings = list(report.findings)
    for finding in _read(section[1], code, link_hosts):
        named = any(
            one.id == finding.id or (overlap(one, finding) and repeats(one, finding))
            for one in findings
        )
        if finding.id not in known and not named:
            findings.append(finding)
    return replace(report, findings=tuple(sorted(findings, key=lambda one: (*rank(one), one.id))))


def _read(section: str, code: CommentedCode, link_hosts: Collection[str]) -> Iterator[Finding]:
    """The findings of the section whose code is in the diff."""
    for item in _NEXT.split(section):
        heading, _, rest = item.partition("\n\n")
        where, _, rest = rest.partition("\n\n")
        reason, *blocks = rest.split("\n\n")
        title, facts = _ITEM.match(heading), _FACTS.match(where)
        fences = [index for index, block in enumerate(blocks) if block.startswith("> ```")]
        if title is None or facts is None or not fences or not reason.startswith(_REASON):
            continue
        quote = [line[2:] for line in blocks[fences[0]].split("\n")[1:-1]]
        if quote and _CUT.fullmatch(quote[-1]):
            quote.pop()
        path, rule = facts["path"].strip("`"), facts["rule"] or facts["category"]
        place = code.find(path, quote)
        if place is None:
            continue
        side, line = place
        told = blocks[: fences[0]]
        scenario = _unquoted(told.pop(0)) if len(told) > 1 else ""
        yield Finding(
            id=fingerprint(path, rule, "\n".join(quote)),
            path=path,
            quote="\n".join(quote),
            side=side,
            line=line,
            end_line=line + len(quote) - 1,
            scenario=shown_line(scenario),
            category=cast("Category", facts["category"]),
            severity=cast("Severity", title[1]),
            confidence=float(facts["confidence"]),
            title=shown_line(title[2]),
            message=shown_markdown(_unquoted("".join(told)), link_hosts=link_hosts),
            suggestion=None,
            rule=rule,
            model=facts["model"],
            chunk="",
            attempt=1,
            placement=Placement(
                "outside", shown_line(_ESCAPED.sub(r"\1", reason.removeprefix(_REASON))), held=True
            ),
        )


def _unquoted(markdown: str) -> str:
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in markdown.split("\n"))
