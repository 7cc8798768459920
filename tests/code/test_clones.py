"""Clones are bounded, belong to one account each, and hold nothing that their account lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.code import clones as clones_module
from reviewbot.code.clones import LEAST_BYTES, TRASH, CloneKey, Clones, CloneUse, victims
from reviewbot.code.git_fetch import FetchError, Origin
from reviewbot.config.settings import SecretText
from reviewbot.errors import SourceError
from tests.support.git_server import GitServer, RemoteRepository, basic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REF = "refs/pull/7/head"
HOST = "127.0.0.1"
LIMIT = 100_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "remote") as made:
        yield made


@pytest.fixture
def clones(tmp_path: Path) -> Clones:
    return Clones(tmp_path / "state" / "clones", LIMIT)


def key(account: int = 1, repository: int = 10) -> CloneKey:
    return CloneKey(HOST, account, repository)


def origin(server: GitServer, head: str, *, name: str = "octo/hello", token: str = "t1") -> Origin:
    return Origin(server.url(name), SecretText(basic(token)), REF, head)


def path_of(clones: Clones, key: CloneKey) -> Path:
    return clones._path(key)


def keys(clones: Clones) -> list[CloneKey]:
    return sorted(use.key for use in clones.listed())


def hello(
    server: GitServer, token: str = "t1", name: str = "octo/hello"
) -> tuple[RemoteRepository, str]:
    remote = server.repository(name, token=token)
    return remote, remote.commit({"a.py": f"owner = '{name} {token}'\n"}, ref=REF)


def test_a_clone_is_kept_and_used_again(server: GitServer, clones: Clones) -> None:
    remote, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    made = path_of(clones, key()).stat().st_ino
    new = remote.commit({"a.py": "x = 2\n"}, ref=REF)
    found = clones.fetch(key(), origin(server, new), private=True)
    assert found.file("a.py") == b"x = 2\n"
    assert path_of(clones, key()).stat().st_ino == made
    assert keys(clones) == [key()]


def test_only_this_user_can_read_the_clones(
    server: GitServer, clones: Clones, tmp_path: Path
) -> None:
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    assert (tmp_path / "state" / "clones").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize("kind", ["open", "link"])
def test_a_folder_that_others_may_change_is_not_used(
    server: GitServer, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "clones"
    if kind == "open":
        folder.mkdir(mode=0o700)
        folder.chmod(0o777)
    else:
        (tmp_path / "other").mkdir()
        folder.symlink_to(tmp_path / "other")
    _, head = hello(server)
    with pytest.raises(FetchError, match="not private") as caught:
        Clones(folder, LIMIT).fetch(key(), origin(server, head), private=True)
    assert str(tmp_path) not in str(caught.value)
    assert server.requests == []


def test_a_state_folder_behind_a_link_works(server: GitServer, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to(tmp_path / "disk")
    clones = Clones((tmp_path / "state").resolve() / "clones", LIMIT)
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    assert clones.remove(HOST, account=1) == 1
    assert (tmp_path / "state").is_symlink()
    assert keys(clones) == []


# --- Tenants


def test_two_accounts_have_clones_of_their_own_of_one_repository(
    server: GitServer, clones: Clones
) -> None:
    _, head = hello(server)
    server.tokens["t2"] = {"octo/hello"}
    clones.fetch(key(1), origin(server, head), private=True)
    clones.fetch(key(2), origin(server, head, token="t2"), private=True)
    assert keys(clones) == [key(1), key(2)]
    clones.remove(HOST, account=2)
    assert keys(clones) == [key(1)]


def test_another_accounts_clone_helps_nobody_without_access(
    server: GitServer, clones: Clones
) -> None:
    _, head = hello(server)
    clones.fetch(key(1), origin(server, head), private=True)
    with pytest.raises(FetchError):
        clones.fetch(key(2), origin(server, head, token="t2"), private=True)
    assert keys(clones) == [key(1)]


def test_a_repository_of_the_same_name_is_another_clone(server: GitServer, clones: Clones) -> None:
    first, head = hello(server)
    clones.fetch(key(1, 10), origin(server, head), private=True)
    # The first was renamed, and another tenant took the name. Both have the number 7.
    server.tokens = {"t1": set(), "t2": {"octo/hello"}}
    other = first.commit({"a.py": "theirs = 1\n"}, ref=REF)
    with pytest.raises(FetchError) as caught:
        clones.fetch(key(1, 10), origin(server, head), private=True)
    assert caught.value.problem == "refused"
    assert keys(clones) == [], "the first tenant has lost its access"
    found = clones.fetch(key(2, 20), origin(server, other, token="t2"), private=True)
    assert found.file("a.py") == b"theirs = 1\n"
    assert keys(clones) == [key(2, 20)]


def test_a_public_repository_that_took_the_name_is_never_the_reviewed_code(
    server: GitServer, clones: Clones
) -> None:
    remote, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    server.public.add("octo/hello")
    remote.commit({"a.py": "public = 1\n"}, ref=REF)
    with pytest.raises(FetchError, match="another commit"):
        clones.fetch(key(), origin(server, head), private=True)


@pytest.mark.parametrize("host", ["..", "a/b", "", ".hidden", "A", "x\0"])
def test_a_host_is_a_name_and_no_path(server: GitServer, clones: Clones, host: str) -> None:
    _, head = hello(server)
    with pytest.raises(FetchError, match="usable name"):
        clones.fetch(CloneKey(host, 1, 2), origin(server, head), private=True)


# --- Access


def test_each_use_asks_the_server_first(server: GitServer, clones: Clones) -> None:
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    before = len(server.requests)
    clones.fetch(key(), origin(server, head), private=True)
    assert len(server.requests) > before


def test_a_lost_access_removes_the_clone(server: GitServer, clones: Clones) -> None:
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    server.tokens.clear()
    with pytest.raises(FetchError) as caught:
        clones.fetch(key(), origin(server, head), private=True)
    assert caught.value.problem == "refused"
    assert keys(clones) == []


def test_a_server_that_fails_keeps_the_clone_and_gives_no_code(
    server: GitServer, clones: Clones
) -> None:
    remote, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    remote.commit({"a.py": "x = 2\n"}, ref=REF)
    with pytest.raises(FetchError) as caught:
        clones.fetch(key(), origin(server, head), private=True)
    assert caught.value.problem == "failed"
    assert keys(clones) == [key()]


def test_a_change_of_visibility_makes_the_clone_again(server: GitServer, clones: Clones) -> None:
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    (path_of(clones, key()) / "of-before").touch()
    clones.fetch(key(), origin(server, head), private=False)
    assert not (path_of(clones, key()) / "of-before").exists()


def test_a_read_after_an_uninstall_fails_and_finds_nothing(
    server: GitServer, clones: Clones
) -> None:
    _, head = hello(server)
    found = clones.fetch(key(), origin(server, head), private=True)
    assert found.file("a.py") is not None
    clones.remove(HOST, account=1)
    with pytest.raises((SourceError, OSError)):
        found.file("a.py")


def test_an_uninstall_waits_for_the_fetch_and_removes_its_result(
    server: GitServer, clones: Clones
) -> None:
    remote, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    new = remote.commit({"a.py": "x = 2\n"}, ref=REF)
    begun, goes_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        goes_on.wait(60)

    server.before_pack = wait
    with ThreadPoolExecutor(2) as threads:
        fetching = threads.submit(clones.fetch, key(), origin(server, new), private=True)
        assert begun.wait(60)
        removing = threads.submit(clones.remove, HOST, account=1)
        goes_on.set()
        fetching.result(60)
        assert removing.result(60) == 1
    assert keys(clones) == []


def test_a_clone_that_stays_in_use_is_removed_by_a_later_call(
    server: GitServer, clones: Clones, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    monkeypatch.setattr(clones_module, "LOCK_S", 0.01)
    with clones._locked(key()), pytest.raises(FetchError, match="could not remove 1 clone"):
        clones.remove(HOST, account=1)
    assert clones.remove(HOST, account=1) == 1


def test_a_deleted_repository_loses_its_clones_at_all_accounts(
    server: GitServer, clones: Clones
) -> None:
    _, head = hello(server)
    _, other = hello(server, name="octo/other")
    for account in (1, 2):
        clones.fetch(key(account, 10), origin(server, head), private=True)
        clones.fetch(key(account, 11), origin(server, other, name="octo/other"), private=True)
    assert clones.remove(HOST, repositories=[10, 99]) == 2
    assert keys(clones) == [key(1, 11), key(2, 11)]
    assert clones.remove("github.com", repositories=[11]) == 0


# --- Locks and crashes


def test_concurrent_reviews_share_one_clone(server: GitServer, clones: Clones) -> None:
    remote = server.repository("octo/hello", token="t1")
    heads = [
        remote.commit({"a.py": f"x = {number}\n"}, ref=f"refs/pull/{number}/head")
        for number in range(6)
    ]

    def review(number: int) -> bytes | None:
        where = Origin(
            server.url("octo/hello"),
            SecretText(basic("t1")),
            f"refs/pull/{number}/head",
            heads[number],
        )
        return clones.fetch(key(), where, private=True).file("a.py")

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(review, range(6))) == [b"x = %d\n" % one for one in range(6)]
    assert keys(clones) == [key()]


def test_another_process_waits_for_the_fetch(server: GitServer, clones: Clones) -> None:
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    program = (
        "import sys, filelock\nwith filelock.FileLock(sys.argv[1], timeout=0): print('taken')\n"
    )
    lock = path_of(clones, key()).with_suffix(".lock")
    answers: list[int] = []

    def from_outside() -> None:
        command = [sys.executable, "-c", program, str(lock)]
        answers.append(subprocess.run(command, capture_output=True, check=False).returncode)

    server.before_pack = from_outside
    clones.fetch(key(), origin(server, head), private=True)
    server.before_pack = lambda: None
    from_outside()
    assert [code == 0 for code in answers] == [*[False] * (len(answers) - 1), True]


def test_a_wait_for_another_fetch_ends(server: GitServer, clones: Clones) -> None:
    _, head = hello(server)
    with (
        clones._locked(key()),
        pytest.raises(FetchError, match="takes too long"),
        clones._locked(key(), 0.01),
    ):
        pass
    clones.fetch(key(), origin(server, head), private=True)


def test_what_a_crash_left_is_made_again(server: GitServer, clones: Clones) -> None:
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    clone = path_of(clones, key())
    note = json.loads((clone / "reviewbot.json").read_text())
    (clone / "reviewbot.json").write_text(json.dumps({**note, "fetching": True}))
    (clone / "shallow.lock").touch()
    found = clones.fetch(key(), origin(server, head), private=True)
    assert found.file("a.py") is not None
    assert not (clone / "shallow.lock").exists()


@pytest.mark.parametrize("note", ["", "{}", "[]", '{"made_at": "x", "private": 1}', "\0"])
def test_a_clone_without_a_readable_note_is_made_again(
    server: GitServer, clones: Clones, note: str
) -> None:
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    (path_of(clones, key()) / "reviewbot.json").write_text(note)
    assert clones.fetch(key(), origin(server, head), private=True).file("a.py") is not None


def test_the_sweep_removes_what_crashes_left_and_what_nothing_used(
    server: GitServer, clones: Clones
) -> None:
    _, head = hello(server)
    for number in (10, 11, 12):
        clones.fetch(key(1, number), origin(server, head), private=True)
    long_ago = time.time() - clones_module.UNUSED_S - 10
    os.utime(path_of(clones, key(1, 10)) / "reviewbot.json", (long_ago, long_ago))
    (path_of(clones, key(1, 11)) / "reviewbot.json").unlink()
    left = path_of(clones, key()).parent / f"{TRASH}x"
    left.mkdir()
    assert clones.sweep() == 2
    assert keys(clones) == [key(1, 12)]
    assert not left.exists()


def test_a_sweep_leaves_a_clone_that_is_being_fetched(server: GitServer, clones: Clones) -> None:
    _, head = hello(server)
    removed: list[int] = []
    server.before_pack = lambda: removed.append(clones.sweep())
    assert clones.fetch(key(), origin(server, head), private=True).file("a.py") is not None
    assert removed == [0]


def test_a_killed_fetch_removes_the_clone(server: GitServer, tmp_path: Path) -> None:
    stop = threading.Event()
    clones = Clones(tmp_path / "clones", LIMIT, stop)
    _, head = hello(server)
    ends = threading.Event()

    def stop_and_wait() -> None:
        stop.set()
        ends.wait(60)

    server.before_pack = stop_and_wait
    with pytest.raises(FetchError, match="stopped"):
        clones.fetch(key(), origin(server, head), private=True)
    ends.set()
    assert keys(clones) == []


# --- Size and age


def test_a_clone_with_many_packs_is_made_again(
    server: GitServer, clones: Clones, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clones_module, "PACKS", 3)
    remote = server.repository("octo/hello", token="t1")
    for number in range(5):
        head = remote.commit({"a.py": f"x = {number}\n"}, ref=REF)
        found = clones.fetch(key(), origin(server, head), private=True)
        assert found.file("a.py") == b"x = %d\n" % number
        assert len(list(path_of(clones, key()).glob("objects/pack/*.pack"))) <= 3


def test_an_old_clone_is_made_again(
    server: GitServer, clones: Clones, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    (path_of(clones, key()) / "of-before").touch()
    monkeypatch.setattr(clones_module, "RENEWED_S", 0.0)
    clones.fetch(key(), origin(server, head), private=True)
    assert not (path_of(clones, key()) / "of-before").exists()


def test_a_repository_that_is_too_large_is_not_fetched_at_each_push(
    server: GitServer, tmp_path: Path
) -> None:
    clones = Clones(tmp_path / "clones", 4 * 200_000)
    remote = server.repository("octo/hello", token="t1")
    head = remote.commit({f"{one}": os.urandom(100_000) for one in range(5)}, ref=REF)
    with pytest.raises(FetchError) as caught:
        clones.fetch(key(), origin(server, head), private=True)
    assert caught.value.problem == "too_large"
    assert keys(clones) == []
    requests = len(server.requests)
    with pytest.raises(FetchError, match="200,000 bytes"):
        clones.fetch(key(), origin(server, head), private=True)
    assert len(server.requests) == requests


def test_the_account_with_most_bytes_loses_its_oldest_clone(
    server: GitServer, tmp_path: Path
) -> None:
    clones = Clones(tmp_path / "clones", 4 * LEAST_BYTES)
    _, head = hello(server)
    for account, repository in ((1, 1), (2, 1), (2, 2), (2, 3), (2, 4)):
        clones.fetch(key(account, repository), origin(server, head), private=True)
        note = path_of(clones, key(account, repository)) / "reviewbot.json"
        os.utime(note, (repository, repository))
    assert keys(clones) == [key(1, 1), key(2, 2), key(2, 3), key(2, 4)]


def test_a_size_of_zero_removes_all_clones(
    server: GitServer, clones: Clones, tmp_path: Path
) -> None:
    _, head = hello(server)
    clones.fetch(key(), origin(server, head), private=True)
    Clones(tmp_path / "state" / "clones", 0).sweep()
    assert keys(clones) == []


def test_a_missing_folder_has_no_clones(tmp_path: Path) -> None:
    clones = Clones(tmp_path / "absent" / "clones", LIMIT)
    assert (clones.listed(), clones.sweep(), clones.remove(HOST, account=1)) == ([], 0, 0)
    assert not (tmp_path / "absent").exists()


uses = st.lists(
    st.builds(
        CloneUse,
        st.builds(CloneKey, st.just(HOST), st.integers(1, 4), st.integers(1, 50)),
        st.integers(0, 9 * LEAST_BYTES),
        st.floats(0, 100),
    ),
    unique_by=lambda use: use.key,
    max_size=20,
)


@given(uses, st.integers(0, 40 * LEAST_BYTES))
def test_an_account_with_less_than_its_share_loses_nothing(
    found: list[CloneUse], limit: int
) -> None:
    removed = set(victims(found, limit))
    counted = {use.key: max(use.size, LEAST_BYTES) for use in found}
    assert sum(size for key, size in counted.items() if key not in removed) <= limit
    accounts = {key.account for key in counted}
    for account in accounts:
        own = [key for key in counted if key.account == account]
        if sum(counted[key] for key in own) * len(accounts) <= limit:
            assert not removed.intersection(own)
