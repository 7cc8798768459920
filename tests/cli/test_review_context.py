"""``reviewbot review`` with more of the files than a diff has: of a repository, of GitHub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reviewbot.cli.main import main
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.server.nodes import node
from tests.support.pull_requests import NAME, opened, review
from tests.support.repositories import _alone, git

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["_alone"]

FILLING = "".join(f"    # {number}\n" for number in range(1, 10))
SLOW = f"import time\n\n\nasync def poll(queue):\n{FILLING}    return queue.get()\n"
SLEEPS = SLOW.replace("    # 8\n", "    # 8\n    time.sleep(1)\n")
RULE = "python/blocking-in-async"


def rules(text: str) -> list[str]:
    events = [json.loads(line) for line in text.splitlines()]
    return [one["finding"]["rule"] for one in events if one["type"] == "finding"]


def commit(path: str, text: str) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "x")


@pytest.fixture(params=["a.py", "caf\u00e9 :(top)/[a].py"])
def path(request: pytest.FixtureRequest) -> str:
    """A file of a repository, and its change in the working tree."""
    git("init", "--quiet", "-b", "main")
    found: str = request.param
    commit(found, SLOW)
    Path(found).write_text(SLEEPS, encoding="utf-8", newline="\n")
    return found


def staged(_: str) -> list[str]:
    git("add", ".")
    return ["--staged"]


def on_a_branch(path: str) -> list[str]:
    git("checkout", "--quiet", "-b", "topic")
    commit(path, SLEEPS)
    return ["--base", "main"]


def renamed(path: str) -> list[str]:
    Path(path).rename("b.py")
    git("add", ".")
    return ["--staged"]


@pytest.mark.parametrize("source", [lambda _: [], staged, on_a_branch, renamed])
def test_in_a_repository_the_rules_see_whole_files(
    source: Callable[[str], list[str]], path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["review", *source(path), "--format", "ndjson"]
    main(arguments)
    assert rules(capsys.readouterr().out) == [RULE]
    Path("off.yml").write_text("context_lines: 0\n")
    main([*arguments, "--config", "off.yml"])
    assert rules(capsys.readouterr().out) == []


def test_from_a_folder_below_the_root_it_is_the_same(
    path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert path
    Path("below").mkdir()
    monkeypatch.chdir("below")
    main(["review", "--format", "ndjson"])
    assert rules(capsys.readouterr().out) == [RULE]


async def test_the_rules_see_whole_files_of_a_pull_request(tmp_path: Path) -> None:
    async with opened({"a.py": SLOW}, {"a.py": SLEEPS}) as (github, _, env):
        done = await review(tmp_path, "--pr", NAME, "--format", "ndjson", **env)
        assert RULE in rules(done.out)
        asked = [one.path.rpartition("/")[2] for one in github.called("GET", "/contents/")]
        assert sorted(asked) == [
            ".gitattributes", ".reviewbot.yaml", ".reviewbot.yml", "a.py", "app.py", "rules",
        ]  # fmt: skip


@pytest.mark.slow
async def test_a_model_sees_some_lines_of_a_pull_request_and_a_dry_run_counts_them(
    tmp_path: Path,
) -> None:
    lines = [f"value_{number} = {number}\n" for number in range(1, 100)]
    old, new = "".join(lines), "".join([*lines[:49], "x = 0\n", *lines[50:]])
    off = {".reviewbot.yml": "context_lines: 0\n"}
    tokens = []
    async with FakeAnthropic() as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        for config in ({}, off):
            async with opened({"a.py": old} | config, {"a.py": new}) as (_, _pull, env):
                dry = ("--pr", NAME, "--dry-run", "--no-summary")
                planned = await review(tmp_path, *dry, **env, **keys)
                tokens.append(planned.out)
                fake.enqueue(Answer())
                done = await review(tmp_path, "--pr", NAME, "--no-summary", **env, **keys)
                assert done.code == 1  # a rule reports the other file
    wide, narrow = (request.text for request in fake.requests)
    assert "R40 |value_40 = 40" in wide
    assert "value_39" not in wide
    assert "R47 |value_47 = 47" in narrow
    assert "value_45" not in narrow
    assert tokens[0] != tokens[1]


@pytest.mark.slow
async def test_a_server_gets_the_diff_alone(tmp_path: Path) -> None:
    async with opened({"a.py": SLOW}, {"a.py": SLEEPS}) as (github, _, env), node(tmp_path) as one:
        arguments = ("--pr", NAME, "--server", one.url, "--format", "ndjson")
        done = await review(tmp_path, *arguments, **env)
        assert RULE not in rules(done.out)
        assert not github.called("GET", "/contents/a.py")
