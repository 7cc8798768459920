"""Other tools as contestants: their output is read as hostile data."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.errors import ConfigError, SourceError
from reviewbot.eval.commands import (
    Command,
    arguments,
    pr_agent,
    read_pr_agent,
    read_tool,
    results_command,
)
from reviewbot.eval.scores import score
from tests.support.evaluations import case, comment, golden
from tests.support.forks import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CASE = case("one", golden(5, 6), golden(15), repository="o/r", base="1a", head="2b", url="u")


def sarif(*lines: int, path: str = "a.py") -> dict[str, Any]:
    results = [
        {
            "ruleId": "X1",
            "level": "error",
            "message": {"text": "Bad."},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": path},
                        "region": {"startLine": line},
                    }
                }
            ],
        }
        for line in lines
    ]
    tool = {"driver": {"name": "other"}}
    return {"version": "2.1.0", "runs": [{"tool": tool, "results": results}]}


def script(folder: Path, text: str) -> str:
    """Return a command line that runs Python code."""
    path = folder / "tool.py"
    path.write_text(text)
    return f"{sys.executable} {path}"


async def test_a_tool_that_prints_sarif_is_scored(tmp_path: Path) -> None:
    printed = json.dumps(sarif(5, 9))
    text = (
        f"import sys\nassert 'line_5' in open(sys.argv[1]).read()\nprint({printed!r})\nsys.exit(1)"
    )
    tool = results_command("other", f"{script(tmp_path, text)} {{diff}}")
    found = await tool.review(CASE, 2)
    assert (found.contestant, found.run, found.case, found.error) == ("other", 2, "one", None)
    assert found.comments == (
        comment(5, severity="error", text="Bad."),
        comment(9, severity="error", text="Bad."),
    )
    assert score(CASE, found).counts.found == 1
    assert tool.estimate(CASE) is None
    assert "{diff}" in tool.spec


def test_results_off_the_diff_are_no_comments_on_the_change() -> None:
    data = json.dumps(sarif(5, 21)).encode()
    assert [one.line for one in read_tool(data, CASE)] == [5]
    other = json.dumps(sarif(5, path="b.py")).encode()
    assert read_tool(other, CASE) == ()
    with pytest.raises(SourceError, match="SARIF or rdjson"):
        read_tool(b"no", CASE)


def test_rdjson_is_read_too() -> None:
    one = {"message": "Bad.", "location": {"path": "a.py", "range": {"start": {"line": 15}}}}
    data = json.dumps({"diagnostics": [one]}).encode()
    assert [each.line for each in read_tool(data, CASE)] == [15]


async def test_pr_agent_is_read_from_the_file_that_it_writes(tmp_path: Path) -> None:
    # The output was written by PR-Agent's github_action_output (0e37fc8).
    recorded = ROOT / "fixtures" / "eval" / "pr-agent-output.txt"
    text = (
        "import os, shutil, sys\nprint('a log')\n"
        f"shutil.copy({str(recorded)!r}, os.environ['GITHUB_OUTPUT'])\n"
        "assert sys.argv[1:] == ['--pr_url=u', 'review']\n"
    )
    tool = pr_agent("pr-agent", f"{script(tmp_path, text)} --pr_url={{url}} review")
    found = await tool.review(CASE, 1)
    assert found.error is None
    first, second = found.comments
    assert (first.path, first.line, first.end_line, first.inline) == ("a.py", 5, 6, True)
    assert first.text.startswith("Possible Bug\nThe value of line 5")
    assert not second.inline
    assert (score(CASE, found).counts.found, score(CASE, found).counts.comments) == (1, 2)


def review(value: object) -> bytes:
    return f"other=1\nreview={json.dumps(value)}\n".encode()


def test_odd_reviews_of_pr_agent_do_no_harm() -> None:
    assert read_pr_agent(review({"key_issues_to_review": "No"}), CASE) == ()
    assert read_pr_agent(review({}), CASE) == ()
    odd = [
        1,
        {"relevant_file": "`a.py`", "start_line": "7", "end_line": "3"},
        {"relevant_file": "a.py", "start_line": "x" * 99, "end_line": -1},
        {"relevant_file": ["a.py"], "start_line": None},
    ]
    found = read_pr_agent(review({"key_issues_to_review": odd}), CASE)
    assert [(one.line, one.end_line, one.inline) for one in found] == [
        (7, 7, True),
        (0, 0, False),
        (0, 0, False),
    ]
    for data in (b"", b"review=[1]\n", b"review={\n", b"no\xff\n"):
        with pytest.raises(SourceError, match="wrote no review"):
            read_pr_agent(data, CASE)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit('bad key')", r"wrote nothing \(exit code 1\): bad key"),
        ("", r"wrote nothing \(exit code 0\)$"),
        ("print('text')", "not JSON"),
        ("import time; time.sleep(60)", "did not end in 0.2 s"),
    ],
)
async def test_a_tool_that_fails_is_a_result_with_an_error(
    tmp_path: Path, code: str, reason: str
) -> None:
    tool = Command(
        "other", script(tmp_path, code), read_tool, timeout_s=0.2 if "sleep" in code else 60
    )
    found = await tool.review(CASE, 1)
    assert found.error is not None
    with pytest.raises(SourceError, match=reason):
        raise SourceError(found.error)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has groups of processes")
async def test_a_process_that_a_tool_leaves_is_ended(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    text = (
        "import subprocess, sys\n"
        f"pipe = open({str(pipe)!r}, 'wb')\n"
        "late = 'import sys, time; time.sleep(5); sys.stdout.write(\"late\")'\n"
        "subprocess.Popen([sys.executable, '-c', late], stdout=pipe)\n"
        "print('text')\n"
    )
    try:
        await Command("other", script(tmp_path, text), lambda *_: ()).review(CASE, 1)
        os.set_blocking(reader, True)
        assert await asyncio.to_thread(os.read, reader, 9) == b""
    finally:
        os.close(reader)


async def test_a_missing_program_is_a_result_with_an_error() -> None:
    found = await results_command("other", "no-such-program {diff}").review(CASE, 1)
    assert found.error == "cannot run other: No such file or directory"


def test_fields_of_a_case_are_arguments_and_never_options(tmp_path: Path) -> None:
    diff = tmp_path / "x.diff"
    template = "tool --at='{repository} x' {base}..{head} {url} {diff}"
    assert arguments(template, CASE, diff) == ["tool", "--at=o/r x", "1a..2b", "u", str(diff)]
    with pytest.raises(SourceError, match="no valid head"):
        arguments("tool {head}", case("one", head="--output=x"), diff)
    for url in ("", "a\0b", "\ud800"):
        with pytest.raises(SourceError, match="no valid url"):
            arguments("tool {url}", case("one", url=url), diff)


async def test_a_secret_in_the_error_of_a_tool_is_not_published(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    text = f"import sys; sys.exit('bad token {secret}')"
    found = await results_command("other", script(tmp_path, text)).review(CASE, 1)
    assert found.error is not None
    assert "bad token" in found.error
    assert secret not in found.error


def test_a_secret_in_a_command_line_is_not_published() -> None:
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    spec = results_command("other", f"tool --token {secret} {{diff}}").spec
    assert secret not in spec
    assert spec.startswith("command tool --token ")


@pytest.mark.parametrize("template", ["", "  ", "tool 'open"])
def test_an_invalid_command_line_is_an_error(template: str) -> None:
    with pytest.raises(ConfigError):
        results_command("other", template)
