"""``reviewbot serve`` as a user starts and ends it: one sentence where it cannot be, and why."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from reviewbot.errors import ConfigError
from reviewbot.server.http.sockets import listening
from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server.nodes import APART, DEMO, ROOT, long_diff, node, post, until, until_state
from tests.support.forks import run_fork


def refused(folder: Path, *arguments: str, **environment: str) -> str:
    """What a start that fails says: one line, exit code 2."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "REVIEWBOT_STATE_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    done = run_fork(
        ("serve", "--port", "0", *arguments), environment=variables, folder=folder, timeout_s=30
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line.removeprefix("reviewbot: ")


# --- The address


def test_a_port_that_is_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(tmp_path, "--port", str(port))
    assert said == f"port {port} of 127.0.0.1 is in use; choose another with --port"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (socket.gaierror(-2, "Name or service not known"), ": Name or service not known"),
        (UnicodeEncodeError("idna", "a..b", 1, 2, "label empty"), ""),
    ],
)
def test_a_host_that_is_no_name_is_named(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, said: str
) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise fault

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ConfigError) as caught:
        listening("nowhere.invalid", 0)
    assert str(caught.value) == f"--host: nowhere.invalid cannot be resolved{said}"


def test_an_address_of_another_machine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    with pytest.raises(ConfigError) as caught:
        listening("192.0.2.1", 0)
    assert str(caught.value) == "--host: 192.0.2.1 is not an address of this machine"


def test_a_port_that_this_user_may_not_have_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", denied)
    with pytest.raises(ConfigError, match=r"^this user may not listen on port 80 of 127\.0\.0\.1;"):
        listening("127.0.0.1", 80)


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", ""])
def test_every_address_of_the_host_is_listened_on_with_the_same_port(host: str) -> None:
    if ":" in host and not _has_ipv6():
        pytest.skip("there is no IPv6 here")
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in listening(host, 0)]
        (port,) = {one.getsockname()[1] for one in sockets}
        assert port > 0
        for one in sockets:
            own = {"::": "::1", "0.0.0.0": "127.0.0.1"}.get(one.getsockname()[0])  # noqa: S104
            socket.create_connection((own or one.getsockname()[0], port)).close()
        families = {one.family for one in sockets}
        if host == "" and _has_ipv6():
            assert families == {socket.AF_INET, socket.AF_INET6}


def test_a_host_one_of_whose_addresses_is_not_there_is_listened_on_with_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def found(*_: object, **__: object) -> list[object]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("192.0.2.1", 0)), (*kind, ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    (one,) = listening("both.example", 0)
    with one:
        assert one.getsockname()[0] == "127.0.0.1"


def test_a_free_port_is_free_at_every_address_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    make = socket.create_server
    tried: list[int] = []

    def create(address: tuple[str, int], **options: int) -> socket.socket:
        tried.append(address[1])
        if address[0] == "127.0.0.2" and tried.count(0) < 3:
            raise OSError(98, "Address already in use")
        return make(address, **options)  # type: ignore[arg-type]

    def found(*_: object, **__: object) -> list[object]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", 0)), (*kind, ("127.0.0.2", 0))]

    monkeypatch.setattr(socket, "create_server", create)
    monkeypatch.setattr(socket, "getaddrinfo", found)
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in listening("both.example", 0)]
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert len(sockets) == 2


@pytest.mark.parametrize("host", ["localhost", "::1"])
async def test_the_ready_line_has_the_address_that_answers(tmp_path: Path, host: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("there is no IPv6 here")
    async with node(tmp_path, "--host", host) as one, one.client() as client:
        assert (await client.get("/readyz")).json()["ready"]
        assert "Uvicorn running" not in one.log


async def test_health_checks_by_address_are_answered_where_hosts_are_named(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")
    _, secret = await database.write(
        lambda each: keys.add(each, "prometheus", Limits(), scope="metrics")
    )
    await database.close()
    async with node(
        tmp_path,
        *("--host", "0.0.0.0", "--allow-host", "reviews.example"),  # noqa: S104
    ) as one:
        assert one.url.startswith("http://0.0.0.0:")
        one.url = one.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        async with one.client(Authorization=f"Bearer {secret}") as client:
            for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 421)):
                assert (await client.get(path)).status_code == status
            named = {"Host": "reviews.example"}
            assert (await client.get("/metrics", headers=named)).status_code == 200


# --- The database


async def test_a_second_server_on_the_same_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'one.db'}"
    async with node(tmp_path / "a", "--database", database):
        said = await asyncio.to_thread(refused, tmp_path, "--database", database)
    assert said == (
        f"--database: another reviewbot serve uses {tmp_path / 'one.db'};"
        " for several nodes, use a Postgres URL"
    )


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


async def test_what_is_reviewed_can_be_read_by_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    async with node(folder, "--database", f"sqlite:///{folder / 'named.db'}") as one:
        await until_state(one, await post(one), "finished")
        files = {path.name: mode(path) for path in folder.glob("named.db*")}
        assert files == dict.fromkeys(
            ("named.db", "named.db-wal", "named.db-shm", "named.db.lock"), "0o600"
        )
        assert "chmod" not in one.log


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "warned"),
    [(0o755, 0o644, 1), (0o755, 0o640, 0), (0o700, 0o644, 0)],  # others do not get into a 0700
)
async def test_a_file_that_others_can_read_stays_so_and_is_warned_of(
    folder_mode: int, file_mode: int, warned: int
) -> None:
    with TemporaryDirectory() as name:  # pytest's own folders are closed to others
        path = with_modes(Path(name), folder_mode, file_mode)
        async with node(path.parent) as one:
            assert one.log.count(f"chmod 600 {path}") == warned
            assert mode(path) == oct(file_mode)


def with_modes(folder: Path, folder_mode: int, file_mode: int) -> Path:
    """The database of a state folder, both with these modes."""
    if not all(parent.stat().st_mode & stat.S_IXOTH for parent in folder.resolve().parents):
        pytest.skip("the folder for temporary files is closed to others")
    path = folder / "reviewbot.db"
    open_database(f"sqlite:///{path}").engine.dispose()
    path.chmod(file_mode)
    folder.chmod(folder_mode)
    return path


# --- Models and flags


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ("model: claude-x\n", ""),
        ("model: offline\nfallback_models: [claude-x]\n", ""),
        (
            "model: offline\nroutes:\n  - model: claude-x\n    paths: ['*.py']\n",
            "config.yml:3: routes[0]: ",
        ),
    ],
)
def test_a_model_without_its_key_is_told_at_the_start(
    tmp_path: Path, settings: str, place: str
) -> None:
    (tmp_path / "config.yml").write_text(settings, "utf-8")
    said = refused(tmp_path, "--config", "config.yml")
    needs = "claude-x needs a key: set ANTHROPIC_API_KEY, or review with --model offline"
    assert said == place + needs


def test_the_flag_of_a_model_without_its_key_is_enough_to_refuse(tmp_path: Path) -> None:
    assert refused(tmp_path, "--model", "claude-x").startswith("claude-x needs a key")


async def test_a_request_that_names_such_a_model_is_refused_alone(tmp_path: Path) -> None:
    async with node(tmp_path) as one, one.client() as client:
        wrong = await client.post("/v1/reviews?model=claude-x", content=DEMO)
        assert wrong.status_code == 400
        assert wrong.json()["key"] == "options.model"
        await post(one)


def test_what_is_wrong_is_named_by_its_flag(tmp_path: Path) -> None:
    assert refused(tmp_path, "--cors-origin", "*") == (
        "--cors-origin: '*' is not an origin; write one as https://example.com"
    )
    assert refused(tmp_path, "--allow-host", "http://a").startswith("--allow-host: 'http://a' is")


# --- The end


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "json"])
async def test_the_wait_for_reviews_at_work_is_told_at_the_signal(
    tmp_path: Path, kind: str
) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, "--grace-s", "2.5", "--log-format", kind, fake=fake, settings=APART) as one,
    ):
        for number in (1, 2):
            await until_state(one, await post(one, long_diff(number)), "running")
        assert one.process is not None
        one.process.send_signal(signal.SIGINT)
        sentence = "waiting up to 2.5 s for 2 reviews; press Ctrl-C again to stop now"
        said = f"reviewbot: {sentence}\n" if kind == "text" else f'"message": "{sentence}"'
        async with asyncio.timeout(20):
            await until(lambda: said in one.log)
        assert one.log.count("press Ctrl-C") == 1
        assert await one.process.wait() == 0


async def test_nothing_is_told_where_nothing_is_waited_for(tmp_path: Path) -> None:
    async with node(tmp_path, "--log-format", "text") as one:
        assert await one.stop() == 0
        assert "waiting up to" not in one.log


def test_a_key_is_asked_for_before_an_address_is_taken(tmp_path: Path) -> None:
    said = refused(tmp_path, "--require-keys")
    assert said.startswith("--require-keys: there is no key yet; make one with: reviewbot keys add")
    with socket.create_server(("0.0.0.0", 0)) as other:  # noqa: S104
        arguments = ("--host", "0.0.0.0", "--port", str(other.getsockname()[1]))  # noqa: S104
        said = refused(tmp_path, *arguments)
        assert said.startswith("--host: 0.0.0.0 can be reached by others, and there is no key yet;")
        database = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")
        with database.engine.begin() as connection:
            keys.add(connection, "ci", Limits())
        database.engine.dispose()
        assert "is in use" in refused(tmp_path, *arguments)
    assert refused(tmp_path, "--host", "a..b").startswith("--host: a..b cannot be resolved")
