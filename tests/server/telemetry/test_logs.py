"""The log says what happened to which review, and holds nothing of what was reviewed."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from sqlalchemy.exc import OperationalError

from reviewbot.server.telemetry import logs
from reviewbot.server.telemetry.logs import FIELDS, JsonLines, TextLines, bound, configure
from reviewbot.server.telemetry.tracebacks import ERRORS, FRAMES, shown_error, shown_traceback
from reviewbot.store.database import StoreError
from tests.fake_anthropic import Answer, FakeAnthropic, Reply, StatusError
from tests.server.nodes import APART, ROOT, Node, follow, node, post, until_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORD = "xylophone" + "_quartz"
SECRET = "ghp_" + "a8Xk2Lm9Qw4Er7Ty1Ui5Op3As6Df0Gh2Jk4Z"
FOLDER = "walrus_folder"
PLANTED = (WORD, SECRET, FOLDER, "marmalade", "pelican", "ostrich", "flamingo")
"""None of these may be in a log: of the diff, its paths, the title, the description, options."""

TITLE = 'marmalade\n{"level": "error", "message": "forged"}\n\x1b[31m\u202e'
DIFF = f"""\
diff --git a/{FOLDER}/a.py b/{FOLDER}/a.py
new file mode 100644
--- /dev/null
+++ b/{FOLDER}/a.py
@@ -0,0 +1,3 @@
+def {WORD}():
+    token = "{SECRET}"
+    return eval(token)
"""

SABOTAGE = """
import os

planted = os.environ["PLANTED"]
mode = os.environ["SABOTAGE"]

if mode == "write":
    import sqlite3
    from sqlalchemy.exc import OperationalError
    from reviewbot.store import eventlog

    eventlog.RETRY_S = ()
    apply = eventlog.EventLog._apply

    def failing(self, connection, group):
        for one in group.events:
            if one.type == "chunk.finished":
                error = sqlite3.OperationalError(one.data)
                raise OperationalError("INSERT " + planted, {"data": one.data}, error)
        apply(self, connection, group)

    eventlog.EventLog._apply = failing
if mode == "run":
    from reviewbot.pipeline import review

    def failing(self, *_):
        try:
            raise ValueError(planted)
        except ValueError as error:
            error.add_note(planted)
            raise ExceptionGroup(planted, [KeyError(planted), error]) from error

    review._ReviewRun._chunk_finished = failing
if mode == "call":
    from reviewbot.server.reviews import ReviewApi

    async def failing(self, request):
        import asyncio, threading, warnings

        async def unseen():
            raise ValueError(planted)

        asyncio.get_running_loop().create_task(unseen())
        threading.Thread(target=lambda: {}[planted]).start()
        warnings.warn(planted)
        await asyncio.sleep(0.1)
        raise RuntimeError(planted)

    ReviewApi.latest = failing
"""


def lines(one: Node) -> list[dict[str, Any]]:
    """The log, each line of which must be a record."""
    return [json.loads(line) for line in one.log.splitlines()]


def is_record(line: dict[str, Any]) -> bool:
    return bool(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        and line["level"] in ("debug", "info", "warning", "error", "critical")
        and line["logger"]
        and line["message"]
        and set(line) - {"time", "level", "logger", "message", "exception"} <= set(FIELDS)
    )


async def until_logged(one: Node, text: str) -> None:
    async with asyncio.timeout(20):
        while True:
            if text in one.log:
                return
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *((mode, "json") for mode in ("run", "none", "model", "write", "call")),
        ("call", "text"),
    ],
)
async def test_no_secret_and_nothing_of_the_diff_is_logged_whatever_fails(
    tmp_path: Path, mode: str, kind: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SABOTAGE, "utf-8")

    def respond(_: object) -> Reply:
        if mode == "model":
            return StatusError(400, message=f"cannot read: {' '.join(PLANTED)}")
        return Answer([], thinking=WORD)

    options = {"instructions": "ostrich", "model": "flamingo"}
    async with (
        FakeAnthropic(respond) as fake,
        node(
            tmp_path,
            *("--log-format", kind, "--log-level", "debug"),
            fake=fake,
            settings=APART,
            SABOTAGE=mode,
            PLANTED=" ".join(PLANTED),
            PYTHONPATH=f"{tmp_path}:{ROOT}" if f'"{mode}"' in SABOTAGE else str(ROOT),
        ) as one,
        one.client(**{"X-Request-Id": "client-7"}) as client,
    ):
        answer = await client.post(
            "/v1/reviews",
            json={"diff": DIFF, "title": TITLE, "description": "pelican", "options": options},
        )
        assert answer.status_code == 201, answer.text
        review_id = answer.json()["id"]
        await client.get("/v1/reviews", params={"limit": "1", "marmalade": SECRET})
        await client.get(f"/{FOLDER}?{WORD}", headers={"Authorization": f"Bearer {SECRET}"})
        await client.post("/v1/reviews", content=f"{WORD} {SECRET}")
        if mode == "write":
            await until_logged(one, "the run was interrupted")
        else:
            await until_state(one, review_id, "finished")
        assert await one.stop() == 0
        log = one.log
    for planted in PLANTED:
        assert planted not in log
    assert "forged" not in log
    assert review_id in log
    assert "client-7" in log
    for what in {
        "write": [
            "the run was interrupted: the database is unavailable",
            "OperationalError",
            "StoreError",
        ],
        "run": [
            "the run was interrupted",
            "ExceptionGroup",
            "KeyError",
            "ValueError",
            "sitecustomize",
        ],
        "call": ["incident", "RuntimeError", "a thread ended with KeyError", "py.warnings"],
    }.get(mode, []):
        assert what in log
    if kind == "json":
        assert all(map(is_record, map(json.loads, log.splitlines())))


@pytest.mark.slow
async def test_each_request_has_one_line_and_an_id(tmp_path: Path) -> None:
    async with node(tmp_path, "--log-format", "json") as one:
        review_id = await post(one)
        await follow(one, review_id)
        async with one.client() as client:
            given = await client.get("/healthz", headers={"X-Request-Id": "6f1a-B.c_2"})
            assert given.headers["x-request-id"] == "6f1a-B.c_2"
            for wrong in ("a b", "a\tb", "", "x" * 65, "rb_" + "x" * 43, "é"):
                answer = await client.get("/healthz", headers=[(b"X-Request-Id", wrong.encode())])
                assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
            refused = await client.get("/healthz", headers={"Host": "evil.example"})
            assert refused.status_code == 421
            assert refused.headers["x-request-id"]
        found = [line for line in lines(one) if line["logger"] == "reviewbot.requests"]
    assert len(found) == 10
    assert all(map(is_record, found))
    assert len({line["request_id"] for line in found}) == 10
    told = {name: found[0][name] for name in ("level", "method", "route", "status", "review_id")}
    assert told == {
        "level": "info",
        "method": "POST",
        "route": "/v1/reviews",
        "status": 201,
        "review_id": review_id,
    }
    assert 0 < found[0]["duration_s"] < 30
    assert found[1]["route"] == "/v1/reviews/{id}/events"
    assert (found[1]["stream"], found[1]["review_id"]) == ("complete", review_id)
    assert (found[-1]["route"], found[-1]["status"]) == ("none", 421)
    ended = [line for line in lines(one) if line["message"] == "run ended: finished"]
    assert [(line["review_id"], line["run"]) for line in ended] == [(review_id, 1)]


@pytest.mark.slow
async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'one.db'}"
    async with node(tmp_path / "a", "--database", database):
        with pytest.raises(AssertionError, match="another reviewbot serve uses"):
            async with node(tmp_path / "b", "--database", database):
                pass


@pytest.mark.slow
async def test_the_level_is_of_our_own_records(tmp_path: Path) -> None:
    async with node(tmp_path, "--log-format", "json", "--log-level", "warning") as one:
        await follow(one, await post(one))
        assert await one.stop() == 0
        assert [line for line in lines(one) if line["level"] == "info"] == []


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged; the process's logging is put back afterwards."""
    loggers = [
        logging.getLogger(name) for name in ("", "reviewbot", "uvicorn", "uvicorn.error", "dbos")
    ]
    before = [(one, one.level, one.handlers, one.propagate) for one in loggers]
    hooks = threading.excepthook, sys.unraisablehook
    stream = io.StringIO()
    configure("json", stream=stream)
    yield stream
    logging.captureWarnings(False)
    threading.excepthook, sys.unraisablehook = hooks
    for one, level, handlers, propagate in before:
        one.level, one.handlers, one.propagate = level, handlers, propagate
        one.setLevel(level)


def only(stream: io.StringIO) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stream.getvalue())
    return found


def test_only_known_fields_that_look_like_ids_are_shown(log: io.StringIO) -> None:
    extra = {
        "review_id": "0199c3a2f4d57e0b9a6e3d1c5b7f2a48",
        "delivery_id": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "run": 2,
        "title": WORD,
        "database_error": WORD,
        "route": f"a sentence with {WORD}",
    }
    logging.getLogger("reviewbot.x").info("it happened", extra=extra)
    found = only(log)
    assert WORD not in json.dumps(found)
    assert found["review_id"] == extra["review_id"]
    assert found["delivery_id"] == extra["delivery_id"]
    assert found["run"] == 2


async def test_what_is_bound_is_on_each_record_of_the_task_and_its_children(
    log: io.StringIO,
) -> None:
    logger = logging.getLogger("reviewbot.x")

    async def child() -> None:
        logger.info("child")

    with bound(delivery_id="d-1"), bound(review_id="r-1"):
        await asyncio.create_task(child())
        logger.info("own", extra={"review_id": "r-2"})
    logger.info("after")
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [one.get("review_id") for one in found] == ["r-1", "r-2", None]
    assert [one.get("delivery_id") for one in found] == ["d-1", "d-1", None]


def test_of_other_libraries_only_what_stands_in_their_source_is_shown(log: io.StringIO) -> None:
    logger = logging.getLogger("library")
    logger.debug("a debug message")
    logger.info("an info message")
    logger.warning("a literal message")
    logger.warning("sent %d bytes to %s after %.1f seconds", 17, WORD, 2.5)
    logger.warning(f"could not parse the line {WORD}")  # noqa: G004 - as libraries do
    logger.warning(WORD + " is wrong")  # noqa: G003 - likewise
    logger.warning(ValueError(WORD))
    logger.warning("a literal with a trailing line break\n")
    messages = [json.loads(line)["message"] for line in log.getvalue().splitlines()]
    place = r"test_logs\.py:\d+"
    wanted = [
        "a literal message",
        "sent 17 bytes to <str> after 2.5 seconds",
        rf"could not parse the line \.\.\. \(the rest is withheld; {place}\)",
        rf"\(withheld; {place}\)",
        rf"\(ValueError, {place}\)",
        "a literal with a trailing line break",
    ]
    assert len(messages) == len(wanted)
    for message, pattern in zip(messages, wanted, strict=True):
        assert re.fullmatch(pattern, message), message


def out_of_files(loop: asyncio.AbstractEventLoop) -> None:
    """What asyncio says of a connection that it cannot take, thousands of times a second."""
    context = {"message": "socket.accept() out of system resource", "exception": OSError(24, "x")}
    loop.call_exception_handler(context)


async def test_what_cannot_be_taken_for_want_of_files_is_told_once_a_minute(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(logs, "monotonic", lambda: now)
    loop = asyncio.get_running_loop()
    for _ in range(1_000):
        out_of_files(loop)
    loop.call_exception_handler({"message": "something else"})
    assert len(log.getvalue().splitlines()) == 2
    assert "no more files can be opened" in log.getvalue().splitlines()[0]
    now += 61
    for _ in range(1_000):
        out_of_files(loop)
    assert len(log.getvalue().splitlines()) == 3


def test_the_queue_s_messages_carry_the_review(log: io.StringIO) -> None:
    run = {"operationUUID": f"{'a' * 32}-3", "applicationID": WORD}
    logging.getLogger("dbos").warning("a literal of the queue", extra=run)
    found = only(log)
    assert (found["review_id"], found["run"]) == ("a" * 32, 3)
    assert WORD not in json.dumps(found)


def test_text_lines_cannot_be_forged() -> None:
    record = logging.LogRecord("reviewbot", logging.INFO, "x.py", 1, "a %s", (TITLE,), None)
    record.review_id = "r-1"
    for formatter in (TextLines(), JsonLines()):
        text = formatter.format(record)
        assert len(text.splitlines()) == 1
        assert text.isprintable()
        assert "r-1" in text


def test_a_message_that_does_not_fit_its_arguments_is_replaced() -> None:
    for name in ("library", "reviewbot"):
        record = logging.LogRecord(name, logging.INFO, __file__, 1, "%s and %s", (WORD,), None)
        message = json.loads(JsonLines().format(record))["message"]
        assert message == "(a message that cannot be shown: TypeError)"


def test_a_message_is_bounded(log: io.StringIO) -> None:
    logging.getLogger("reviewbot").info("x" * 5_000)
    assert len(only(log)["message"]) < 1_100


def test_a_line_that_cannot_be_written_is_not_printed_elsewhere(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    log.close()
    logging.getLogger("reviewbot").info(WORD)
    printed = capsys.readouterr()
    assert WORD not in printed.out + printed.err


# --- Errors


def throw(error: BaseException) -> NoReturn:
    raise error


def raised(work: Callable[[], object]) -> BaseException:
    """What ``work`` raises."""
    try:
        work()
    except BaseException as caught:  # noqa: BLE001 - it is what the test is about
        return caught
    raise AssertionError("nothing")


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ValueError(WORD), "ValueError"),
        (KeyError(WORD), "KeyError"),
        (OSError(28, WORD, WORD), "OSError: [Errno 28] No space left on device"),
        (
            FileNotFoundError(2, WORD, WORD),
            "FileNotFoundError: [Errno 2] No such file or directory",
        ),
        (OSError(WORD), "OSError"),
        (UnicodeDecodeError("utf-8", WORD.encode(), 0, 1, WORD), "UnicodeDecodeError"),
        (
            StoreError("the database is away"),
            r"reviewbot.store.database.StoreError: the database is away",
        ),
        (
            OperationalError(f"SELECT {WORD}", {"a": WORD}, Exception(WORD)),
            "sqlalchemy.exc.OperationalError: Exception",
        ),
        (ExceptionGroup(WORD, [ValueError(WORD)]), "ExceptionGroup: 1 in the group"),
    ],
)
def test_an_error_is_its_kind_and_what_comes_from_a_table(error: Exception, shown: str) -> None:
    assert shown_error(error) == shown


def test_a_database_error_has_its_code() -> None:
    import sqlite3

    from psycopg.errors import UniqueViolation

    locked = sqlite3.OperationalError(WORD)
    locked.sqlite_errorname = "SQLITE_BUSY"
    assert shown_error(OperationalError("x", {}, locked)).endswith(": OperationalError SQLITE_BUSY")
    assert shown_error(OperationalError("x", {}, UniqueViolation(WORD))).endswith(
        ": UniqueViolation 23505"
    )


def test_a_traceback_shows_places_causes_and_groups_and_no_message() -> None:
    inner = raised(lambda: throw(TypeError(WORD)))
    assert isinstance(inner, TypeError)

    def fail() -> None:
        try:
            throw(KeyError(WORD))
        except KeyError as error:
            error.add_note(WORD)
            raise ExceptionGroup(WORD, [ValueError(WORD), inner]) from error

    text = shown_traceback(raised(fail))
    assert WORD not in text
    for part in ("in fail", "KeyError", "direct cause", "ExceptionGroup: 2 in", "  | TypeError"):
        assert part in text


def test_what_goes_wrong_while_an_error_is_handled_shows_both() -> None:
    def fail() -> None:
        try:
            throw(KeyError(WORD))
        except KeyError:
            raise ValueError(WORD)  # noqa: B904 - that is the case

    text = shown_traceback(raised(fail))
    assert text.index("KeyError") < text.index("While that was handled") < text.index("ValueError")


def test_a_traceback_ends_however_deep_and_twisted_the_error_is() -> None:
    def deep(left: int) -> None:
        if left:
            deep(left - 1)
        throw(ValueError(WORD))

    error = raised(lambda: deep(500))
    assert shown_traceback(error).count("test_logs.py") <= FRAMES
    error.__cause__ = error
    assert shown_traceback(error).count("ValueError") >= 1
    chain: BaseException = ValueError()
    for _ in range(5_000):
        following = ValueError()
        following.__cause__ = chain
        chain = following
    assert shown_traceback(chain).count("direct cause") < ERRORS
