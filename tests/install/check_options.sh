#!/bin/sh
# The table of options in server/README.md is what the program says, and is noticed when it is not.
#
#   tests/install/check_options.sh VGG
set -u
vgg=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check NAME COMMAND...
check() {
    name=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        echo "ok   $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        cat "$work/output"
        failed=$((failed + 1))
    fi
}

# in_step DOCUMENT
in_step() {
    awk -v vgg="$vgg" -f server/cli/option_table.awk "$1" >"$work/written" &&
        diff -u "$1" "$work/written"
}

out_of_step() {
    ! in_step "$1"
}

check "the table is what --help says; else: make option-table" in_step server/README.md
# --help itself has none.
rows=$(sed -n '/^<!-- options of/,/^<!-- end of/p' server/README.md | grep -c '^| `--')
check "every option has a row" test "$("$vgg" serve --help | grep -c '^  --')" -eq $((rows + 1))
sed 's/| 16MiB |/| 17MiB |/' server/README.md >"$work/other_default"
check "another default is noticed" out_of_step "$work/other_default"
sed '/^<!-- end of the options/d' server/README.md >"$work/no_end"
check "a mark that is missing is noticed" out_of_step "$work/no_end"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
