"""``reviewbot review``: exit codes, outputs, models and interrupts."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.cli.main import main
from reviewbot.cli.review import FORMATS
from reviewbot.config.settings import load_settings
from reviewbot.core.events.events import ReviewProgress, Usage
from reviewbot.pipeline.output import Outputs
from reviewbot.pipeline.prepare import prepare
from tests.event_schema import assert_valid_event
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.models.scripted import item
from tests.support.commands import environment_in
from tests.support.forks import start_fork
from tests.support.repositories import _alone, write
from tests.support.reviews import added, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["_alone"]

BAD = added(
    "app.py", "", "def drop(orders):", "    for key in orders.keys():", "        del orders[key]"
)
CLEAN = added("app.py", "def double(number):", "    return number * 2")
ROOT = Path(__file__).parents[2]


@contextmanager
def fake(
    *replies: dict[str, Any], repeat: dict[str, Any] | None = None
) -> Iterator[dict[str, str]]:
    """The fake API as a process; the environment that points to it."""
    script = [*replies, *([{**repeat, "repeat": True}] if repeat else [])]
    Path("script.json").write_text(json.dumps(script), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "tests.fake_anthropic",
        "--script",
        str(Path("script.json").resolve()),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            address = process.stdout.readline().strip()
            yield {"ANTHROPIC_API_KEY": "sk-ant-" + "fake", "ANTHROPIC_BASE_URL": address}
        finally:
            process.kill()


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_finding_at_the_gate_exits_1_and_below_it_0(capsys: pytest.CaptureFixture[str]) -> None:
    name = write(BAD)
    assert main(["review", name]) == 1
    out = capsys.readouterr().out
    assert "--> app.py:4" in out
    assert "is changed while it is iterated" in out
    assert main(["review", name, "--fail-on", "never"]) == 0
    assert main(["review", write(CLEAN)]) == 0
    assert "No findings in 1 file." in capsys.readouterr().out


def test_without_a_key_it_says_that_the_offline_rules_review(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["review", write(CLEAN)])
    assert "no ANTHROPIC_API_KEY is set" in capsys.readouterr().out
    main(["review", write(CLEAN), "--model", "offline"])
    assert "no ANTHROPIC_API_KEY is set" not in capsys.readouterr().out


def test_a_clean_diff_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", str(ROOT / "fixtures" / "clean.diff"), "--fail-on", "note"]) == 0
    assert "No findings in" in capsys.readouterr().out


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_written_to_standard_output_and_to_a_file(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", write(BAD), "--format", name]) == 1
    printed = capsys.readouterr().out
    assert main(["review", write(BAD), "--format", name, "--output", "out"]) == 1
    written = Path("out").read_text(encoding="utf-8")
    assert "iterated" in printed
    assert "iterated" in written
    assert "--> app.py:4" in capsys.readouterr().out
    if name in ("json", "sarif", "rdjson"):
        json.loads(printed)
        json.loads(written)
    assert not [path for path in Path().iterdir() if path.name.startswith("tmp")]


def test_ndjson_is_a_whole_valid_stream(capsys: pytest.CaptureFixture[str]) -> None:
    main(["review", write(BAD), "--format", "ndjson"])
    events = records(capsys.readouterr().out)
    for event in events:
        assert_valid_event(event)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "review.started"
    assert events[-1]["type"] == "review.finished"
    assert len({event["review_id"] for event in events}) == 1


def test_a_diff_can_be_piped_in() -> None:
    done = run_process(["review", "-"], input=BAD)
    assert done.returncode == 1
    assert "--> app.py:4" in done.stdout


def run_process(
    arguments: list[str], env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reviewbot", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60, **options
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.diff"], "cannot read nowhere.diff: No such file or directory"),
        (["."], "cannot read .: Is a directory"),
        (["x.diff", "--staged"], "give either a diff or --base, --commit or --staged, not both"),
        ([], "this is not a git repository"),
        (["--base", "main"], "this is not a git repository"),
        (["garbage"], "line 1 of the diff"),
        (["x.diff", "--model", "claude-sonnet-5-5"], "needs a key: set ANTHROPIC_API_KEY"),
        (["x.diff", "--config", "none.yml"], "none.yml"),
        (["x.diff", "--output", "no/such/folder/out"], "cannot write no/such/folder/out"),
    ],
)
def test_what_cannot_work_is_one_sentence_and_exit_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(BAD)
    write("this is no diff\n", "garbage")
    assert main(["review", *arguments]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "xml"],
        ["--budget-usd", "0"],
        ["--budget-usd", "nan"],
        ["--jobs", "0"],
        ["--nope"],
    ],
)
def test_a_wrong_flag_exits_2_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["review", write(BAD), *arguments])
    assert ended.value.code == 2
    assert "usage: reviewbot review" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", ["--dry-run", "--import=x", "--jobs=2", "--verify", "--no-verify"]
)
def test_an_option_that_a_server_would_not_heed_is_refused(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", write(BAD), option, "--server", "http://127.0.0.1:9"]) == 2
    name = option.partition("=")[0]
    said = f"{name} is for reviews on this machine; leave out {name} or --server"
    assert said in capsys.readouterr().err


def test_a_dry_run_shows_the_plan_and_asks_nobody(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-" + "unused")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    name = write(BAD + added("uv.lock", "version = 1"))
    assert main(["review", name, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "app.py   +4 -0  " in out
    assert "skipped: Lockfile" in out
    assert "2 files, 1 to review, 1 skipped; 1 chunk in 1 batch." in out
    assert "With claude-sonnet-5-5: 2 requests, about " in out
    assert "about $0." in out
    assert "Nothing was sent." in " ".join(out.split())
    assert main(["review", name, "--dry-run", "--format", "ndjson"]) == 0
    started, skipped = records(capsys.readouterr().out)
    assert_valid_event(started)
    assert_valid_event(skipped)
    assert 0 < started["estimate"]["cost_usd"] < 0.2
    assert main(["review", name, "--dry-run", "--format", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["estimate"] == started["estimate"]
    assert plan["skipped"] == [{"path": "uv.lock", "reason": skipped["reason"]}]


def test_a_dry_run_names_a_request_that_it_does_not_estimate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-" + "unused")
    name = write(CLEAN)
    for setting in ("true", "false"):
        write(f"cross_file: {setting}", ".reviewbot.yml")
        assert main(["review", name, "--dry-run"]) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert ("notice: cross_file can add a request" in out) == (setting == "true")


def test_a_dry_run_shows_who_gets_which_file_and_what_that_costs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-" + "unused")
    write("routes: [{categories: [docs], model: claude-haiku-5-5}]", ".reviewbot.yml")
    name = write(CLEAN + added("docs/a.md", "x"))
    assert main(["review", name, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^app.py .* batch b1, claude-sonnet-5-5 \(model\)$", out, re.MULTILINE)
    assert re.search(
        r"^docs/a.md .* batch b2, claude-haiku-5-5 \(routes\[0\]\)$", out, re.MULTILINE
    )
    assert "With claude-sonnet-5-5, claude-haiku-5-5: 3 requests, about " in out
    assert re.search(r"^  claude-haiku-5-5: 1 request, about .* \$0.00", out, re.MULTILINE)
    assert main(["review", name, "--dry-run", "--model", "claude-opus-5-5"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "notice: routes, set by .reviewbot.yml:1, has no effect" in out
    assert "haiku" not in out


@pytest.mark.parametrize("name", ["sarif", "markdown", "annotations", "rdjson"])
def test_a_dry_run_writes_no_format_of_findings(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", write(BAD), "--dry-run", "--format", name]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"no findings to show as {name}; use --format terminal, ndjson or json" in shown.err


def test_claude_reviews_when_there_is_a_key(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake({"findings": [item(2)]}, repeat={"report": '{"what": "It adds lines."}'}) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        assert main(["review", write(numbered("a.py")), "--format", "ndjson"]) == 0
    events = records(capsys.readouterr().out)
    for event in events:
        assert_valid_event(event)
    [finding] = [event["finding"] for event in events if event["type"] == "finding"]
    assert (finding["line"], finding["model"]) == (2, "claude-sonnet-5-5")
    [summary] = [event for event in events if event["type"] == "review.summary"]
    assert (summary["what"], summary["source"]) == ("It adds lines.", "model")
    assert events[-1]["cost_usd"] > 0
    assert list(Path("state").iterdir())


@pytest.mark.parametrize("status", [401, 404])
def test_a_review_without_an_answer_exits_3_and_never_shows_the_key(
    status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake(repeat={"status": status}) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        assert main(["review", write(numbered("a.py")), "--fail-on", "never"]) == 3
    out, err = capsys.readouterr()
    assert "INCOMPLETE" in out
    assert "a.py" in out
    assert env["ANTHROPIC_API_KEY"] not in out + err


def test_findings_of_an_incomplete_review_are_shown_and_it_still_exits_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [item(1, severity="error")]
    with fake({"findings": found, "outcome": "could_not_review"}, repeat={"status": 401}) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        assert main(["review", write(numbered("a.py")), "--no-summary"]) == 3
    assert "--> a.py:1" in capsys.readouterr().out


def test_a_budget_too_small_for_a_request_sends_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-" + "unused")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    assert main(["review", write(CLEAN), "--budget-usd", "0.0001", "--no-summary"]) == 3
    assert "budget" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupt_ends_the_request_and_prints_what_is_known(
    tmp_path: Path, number: int
) -> None:
    slow = Answer([finding(**item(1)), finding(**item(2))], pace=0.5, delta_size=40)
    async with FakeAnthropic(lambda _: slow) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        with (tmp_path / "log").open("ab") as log:
            process = await start_fork(
                ["review", write(numbered("a.py")), "--format", "ndjson"],
                environment=environment_in(tmp_path, **keys),
                folder=Path.cwd(),
                log=log,
            )
        seen = []
        async for line in process.stdout:
            seen.append(json.loads(line))
            if seen[-1]["type"] == "finding":
                process.send_signal(number)
                break
        seen += records((await process.stdout.read()).decode())
        assert await asyncio.wait_for(process.wait(), 20) == 130
    assert seen[-1]["type"] == "review.finished"
    assert seen[-1]["outcome"] == "cancelled"
    assert [event["finding"]["line"] for event in seen if event["type"] == "finding"] == [1]


def test_an_offline_review_loads_neither_the_sdk_nor_a_template_engine() -> None:
    heavy = ("anthropic", "httpx2", "jinja2", "github", "starlette", "dbos", "tiktoken", "rich")
    code = (
        "import sys; from reviewbot.cli.main import main; main(sys.argv[1:]);"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "review", write(BAD)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


class Screen(io.StringIO):
    """What a terminal was told."""

    def isatty(self) -> bool:
        return True


async def test_what_a_review_is_at_is_no_markup_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", screen)
    job = prepare(BAD.encode(), load_settings(flags={}, env={})).job
    doing = ReviewProgress(0, 1, 0, 1, 0, Usage(), 0.0, "asking x[/]")
    with Outputs("terminal", None, job.files) as outputs:
        await outputs.take(doing)
    assert "x[/]" in screen.getvalue()


def test_a_reader_that_leaves_early_is_no_error() -> None:
    many = added("app.py", *(f"eval(input_{number})\n+" for number in range(400)))
    write(many.replace("\n+\n", "\n").replace("+1,400", "+1,400"))
    command = f"{sys.executable} -m reviewbot review x.diff --format ndjson | head -n 1"
    done = subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["type"] == "review.started"
