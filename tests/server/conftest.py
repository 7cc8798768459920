"""Fixtures of the server's tests."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits
from tests.server.databases import database
from tests.server.nodes import Node
from tests.support.forks import running_fork

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["database", "server", "shared_node"]


@pytest.fixture(scope="session")
def shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A server for all tests that are not about its process; each call needs a key."""
    folder = tmp_path_factory.mktemp("shared")
    one = Node(folder, ("--require-keys",))
    database = open_database(f"sqlite:///{folder / 'reviewbot.db'}")
    with database.engine.begin() as connection:
        keys.add(connection, "so that there is one", Limits())
    database.engine.dispose()
    command, environment = one.command()
    with (
        (folder / "log").open("ab") as log,
        running_fork(command[3:], environment=environment, folder=folder, log=log) as output,
    ):
        line = output.readline()
        assert b" at http" in line, one.log
        one.url = line.split(b" at ")[1].split()[0].decode()
        yield one


@pytest.fixture
def server(shared_node: Node) -> Node:
    """The shared server as a key sees it that no other test has."""
    database = open_database(f"sqlite:///{shared_node.folder / 'reviewbot.db'}")
    with database.engine.begin() as connection:
        _, secret = keys.add(connection, secrets.token_hex(4), Limits())
    database.engine.dispose()
    bearer = {"Authorization": f"Bearer {secret}"}
    return Node(shared_node.folder, url=shared_node.url, headers=bearer)
