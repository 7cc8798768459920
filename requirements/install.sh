#!/bin/sh
# Makes a virtual environment and installs one locked requirements file, and then our own project, into it.
#
#   sh requirements/install.sh VENV LOCK [PROJECT...]
#
# PROJECT is what pip would be given ("-e ." or a wheel); it is installed without dependencies, since the
# lock holds them, and without build isolation, since the lock holds hatchling too. uv does the work where
# it is installed, else venv and pip do. PYTHON=... chooses the interpreter of a new environment.
set -eu
venv=$1 lock=$2
shift 2
case $(uname -s) in
    MINGW* | MSYS* | CYGWIN*) bin=$venv/Scripts ;;
    *) bin=$venv/bin ;;
esac

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
have_uv() { uv --version >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" && echo "$PYTHON"
        return
    fi
    # 3.14 comes late: the secret engine has no wheel for it yet, so a shorter list of our own would be used.
    for name in python3.13 python3.12 python3.11 python3 python3.14 python; do
        if fits "$name"; then echo "$name" && return; fi
    done
    return 1
}

if ! fits "$bin/python"; then
    if python=$(find_python); then
        echo "Making $venv with $("$python" --version)"
        if have_uv; then uv venv --quiet --clear --python "$python" "$venv"; else "$python" -m venv --clear "$venv"; fi
    elif [ -z "${PYTHON:-}" ] && have_uv; then
        uv venv --quiet --clear --python 3.13 "$venv" # uv fetches an interpreter of its own
    else
        echo "reviewbot needs Python 3.11 or newer, and ${PYTHON:-python3} is not." >&2
        echo "Install one, or name one: PYTHON=/path/to/python3.13 make ..." >&2
        exit 1
    fi
fi

echo "Installing $lock"
if have_uv; then
    uv pip install --quiet --python "$bin/python" --require-hashes -r "$lock"
    [ $# -eq 0 ] || uv pip install --quiet --python "$bin/python" --no-deps --no-build-isolation --reinstall "$@"
else
    "$bin/python" -m pip --version >/dev/null 2>&1 || "$bin/python" -m ensurepip >/dev/null
    "$bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
    [ $# -eq 0 ] || "$bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation "$@"
fi
