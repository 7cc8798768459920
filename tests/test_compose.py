"""The deployment with Docker Compose."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from reviewbot.jobs.service import ServiceConfig
from reviewbot.server.http.watchdog import SHUTDOWN_S

COMPOSE = Path(__file__).parents[1] / "deploy" / "compose.yaml"


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return found


def test_each_service_starts_again_unless_someone_stopped_it() -> None:
    assert {one["restart"] for one in services().values()} == {"unless-stopped"}


def test_no_service_holds_the_socket_of_docker() -> None:
    assert "docker.sock" not in COMPOSE.read_text("utf-8")
    assert not any(one.get("privileged") for one in services().values())


def test_docker_waits_longer_for_a_shutdown_than_the_server_takes() -> None:
    seconds = float(services()["reviewbot"]["stop_grace_period"].removesuffix("s"))
    (grace_s,) = (one.default for one in fields(ServiceConfig) if one.name == "grace_s")
    assert isinstance(grace_s, float)
    assert seconds > grace_s + SHUTDOWN_S
