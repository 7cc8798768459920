"""Start child processes that run our own code on untrusted text. Not pure.

A child has a session of its own, no standard error, and no environment variables except those that
load libraries. Its code sets its limits (:mod:`reviewbot.models.sandbox`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Final

_PATHS: Final = "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
_ENVIRONMENT: Final = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""The variables that a process may need to load libraries; it gets no others."""


def start_child(code: str) -> subprocess.Popen[bytes]:
    """Start an interpreter that runs ``code`` with the modules of this one.

    It does not import ``site``, since the search path of this process is complete.

    Args:
        code: lines of Python. They can use ``json`` and ``sys``. Standard input and output are
            pipes.

    Raises:
        OSError: the interpreter does not start.
    """
    paths = json.dumps([*map(os.path.abspath, sys.path)])
    return subprocess.Popen(  # noqa: S603 - our own code, by our own interpreter
        [sys.executable, "-I", "-S", "-c", _PATHS + code, paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,  # Ctrl-C is for the parent, which ends this process
    )
