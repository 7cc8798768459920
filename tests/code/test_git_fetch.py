"""Two commits of a remote repository are fetched without history, hooks, helpers or leaks."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from reviewbot.code import git_fetch
from reviewbot.code.git_fetch import WITHHELD_BYTES, FetchError, Origin, fetch_commits
from reviewbot.config.settings import SecretText
from reviewbot.errors import SourceError
from tests.support.git_server import GitServer, basic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reviewbot.code.git_repository import GitRepository

TOKEN = "ghs_onlyForThisRepository"
REF = "refs/pull/7/head"
LIMIT = 50_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "remote") as made:
        yield made


class Started(NamedTuple):
    """A program that was started."""

    command: list[str]
    environment: dict[str, str]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    """The programs that are started, without those of the server."""
    programs: list[Started] = []
    popen = subprocess.Popen

    def watched(command: list[str], **more: Any) -> subprocess.Popen[bytes]:
        if more.get("env") and "GIT_PROJECT_ROOT" not in more["env"]:
            programs.append(Started(command, more["env"]))
        return popen(command, **more)

    monkeypatch.setattr(subprocess, "Popen", watched)
    return programs


def origin(server: GitServer, head: str, base: str | None = None, **more: str | None) -> Origin:
    token = more.get("token", TOKEN)
    return Origin(
        url=more.get("url") or server.url(more.get("name") or "octo/hello"),
        authorization=None if token is None else SecretText(basic(token)),
        ref=REF,
        head=head,
        base=base,
    )


def fetch(folder: Path, origin: Origin, limit: int = LIMIT) -> GitRepository:
    return fetch_commits(folder, origin, max_bytes=limit)


def contents(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in folder.rglob("*") if one.is_file())


def reason(folder: Path, origin: Origin, limit: int = LIMIT) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(folder, origin, limit)
    return caught.value


def test_the_files_of_head_and_merge_base_can_be_read_and_searched(
    server: GitServer, tmp_path: Path
) -> None:
    remote = server.repository("octo/hello", token=TOKEN)
    remote.commit({"old.py": "before = 1\n"})
    base = remote.commit({"a.py": "one = 1\n", "lib/b.py": "def needle(): ...\n"})
    head = remote.commit({"a.py": "one = 2\n"}, ref=REF)
    found = fetch(tmp_path / "clone", origin(server, head, base))
    assert found.file("a.py") == b"one = 1\n"
    reviewed = found.reviewed()
    assert reviewed is not None
    assert reviewed.file("a.py") == b"one = 2\n"
    assert [line.path for line in reviewed.search("needle")] == ["lib/b.py"]


@pytest.mark.slow
def test_a_second_fetch_transfers_only_what_is_new(server: GitServer, tmp_path: Path) -> None:
    remote = server.repository("octo/hello", token=TOKEN)
    remote.commit({f"{number}.py": os.urandom(50_000).hex() for number in range(20)}, ref=REF)
    head = remote.commit({}, ref=REF)
    fetch(tmp_path / "clone", origin(server, head))
    before = len(contents(tmp_path / "clone"))
    new = remote.commit({"0.py": "x = 1\n"}, ref=REF)
    found = fetch(tmp_path / "clone", origin(server, new, head))
    assert len(contents(tmp_path / "clone")) - before < before / 10
    assert (reviewed := found.reviewed()) is not None
    assert reviewed.file("0.py") == b"x = 1\n"


def test_large_files_are_not_fetched_and_the_others_are_searched(
    server: GitServer, tmp_path: Path
) -> None:
    remote = server.repository("octo/hello", token=TOKEN)
    large = "needle\n" + "x" * WITHHELD_BYTES
    head = remote.commit({"large.txt": large, "small.txt": "needle\n"}, ref=REF)
    found = fetch(tmp_path / "clone", origin(server, head))
    requests = len(server.requests)
    assert [line.path for line in found.search("needle")] == ["small.txt"]
    with pytest.raises(SourceError):
        found.file("large.txt")
    assert len(server.requests) == requests, "reading fetches nothing"


def test_the_token_is_sent_to_this_server_and_stored_nowhere(
    server: GitServer, tmp_path: Path, started: list[Started]
) -> None:
    remote = server.repository("octo/hello", token=TOKEN)
    head = remote.commit({"a.py": "one = 1\n"}, ref=REF)
    found = fetch(tmp_path / "clone", origin(server, head))
    assert {sent.headers.get("authorization") for sent in server.requests} == {basic(TOKEN)}
    secrets = (TOKEN, basic(TOKEN).removeprefix("Basic "))
    words = [word for one in started for word in one.command]
    assert not any(secret in word for secret in secrets for word in words)
    assert not any(secret.encode() in contents(tmp_path / "clone") for secret in secrets)
    assert not any(secret in str(found._environment) for secret in secrets)
    assert TOKEN not in repr(origin(server, head))


def test_a_redirect_is_not_followed(server: GitServer, tmp_path: Path) -> None:
    remote = server.repository("octo/hello", token=TOKEN)
    head = remote.commit({"a.py": "one = 1\n"}, ref=REF)
    with GitServer(tmp_path / "elsewhere") as elsewhere:
        server.moved["octo/hello"] = elsewhere.url("octo/hello")
        found = reason(tmp_path / "clone", origin(server, head))
        assert (found.problem, str(found)) == ("failed", "its address has changed")
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("name", "token"),
    [("octo/hello", "ghs_wrong"), ("octo/hello", None), ("octo/absent", TOKEN)],
    ids=["another token", "no token", "no repository"],
)
def test_a_refusal_is_told_apart_from_a_failure(
    server: GitServer, tmp_path: Path, name: str, token: str | None
) -> None:
    head = server.repository("octo/hello", token=TOKEN).commit({"a": "b"}, ref=REF)
    found = reason(tmp_path / "clone", origin(server, head, name=name, token=token))
    assert found.problem == "refused"


def test_a_server_that_is_down_is_a_failure(server: GitServer, tmp_path: Path) -> None:
    url = "http://127.0.0.1:1/octo/hello.git"
    found = reason(tmp_path / "clone", origin(server, "a" * 40, url=url))
    assert found.problem == "failed"
    assert "127.0.0.1" not in str(found)


def test_a_ref_that_moved_is_never_another_commits_code(server: GitServer, tmp_path: Path) -> None:
    remote = server.repository("octo/hello", token=TOKEN)
    base = remote.commit({"a.py": "one = 1\n"})
    head = remote.commit({"a.py": "one = 2\n"}, ref=REF)
    remote.commit({"a.py": "one = 3\n"}, ref=REF)
    found = reason(tmp_path / "clone", origin(server, head, base))
    assert str(found) == "its ref points to another commit by now"


def test_a_force_push_during_the_fetch_is_noticed(server: GitServer, tmp_path: Path) -> None:
    remote = server.repository("octo/hello", token=TOKEN)
    head = remote.commit({"a.py": "one = 1\n"}, ref=REF)
    forced = remote.commit({"a.py": "one = 2\n"})
    server.before_pack = lambda: remote.point(REF, forced)
    # What was advertised is what is fetched: the old head or an error, and never the new one.
    try:
        found = fetch(tmp_path / "clone", origin(server, head))
    except FetchError:
        return
    assert found.file("a.py") == b"one = 1\n"


def test_a_commit_that_does_not_exist_is_a_failure(server: GitServer, tmp_path: Path) -> None:
    remote = server.repository("octo/hello", token=TOKEN)
    head = remote.commit({"a.py": "one = 1\n"}, ref=REF)
    found = reason(tmp_path / "clone", origin(server, head, "b" * 40))
    assert (found.problem, str(found)) == ("failed", "its commits are gone")


@pytest.mark.parametrize(
    "url",
    [
        "http://github.com/octo/hello.git",
        "file:///etc",
        "ssh://git@github.com/octo/hello",
        "https://x:y@github.com/octo/hello.git",
        "ext::sh -c touch% pwned",
        "--upload-pack=touch pwned",
    ],
)
def test_other_addresses_are_refused(server: GitServer, tmp_path: Path, url: str) -> None:
    assert "not an https address" in str(
        reason(tmp_path / "clone", origin(server, "a" * 40, url=url))
    )
    assert not (tmp_path / "clone").exists()


@pytest.mark.parametrize("head", ["main", "", "--all", "a" * 39, "A" * 40])
def test_only_full_hashes_are_fetched(server: GitServer, tmp_path: Path, head: str) -> None:
    assert "not a full hash" in str(reason(tmp_path / "clone", origin(server, head)))


def test_a_repository_above_the_limit_is_too_large(server: GitServer, tmp_path: Path) -> None:
    remote = server.repository("octo/hello", token=TOKEN)
    head = remote.commit({f"{one}.bin": os.urandom(500_000) for one in range(6)}, ref=REF)
    found = reason(tmp_path / "clone", origin(server, head), limit=1_000_000)
    assert found.problem == "too_large"


@pytest.mark.slow
def test_a_slow_server_ends_the_fetch_with_all_its_processes(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_fetch, "FETCH_S", 1.0)
    groups: list[int] = []
    kill = os.killpg

    def killed(group: int, signal: int) -> None:
        groups.append(group)
        kill(group, signal)

    monkeypatch.setattr(os, "killpg", killed)
    head = server.repository("octo/hello", token=TOKEN).commit({"a": "b"}, ref=REF)
    ends = threading.Event()
    server.before_pack = lambda: ends.wait(60)
    found = reason(tmp_path / "clone", origin(server, head))
    ends.set()
    monkeypatch.undo()
    assert (found.problem, len(groups)) == ("interrupted", 1)
    assert _is_gone(groups[0])


def _is_gone(group: int) -> bool:
    """Return whether no process of a group is left, once the system has reaped the children."""
    for _ in range(2_000):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        threading.Event().wait(0.01)
    return False


def test_a_fetch_ends_when_it_is_stopped(server: GitServer, tmp_path: Path) -> None:
    head = server.repository("octo/hello", token=TOKEN).commit({"a": "b"}, ref=REF)
    stop, ends = threading.Event(), threading.Event()

    def stop_and_wait() -> None:
        stop.set()
        ends.wait(60)

    server.before_pack = stop_and_wait
    with pytest.raises(FetchError) as caught:
        fetch_commits(tmp_path / "clone", origin(server, head), max_bytes=LIMIT, stop=stop)
    ends.set()
    assert caught.value.problem == "interrupted"


def test_settings_and_helpers_of_this_machine_are_not_used(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwned = tmp_path / "pwned"
    (tmp_path / "home").mkdir()
    config = f'[credential]\n\thelper = "!touch {pwned}"\n[core]\n\taskPass = "touch {pwned}"\n'
    (tmp_path / "home" / ".gitconfig").write_text(config)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_ASKPASS", f"touch {pwned}")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "home" / ".gitconfig"))
    monkeypatch.setenv("GIT_TRACE", str(pwned))
    head = server.repository("octo/hello", token=TOKEN).commit({"a": "b"}, ref=REF)
    assert reason(tmp_path / "clone", origin(server, head, token=None)).problem == "refused"
    assert not pwned.exists()


def test_only_the_fetch_has_the_token_and_nothing_has_the_keys_of_the_server(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Started]
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    head = server.repository("octo/hello", token=TOKEN).commit({"a": "b"}, ref=REF)
    fetch(tmp_path / "clone", origin(server, head)).search("b")
    assert not any("sk-ant-secret" in str(one.environment) for one in started)
    holders = [
        one for one in started if any(basic(TOKEN) in text for text in one.environment.values())
    ]
    assert ["fetch" in one.command for one in holders] == [True]


@pytest.mark.parametrize(
    ("script", "message"), [(None, "not installed"), ("git version 2.30.2", "too old")]
)
def test_without_a_usable_git_nothing_is_fetched(
    server: GitServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    message: str,
) -> None:
    head = server.repository("octo/hello", token=TOKEN).commit({"a": "b"}, ref=REF)
    programs = tmp_path / "programs"
    programs.mkdir()
    if script is not None:
        (programs / "git").write_text(f"#!/bin/sh\necho {script}\n")
        (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    assert message in str(reason(tmp_path / "clone", origin(server, head)))
    assert server.requests == []


def test_hooks_and_attributes_of_the_repository_run_nothing(
    server: GitServer, tmp_path: Path
) -> None:
    pwned = tmp_path / "pwned"
    remote = server.repository("octo/hello", token=TOKEN)
    config = f'[core]\n\tfsmonitor = "touch {pwned}"\n[diff "x"]\n\ttextconv = "touch {pwned}"\n'
    files = {".gitattributes": "*.py diff=x filter=x\n", ".gitconfig": config, "a.py": "needle\n"}
    base = remote.commit(files)
    head = remote.commit({"a.py": "needle = 2\n"}, ref=REF)
    found = fetch(tmp_path / "clone", origin(server, head, base))
    assert len(found.search("needle")) == 1
    assert b"needle = 2" in found.whole(["a.py"], staged=False)
    assert not pwned.exists()
