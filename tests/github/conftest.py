"""Fixtures of the tests of the GitHub side."""

from __future__ import annotations

from tests.support.github_fixtures import (
    _certificates_are_read_once,
    github,
    model,
    pytest_asyncio_loop_factories,
    runner,
    server,
)

__all__ = [
    "_certificates_are_read_once",
    "github",
    "model",
    "pytest_asyncio_loop_factories",
    "runner",
    "server",
]
