"""Checks the three ways to use reviewbot in README.md: ``python -m tests.front_door DIST``.

DIST holds the sdist and the wheel. Nothing else of the checkout is used: the Action runs from the
unpacked sdist, the command line and the server from the wheel, each in an environment that is empty
but for what pip and uv need to find packages. GitHub and the model are the fakes of the tests.
The workflow and the commands are those of README.md, which the sdist holds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from tests.composite_runner import CompositeRunner, evaluate
from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub
from tests.github.action_runs import WRITES, find_marked
from tests.support.github_stories import BASE, ONE, check, conclusions, titles

if TYPE_CHECKING:
    from collections.abc import Sequence

FINDS_PACKAGES: Final = re.compile(
    r"(PIP_|UV_|SSL_CERT|REQUESTS_CA|CURL_CA|https?_proxy$|no_proxy$)", re.IGNORECASE
)
"""Variables of this machine that the installations keep."""

FAULT: Final = """\
def {name}(orders):
    for order_id, order in orders.items():
        if not order.lines:
            del orders[order_id]
"""

TOTALS: Final = re.compile(r"^\d+ .* in \d+ files?|^With .*? tokens in", re.MULTILINE)
"""The line of a review, or of a plan, that counts."""

SERVES: Final = re.compile(r" at (http://\S+)")


class FrontDoorError(Exception):
    """A way to use reviewbot does not work as README.md says."""


def expect(holds: object, message: str, printed: str) -> None:
    """Raise an error with what was printed unless a statement holds."""
    if not holds:
        raise FrontDoorError(f"{message}. It printed:\n{printed}")


def block(readme: str, heading: str, language: str) -> str:
    """Return the first code block of a language after a heading."""
    _, found, rest = readme.partition(f"**{heading}.**")
    expect(found, f"README.md lacks the paragraph {heading}", readme)
    return rest.split(f"```{language}\n", 1)[1].split("```", 1)[0]


def commands(readme: str, heading: str) -> list[str]:
    """Return the commands after a heading, without their comments."""
    return [line.split("  #")[0].strip() for line in block(readme, heading, "sh").splitlines()]


def empty_environment(home: Path, programs: Path) -> dict[str, str]:
    """Return the environment of a newcomer: a home, a path, and how to find packages."""
    home.mkdir(parents=True, exist_ok=True)
    found = {name: value for name, value in os.environ.items() if FINDS_PACKAGES.match(name)}
    return found | {"HOME": str(home), "PATH": f"{programs}:/usr/bin:/bin", "LANG": "C.UTF-8"}


# --- On GitHub


async def walk_action(folder: Path, source: Path, readme: str) -> None:
    """Run the workflow of README.md on a pull request with one fault."""
    steps = yaml.safe_load(block(readme, "On GitHub", "yaml"))["jobs"]["review"]["steps"]
    action = yaml.safe_load((source / "action.yml").read_text("utf-8"))
    async with FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = find_marked
        pull = github.pull(base=BASE, head=BASE | ONE)
        token = github.world.actions_token(pull.repo, WRITES).value
        event = folder / "event.json"
        event.write_text(json.dumps(github.delivery("pull_request", "opened", pull=pull).payload))
        for name in ("work", "temp", "tools"):
            (folder / name).mkdir()
        env = empty_environment(folder / "home", Path(sys.base_prefix) / "bin") | {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": github.url,
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": pull.repo.full_name,
            "GITHUB_RUN_ID": "1",
            "GITHUB_WORKSPACE": str(folder / "work"),
            "RUNNER_TEMP": str(folder / "temp"),
            "RUNNER_TOOL_CACHE": str(folder / "tools"),
        }
        secrets = {"secrets.ANTHROPIC_API_KEY": model.key}
        inputs = {name: evaluate(value, secrets) for name, value in steps[0]["with"].items()}
        inputs["anthropic-base-url"] = model.base_url
        runner = CompositeRunner(folder / "runner", source, env, {"token": token})
        ran = await asyncio.to_thread(runner.run, action, inputs)
        expect(ran.exit_code == 0, "The workflow failed", ran.log)
        expect(ran.outputs["outcome"] == "findings", "The workflow found nothing", ran.log)
        expect(len(titles(pull)) == 1, "The pull request has not one comment", ran.log)
        expect(conclusions(pull) == ["neutral"], f"The checks are {conclusions(pull)}", ran.log)
        expect(model.key not in ran.log and token not in ran.log, "A secret is in the log", "")
        check(github)
        print(f"  comment: {titles(pull)[0]}")


# --- On the command line and as a server


def make_environment(folder: Path, source: Path) -> Path:
    """Make a virtual environment with what the server needs, but without reviewbot.

    Returns:
        The folder of its programs.
    """
    venv.create(folder, with_pip=True)
    install = ["sh", "requirements/install.sh", str(folder), "requirements/server.txt"]
    subprocess.run(install, cwd=source, check=True, stdout=subprocess.DEVNULL)
    return folder / "bin"


def make_repository(folder: Path, env: dict[str, str]) -> None:
    """Make a repository with one fault in a commit, one staged, and one in the working tree."""
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.org"]

    def run(*arguments: str) -> None:
        subprocess.run([*git, *arguments], env=env, check=True)

    def write(name: str) -> None:
        (folder / f"{name}.py").write_text(FAULT.format(name=name), "utf-8")

    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], env=env, check=True)
    (folder / "app.py").write_text("VERSION = 1\n", "utf-8")
    run("add", ".")
    run("commit", "-qm", "Begin")
    run("switch", "-qc", "feature")
    write("committed")
    run("add", ".")
    run("commit", "-qm", "Add a fault")
    write("staged")
    run("add", ".")
    (folder / "app.py").write_text(FAULT.format(name="changed"), "utf-8")


def without_network() -> list[str]:
    """Return what refuses the network to a process, if this machine can."""
    refuse = ["unshare", "--net", "--map-root-user"]
    try:
        subprocess.run([*refuse, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        print("  note: this machine cannot refuse the network to one process")
        return []
    return refuse


def run_line(line: str, folder: Path, env: dict[str, str], *around: str) -> tuple[int, str]:
    """Run a line in bash.

    Returns:
        Its exit code, and what it printed.
    """
    done = subprocess.run(
        [*around, "bash", "--noprofile", "--norc", "-o", "pipefail", "-c", line],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def install_wheel(line: str, wheel: Path, folder: Path, env: dict[str, str]) -> None:
    """Run a line that installs a checkout, with the wheel in its place and without an index."""
    expect(line.startswith("pip install"), "The first command does not install", line)
    _, _, what = shlex.split(line)
    line = f"pip install -q --force-reinstall --no-deps {shlex.quote(f'{wheel}{what[1:]}')}"
    code, printed = run_line(line, folder, env | {"PIP_NO_INDEX": "1"})
    expect(code == 0, f"`{line}` failed", printed)


def walk_command_line(lines: Sequence[str], wheel: Path, folder: Path, env: dict[str, str]) -> None:
    """Run the commands of README.md in a repository with faults, without network."""
    install_wheel(lines[0], wheel, folder, env)
    refuse = without_network()
    for line in lines[1:]:
        code, printed = run_line(line, folder, env, *refuse)
        plans = "--dry-run" in line
        expect(code == (0 if plans else 1), f"`{line}` ended with {code}", printed)
        expect(plans or "error: " in printed, f"`{line}` found nothing", printed)
        print(f"  {line}: {TOTALS.findall(printed)[-1]}")
    for line in ("reviewbot --version", "reviewbot doctor", "reviewbot completion bash | bash"):
        code, printed = run_line(line, folder, env, *refuse)
        expect(code == 0, f"`{line}` ended with {code}", printed)


def walk_server(lines: Sequence[str], wheel: Path, folder: Path, env: dict[str, str]) -> None:
    """Start the server as README.md does, on a free port, and review with it."""
    install, serve, post = lines
    install_wheel(install, wheel, folder, env)
    process = subprocess.Popen(
        [*shlex.split(serve.removesuffix("&")), "--port", "0"],
        cwd=folder,
        env=env | {"PYTHONUNBUFFERED": "1"},
        executable=str(Path(env["PATH"].partition(":")[0]) / "reviewbot"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        printed = ""
        while not (address := SERVES.search(printed)):
            line = process.stdout.readline()
            expect(line, "The server did not start", printed)
            printed += line
        url = address[1]
        _, page = run_line(f"curl -fsS {url}/", folder, env)
        expect("<!doctype html>" in page, "The server has no page", page)
        code, events = run_line(post.replace("localhost:8000", url), folder, env)
        expect(code == 0, f"`{post}` ended with {code}", events)
        expect("event: finding" in events, "The stream has no finding", events)
        expect("event: review.finished" in events, "The stream does not finish", events)
        line = f"reviewbot review --server {url}"
        code, printed = run_line(line, folder, env)
        expect(code == 1, f"`{line}` ended with {code}", printed)
        kinds = re.findall(r"^event: (\S+)", events, re.MULTILINE)
        print(f"  {len(kinds)} events, of which {kinds.count('finding')} are findings")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def only(folder: Path, pattern: str) -> Path:
    """Return the one file that matches."""
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise FrontDoorError(f"{folder} has {len(found)} files {pattern}; one is needed")
    return found[0].resolve()


def walk(dist: Path, folder: Path) -> None:
    """Use reviewbot in the three ways of README.md.

    Raises:
        FrontDoorError: one of them does not work as README.md says.
    """
    wheel = only(dist, "*.whl")
    with tarfile.open(only(dist, "*.tar.gz")) as archive:
        archive.extractall(folder, filter="data")
    source = next(folder.glob("reviewbot-*"))
    readme = (source / "README.md").read_text("utf-8")

    print("On GitHub")
    (folder / "action").mkdir()
    asyncio.run(walk_action(folder / "action", source, readme))

    print("On the command line")
    env = empty_environment(folder / "home", make_environment(folder / "venv", source))
    repository = folder / "repository"
    make_repository(repository, env)
    walk_command_line(commands(readme, "On the command line"), wheel, repository, env)

    print("As a server")
    walk_server(commands(readme, "As a server"), wheel, repository, env)


def main() -> int:
    """Check the files in the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Use reviewbot in the three ways of README.md.")
    parser.add_argument("dist", type=Path, help="the folder with the sdist and the wheel")
    with tempfile.TemporaryDirectory() as folder:
        try:
            walk(parser.parse_args().dist, Path(folder))
        except FrontDoorError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
