"""``reviewbot doctor``: it says what works, what does not, and never shows a key."""

import asyncio
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reviewbot.cli.main import main
from reviewbot.config.installation import install_command
from reviewbot.config.settings import SecretText
from reviewbot.core.safety import redact
from reviewbot.errors import ReviewbotError
from reviewbot.github.api.app import NewApp
from reviewbot.github.app.credentials import store_app
from reviewbot.models import tokens
from reviewbot.models.linters import linters
from reviewbot.models.linters.base import NotLintedError
from reviewbot.models.linters.programs import find_programs, versions
from reviewbot.models.offline.parser import ParserPool
from reviewbot.models.offline.parser_process import ParserProcess
from reviewbot.models.sandbox import confine
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError
from tests.fake_github import FakeGitHub

KEY = "sk-ant-" + "fake"  # the one that the fake takes

Doctor = Callable[..., tuple[int, str]]


@pytest.fixture
def doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    """Runs the command in an empty folder and environment; its code and what it printed."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("ANTHROPIC_", "GITHUB_", "REVIEWBOT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["doctor", *arguments])
        out, err = capsys.readouterr()
        assert err == ""
        return code, out

    return run


def test_without_key_and_files_all_is_well_and_it_says_who_reviews(doctor: Doctor) -> None:
    code, out = doctor()
    assert code == 0
    assert "✗" not in out
    assert "no file; the defaults apply" in out
    assert "offline: no ANTHROPIC_API_KEY is set, so the offline rules review" in out
    for name in ("reviewbot", "git", "token encoding", "offline rules", "parser", "secrets"):
        assert f" {name} " in out


def test_each_linter_is_run_and_shown_with_its_version(doctor: Doctor) -> None:
    _, out = doctor()
    for name, version in versions().items():
        assert f"{name} {version}" in out


def test_linters_that_are_missing_or_fail_are_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "ruff" not in versions():
        pytest.skip("ruff is not installed")

    def refuse(*_: object, **__: object) -> None:
        raise NotLintedError("it could not start (Permission denied).")

    monkeypatch.setattr(linters, "find_programs", find_programs)
    monkeypatch.setattr(linters, "run_linter", refuse)
    code, out = doctor()
    assert code == 0
    assert "! linters        ruff did not read this file: it could not start" in out
    monkeypatch.setattr(sysconfig, "get_path", lambda _: os.fspath(tmp_path))
    code, out = doctor()
    assert code == 0
    assert "! linters " in out
    assert install_command("linters") in out


def test_linters_that_are_not_confined_are_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confine, "unconfined", lambda: None)
    assert "✓ linter sandbox confined: no other files, no network" in doctor()[1]
    monkeypatch.setattr(confine, "unconfined", lambda: "this kernel has no Landlock")
    code, out = doctor()
    assert code == 0
    assert "! linter sandbox unconfined: this kernel has no Landlock" in out


def test_a_damaged_encoding_is_found(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged() -> None:
        raise ReviewbotError("the token encoding in this installation is damaged")

    monkeypatch.setattr(tokens, "encoding", damaged)
    code, out = doctor()
    assert code == 2
    assert "✗ token encoding the token encoding in this installation is damaged" in out
    assert "✓ configuration" in out, "one broken part does not hide the others"


def test_a_library_that_is_not_there_is_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'ast_grep_py'")

    monkeypatch.setattr(tokens, "encoding", missing)
    code, out = doctor()
    assert code == 2
    assert "ast_grep_py" in out


def test_a_parser_that_cannot_start_is_wrong(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ParserPool, "_take", lambda _pool: ParserProcess())  # a new one
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    code, out = doctor()
    assert code == 2
    assert "✗ parser         the parser could not start" in out


def test_the_shorter_list_of_secrets_is_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redact, "secret_engine", lambda: "built-in patterns only: no build")
    code, out = doctor()
    assert code == 0
    assert "! secrets        built-in patterns only" in out


def test_without_git_diff_files_can_still_be_reviewed(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out = doctor()
    assert code == 0
    assert "! git            not found" in out


def test_a_git_that_does_not_run_is_wrong(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git = tmp_path / "git"
    git.write_text("#!/bin/sh\nexit 1\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    code, out = doctor()
    assert code == 2
    assert "✗ git" in out


def test_a_wrong_file_is_named_with_its_line(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").write_text("\njobs: 0\n")
    code, out = doctor()
    assert code == 2
    assert "✗ configuration  .reviewbot.yml:2: jobs: must be at least 1, not 0" in out


def test_a_rule_that_does_not_exist_is_found(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").write_text("rules: {python/evil: off, docs: off}\n")
    code, out = doctor()
    assert code == 2
    assert "there is no rule python/evil; did you mean python/eval?" in out


def test_routes_are_shown_and_a_route_without_its_key_is_wrong(
    doctor: Doctor, tmp_path: Path
) -> None:
    routes = "routes: [{paths: [a], model: claude-opus-5-5, fallback_models: [offline]}]"
    (tmp_path / ".reviewbot.yml").write_text(f"{routes}\nab_split: {{model: offline, share: 1}}\n")
    code, out = doctor()
    assert code == 2
    assert "✓ route          routes[0]: claude-opus-5-5, then offline" in out
    assert "✓ route          ab_split: offline" in out
    assert "✗ key            claude-opus-5-5 needs a key: set ANTHROPIC_API_KEY" in out
    code, out = doctor("--model", "offline")
    assert code == 0
    assert "! setting        routes, set by .reviewbot.yml:1, has no effect: the model" in out
    assert "route    " not in out


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("routes:\n- {paths: ['[b-a]'], model: offline}", ".reviewbot.yml:2: routes[0].paths"),
        ("exclude: ['[b-a]']", "exclude"),
        ("path_instructions: [{paths: ['[b-a]'], instructions: x}]", "path_instructions"),
    ],
)
def test_a_pattern_that_is_none_is_found(
    text: str, where: str, doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / ".reviewbot.yml").write_text(text)
    code, out = doctor()
    assert code == 2
    assert f"✗ configuration  {where}: '[b-a]' is not a gitignore pattern" in out


def test_each_setting_is_shown_with_its_source(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".reviewbot.yml").write_text("jobs: 2\nmodel: claude-x\n")
    monkeypatch.setenv("REVIEWBOT_MODEL", "offline")
    code, out = doctor()
    assert code == 0
    assert "✓ configuration" in out
    assert "jobs is set by .reviewbot.yml:1" in out
    assert "model is set by REVIEWBOT_MODEL" in out


def test_a_variable_with_a_typing_error_is_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEWBOT_MODLE", "x")
    monkeypatch.setenv("REVIEWBOT_DEBUG", "")
    monkeypatch.setenv("REVIEWBOT_DATABASE_URL", "sqlite:////nowhere")
    code, out = doctor()
    assert code == 0
    assert "! environment    REVIEWBOT_MODLE is not read; did you mean REVIEWBOT_MODEL?" in out
    assert "REVIEWBOT_DATABASE_URL is not read" not in out
    assert "✓ database       set by REVIEWBOT_DATABASE_URL in the environment" in out
    assert "nowhere" not in out
    assert "REVIEWBOT_DEBUG" not in out


MACHINE = (
    *("state folder", "database", "store key"),
    *("github app", "github token", "github address", "server key"),
)


def origins(out: str) -> dict[str, str]:
    """What the doctor says of the settings of the machine."""
    lines = (line[2:] for line in out.splitlines() if line.startswith("✓"))
    return {
        label: line[len(label) :].strip()
        for line in lines
        for label in MACHINE
        if line.startswith(f"{label} ")
    }


def test_the_origin_of_each_setting_of_the_machine_is_shown(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "state" / "reviewbot"
    _, out = doctor()
    assert origins(out) == {
        "state folder": f"{folder}, the default",
        "database": f"reviewbot.db in {folder}, the default",
        "store key": f"store.key in {folder}, the default",
        **dict.fromkeys(MACHINE[3:], "none, the default"),
    }
    (tmp_path / ".env").write_text(
        "GITHUB_TOKEN=secret-word\nGITHUB_API_URL=https://ghe.example/api/v3\n"
        "REVIEWBOT_API_KEY=secret-word\nREVIEWBOT_GITHUB_APP_ID=7\n"
    )
    monkeypatch.setenv("REVIEWBOT_STATE_DIR", str(tmp_path / "own"))
    (tmp_path / "own" / "github-app").mkdir(parents=True)
    _, out = doctor()
    assert origins(out) == {
        "state folder": f"{tmp_path / 'own'}, set by REVIEWBOT_STATE_DIR in the environment",
        "database": f"reviewbot.db in {tmp_path / 'own'}, the default",
        "store key": f"store.key in {tmp_path / 'own'}, the default",
        "github app": f"stored in {tmp_path / 'own' / 'github-app'}",
        "github token": "set by GITHUB_TOKEN in .env",
        "github address": "set by GITHUB_API_URL in .env",
        "server key": "set by REVIEWBOT_API_KEY in .env",
    }
    for name, value in (
        ("REVIEWBOT_DATABASE_URL", "postgresql://u:secret-word@db/x"),
        ("REVIEWBOT_STORE_KEY", "secret-word"),
        ("REVIEWBOT_GITHUB_APP_ID", "7"),
        ("REVIEWBOT_GITHUB_WEBHOOK_SECRET", "secret-word"),
        ("GH_TOKEN", "secret-word"),
    ):
        monkeypatch.setenv(name, value)
    _, out = doctor("--model", "offline")
    assert "model is set by --model" in out
    found = origins(out)
    assert found["database"] == "set by REVIEWBOT_DATABASE_URL in the environment"
    assert found["store key"] == "set by REVIEWBOT_STORE_KEY in the environment"
    assert found["github app"] == (
        "set by REVIEWBOT_GITHUB_APP_ID in the environment;"
        " set by REVIEWBOT_GITHUB_WEBHOOK_SECRET in the environment"
    )
    assert "secret-word" not in out


def test_a_postgres_database_without_its_key_is_reported(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEWBOT_DATABASE_URL", "postgresql://db/x")
    monkeypatch.delenv("REVIEWBOT_STORE_KEY", raising=False)
    _, out = doctor()
    assert "! store key      none; with Postgres, reviewbot serve needs REVIEWBOT_STORE_KEY" in out


def test_a_variable_that_dotenv_may_not_set_is_a_warning(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REVIEWBOT_STATE_DIR=x\nDATABASE_URL=x\nDEBUG=1\n")
    code, out = doctor()
    assert code == 0
    warning = "REVIEWBOT_STATE_DIR in .env is ignored: set it in the environment."
    assert f"! environment    {warning}\n" in out
    assert out.count("ignored") == 1


def test_a_model_without_its_key_is_wrong(doctor: Doctor) -> None:
    code, out = doctor("--model", "claude-sonnet-5-5")
    assert code == 2
    assert "✗ key            claude-sonnet-5-5 needs a key: set ANTHROPIC_API_KEY" in out
    assert "endpoint" not in out


async def probed(
    doctor: Doctor,
    monkeypatch: pytest.MonkeyPatch,
    reply: Answer | StatusError,
    *,
    key: str = KEY,
    arguments: tuple[str, ...] = (),
) -> tuple[int, str]:
    """The doctor's answer where the model's server gives this reply."""
    async with FakeAnthropic(lambda _: reply) as fake:
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.base_url)
        return await asyncio.to_thread(doctor, *arguments)


async def test_with_a_key_the_model_is_asked_and_the_key_is_not_shown(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out = await probed(doctor, monkeypatch, Answer())
    assert code == 0, out
    assert "✓ key            claude-sonnet-5-5: ANTHROPIC_API_KEY is set" in out
    assert "✓ endpoint       claude-sonnet-5-5 at http://127.0.0.1:" in out
    assert KEY not in out


async def test_a_wrong_key_is_found_and_not_shown(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "sk-ant-" + "wrong"
    code, out = await probed(doctor, monkeypatch, Answer(), key=wrong)
    assert code == 2
    assert "✗ endpoint" in out
    assert wrong not in out


async def test_a_server_that_is_down_is_found(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out = await probed(doctor, monkeypatch, StatusError(500))
    assert code == 2
    assert "✗ endpoint" in out


async def test_an_answer_that_is_no_report_is_not_called_working(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out = await probed(doctor, monkeypatch, Answer(call=False, preamble="Hello."))
    assert code == 2
    assert "answers with prose, not with a report" in out


async def test_every_model_of_the_chain_is_asked(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEWBOT_FALLBACK_MODELS", "claude-haiku-5-5,offline")
    code, out = await probed(doctor, monkeypatch, Answer())
    assert code == 0, out
    assert out.count("✓ endpoint") == 2


# --- GitHub


async def at_github(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, github: FakeGitHub, **variables: str
) -> tuple[int, str]:
    """The doctor's answer where the App of that GitHub is configured."""
    configured = {
        "REVIEWBOT_GITHUB_APP_ID": str(github.app.id),
        "REVIEWBOT_GITHUB_PRIVATE_KEY": github.app.private_key,
        "REVIEWBOT_GITHUB_WEBHOOK_SECRET": "hook-word",
        "GITHUB_API_URL": github.url,
    }
    for name, value in {**configured, **variables}.items():
        monkeypatch.setenv(name, value)
    code, out = await asyncio.to_thread(doctor)
    for secret in ("hook-word", *github.app.private_key.splitlines()[1:-1]):
        assert secret not in out
    return code, out


def test_without_a_github_app_it_says_how_to_get_one(doctor: Doctor) -> None:
    code, out = doctor()
    assert code == 0
    assert "✓ github         no App; reviewbot serve prints a link that sets one up" in out


def test_half_a_github_app_is_wrong_and_names_what_is_missing(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEWBOT_GITHUB_APP_ID", "7")
    code, out = doctor()
    assert code == 2
    assert "✗ github         REVIEWBOT_GITHUB_APP_ID: this is only a part of a GitHub App" in out
    assert "REVIEWBOT_GITHUB_WEBHOOK_SECRET" in out
    assert "is not read" not in out


async def test_an_app_that_github_knows_is_well(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeGitHub() as github:
        github.install(github.repository())
        code, out = await at_github(doctor, monkeypatch, github)
    assert code == 0, out
    who = f"{github.app.slug}[bot] (from the environment)"
    assert f"✓ github         {who} has all permissions" in out


async def test_a_stored_app_is_asked_for_where_it_was_made(doctor: Doctor, tmp_path: Path) -> None:
    async with FakeGitHub() as github:
        github.install(github.repository())
        app, hook = github.app, SecretText("hook-word")
        new = NewApp(app.id, app.slug, "x", "x", "x", hook, SecretText(app.private_key))
        store_app(new, tmp_path / "state" / "reviewbot", github.url)
        code, out = await asyncio.to_thread(doctor)
    assert code == 0, out
    who = f"{app.slug}[bot] (from {tmp_path}/state/reviewbot/github-app)"
    assert f"{who} has all permissions" in out


async def test_what_the_app_lacks_is_wrong_and_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeGitHub() as github:
        github.app.permissions["checks"] = "read"
        github.app.events.remove("issue_comment")
        code, out = await at_github(doctor, monkeypatch, github)
    assert code == 2
    assert (
        "[bot] (from the environment): the permission checks must be write, not read; the event"
        " issue_comment is not subscribed to. Change the settings of https://github.com/apps/"
    ) in out


async def test_an_app_from_before_merge_queues_is_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeGitHub() as github:
        github.install(github.repository())
        del github.app.permissions["merge_queues"]
        github.app.events.remove("merge_group")
        code, out = await at_github(doctor, monkeypatch, github)
    assert code == 0
    assert "for merge queues, the permission merge_queues must be read, not none; the event" in out


async def test_an_app_that_is_installed_nowhere_is_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeGitHub() as github:
        code, out = await at_github(doctor, monkeypatch, github)
    assert code == 0
    assert "! github " in out
    assert f"is not installed anywhere: open https://github.com/apps/{github.app.slug}/" in out


async def test_an_app_that_github_does_not_know_is_wrong(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeGitHub() as github:
        code, out = await at_github(
            doctor, monkeypatch, github, REVIEWBOT_GITHUB_APP_ID="999999999"
        )
    assert code == 2
    detail = f"{github.url} does not know App 999999999 (from the environment)"
    assert f"✗ github         {detail}" in out


async def test_a_key_of_another_app_is_wrong(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeGitHub() as github:
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        code, out = await at_github(
            doctor, monkeypatch, github, REVIEWBOT_GITHUB_PRIVATE_KEY=other.decode()
        )
    assert code == 2
    assert "✗ github         GitHub does not accept the credentials" in out
