"""The page about evaluation shows what the commands really do."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from reviewbot.cli.eval import add_arguments
from tests.support.commands import run_command
from tests.support.forks import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "evaluation.md").read_text("utf-8")


@pytest.mark.slow
async def test_the_example_without_a_key_prints_what_the_page_shows(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "fixtures" / "eval", tmp_path / "fixtures" / "eval")
    command = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]
    program, *arguments = shlex.split(command)
    assert program == "reviewbot"
    done = await run_command(tmp_path, *arguments)
    assert done.code == 0, done.err
    shown = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for block in shown for line in block.splitlines()]
    assert len(lines) == 4
    assert [line for line in lines if line not in done.out.splitlines()] == []
    assert (tmp_path / "report.html").exists()


def test_the_page_names_every_command() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    commands = {*re.findall(r"^    ([a-z-]+)  ", parser.format_help(), re.MULTILINE)}
    assert {*re.findall(r"reviewbot eval ([a-z-]+)", PAGE)} == commands
