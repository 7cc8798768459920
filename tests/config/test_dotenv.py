"""The ``.env`` of a checkout chooses models and keys, and nothing of the machine."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from reviewbot.config.load import read_variable
from reviewbot.config.settings import load_settings
from reviewbot.config.variables import APP, DOTENV, MACHINE, STORE_KEY
from tests.server.nodes import DEMO, ROOT, Node, post, until_state
from tests.support.forks import run_fork

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD: Final = "pelican-word"
STATE: Final = "REVIEWBOT_STATE_DIR in .env is ignored: set it in the environment."
DATABASE: Final = "REVIEWBOT_DATABASE_URL in .env is ignored: set it in the environment."


# --- The list


def test_the_list_of_what_dotenv_may_set_is_closed() -> None:
    assert (
        frozenset(
            {
                *("REVIEWBOT_MODEL", "REVIEWBOT_FALLBACK_MODELS", "REVIEWBOT_ROUTES"),
                *("REVIEWBOT_AB_SPLIT", "REVIEWBOT_API_KEY"),
                *("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
                *("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_API_URL"),
            }
        )
        == DOTENV
    )


@pytest.mark.parametrize("name", sorted(MACHINE))
def test_a_setting_of_the_machine_is_not_read_from_dotenv(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text(f"{name}=planted\n")
    assert read_variable(name) is None
    settings = load_settings(flags={}, env={}, dotenv={name: "planted"})
    assert settings.state_dir is None
    assert settings.ignored == (f"{name} in .env is ignored: set it in the environment.",)


def test_variables_of_other_programs_and_empty_ones_are_not_mentioned() -> None:
    dotenv = {"DATABASE_URL": "x", "DEBUG": "1", "PGHOST": "x", "REVIEWBOT_STATE_DIR": " "}
    assert load_settings(flags={}, env={}, dotenv=dotenv).ignored == ()


def test_a_variable_that_is_none_of_ours_is_named_and_many_take_one_sentence() -> None:
    one = load_settings(flags={}, env={}, dotenv={"REVIEWBOT_MODLE": "x"})
    assert one.ignored == ("REVIEWBOT_MODLE in .env is ignored: it is not a setting of reviewbot.",)
    names = [f"REVIEWBOT_{'x' * 100}{number}" for number in range(2000)]
    (said,) = load_settings(flags={}, env={}, dotenv=dict.fromkeys(names, "x")).ignored
    assert said.endswith(
        "x and 1,990 more variables in .env are ignored: they are not settings of reviewbot."
    )
    assert len(said) < 800
    two = dict.fromkeys(("REVIEWBOT_MODLE", "REVIEWBOT_X"), "x")
    assert load_settings(flags={}, env={}, dotenv=two).ignored == (
        "REVIEWBOT_MODLE and REVIEWBOT_X in .env are ignored: they are not settings of reviewbot.",
    )


def with_key_in(variable: str, *, trusted: bool = True) -> Any:
    config = f"fallback_models: [{{name: m, base_url: http://h, api_key_env: {variable}}}]"
    return load_settings(
        flags={"model": "offline"},
        env={},
        dotenv={variable: "from-dotenv"},
        config_text=config,
        config_trusted=trusted,
    )


def test_a_key_that_a_trusted_file_names_is_read_from_dotenv() -> None:
    for name in ("OTHER_KEY", "REVIEWBOT_MY_KEY"):
        settings = with_key_in(name)
        (model,) = settings.fallback_models
        assert model.api_key.reveal() == "from-dotenv"
        assert settings.ignored == ()


@pytest.mark.parametrize("name", sorted(MACHINE))
def test_a_key_that_is_called_like_a_setting_of_the_machine_is_not(name: str) -> None:
    settings = with_key_in(name)
    (model,) = settings.fallback_models
    assert model.api_key is None
    assert settings.state_dir is None
    assert len(settings.ignored) == 1


def test_a_repositorys_own_file_cannot_name_a_key() -> None:
    with pytest.raises(Exception, match=r"base_url: is not read from"):
        with_key_in("REVIEWBOT_STATE_DIR", trusted=False)


# --- Commands in a hostile checkout


class Listener:
    """A Postgres of a stranger: it records each connection and what comes over it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.heard.append(connection.recv(65536))
                connection.sendall(b"N")  # no TLS: what follows comes in plain text
                self.heard.append(connection.recv(65536))

    def close(self) -> None:
        self._socket.close()


class Checkout:
    """A stranger's checkout, with a ``.env`` and a state folder in it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.home = folder / "checkout", folder / "home"
        self.planted = self.folder / "planted"
        for each in (self.planted, self.home):
            each.mkdir(parents=True)
        (self.planted / "reviewbot.db").write_bytes(b"planted")
        (self.folder / "change.diff").write_bytes(DEMO)
        (self.folder / ".env").write_text(
            f"REVIEWBOT_DATABASE_URL=postgresql://evil@127.0.0.1:{port}/x\n"
            f"REVIEWBOT_STATE_DIR={self.planted}\n"
            f"REVIEWBOT_PROMPTS_DIR={self.planted}\n"
            "DATABASE_URL=postgresql://other\nDEBUG=1\n"
            + "".join(f"{name}=planted\n" for name in (*APP, STORE_KEY))
        )
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "PGPASSWORD": PASSWORD,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_fork(arguments, environment=self.environment, folder=self.folder)

    def assert_untouched(self) -> None:
        assert [path.name for path in self.planted.iterdir()] == ["reviewbot.db"]
        assert (self.planted / "reviewbot.db").read_bytes() == b"planted"


@contextmanager
def hostile(folder: Path) -> Iterator[Checkout]:
    """A hostile checkout; at the end nothing was sent to its database or stored in its folder."""
    listener = Listener()
    try:
        checkout = Checkout(folder, listener.port)
        yield checkout
        assert listener.heard == []
        checkout.assert_untouched()
    finally:
        listener.close()


def test_the_listener_hears_who_connects(tmp_path: Path) -> None:
    """The tests below would pass with a listener that is deaf."""
    listener = Listener()
    checkout = Checkout(tmp_path, listener.port)
    checkout.environment["REVIEWBOT_DATABASE_URL"] = f"postgresql://e@127.0.0.1:{listener.port}/x"
    assert checkout.run("keys", "list").returncode == 2
    listener.close()
    assert any(listener.heard)


def test_keys_do_not_obey_the_dotenv_of_a_checkout_and_name_it_once(tmp_path: Path) -> None:
    with hostile(tmp_path) as checkout:
        done = checkout.run("keys", "list")
        assert done.returncode == 0
        assert done.stdout == "There are no keys; make one: reviewbot keys add NAME\n"
        assert done.stderr.splitlines() == [
            f"reviewbot: {name} in .env is ignored: set it in the environment."
            for name in sorted(MACHINE - {"REVIEWBOT_DEBUG"})
        ]
        assert (checkout.home / "state" / "reviewbot" / "reviewbot.db").is_file()


def test_doctor_does_not_obey_the_dotenv_of_a_checkout_and_warns(tmp_path: Path) -> None:
    with hostile(tmp_path) as checkout:
        done = checkout.run("doctor")
        assert done.returncode == 0, done.stdout
        for sentence in (STATE, DATABASE):
            assert done.stdout.count(f"! environment    {sentence}\n") == 1
        own = checkout.home / "state" / "reviewbot"
        assert f"✓ state folder   {own}, the default" in done.stdout
        assert f"✓ database       reviewbot.db in {own}, the default" in done.stdout
        assert "✓ github app     none, the default" in done.stdout
        assert "DEBUG in .env" not in done.stdout
        assert " DATABASE_URL" not in done.stdout


def test_a_review_does_not_obey_the_dotenv_of_a_checkout_and_notices_it(tmp_path: Path) -> None:
    with hostile(tmp_path) as checkout:
        done = checkout.run("review", "change.diff", "--fail-on", "never")
        assert done.returncode == 0, done.stderr
        shown = " ".join(done.stdout.split())
        for sentence in (STATE, DATABASE):
            assert shown.count(sentence) == 1


@pytest.mark.slow
async def test_a_server_does_not_obey_the_dotenv_of_a_checkout_and_names_it_once(
    tmp_path: Path,
) -> None:
    with hostile(tmp_path) as checkout:
        with (checkout.folder / ".env").open("a") as dotenv:
            dotenv.write("GITHUB_API_URL=https://evil.example/api/v3\n")
        environment = {
            **checkout.environment,
            "REVIEWBOT_STATE_DIR": "",  # empty counts as not set
        }
        one = Node(checkout.folder, ("--log-format", "text"), environment)
        await one.start()
        try:
            for number in range(2):
                title = str(number)
                found = await until_state(one, await post(one, title=title), "finished")
                assert STATE not in str(found)
            assert await one.stop() == 0
        finally:
            await one.kill()
        for name in (*sorted(MACHINE - {"REVIEWBOT_DEBUG"}), "GITHUB_API_URL"):
            assert one.log.count(f" {name} in .env is ignored: set it in the environment.") == 1
        assert (checkout.home / "state" / "reviewbot" / "reviewbot.db").is_file()
        assert not (checkout.folder / "reviewbot.db").exists()
