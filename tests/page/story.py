"""The events that the tests of the page tell their stories with."""

from __future__ import annotations

from typing import Any, Final

from tests.event_schema import assert_valid_event
from tests.page.scripted_server import ROOT, Json, parsed_diff

DEMO: Final = parsed_diff((ROOT / "fixtures" / "demo.diff").read_bytes())
"""The parsed diff of most stories."""

MODEL: Final = "claude-sonnet-5-5"
PATHS: Final = tuple(file["path"] for file in DEMO["files"])
SKIPPED: Final = "web/package-lock.json"
REVIEWED: Final = tuple(path for path in PATHS if path != SKIPPED)


def numbered(*events: Json) -> list[Json]:
    """The events with what each has: a number, a review, a time."""
    whole = [
        {**event, "seq": seq, "review_id": "r", "at": f"2026-11-25T10:00:{seq % 60:02}.000Z"}
        for seq, event in enumerate(events, start=1)
    ]
    for event in whole:
        assert_valid_event(event)
    return whole


def started(
    paths: tuple[str, ...] = REVIEWED,
    skipped: tuple[str, ...] = (SKIPPED,),
    question: str | None = None,
) -> Json:
    chunks = {path: f"c{number}" for number, path in enumerate(paths, start=1)}
    files = [
        {
            "path": path,
            "status": "modified",
            "added": 1,
            "removed": 1,
            "chunks": [chunks[path]] if path in chunks else [],
            "model": MODEL if path in chunks else None,
            "routed_by": "model" if path in chunks else None,
            "unread": None,
        }
        for path in (*paths, *skipped)
    ]
    planned = [
        {
            "id": chunk,
            "path": path,
            "part": 1,
            "parts": 1,
            "batch": "b1",
            "tokens": 100,
            "model": MODEL,
        }
        for path, chunk in chunks.items()
    ]
    estimate = {
        "requests": 1,
        "input_tokens": 400,
        "output_tokens": 100,
        "cost_usd": 0.01,
        "by_model": [],
        "verification": [],
    }
    return {
        "type": "review.started",
        "models": [MODEL],
        "files": files,
        "chunks": planned,
        "batches": 1,
        "estimate": estimate,
        "notices": [],
        "version": "0.1.0",
        "prompt_version": None,
        "beside": [],
        "question": question,
        "rules_only": None,
    }


def finding(id_: str = "f000000000000001", **changes: Any) -> Json:
    """A finding on line 36 of shop/orders.py, but for what is given."""
    placement = {"kind": "inline", "reason": None, "held": False}
    placement.update(changes.pop("placement", {}))
    return {
        "type": "finding",
        "finding": {
            "id": id_,
            "path": "shop/orders.py",
            "quote": "        f\"SELECT id, customer FROM orders WHERE customer = '{customer}'",
            "side": "RIGHT",
            "line": 36,
            "end_line": 36,
            "scenario": "A customer named x' OR '1'='1 reads all orders.",
            "category": "security",
            "severity": "error",
            "confidence": 0.9,
            "title": "SQL built from the caller's text",
            "message": "Pass both values as parameters.",
            "suggestion": None,
            "rule": "security",
            "model": MODEL,
            "chunk": "c2",
            "attempt": 1,
            "suggestion_applies": False,
            "cached": False,
            "verification": "none",
            "guideline": None,
            "sources": [MODEL],
            "rests_on": [],
            "placement": placement,
            **changes,
        },
    }


EVIDENCE: Final[Json] = {
    "path": "shop/orders.py",
    "line": 36,
    "quote": "        f\"SELECT id, customer FROM orders WHERE customer = '{customer}'",
    "base": False,
}


def pending(id_: str = "f000000000000001", **changes: Any) -> Json:
    """A finding that is being verified."""
    return finding(id_, verification="pending", **changes)


def verified(id_: str = "f000000000000001", verdict: str = "supported", **changes: Any) -> Json:
    """A verdict."""
    reason = {
        "supported": "The verifier traced it to the code in shop/orders.py:36.",
        "partly": "The verifier found it partly true, by the code in shop/orders.py:36.",
        "cannot_tell": "The verifier could not tell.",
        "unverified": "Verification failed: the server is overloaded.",
    }[verdict]
    return {
        "type": "finding.verified",
        "id": id_,
        "verdict": verdict,
        "reason": reason,
        "evidence": None if verdict == "unverified" else EVIDENCE,
        "placement": {"kind": "inline", "reason": None, "held": False},
        **changes,
    }


def trivial(id_: str = "f000000000000001") -> Json:
    """A verdict of an earlier version, which holds back what is not worth a fix."""
    reason = "It is true, but the verifier does not find it worth a fix."
    held = {"kind": "outside", "reason": reason, "held": True}
    return verified(id_, placement=held)


def withdrawn(
    id_: str = "f000000000000001", reason: str = "It was guarded.", evidence: Json | None = None
) -> Json:
    verdict = "wrong" if evidence else None
    kind = "finding.withdrawn"
    return {"type": kind, "id": id_, "reason": reason, "evidence": evidence, "verdict": verdict}


def chunk_started(path: str) -> Json:
    chunk = f"c{REVIEWED.index(path) + 1}"
    return {
        "type": "chunk.started",
        "chunk": chunk,
        "path": path,
        "batch": "b1",
        "model": MODEL,
        "attempt": 1,
    }


def chunk_retrying(path: str, reason: str, delay_s: float) -> Json:
    about = {name: value for name, value in chunk_started(path).items() if name != "batch"}
    rest = {"reason": reason, "next_model": MODEL, "delay_s": delay_s, "fault": "overloaded"}
    return {**about, "type": "chunk.retrying", **rest}


def chunk_finished(
    path: str, status: str = "reviewed", reason: str | None = None, *, cached: bool = False
) -> Json:
    about = {name: value for name, value in chunk_started(path).items() if name != "batch"}
    rest = {"status": status, "reason": reason, "cached": cached, "fault": None}
    return {**about, "type": "chunk.finished", **rest}


def progress(
    done: int, activity: str | None = None, cost: float | None = 0.0123, batch: str | None = None
) -> Json:
    return {
        "type": "review.progress",
        "files_done": done,
        "files_total": len(REVIEWED),
        "chunks_done": done,
        "chunks_total": len(REVIEWED),
        "findings": 0,
        "usage": {"input": 1200, "output": 340, "cache_read": 8000, "cache_write": 0},
        "cost_usd": cost,
        "activity": activity,
        "batch": batch,
    }


def summary(**changes: Any) -> Json:
    return {
        "type": "review.summary",
        "what": "Orders gain tax.",
        "files": [{"path": "shop/money.py", "summary": "adds `with_tax`"}],
        "look_at": ["shop/orders.py"],
        "claim_mismatch": None,
        "source": "model",
        "reason": None,
        "asked_for": [
            {"what": "Add tax to totals.", "path": "shop/money.py"},
            {"what": "Show the rate.", "path": None},
        ],
        **changes,
    }


def answer(text: str, *, complete: bool = False) -> Json:
    return {
        "type": "review.answer",
        "text": text,
        "model": MODEL,
        "complete": complete,
        "reply": None,
    }


TALLY: Final[Json] = {
    "supported": 3,
    "partly": 0,
    "not_introduced": 0,
    "wrong": 2,
    "cannot_tell": 1,
    "unverified": 0,
    "fixed": 0,
    "open": 0,
    "usage": {"input": 400, "output": 90, "cache_read": 8000, "cache_write": 0},
    "cost_usd": 0.0123,
}


def finished(
    outcome: str = "findings",
    bad: dict[str, tuple[str, str]] | None = None,
    verification: Json | None = None,
) -> Json:
    """The end; ``bad`` has status and reason of the files that were not reviewed whole."""
    coverage = [
        {
            "path": path,
            "status": (bad or {}).get(path, ("reviewed", ""))[0],
            "reason": (bad or {}).get(path, ("", None))[1],
            "checks": [],
            "fault": None,
            "by_policy": False,
        }
        for path in REVIEWED
    ]
    coverage.append(
        {
            "path": SKIPPED,
            "status": "skipped",
            "reason": "Lockfile.",
            "checks": [],
            "fault": None,
            "by_policy": False,
        }
    )
    return {
        "type": "review.finished",
        "outcome": outcome,
        "coverage": coverage,
        "usage": {"input": 2000, "output": 500, "cache_read": 8000, "cache_write": 0},
        "cost_usd": 0.25,
        "duration_s": 12.5,
        "time_to_first_finding_s": 1.5,
        "findings": {},
        "reasons": ["Two files failed."] if bad else [],
        "by_model": [],
        "depth": "",
        "verification": verification,
        "lookups": None,
    }
