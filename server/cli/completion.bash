# Completion of vgg's commands, options and values in bash. It asks the program itself, so that it
# is never out of step: `vgg --help` lists the commands, `vgg COMMAND --help` the options.

# The word after an option in the help of a command: "on|off", "FILE", nothing for a flag.
_vgg_value() {
    "$1" "$2" --help 2>/dev/null | sed -n "s/^  $3 \([^ ]\{1,\}\).*/\1/p"
}

_vgg() {
    local program=$1 word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words value
    local command=${COMP_WORDS[1]}

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$word")
        return
    fi
    if [[ $word == -* ]]; then
        words=$("$program" "$command" --help 2>/dev/null | sed -n 's/^  \(--[a-z0-9-]*\).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words --version" -- "$word")
        return
    fi
    [[ $before == -o ]] && before=--output
    [[ $before == --* ]] && value=$(_vgg_value "$program" "$command" "$before")
    case $value in
    *'|'*) mapfile -t COMPREPLY < <(compgen -W "${value//|/ }" -- "$word") ;;
    '' | FILE | DIR*) # nothing: files and directories, by bash itself (-o default)
        ;;
    *) compopt +o default 2>/dev/null ;;
    esac
}

complete -o default -F _vgg vgg
