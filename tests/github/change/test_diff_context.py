"""The whole files of a pull request: bounded, optional, and those that its diff leads to."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import SecretText, load_settings
from reviewbot.core.diff.parse import parse_diff
from reviewbot.errors import ConfigError
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.change import head_files
from reviewbot.github.change.compare import ContentSource
from reviewbot.github.change.fetch import get_change
from reviewbot.github.change.head_files import CONTEXT_TIMEOUT_S, changed_files
from reviewbot.github.client.rate_limit import Pace
from reviewbot.models.linters.programs import find_programs
from reviewbot.pipeline import diff_context
from reviewbot.pipeline.context import ContextLimits
from reviewbot.pipeline.diff_context import diff_in_context
from tests.fake_github import SUBMODULE, SYMLINK, Blob, FakeGitHub, Fault, faults
from tests.support.github_changes import REPO, by_list, opened
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.config.settings import Settings
    from reviewbot.github.api.gateway import Api
    from tests.fake_github.git import Content

LINES = [b"value_%d = %d" % (number, number) for number in range(1, 61)]
PLAIN = b"".join(line + b"\n" for line in LINES)
CONTENTS = "/contents/"


def changed(*numbers: int, of: bytes = PLAIN) -> bytes:
    lines = of.split(b"\n")
    for number in numbers:
        lines[number - 1] = b"changed = True" + b"\r" * lines[number - 1].endswith(b"\r")
    return b"\n".join(lines)


def set_to(**values: Any) -> Settings:
    flags = {"model": "claude-sonnet-5-5", "state_dir": "/nowhere", **values}
    return load_settings(flags=flags, env={"ANTHROPIC_API_KEY": "unused"})


async def widened(place: ContentSource, diff: bytes) -> bytes:
    return (await diff_in_context(diff, changed_files(place), set_to(), "")).diff


async def fetched(api: Api, *, attributes: str = "", **values: Any) -> bytes:
    change = await get_change(api, REPO, 1)
    place = ContentSource(api, REPO, change.merge_base, change.pull.head.sha)
    settings = set_to(**values)
    return (await diff_in_context(change.diff, changed_files(place), settings, attributes)).diff


def spans(diff: bytes) -> dict[str, list[tuple[int, int]]]:
    """The lines of the new files that are shown."""
    return {
        file.path: [(hunk.new_start, hunk.new_start + hunk.new_count - 1) for hunk in file.hunks]
        for file in parse_diff(diff)
    }


def asked_for(github: FakeGitHub) -> list[str]:
    return [one.path.rpartition(CONTENTS)[2] for one in github.called("GET", CONTENTS)]


async def test_what_is_around_a_change_is_had_at_its_head_with_one_request_a_file() -> None:
    base = {"a.py": PLAIN, "b.py": PLAIN, "same.py": PLAIN}
    head = base | {"a.py": changed(30), "b.py": changed(5), "new.py": PLAIN, "uv.lock": PLAIN}
    async with opened(base, head) as (github, pull, api):
        diff = await fetched(api)
        assert spans(diff) == spans(pull.diff_text) | {"a.py": [(20, 40)], "b.py": [(1, 15)]}
        assert sorted(asked_for(github)) == ["a.py", "b.py"]
        assert {one.query["ref"] for one in github.called("GET", CONTENTS)} == {pull.head_sha}


async def test_a_push_in_between_leads_to_no_other_file() -> None:
    async with opened({"a.py": PLAIN}, {"a.py": changed(30)}) as (_, pull, api):
        change = await get_change(api, REPO, 1)
        pull.push({"a.py": b"another\n" + changed(30)})
        place = ContentSource(api, REPO, change.merge_base, change.pull.head.sha)
        diff = await widened(place, change.diff)
        assert spans(diff) == {"a.py": [(20, 40)]}


async def test_a_file_that_is_another_than_its_diff_says_is_not_used() -> None:
    async with opened({"a.py": PLAIN}, {"a.py": changed(30)}) as (_, pull, api):
        change = await get_change(api, REPO, 1)
        pull.push({"a.py": b"another\n" + changed(30)})
        place = ContentSource(api, REPO, change.merge_base, pull.head_sha)
        assert await widened(place, change.diff) == change.diff


async def test_zero_context_lines_fetch_no_files() -> None:
    async with opened({"a.py": PLAIN}, {"a.py": changed(30)}) as (github, pull, api):
        assert await fetched(api, context_lines=0) == pull.diff_text
        assert asked_for(github) == []


@pytest.mark.parametrize("lines", [1, 10])
async def test_each_file_for_linters_and_context_takes_one_request(
    monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    monkeypatch.setattr("reviewbot.models.linters.linters.find_programs", find_programs)
    base = {"a.py": PLAIN, "b.py": PLAIN, "c.rs": PLAIN}
    head = base | {"a.py": changed(30), "b.py": changed(5), "c.rs": changed(5), "new.py": PLAIN}
    async with opened(base, head) as (github, pull, api):
        change = await get_change(api, REPO, 1)
        place = ContentSource(api, REPO, change.merge_base, change.pull.head.sha)
        github.fail(faults.error("GET", f"{CONTENTS}b.py", 404))
        found = await diff_in_context(
            change.diff, changed_files(place), set_to(context_lines=lines), ""
        )
        assert sorted(asked_for(github)) == ["a.py", "b.py", *(["c.rs"] if lines > 3 else [])]
        assert (found.diff == pull.diff_text) == (lines == 1)
        whole = spans(found.whole_files)
        assert whole["a.py"] == [(1, 60)]
        assert "b.py" not in whole


async def test_the_change_of_a_fork_is_had_from_the_repository_of_its_pull_request() -> None:
    base, head = {"a.py": PLAIN}, {"a.py": changed(30)}
    async with opened(base, head, fork=True) as (github, _pull, api):
        assert spans(await fetched(api)) == {"a.py": [(20, 40)]}
        assert {one.path for one in github.called("GET", CONTENTS)} == {
            f"/repos/{REPO}/contents/a.py"
        }


# --- Limits


async def test_no_more_files_are_fetched_than_the_limit_and_the_most_changed_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = {f"{number:02}.py": PLAIN for number in range(1, 41)}
    head = {f"{number:02}.py": changed(*range(1, number + 1)) for number in range(1, 41)}
    async with opened(base, head) as (github, _pull, api):
        diff = await fetched(api)
        assert sorted(asked_for(github)) == [f"{number:02}.py" for number in range(11, 41)]
        assert len(parse_diff(diff)) == 40
        github.requests.clear()
        monkeypatch.setattr(diff_context, "LIMITS", ContextLimits(files=2))
        await fetched(api)
        assert sorted(asked_for(github)) == ["39.py", "40.py"]


async def test_bytes_are_counted_and_those_under_way_still_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(head_files, "ALL_BYTES", len(PLAIN))
    base = {f"{number}.py": PLAIN for number in range(9)}
    head = {f"{number}.py": changed(30) for number in range(9)}
    async with opened(base, head) as (github, _pull, api):
        diff = await fetched(api)
        assert len(asked_for(github)) == 4
        wide = [path for path, lines in spans(diff).items() if lines == [(20, 40)]]
        assert len(wide) == 4


async def test_a_file_above_the_limit_is_not_read_and_the_others_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(head_files, "FILE_BYTES", len(PLAIN) + 100)
    base = {"a.py": PLAIN * 20, "b.py": PLAIN}
    head = {"a.py": changed(30, of=PLAIN * 20), "b.py": changed(30)}
    async with opened(base, head) as (_, pull, api):
        diff = await fetched(api)
        assert spans(diff) == spans(pull.diff_text) | {"b.py": [(20, 40)]}


async def test_not_more_than_four_are_under_way_at_once() -> None:
    base = {f"{number}.py": PLAIN for number in range(12)}
    head = {f"{number}.py": changed(30) for number in range(12)}
    under_way = most = 0

    async with FakeGitHub() as github:
        pull = github.pull(base, head)
        token = SecretText(github.token(pull.repo).value)
        pace = Pace(readers=100)
        async with Gateway(token, base_url=github.url, pace=pace) as gateway:
            api = gateway.holder()
            change = await get_change(api, REPO, 1)
            file = api.contents.file

            async def counted(*arguments: Any, **more: Any) -> bytes | None:
                nonlocal under_way, most
                under_way += 1
                most = max(most, under_way)
                try:
                    return await file(*arguments, **more)
                finally:
                    under_way -= 1

            api.contents.file = counted  # type: ignore[method-assign]
            place = ContentSource(api, REPO, change.merge_base, change.pull.head.sha)
            diff = await widened(place, change.diff)
    assert most == 4
    assert set(map(tuple, spans(diff).values())) == {((20, 40),)}


# --- What cannot be had


@pytest.mark.parametrize(
    "fault",
    [
        lambda: faults.error("GET", f"{CONTENTS}4.py", 403, times=2),
        lambda: faults.error("GET", f"{CONTENTS}4.py", 500, times=None),
        lambda: faults.error("GET", f"{CONTENTS}4.py", 401, times=None),
        lambda: faults.primary("GET", f"{CONTENTS}4.py", reset=time.time() + 3600, times=99),
        lambda: faults.secondary("GET", f"{CONTENTS}4.py", times=99),
    ],
    ids=["forbidden", "broken", "bad token", "primary limit", "secondary limit"],
)
@in_virtual_time
async def test_what_github_refuses_ends_it_and_what_was_had_is_used(
    fault: Callable[[], Fault],
) -> None:
    base = {f"{number}.py": PLAIN for number in range(1, 6)}
    head = {f"{number}.py": changed(*range(20, 31 - number)) for number in range(1, 6)}
    async with opened(base, head) as (github, pull, api):
        change = await get_change(api, REPO, 1)
        github.fail(fault())
        place = ContentSource(api, REPO, change.merge_base, change.pull.head.sha)
        diff = await widened(place, change.diff)
        assert "5.py" not in asked_for(github)
        before, after = spans(pull.diff_text), spans(diff)
        assert [path for path in after if after[path] == before[path]] == ["4.py", "5.py"]


async def test_a_file_that_is_not_there_is_left_as_the_diff_has_it() -> None:
    base = {"a.py": PLAIN, "b.py": PLAIN}
    head = {"a.py": changed(30), "b.py": changed(30)}
    async with opened(base, head) as (github, pull, api):
        github.fail(faults.error("GET", f"{CONTENTS}a.py", 404))
        assert spans(await fetched(api)) == spans(pull.diff_text) | {"b.py": [(20, 40)]}


@in_virtual_time
async def test_a_review_does_not_wait_for_its_context_longer_than_a_minute() -> None:
    async with FakeGitHub() as github:
        pull = github.pull({"a.py": PLAIN}, {"a.py": changed(30)})
        token = SecretText(github.token(pull.repo).value)
        async with Gateway(token, base_url=github.url, pace=Pace(patience_s=7_200)) as gateway:
            api = gateway.holder()
            change = await get_change(api, REPO, 1)
            github.fail(faults.secondary("GET", CONTENTS, retry_after=3_000, times=99))
            place = ContentSource(api, REPO, change.merge_base, change.pull.head.sha)
            started = asyncio.get_running_loop().time()
            assert await widened(place, change.diff) == change.diff
            waited = asyncio.get_running_loop().time() - started
            assert waited == pytest.approx(CONTEXT_TIMEOUT_S, abs=1)


async def test_an_invalid_pattern_is_reported() -> None:
    async with opened({"a.py": PLAIN}, {"a.py": changed(30)}) as (_, _pull, api):
        with pytest.raises(ConfigError, match="exclude"):
            await fetched(api, exclude=("a/[z-a]",))


# --- Kinds of files


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (PLAIN.replace(b"\n", b"\r\n"), changed(30, of=PLAIN.replace(b"\n", b"\r\n")), (20, 40)),
        (PLAIN[:-1], changed(55, of=PLAIN[:-1]), (45, 60)),
        (PLAIN, changed(55)[:-1], (45, 60)),
        (PLAIN + b"caf\xe9\n", changed(55) + b"caf\xe9\n", (45, 61)),
    ],
    ids=["CRLF", "no newline at the end", "the newline goes", "not UTF-8"],
)
async def test_awkward_text_gets_its_context_byte_for_byte(
    old: bytes, new: bytes, lines: tuple[int, int]
) -> None:
    async with opened({"a.py": old}, {"a.py": new}) as (_, _pull, api):
        diff = await fetched(api)
        assert spans(diff) == {"a.py": [lines]}
        shown = [
            line.text + ("" if line.no_newline else "\n")
            for line in parse_diff(diff)[0].hunks[0].lines
            if line.new_no is not None
        ]
        text = new.decode("utf-8", "surrogateescape")
        assert "".join(shown) in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\0" + PLAIN, b"\0" + changed(30)),
        (Blob(b"a.py", SYMLINK), Blob(b"b.py", SYMLINK)),
        (Blob(b"1" * 40, SUBMODULE), Blob(b"2" * 40, SUBMODULE)),
        (PLAIN, Blob(b"a.py", SYMLINK)),
        (None, PLAIN),
        (PLAIN, None),
    ],
    ids=["binary", "a link", "a submodule", "becomes a link", "added", "deleted"],
)
async def test_no_request_is_made_for_what_has_no_more_to_show(old: Content, new: Content) -> None:
    base = {"a": old} if old is not None else {}
    head = {"a": new} if new is not None else {}
    async with opened(base | {"z": "z\n"}, head | {"z": "z\n"}) as (github, pull, api):
        assert await fetched(api) == pull.diff_text
        assert asked_for(github) == []


async def test_a_change_that_is_put_together_from_a_list_gets_its_context_too() -> None:
    base = {"a b.py": PLAIN, "old.py": PLAIN, "c": PLAIN + b"caf\xe9\n"}
    head = {"a b.py": changed(30), "new.py": changed(30), "c": changed(60) + b"caf\xe9\n"}
    async with opened(base, head) as (github, _pull, api):
        by_list(github)
        diff = await fetched(api)
        found = spans(diff)
        assert (found["a b.py"], found["new.py"]) == ([(20, 40)], [(20, 40)])
        # GitHub's list is JSON: a byte that is not UTF-8 is another character in it.
        assert found["c"] == [(57, 61)]


async def test_attributes_of_the_base_say_what_is_not_worth_a_request() -> None:
    async with opened({"a.py": PLAIN}, {"a.py": changed(30)}) as (github, pull, api):
        attributes = "*.py linguist-generated\n"
        assert await fetched(api, attributes=attributes) == pull.diff_text
        assert asked_for(github) == []
