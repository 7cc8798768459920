#!/bin/sh
# Prepares what the GitHub Action runs with, and tells the next step which interpreter that is.
#
#   sh requirements/install-action.sh      in a runner: it needs RUNNER_TEMP and GITHUB_OUTPUT
#
# uv comes by its hash from uv.txt, the packages come by theirs from action.txt; reviewbot itself runs from
# the action's own files. The environment is kept in RUNNER_TOOL_CACHE, by the lock file and the interpreter
# that it was made of: a self-hosted runner has it from the job before, a hosted one starts without. Where
# nothing can be written there, it is in RUNNER_TEMP, which the runner empties before and after a job. It is
# not kept by actions/cache: other workflows of a repository can write there, and what is restored would run
# beside a key and a token that can write.
set -eu
: "${RUNNER_TEMP:?is not set: this script is for a GitHub Actions runner}"
: "${GITHUB_OUTPUT:?is not set: this script is for a GitHub Actions runner}"
cd "$(dirname "$0")" # never among the files of a pull request: Python and uv read some from where they start
unset PYTHONPATH PYTHONHOME
# A job may have set these for its own packages. Where an index is, is for it to say.
unset PIP_REQUIRE_VIRTUALENV PIP_USER PIP_PREFIX PIP_TARGET PIP_ROOT UV_EXCLUDE_NEWER UV_TARGET UV_PREFIX

temp=$RUNNER_TEMP tools=${RUNNER_TOOL_CACHE:-$RUNNER_TEMP} bin=bin
case $(uname -s) in
    MINGW* | MSYS* | CYGWIN*) temp=$(cygpath -u "$temp") tools=$(cygpath -u "$tools") bin=Scripts ;;
esac

fail() {
    echo "::error title=reviewbot::$1"
    exit 2
}

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    # 3.14 comes last, as in install.sh. Hosted runners have others in their tool cache, not on the PATH.
    for name in python3.13 python3.12 python3.11 \
        "$tools"/Python/3.13.*/*/bin/python "$tools"/Python/3.12.*/*/bin/python \
        "$tools"/Python/3.11.*/*/bin/python \
        python3 python; do
        if fits "$name"; then echo "$name" && return; fi
    done
    return 1
}

if ! python=$(find_python); then
    has=$(python3 --version 2>/dev/null || echo 'no Python')
    fail "reviewbot needs Python 3.11 or newer, and this runner has $has. Add a step before reviewbot that installs one: uses: actions/setup-python, with python-version: \"3.13\""
fi

# An environment is whole if it has the packages of the lock. To import them all would take a second.
whole() {
    "$1" -I -c 'import re, sys
from importlib.metadata import version
for name, pin in re.findall(r"^(\S+)==(\S+) \\$", open("action.txt").read(), re.M):  # those for every machine
    if version(name) != pin:
        sys.exit(1)
import ijson, pydantic_core, regex, yaml' >/dev/null 2>&1
}

home=$temp/reviewbot cache=$tools/reviewbot
mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || cache=$home
key=$("$python" -I -c 'import hashlib, sys
lock = open("action.txt", "rb").read()
print(hashlib.sha256(lock + f"{sys.version} {sys.executable}".encode()).hexdigest()[:16])') || fail 'Python does not run.'
env=$cache/env-$key

if ! whole "$env/$bin/python"; then
    if [ ! -x "$home/uv/bin/uv" ] && "$python" -m pip --version >/dev/null 2>&1; then
        PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check --no-deps \
            --only-binary :all: --require-hashes --target "$home/uv" -r uv.txt || fail 'uv could not be installed; the lines above say why.'
    fi
    PATH=$home/uv/bin:$PATH
    export UV_CACHE_DIR="$cache/downloads"
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/new-XXXXXXXX") # other jobs may be at it, in containers with the same numbers
    trap 'rm -rf "$new"' EXIT
    PYTHON=$python sh ./install.sh "$new" action.txt ||
        fail 'the packages of reviewbot could not be installed; the lines above say why.'
    if [ -e "$env" ] && ! whole "$env/$bin/python"; then
        mv "$env" "$new-old" 2>/dev/null && rm -rf "$new-old" || :
    fi
    # By a rename, which is done or not; where another job has done it, that one's is as good.
    if [ -e "$env" ] || ! mv "$new" "$env" 2>/dev/null; then
        whole "$env/$bin/python" || { env=$new && trap - EXIT; }
    fi
fi
echo "python=$env/$bin/python" >>"$GITHUB_OUTPUT"

# Those that nobody has used for a month go. It does not matter if they cannot.
touch "$env" 2>/dev/null || :
find "$cache" -maxdepth 1 \( -name 'env-*' -o -name 'new-*' \) -mtime +30 -exec rm -rf {} + 2>/dev/null || :
