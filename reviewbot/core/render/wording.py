"""Sentences about a review that several formats share. Pure."""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.coverage import counted_files, reasons_of
from reviewbot.core.events.events import FileCoverage, Usage
from reviewbot.core.plan.languages import language_of
from reviewbot.core.wording import NO_REASON, count, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.core.events.events import (
        ModelShare,
        Requirement,
        ReviewStarted,
        ReviewSummary,
    )
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Finding, Severity

NOTHING = "no findings"
RULES_ONLY = "Reviewed by rules and linters only"
"""First words about a review that a model should have made."""
ICONS: Final[Mapping[Severity, str]] = MappingProxyType(
    {"error": "🛑", "warning": "⚠️", "note": "💡"}
)
_NOTABLE_S = 0.1
_NOT_VERIFIED: Final = ("cannot_tell", "unverified")
UNFINISHED = "The review ended before this file was done."


def counted(report: Report) -> str:
    """Return ``2 errors, 1 warning and 3 notes`` or ``no findings``, without held-back findings."""
    parts = [count(number, severity) for severity, number in report.counts.items() if number]
    return listed(parts) if parts else NOTHING


def outcome(report: Report) -> str:
    """Return the outcome in one sentence or two. It reads clean only if the review is clean.

    Files that the policy skips are not counted. The last sentence names the rules that ran instead
    of a model, if any.
    """
    if report.question is not None:
        return _answered(report)
    first = f"{RULES_ONLY}." if report.rules_only is not None else ""
    return " ".join(filter(None, (first, _outcome(report), report.depth)))


def _outcome(report: Report) -> str:
    files = len(report.coverage) - len(report.covered("skipped")) + len(report.pending)
    missing, found = len(unreviewed(report)), counted(report)
    if report.complete and not files:
        return _nothing(len(report.coverage))
    if report.complete:
        unread = len(report.covered("unread"))
        aside = f", of which {count(unread, 'was', 'were')} not read" if unread else ""
        where = f"{found} in {count(files, 'file')}{aside}."
        return f"Shallow: {where}" if report.outcome == "shallow" else where[0].upper() + where[1:]
    if report.outcome == "superseded":
        return f"Superseded by a newer version of the change; {found} until then."
    word = (report.outcome or "unfinished").capitalize()
    if missing:
        verb = "was" if missing == 1 else "were"
        how = "not read" if len(report.covered("unread")) == missing else "not fully reviewed"
        what = f"{missing:,} of {count(files, 'file')} {verb} {how}"
    elif report.is_list_only:
        what = "the configuration of the base is invalid"
    else:
        what = "the review did not finish"
    if found == NOTHING:
        none_read = missing == files and not report.covered("partly")
        rest = "" if none_read else "; nothing was found in the rest"
        return f"{word}: {what}{rest}."
    return f"{word}: {what}; {found} found."


def _answered(report: Report) -> str:
    if report.outcome == "answered":
        return "The question was answered."
    return f"{(report.outcome or 'unfinished').capitalize()}: the question was not answered."


def _nothing(skipped: int) -> str:
    if not skipped:
        return "No changes."
    which = "its only file is" if skipped == 1 else f"all its {skipped:,} files are"
    return f"Nothing of this diff was reviewed: {which} skipped by policy."


def unreviewed(report: Report) -> tuple[FileCoverage, ...]:
    """Return the files with a missing or partial review, failed files first.

    Files that nothing read are among them if they make the review incomplete.
    """
    pending = tuple(FileCoverage(path, "failed", UNFINISHED) for path in report.pending)
    unread = () if report.complete else report.covered("unread")
    return (*report.covered("failed"), *pending, *report.covered("partly"), *unread)


def causes(report: Report) -> tuple[str, ...]:
    """Return the reasons for the outcome, each once.

    A reason that several files share states their number; :func:`uncovered` has their names.
    """
    if report.question is not None:
        return report.reasons
    missing = unreviewed(report)
    own = reasons_of(missing)
    known = {*own, *(file.reason for file in missing)}
    return (*own, *(reason for reason in report.reasons if reason not in known))


def uncovered(report: Report) -> tuple[str, ...]:
    """Return the files that :func:`causes` counts without their names."""
    return () if report.question is not None else counted_files(unreviewed(report))


def shallow(report: Report) -> tuple[FileCoverage, ...]:
    """Return the source files of a complete review that nothing read."""
    return report.covered("unread") if report.complete else ()


ACCEPTED_AT_ONCE = 10
_GLOB = re.compile(r"([\\*?\[\]])")
_ESCAPED = r"\\\1"
_WITH_A_MODEL = "To have these files read, review with a model."
_AGAINST_POLICY = "To have vendored or generated files reviewed, add !PATH to exclude."
_ACCEPTING = "To accept these files as they are, add this line to .reviewbot.yml:"


def acceptance(report: Report) -> tuple[str, str]:
    """Return advice about unread files, and the setting that accepts them; empty without any.

    The setting names languages, and the paths of files without one and of those that the policy
    leaves unread, but not more than a line can show.
    """
    files = report.covered("unread")
    if not files:
        return "", ""
    names = dict.fromkeys(
        (None if file.by_policy else language_of(file.path)) or f"/{_GLOB.sub(_ESCAPED, file.path)}"
        for file in files
    )
    advice = [
        "" if all(file.by_policy for file in files) else _WITH_A_MODEL,
        _AGAINST_POLICY if any(file.by_policy for file in files) else "",
        _ACCEPTING,
    ]
    shown = ", ".join(map(_yaml, list(names)[:ACCEPTED_AT_ONCE]))
    return " ".join(filter(None, advice)), f"accept_unread: [{shown}]"


def _yaml(text: str) -> str:
    return text if re.fullmatch(r"[a-z][a-z0-9-]*", text) else json.dumps(text)


def total(tokens: Usage) -> int:
    """Return the sum of all tokens."""
    return tokens.input + tokens.output + tokens.cache_read + tokens.cache_write


def asked_first(plan: ReviewStarted) -> tuple[str, ...]:
    """Return the first models of the chunks of reviewed files, each once."""
    unread = {chunk for file in plan.files if file.unread for chunk in file.chunks}
    chunks = (chunk for chunk in plan.chunks if chunk.id not in unread)
    return tuple(dict.fromkeys(chunk.model for chunk in chunks if chunk.model))


def reviewers(plan: ReviewStarted) -> str:
    """Return ``a, then b``, or ``a, b, then c`` if ``a`` and ``b`` each get some chunks."""
    first = asked_first(plan)
    if len(first) < 2:
        return ", then ".join(plan.models)
    return ", then ".join((", ".join(first), *(one for one in plan.models if one not in first)))


def shares(report: Report) -> tuple[ModelShare, ...]:
    """Return the share of each model if several models completed chunks; otherwise nothing."""
    several = sum(bool(share.chunks) for share in report.by_model) > 1
    return report.by_model if several else ()


def share_of(share: ModelShare) -> str:
    """Return the share of a model, such as ``3 chunks, 1 finding, $0.01``."""
    parts = (count(share.chunks, "chunk"), count(share.findings, "finding"))
    return ", ".join((*parts, dollars(share.cost_usd)))


def usage(tokens: Usage) -> str:
    """Return ``45,120 tokens in (30,000 from the cache), 2,100 out``; empty without usage."""
    if tokens == Usage():
        return ""
    entered = total(tokens) - tokens.output
    cached = f" ({tokens.cache_read:,} from the cache)" if tokens.cache_read else ""
    return f"{count(entered, 'token')} in{cached}, {tokens.output:,} out"


def dollars(amount: float | None) -> str:
    """Return an amount such as ``$1.20`` or ``$0.0042``; ``cost unknown`` without a price."""
    if amount is None:
        return "cost unknown"
    return f"${amount:.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.4f}"


def duration(seconds: float) -> str:
    """Return a duration such as ``0.4 s`` or ``3 min 12 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest} s"


def spending(report: Report) -> str:
    """Return the known tokens, cost and times, separated by semicolons.

    A time that would be shown as ``0.0 s`` is left out.
    """
    parts = [usage(report.usage)]
    if parts[0]:
        parts.append(dollars(report.cost_usd))
    if (whole := report.duration_s or 0) >= _NOTABLE_S:
        parts.append(duration(whole))
    if (first := report.time_to_first_finding_s or 0) >= _NOTABLE_S:
        parts.append(f"first finding after {duration(first)}")
    return "; ".join(filter(None, parts))


def confidence(finding: Finding) -> tuple[str, ...]:
    """Return the confidence; nothing for a finding of an earlier review, which has no chunk."""
    return (f"confidence {finding.confidence:.2f}",) if finding.chunk else ()


def lines_of(finding: Finding) -> str:
    """Return the lines of a finding, such as ``line 4`` or ``lines 4-9``."""
    if finding.line == finding.end_line:
        return f"line {finding.line}"
    return f"lines {finding.line}-{finding.end_line}"


def on_new_lines(finding: Finding) -> bool:
    """Return whether the finding is on lines of the new file."""
    return finding.placement.kind == "inline" and finding.side == "RIGHT"


def state_of(finding: Finding) -> str:
    """Return ``held back``, ``being verified`` or ``not verified``; else empty.

    Findings whose verification is off or succeeded have no state.
    """
    if finding.placement.held:
        return "held back"
    if finding.verification == "pending":
        return "being verified"
    return "not verified" if finding.verification in _NOT_VERIFIED else ""


def titled(finding: Finding) -> str:
    """Return the severity of a finding with its icon, and its state: ``🛑 error, not verified``.

    The icons differ in colour and in form. The word follows for screen readers.
    """
    severity = f"{ICONS[finding.severity]} {finding.severity}"
    return ", ".join(filter(None, (severity, state_of(finding))))


def verification_note(finding: Finding) -> str:
    """Return a sentence for a finding that counts, but has no verdict; else empty."""
    has_no_verdict = finding.verification in ("pending", *_NOT_VERIFIED)
    return "Not verified." if has_no_verdict and not finding.placement.held else ""


def verification(report: Report) -> str:
    """Return a sentence about the verdicts and their cost; empty if nothing was verified."""
    tally = report.verification
    if tally is None:
        return ""
    counts = {
        "supported": tally.supported,
        "partly true": tally.partly,
        "not introduced": tally.not_introduced,
        "wrong": tally.wrong,
        "undecided": tally.cannot_tell,
        "not verified": tally.unverified,
        "fixed": tally.fixed,
        "still open": tally.open,
    }
    parts = [f"{number:,} {word}" for word, number in counts.items() if number]
    what = ", ".join(parts) or "no verdict"
    spent = "; ".join(filter(None, (usage(tally.usage), dollars(tally.cost_usd))))
    return f"Verification: {what} ({spent})."


def look_ups(report: Report) -> str:
    """Return the number of look-ups of models, such as ``3 look-ups``; empty if there are none."""
    return "" if report.lookups is None else count(report.lookups.count, "look-up")


def looked_up(report: Report, named: int) -> str:
    """Return a line about the look-ups of models, which names the first ``named`` of them.

    The line is empty if there are none.
    """
    if report.lookups is None or not named:
        return look_ups(report)
    names = [*report.lookups.activities[:named]]
    if more := len(report.lookups.activities) - len(names):
        names.append(f"{more:,} more")
    return f"{look_ups(report)}: {', '.join(names)}"


def asked_for(summary: ReviewSummary) -> tuple[str, tuple[Requirement, ...]]:
    """Return a heading with counts, and what the change is asked for, what is not found first."""
    entries = sorted(summary.asked_for, key=lambda requirement: requirement.path is not None)
    number = sum(requirement.path is not None for requirement in entries)
    parts = [f"{number} found"] * bool(number)
    parts += [f"{len(entries) - number} not found"] * (number < len(entries))
    return f"Asked for ({', '.join(parts)})", tuple(entries)


def placement_reason(finding: Finding) -> str:
    """Return why a finding is not on a line of the new file; empty if it is on one."""
    reason = finding.placement.reason or NO_REASON
    if finding.placement.held:
        return f"{state_of(finding).capitalize()}: {reason}"
    if finding.placement.kind != "inline":
        return f"Not placed on a line: {reason}"
    return "" if finding.side == "RIGHT" else f"On {lines_of(finding)} of the old file."
