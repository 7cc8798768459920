#!/bin/sh
# Prepares the environment of the GitHub Action, and writes the path of its interpreter to GITHUB_OUTPUT.
#
#   sh requirements/install-action.sh      in a runner: it needs RUNNER_TEMP and GITHUB_OUTPUT
#
# uv is installed by its hash from uv.txt, and the packages by theirs from action.txt. Only wheels are installed:
# a source distribution would run build requirements that no lock has. reviewbot itself runs from the files of the
# action. Each run makes a new environment, in a private folder in RUNNER_TEMP.
#
# A self-hosted runner keeps its tool cache, where an earlier job may have written. Therefore the cache holds
# wheels only, and cached_wheels.py copies a wheel from it only if its content has a hash of the locks. A
# GitHub-hosted runner has no such cache. actions/cache is not used: other workflows of a repository can write there.
# The interpreter and its pip belong to the runner; nothing here can check them.
set -eu
: "${RUNNER_TEMP:?is not set: this script is for a GitHub Actions runner}"
: "${GITHUB_OUTPUT:?is not set: this script is for a GitHub Actions runner}"
cd "$(dirname "$0")" # never among the files of a pull request: Python and uv read some from where they start
unset PYTHONPATH PYTHONHOME
# A job may have set these for its own packages. The address of an index is for the job to choose.
unset PIP_REQUIRE_VIRTUALENV PIP_USER PIP_PREFIX PIP_TARGET PIP_ROOT UV_EXCLUDE_NEWER UV_TARGET UV_PREFIX UV_NO_VERIFY_HASHES

temp=$RUNNER_TEMP tools=${RUNNER_TOOL_CACHE:-} bin=bin
case $(uname -s) in
    MINGW* | MSYS* | CYGWIN*) temp=$(cygpath -u "$temp") tools=${tools:+$(cygpath -u "$tools")} bin=Scripts ;;
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

work=$(mktemp -d "$temp/reviewbot-XXXXXXXX") # only this user can read it
wheels=$work/wheels
export UV_CACHE_DIR="$work/uv-cache" PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1

pip=$python
if ! "$pip" -I -m pip --version >/dev/null 2>&1; then
    pip=
    if ! uv --version >/dev/null 2>&1; then
        "$python" -I -m venv "$work/pip" || fail 'Python has neither pip nor venv, and there is no uv; the lines above say more.'
        pip=$work/pip/$bin/python
    fi
fi

# install [OPTION...]: the options say where wheels come from.
install() {
    if [ -n "$pip" ]; then
        "$pip" -I -m pip install --quiet --no-deps --only-binary :all: --require-hashes --upgrade "$@" \
            --target "$work/uv" -r uv.txt || return
        PATH=$work/uv/bin:$PATH
    fi
    uv venv --quiet --clear --python "$python" "$work/env" &&
        uv pip install --quiet --python "$work/env/$bin/python" --only-binary :all: --require-hashes "$@" -r action.txt
}

install_from_wheels() { install --no-index --find-links "$wheels"; }

cache=
if [ "${RUNNER_ENVIRONMENT:-}" != github-hosted ] && [ -n "$tools" ] && [ -n "$pip" ]; then
    key=$("$python" -I -c 'import hashlib
print(hashlib.sha256(b"".join(open(name, "rb").read() for name in ("uv.txt", "action.txt"))).hexdigest()[:16])') ||
        fail 'Python does not run.'
    cache=$tools/reviewbot/wheels-$key
fi

if [ -z "$cache" ]; then
    install || fail 'the packages of reviewbot could not be installed; the lines above say why.'
else
    "$python" -I cached_wheels.py take "$cache" "$wheels" uv.txt action.txt
    if ! install_from_wheels >/dev/null 2>&1; then
        # pip keeps a wheel that is there if its hash is right, and fetches the others.
        "$pip" -I -m pip download --quiet --no-deps --only-binary :all: --require-hashes --dest "$wheels" \
            -r uv.txt -r action.txt || fail 'the packages of reviewbot could not be fetched; the lines above say why.'
        install_from_wheels || fail 'the packages of reviewbot could not be installed; the lines above say why.'
        "$python" -I cached_wheels.py keep "$cache" "$wheels"
    fi
    # Remove what no job has used for a month, and what earlier versions kept. A failure does not matter.
    touch "$cache" 2>/dev/null || :
    find "$tools/reviewbot" -maxdepth 1 \( -name 'wheels-*' -o -name 'env-*' -o -name 'new-*' -o -name downloads \) \
        -mtime +30 -exec rm -rf {} + 2>/dev/null || :
fi
echo "python=$work/env/$bin/python" >>"$GITHUB_OUTPUT"
