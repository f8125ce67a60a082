#!/bin/sh
# Makes a virtual environment and installs specstream with the extras named: python.sh VENV EXTRAS
set -eu
venv=$1
extras=$2
python=${PYTHON:-python3}

say() { printf '%s\n' "specstream: $*" >&2; }

if ! command -v "$python" >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing Python through apt"
        apt-get update -qq && apt-get install -y -qq python3 python3-venv >/dev/null
    else
        say "Python 3.11 or later is needed; install it: apt-get install python3 python3-venv"
        exit 2
    fi
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "Python 3.11 or later is needed, $("$python" --version) was found; name another one: make PYTHON=python3.12"
    exit 2
}
if [ ! -x "$venv/bin/python" ]; then
    if ! "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            say "installing python3-venv through apt"
            apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
        else
            say "the venv module is needed; install it: apt-get install python3-venv"
            exit 2
        fi
    fi
    say "making the virtual environment $venv"
    "$python" -m venv "$venv"
fi
# An environment that uv made has no pip.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
say "installing specstream[$extras]"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --constraint constraints.txt --editable ".[$extras]"
