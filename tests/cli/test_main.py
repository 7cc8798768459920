"""The entry of the command line: what is imported, what is printed, which code it ends with."""

import argparse
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from reviewbot import __version__
from reviewbot.cli import main as cli
from reviewbot.errors import ConfigError, DiffError, SourceError


def command(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[argparse.Namespace], int], name: str = "rules"
) -> None:
    """Puts ``run`` in the place of a command."""
    module = types.ModuleType("stand_in")
    module.add_arguments = lambda parser: parser.add_argument("rest", nargs="*")  # type: ignore[attr-defined]  # a module made by hand
    module.run = run  # type: ignore[attr-defined]  # as above
    monkeypatch.setitem(sys.modules, cli.COMMANDS[name][0], module)


def raising(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def run(args: argparse.Namespace) -> int:  # noqa: ARG001  the shape of a command
        raise error

    return run


def test_without_arguments_the_help_is_shown_and_nothing_counts_as_reviewed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert all(name in err for name in cli.COMMANDS)


def test_version_and_help_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    for argument, expected in (
        ("--version", f"reviewbot {__version__}\n"),
        ("--help", "examples:"),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main([argument])
        assert ended.value.code == 0
        assert expected in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("reveiw", "did you mean reviewbot review?"),
        ("x.diff", "did you mean reviewbot review x.diff?"),
        ("-", "did you mean reviewbot review -?"),
        (
            "zzz",
            "commands are review, action, serve, keys, lab, prompts, rules, stats, learn, init,"
            " eval",
        ),
    ],
)
def test_an_unknown_command_is_a_usage_error_with_a_hint(
    name: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name])
    assert ended.value.code == 2
    assert hint in capsys.readouterr().err


def test_a_file_in_place_of_a_command_is_recognised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "change"
    path.touch()
    with pytest.raises(SystemExit):
        cli.main([str(path)])
    assert f"did you mean reviewbot review {path}?" in capsys.readouterr().err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself_within_eighty_columns(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert text.startswith(f"usage: reviewbot {name} ")
    assert max(map(len, text.splitlines())) <= 80


def test_options_are_not_abbreviated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["rules", "--form", "json"])
    assert ended.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err
    del monkeypatch


def test_a_command_gets_its_arguments_and_its_code_is_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[list[str]] = []

    def run(args: argparse.Namespace) -> int:
        seen.append(args.rest)
        return 3

    command(monkeypatch, run)
    assert cli.main(["rules", "a", "b"]) == 3
    assert seen == [["a", "b"]]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConfigError("is wrong", source="x.yml", key="jobs", line=3), "x.yml:3: jobs: is wrong"),
        (SourceError("no such file"), "no such file"),
        (DiffError("bad", line=7), "line 7 of the diff: bad"),
    ],
)
def test_what_the_user_can_act_on_is_one_sentence_and_exit_code_2(
    error: Exception,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(monkeypatch, raising(error))
    assert cli.main(["rules"]) == 2
    assert capsys.readouterr().err == f"reviewbot: {sentence}\n"


def test_a_message_cannot_drive_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(monkeypatch, raising(SourceError("no file \x1b[2Ja\nb\u202e")))
    cli.main(["rules"])
    assert capsys.readouterr().err == "reviewbot: no file \\x1b[2Ja\\x0ab\\u202e\n"


def test_an_interrupt_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(monkeypatch, raising(KeyboardInterrupt()))
    assert cli.main(["rules"]) == 130
    assert capsys.readouterr().err == "reviewbot: interrupted\n"


def test_a_bug_is_called_one_without_traceback_or_what_its_message_may_quote(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REVIEWBOT_DEBUG", raising=False)
    command(monkeypatch, raising(ValueError("a secret of the diff")))
    assert cli.main(["rules"]) == 70
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"this is a bug of reviewbot {__version__}: ValueError at main.py:" in err
    assert "secret" not in err


def test_the_traceback_of_a_bug_is_there_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REVIEWBOT_DEBUG", "1")
    command(monkeypatch, raising(ValueError("details")))
    assert cli.main(["rules"]) == 70
    assert "Traceback" in (err := capsys.readouterr().err)
    assert "ValueError: details" in err


def reviewbot(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "reviewbot", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        encoding="utf-8",
    )


def test_python_m_reviewbot_is_reviewbot() -> None:
    done = reviewbot("--version")
    assert (done.returncode, done.stdout) == (0, f"reviewbot {__version__}\n")


def test_a_reader_that_leaves_ends_the_command_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "reviewbot", "rules"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is full")
@pytest.mark.sample(2)
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["rules"], ["review", "-"], ["review", "-", "--format", "json"]],
)
def test_an_output_that_takes_nothing_is_one_sentence(
    arguments: list[str], unbuffered: str
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "reviewbot", *arguments],
            input=DIFF,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered, "REVIEWBOT_MODEL": "offline"},
        )
    sentence = "reviewbot: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, sentence)


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.sample(1)
@pytest.mark.parametrize("arguments", ["--version", "rules", "review -"])
def test_streams_that_are_closed_are_no_bug(arguments: str) -> None:
    def shell(rest: str) -> "subprocess.CompletedProcess[str]":
        command = f"{sys.executable} -m reviewbot {rest}"
        return subprocess.run(
            ["sh", "-c", command], input=DIFF, capture_output=True, text=True, check=False
        )

    done = shell(f"{arguments} >&-")
    assert (done.returncode, done.stderr) == (2, "reviewbot: standard output is closed\n")
    assert shell(f"{arguments} 2>&-").returncode == 0
    done = shell("review no-such-file 2>&-")
    assert (done.returncode, done.stdout) == (2, "")


def test_an_output_that_knows_few_characters_is_no_error() -> None:
    done = reviewbot("rules", "python/eval", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "\\xb7" in done.stdout


HEAVY = {
    "anthropic",
    "ast_grep_py",
    "asyncio",
    "betterleaks",
    "dotenv",
    "httpx2",
    "importlib.metadata",
    "jinja2",
    "jsonschema",
    "platformdirs",
    "pydantic",
    "rich",
    "tenacity",
    "tiktoken",
    "unidiff",
    "yaml",
}


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n', file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["zzz"]])
def test_answers_that_need_no_command_import_none_of_the_heavy_libraries(
    arguments: list[str],
) -> None:
    loaded = modules_after(
        f"from reviewbot.cli.main import main\ntry: main({arguments})\nexcept SystemExit: pass"
    )
    assert "reviewbot.cli.main" in loaded
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.startswith("reviewbot.core")}


def test_the_interpreter_does_not_collect_what_a_command_made_before_it_ends() -> None:
    code = (
        "import atexit, gc\natexit.register(lambda: print(gc.get_freeze_count() > 0))\n"
        "from reviewbot.cli.main import main\nmain(['--version'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.endswith("True\n")


def test_the_help_of_a_review_imports_neither_the_pipeline_nor_a_heavy_library() -> None:
    loaded = modules_after(
        "from reviewbot.cli.main import main\n"
        "try: main(['review', '--help'])\nexcept SystemExit: pass"
    )
    assert "reviewbot.cli.review" in loaded
    assert not loaded & HEAVY
    assert not {
        name for name in loaded if name.startswith(("reviewbot.pipeline", "reviewbot.models"))
    }


def test_the_settings_without_files_import_none_of_the_heavy_libraries(tmp_path: Path) -> None:
    loaded = modules_after(
        "import pathlib\nfrom reviewbot.config.load import read_settings\n"
        f"read_settings({{}}, cwd=pathlib.Path({str(tmp_path)!r}), env={{}})"
    )
    assert not loaded & HEAVY


DIFF = """\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1 +1,2 @@
 import os
+assert (os, "never")
"""


def test_an_offline_review_imports_no_client_of_a_network(tmp_path: Path) -> None:
    (tmp_path / "x.diff").write_text(DIFF)
    loaded = modules_after(
        f"import os; os.chdir({str(tmp_path)!r})\nfrom reviewbot.cli.main import main\n"
        "assert main(['review', 'x.diff', '--model', 'offline', '--format', 'json']) == 0"
    )
    assert "reviewbot.models.offline" in loaded
    unused = {"anthropic", "httpx2", "pydantic", "jinja2", "tiktoken", "rich"}
    unused |= {"dotenv", "platformdirs", "starlette", "github", "dbos"}
    assert not loaded & unused
    assert "ast_grep_py" not in loaded, "source code is parsed in a process of its own"
