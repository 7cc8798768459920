"""``reviewbot stats`` as a user runs it, against a GitHub that is strict."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.cli.main import main
from reviewbot.cli.stats import AUTHOR
from reviewbot.github import markers
from reviewbot.github.identity import PullName
from reviewbot.github.markers import Marker
from reviewbot.github.state.block import ClosedRecord, StateBlock, pack
from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub, faults
from tests.fake_github.comments import Reaction
from tests.github.action_runs import Runner
from tests.support.commands import Done, run_command
from tests.support.github_records import record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reviewbot.github.state.block import Fate
    from tests.fake_github import PullRequest

BASE = {"app.py": "one = 1\n"}
BAD = {"app.py": "one = eval(input())\n"}


@asynccontextmanager
async def world(*, private: bool = True) -> AsyncIterator[tuple[FakeGitHub, dict[str, str]]]:
    """GitHub with a repository, the account of the Action, and the variables of a reader."""
    async with FakeGitHub() as github:
        repo = github.repository("octo/hello", BASE, private=private)
        github.world.user(AUTHOR, "Bot")
        yield github, {"GITHUB_API_URL": github.url, "GITHUB_TOKEN": github.token(repo).value}


async def stats(folder: Path, *arguments: str, **variables: str) -> Done:
    return await run_command(folder, "stats", "octo/hello", *arguments, **variables)


def closed(number: int, fate: Fate, rule: str = "bug", **changes: Any) -> ClosedRecord:
    values = {"model": "claude-sonnet-5-5", "prompt_version": "0123456789ab"} | changes
    return ClosedRecord(id=f"{number:016x}", rule=rule, fate=fate, **values)


def summary(pull: PullRequest, block: StateBlock) -> str:
    """The summary comment of a review that left ``block``."""
    packed = pack(block, {})
    assert packed
    marker = Marker("summary", pull.head_sha, pull.base_sha, "clean", key="r1", state=packed)
    name = PullName(pull.repo.full_name, pull.number, pull.repo.id)
    return f"**Nothing was found.**\n\n{markers.write(marker, name.bound)}"


def pulled(github: FakeGitHub, block: StateBlock, *, by: str = AUTHOR) -> PullRequest:
    pull = github.pull(base=BASE, head=BAD)
    pull.comment(summary(pull, block), by=by)
    return pull


async def test_fates_are_counted_by_severity_rule_model_and_prompt_version(tmp_path: Path) -> None:
    rule = closed(3, "fixed", "python/eval", model="offline", prompt_version="", severity="error")
    async with world() as (github, env):
        states = (
            StateBlock("s", closed=(closed(1, "fixed", severity="error"), rule), merged=True),
            StateBlock("s", closed=(closed(2, "dismissed"), closed(4, "refuted")), merged=True),
            StateBlock("s", closed=(closed(5, "open_at_merge", severity="warning"),), merged=True),
        )
        for state in states:
            pulled(github, state).merge()
        pulled(github, StateBlock("s", closed=(closed(6, "fixed", severity="warning"),)))
        done = await stats(tmp_path, **env)
        text = await stats(tmp_path, "--format", "json", **env)
        assert {one.method for one in github.requests} == {"GET"}
    assert (done.code, done.err) == (0, "")
    assert done.out == EXPECTED
    found = json.loads(text.out)
    assert found["findings"] == {"fixed": 3, "dismissed": 1, "refuted": 1, "open_at_merge": 1}
    assert (found["merged"], found["fixed_before_merge"]) == (5, 2)
    assert [(row["name"], row["fixed"]) for row in found["by_rule"]] == [
        ("bug", 2),
        ("python/eval", 1),
    ]
    assert [(row["name"], row["fixed_before_merge"]) for row in found["by_severity"]] == [
        ("error", 2),
        ("warning", 0),
        ("unknown", 0),
    ]
    assert [one["name"] for one in found["by_prompt_version"]] == ["0123456789ab", "none"]
    assert (found["pull_requests"], found["with_state"], found["dropped"]) == (4, 4, 0)


EXPECTED = """\
octo/hello: github-actions[bot] left a state on 4 of the newest 4 pull requests

6 closed findings: 3 (50 %) fixed, 1 (17 %) dismissed, 1 (17 %) refuted, 1 (17 %) open at merge
Fixed before the merge: 2 of 5 (40 %) in merged pull requests

SEVERITY  FINDINGS      FIXED  DISMISSED   REFUTED  OPEN AT MERGE  FIXED BEFORE MERGE
error            2  2 (100 %)          0         0              0      2 of 2 (100 %)
warning          2   1 (50 %)          0         0       1 (50 %)        0 of 1 (0 %)
unknown          2          0   1 (50 %)  1 (50 %)              0        0 of 2 (0 %)

RULE         FINDINGS      FIXED  DISMISSED   REFUTED  OPEN AT MERGE  FIXED BEFORE MERGE
bug                 5   2 (40 %)   1 (20 %)  1 (20 %)       1 (20 %)       1 of 4 (25 %)
python/eval         1  1 (100 %)          0         0              0      1 of 1 (100 %)

MODEL              FINDINGS      FIXED  DISMISSED   REFUTED  OPEN AT MERGE  FIXED BEFORE MERGE
claude-sonnet-5-5         5   2 (40 %)   1 (20 %)  1 (20 %)       1 (20 %)       1 of 4 (25 %)
offline                   1  1 (100 %)          0         0              0      1 of 1 (100 %)

PROMPT VERSION  FINDINGS      FIXED  DISMISSED   REFUTED  OPEN AT MERGE  FIXED BEFORE MERGE
0123456789ab           5   2 (40 %)   1 (20 %)  1 (20 %)       1 (20 %)       1 of 4 (25 %)
none                   1  1 (100 %)          0         0              0      1 of 1 (100 %)

- Findings that only the check lists, those beyond max_inline, are not included.
- The state in the comments is trusted because of its author; the signature is not checked.
- Reactions: those to comments on findings, by people who may write today.
"""


def reacted(pull: PullRequest, *reactions: tuple[str, str]) -> None:
    """Have people, bots too, react to our comment on the first finding."""
    world = pull.repo.world
    comment = next(one for one in pull.review_comments if "kind=finding" in one.body)
    for login, content in reactions:
        user = world.user(login, "Bot" if login.endswith("[bot]") else "User")
        number, node_id = world.identity("REA")
        comment.reactions.append(Reaction(number, node_id, user, content, world.clock.now()))


async def test_reactions_of_people_who_may_write_are_counted_and_dismiss_nothing(
    tmp_path: Path,
) -> None:
    async with world() as (github, env), FakeAnthropic() as model:
        runner = Runner(github, model, tmp_path)
        pull = github.pull(base=BASE, head=BASE | BAD)
        await runner.run(pull, model="offline")
        pull.repo.allow("hubot", "write")
        github.world.user("helper[bot]", "Bot")
        pull.repo.allow("helper[bot]", "write")
        pull.repo.allow("triager", "triage")
        praise = [(login, "+1") for login in ("octo", "hubot", "mallory", "helper[bot]", "triager")]
        reacted(pull, *praise, ("hubot", "heart"), ("octo", "-1"))
        done = await stats(tmp_path, "--format", "json", **env)
        text = await stats(tmp_path, **env)
        asked = [one for one in github.requests if "/collaborators/hubot/" in one.key]
        again = await runner.run(pull, model="offline", full="true", fail_on="error")
    found = json.loads(done.out)["reactions"]
    assert found["total"] == {"+1": 2, "heart": 1, "-1": 1}
    [rule] = found["by_rule"]
    assert rule == {"name": "python/eval", "+1": 2, "heart": 1, "-1": 1}
    assert [one["name"] for one in found["by_model"]] == ["offline"]
    assert [one["name"] for one in found["by_prompt_version"]] == ["none"]
    assert "4 reactions to findings\n\nRULE         REACTIONS  +1  -1\n" in text.out
    assert "python/eval          4   2   1\n" in text.out
    assert len(asked) == 2, "each run asks once"
    assert again.outputs["outcome"] == "findings"


async def test_a_reader_without_write_access_gets_a_note_instead_of_reactions(
    tmp_path: Path,
) -> None:
    async with world(private=False) as (github, env), FakeAnthropic() as model:
        pull = github.pull(base=BASE, head=BASE | BAD)
        await Runner(github, model, tmp_path).run(pull, model="offline")
        reacted(pull, ("octo", "+1"))
        stranger = github.world.personal_token("mallory").value
        for token in (stranger, ""):
            done = await stats(tmp_path, "--format", "json", **env | {"GITHUB_TOKEN": token})
            found = json.loads(done.out)
            assert found["reactions"] is None
            assert "Reactions are not counted: that needs a token" in found["notes"][-1]
            assert found["with_state"] == 1


async def test_a_comment_that_is_not_ours_or_not_known_has_no_model(tmp_path: Path) -> None:
    async with world() as (github, env), FakeAnthropic() as model:
        pull = github.pull(base=BASE, head=BASE | BAD)
        await Runner(github, model, tmp_path).run(pull, model="offline")
        reacted(pull, ("octo", "+1"))
        ours = pull.review_comments[0]
        copied = pull.review_comment("app.py", 1, ours.body, by="mallory")
        copied.reactions = [*ours.reactions]
        comment = next(one for one in pull.comments if "kind=summary" in one.body)
        comment.body = summary(pull, StateBlock("s"))
        done = await stats(tmp_path, "--format", "json", **env)
    found = json.loads(done.out)["reactions"]
    assert found["by_rule"] == [{"name": "python/eval", "+1": 1}]
    assert found["by_model"] == [{"name": "unknown", "+1": 1}]


async def test_findings_that_are_not_included_are_named(tmp_path: Path) -> None:
    left = StateBlock("s", records=(record(), record(id="b" * 16, held="unproven")))
    full = StateBlock("s", closed=(closed(1, "fixed"),), dropped={"fixed": 40, "dismissed": 2})
    async with world() as (github, env):
        pulled(github, left)
        pulled(github, left).close()
        pulled(github, left).merge()
        pulled(github, full)
        done = await stats(tmp_path, "--format", "json", **env)
    found = json.loads(done.out)
    assert found["without_fate"] == {"in_open": 1, "in_closed": 1, "in_merged": 1}
    assert (found["merges_not_recorded"], found["dropped"]) == (1, 42)
    assert (found["findings"]["fixed"], found["findings"]["dismissed"]) == (41, 2)
    said = " ".join(found["notes"])
    assert "1 finding open in open pull requests" in said
    assert "closed without a merge" in said
    assert "must also run on the type closed" in said
    assert "42 findings included in the totals only" in said


async def test_only_comments_of_the_author_for_this_pull_request_count(tmp_path: Path) -> None:
    """A stranger copies the state of another pull request, or writes one."""
    state = StateBlock("s", closed=(closed(1, "fixed"),), merged=True)
    async with world() as (github, env):
        other = pulled(github, state)
        pull = github.pull(base=BASE, head=BAD)
        pull.comment(summary(pull, state), by="mallory")
        pull.comment(other.comments[0].body, by=AUTHOR)
        pull.comment("<!-- reviewbot v=1 kind=summary state=AAAA -->", by=AUTHOR)
        done = await stats(tmp_path, "--format", "json", **env)
    found = json.loads(done.out)
    assert (found["with_state"], found["findings"]["fixed"]) == (1, 1)


async def test_hostile_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    hostile = "\x1b[2Jgone\u202e::error::x" + "y" * 500
    names = {"model": hostile, "prompt_version": hostile}
    state = StateBlock("s", closed=(closed(1, "fixed", hostile, **names),))
    async with world() as (github, env):
        pulled(github, state)
        done = await stats(tmp_path, **env)
        found = await stats(tmp_path, "--format", "json", **env)
    for text in (done.out, found.out):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert max(map(len, done.out.splitlines())) < 120
    assert json.loads(found.out)["by_rule"][0]["name"] == hostile[:100]


async def test_a_repository_without_states_names_the_accounts_that_have_some(
    tmp_path: Path,
) -> None:
    state = StateBlock("s", closed=(closed(1, "fixed"),))
    async with world() as (github, env):
        github.world.user("helper[bot]", "Bot")
        pull = pulled(github, state, by="helper[bot]")
        pull.comment(summary(pull, state), by="mallory")
        done = await stats(tmp_path, **env)
        named = await stats(tmp_path, "--author", "helper[bot]", **env)
    assert done.code == 0
    assert "comments by helper[bot]: name one with --author" in done.out
    assert "mallory" not in done.out
    assert "1 closed finding: 1 (100 %) fixed" in named.out


async def test_since_and_limit_choose_the_newest_pull_requests(tmp_path: Path) -> None:
    async with world() as (github, env):
        for number, day in enumerate((1_767_225_600, 1_769_904_000, 1_772_323_200)):
            state = StateBlock("s", closed=(closed(number, "fixed"),))
            pulled(github, state).created = float(day)
        since = await stats(tmp_path, "--since", "2026-02-01", "--format", "json", **env)
        limit = await stats(tmp_path, "--limit", "1", "--format", "json", **env)
    assert json.loads(since.out)["pull_requests"] == 2
    assert json.loads(since.out)["since"] == "2026-02-01"
    assert json.loads(limit.out)["pull_requests"] == 1


async def test_without_a_token_or_access_the_error_says_what_to_do(tmp_path: Path) -> None:
    async with world() as (github, env):
        done = await stats(tmp_path, GITHUB_API_URL=env["GITHUB_API_URL"])
        assert done.code == 2
        assert "there is no octo/hello, or it is not public: set GITHUB_TOKEN" in done.err
        reset = github.clock.now() + 3_000
        github.fail(faults.primary("GET", "/repos/octo/hello/pulls", reset=reset, times=9))
        limited = await stats(tmp_path, **env)
    assert limited.code != 0
    assert "limit" in limited.err
    assert limited.out == ""


async def test_a_repository_without_pull_requests_has_no_statistics(tmp_path: Path) -> None:
    async with world() as (_, env):
        done = await stats(tmp_path, **env)
    assert done.code == 0
    assert "There is no pull request to read." in done.out


@pytest.mark.parametrize(
    "wrong",
    [
        ("octo",),
        ("octo/hello/pulls",),
        ("octo/hello", "--since", "yesterday"),
        ("octo/hello", "--limit", "0"),
        ("octo/hello", "--limit", "1001"),
        ("octo/hello", "--author", "a b"),
    ],
)
def test_an_invalid_argument_is_a_usage_error(
    wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["stats", *wrong])
    assert ended.value.code == 2
    assert repr(wrong[-1]) in capsys.readouterr().err


async def test_a_pull_request_that_the_action_reviewed_until_its_merge_is_counted(
    tmp_path: Path,
) -> None:
    async with world() as (github, env), FakeAnthropic() as model:
        runner = Runner(github, model, tmp_path)
        pull = github.pull(base=BASE, head=BASE | BAD | {"b.py": "two = eval(input())\n"})
        await runner.run(pull, model="offline")
        pull.push({"b.py": "two = 2\n"})
        await runner.run(pull, model="offline")
        pull.merge()
        runner.event(pull, action="closed")
        await runner.step(runner.environment(pull, model="offline"))
        done = await stats(tmp_path, "--format", "json", **env)
    found = json.loads(done.out)
    assert found["findings"] == {"fixed": 1, "dismissed": 0, "refuted": 0, "open_at_merge": 1}
    assert [one["name"] for one in found["by_rule"]] == ["python/eval"]
    assert (found["without_fate"]["in_merged"], found["merges_not_recorded"]) == (0, 0)
