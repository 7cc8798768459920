"""Fixtures of the tests of durable reviews."""

from __future__ import annotations

from tests.server.databases import database

__all__ = ["database"]
