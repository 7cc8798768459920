"""``reviewbot completion``: scripts of three shells; bash runs its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reviewbot.cli import main as cli

BASH = shutil.which("bash")


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_has_every_command_and_the_flags_of_a_review(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = script(shell, capsys)
    for name in cli.COMMANDS:
        assert name in text
    for flag in ("fail-on", "format", "color", "description-file"):
        assert (f"-l {flag}" if shell == "fish" else f"--{flag}") in text


@pytest.mark.skipif(BASH is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["re"], ["review"]),
        (["review", "--col"], ["--color"]),
        (["review", "--fail-on", "n"], ["note", "never"]),
        (["keys", "rev"], ["revoke"]),
        (["review", "change"], ["change.diff"]),
        (["review", "--config", "my"], ["my.yml"]),
    ],
)
def test_bash_completes_commands_flags_values_and_files(
    words: list[str], expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "change.diff").touch()
    (tmp_path / "my.yml").touch()
    ask = (
        f"COMP_WORDS=(reviewbot {' '.join(words)}); COMP_CWORD={len(words)}\n"
        '_shtab_reviewbot reviewbot "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"\n'
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        [str(BASH), "--norc"],
        input=script("bash", capsys) + ask,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == expected


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["completion", "cmd"])
    assert ended.value.code == 2
    assert "invalid choice: 'cmd'" in capsys.readouterr().err
