"""The tool cache of a self-hosted runner: an earlier job may have written anything there."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.action_files import ROOT
from tests.support.action_steps import install

PLANTED = "import os; open(os.environ['PLANTED'], 'a').write('ran\\n')\n"
"""A line of Python that an attacker leaves in the tool cache."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tool cache that one job leaves behind."""
    folder = tmp_path_factory.mktemp("filled")
    env = {
        **os.environ,
        "RUNNER_TEMP": str(folder),
        "RUNNER_TOOL_CACHE": str(folder / "tools"),
    }
    code, log, _ = install(env, folder)
    assert code == 0, log
    return folder / "tools"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a job on a self-hosted runner."""
    (tmp_path / "tools").mkdir()
    return {
        **os.environ,
        "RUNNER_ENVIRONMENT": "self-hosted",
        "RUNNER_TEMP": str(tmp_path),
        "RUNNER_TOOL_CACHE": str(tmp_path / "tools"),
        "PLANTED": str(tmp_path / "planted"),
    }


@pytest.fixture
def next_env(filled: Path, tmp_path: Path, env: dict[str, str]) -> dict[str, str]:
    """Return the environment of the next job; the wheels of the first are its package index."""
    shutil.copytree(filled, tmp_path / "tools", dirs_exist_ok=True)
    return env | offline(wheels_in(filled))


def offline(folder: Path) -> dict[str, str]:
    """Return variables that leave pip and uv with the files of one folder."""
    return {
        **dict.fromkeys(("PIP_FIND_LINKS", "UV_FIND_LINKS"), str(folder)),
        **dict.fromkeys(("PIP_NO_INDEX", "UV_OFFLINE"), "1"),
    }


def import_packages(python: str, env: dict[str, str]) -> None:
    """Start the interpreter of the environment as the next step does."""
    command = [python, "-P", "-c", "import anthropic, github, rich"]
    subprocess.run(command, env=env, check=True)


def wheels_in(tools: Path) -> Path:
    """Return the folder of a tool cache that has the wheels."""
    (path,) = (tools / "reviewbot").glob("wheels-*")
    return path


@pytest.mark.slow
def test_files_planted_in_the_tool_cache_never_run(tmp_path: Path, env: dict[str, str]) -> None:
    install(env, tmp_path)
    for folder in [path for path in (tmp_path / "tools").rglob("*") if path.is_dir()]:
        for name in ("planted.pth", "sitecustomize.py", "anthropic.py"):
            (folder / name).write_text(PLANTED)
        for name in ("python", "uv"):
            (folder / f"new-{name}").write_text(f"#!{sys.executable}\n{PLANTED}")
            (folder / f"new-{name}").chmod(0o755)
            (folder / f"new-{name}").replace(folder / name)
    code, log, output = install(env, tmp_path)
    assert code == 0, log
    import_packages(output["python"], env)
    assert not (tmp_path / "planted").exists()


@pytest.mark.slow
def test_a_changed_wheel_is_refused_and_fetched_again(
    tmp_path: Path, next_env: dict[str, str]
) -> None:
    (wheel,) = wheels_in(tmp_path / "tools").glob("rich-*.whl")
    whole = wheel.read_bytes()
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("planted.pth", PLANTED)
    code, log, output = install(next_env, tmp_path)
    assert code == 0, log
    assert "1 of the wheels in the tool cache" in log
    import_packages(output["python"], next_env)
    assert not (tmp_path / "planted").exists()
    assert wheel.read_bytes() == whole


@pytest.mark.slow
def test_a_changed_wheel_that_cannot_be_fetched_again_fails_the_step(
    tmp_path: Path, next_env: dict[str, str]
) -> None:
    (wheel,) = wheels_in(tmp_path / "tools").glob("rich-*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("planted.pth", PLANTED)
    code, log, output = install(next_env | offline(tmp_path / "nothing"), tmp_path)
    assert code == 2
    assert log.endswith(
        "::error title=reviewbot::the packages of reviewbot could not be fetched;"
        " the lines above say why.\n"
    )
    assert not output


@pytest.mark.slow
def test_a_wheel_of_the_locks_under_the_name_of_another_is_not_installed(
    tmp_path: Path, next_env: dict[str, str]
) -> None:
    folder = wheels_in(tmp_path / "tools")
    (rich,) = folder.glob("rich-*.whl")
    (requests,) = folder.glob("requests-*.whl")
    whole = rich.read_bytes()
    shutil.copy(requests, rich)
    code, log, output = install(next_env, tmp_path)
    assert code == 0, log
    import_packages(output["python"], next_env)
    assert rich.read_bytes() == whole


@pytest.mark.slow
def test_the_next_job_needs_no_package_index_and_old_folders_go(
    tmp_path: Path, next_env: dict[str, str]
) -> None:
    tools = tmp_path / "tools"
    wheels = wheels_in(tools)
    for name in ("wheels-0123456789abcdef", "env-0123456789abcdef"):
        old = tools / "reviewbot" / name
        old.mkdir()
        (old / "file").touch()
        os.utime(old, (0, 0))
    (tmp_path / "nothing").mkdir()
    code, log, output = install(next_env | offline(tmp_path / "nothing"), tmp_path)
    assert (code, log) == (0, "")
    import_packages(output["python"], next_env)
    assert list((tools / "reviewbot").iterdir()) == [wheels]


@pytest.mark.slow
def test_a_runner_of_github_keeps_nothing(
    filled: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    hosted = env | offline(wheels_in(filled)) | {"RUNNER_ENVIRONMENT": "github-hosted"}
    code, log, output = install(hosted, tmp_path)
    assert code == 0, log
    import_packages(output["python"], env)
    assert not list((tmp_path / "tools").iterdir())


@pytest.mark.slow
def test_what_cannot_be_cleaned_up_fails_no_job(tmp_path: Path, next_env: dict[str, str]) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("find", "touch"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    code, log, output = install(next_env | {"PATH": f"{programs}:{next_env['PATH']}"}, tmp_path)
    assert code == 0, log
    assert Path(output["python"]).exists()


@pytest.mark.slow
def test_a_tool_cache_that_cannot_be_written_fails_no_job(
    filled: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    env |= offline(wheels_in(filled)) | {"RUNNER_TOOL_CACHE": str(tmp_path / "file")}
    code, log, output = install(env, tmp_path)
    assert (code, log) == (
        0,
        "The wheels could not be kept in the tool cache: Not a directory\n",
    )
    import_packages(output["python"], env)


@pytest.mark.slow
def test_a_source_distribution_is_never_built(tmp_path: Path, env: dict[str, str]) -> None:
    """A requirement without a wheel fails, even if the index has its source."""
    action = tmp_path / "action"
    shutil.copytree(ROOT / "requirements", action)
    name = "demo-1.0"
    (tmp_path / name).mkdir()
    (tmp_path / name / "setup.py").write_text(PLANTED)
    archive = shutil.make_archive(str(tmp_path / name), "gztar", tmp_path, name)
    digest = hashlib.sha256(Path(archive).read_bytes()).hexdigest()
    (action / "action.txt").write_text(f"demo==1.0 --hash=sha256:{digest}\n")
    found = {"PIP_FIND_LINKS": str(tmp_path), "UV_FIND_LINKS": str(tmp_path)}
    code, log, _ = install(env | found, tmp_path, action / "install-action.sh")
    assert code == 2
    assert "could not be fetched" in log
    hosted = env | found | {"RUNNER_ENVIRONMENT": "github-hosted"}
    code, log, _ = install(hosted, tmp_path, action / "install-action.sh")
    assert code == 2
    assert "could not be installed" in log
    assert not (tmp_path / "planted").exists()


# --- The check itself


def run(*arguments: object) -> str:
    """Run the script and return what it printed."""
    script = ROOT / "requirements" / "cached_wheels.py"
    command = [sys.executable, "-I", str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    return done.stdout


def lock(folder: Path, contents: Iterable[bytes]) -> Path:
    """Write a lock file with the hashes of these contents."""
    path = folder / "lock.txt"
    hashes = "".join(f" --hash=sha256:{hashlib.sha256(data).hexdigest()}" for data in contents)
    path.write_text(f"demo==1.0{hashes}\n")
    return path


def test_only_files_with_a_hash_of_the_lock_are_taken(tmp_path: Path) -> None:
    cache, wheels = tmp_path / "cache", tmp_path / "wheels"
    cache.mkdir()
    (cache / "good-1.0-py3-none-any.whl").write_bytes(b"good")
    (cache / "bad\n::error::-1.0-py3-none-any.whl").write_bytes(b"bad")
    (cache / "readme.txt").write_bytes(b"good")
    (cache / "folder.whl").mkdir()
    printed = run("take", cache, wheels, lock(tmp_path, [b"good"]))
    assert [path.name for path in wheels.iterdir()] == ["good-1.0-py3-none-any.whl"]
    assert printed.startswith("::warning title=reviewbot::2 of the wheels")
    assert printed.count("\n") == 1


def test_links_and_pipes_in_the_cache_are_not_opened(tmp_path: Path) -> None:
    cache, wheels = tmp_path / "cache", tmp_path / "wheels"
    cache.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"good")
    (cache / "link.whl").symlink_to(tmp_path / "elsewhere")
    (cache / "endless.whl").symlink_to("/dev/zero")
    os.mkfifo(cache / "pipe.whl")
    run("take", cache, wheels, lock(tmp_path, [b"good", b""]))
    assert not list(wheels.iterdir())


def test_wheels_are_not_kept_through_a_link(tmp_path: Path) -> None:
    cache, wheels, victim = tmp_path / "cache", tmp_path / "wheels", tmp_path / "victim"
    for folder in (cache, wheels, victim):
        folder.mkdir()
    (wheels / "good.whl").write_bytes(b"good")
    (victim / "file").write_bytes(b"mine")
    (cache / "good.whl").symlink_to(victim / "file")
    (tmp_path / "linked").symlink_to(victim)
    run("keep", cache, wheels)
    run("keep", tmp_path / "linked", wheels)
    run("keep", tmp_path / "linked" / "below", wheels)
    assert (victim / "file").read_bytes() == b"mine"
    assert [path.name for path in victim.iterdir()] == ["file"]
    assert not (cache / "good.whl").is_symlink()
    assert (cache / "good.whl").read_bytes() == b"good"


def test_a_later_change_of_the_cache_does_not_reach_the_copies(tmp_path: Path) -> None:
    cache, wheels = tmp_path / "cache", tmp_path / "wheels"
    cache.mkdir()
    (cache / "good.whl").write_bytes(b"good")
    run("take", cache, wheels, lock(tmp_path, [b"good"]))
    with (cache / "good.whl").open("r+b") as file:
        file.write(b"evil")
    assert (wheels / "good.whl").read_bytes() == b"good"
