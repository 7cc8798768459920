"""Checks that a wheel holds the tracked files of the package: check_wheel.py WHEEL."""

import subprocess
import sys
import zipfile

tracked = subprocess.run(
    ["git", "ls-files", "-z", "reviewbot"], check=True, capture_output=True, text=True
).stdout.split("\0")
expected = {name for name in tracked if name}
with zipfile.ZipFile(sys.argv[1]) as wheel:
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
missing, foreign = sorted(expected - packed), sorted(packed - expected)
if missing or foreign:
    sys.exit(f"the wheel lacks {missing} and has {foreign} that git does not track")
print(f"{sys.argv[1].rpartition('/')[2]} holds all {len(packed)} files of the package")
