#!/usr/bin/env bash
# Runs every fuzz target with libFuzzer for FUZZ_SECONDS (default 60) each; a finding fails the run.
# FUZZ_ONLY=name runs the targets whose name holds it; FUZZ_DIR is where they are built.
set -eu
cd "$(dirname "$0")/.."
dir=${FUZZ_DIR:-build-fuzz} seconds=${FUZZ_SECONDS:-60}
if [ ! -f $dir/build.ninja ]; then
    CC=clang CXX=clang++ meson setup $dir -Dfuzz=true --buildtype=debugoptimized \
        -Db_sanitize=address,undefined -Db_lundef=false
fi
targets=$(ninja -C $dir -t targets all | sed -n 's/^\(.*\/fuzz_[a-z0-9_]*\): .*/\1/p' |
    grep -v '\.p/' | grep "${FUZZ_ONLY:-}" | sort)
# shellcheck disable=SC2086
ninja -C $dir -j2 $targets
failed=0 n=0
for t in $targets; do
    name=${t##*/fuzz_}
    corpus=$(find fuzz src runtimes blueprints -type d -path "*corpus/$name" | head -1)
    [ -n "$corpus" ] || corpus=$(find "$(dirname "$t")" -maxdepth 1 -type d -name corpus 2>/dev/null | head -1)
    found=$(mktemp -d)
    n=$((n + 1))
    echo "== $name for $seconds s"
    # New inputs go to a folder of their own: the committed corpus is changed by hand only.
    if ! $dir/"$t" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$found/" "$found" ${corpus:+"$corpus"} 2> "$found.log"; then
        failed=$((failed + 1))
        tail -30 "$found.log"
        echo "FOUND: $name, see $found"
    else
        grep -E 'stat::number_of_executed_units' "$found.log" || true
        rm -rf "$found" "$found.log"
    fi
done
echo "$((n - failed)) passed, $failed failed"
[ "$failed" = 0 ]
