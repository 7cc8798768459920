"""The workflow of a release, and its scripts on a small checkout with a docker that is a script."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.action_files import ROOT

RELEASE: dict[Any, Any] = yaml.safe_load(
    (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
)
JOBS: dict[str, Any] = RELEASE["jobs"]

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


def using(job: str, action: str) -> dict[str, Any]:
    """Return the one step of a job that uses an action."""
    (step,) = [one for one in JOBS[job]["steps"] if one.get("uses", "").startswith(f"{action}@")]
    return dict(step)


def test_a_tag_publishes_packages_with_attestations_and_an_image_with_its_sbom() -> None:
    assert RELEASE[True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}  # YAML reads "on" as true
    assert {name: job.get("needs") for name, job in JOBS.items()} == {
        "build": None,
        "pypi": "build",
        "image": "build",
        "release": ["pypi", "image"],
    }
    assert any(".ci/check_release.py" in step.get("run", "") for step in JOBS["build"]["steps"])
    # Without a password, the action publishes as a trusted publisher and signs attestations.
    assert "with" not in using("pypi", "pypa/gh-action-pypi-publish")
    assert JOBS["pypi"]["permissions"] == {"id-token": "write"}
    image = using("image", "docker/build-push-action")["with"]
    assert (image["push"], image["sbom"], image["provenance"]) == (True, True, "mode=max")


@pytest.mark.parametrize("is_there", [True, False])
def test_the_tag_that_workflows_use_moves_to_the_release(tmp_path: Path, is_there: bool) -> None:
    (script,) = [step["run"] for step in JOBS["release"]["steps"] if "git/refs" in str(step)]
    gh = tmp_path / "gh"
    refuses = "" if is_there else "case $* in *PATCH*) exit 1 ;; esac\n"
    gh.write_text(f'#!/bin/sh\necho "$*" >>"$0.log"\n{refuses}', "utf-8")
    gh.chmod(0o755)
    variables = {"GITHUB_REF_NAME": "v0.2.0", "GITHUB_SHA": "abc", "GH_REPO": "o/r"}
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **variables}
    subprocess.run(["bash", "-e", "-c", script], env=env, check=True)
    moved = "api --method PATCH repos/o/r/git/refs/tags/v0 -f sha=abc -F force=true"
    made = "api --method POST repos/o/r/git/refs -f ref=refs/tags/v0 -f sha=abc"
    calls = (tmp_path / "gh.log").read_text("utf-8").splitlines()
    assert calls == ([moved] if is_there else [moved, made])


def test_newer_digests_of_images_are_proposed() -> None:
    text = (ROOT / ".github" / "dependabot.yml").read_text("utf-8")
    watched = {
        one["package-ecosystem"]
        for one in yaml.safe_load(text)["updates"]
        if one["directory"] == "/deploy"
    }
    assert watched == {"docker", "docker-compose"}
