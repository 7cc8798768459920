"""Two contents compared by git: right, and with nothing of this machine in force."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from reviewbot.github.change import local_diff as module
from reviewbot.github.change.local_diff import LocalDiffError, local_diff
from tests.support.examples import examples
from tests.support.git_trees import Entry, assert_lines_are_the_blobs, contents

if TYPE_CHECKING:
    from pathlib import Path


def stand_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another git."""
    (folder / "git").write_text(script)
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@settings(max_examples=examples(100))
@given(contents, contents)
def test_the_hunks_lead_from_one_content_to_the_other(old: bytes, new: bytes) -> None:
    found = asyncio.run(local_diff(old, new, as_text=True))
    if found is None:
        assert old == new
    else:
        before, after = Entry("100644", old), Entry("100644", new)
        assert_lines_are_the_blobs(found, {b"old": before}, {b"new": after})


async def test_the_same_content_is_no_change_and_a_zero_byte_is_binary() -> None:
    assert await local_diff(b"a\n", b"a\n") is None
    found = await local_diff(b"a\n", b"a\0\n")
    assert found is not None
    assert (found.binary, found.hunks) == (True, ())
    found = await local_diff(b"a\n", b"a\0\n", as_text=True)
    assert found is not None
    assert (found.binary, found.added) == (False, 1)


async def test_three_lines_of_context_stand_around_a_change() -> None:
    old = b"".join(b"%d\n" % number for number in range(30))
    found = await local_diff(old, old.replace(b"15\n", b"x\n"))
    assert found is not None
    (hunk,) = found.hunks
    assert (hunk.old_start, hunk.old_count) == (13, 7)


@pytest.mark.skipif(os.name == "nt", reason="programs as shell scripts")
def test_no_configuration_attribute_or_repository_of_this_machine_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwned = tmp_path / "pwned"
    config = (
        f"[diff]\n\texternal = touch {pwned}; false\n\tcontext = 0\n\tnoprefix = true\n"
        "\tmnemonicPrefix = true\n\tsuppressBlankEmpty = true\n[color]\n\tui = always\n"
        f'[core]\n\tattributesFile = {tmp_path}/attributes\n\tpager = touch {pwned}\n[diff "x"]\n'
        f"\ttextconv = touch {pwned}; cat\n\tcommand = touch {pwned}\n"
    )
    work = tmp_path / "work"
    for folder in (tmp_path, work / ".git", work / "temporary"):
        folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", str(work)], check=True, capture_output=True)
    for path in (tmp_path / ".gitconfig", work / ".git" / "config", tmp_path / "given"):
        with path.open("a") as file:
            file.write(config)
    for path in (work / ".gitattributes", work / ".git/info/attributes", tmp_path / "attributes"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("* -diff\n* diff=x\nold binary\nnew binary\n")
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(work / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name, value in {
        "GIT_CONFIG_GLOBAL": str(tmp_path / "given"),
        "GIT_CONFIG_SYSTEM": str(tmp_path / "given"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "diff.external",
        "GIT_CONFIG_VALUE_0": f"touch {pwned}",
        "GIT_EXTERNAL_DIFF": f"touch {pwned}",
        "GIT_DIFF_OPTS": "--unified=0",
        "GIT_DIR": str(work / ".git"),
        "GIT_TRACE": str(pwned),
    }.items():
        monkeypatch.setenv(name, value)
    found = asyncio.run(local_diff(b"1\n2\n\n4\n", b"1\n2\n\n5\n"))
    assert found is not None
    assert [line.text for hunk in found.hunks for line in hunk.lines] == ["1", "2", "", "4", "5"]
    assert not pwned.exists()
    assert list((work / "temporary").iterdir()) == []


async def test_without_git_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalDiffError, match="git is not installed here"):
        await local_diff(b"a", b"b")


async def test_too_much_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 3)
    assert await local_diff(b"abc", b"abd") is not None
    with pytest.raises(LocalDiffError, match="more than 3 bytes"):
        await local_diff(b"abc", b"abcd")


@pytest.mark.skipif(os.name == "nt", reason="a script in the place of git")
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("#!/bin/sh\nexec cat /dev/zero > /dev/null\n", "git took longer than 0.1 seconds"),
        ("#!/bin/sh\necho fatal: no room >&2\nexit 128\n", "git failed .*: fatal: no room$"),
        ("#!/bin/sh\nexit 3\n", "git failed .*: it ended with 3$"),
        ("#!/nowhere/sh\n", "git does not run here: No such file or directory"),
    ],
)
async def test_a_git_that_does_not_do_its_work_is_an_error_with_a_sentence(
    script: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, script, monkeypatch)
    monkeypatch.setattr("reviewbot.github.change.local_diff.TIMEOUT_S", 0.1)
    with pytest.raises(LocalDiffError, match=why):
        await local_diff(b"a", b"b")
