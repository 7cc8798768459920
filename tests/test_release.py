"""The checks and the script of a release, on a small checkout with a docker that is a script."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.action_files import ROOT

DIGEST = "sha256:" + "0123456789abcdef" * 4
OTHER = "sha256:" + "f" * 64

DEPLOYED = ("Dockerfile", "compose.yaml")


def unpinned(name: str) -> str:
    return re.sub(r"@sha256:\w+", "", (ROOT / "deploy" / name).read_text("utf-8"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout at version 1.2.3 with the images of this repository, without digests."""
    (tmp_path / "reviewbot").mkdir()
    (tmp_path / "reviewbot" / "__init__.py").write_text('__version__ = "1.2.3"\n', "utf-8")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.3 - 2026-01-02\n", "utf-8")
    (tmp_path / "deploy").mkdir()
    for name in DEPLOYED:
        (tmp_path / "deploy" / name).write_text(unpinned(name), "utf-8")
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "pin_images.sh", tmp_path / ".ci")
    return tmp_path


def pin(checkout: Path, digest: str) -> subprocess.CompletedProcess[str]:
    programs = checkout / "bin"
    programs.mkdir(exist_ok=True)
    docker = programs / "docker"
    docker.write_text(f"#!/bin/sh\necho '{digest}'\n", "utf-8")
    docker.chmod(0o755)
    return subprocess.run(
        [str(checkout / ".ci" / "pin_images.sh")],
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def check(checkout: Path, tag: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci" / "check_release.py"), tag]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


def test_a_tag_with_changelog_and_pinned_images_can_be_released(checkout: Path) -> None:
    assert pin(checkout, DIGEST).returncode == 0
    done = check(checkout, "v1.2.3")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_tag_of_another_version_is_refused(checkout: Path) -> None:
    pin(checkout, DIGEST)
    done = check(checkout, "v1.2.4")
    assert done.returncode == 1
    assert "the tag is v1.2.4" in done.stderr
    assert "CHANGELOG.md has no line '## 1.2.4 - YYYY-MM-DD'" in done.stderr


def test_each_image_without_a_digest_is_refused(checkout: Path) -> None:
    done = check(checkout, "v1.2.3")
    assert done.returncode == 1
    assert done.stderr.count("has no digest") == 3
    assert "deploy/compose.yaml: postgres:17 has no digest" in done.stderr


def test_pinning_again_replaces_the_digest_and_nothing_else(checkout: Path) -> None:
    assert pin(checkout, OTHER).returncode == 0
    assert pin(checkout, DIGEST).returncode == 0
    for name in DEPLOYED:
        pinned = (checkout / "deploy" / name).read_text("utf-8")
        assert f"@{DIGEST}" in pinned
        assert pinned.replace(f"@{DIGEST}", "") == unpinned(name)


def test_an_answer_that_is_not_a_digest_stops_the_pinning(checkout: Path) -> None:
    done = pin(checkout, "unauthorized")
    assert done.returncode != 0
    assert "not a digest: unauthorized" in done.stderr
    dockerfile = (checkout / "deploy" / "Dockerfile").read_text("utf-8")
    assert dockerfile == unpinned("Dockerfile")
