"""Child process of the fuzz target: runs each case that it is sent and replies with a verdict.

It talks as :mod:`reviewbot.models.offline.worker` does: four bytes of length, then JSON.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import re
import signal
import time
import traceback
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from reviewbot.config.settings import load_settings
from reviewbot.core.diff.excerpt import Excerpts
from reviewbot.core.events.events import (
    FindingRaised,
    FindingWithdrawn,
    ReviewFinished,
    ReviewStarted,
)
from reviewbot.core.events.records import from_record
from reviewbot.core.events.records import record as record_of
from reviewbot.core.events.report import ReportBuilder
from reviewbot.core.findings.suggestions import Edit
from reviewbot.core.render import FINAL, final, ndjson, terminal
from reviewbot.core.render.layout import plain, rich_text
from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import DiffError, ReviewbotError
from reviewbot.models.offline.messages import HEAD
from reviewbot.models.offline.parser import CHECK_S, ParserPool
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import workers
from tests.fuzz.cases import INNOCENT, diff_of, edit_of, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.events.events import Event
    from reviewbot.core.render.finding_block import CodeLine
    from reviewbot.pipeline.prepare import Prepared
    from tests.fuzz.cases import Case

WIDTHS: Final = (30, 100)
STOPPED: Final = re.compile(
    r"(?:Part \d+ of \d+: )?The offline rules did not read all of this file: "
    r"(parsing took longer than \S+ s of processor time\.|parsing did not end within \S+ s\."
    r"|the parser crashed\."
    r"|the parser used more than \d+ MiB of memory\.|the parser failed \(MemoryError\)\.)"
)
"""The reasons that a hostile file may have for being ``partly`` reviewed."""
CUT: Final = "A line is too long to be shown whole."


class WrongError(Exception):
    """A promise of the review was broken."""


def main() -> None:
    """Run cases until standard input ends."""
    faulthandler.enable()
    if hasattr(faulthandler, "register"):  # Windows has no signals to ask for a traceback with
        faulthandler.register(signal.SIGUSR1, all_threads=True)
    cases, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    asyncio.run(_serve(cases, replies))


async def _serve(cases: Any, replies: Any) -> None:
    pool = ParserPool()
    await pool.warm()
    try:
        while len(head := cases.read(HEAD.size)) == HEAD.size:
            case = json.loads(cases.read(*HEAD.unpack(head)))
            started, used = time.perf_counter(), time.process_time()
            reply: dict[str, Any] = {"status": "ok", "stopped": []}
            try:
                reply |= await _run(case, pool)
            except (KeyboardInterrupt, SystemExit):
                raise
            except WrongError as error:
                reply |= {"status": "wrong", "detail": str(error)}
            except BaseException:  # noqa: BLE001 - a panic of a native library is no Exception
                reply |= {"status": "exception", "detail": traceback.format_exc()}
            reply["seconds"] = time.perf_counter() - started
            reply["cpu"] = time.process_time() - used
            data = json.dumps(reply).encode()
            replies.write(HEAD.pack(len(data)) + data)
            replies.flush()
    finally:
        pool.close()


async def _run(case: Case, pool: ParserPool) -> dict[str, Any]:
    if "plant" in case:
        return await _planted(case["plant"])
    if "scan" in case:
        try:
            redact_text(text_of(case["scan"]))
        except ReviewbotError:
            return {"status": "refused"}
        return {}
    if "edit" in case:
        return await _check(edit_of(case), pool)
    return await _review(diff_of(case), pool)


async def _planted(fault: str) -> dict[str, Any]:
    """Commit the fault that a test of the watchdog asks for."""
    if fault == "hang":
        re.match(r"(a+)+$", "a" * 60 + "b")  # the lock of the interpreter is held for ever
    elif fault == "crash":
        os.abort()
    elif fault == "exit":
        os._exit(7)
    elif fault == "memory":
        kept = b"x" * (640 << 20)
        await asyncio.sleep(60)
        del kept
    elif fault == "wrong":
        raise WrongError("a planted fault")
    elif fault == "exception":
        raise ValueError("a planted fault")
    return {}


async def _check(edit: Edit, pool: ParserPool) -> dict[str, Any]:
    """Have a hostile suggestion checked, and then one that must pass."""
    parser = pool.for_tenant("fuzz")
    started = time.perf_counter()
    kept = await parser.keeps_syntax(edit)
    stopped = not kept and time.perf_counter() - started >= CHECK_S
    good = Edit("python", ["x = 1"], ["x = 2"], ["x = 1"], ["x = 2"])
    if not await parser.keeps_syntax(good):
        raise WrongError("the check of a good suggestion failed after this one")
    return {"stopped": ["check"] if stopped else []}


async def _review(data: bytes, pool: ParserPool) -> dict[str, Any]:
    settings = load_settings(flags={"model": "offline"}, env={})
    try:
        prepared = prepare(data, settings)
    except DiffError as error:
        str(error).encode()
        return {"status": "refused"}
    shown = _Shown(prepared)
    async with (
        workers(prepared, settings, parser=pool.for_tenant("fuzz")) as work,
        aclosing(review(prepared.job, work.run_batch, keeps_syntax=work.keeps_syntax)) as events,
    ):
        async for event in events:
            shown.take(event)
    return {"stopped": shown.close()}


class _Shown:
    """One review, rendered in every format and checked.

    Args:
        prepared: the job.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._files = prepared.job.files
        self._builder = ReportBuilder()
        self._excerpts: Excerpts | None = None
        self._events: list[Event] = []

    def take(self, event: Event) -> None:
        """Render one event."""
        self._events.append(event)
        self._builder.add(event)
        code: Sequence[CodeLine] = ()
        if isinstance(event, ReviewStarted):
            self._excerpts = Excerpts(self._files, event)
        if isinstance(event, FindingRaised) and self._excerpts:
            code = self._excerpts.around(event.finding)
        record = record_of(
            event, seq=len(self._events), review_id="fuzz", at="2026-01-01T00:00:00Z"
        )
        text = ndjson.render(record)
        if text.count("\n") != 1 or from_record(json.loads(text)) != event:
            raise WrongError(f"an ndjson record does not read back: {text[:500]}")
        for width in WIDTHS:
            lines = terminal.event_lines(event, width=width, code=code)
            plain(lines).encode()
            rich_text(lines)

    def close(self) -> list[str]:
        """Render the report, check the review, and return the reasons of stopped files."""
        report = self._builder.report
        for name in FINAL:
            text = final(name)(report)
            text.encode()
            if name in ("json", "sarif", "rdjson"):
                json.loads(text)
        for width in WIDTHS:
            plain(terminal.final_lines(report, width=width)).encode()
        ends = [event for event in self._events if isinstance(event, ReviewFinished)]
        if len(ends) != 1 or self._events[-1] is not ends[0]:
            raise WrongError(f"{len(ends)} review.finished, or not as the last event")
        self._check_innocent()
        return _stopped(ends[0])

    def _check_innocent(self) -> None:
        gone = {event.id for event in self._events if isinstance(event, FindingWithdrawn)}
        found = [
            event.finding
            for event in self._events
            if isinstance(event, FindingRaised) and event.finding.path == INNOCENT
        ]
        if [(one.rule, one.line) for one in found if one.id not in gone] != [("python/eval", 2)]:
            raise WrongError(f"the innocent file has the findings {found}")


def _stopped(end: ReviewFinished) -> list[str]:
    """Return the reasons of the files that were stopped.

    Raises:
        WrongError: a file has another reason, or the outcome does not fit.
    """
    reasons = []
    short = False
    for file in end.coverage:
        if file.path == INNOCENT and file.status != "reviewed":
            raise WrongError(f"the innocent file was {file.status}: {file.reason}")
        if file.status in ("reviewed", "skipped", "unread"):
            continue
        short = True
        if file.status == "failed" and "secrets or passwords" in (file.reason or ""):
            reasons.append("too many secrets")
            continue
        if file.status != "partly" or not file.reason:
            raise WrongError(f"{file.path!r} was {file.status}: {file.reason}")
        if stop := STOPPED.match(file.reason):
            reasons.append(stop[1])
        elif CUT not in file.reason:
            raise WrongError(f"{file.path!r} was partly reviewed: {file.reason}")
    if short != (end.outcome == "incomplete"):
        raise WrongError(f"the outcome is {end.outcome}, and files were stopped: {reasons}")
    return reasons


if __name__ == "__main__":
    main()
