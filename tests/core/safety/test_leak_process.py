"""betterleaks in its process: what it is given, what it is denied, and how it fails."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import betterleaks
import pytest

from reviewbot.core.safety import leak_process as module
from reviewbot.core.safety.leak_process import LeakProcess, LeakScanError, leak_process

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = f"ghp_{'16C7e42F292c6912E7710c838347Ae178B4a'}"
ANSWERS = (
    "import json, os, sys, time\n"
    "for line in sys.stdin:\n"
    "    text = json.loads(line)\n"
    "    if text == 'crash': sys.exit()\n"
    "    if text == 'hang': time.sleep(60)\n"
    "    print(json.dumps('1.0' if text is None else [] if text == 'fine' else None), flush=True)\n"
)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[LeakProcess]:
    monkeypatch.setattr(module, "_START", ANSWERS)
    process = LeakProcess()
    yield process
    process.close()


@pytest.fixture
def unloaded() -> Iterator[None]:
    module._forget_process()
    yield
    module._leak_process.cache_clear()


def test_it_searches_text_with_the_installed_version() -> None:
    process = LeakProcess()
    try:
        assert process.version == betterleaks.__version__
        (match,) = process.scan(f"x\nkey = '{TOKEN}'")
        assert match["rule_id"] == "github-pat"
        assert match["location"]["start_line"] == 2
        assert process.scan("nothing") == []
    finally:
        process.close()
    process.abandon()  # there is nothing to leave


def test_a_text_that_it_cannot_search_is_an_error(scripted: LeakProcess) -> None:
    with pytest.raises(LeakScanError, match="could not search"):
        scripted.scan("other")
    assert scripted.scan("fine") == []


def test_after_a_crash_it_starts_again(scripted: LeakProcess) -> None:
    with pytest.raises(LeakScanError, match="has ended") as caught:
        scripted.scan("crash")
    assert "crash" not in str(caught.value)
    assert scripted.scan("fine") == []


def test_a_search_without_end_is_killed(
    scripted: LeakProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SCAN_S", 0.2)
    with pytest.raises(LeakScanError, match="has ended"):
        scripted.scan("hang")


@pytest.mark.usefixtures("unloaded")
def test_a_library_that_does_not_load_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_START", "input(); print('null')")
    assert leak_process() is None


@pytest.mark.usefixtures("unloaded")
def test_a_process_that_does_not_start_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert leak_process() is None


@pytest.mark.usefixtures("unloaded")
def test_without_the_package_there_is_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "betterleaks", None)
    assert leak_process() is None


@pytest.mark.usefixtures("unloaded")
def test_a_process_that_starts_early_is_the_one_that_searches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts: list[LeakProcess] = []
    start = LeakProcess._start

    def counted(process: LeakProcess) -> str:
        starts.append(process)
        return start(process)

    monkeypatch.setattr(LeakProcess, "_start", counted)
    module.start_early()
    deadline = time.monotonic() + 30
    while not starts and time.monotonic() < deadline:
        time.sleep(0.01)
    process = leak_process()
    assert starts == [process]
    assert process is not None
    process.close()


def test_a_process_that_is_left_to_a_parent_is_not_ended_and_another_one_starts() -> None:
    parents = leak_process()
    assert parents is not None
    inherited = parents._process
    assert inherited is not None
    module._forget_process()
    assert leak_process() is not parents
    assert os.waitpid(inherited.pid, 0)[1] == 0, "it ends by itself when its input ends"


@pytest.mark.usefixtures("unloaded")
def test_a_fork_leaves_the_process_to_its_parent() -> None:
    ours = leak_process()
    assert ours is not None
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        other = leak_process()
        reply = None if other is None else len(other.scan(f"key = '{TOKEN}'"))
        os.write(writing, json.dumps(reply).encode())
        if other is not None:
            other.close()
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 - a descriptor
        assert json.loads(pipe.read()) == 1
    assert leak_process() is ours
    assert len(ours.scan(f"key = '{TOKEN}'")) == 1
    ours.close()
