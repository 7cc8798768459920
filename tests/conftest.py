"""What holds for every test: no network but loopback, no waiting for real, the same examples."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, settings

from reviewbot.models.linters import linters
from reviewbot.models.offline.parser import ParserPool
from tests.support.examples import PROFILE, examples
from tests.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from reviewbot.models.offline.parser_process import ParserProcess

LOOPBACK: Final = ("127.", "::1", "localhost")
LONGEST_SLEEP_S: Final = 0.05
YOUNG_OBJECTS: Final = 20_000
TESTS: Final = Path(__file__).parent
STORIES: Final = {"action", "cli", "code", "eval", "github", "jobs", "lab", "pipeline", "server"}
"""Folders of tests that run whole commands, servers or reviews: a tenth of a second each."""

# The same examples each time, so that a test that fails has been broken by the change at hand and
# fails again; there is then nothing to remember in a database. How long an example takes to run
# (the deadline) or to draw (too_slow) is no promise: a machine with other work would fail both.
ALWAYS: Final = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("dev", ALWAYS, max_examples=examples(100))
settings.register_profile("ci", ALWAYS, max_examples=examples(100))
settings.register_profile("nightly", ALWAYS, derandomize=False, max_examples=examples(100))
settings.load_profile(PROFILE)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from what is imported and collected: it lives to the end.

    Then collect garbage less often: by default, collections take a twelfth of the time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return three workers for two cores: tests often wait for a timer or another process."""
    return 3 * (os.cpu_count() or 1) // 2 or 1


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--sample``."""
    help_text = "run at most N variants of each test, spread evenly; 0 runs all"
    parser.addoption("--sample", type=int, default=0, metavar="N", help=help_text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect all but a sample of the variants of each test.

    The marker ``sample`` makes the sample of an expensive test smaller. Of the tests in
    :data:`STORIES`, every sixteenth of a file is run. ``-k`` and paths run all that they select.
    """
    most: int = config.getoption("--sample")
    if not most or config.option.keyword or config.option.file_or_dir:
        return
    variants: dict[str, list[pytest.Item]] = {}
    for item in items:
        variants.setdefault(item.nodeid.partition("[")[0], []).append(item)
    dropped = {
        item
        for group in variants.values()
        for kept in [_sample_of(group[0], most)]
        for index, item in enumerate(group)
        if index * kept // len(group) == (index - 1) * kept // len(group)
    }
    dropped |= _beyond_the_sample([item for item in items if item not in dropped])
    if dropped:
        config.hook.pytest_deselected(items=list(dropped))
        items[:] = [item for item in items if item not in dropped]


def _beyond_the_sample(items: list[pytest.Item]) -> set[pytest.Item]:
    """Return fifteen of sixteen tests of each file in :data:`STORIES`."""
    names: dict[Path, dict[str, int]] = {}
    beyond = set()
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in STORIES:
            of_file = names.setdefault(item.path, {})
            number = of_file.setdefault(item.nodeid.partition("[")[0], len(of_file))
            if number % 16:
                beyond.add(item)
    return beyond


def _sample_of(item: pytest.Item, most: int) -> int:
    """Return how many variants of a test to run."""
    marker = item.get_closest_marker("sample")
    return min(most, marker.args[0]) if marker else most


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the counts of the tests that kill servers: they are figures, not only a pass."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in getattr(report, "user_properties", ()):
            if name == "chaos" and report.when == "call":
                terminalreporter.write_line(f"chaos, {value}")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anything but loopback fails the test, and so does a name to be resolved."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def only_loopback(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(LOOPBACK):
            pytest.fail(f"a test wanted to connect to {address}")
        connect(self, address)

    def only_local_names(host: Any, *arguments: Any, **options: Any) -> Any:
        if host is not None and not str(host).startswith(LOOPBACK):
            pytest.fail(f"a test wanted to resolve {host!r}")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", only_loopback)
    monkeypatch.setattr(socket, "getaddrinfo", only_local_names)


@pytest.fixture(autouse=True)
def _no_linters(monkeypatch: pytest.MonkeyPatch) -> None:
    """No linter runs: each is a process for a file. Tests of linters override this fixture."""
    monkeypatch.setattr(linters, "find_programs", tuple)


@pytest.fixture(scope="session")
def _idle_parsers() -> Iterator[list[ParserProcess]]:
    """Processes that parsed for a test and are idle."""
    idle: list[ParserProcess] = []
    yield idle
    for worker in idle:
        worker.close()


@pytest.fixture(autouse=True)
def _kept_parsers(_idle_parsers: list[ParserProcess], monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser process serves many tests: its start takes longer than most of them.

    Tests of the processes override this fixture.
    """
    take = ParserPool._take

    def take_idle(pool: ParserPool) -> ParserProcess:
        if not pool._idle and _idle_parsers:
            pool._idle.append(_idle_parsers.pop())
        return take(pool)

    def keep_idle(pool: ParserPool) -> None:
        _idle_parsers.extend(pool._idle)
        pool._idle.clear()

    monkeypatch.setattr(ParserPool, "_take", take_idle)
    monkeypatch.setattr(ParserPool, "close", keep_idle)


@pytest.fixture(autouse=True)
def _no_sleep(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sleep of more than some milliseconds fails the test.

    ``asyncio.sleep`` may be long in virtual time, in code that is not a test's (it is then ended
    early, or nobody waits for it), and in tests with the marker ``real_time``.
    """
    sleep, asleep = time.sleep, asyncio.sleep
    may_wait = request.node.get_closest_marker("real_time") is not None

    def short(seconds: float) -> None:
        if seconds > LONGEST_SLEEP_S:
            pytest.fail(f"a test slept for {seconds} s")
        sleep(seconds)

    def short_await(delay: float, result: Any = None) -> Any:
        caller = sys._getframe(1)
        ours = f"{os.sep}tests{os.sep}" in caller.f_code.co_filename
        virtual = isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
        if delay > LONGEST_SLEEP_S and ours and not virtual and not may_wait:
            pytest.fail(f"a test slept for {delay} s at {caller.f_code.co_name}")
        return asleep(delay, result)

    monkeypatch.setattr(time, "sleep", short)
    monkeypatch.setattr(asyncio, "sleep", short_await)
