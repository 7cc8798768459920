"""The steps of action.yml, run as a runner would: what is installed, who gets what, what stays."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.composite_runner import BASH, CompositeRunner, Ran
from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub
from tests.github.action_runs import WRITES, find_marked
from tests.support.action_files import ACTION, OUTPUTS, ROOT, VARIABLES
from tests.support.action_steps import install
from tests.support.github_stories import BASE, ONE, check, conclusions, titles

INSTALL, REVIEW = ACTION["runs"]["steps"]
KEY = "sk-ant-" + "planted-key-0123456789"
TOKEN = "ghs_" + "plantedTokenOfTheRun0123456789"
PULL_REQUEST = {"action": "opened", "number": 7, "pull_request": {"number": 7}}

RECORDER = """\
import json, os, sys
from pathlib import Path
seen = {"arguments": sys.argv[1:], "env": dict(os.environ)}
seen |= {"path": sys.path, "python": sys.executable}
Path(os.environ["RUNNER_TEMP"], "seen.json").write_text(json.dumps(seen))
with open(os.environ["GITHUB_OUTPUT"], "a") as file:
    file.write("outcome=findings\\nsarif-file<<END\\n/tmp/a\\nEND\\n")
with open(os.environ["GITHUB_STEP_SUMMARY"], "a") as file:
    file.write("# Summary\\n")
print("reviewed")
sys.exit(int(os.environ.get("RECORDER_EXIT", "0")))
"""
"""Stands in for the package of reviewbot: writes down what it was given."""

HOSTILE = "import os; open(os.environ['PLANTED'], 'a').write(__name__ + '\\n')\n"
"""A module of a pull request: it tells that it was imported."""


@pytest.fixture
def runner(tmp_path: Path) -> CompositeRunner:
    """A runner with an action that records, and a pull request in its working folder."""
    for name in ("temp", "tools", "work", "runner"):
        (tmp_path / name).mkdir()
    for name in ("reviewbot", "pip", "anthropic", "sitecustomize"):
        package = tmp_path / "work" / name
        package.mkdir()
        (package / "__init__.py").write_text(HOSTILE)
        (package / "__main__.py").write_text(HOSTILE)
    (tmp_path / "work" / "uv.toml").write_text('index-url = "http://127.0.0.1:9/simple"\n')
    action = tmp_path / "action"
    (action / "reviewbot").mkdir(parents=True)
    (action / "reviewbot" / "__init__.py").touch()
    (action / "reviewbot" / "__main__.py").write_text(RECORDER)
    (action / "requirements").symlink_to(ROOT / "requirements")
    event = tmp_path / "event.json"
    event.write_text(json.dumps(PULL_REQUEST))
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")},
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "octo/shop",
        "GITHUB_WORKSPACE": str(tmp_path / "work"),
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "RUNNER_TOOL_CACHE": str(tmp_path / "tools"),
        "PLANTED": str(tmp_path / "planted"),
        "PYTHONPATH": str(tmp_path / "work"),  # as many a workflow sets it for its own tests
    }
    return CompositeRunner(tmp_path / "runner", action, env, {"token": TOKEN})


def only_the_review(runner: CompositeRunner, inputs: Mapping[str, str], **env: str) -> Ran:
    """The last step alone, with this interpreter in the place of the one that was installed."""
    action: dict[str, Any] = {**ACTION, "runs": {"steps": [REVIEW]}}
    path = runner.action_path
    action["runs"]["steps"] = [{**REVIEW, "env": {**REVIEW["env"], "PYTHON": sys.executable}}]
    changed = CompositeRunner(runner.folder, path, {**runner.env, **env}, runner.github)
    return changed.run(action, inputs)


def seen(runner: CompositeRunner) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(Path(runner.env["RUNNER_TEMP"], "seen.json").read_text())
    return recorded


# --- The step that reviews


def test_the_command_gets_each_input_by_its_variable(runner: CompositeRunner) -> None:
    inputs = {name: f"a value for {name}; `$(exit 9)` \"' ${{HOME}}" for name in VARIABLES}
    ran = only_the_review(runner, inputs)
    assert ran.exit_code == 0
    assert seen(runner)["arguments"] == ["action"]
    env = seen(runner)["env"]
    assert {env[variable] for variable in VARIABLES.values()} == set(inputs.values())
    assert all(env[VARIABLES[name]] == value for name, value in inputs.items())


def test_without_inputs_the_command_gets_the_defaults_and_the_token_of_the_run(
    runner: CompositeRunner,
) -> None:
    only_the_review(runner, {})
    env = seen(runner)["env"]
    assert env["GITHUB_TOKEN"] == TOKEN
    assert {name: env[variable] for name, variable in VARIABLES.items() if env[variable]} == {
        "github-token": TOKEN,
        "summary-comment": "true",
        "review-comments": "true",
        "check-run": "true",
        "check-name": "reviewbot",
        "full": "false",
        "forks": "rules",
    }


def test_what_the_command_writes_becomes_the_outputs_and_the_summary(
    runner: CompositeRunner,
) -> None:
    ran = only_the_review(runner, {})
    assert ran.outputs == dict.fromkeys(OUTPUTS, "") | {
        "outcome": "findings",
        "sarif-file": "/tmp/a",  # noqa: S108  a value, not a file
    }
    assert ran.summary == "# Summary\n"


@pytest.mark.parametrize("code", [1, 2, 3])
def test_the_exit_code_of_the_command_is_that_of_the_step(
    code: int, runner: CompositeRunner
) -> None:
    ran = only_the_review(runner, {}, RECORDER_EXIT=str(code))
    assert ran.exit_code == code
    assert ran.outputs["outcome"] == "findings"


def test_no_module_of_the_working_folder_is_imported(runner: CompositeRunner) -> None:
    assert only_the_review(runner, {}).log == "reviewed\n"
    assert not Path(runner.env["PLANTED"]).exists()
    assert runner.env["GITHUB_WORKSPACE"] not in seen(runner)["path"]
    assert not {"", "."} & set(seen(runner)["path"])


def test_a_job_that_is_cancelled_reaches_the_command_itself(runner: CompositeRunner) -> None:
    waits = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(130))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    (runner.action_path / "reviewbot" / "__main__.py").write_text(waits)
    script, env = runner.prepare(REVIEW, {"steps.install.outputs.python": sys.executable}, {})
    with subprocess.Popen(
        [*BASH, str(script)],
        env=env,
        cwd=runner.folder,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)  # to one process, as the runner does
            assert process.wait(timeout=10) == 130
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


# --- The step that installs


def machine(folder: Path, python: str | None) -> dict[str, str]:
    """The environment of a machine with this script as ``python3``, and nothing else of Python."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "uname", "mkdir", "mktemp", "rm"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    if python:
        (programs / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (programs / "python3").chmod(0o755)
    return {
        "PATH": str(programs),
        "RUNNER_TEMP": str(folder),
        "RUNNER_TOOL_CACHE": str(folder / "tools"),
    }


@pytest.mark.parametrize(
    ("python", "has"),
    [('[ "$1" = --version ] && echo Python 3.10.12', "Python 3.10.12"), (None, "no Python")],
)
def test_a_runner_without_a_python_that_fits_says_what_to_add(
    python: str | None, has: str, tmp_path: Path
) -> None:
    code, log, output = install(machine(tmp_path, python), tmp_path)
    assert code == 2
    assert log == (
        "::error title=reviewbot::reviewbot needs Python 3.11 or newer, and this runner has"
        f" {has}. Add a step before reviewbot that installs one: uses: actions/setup-python,"
        ' with python-version: "3.13"\n'
    )
    assert not output


def test_a_python_of_the_tool_cache_is_taken_where_that_of_the_path_is_too_old(
    tmp_path: Path,
) -> None:
    env = machine(tmp_path, "exit 1")
    for version in ("3.10.20", "3.12.14", "3.13.15"):
        place = tmp_path / "tools" / "Python" / version / "x64" / "bin"
        place.mkdir(parents=True)
        # It fits, has no pip, and cannot make an environment.
        (place / "python").write_text(
            f'#!/bin/sh\n[ "$2" != -m ] || {{ echo "{version}: $*" >&2; exit 1; }}\n'
        )
        (place / "python").chmod(0o755)
    code, log, output = install(env, tmp_path)
    assert f"3.13.15: -I -m venv {tmp_path}/reviewbot-" in log
    assert "3.12.14" not in log
    assert "Python has neither pip nor venv, and there is no uv" in log
    assert (code, output) == (2, {})


@pytest.mark.slow
def test_all_steps_run_one_after_the_other_and_leave_no_secret_behind(
    runner: CompositeRunner, tmp_path: Path
) -> None:
    inputs = {"anthropic-api-key": KEY}
    ran = runner.run(ACTION, inputs)
    assert ran.exit_code == 0, ran.log
    assert ran.outputs["outcome"] == "findings"
    recorded = seen(runner)
    assert recorded["env"]["ANTHROPIC_API_KEY"] == KEY
    assert recorded["python"].startswith(f"{runner.env['RUNNER_TEMP']}/reviewbot-")
    assert not Path(runner.env["PLANTED"]).exists()
    versions = installed(Path(recorded["python"]))
    assert versions.keys() >= {"anthropic", "PyGithub", "ijson"}
    assert not versions.keys() & {"pytest", "starlette", "reviewbot"}

    shutil.rmtree(runner.env["RUNNER_TEMP"])  # as before the next job
    Path(runner.env["RUNNER_TEMP"]).mkdir()
    again = runner.run(ACTION, inputs)
    assert (ran.log, again.log) == ("reviewed\n", "reviewed\n")
    assert seen(runner)["python"] != recorded["python"]

    for log in (ran.log, again.log):
        assert KEY not in log
        assert TOKEN not in log
    Path(runner.env["RUNNER_TEMP"], "seen.json").unlink()  # what the stand-in wrote down
    left = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(left) > 1000
    for secret in (KEY.encode(), TOKEN.encode()):
        assert not [path for path in left if secret in path.read_bytes()]


def write_event(runner: CompositeRunner, payload: Mapping[str, Any]) -> None:
    Path(runner.env["GITHUB_EVENT_PATH"]).write_text(json.dumps(payload))


def exists(path: str) -> bool:
    return Path(path).exists()


@pytest.mark.slow
async def test_a_pull_request_is_reviewed_by_the_steps_as_they_are(
    runner: CompositeRunner,
) -> None:
    """Nothing stands in: what is installed runs from the files of the action."""
    async with FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = find_marked
        pull = github.pull(base=BASE, head=BASE | ONE)
        token = github.world.actions_token(pull.repo, WRITES).value
        payload = github.delivery("pull_request", "opened", pull=pull).payload
        write_event(runner, payload)
        env = {
            **runner.env,
            "GITHUB_REPOSITORY": pull.repo.full_name,
            "GITHUB_API_URL": github.url,
            "GITHUB_RUN_ID": "77",
        }
        inputs = {
            "anthropic-api-key": model.key,
            "anthropic-base-url": model.base_url,
            "fail-on": "error",
        }
        made = CompositeRunner(runner.folder, ROOT, env, {"token": token})
        ran = await asyncio.to_thread(made.run, ACTION, inputs)
        assert ran.exit_code == 1, ran.log
        assert titles(pull) == ["**error: Division by zero**"]
        assert conclusions(pull) == ["failure"]
        check(github)
    assert ran.outputs["outcome"] == "findings"
    assert ran.outputs["errors"] == "1"
    assert "::error title=reviewbot::1 error is open. https://" in ran.log
    assert "Division by zero" in ran.summary
    assert exists(ran.outputs["sarif-file"])
    assert not exists(runner.env["PLANTED"])
    assert model.key not in ran.log
    assert token not in ran.log


def installed(python: Path) -> dict[str, str]:
    """The packages that an environment has, with their versions."""
    script = (
        "import json; from importlib.metadata import distributions as d;"
        "print(json.dumps({one.metadata['Name']: one.version for one in d()}))"
    )
    done = subprocess.run(
        [str(python), "-I", "-c", script], capture_output=True, check=True, text=True
    )
    versions: dict[str, str] = json.loads(done.stdout)
    return versions
