#!/bin/sh
# Fuzzes the native core guided by coverage: scripts/fuzz_native.sh SECONDS [TARGET ...]
# Stable Rust is enough: the flags below are what libFuzzer needs, without a sanitizer.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- machine trie signatures
folder=$PWD/.cache/fuzz/native
host=$(rustc -vV | sed -n 's/^host: //p')

RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"
export RUSTFLAGS
# With a target named, the flags do not reach build scripts, which could not be linked with them.
cargo build --quiet --release --locked --manifest-path native/fuzz/Cargo.toml --target "$host"

for target in "$@"; do
    mkdir -p "$folder/$target"
    "native/fuzz/target/$host/release/$target" "$folder/$target" -max_total_time="$seconds" \
        -max_len=2048 -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$folder/finding-$target-" >"$folder/$target.log" 2>&1 ||
        { echo "$target: a finding, see $folder/$target.log" >&2; exit 1; }
    printf '%s: ' "$target"
    sed -n 's/.*\(cov: [0-9]*\) ft.*/\1/p; s/^\(Done .*\)/\1/p' "$folder/$target.log" | tail -n 2 | paste -sd' '
done
