#!/bin/sh
# Prepares what the GitHub Action runs with, and tells the next step which interpreter that is.
#
#   sh requirements/install-action.sh      in a runner: it needs RUNNER_TEMP and GITHUB_OUTPUT
#
# uv comes by its hash from uv.txt, the packages come by theirs from action.txt; reviewbot itself runs from
# the action's own files. All of it lies in RUNNER_TEMP, which the runner empties before and after a job.
# Only downloads are kept, in RUNNER_TOOL_CACHE: a hosted runner starts with none, a self-hosted one has
# them from the job before. They are not kept by actions/cache: other workflows of a repository can write
# there, and what is restored would run beside a key and a token that can write.
set -eu
: "${RUNNER_TEMP:?is not set: this script is for a GitHub Actions runner}"
: "${GITHUB_OUTPUT:?is not set: this script is for a GitHub Actions runner}"
cd "$(dirname "$0")" # never among the files of a pull request: Python and uv read some from where they start
unset PYTHONPATH PYTHONHOME
# A job may have set these for its own packages. Where an index is, is for it to say.
unset PIP_REQUIRE_VIRTUALENV PIP_USER PIP_PREFIX PIP_TARGET PIP_ROOT UV_EXCLUDE_NEWER UV_TARGET UV_PREFIX

temp=$RUNNER_TEMP bin=bin
case $(uname -s) in
    MINGW* | MSYS* | CYGWIN*) temp=$(cygpath -u "$RUNNER_TEMP") bin=Scripts ;;
esac

fail() {
    echo "::error title=reviewbot::$1"
    exit 2
}

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    # 3.14 comes last, as in install.sh. Hosted runners have others in their tool cache, not on the PATH.
    tools=${RUNNER_TOOL_CACHE:-$temp}/Python
    for name in python3.13 python3.12 python3.11 \
        "$tools"/3.13.*/*/bin/python "$tools"/3.12.*/*/bin/python "$tools"/3.11.*/*/bin/python \
        python3 python; do
        if fits "$name"; then echo "$name" && return; fi
    done
    return 1
}

if ! python=$(find_python); then
    has=$(python3 --version 2>/dev/null || echo 'no Python')
    fail "reviewbot needs Python 3.11 or newer, and this runner has $has. Add a step before reviewbot that installs one: uses: actions/setup-python, with python-version: \"3.13\""
fi

home=$temp/reviewbot
if [ ! -x "$home/uv/bin/uv" ] && "$python" -m pip --version >/dev/null 2>&1; then
    PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --require-hashes --target "$home/uv" -r uv.txt || fail 'uv could not be installed; the lines above say why.'
fi
PATH=$home/uv/bin:$PATH
export UV_CACHE_DIR="${RUNNER_TOOL_CACHE:-$temp}/reviewbot/downloads"
PYTHON=$python sh ./install.sh "$home/env" action.txt ||
    fail 'the packages of reviewbot could not be installed; the lines above say why.'
echo "python=$home/env/$bin/python" >>"$GITHUB_OUTPUT"
