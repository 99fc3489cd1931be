#!/usr/bin/python3
"""What the documents name exists: readme_paths.py [ROOT]

Of every Markdown file: targets of links, with the headings that they point at, and paths in backquotes.
A path with a slash is looked for beside its document, from the root and from the document's parent (as
in #include), a bare file name in the whole tree. Placeholders (CLASS, ..., *, <name>) and what is built
are no paths. README.md has at most 160 lines. First this script is tried on documents that are wrong.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

LINES_MAX = 160
ENDING = re.compile(r"\.(c|h|S|md|py|sh|mjs|js|json|ya?ml|mk|awk|service|bash)$")
TOP = ("server/", "core/", "include/", "tests/", "docker/", ".github/", ".ci/")
PLACEHOLDER = re.compile(r"[*<>$]|\.\.\.|CLASS|NAME|FILE|^build/|^/|:|\b(photos?|example)\b")
LINK = re.compile(r"\]\(([^()\s]+)\)|\bsrc=\"([^\"]+)\"")
QUOTED = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^(```[\s\S]*?^```|(?:    .*\n)+)", re.M)


def anchors(text):
    """Of headings, as GitHub makes them."""
    for title in re.findall(r"^#+ +(.*)$", BLOCK.sub("", text), re.M):
        yield re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def check_link(root, document, target):
    if re.match(r"[a-z]+:", target):
        return
    path, _, anchor = target.partition("#")
    file = document.parent / path if path else document
    if not file.exists():
        yield f"link to {target}"
    elif anchor and anchor not in anchors(file.read_text()):
        yield f"link to {target}: no such heading"


def check_quoted(root, document, names, word):
    if PLACEHOLDER.search(word) or not re.fullmatch(r"[\w./+-]+", word):
        return
    if "/" in word:
        places = root, document.parent, document.parent.parent  # the last as in #include
        if (ENDING.search(word) or word.startswith(TOP)) and \
                not any((place / word).exists() for place in places):
            yield word
    elif ENDING.search(word) and word not in names:
        yield word


def check(root, files):
    names = {pathlib.PurePath(file).name for file in files}
    for file in files:
        if not file.endswith(".md"):
            continue
        document, text = root / file, (root / file).read_text()
        prose = BLOCK.sub("", text)
        if file == "README.md" and text.count("\n") > LINES_MAX:
            yield f"{file}: more than {LINES_MAX} lines"
        for link in LINK.finditer(prose):
            yield from (f"{file}: {what}" for what in check_link(root, document, link[1] or link[2]))
        for word in QUOTED.findall(prose):
            yield from (f"{file}: {what}" for what in check_quoted(root, document, names, word))


def check_itself():
    good = "[a](b.md#what-it-is) `core/b.c` `b.c` `photos/CLASS` `build/vgg` <https://x.y/z>\n# What it is\n"
    bad = {"[a](c.md)": 1, '<img src="c.png">': 1, "[a](b.md#that)": 1, "`core/c.c`": 1, "`c.c`": 1, "`core/rooms`": 1,
           "x\n" * (LINES_MAX + 1): 1, good: 0}
    for text, count in bad.items():
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            (root / "core").mkdir()
            (root / "core/b.c").touch()
            (root / "b.md").write_text("# What it is\n")
            (root / "README.md").write_text(text)
            found = list(check(root, ["README.md", "b.md", "core/b.c"]))
            if len(found) != count:
                sys.exit(f"readme_paths: {text[:40]!r} gives {found}")


def main(root):
    check_itself()
    files = subprocess.run(["git", "ls-files"], cwd=root, stdout=subprocess.PIPE, text=True,
                           check=False).stdout.split()
    if not files:  # no checkout
        files = [str(path.relative_to(root)) for path in root.rglob("*")
                 if path.is_file() and "build" not in path.parts]
    found = list(check(root, files))
    for line in found:
        print(line)
    print(f"{int(not found)} passed, {len(found)} failed")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
