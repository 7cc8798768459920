"""Check that a tag can be released: check_release.py TAG, at the top of a checkout.

The tag must be the version of the package, the changelog must have a dated section for it, and
each image that deploy/ names must be pinned by digest (``.ci/pin_images.sh``).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def problems(tag: str, root: Path) -> list[str]:
    """Return what prevents the release of ``tag``."""
    found = []
    package = (root / "reviewbot" / "__init__.py").read_text("utf-8")
    version = re.search(r'^__version__ = "(.+)"$', package, re.MULTILINE)
    if not version or tag != f"v{version[1]}":
        found.append(f"the tag is {tag}, and the package has {version and version[0]}")
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    heading = rf"^## {re.escape(tag.removeprefix('v'))} - \d{{4}}-\d\d-\d\d$"
    if not re.search(heading, changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md has no line '## {tag.removeprefix('v')} - YYYY-MM-DD'")
    for name in ("Dockerfile", "compose.yaml"):
        text = (root / "deploy" / name).read_text("utf-8")
        images = re.findall(r"^(?:FROM|\s+image:) (\S+)", text, re.MULTILINE)
        found += [
            f"deploy/{name}: {image} has no digest; run .ci/pin_images.sh"
            for image in images
            if not re.search(r"@sha256:[0-9a-f]{64}$", image)
        ]
    return found


def main() -> int:
    """Check the tag that the command line names."""
    found = problems(sys.argv[1], Path.cwd())
    for one in found:
        print(f"release: {one}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
