"""Write the software bill of materials of a wheel: make_sbom.py WHEEL FILE.

It runs at the top of a checkout. The wheel and the packages that requirements/server.txt locks are
installed into a new environment. cyclonedx-py, from requirements/release.txt, lists them in
CycloneDX with licences and dependencies, and checks the list against the schema. Packages for other
systems and Pythons than those of this machine are not in it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path("requirements/server.txt")


def install(environment: Path, *arguments: str) -> Path:
    """Make an environment by requirements/install.sh and return the folder of its programs."""
    script = ["sh", "requirements/install.sh", str(environment), *arguments]
    # uv, which is installed beside this Python, makes an environment without pip.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(script, check=True, stdout=sys.stderr, env={**os.environ, "PATH": path})
    return environment / ("Scripts" if sys.platform == "win32" else "bin")


def write_project(folder: Path, version: str) -> Path:
    """Write pyproject.toml with the version, which cyclonedx-py cannot find elsewhere."""
    text = Path("pyproject.toml").read_text("utf-8")
    path = folder / "pyproject.toml"
    path.write_text(text.replace('dynamic = ["version"]', f'version = "{version}"'), "utf-8")
    return path


def normalized(name: str) -> str:
    """Return the name of a package as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def problems(bill: dict[str, object], wheel: Path) -> list[str]:
    """Return what the bill lacks, or has beyond the wheel and the lock."""
    name, version = wheel.name.split("-")[:2]
    root = bill["metadata"]["component"]  # type: ignore[index]
    faults = []
    if (root["name"], root.get("version")) != (name, version):
        faults.append(f"it is about {root['name']} {root.get('version')}, not {name} {version}")
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK.read_text("utf-8"), re.MULTILINE))
    listed = {normalized(part["name"]): part["version"] for part in bill["components"]}  # type: ignore[attr-defined]
    faults += [
        f"{package} {version} is not in {LOCK}"
        for package, version in listed.items()
        if locked.get(package) != version
    ]
    required = re.findall(r"^([\w.-]+)==\S+ \\$", LOCK.read_text("utf-8"), re.MULTILINE)
    faults += [f"{package} is missing" for package in required if package not in listed]
    return faults


def main() -> None:
    """Write the bill and check it."""
    wheel, target = Path(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        programs = install(Path(folder) / "tool", "requirements/release.txt")
        python = install(Path(folder) / "server", str(LOCK), str(wheel)) / "python"
        project = write_project(Path(folder), wheel.name.split("-")[1])
        options = ["--pyproject", str(project), "--mc-type", "application"]
        written = ["--output-format", "JSON", "--spec-version", "1.6", "--output-reproducible"]
        command = [str(programs / "cyclonedx-py"), "environment", "--validate", *options, *written]
        subprocess.run([*command, "--output-file", str(target), str(python)], check=True)
    bill = json.loads(target.read_text("utf-8"))
    if faults := problems(bill, wheel):
        sys.exit("\n".join(f"{target.name}: {fault}" for fault in faults))
    print(f"{target.name}: CycloneDX {bill['specVersion']}, {len(bill['components'])} components")


if __name__ == "__main__":
    main()
