#!/bin/bash
# clang-tidy on what compile_commands.json lists, by .clang-tidy, but not on the kernels, which are
# written for gcc; shellcheck on every script.
#
#   tests/lint/run.sh [shell]    shell: the scripts only
set -uo pipefail

passed=0 failed=0

# result STATUS NAME
result() {
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok   $2"
    else
        failed=$((failed + 1))
        echo "FAIL $2"
    fi
}

git ls-files -z '*.sh' '*.bash' .ci/run .github/hooks | xargs -0 shellcheck -x -P SCRIPTDIR
result $? shellcheck
if [ "${1:-}" != shell ]; then
    sed -n 's/^ *"file": "\(.*\)",$/\1/p' compile_commands.json | grep -v '^core/kernels/' | sort -u |
        xargs -P "$(nproc)" -n 8 clang-tidy --quiet -p . 2>&1 | sed '/^[0-9]* warnings* generated\.$/d'
    result $? clang-tidy
fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
