#!/bin/sh
# TensorRT's Python bindings, one folder per major version, for the tests of what is called of it: tensorrt.sh VENV
# Its libraries come from the vendor's index alone; the tests put empty ones in their place, which takes a C compiler.
set -eu
venv=$1

say() { printf '%s\n' "specstream: $*" >&2; }

if ! command -v cc >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing a C compiler through apt"
        apt-get update -qq && apt-get install -y -qq gcc libc6-dev >/dev/null
    else
        say "a C compiler is needed; install it: apt-get install gcc libc6-dev"
        exit 2
    fi
fi
bindings() {
    if [ ! -d "$venv/share/tensorrt/$1/tensorrt_bindings" ]; then
        "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --target "$venv/share/tensorrt/$1" "$2"
    fi
}
if "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then
    bindings 10 tensorrt-cu12-bindings==10.8.0.43 # the first that serves; it knows no later Python
fi
bindings 11 tensorrt-cu13-bindings==11.4.0.106
