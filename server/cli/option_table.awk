# A document with the options of `vgg serve` as a table between its two marks, from what --help says.
#
#   awk -v vgg=build/vgg -f server/cli/option_table.awk server/README.md

# "|" ends a cell of a table, also in code.
function cell(text) {
    gsub(/\|/, "\\|", text)
    return text
}

# The default is what stands in brackets at the end of the help.
function print_row(    meaning, preset) {
    meaning = help
    if (match(meaning, / \[[^][]*\]$/)) {
        preset = substr(meaning, RSTART + 2, RLENGTH - 3)
        meaning = substr(meaning, 1, RSTART - 1)
    }
    if (option != "" && option != "--help")
        print "| `" cell(option) "` | " cell(meaning) " | " cell(preset) " |"
}

# "  --flip on|off      help [on]": the help may go on in the next lines, and begin there.
function print_table(    call, line, reading) {
    print "| option | meaning | default |"
    print "|---|---|---|"
    call = vgg " serve --help"
    while ((call | getline line) > 0)
        if (line == "options:")
            reading = 1
        else if (line == "")
            reading = 0
        else if (reading && line ~ /^  --/) {
            print_row()
            option = help = substr(line, 3)
            sub(/  .*/, "", option)
            help = substr(help, length(option) + 1)
            sub(/^ +/, "", help)
        } else if (reading) {
            sub(/^ +/, "", line)
            help = help (help != "" ? " " : "") line
        }
    print_row()
    close(call)
}

/^<!-- options of vgg serve/ { print; print_table(); inside = found = 1 }
/^<!-- end of the options -->/ { inside = 0 }
!inside { print }
END { exit !found || inside }
