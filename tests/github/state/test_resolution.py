"""Which changes of the code resolve a finding, and which leave it open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.github.action_runs import CONFIG, Runner
from tests.support.github_stories import (
    BASE,
    ONE,
    REMOVED,
    ROWS,
    SAME,
    TEXT,
    app,
    base_goes_on,
    conclusions,
    either_way,
    lines,
    nothing,
    removal,
    says,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub


async def test_changing_any_line_of_a_range_resolves_its_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """The last line of a block is often only its end."""
    block = ["if value is None:", "    return value.name", "fi()"]
    pull = github.pull(base=BASE, head=BASE | app(*zip((10, 11, 12), block, strict=True)))
    model.respond = says(
        path="app.py", quote="\n".join(block), line=10, end_line=12, title="None has no name"
    )
    await runner.run(pull, fail_on="error")
    assert conclusions(pull) == ["failure"]
    block[1] = "    return ''"
    pull.push(app(*zip((10, 11, 12), block, strict=True)))
    model.respond = nothing
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "0"
    assert "1 resolved" in summary_of(pull)


async def test_a_finding_on_a_removed_line_stays_open_while_the_line_is_removed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """A rebase shifts the lines of the old side, and GitHub loses the comment's place, perhaps."""
    pull = github.pull(base=BASE, head=BASE | removal())
    model.respond = says(
        path="app.py", quote=REMOVED, side="LEFT", line=10, end_line=10, title="It was needed"
    )
    await runner.run(pull, fail_on="error")
    assert conclusions(pull) == ["failure"]
    model.respond = nothing
    pull.force_push(removal((50, "line_50 = 51")))
    for thread in pull.threads:
        thread.now = None  # outdated, as after many a force-push
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_a_removed_line_that_returns_resolves_its_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | removal((12, "line_12 = 13")))
    model.respond = says(
        path="app.py", quote=REMOVED, side="LEFT", line=10, end_line=10, title="It was needed"
    )
    await runner.run(pull, fail_on="error")
    model.respond = nothing
    pull.push(app((12, "line_12 = 13")))
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "0"


async def test_new_indentation_resolves_no_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    model.respond = nothing
    text = ONE["app.py"].splitlines()[9]
    pull.push(app((9, "if True:"), (10, f"    {text}")))
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_a_change_of_the_line_above_resolves_no_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """GitHub lost the place (a force-push); the line is there, the one above it is another."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    model.respond = nothing
    text = ONE["app.py"].splitlines()[9]
    pull.force_push(app((9, "line_9 = 'nine'"), (10, text)))
    for thread in pull.threads:
        thread.now = None
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
async def test_a_finding_stays_open_whatever_the_encoding_of_its_file(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, encoding: str, end: str
) -> None:
    newline = end or "\n"
    lines = [f"row_{number} = 'é'" for number in range(30)]
    base: dict[str, Any] = CONFIG | {"a.py": newline.join(lines).encode(encoding)}
    lines[29] = "row_29 = 'é' / 0  # BUG error Division by zero"
    head = {"a.py": (newline.join(lines) + end).encode(encoding)}
    pull = github.pull(base=base, head=base | head)
    await runner.run(pull)
    assert len(titles(pull)) == 1
    model.respond = nothing
    moved = {"a.py": (newline.join(["# one more", *lines]) + end).encode(encoding)}
    pull.push(moved)
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    for thread in pull.threads:
        thread.now = None
    pull.push({"b.py": "x = 1\n"})
    for thread in pull.threads:
        thread.now = None
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"


@pytest.mark.parametrize("how", ["indented", "moved"])
async def test_code_that_is_only_moved_or_indented_is_not_fixed_by_the_push_after_it(
    github: FakeGitHub, runner: Runner, how: str
) -> None:
    """The model finds it each time it is asked. After the next push nobody asks any more."""
    text = ONE["app.py"].splitlines()[9]
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    place = app((10, f"    {text}")) if how == "indented" else app((40, text))
    pull.push(place)
    assert (await runner.run(pull, fail_on="error")).outputs["errors"] == "1"
    pull.push({"b.py": "x = 1\n"})
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_a_finding_on_an_unchanged_line_stays_open_when_the_line_moves(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    base = BASE | app((11, SAME))
    pull = github.pull(base=base, head=base | app((10, "line_10 = 'ten'"), (11, SAME)))
    model.respond = says(path="app.py", quote=SAME, line=11, end_line=11, title="Division by zero")
    await runner.run(pull)
    assert len(titles(pull)) == 1
    model.respond = nothing
    pull.force_push(app((9, "line_9 = 'nine'"), (11, SAME)))
    for thread in pull.threads:
        thread.now = None
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"


async def test_a_blank_line_in_a_range_resolves_no_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    block = ["if value is None:", "    return value.name"]
    rows = BASE["app.py"].splitlines()
    head = [*rows[:9], *block, *rows[11:]]
    pull = github.pull(base=BASE, head=BASE | {"app.py": "\n".join(head) + "\n"})
    model.respond = says(
        path="app.py", quote="\n".join(block), line=10, end_line=11, title="None has no name"
    )
    await runner.run(pull, fail_on="error")
    block.insert(1, "")
    head = [*rows[:9], *block, *rows[11:]]
    pull.push({"app.py": "\n".join(head) + "\n"})
    model.respond = nothing
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"


@either_way
@pytest.mark.parametrize("lines", [(18, 18), (10, 18)])
async def test_a_finding_in_context_beyond_the_diff_stays_open(
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    comments: str,
    lines: tuple[int, int],
) -> None:
    changed = app((10, "line_10 = 'ten'"))["app.py"]
    pull = github.pull(base=BASE, head=BASE | {"app.py": changed})
    quote = "\n".join(changed.splitlines()[lines[0] - 1 : lines[1]])
    model.respond = says(
        path="app.py", quote=quote, line=lines[0], end_line=lines[1], title="Division by zero"
    )
    run = await runner.run(pull, fail_on="error", review_comments=comments)
    assert run.outputs["errors"] == "1"
    model.respond = nothing
    pull.push({"c.py": "x = 1\n"})
    run = await runner.run(pull, fail_on="error", review_comments=comments)
    assert run.outputs["errors"] == "1"


@either_way
async def test_a_file_that_became_a_folder_breaks_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    base = CONFIG | {"tool": BASE["app.py"], "b.py": "x = 1\n"}
    pull = github.pull(base=base, head=base | {"tool": ONE["app.py"], "b.py": "x = 2\n"})
    await runner.run(pull, review_comments=comments)
    pull.push({"tool": None, "tool/a.py": "x = 1\n"})
    model.respond = nothing
    run = await runner.run(pull, review_comments=comments)
    assert run.code == 0
    assert run.outputs["errors"] == "0"


@pytest.mark.parametrize("summary", ["true", "false"])
async def test_a_finding_stays_open_in_an_incomplete_run_and_after_it(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error", summary_comment=summary)
    model.respond = lambda _: Answer(call=False, preamble="No.")
    pull.push(app((10, TEXT), (55, "line_55 = 'x'")))
    await runner.run(pull, fail_on="error", summary_comment=summary)
    model.respond = nothing
    run = await runner.run(pull, fail_on="error", summary_comment=summary)
    assert run.outputs["errors"] == "1"


async def test_a_new_finding_gets_a_comment_where_the_old_one_is_marked_as_fixed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    block = ["if value is None:", "    return value.name", "run(value)"]
    at = (10, 11, 12)
    pull = github.pull(base=BASE, head=BASE | app(*zip(at, block, strict=True)))
    model.respond = says(
        path="app.py", quote="\n".join(block), line=10, end_line=12, title="None has no name"
    )
    await runner.run(pull)
    block[1] = "    return ''"
    pull.push(app(*zip(at, block, strict=True)))
    model.respond = says(
        path="app.py",
        quote=block[2],
        line=12,
        end_line=12,
        title="Shell injection",
        scenario="A stranger runs commands.",
        category="security",
    )
    await runner.run(pull)
    assert pull.review_comments[0].minimized == "outdated"
    assert titles(pull)[1:] == ["**error: Shell injection**"]


async def test_reverting_the_whole_change_resolves_its_findings(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.push({"app.py": BASE["app.py"]})
    await runner.run(pull)
    assert pull.review_comments[0].minimized == "outdated"


@either_way
async def test_an_emptied_file_has_no_open_finding(
    github: FakeGitHub, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, review_comments=comments)
    pull.push({"app.py": ""})
    run = await runner.run(pull, review_comments=comments)
    assert run.outputs["errors"] == "0"


@pytest.mark.parametrize("comments", ["true", "false"])
async def test_a_finding_that_the_configuration_now_excludes_fails_no_check(
    github: FakeGitHub, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE | {"b.py": "x = 2\n"})
    await runner.run(pull, fail_on="error", review_comments=comments)
    config = {".reviewbot.yml": "summary: false\nexclude: [app.py]\n"}
    base_goes_on(pull, config, ONE | {"b.py": "x = 2\n"})
    run = await runner.run(pull, fail_on="error", review_comments=comments)
    assert run.outputs["errors"] == "0"
    assert "1 finding of earlier reviews left out" in summary_of(pull)
    assert "resolved" not in summary_of(pull).lower()


async def test_a_quote_of_white_space_breaks_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    block = ["if value is None:", "    return value.name"]
    pull = github.pull(base=BASE, head=BASE | {"app.py": lines(*ROWS[:9], *block, *ROWS[11:])})
    model.respond = says(
        path="app.py", quote="\n".join(block), line=10, end_line=11, title="None has no name"
    )
    await runner.run(pull)
    pull.push(app((10, "line_10 = 'ten'")))
    model.respond = says(path="app.py", quote=" ", line=3, end_line=3, title="No tests")
    run = await runner.run(pull)
    assert run.code == 0


async def test_a_finding_on_an_empty_line_breaks_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"n.py": "\nx = 1\ny = 2\n", "c.py": "c = 1\n"})
    model.respond = says(path="n.py", quote="R1+|", line=1, end_line=1, title="No header")
    await runner.run(pull)
    assert titles(pull) == ["**error: No header**"]
    model.respond = nothing
    pull.push({"n.py": "x = 1\ny = 2\n"})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "0"


@pytest.mark.parametrize("comments", ["true", "false"])
async def test_a_finding_that_was_excluded_for_a_while_counts_again(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE | {"c.py": "c = 1\n"})
    await runner.run(pull, review_comments=comments, fail_on="error")
    model.respond = nothing
    pull.rebase({".reviewbot.yml": "summary: false\nexclude: [app.py]\n"})
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "0"
    pull.rebase({".reviewbot.yml": "summary: false\n"})
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
