"""Reviews and diffs as the JSON objects of API responses. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from reviewbot.core.render.inert import well_formed
from reviewbot.core.render.redacted_diff import redact_for_display
from reviewbot.core.render.wording import asked_first
from reviewbot.store.eventlog import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import ReviewProgress
    from reviewbot.core.events.report import Report
    from reviewbot.jobs.admission import Expected
    from reviewbot.jobs.model_list import ModelList
    from reviewbot.store.reviews import ReviewRow

Json = dict[str, Any]


def review_document(row: ReviewRow, report: Report, progress: ReviewProgress) -> Json:
    """Return everything about a review except its diff."""
    found = {
        "id": row.id,
        "state": row.state,
        "outcome": row.outcome,
        "title": row.title,
        "subject": row.subject,
        "created_at": rfc3339(row.created_at),
        "started_at": _time(row.started_at),
        "finished_at": _time(row.finished_at),
        "next_try_at": _time(row.next_try_at),
        "queue_position": row.queue_position if row.state == "queued" else None,
        "last_seq": row.last_seq,
        "models": list(report.models),
        "notices": list(report.notices),
        "findings": [asdict(finding) for finding in report.findings],
        "verdicts": [asdict(verdict) for verdict in report.verdicts],
        "verification": None if report.verification is None else asdict(report.verification),
        "coverage": [asdict(file) for file in report.coverage] if row.outcome else [],
        "summary": None if report.summary is None else asdict(report.summary),
        "question": report.question,
        "answer": None if report.answer is None else asdict(report.answer),
        "counts": report.counts,
        "usage": asdict(report.usage),
        "cost_usd": report.cost_usd,
        "lookups": _lookups(report) if row.outcome else None,
        "reasons": list(report.reasons),
        "progress": {
            "files_done": progress.files_done,
            "files_total": progress.files_total,
            "chunks_done": progress.chunks_done,
            "chunks_total": progress.chunks_total,
            "activity": progress.activity if row.state != "finished" else None,
        },
    }
    return cast("Json", well_formed(found))  # JSON must be UTF-8, but a path may not be


def _lookups(report: Report) -> int:
    return 0 if report.lookups is None else report.lookups.count


def entry_document(
    row: ReviewRow, *, counts: Mapping[str, int], files: int, cost_usd: float | None
) -> Json:
    """Return a review as an entry of a list."""
    return {
        "id": row.id,
        "state": row.state,
        "outcome": row.outcome,
        "title": row.title,
        "subject": row.subject,
        "created_at": rfc3339(row.created_at),
        "finished_at": _time(row.finished_at),
        "counts": counts,
        "files": files,
        "cost_usd": cost_usd,
    }


def models_document(models: ModelList) -> Json:
    """Return the models that a request can name."""
    return {
        "default": models.default,
        "others": list(models.others),
        "offline_reason": models.offline_reason,
        "budget_usd": models.budget_usd,
        "models": [
            {
                "name": info.name,
                "offline": info.offline,
                "prices": None
                if info.prices is None
                else {"input": info.prices.input, "output": info.prices.output},
            }
            for info in models.models
        ],
    }


def estimate_document(expected: Expected) -> Json:
    """Return the expected usage of a review that was not requested yet."""
    plan = expected.plan
    additional = [part.cost_usd for part in plan.estimate.verification]
    found = {
        "models": list(asked_first(plan)),
        "files": sum(bool(file.chunks) and not file.unread for file in plan.files),
        "requests": plan.estimate.requests,
        "input_tokens": plan.estimate.input_tokens,
        "output_tokens": plan.estimate.output_tokens,
        "cost_usd": plan.estimate.cost_usd,
        "verification_usd": None if None in additional else sum(cost or 0.0 for cost in additional),
        "budget_usd": expected.budget_usd,
    }
    return cast("Json", well_formed(found))


def diff_document(files: Sequence[FileDiff]) -> Json:
    """Return a parsed diff for display, with secrets replaced."""
    return {"files": [_file(file) for file in files]}


def _file(file: FileDiff) -> Json:
    redaction = redact_for_display(file)
    return {
        "path": _text(file.path),
        "old_path": None if file.old_path is None else _text(file.old_path),
        "new_path": None if file.new_path is None else _text(file.new_path),
        "status": file.status,
        "binary": file.binary,
        "added": file.added,
        "removed": file.removed,
        "hunks": [
            {
                "old_start": hunk.old_start,
                "old_count": hunk.old_count,
                "new_start": hunk.new_start,
                "new_count": hunk.new_count,
                "section": _text(redaction.sections.get(index, hunk.section)),
                "lines": [
                    [
                        line.kind,
                        line.old_no,
                        line.new_no,
                        _text(redaction.replacements.get((index, at), line.text)),
                        *((True,) if line.no_newline else ()),
                    ]
                    for at, line in enumerate(hunk.iter_lines())
                ],
            }
            for index, hunk in enumerate(file.hunks)
        ],
    }


def _text(text: str) -> str:
    return str(well_formed(text))


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)
