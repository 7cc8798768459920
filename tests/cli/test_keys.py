"""``reviewbot keys``: keys made, listed and revoked in the database of a server."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

import pytest

from reviewbot.cli import main as cli
from reviewbot.store import keys
from reviewbot.store.database import open_database

if TYPE_CHECKING:
    from pathlib import Path


class Keys:
    """The command on a database of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path, self._capsys = folder / "reviewbot.db", capsys
        self.code = 0

    def __call__(self, *arguments: str) -> str:
        """What it prints on standard output, then on standard error."""
        self.code = cli.main(["keys", *arguments, "--database", f"sqlite:///{self.path}"])
        self.out, self.err = self._capsys.readouterr()
        return self.out + self.err

    def known(self, secret: str) -> keys.Key | None:
        database = open_database(f"sqlite:///{self.path}")
        try:
            with database.engine.connect() as connection:
                return keys.known(connection, secret)
        finally:
            database.engine.dispose()


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Keys:
    return Keys(tmp_path, capsys)


def test_a_key_is_all_of_the_output_and_is_shown_once(command: Keys) -> None:
    command("add", "ci")
    secret = command.out.strip()
    assert re.fullmatch(r"rb_[\w-]{43}", secret)
    assert "not shown again" in command.err
    assert secret not in command("list")


def test_the_database_does_not_hold_a_key(command: Keys) -> None:
    command("add", "ci")
    secret = command.out.strip()
    with sqlite3.connect(command.path) as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert "ci" in dump
    assert secret not in dump
    assert secret.removeprefix("rb_") not in dump


def test_a_list_has_names_limits_and_use_and_nothing_else_to_tell(command: Keys) -> None:
    assert "reviewbot keys add NAME" in command("list")
    command("add", "nightly", "--tokens-per-day", "2000000", "--usd-per-day", "20")
    command("add", "ci")
    first, second = command("list").splitlines()
    assert "nightly" in first
    assert "used never; 2,000,000 tokens a day, $20.00 a day" in first
    assert second.endswith("used never; no limits")


def test_the_scope_is_reviews_unless_another_is_given(command: Keys) -> None:
    for arguments, scope in (((), "reviews"), (("--scope", "metrics"), "metrics")):
        command("add", "ci", *arguments)
        found = command.known(command.out.strip())
        assert found is not None
        assert found.scope == scope
    first, second = command("list").splitlines()
    assert "  reviews, added 20" in first
    assert "  metrics, added 20" in second


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--tokens-per-request", "1"),
        ("--tokens-per-day", "1"),
        ("--usd-per-day", "1"),
        ("--requests-per-minute", "1"),
        ("--reviews-at-once", "1"),
    ],
)
def test_limits_are_rejected_for_the_scope_metrics(command: Keys, flag: str, value: str) -> None:
    said = command("add", "prometheus", "--scope", "metrics", flag, value)
    assert command.code == 2
    assert "--scope: a key for metrics has no limits; omit them" in said
    assert "There are no keys" in command("list")


def test_limits_are_those_that_were_given(command: Keys) -> None:
    command(
        *("add", "ci", "--tokens-per-request", "1", "--tokens-per-day", "2"),
        *("--usd-per-day", "0.5", "--requests-per-minute", "4", "--reviews-at-once", "5"),
    )
    found = command.known(command.out.strip())
    assert found is not None
    assert found.limits == keys.Limits(1, 2, 0.5, 4, 5)


def test_a_revoked_key_is_unknown_and_stays_in_the_list(command: Keys) -> None:
    command("add", "ci")
    secret = command.out.strip()
    found = command.known(secret)
    assert found is not None
    assert command("revoke", found.id) == f"revoked {found.id}\n"
    assert command.known(secret) is None
    assert "revoked 20" in command("list")
    assert "there is no key" in command("revoke", found.id)
    assert command.code == 2


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines", "\x1b[31mred"])
def test_a_name_is_one_line_of_text(command: Keys, name: str) -> None:
    assert "printable characters" in command("add", name)
    assert command.code == 2
    assert "There are no keys" in command("list")


@pytest.mark.parametrize(
    "flag",
    ["--tokens-per-request", "--tokens-per-day", "--requests-per-minute", "--reviews-at-once"],
)
@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "9" * 20, "\N{SUPERSCRIPT TWO}"])
def test_a_limit_is_a_number_from_1_on(
    command: Keys, capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command("add", "ci", flag, value)
    assert ended.value.code == 2
    assert flag in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "much"])
def test_dollars_are_an_amount_above_0(
    command: Keys, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command("add", "ci", "--usd-per-day", value)
    assert ended.value.code == 2
    assert "must be an amount above 0" in capsys.readouterr().err


def test_the_environment_names_the_database_and_dotenv_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVIEWBOT_DATABASE_URL", "sqlite:///from_environment.db")
    (tmp_path / ".env").write_text("REVIEWBOT_DATABASE_URL=sqlite:///from_dotenv.db\n", "utf-8")
    assert cli.main(["keys", "list"]) == 0
    assert (tmp_path / "from_environment.db").is_file()
    assert not (tmp_path / "from_dotenv.db").exists()
    assert "There are no keys" in capsys.readouterr().out
