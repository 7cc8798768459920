"""Hostile files on a server: it answers all the while, and loses no other review."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits
from tests.hostile import CRASH, GOOD, LOOP, STOPPED, TOO_LONG
from tests.server.nodes import Node, assert_whole, follow, node, post, until, until_state

if TYPE_CHECKING:
    from pathlib import Path


def parsers(one: Node) -> list[psutil.Process]:
    """Return the processes of a node that parse something now."""
    assert one.process is not None
    children = psutil.Process(one.process.pid).children()
    return [child for child in children if cpu_s(child) > 0.2]  # its start takes less


def cpu_s(parser: psutil.Process) -> float:
    """Return the CPU time that a parser has used; 0 if it has ended."""
    try:
        return float(parser.cpu_times().user) if parser.is_running() else 0.0
    except psutil.NoSuchProcess:
        return 0.0


def statuses(records: list[dict[str, Any]]) -> dict[str, tuple[str, str | None]]:
    return {one["path"]: (one["status"], one.get("reason")) for one in records[-1]["coverage"]}


@pytest.mark.slow
async def test_one_tenants_hostile_files_hold_up_no_other_tenant(tmp_path: Path) -> None:
    opened = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")
    with opened.engine.begin() as connection:
        _, hostile = keys.add(connection, "hostile", Limits())
        _, other = keys.add(connection, "other", Limits())
    await opened.close()
    async with node(tmp_path, "--require-keys") as one:
        pid = one.process.pid if one.process else None

        async def ask(secret: str, diff: str) -> str:
            async with one.client(Authorization=f"Bearer {secret}") as client:
                headers = {"Content-Type": "text/x-diff"}
                answer = await client.post("/v1/reviews", content=diff, headers=headers)
                assert answer.status_code == 201, answer.text
                return str(answer.json()["id"])

        # Both at once, so that two parsers would be busy if a tenant could have two.
        bad = [await ask(hostile, LOOP + CRASH + GOOD), await ask(hostile, LOOP)]
        await until(lambda: bool(parsers(one)))
        ended_first = False
        async with asyncio.timeout(120):
            while not ended_first:
                busy = {child: cpu_s(child) for child in parsers(one)}
                records = await follow(one, await ask(other, GOOD), secret=other)
                async with one.client() as client:
                    assert (await client.get("/healthz")).status_code == 200
                assert records[-1]["outcome"] == "findings"
                assert_whole(records)
                # A review that waited for a hostile file would end after it.
                ended_first = any(cpu_s(child) > before + 0.05 for child, before in busy.items())
                if not ended_first:  # on a loaded machine it may take longer than such a file
                    bad.append(await ask(hostile, LOOP))
        whole = await follow(one, bad[0], secret=hostile)
        assert_whole(whole)
        covered = statuses(whole)
        status, reason = covered.pop("crash.tsx")
        assert status == "partly"
        assert reason in STOPPED
        assert covered == {"loop.ts": ("partly", TOO_LONG), "good.py": ("reviewed", None)}
        for review_id in bad[1:]:
            assert statuses(await follow(one, review_id, secret=hostile)) == {
                "loop.ts": ("partly", TOO_LONG)
            }
        assert one.process is not None
        assert one.process.pid == pid
        assert one.process.returncode is None


@pytest.mark.slow
async def test_a_server_ends_in_the_middle_of_an_endless_parse_and_leaves_no_process(
    tmp_path: Path,
) -> None:
    async with node(tmp_path, "--grace-s", "0") as one:
        await post(one, LOOP.encode())
        await until(lambda: bool(parsers(one)))
        running = parsers(one)
        begun = time.monotonic()
        assert await one.stop() == 0
        assert time.monotonic() - begun < 4
        await asyncio.to_thread(psutil.wait_procs, running, 5)
        assert not any(child.is_running() for child in running)


@pytest.mark.slow
async def test_a_review_that_a_crash_interrupted_in_a_hostile_file_ends_after_it(
    tmp_path: Path,
) -> None:
    async with node(tmp_path) as one:
        review = await post(one, (LOOP + CRASH + GOOD).encode())
        await until(lambda: bool(parsers(one)))
        await one.kill()
        await one.start()
        found = await until_state(one, review, "finished")
        assert found["outcome"] == "incomplete"
        records = await follow(one, review)
        assert_whole(records)
        status, reason = statuses(records)["crash.tsx"]
        assert status == "partly"
        assert reason in STOPPED
        assert statuses(records)["good.py"] == ("reviewed", None)
