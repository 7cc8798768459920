"""The queue: rows that a stranger wrote run no code."""

from __future__ import annotations

import asyncio
import base64
import inspect
import pickle
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import sqlalchemy as sa

from reviewbot.errors import ConfigError
from reviewbot.jobs import engine as engines
from reviewbot.jobs.engine import PICKLED_NONE, QUEUE, Engine, refuse_pickles
from reviewbot.store.connect import queue_url
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server.databases import postgres_url
from tests.server.nodes import APART, ROOT, assert_whole, follow, long_diff, node, post, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VALUES: Final = {"inputs", "output", "error", "message", "value"}
"""Columns of DBOS that hold serialized values."""
IDS: Final = {"workflow_uuid", "destination_uuid"}
STATUSES: Final = ("ENQUEUED", "DELAYED", "PENDING", "SUCCESS", "ERROR", "CANCELLED")


class Bomb:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self._path,))


def bomb(path: Path) -> str:
    return base64.b64encode(pickle.dumps(Bomb(path))).decode()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'reviewbot.db'}"
    return postgres_url()


def test_the_pickle_of_these_tests_makes_a_file(tmp_path: Path) -> None:
    pickle.loads(base64.b64decode(bomb(tmp_path / "ran")))  # noqa: S301 - it is our own
    assert (tmp_path / "ran").exists()


# --- Every way to a pickle in DBOS


def loaders() -> Iterator[tuple[str, Callable[[str], object]]]:
    """Each function of DBOS that chooses a deserializer by the name that a row has."""
    from dbos import _serialization as dbos

    for name, function in inspect.getmembers(dbos, inspect.isfunction):
        parameters = inspect.signature(function).parameters
        if "deserialize" not in name or "serialization" not in parameters:
            continue
        texts = [one for one in parameters if one.startswith("serialized")]
        fixed = {
            "serialization": "py_pickle",
            "serializer": dbos.DBOSPortableJSON,
            "workflow_id": "x",
        }
        fixed = {one: value for one, value in fixed.items() if one in parameters}
        for parameter in texts:
            others = dict.fromkeys(set(texts) - {parameter})

            def load(
                text: str,
                function: Callable[..., object] = function,
                parameter: str = parameter,
                given: dict[str, Any] = fixed | others,
            ) -> object:
                return function(**given, **{parameter: text})

            yield f"{name}({parameter})", load
    yield "DefaultSerializer", dbos.DefaultSerializer().deserialize
    yield "DBOSDefaultSerializer", dbos.DBOSDefaultSerializer.deserialize


def test_no_function_of_dbos_loads_a_pickle(tmp_path: Path) -> None:
    refuse_pickles()
    ways = dict(loaders())
    assert {name.partition("(")[0] for name in ways} == {
        *("deserialize_value", "deserialize_args", "deserialize_exception", "safe_deserialize"),
        *("DefaultSerializer", "DBOSDefaultSerializer"),
    }
    for name, load in ways.items():
        if name.startswith("safe_"):  # it gives back the text
            assert bomb(tmp_path / "ran") in load(bomb(tmp_path / "ran"))  # type: ignore[operator]
        else:
            with pytest.raises(TypeError, match="pickles are not loaded"):
                load(bomb(tmp_path / "ran"))
    assert not (tmp_path / "ran").exists()


def test_dbos_has_one_place_that_loads_objects() -> None:
    import dbos

    found = {
        (path.name, line.strip())
        for path in Path(dbos.__file__).parent.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if re.search(
            r"^\s*(import|from) .*\b(pickle|dill|jsonpickle|cloudpickle|marshal|shelve)\b"
            r"|\b(pickle\.loads?|Unpickler|yaml\.(unsafe_|full_)?load|eval|exec)\(",
            line,
        )
    }
    assert found == {
        ("_serialization.py", "import pickle"),
        ("_serialization.py", "return pickle.loads(pickled_data)"),
    }


@pytest.mark.parametrize("change", ["the class is gone", "another way", "the module is gone"])
def test_a_dbos_that_could_still_load_pickles_is_refused(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbos import _serialization as dbos

    if change == "the class is gone":
        monkeypatch.delattr(dbos, "DefaultSerializer")
    elif change == "another way":
        monkeypatch.setattr(dbos, "deserialize_args", lambda *_: None)
    else:
        monkeypatch.delattr(sys.modules["dbos"], "_serialization")
        monkeypatch.setitem(sys.modules, "dbos._serialization", None)
    with pytest.raises(ConfigError, match="cannot be kept from loading pickles"):
        refuse_pickles()


def test_what_the_check_loads_is_a_pickle() -> None:
    assert pickle.loads(base64.b64decode(PICKLED_NONE)) is None  # noqa: S301 - it is our own


# --- Rows of every table


def reflected(connection: sa.Connection) -> list[sa.Table]:
    """The tables of DBOS with serialized values of workflows."""
    metadata = sa.MetaData()
    schema = "dbos" if connection.dialect.name == "postgresql" else None
    metadata.reflect(connection, schema=schema)
    return [
        table
        for table in metadata.sorted_tables
        if "serialization" in table.c or table.name in ("workflow_input", "workflow_output")
    ]


def filler(column: sa.Column[Any]) -> object:
    kind = column.type.python_type
    if kind is str:
        return secrets.token_hex(8)
    return False if kind is bool else 0


def plant(database: str, text: str) -> tuple[list[str], set[str]]:
    """Plant rows that hold a pickle in every table, for workflows of ours and of a stranger.

    Returns:
        The ids of the workflows that were planted, and the tables that choose a deserializer.
    """
    engine = sa.create_engine(queue_url(database))
    with engine.begin() as connection:
        tables = reflected(connection)
        (workflows,) = (one for one in tables if one.name == "workflow_status")
        model = dict(connection.execute(sa.select(workflows).limit(1)).mappings().one())
        ours = list(connection.scalars(sa.select(workflows.c.workflow_uuid)))
        planted: list[str] = []
        for queue in (QUEUE, "_dbos_internal_queue", None):
            for status in STATUSES:
                for executor in ("gone", "local"):
                    planted.append(f"planted-{len(planted)}")
                    partition = "local" if queue == QUEUE else None
                    row = model | {
                        "workflow_uuid": planted[-1],
                        "status": status,
                        "queue_name": queue,
                        "queue_partition_key": partition,
                        "executor_id": None if status == "ENQUEUED" else executor,
                        "delay_until_epoch_ms": 1 if status == "DELAYED" else None,
                        "serialization": "py_pickle",
                        **dict.fromkeys(VALUES.intersection(workflows.c.keys()), text),
                    }
                    connection.execute(sa.insert(workflows).values(row))
        for table in tables:
            if table is workflows:
                continue
            for workflow in (*planted, *ours):
                row = {
                    column.name: filler(column)
                    for column in table.c
                    if column.primary_key or not column.nullable
                }
                row |= dict.fromkeys(IDS.intersection(table.c.keys()), workflow)
                row |= dict.fromkeys(VALUES.intersection(table.c.keys()), text)
                if "serialization" in table.c:
                    row["serialization"] = "py_pickle"
                there = [column == row[column.name] for column in table.primary_key]
                connection.execute(sa.delete(table).where(*there))
                connection.execute(sa.insert(table).values(row))
    engine.dispose()
    return planted, {table.name for table in tables if "serialization" in table.c}


CHOOSERS: Final = {
    *("workflow_status", "operation_outputs", "notifications", "workflow_events"),
    *("workflow_events_history", "streams"),
}


@pytest.mark.slow
async def test_a_server_runs_no_code_of_planted_rows_and_goes_on(
    database: str, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    arguments = ("--database", database, "--grace-s", "0", "--reviews-at-once", "1")
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, *arguments, fake=fake, settings=APART) as one,
    ):
        ours = [await post(one, long_diff(1), title=str(number)) for number in range(2)]
        await until(lambda: len(fake.requests) == 1)
        assert await one.stop() == 0
    planted, choosers = plant(database, bomb(ran))
    assert choosers == CHOOSERS
    async with (
        FakeAnthropic(lambda _: Answer([])) as fake,
        node(tmp_path, *arguments, fake=fake, settings=APART) as one,
    ):
        async with asyncio.timeout(60):
            ours.append(await post(one, long_diff(1), title="new"))
            for review_id in ours:
                records = await follow(one, review_id)
                assert_whole(records)
                assert records[-1]["outcome"] == "clean"
            # What nobody took is taken now, and what a dead node held is given up.
            await until(lambda: not waiting(database, planted))
        assert await one.stop() == 0
        assert "Traceback" not in one.log
    assert not ran.exists()


def waiting(database: str, planted: list[str]) -> list[str]:
    """The planted workflows that a queue has still to run."""
    engine = sa.create_engine(queue_url(database))
    with engine.begin() as connection:
        (workflows,) = (one for one in reflected(connection) if one.name == "workflow_status")
        found = connection.scalars(
            sa.select(workflows.c.workflow_uuid).where(
                workflows.c.workflow_uuid.in_(planted),
                workflows.c.queue_name == QUEUE,
                workflows.c.status.in_(("ENQUEUED", "DELAYED", "PENDING")),
            )
        ).all()
    engine.dispose()
    return list(found)


async def exercise(database: str, ran: Path) -> None:
    """Plant rows, then use all of the engine: it reads and runs them, and goes on."""
    begun: asyncio.Queue[str] = asyncio.Queue()

    async def run(review_id: str, _number: int) -> str:
        begun.put_nowait(review_id)
        return "finished"

    async def runs(engine: Engine, review_id: str) -> None:
        await engine.enqueue(review_id, 1, "local")
        async with asyncio.timeout(20):
            assert await begun.get() == review_id

    first = Engine(database, "local", run, at_once=2, per_tenant=2)
    await first.start()
    await runs(first, "a" * 32)
    await first.stop()
    planted, _ = plant(database, bomb(ran))
    # The same node, so that DBOS recovers what the planted rows say that it has begun.
    second = Engine(database, "local", run, at_once=2, per_tenant=2)
    await second.start()
    await runs(second, "b" * 32)
    assert set(await second.known(planted)) == set(planted)
    await second.drop([one.id for one in await second.held()])
    async with asyncio.timeout(20):
        await until(lambda: not waiting(database, planted))
    await runs(second, "c" * 32)
    await second.forget(planted)
    assert await second.known(planted) == {}
    await second.stop()


@pytest.mark.slow
def test_no_use_of_the_engine_loads_a_pickle(database: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    done = subprocess.run(  # DBOS has threads that sleep
        [sys.executable, "-m", "tests.jobs.test_engine", database, str(ran)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Two that were queued, two whose delay was over, and the one that this node had begun.
    assert done.stderr.count("pickles are not loaded") >= 5
    assert not ran.exists()


async def test_an_engine_whose_dbos_could_load_pickles_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise ConfigError("no")

    monkeypatch.setattr(engines, "refuse_pickles", refused)

    async def run(_review_id: str, _number: int) -> str:
        return "finished"

    engine = Engine(f"sqlite:///{tmp_path / 'x.db'}", "n", run, at_once=1, per_tenant=1)
    with pytest.raises(ConfigError):
        await engine.start()


if __name__ == "__main__":
    asyncio.run(exercise(sys.argv[1], Path(sys.argv[2])))
