"""Archive the sources that deploy/sources.toml names: fetch_sources.py TABLE FOLDER.

Each archive is made from the pinned commit, so git checks its content. An archive that GitHub makes
has no such promise: its bytes may change.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path


def git(folder: str, *arguments: str) -> None:
    """Run git in a repository."""
    subprocess.run(["git", "-C", folder, *arguments], check=True)


def archive(source: dict[str, str], target: Path) -> Path:
    """Fetch one commit, write its archive into a folder and return the path."""
    name = f"{source['name']}-{source['version']}"
    if not re.fullmatch(r"[0-9a-f]{40}", source["commit"]):
        sys.exit(f"{name}: {source['commit']} is not the full SHA of a commit")
    path = target / f"{name}-source.tar.gz"
    with tempfile.TemporaryDirectory() as folder:
        git(folder, "init", "--quiet", "--bare")
        git(folder, "fetch", "--quiet", "--depth=1", source["repository"], source["commit"])
        options = ["--format=tar.gz", f"--prefix={name}/", f"--output={path}"]
        git(folder, "archive", *options, source["commit"])
    return path


def main() -> None:
    """Archive every source of the table."""
    table, target = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
    target.mkdir(parents=True, exist_ok=True)
    for source in tomllib.loads(table.read_text("utf-8"))["source"]:
        path = archive(source, target)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
