#!/bin/bash
# The pre-commit hook, in a repository of its own.
set -u
cd "$(dirname "$0")/../.." || exit 2

command -v git >/dev/null || { echo "SKIPPED: no git here"; exit 0; }
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
ugly='int  f( void ){return 1;}'
neat=$'int f(void)\n{\n    return 1;\n}'
export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
unset GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE

# check NAME COMMAND...: in a new repository, with the hook.
check() {
    rm -rf "$work/tree"
    git init -q "$work/tree" && cd "$work/tree" && cp "$root/.clang-format" . &&
        git config core.hooksPath "$root/.github/hooks"
    if "${@:2}" >"$work/output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1"
        cat "$work/output"
    fi
}

# holds REVISION:PATH TEXT
holds() {
    [ "$(git show "$1")" = "$2" ]
}

# Commit neat.c and, with other changes, a name with a space.
commit_first() {
    echo "$neat" >neat.c
    echo "$neat" >'two words.h'
    git add . && git commit -qm first
}

first_commit() {
    echo "$ugly" >a.c
    echo "$ugly" >a.txt
    git add . && git commit -qm first && holds HEAD:a.c "$neat" && holds HEAD:a.txt "$ugly" &&
        [ "$(cat a.c)" = "$neat" ] && [ -z "$(git status --porcelain)" ]
}

later_commit() {
    commit_first && echo "$ugly" >'two words.h' && git commit -qam second --allow-empty &&
        holds 'HEAD:two words.h' "$neat" && [ -z "$(git status --porcelain)" ]
}

partly_staged() {
    commit_first && echo "$ugly" >neat.c && git add neat.c && echo "$ugly/*more*/" >neat.c &&
        echo "$ugly" >'two words.h' && git commit -qm second --allow-empty &&
        holds HEAD:neat.c "$neat" && [ "$(cat neat.c)" = "$ugly/*more*/" ] &&
        holds 'HEAD:two words.h' "$neat" && [ "$(cat 'two words.h')" = "$ugly" ]
}

# Git forgets what a hook stages then, so the hook refuses.
one_file_of_several() {
    commit_first && echo "$ugly" >neat.c && ! git commit -qm second neat.c 2>said &&
        grep 'neat.c is not formatted' said && [ "$(cat neat.c)" = "$ugly" ] &&
        [ "$(git rev-list --count HEAD)" -eq 1 ] && echo "${neat/1/2}" >neat.c &&
        git commit -qm second neat.c && holds HEAD:neat.c "${neat/1/2}"
}

others_stay() {
    ln -s 'int  f' link.c && git add . && git commit -qm first && [ "$(readlink link.c)" = 'int  f' ] &&
        commit_first && git rm -q neat.c && git commit -qm second && ! git show HEAD:neat.c
}

check "the first commit is formatted, but C only" first_commit
check "so is a later one" later_commit
check "what is not staged stays as it is" partly_staged
check "a file by name is refused where it is not formatted" one_file_of_several
check "links and removed files stay as they are" others_stay
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
