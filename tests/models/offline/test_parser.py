"""Worker processes that parse source code: what hostile text can and cannot do to them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from reviewbot.core.findings.suggestions import Edit
from reviewbot.models.offline import parser as pool_module
from reviewbot.models.offline import parser_process as process_module
from reviewbot.models.offline.messages import Match, Pattern
from reviewbot.models.offline.parser import Allowance, ParserHunk, ParserPool
from reviewbot.models.offline.parser_process import START, ParseError, memory, processor_time
from reviewbot.models.offline.worker import ADDRESS_SPACE
from tests.models.sandbox.canaries import need_sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reviewbot.models.offline.parser import Parser
    from reviewbot.models.offline.parser_process import ParserProcess

EVAL = Pattern({"rule": {"pattern": "eval($A)"}}, None, None, "$A")
LOOP = ("typescript", "[[" + " " * 610 + "}")
"""tree-sitter never returns from this."""
CRASH = ("tsx", "<a>" * 130_000)
"""This overflows the stack."""
WITHOUT_LIMITS = sys.platform != "linux"


@pytest.fixture(autouse=True)
def _kept_parsers(_idle_parsers: list[ParserProcess]) -> None:
    """Each test has processes of its own, and finds none of other tests."""
    while _idle_parsers:
        _idle_parsers.pop().close()


@pytest.fixture
async def pool() -> AsyncIterator[ParserPool]:
    pool = ParserPool(2)
    yield pool
    pool.close()


def found(*texts: str) -> list[Match]:
    return [Match(0, 0, n, n, 0, None, {"A": text[5:-1]}) for n, text in enumerate(texts)]


async def look(
    parser: Parser, *texts: str, language: str = "python", seconds: float = 5.0
) -> list[Match]:
    hunk = ParserHunk(list(texts), (True,) * len(texts))
    return await parser.match(language, [hunk], [EVAL], Allowance(seconds))


def processes() -> list[psutil.Process]:
    """The parser processes of this process; it may have other children."""
    found = []
    for one in psutil.Process().children():
        with suppress(psutil.Error):
            if "offline.worker" in " ".join(one.cmdline()):
                found.append(one)
    return found


def running(text: str) -> list[psutil.Process]:
    """All processes of the machine whose command holds a text."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if text in " ".join(one.cmdline()):
                found.append(one)
    return found


async def test_matches_are_returned_by_hunk_line_and_column(pool: ParserPool) -> None:
    parser = pool.for_tenant("a")
    hunks = [
        ParserHunk(["x = 1"], (True,)),
        ParserHunk(["y = 2", "z = eval('\udc80')"], (False, True)),
    ]
    matches = await parser.match("python", hunks, [EVAL], Allowance())
    assert matches == [Match(1, 0, 1, 1, 4, None, {"A": "'\ufffd'"})]


async def test_one_process_starts_with_the_first_request_and_serves_the_next_ones(
    pool: ParserPool,
) -> None:
    before = processes()
    parser = pool.for_tenant("a")
    assert processes() == before
    for _ in range(3):
        assert await look(parser, "eval(x)") == found("eval(x)")
    assert len(processes()) == len(before) + 1
    pool.close()
    assert processes() == before


async def test_an_endless_loop_is_stopped_and_the_next_file_is_read(pool: ParserPool) -> None:
    parser = pool.for_tenant("a")
    allowance = Allowance(0.5)
    hunk = ParserHunk(["eval(x);", LOOP[1]], (True, True))
    with pytest.raises(ParseError, match=r"parsing took longer than 5 s of processor time\."):
        await parser.match(LOOP[0], [hunk], [EVAL], allowance)
    assert allowance.seconds <= 0
    assert await look(parser, "eval(x)") == found("eval(x)")


async def test_a_file_is_read_however_long_its_process_waits_for_a_processor(
    pool: ParserPool,
) -> None:
    parser = pool.for_tenant("a")
    await look(parser, "eval(x)")
    (process,) = processes()
    process.suspend()
    allowance = Allowance(0.2)
    hunk = ParserHunk(["eval(x)"], (True,))
    waiting = asyncio.create_task(parser.match("python", [hunk], [EVAL], allowance))
    await asyncio.wait({waiting}, timeout=1.0)
    process.resume()
    assert await waiting == found("eval(x)")
    assert allowance.seconds > 0.0


async def test_a_process_that_only_waits_is_stopped(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = pool.for_tenant("a")
    await look(parser, "eval(x)")
    (process,) = processes()
    process.suspend()
    monkeypatch.setattr(process_module, "WALL_S", 0.3)
    with pytest.raises(ParseError, match=r"^parsing did not end within 60 s\.$"):
        await look(parser, "eval(x)")
    assert not process.is_running()


async def test_a_file_without_time_left_starts_no_request(pool: ParserPool) -> None:
    with pytest.raises(ParseError, match="took longer"):
        await look(pool.for_tenant("a"), "eval(x)", seconds=0.0)


@pytest.mark.slow
async def test_a_crash_is_one_sentence_and_the_next_file_is_read(pool: ParserPool) -> None:
    parser = pool.for_tenant("a")
    with pytest.raises(ParseError, match=r"^the parser crashed\.$"):
        await look(parser, "eval(x);", CRASH[1], language=CRASH[0], seconds=60.0)
    assert await look(parser, "eval(x)") == found("eval(x)")


async def test_a_process_that_ended_between_two_requests_is_replaced(pool: ParserPool) -> None:
    parser = pool.for_tenant("a")
    await look(parser, "eval(x)")
    (process,) = processes()
    process.kill()
    await asyncio.to_thread(psutil.wait_procs, [process], 20)
    assert await look(parser, "eval(x)") == found("eval(x)")


async def test_a_process_that_uses_too_much_memory_is_stopped(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = pool.for_tenant("a")
    await look(parser, "eval(x)")
    monkeypatch.setattr(process_module, "MEMORY", 1 << 20)
    with pytest.raises(ParseError, match=r"the parser used more than 1 MiB of memory\."):
        await look(parser, LOOP[1], language=LOOP[0])


async def test_a_process_that_kept_much_memory_is_not_used_again(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = pool.for_tenant("a")
    await look(parser, "eval(x)")
    (first,) = (one.pid for one in processes())
    monkeypatch.setattr(pool_module, "KEPT_MEMORY", 0)
    monkeypatch.setattr(pool_module, "WATCH_S", 0.0)
    await look(parser, "eval(x)")
    await look(parser, "eval(x)")
    assert first not in [one.pid for one in processes()]


@pytest.mark.skipif(WITHOUT_LIMITS, reason="these limits are Linux's")
async def test_the_process_has_limits_of_its_own_and_no_secrets(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-planted-key")
    monkeypatch.setenv("PGPASSWORD", "a-planted-password")
    await look(pool.for_tenant("a"), "eval(x)")
    (process,) = processes()
    assert process.environ().keys() <= {"SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
    assert process.rlimit(psutil.RLIMIT_AS) == (ADDRESS_SPACE, ADDRESS_SPACE)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert 0 < process.rlimit(psutil.RLIMIT_CPU)[0] < 20


@pytest.mark.skipif(WITHOUT_LIMITS, reason="only Linux has a sandbox")
async def test_the_process_confines_itself(pool: ParserPool) -> None:
    need_sandbox()
    await look(pool.for_tenant("a"), "eval(a)")
    (process,) = processes()
    filters = [filters_of(one) for one in (process.pid, os.getpid())]
    assert filters[0] == filters[1] + 1


def filters_of(pid: int) -> int:
    """Return the number of seccomp filters of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return int(fields["Seccomp_filters"])


@pytest.mark.skipif(WITHOUT_LIMITS, reason="this limit is Linux's")
@pytest.mark.slow
async def test_a_loop_ends_although_its_parent_is_gone(tmp_path: Any) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio\n"
        "from tests.models.offline.test_parser import LOOP, look\n"
        "from reviewbot.models.offline.parser import ParserPool\n"
        "parser = ParserPool().for_tenant('a')\n"
        "asyncio.run(look(parser, LOOP[1], language=LOOP[0], seconds=3.0))\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, script), env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    while not (children := psutil.Process(parent.pid).children()):  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.05)
    (child,) = children
    while child.cpu_times().user < 0.3:  # noqa: ASYNC110 - likewise
        await asyncio.sleep(0.05)
    parent.kill()
    await parent.wait()
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [child], 60)
    assert gone


async def test_cancelling_ends_the_process_at_once(pool: ParserPool) -> None:
    parser = pool.for_tenant("a")
    await look(parser, "eval(x)")
    (process,) = processes()
    before = process.cpu_times().user
    task = asyncio.create_task(look(parser, LOOP[1], language=LOOP[0], seconds=60))
    async with asyncio.timeout(20):
        while process.cpu_times().user < before + 0.05:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(20):  # the request has 60 s
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not process.is_running()
    assert await look(parser, "eval(x)") == found("eval(x)")


async def test_the_event_loop_is_free_while_a_file_is_parsed(pool: ParserPool) -> None:
    parser = pool.for_tenant("a")
    await look(parser, "eval(x)")
    task = asyncio.create_task(look(parser, LOOP[1], language=LOOP[0], seconds=1.0))
    beats = 0
    while not task.done():
        await asyncio.sleep(0.01)
        beats += 1
    with pytest.raises(ParseError):
        task.result()
    assert beats > 20


async def test_a_tenant_with_hostile_files_keeps_no_other_waiting(pool: ParserPool) -> None:
    hostile, other = pool.for_tenant("hostile"), pool.for_tenant("other")
    await look(other, "eval(x)")
    files = [
        asyncio.create_task(look(hostile, LOOP[1], language=LOOP[0], seconds=60.0))
        for _ in range(5)
    ]
    await asyncio.sleep(0.05)
    for _ in range(10):
        async with asyncio.timeout(20):
            assert await look(other, "eval(x)") == found("eval(x)")
    assert not any(one.done() for one in files)
    for one in files:
        one.cancel()
    await asyncio.wait(files)


def replying(reply: bytes) -> str:
    """A process that answers whatever it is asked with these bytes."""
    return (
        "import struct, sys; [[sys.stdin.buffer.read(*struct.unpack('>I', head)),"
        f" sys.stdout.buffer.write({reply!r}), sys.stdout.buffer.flush()]"
        " for head in iter(lambda: sys.stdin.buffer.read(4), b'')]"
    )


def message(value: object) -> bytes:
    data = json.dumps(value).encode()
    return len(data).to_bytes(4, "big") + data


GOOD = {
    "hunk": 0,
    "pattern": 0,
    "first": 0,
    "last": 0,
    "column": 0,
    "suggestion": None,
    "values": {"A": "x"},
}


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\0\0\0\2[",
        b"\0\0\0\1x",
        message([]),
        message(7),
        message({"matches": 7}),
        message({"matches": [7]}),
        message({"matches": [GOOD | {"hunk": 1}]}),
        message({"matches": [GOOD | {"pattern": -1}]}),
        message({"matches": [GOOD | {"first": 1}]}),
        message({"matches": [GOOD | {"last": 5}]}),
        message({"matches": [GOOD | {"values": [1]}]}),
        message({"matches": [GOOD | {"suggestion": 1}]}),
        message({"matches": [GOOD | {"column": "1"}]}),
    ],
)
async def test_a_process_that_was_taken_over_gives_no_findings(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch, reply: bytes
) -> None:
    monkeypatch.setattr(process_module, "START_S", 1.0)
    monkeypatch.setattr(process_module, "START", replying(reply) if reply else "pass")
    with pytest.raises(ParseError):
        await look(pool.for_tenant("a"), "eval(x)", seconds=1.0)


MATCH = {"hunk": 0, "line": 0, "rule": "sql/no-where", "values": {}}


@pytest.mark.parametrize(
    "reply",
    [
        message({}),
        message({"text": [7]}),
        message({"text": [MATCH | {"hunk": 1}]}),
        message({"text": [MATCH | {"line": -1}]}),
        message({"text": [MATCH | {"rule": "sql/other"}]}),
        message({"text": [MATCH | {"values": {"TABLE": 1}}]}),
    ],
)
async def test_a_process_that_was_taken_over_gives_no_findings_in_text(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch, reply: bytes
) -> None:
    monkeypatch.setattr(process_module, "START", replying(reply))
    with pytest.raises(ParseError):
        await pool.for_tenant("a").check_text("sql", [["x"]], {"sql/no-where"}, Allowance(1.0))


async def test_text_whose_check_takes_long_is_stopped_in_the_process(pool: ParserPool) -> None:
    parser = pool.for_tenant("a")
    lines = ["delete from a;"]
    (match,) = await parser.check_text("sql", [lines], {"sql/no-where"}, Allowance())
    assert (match.rule, match.line, match.values["TABLE"]) == ("sql/no-where", 0, "a")
    hostile = ["execute" + " " * 60_000 + ";"]
    with pytest.raises(ParseError, match="took longer"):
        await parser.check_text("sql", [hostile], {"sql/no-where"}, Allowance(0.5))


async def test_a_parser_that_is_not_installed_is_named(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = "import sys; sys.modules['ast_grep_py'] = None; " + START
    monkeypatch.setattr(process_module, "START", start)
    with pytest.raises(ParseError, match=r"the parser is not installed \(.*ast_grep_py.*\)\."):
        await look(pool.for_tenant("a"), "eval(x)")


async def test_a_process_that_cannot_start_is_named(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ParseError, match=r"the parser could not start \(No such file"):
        await look(pool.for_tenant("a"), "eval(x)")


def edit(language: str, *new: str) -> Edit:
    return Edit(language, ["x = 1"], list(new), ["x = 1"], list(new))


MARK = f"# forks of {os.getpid()}"
FORKS = (
    f"import os, sys, time  {MARK}\nif os.fork():\n    time.sleep(60)\nelse:\n    time.sleep(60)\n"
)


@pytest.mark.skipif(sys.platform == "win32", reason="fork is POSIX")
async def test_what_a_taken_over_process_started_ends_with_it(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "START_S", 0.5)
    monkeypatch.setattr(process_module, "START", FORKS)
    async with asyncio.timeout(20):
        with pytest.raises(ParseError, match=r"the parser did not start within 0\.5 s\."):
            await look(pool.for_tenant("a"), "eval(x)")
    async with asyncio.timeout(20):
        while running(MARK):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)


async def test_a_suggestion_is_checked_in_the_process(pool: ParserPool) -> None:
    parser = pool.for_tenant("a")
    assert await parser.keeps_syntax(edit("python", "x = 2")) is True
    assert await parser.keeps_syntax(edit("python", "x = (")) is False


async def test_a_suggestion_that_hangs_or_crashes_the_parser_does_not_pass(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "CHECK_S", 0.5)
    parser = pool.for_tenant("a")
    assert await parser.keeps_syntax(edit(*LOOP)) is False
    assert await parser.keeps_syntax(edit("python", "x = 2")) is True


@pytest.mark.skipif(sys.platform != "linux", reason="the other way is that of all systems")
@pytest.mark.parametrize("system", ["linux", "other"])
def test_time_and_memory_of_a_process_are_known_until_it_ends(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "import os; print(os.getpid())"]
    ended = int(subprocess.run(command, capture_output=True, check=True).stdout)
    used = time.process_time()
    monkeypatch.setattr(sys, "platform", system)
    assert processor_time(os.getpid()) >= used - 0.1  # psutil counts in hundredths
    assert 1 << 20 < memory(os.getpid()) < 1 << 40
    assert (processor_time(ended), memory(ended)) == (0, 0)
