"""``reviewbot review`` of changes in a git repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from reviewbot.cli.main import main
from tests.support.repositories import _alone, git, write

__all__ = ["_alone"]
WORSE = "def drop(orders):\n    for key in orders.keys():\n        del orders[key]\n"


@pytest.fixture
def repository() -> None:
    """A repository with one commit of ``app.py``."""
    git("init")
    write("def double(number):\n    return number * 2\n", "app.py")
    git("add", "app.py")
    git("commit", "-m", "one")


@pytest.mark.usefixtures("repository")
def test_the_working_tree_the_index_and_a_branch_are_reviewed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["review"]) == 0
    git("checkout", "-b", "topic")
    write(WORSE, "app.py")
    assert main(["review"]) == 1
    assert main(["review", "--staged"]) == 0
    git("add", "app.py")
    assert main(["review", "--staged"]) == 1
    git("commit", "-m", "two")
    assert main(["review"]) == 0
    assert main(["review", "--base", "main"]) == 1
    capsys.readouterr()


@pytest.mark.usefixtures("repository")
def test_a_repository_cannot_run_programs_through_its_configuration() -> None:
    git("config", "diff.external", "touch pwned; false")
    git("config", "core.fsmonitor", "touch pwned; false")
    git("config", "diff.x.textconv", "touch pwned; cat")
    write("*.py diff=x\n", ".gitattributes")
    write(WORSE, "app.py")
    assert main(["review"]) == 1
    assert not Path("pwned").exists()


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("name", ["x", "a=b", "a.b c", "required"])
@pytest.mark.parametrize("key", ["clean", "process"])
def test_filters_that_a_repository_defines_are_not_run(
    name: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("included").write_text("")
    git("config", "--file", "included", f"filter.{name}.{key}", "touch pwned; cat")
    git("config", "--file", "included", f"filter.{name}.required", "true")
    git("config", "include.path", "../included")
    value = name if name.isprintable() and " " not in name else "x"
    Path(".git/info").mkdir(exist_ok=True)
    write(f"*.py filter={value}\n", ".git/info/attributes")
    write(WORSE, "app.py")
    assert main(["review"]) == 1
    assert not Path("pwned").exists()
    assert "Not run, since this repository defines it: filter" in capsys.readouterr().out


@pytest.mark.usefixtures("repository")
def test_a_filter_of_the_user_stays_in_force(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "own"))
    git("config", "--global", "filter.own.clean", "touch ran; cat")
    Path(".git/info").mkdir(exist_ok=True)
    write("*.py filter=own\n", ".git/info/attributes")
    write(WORSE, "app.py")
    assert main(["review"]) == 1
    assert Path("ran").exists()


@pytest.mark.usefixtures("repository")
def test_variables_that_configure_git_stay_in_force(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.excludesFile")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(Path("ignored").resolve()))
    write("new.py\nignored\n", "ignored")
    write("x = 1\n", "new.py")
    write(WORSE, "app.py")
    assert main(["review"]) == 1
    assert "untracked" not in capsys.readouterr().out


@pytest.mark.usefixtures("repository")
def test_a_diff_fetches_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found = subprocess.run(
        ["git", "rev-parse", "HEAD:app.py"], check=True, capture_output=True, text=True
    )
    blob = found.stdout.strip()
    Path(".git/objects", blob[:2], blob[2:]).unlink()
    git("config", "extensions.partialClone", "origin")
    git("config", "core.repositoryFormatVersion", "1")
    git("config", "remote.origin.url", "ext::sh -c touch% pwned")
    git("config", "remote.origin.promisor", "true")
    git("config", "protocol.ext.allow", "always")
    write(WORSE, "app.py")
    assert main(["review"]) == 2
    assert not Path("pwned").exists()
    assert "partial clone" in capsys.readouterr().err


@pytest.mark.usefixtures("repository")
def test_a_submodule_is_not_asked_whether_it_is_dirty() -> None:
    git("init", "lib")
    write("x = 1\n", "lib/a.py")
    git("-C", "lib", "add", ".")
    git("-C", "lib", "commit", "-m", "one")
    git("add", "lib")
    git("commit", "-m", "lib")
    git("-C", "lib", "config", "filter.x.clean", "touch ../pwned; cat")
    write("* filter=x\n", "lib/.gitattributes")
    write("x = 2\n", "lib/a.py")
    write(WORSE, "app.py")
    assert main(["review"]) == 1
    assert not Path("pwned").exists()


@pytest.mark.usefixtures("repository")
def test_without_a_commit_only_the_index_is_reviewed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("fresh").mkdir()
    os.chdir("fresh")
    git("init")
    write(WORSE, "app.py")
    git("add", "app.py")
    assert main(["review"]) == 2
    assert "the repository has no commit yet; use --staged" in capsys.readouterr().err
    assert main(["review", "--base", "main"]) == 2
    assert main(["review", "--staged"]) == 1


@pytest.mark.parametrize(("version", "code"), [("2.30.2", 2), ("2.40.1", 1), ("2.41.0", 1)])
@pytest.mark.skipif(os.name == "nt", reason="a script in the place of git")
@pytest.mark.usefixtures("repository")
def test_what_an_old_git_cannot_do_is_said(
    version: str,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = shutil.which("git")
    Path("bin").mkdir()
    script = f'#!/bin/sh\n[ "$2" = version ] && echo git version {version} || exec {real} "$@"\n'
    write(script, "bin/git")
    Path("bin/git").chmod(0o755)
    write(WORSE, "app.py")
    monkeypatch.setenv("PATH", f"{Path('bin').resolve()}{os.pathsep}{os.environ['PATH']}")
    assert main(["review"]) == code
    out, err = capsys.readouterr()
    assert ("git 2.31 or later is needed" in err) == (code == 2)
    assert ("This git is older than 2.41" in out) == (version == "2.40.1")


@pytest.fixture
def branch(repository: None) -> None:  # noqa: ARG001  it is the ground
    """A branch that changes ``app.py`` for the worse."""
    git("checkout", "-b", "topic")
    write(WORSE, "app.py")
    git("commit", "-am", "worse")


@pytest.mark.usefixtures("branch")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".reviewbot.yml", 'exclude: ["**"]\n'),
        (".reviewbot.yaml", "rules: {python/changed-while-iterated: off}\nfail_on: never\n"),
        (".reviewbot.yml", "not: [valid\n"),
        (".env", "REVIEWBOT_MODEL=claude-x\nANTHROPIC_BASE_URL=http://127.0.0.1:9\n"),
        (".gitattributes", "* -diff\n"),
        (".gitattributes", "* binary\n"),
        (".gitattributes", "* linguist-generated\n"),
    ],
)
def test_a_branch_has_no_say_in_its_own_review(
    name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(text, name)
    git("add", name)
    git("commit", "-m", "hide")
    if name.startswith(".reviewbot"):
        with suppress(SystemExit):
            main(["review"])
        capsys.readouterr()
    assert main(["review", "--base", "main"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "--> app.py:3" in out
    said = "The configuration is read from the base, not from the working tree" in out
    assert said == name.startswith(".reviewbot")


@pytest.mark.usefixtures("repository")
def test_the_configuration_of_the_base_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pkg").mkdir()
    write("fail_on: never\n", ".reviewbot.yml")
    write("x = 1\n", "pkg/a.py")
    git("add", ".")
    git("commit", "-m", "base")
    git("checkout", "-b", "topic")
    write(WORSE, "pkg/a.py")
    git("rm", ".reviewbot.yml")
    git("commit", "-am", "worse")
    os.chdir("pkg")
    assert main(["review", "--base", "main"]) == 0
    assert "--> pkg/a.py:3" in capsys.readouterr().out
    write("fail_on: error\n", "own.yml")
    assert main(["review", "--base", "main", "--config", "own.yml"]) == 1


@pytest.mark.usefixtures("repository")
def test_the_nearest_configuration_of_the_base_counts_and_its_mistakes_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("pkg").mkdir()
    write("jobs: 0\n", "pkg/.reviewbot.yml")
    write("fail_on: never\n", ".reviewbot.yml")
    git("add", ".")
    git("commit", "-m", "base")
    assert main(["review", "--base", "main"]) == 0
    os.chdir("pkg")
    assert main(["review", "--base", "main"]) == 2
    assert "pkg/.reviewbot.yml of the base:1: jobs: must be" in capsys.readouterr().err
    write("jobs: 1\n", ".reviewbot.yaml")
    git("add", ".")
    git("commit", "-m", "both")
    assert main(["review", "--base", "main"]) == 2
    assert "keep one of the two" in capsys.readouterr().err


@pytest.mark.usefixtures("branch")
def test_a_dotenv_file_that_git_does_not_know_is_the_users_own() -> None:
    write("REVIEWBOT_MODEL=claude-x\n", ".env")
    assert main(["review", "--base", "main"]) == 2


@pytest.mark.usefixtures("repository")
def test_attributes_of_the_change_itself_hide_nothing() -> None:
    write("* -diff\n", ".gitattributes")
    write(WORSE, "app.py")
    assert main(["review"]) == 1
    git("add", ".")
    assert main(["review", "--staged"]) == 1


@pytest.mark.usefixtures("repository")
def test_attributes_of_the_repository_mark_generated_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write("app.py linguist-generated\n", ".gitattributes")
    write(WORSE, "app.py")
    assert main(["review"]) == 1  # the change itself has no say
    git("add", ".gitattributes")
    git("commit", "-m", "attributes")
    capsys.readouterr()
    assert main(["review"]) == 0
    assert "Generated: .gitattributes says so." in capsys.readouterr().out


@pytest.mark.usefixtures("repository")
def test_an_unknown_base_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", "--base", "nope"]) == 2
    assert "git does not know the revision 'nope'" in capsys.readouterr().err
    assert main(["review", "--base=--output=pwned"]) == 2
    assert not Path("pwned").exists()


@pytest.mark.usefixtures("repository")
def test_a_mistake_in_a_configuration_that_a_branch_adds_is_an_error_on_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    git("checkout", "-b", "topic")
    write("summary: true\njobs: many\n", ".reviewbot.yml")
    git("add", ".")
    git("commit", "-m", "configure")
    assert main(["review", "--base", "main"]) == 1
    out = capsys.readouterr().out
    assert "error: Invalid setting: jobs" in out
    assert "--> .reviewbot.yml:2" in out
