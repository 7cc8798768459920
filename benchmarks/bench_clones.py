"""Measure clones of many small repositories on loopback: ``python -m benchmarks.bench_clones``.

Each repository is fetched, fetched again after a commit that changes one file, and searched, as a
review does. The time is that of one caller. The processor time is that of this process and of all
git processes that it starts, without those of the server.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.code.clones import CloneKey, Clones
from reviewbot.code.git_fetch import Origin
from tests.support.git_server import GitServer, RemoteRepository

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

REF = "refs/pull/1/head"
LIMIT = 2_000_000_000


def files(seed: int, count: int) -> dict[str, str]:
    """Return source files of some 4 kB each; no two are alike."""
    names = random.Random(seed)  # noqa: S311  to be the same each time
    return {
        f"src/part{number // 10}/module{number}.py": "".join(
            f"def function_{names.getrandbits(32):08x}(value: int) -> int:\n"
            f"    return value + {names.getrandbits(64)}\n\n\n"
            for _ in range(50)
        )
        for number in range(count)
    }


def serve(root: Path, ready: Connection) -> None:
    """Serve the repositories below ``root`` until the process ends."""
    with GitServer(root) as server:
        server.public = {f"octo/r{path.stem.removeprefix('r')}" for path in root.glob("octo/*.git")}
        ready.send(server.url("octo"))
        ready.recv()


def processor_s() -> float:
    """Return the processor seconds of this process and its ended children."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def measure(name: str, count: int, work: Callable[[int], object]) -> None:
    """Run ``work`` for each repository and print its times."""
    begun, times = processor_s(), []
    for number in range(count):
        at = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - at)
    cpu = (processor_s() - begun) / count
    slow = statistics.quantiles(times, n=20)[-1]
    print(
        f"{name}: median {statistics.median(times) * 1000:.0f} ms, 95 % within"
        f" {slow * 1000:.0f} ms, {cpu * 1000:.0f} ms of processor each, {sum(times):.1f} s in all",
        flush=True,
    )


def main() -> None:
    """Make the repositories, serve them, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="repositories (default: %(default)s)")
    parser.add_argument("--files", type=int, default=50, help="files each (default: %(default)s)")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="reviewbot-bench-"))
    try:
        run(folder, args.n, args.files)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(folder: Path, count: int, size: int) -> None:
    """Measure ``count`` repositories of ``size`` files; ``folder`` is for their data."""
    remotes = [RemoteRepository(folder / "remote", f"octo/r{number}") for number in range(count)]
    heads = [remote.commit(files(seed, size), ref=REF) for seed, remote in enumerate(remotes)]
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(
        target=serve, args=(folder / "remote", theirs)
    )
    server.start()
    base = ours.recv().removesuffix("octo.git")
    clones = Clones(folder / "clones", LIMIT)

    def fetch(number: int) -> None:
        origin = Origin(f"{base}octo/r{number}.git", None, REF, heads[number])
        clones.fetch(CloneKey("127.0.0.1", number % 20, number), origin, private=True)

    def search(number: int) -> None:
        origin = Origin(f"{base}octo/r{number}.git", None, REF, heads[number])
        found = clones.fetch(CloneKey("127.0.0.1", number % 20, number), origin, private=True)
        assert found.search("function_absent") == []

    try:
        print(f"{count} repositories of {size} files, {os.cpu_count()} cores", flush=True)
        measure("first fetch", count, fetch)
        uses = clones.listed()
        mean = sum(use.size for use in uses) / len(uses)
        print(f"disk: {mean / 1000:.0f} kB a clone, {sum(use.size for use in uses) / 1e6:.1f} MB")
        for number, remote in enumerate(remotes):
            new = {"src/part0/module0.py": f"changed = {number}\n"}
            heads[number] = remote.commit(new, ref=REF)
        measure("fetch after a commit", count, fetch)
        grown = sum(use.size for use in clones.listed()) / len(uses) - mean
        print(f"disk: {grown / 1000:.1f} kB more a clone")
        measure("fetch of nothing new, and a search", count, search)
        measure("list of all clones", min(count, 20), lambda _: clones.listed())
    finally:
        ours.send(None)
        server.join()


if __name__ == "__main__":
    main()
