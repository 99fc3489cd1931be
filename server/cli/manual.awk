# The manual page from its template and from what the program's --help says.
#
#   awk -v vgg=build/vgg -f server/cli/manual.awk server/cli/vgg.1

# Text in mdoc: no line may look like a request, and a minus is not a hyphen.
function text(line) {
    gsub(/\\/, "\\e", line)
    gsub(/-/, "\\-", line)
    return (line ~ /^[.']/ ? "\\\&" : "") line
}

# "  --flip on|off      help [on]": the name, its value, the help, which may be on the next lines.
function print_option(line,    head, value) {
    sub(/^ +--/, "", line)
    head = line
    sub(/  .*/, "", head)
    value = index(head, " ") ? substr(head, index(head, " ") + 1) : ""
    sub(/ .*/, "", head)
    printf ".It Fl \\-%s%s\n", text(head), value != "" ? " Ar " text(value) : ""
    sub(/^[^ ]+( [^ ]+)?/, "", line)
    sub(/^ +/, "", line)
    if (line != "")
        print text(line)
}

function print_command(name,    call, line, part) {
    call = vgg " " name " --help"
    part = "usage"
    while ((call | getline line) > 0) {
        if (part == "usage" && line ~ /^usage: /) {
            print ".Ss " text(substr(line, 8))
            part = "summary"
        } else if (line == "options:") {
            print ".Bl -tag -width Ds"
            part = "options"
        } else if (part == "options" && line ~ /^  --/)
            print_option(line)
        else if (part == "options" && line == "") {
            print ".El"
            part = "footer"
        } else if (part == "footer" && line ~ /^Every option is also/)
            continue # has a section of its own
        else if (line != "")
            print text(substr(line, match(line, /[^ ]/)))
    }
    close(call)
}

function print_commands(    call, line, names, n, i) {
    call = vgg " --help"
    while ((call | getline line) > 0)
        if (line ~ /^  [a-z]+ /) {
            sub(/^ +/, "", line)
            sub(/ .*/, "", line)
            names[++n] = line
        }
    close(call)
    for (i = 1; i <= n; i++)
        print_command(names[i])
}

/^\.\\" COMMANDS AND OPTIONS/ { print_commands(); next }
{ print }
