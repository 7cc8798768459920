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

# What is kept there is whole: it comes by a rename, which is done or not.
home=$temp/reviewbot cache=$tools/reviewbot
mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || cache=$home
key=$("$python" -I -c 'import hashlib, sys
lock = open("action.txt", "rb").read()
print(hashlib.sha256(lock + f"{sys.version} {sys.executable}".encode()).hexdigest()[:16])') || fail 'Python does not run.'
env=$cache/env-$key

if ! fits "$env/$bin/python"; then
    if [ ! -x "$home/uv/bin/uv" ] && "$python" -m pip --version >/dev/null 2>&1; then
        PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check --no-deps \
            --only-binary :all: --require-hashes --target "$home/uv" -r uv.txt || fail 'uv could not be installed; the lines above say why.'
    fi
    PATH=$home/uv/bin:$PATH
    export UV_CACHE_DIR="$cache/downloads"
    new=$cache/new-$$
    PYTHON=$python sh ./install.sh "$new" action.txt ||
        fail 'the packages of reviewbot could not be installed; the lines above say why.'
    fits "$env/$bin/python" || rm -rf "$env" # else another job has made it meanwhile
    if [ -e "$env" ]; then rm -rf "$new"; else mv "$new" "$env" || env=$new; fi
fi
touch "$env" # those of versions that nobody uses any more go after a month
find "$cache" -maxdepth 1 \( -name 'env-*' -o -name 'new-*' \) -mtime +30 -exec rm -rf {} +
echo "python=$env/$bin/python" >>"$GITHUB_OUTPUT"
