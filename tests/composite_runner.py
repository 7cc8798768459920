"""Runs the steps of a composite action as a runner of GitHub Actions does.

It knows what our action needs and refuses the rest: steps with ``run`` and ``shell: bash``, and
expressions that name one value. See "Workflow syntax" and "Workflow commands" in GitHub's docs.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPRESSION: Final = re.compile(r"\$\{\{\s*([\w-]+(?:\.[\w-]+)+)\s*\}\}")
FILES: Final = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE")
"""New and empty for each step."""
BASH: Final = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail")
"""What ``shell: bash`` stands for."""


@dataclass
class Ran:
    """What the steps did."""

    exit_code: int = 0
    log: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""


@dataclass(frozen=True)
class CompositeRunner:
    """A runner with one job.

    Attributes:
        folder: where the runner keeps its own files.
        action_path: where the action lies.
        env: the environment of the job.
        github: the values of the ``github`` context.
    """

    folder: Path
    action_path: Path
    env: Mapping[str, str]
    github: Mapping[str, str]

    def run(self, action: Mapping[str, Any], inputs: Mapping[str, str]) -> Ran:
        """Run all steps up to one that fails, and evaluate the outputs."""
        ran = Ran()
        context = self.context(action, inputs)
        extra: dict[str, str] = {}
        for step in action["runs"]["steps"]:
            script, env = self.prepare(step, context, extra)
            done = subprocess.run(
                [*BASH, str(script)],
                cwd=self.env["GITHUB_WORKSPACE"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            ran.log += done.stdout
            ran.exit_code = done.returncode
            ran.summary += self.read(env, "GITHUB_STEP_SUMMARY")
            for name, value in pairs(self.read(env, "GITHUB_OUTPUT")).items():
                context[f"steps.{step.get('id')}.outputs.{name}"] = value
            extra |= pairs(self.read(env, "GITHUB_ENV"))
            for line in self.read(env, "GITHUB_PATH").splitlines():
                extra["PATH"] = f"{line}:{env['PATH']}"
            if done.returncode:
                break
        ran.outputs = {
            name: evaluate(output["value"], context)
            for name, output in action.get("outputs", {}).items()
        }
        return ran

    def context(self, action: Mapping[str, Any], inputs: Mapping[str, str]) -> dict[str, str]:
        """What expressions may name, by its dotted path; an input not given has its default."""
        assert inputs.keys() <= action["inputs"].keys(), "an input that the action does not have"
        context = {f"github.{name}": value for name, value in self.github.items()}
        for name, about in action["inputs"].items():
            value = inputs[name] if name in inputs else evaluate(about.get("default", ""), context)
            context[f"inputs.{name}"] = value
        return context

    def prepare(
        self, step: Mapping[str, Any], context: Mapping[str, str], extra: Mapping[str, str]
    ) -> tuple[Path, dict[str, str]]:
        """The script of a step, written to a file, and its environment."""
        assert step["shell"] == "bash"
        assert not step.keys() - {"name", "id", "shell", "env", "run"}, "the runner knows no more"
        place = self.folder / "steps" / step["id"]
        place.mkdir(parents=True, exist_ok=True)
        env = {**self.env, **extra, "GITHUB_ACTION_PATH": str(self.action_path)}
        for name in FILES:
            (place / name).write_text("")
            env[name] = str(place / name)
        for name, value in step.get("env", {}).items():
            env[name] = evaluate(value, context)
        script = place / "script.sh"
        script.write_text(evaluate(step["run"], context))
        return script, env

    @staticmethod
    def read(env: Mapping[str, str], name: str) -> str:
        """What a step wrote to one of its files."""
        return Path(env[name]).read_text("utf-8")


def evaluate(text: str, context: Mapping[str, str]) -> str:
    """Put values in the place of expressions; what is not there is empty, as on GitHub."""
    done = EXPRESSION.sub(lambda match: context.get(match[1], ""), text)
    assert "${{" not in EXPRESSION.sub("", text), f"the runner cannot evaluate {text}"
    return done


def pairs(text: str) -> dict[str, str]:
    """The variables of an environment file: ``name=value``, or lines up to a delimiter."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if match := re.fullmatch(r"([^=<]+)<<(.+)", line):
            name, delimiter = match.groups()
            value: list[str] = []
            for inner in lines:
                if inner == delimiter:
                    break
                value.append(inner)
            else:
                raise AssertionError(f"no line {delimiter} after {name}")
            found[name] = "\n".join(value)
        else:
            name, equals, rest = line.partition("=")
            assert equals, f"not a line of an environment file: {line}"
            found[name] = rest
    return found
