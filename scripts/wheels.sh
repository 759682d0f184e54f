#!/bin/sh
# Builds wheels for boards and servers into dist/, linked by zig (a wheel of PyPI), and prints their sizes.
# Usage: scripts/wheels.sh [TARGET...]     default: all but armv7, whose state docs/edge.md tells
#   x86_64-gnu aarch64-gnu      glibc 2.28 or newer (manylinux_2_28)
#   x86_64-musl aarch64-musl    musl 1.2 or newer (musllinux_1_2)
#   armv7-gnu                   32 bits, glibc 2.28 or newer
# Needs .venv (make setup), and rustup where a target's standard library is not there yet.
set -eu
cd "$(dirname "$0")/.."
. scripts/rust.sh

fail() {
    echo "wheels: $1" >&2
    exit 3
}

build() {
    case $1 in
        x86_64-gnu | aarch64-gnu) triple=${1%-gnu}-unknown-linux-gnu tag=manylinux_2_28 ;;
        x86_64-musl | aarch64-musl) triple=${1%-musl}-unknown-linux-musl tag=musllinux_1_2 ;;
        armv7-gnu) triple=armv7-unknown-linux-gnueabihf tag=manylinux_2_28 ;;
        *) fail "$1 is none of the targets; see the head of $0" ;;
    esac
    [ -d "$(rustc --print sysroot)/lib/rustlib/$triple/lib" ] || rustup target add "$triple" ||
        fail "no standard library for $triple: install it with: rustup target add $triple"
    PATH=$PWD/.venv/bin:$PATH .venv/bin/maturin build --release --target "$triple" --zig \
        --compatibility "$tag" --out dist
    check "$(ls -t dist/*-"$tag"_"${triple%%-*}"*.whl | head -n 1)"
}

# maturin checks a wheel's tag against the symbols of glibc; here, that one for musl needs none of them.
check() {
    .venv/bin/python - "$1" <<'END'
import sys, zipfile

wheel = zipfile.ZipFile(sys.argv[1])
[core] = [name for name in wheel.namelist() if name.endswith("/lib_core.so")]
if ("musllinux" in sys.argv[1]) == (b"GLIBC_2." in wheel.read(core)):
    sys.exit(f"wheels: {sys.argv[1]} is linked against another C library than its name says")
END
}

[ -x .venv/bin/maturin ] || fail "there is no .venv: run make setup"
.venv/bin/pip install --quiet --disable-pip-version-check "ziglang>=0.13,<0.18"
[ $# -gt 0 ] || set -- x86_64-gnu aarch64-gnu x86_64-musl aarch64-musl
for wanted in "$@"; do build "$wanted"; done
cd dist && wc -c jamliquor-*.whl
