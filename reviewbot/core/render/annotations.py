"""Render a review as GitHub workflow commands, such as ``::error file=...::message``. Pure.

Format: docs.github.com, "Workflow commands for GitHub Actions"; escapes as in actions/toolkit
(``packages/core/src/command.ts``). GitHub shows 10 errors, 10 warnings and 10 notices of a step;
the worst findings come first, and a last notice counts the others.

Every line is one of our commands, and characters that could end the command are escaped. So the
text of a finding cannot be a command: neither ``::`` at the start of a line nor ``##[`` anywhere
(actions/runner#4692).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.core.render.inert import neutralize_commands
from reviewbot.core.render.wording import (
    causes,
    on_new_lines,
    outcome,
    placement_reason,
    uncovered,
    verification,
    verification_note,
)
from reviewbot.core.safety.escape import show
from reviewbot.core.wording import count, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Finding, Severity

Command = Literal["error", "warning", "notice"]

LIMIT: Final = 10
"""Maximum number of annotations of one level that GitHub shows of a step."""
_COMMANDS: Final[dict[Severity, Command]] = {
    "error": "error",
    "warning": "warning",
    "note": "notice",
}
_MAX_MESSAGE: Final = 4_000  # an annotation holds 64 KB; a log line should stay readable


def render(report: Report) -> str:
    """Return the commands, one per line: an incomplete outcome, then findings, then the rest.

    An incomplete outcome is an error in the first line. The last notice counts findings that are
    held back or exceed GitHub's limit.
    """
    lines: list[str] = []
    left: Counter[str] = Counter()
    room: dict[Command, int] = {"error": LIMIT, "warning": LIMIT, "notice": LIMIT - 1}
    if not report.complete:
        command: Command = "warning" if report.outcome == "superseded" else "error"
        room[command] -= 1
        lines.append(_command(command, _missing(report), title="reviewbot: incomplete"))
    lines += _findings(report.findings, room, left)
    lines.append(_command("notice", _rest(report, left), title="reviewbot"))
    return "".join(line + "\n" for line in lines)


def render_job(
    verdict: str, findings: Iterable[Finding], *, has_failed: bool, notes: Sequence[str] = ()
) -> str:
    """Return the commands of a job, one per line: the verdict, notes, and findings.

    ``verdict`` is an error if the job has failed. ``findings`` are those that no comment and no
    check run shows on their lines. ``notes`` are sentences.
    """
    left: Counter[str] = Counter()
    room: dict[Command, int] = {"error": LIMIT - 1, "warning": LIMIT, "notice": LIMIT - 1}
    shown_notes = notes[: LIMIT - 1]
    room["notice"] -= len(shown_notes)
    shown = _findings(findings, room, left)
    text = " ".join(filter(None, (verdict, _without_room(left))))
    first = _command("error" if has_failed else "notice", text, title="reviewbot")
    others = (_command("notice", note, title="reviewbot") for note in shown_notes)
    return "".join(f"{line}\n" for line in (first, *others, *shown))


def _findings(
    findings: Iterable[Finding], room: dict[Command, int], left: Counter[str]
) -> list[str]:
    """Return a command for each finding that counts, as far as there is room; count the others."""
    lines = []
    for finding in filter(counts_for_fail_on, findings):
        command = _COMMANDS[finding.severity]
        if room[command]:
            room[command] -= 1
            lines.append(_finding(finding, command))
        else:
            left[finding.severity] += 1
    return lines


def failure(sentence: str) -> str:
    """Return the command that shows the reason for a missing review."""
    return _command("error", sentence, title="reviewbot") + "\n"


def notice(sentence: str) -> str:
    """Return the command that shows additional information."""
    return _command("notice", sentence, title="reviewbot") + "\n"


def _finding(finding: Finding, command: Command) -> str:
    notes = (placement_reason(finding), verification_note(finding))
    parts = (finding.scenario, finding.message, *notes)
    properties = {"file": finding.path}
    if on_new_lines(finding):
        properties |= {"line": str(finding.line), "endLine": str(finding.end_line)}
    message = "\n\n".join(filter(None, parts))
    return _command(command, message, **properties, title=" ".join(finding.title.split()))


def _missing(report: Report) -> str:
    files = (f"- {path}" for path in uncovered(report))
    return "\n".join((outcome(report), *causes(report), *files))


def _rest(report: Report, left: Counter[str]) -> str:
    held = f"{count(len(report.held), 'finding')} held back." if report.held else ""
    parts = (outcome(report), _without_room(left), held, verification(report))
    return " ".join(filter(None, parts))


def _without_room(left: Counter[str]) -> str:
    if not left:
        return ""
    what = listed([count(number, severity) for severity, number in left.items()])
    return f"{what} had no room among the annotations: see the job's log or summary."


def _command(command: Command, message: str, **properties: str) -> str:
    pairs = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    text = "\n".join(
        neutralize_commands(show(line.removesuffix("\r"))) for line in message.split("\n")
    )
    if len(text) > _MAX_MESSAGE:
        text = text[:_MAX_MESSAGE] + " ..."
    return f"::{command} {pairs}::{_data(text) or 'No message.'}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    escaped = _data(neutralize_commands(show(text)))
    return escaped.replace(":", "%3A").replace(",", "%2C")
