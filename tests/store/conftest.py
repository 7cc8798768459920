"""Fixtures of the tests of the store."""

from __future__ import annotations

from tests.server.databases import database

__all__ = ["database"]
