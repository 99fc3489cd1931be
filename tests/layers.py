#!/usr/bin/python3
"""The rooms of the sources, and the arrows between them.

A room is a folder of core/ or server/; server/'s own files are the room "server", the program. An
arrow goes from a file to another that it includes (its #include lines) or whose functions it calls
(what `nm` says of the objects, which shows those that go round by way of a public header). Checked:
arrows follow the table below, no circle of files within a room, every library has one wrapper, no
room is too large, each has a README that says what is true, public headers compile alone, no two
headers have one guard, nor two of the tests one name.

    tests/layers.py [--objects BUILD] [ROOT]

checks this script on trees with known faults (layers_faults.py), then ROOT (the checkout) and its
objects below BUILD (none: no check that needs them).
"""
import argparse
import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import layers_faults

# A room, and those that it may use: only rooms above it, so that there is no circle of rooms.
# A name without a folder is a room of the same area. All may use the public headers in include/.
ROOMS = {
    "core/base": "",
    "core/text": "",
    "core/image": "base text",
    "core/blas": "",
    "core/kernels": "base blas",
    "core/nn": "base kernels",
    "core/typicality": "base",
    "core/model": "base text kernels nn typicality",
    "core/engine": "base image kernels nn model typicality",
    "core/backprop": "base blas kernels nn model",
    "core/data": "base text image",
    "core/fit": "base blas",
    "core/frozen": "base image kernels nn model engine data",
    "core/feed": "base image nn model engine data fit frozen backprop",
    "core/narrow": "base blas kernels nn model data",
    "core/train": "base blas kernels nn model engine backprop data fit typicality frozen feed narrow",

    "server/process": "core/text",
    "server/net": "process",
    "server/gate": "core/text net",
    "server/http": "process net gate",
    "server/answer": "core/text process",
    "server/ops": "core/text process net gate http answer",
    "server/models": "process answer ops",
    "server/pictures": "core/text process answer models",
    "server/report": "core/base core/fit core/text pictures",
    "server/training": "core/base core/text core/fit process models pictures report",
    "server/work": "process answer ops models",
    "server/api": "core/text process net http answer ops models work",
    "server/v2": "core/text process http answer ops models work api",
    "server/serve": "core/text process net http answer ops models work api v2",
    "server/cli": "core/text process net answer ops models pictures report training",
    "server": "process serve cli",
}

# Library: its headers, and the rooms that may each have one .c file including them.
LIBRARIES = {
    "libmicrohttpd": (r"microhttpd.*\.h", ["server/http"]),
    "GnuTLS": (r"gnutls/.*", ["server/net"]),
    "jansson": (r"jansson.*\.h", ["server/answer", "server/ops", "server/cli"]),
    "OpenBLAS": (r"(.*/)?(f?cblas.*|openblas_config|f77blas|lapacke?.*)\.h", ["core/blas"]),
    "libjpeg": (r"(.*/)?(jpeglib|jerror|jmorecfg|jconfig|turbojpeg)\.h", ["core/image", "server/report"]),
    "libwebp": (r"webp/.*", ["core/image"]),
    "nettle": (r"nettle/.*", ["core/base"]),
    "zlib": (r"(.*/)?(zlib|zconf)\.h", ["core/image", "server/http"]),
}

# What a public header may include beside the standard ones.
PUBLIC_ROOTS = {"vgg.h", "vgg_image.h", "vgg_status.h"}

STANDARD_HEADERS = set("""assert complex ctype errno fenv float inttypes iso646 limits locale math
    setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string
    tgmath threads time uchar wchar wctype""".split())

# Functions of libraries that a file of ours stands in front of: who calls them means the library.
INTERPOSED = {"recv"}

# Sources with an object elsewhere than BUILD/path.o; None: part of another object.
OBJECTS = {
    "server/models/embedded.S": "embedded.o",
    "core/blas/openblas/static.c": None,
    "core/blas/openblas/shared.c": None,
}

ROOM_FILES = 26  # .c and .h, with those in folders below
README_LINES = 20
LONG_READMES = {"core/kernels", "core/train"}  # measurements besides
README_SAYS = ["Threads", "Locks", "Uses", "Change"]

NAMES = 4  # of the functions that make an arrow, as far as they are shown

AREAS = ["include", "core", "server"]
COMPILER = os.environ.get("CC", "gcc").split()
LANGUAGES = {"C11": ["-std=c11", "-x", "c"], "C++": ["-std=c++11", "-x", "c++"]}

TOKEN = re.compile(r"""//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)
INCLUDE = re.compile(r"\s*#\s*(?:include|include_next|import)\b\s*(.*?)\s*$")


# ---------------------------------------------------------------- reading -------------------------

def room_of(path):
    """core/image, server/http, server: "core" and others are no rooms."""
    return "/".join(path.parts[:-1][:2])


def full_names(area, names):
    return {name if "/" in name else f"{area}/{name}" for name in names}


def may_use(room, rooms=ROOMS):
    return full_names(room.split("/")[0], rooms[room].split())


class Include:
    def __init__(self, root, path, line, text):
        self.path, self.line, self.text = path, line, text  # path is relative to the root
        match = re.fullmatch(r'"([^"]+)"|<([^>]+)>', text)
        self.quoted = bool(match and match.group(1))
        self.name = (match.group(1) or match.group(2)) if match else None
        # The file of ours that it names, from an include root.
        self.target = next((pathlib.Path(area, self.name) for area in AREAS
                            if self.name and (root / area / self.name).is_file()), None)

    def violation(self, reason):
        return f"{self.path}:{self.line}: {reason}"


class Arrow:
    """A file uses another: by the include in this line, or by these functions."""

    def __init__(self, source, target, line=None, names=()):
        self.source, self.target, self.line, self.names = source, target, line, names

    def violation(self, reason):
        if self.line is not None:
            return f'{self.source}:{self.line}: {reason}: "{self.target}"'
        return f"{self}: {reason}"

    def __str__(self):
        more = f" and {len(self.names) - NAMES} more" if len(self.names) > NAMES else ""
        tie = ", ".join(self.names[:NAMES]) + more or f"#include in line {self.line}"
        return f"{self.source} -> {self.target}: {tie}"


def without_comments(text):
    return TOKEN.sub(lambda m: m.group() if m.group()[0] in "\"'"
                     else re.sub(r"[^\n]", " ", m.group()), text)


class Tree:
    """The files of a checkout, relative to its root, and their #include lines."""

    def __init__(self, root):
        self.root = root
        self.files = {area: sorted(p.relative_to(root) for p in (root / area).rglob("*")
                                   if p.suffix in {".c", ".h", ".S", ".inc"}) for area in AREAS}
        self.sources = self.files["core"] + self.files["server"]
        self.rooms = sorted({room_of(p) for p in self.sources} & set(ROOMS))
        self.includes = [i for area in AREAS for p in self.files[area] for i in self.read(p)]
        self.arrows = [Arrow(i.path, i.target, line=i.line) for i in self.includes
                       if i.target and i.path.parts[0] != "include" != i.target.parts[0]]

    def text(self, path):
        return without_comments((self.root / path).read_text())

    def read(self, path):
        found = (INCLUDE.match(line) for line in self.text(path).split("\n"))
        return [Include(self.root, path, n, m.group(1)) for n, m in enumerate(found, 1) if m]

    def objects(self, build):
        """Source -> its object."""
        at = {p: OBJECTS.get(str(p), p.with_suffix(".o")) for p in self.sources
              if p.suffix in {".c", ".S"}}
        return {source: build / name for source, name in at.items() if name is not None}

    def symbol_arrows(self, build):
        """The server may use what include/ declares of core/, so those are no arrows."""
        public = set(re.findall(r"(\w+)\(", "".join(map(self.text, self.files["include"]))))
        source_of = {str(o): s for s, o in self.objects(build).items() if o.is_file()}
        nm = subprocess.run([os.environ.get("NM", "nm"), "-gPA", *source_of], check=True,
                            capture_output=True, text=True).stdout if source_of else ""
        symbols = [(source_of[where], *rest.split()[:2])
                   for where, rest in (line.rsplit(": ", 1) for line in nm.splitlines())]
        definer = {name: source for source, name, kind in symbols
                   if kind not in "Uvw" and name not in INTERPOSED}
        names = collections.defaultdict(set)
        for source, name, kind in symbols:
            target = definer.get(name, source)
            across = source.parts[0] == "server" and target.parts[0] == "core"
            if kind in "Uvw" and target != source and not (across and name in public):
                names[source, target].add(name)
        return [Arrow(*ends, names=sorted(tied)) for ends, tied in sorted(names.items())]


# ---------------------------------------------------------------- checks --------------------------

def check_table(rooms):
    """The rooms that each uses stand above it."""
    above = set()
    for room in rooms:
        for used in sorted(may_use(room, rooms) - above):
            yield f"ROOMS: {room} uses {used}, which is not above it"
        above.add(room)


def check_rooms_are_there(tree):
    for area in set(AREAS) - {path.parts[0] for area in AREAS for path in tree.files[area]}:
        yield f"{area}: no sources to check"
    for room in set(ROOMS) - set(tree.rooms):
        yield f"{room}: no such room"


def check_places(tree):
    for path in tree.sources:
        if room_of(path) not in ROOMS:
            yield f"{path}:1: in none of the rooms ({', '.join(ROOMS)})"


def check_includes(tree):
    """What includes are written like."""
    for include in tree.includes:
        if include.name is None:
            yield include.violation(f"cannot tell what '#include {include.text}' includes")
        elif ".." in include.name.split("/") or include.name.startswith("/"):
            yield include.violation(f'"{include.name}" goes around the include roots')
        elif not include.quoted and include.target:
            yield include.violation(f'<{include.name}> is ours; include it as "{include.name}"')
        elif include.quoted and not include.target:
            yield include.violation(f'"{include.name}" is neither room/file.h nor a public header')


def check_public(tree):
    for include in tree.includes:
        if include.path.parts[0] != "include" or include.quoted and include.name in PUBLIC_ROOTS:
            continue
        if include.quoted or (include.name or "").removesuffix(".h") not in STANDARD_HEADERS:
            yield include.violation(f"a public header may use standard C headers and vgg.h's parts only: "
                                    f"{include.text}")


def check_arrows(arrows):
    for arrow in arrows:
        room, used = room_of(arrow.source), room_of(arrow.target)
        if room in ROOMS and used != room and used not in may_use(room):
            yield arrow.violation(f"{room} may not use {used}")


def reachable(start, nexts):
    found, left = set(), [start]
    while left:
        new = nexts[left.pop()] - found
        found |= new
        left += new
    return found


def check_circles(arrows):
    """A .c and its .h are one file here."""
    inner = [(a.source.with_suffix(""), a.target.with_suffix(""), a) for a in arrows
             if room_of(a.source) == room_of(a.target)]
    nexts = collections.defaultdict(set)
    for source, target, _ in inner:
        if source != target:
            nexts[source].add(target)
    reached = {file: reachable(file, nexts) for file in sorted(nexts)}
    circles = {frozenset(f for f in reached[file] if file in reached.get(f, ()))
               for file in reached}
    for circle in sorted(filter(None, circles), key=sorted):
        yield f"{room_of(min(circle))}: a circle of {', '.join(f.name for f in sorted(circle))}"
        yield from (f"    {arrow}" for source, target, arrow in inner
                    if source != target and {source, target} <= circle)


def check_objects(tree, build):
    for source, found in tree.objects(build).items():
        if not found.is_file():
            yield f"{source}:1: has no object {found}"


def check_library(tree, library):
    pattern, rooms = LIBRARIES[library]
    users = {}  # room -> its first file that uses the library
    for include in tree.includes:
        if not include.name or not re.fullmatch(pattern, include.name):
            continue
        room = room_of(include.path)
        if room not in rooms:
            yield include.violation(f"{library} may only be used in {', '.join(rooms)}")
        elif include.path.suffix != ".c":
            yield include.violation(f"{library} in a header; only its wrapper .c may see it")
        elif users.setdefault(room, include.path) != include.path:
            yield include.violation(f"{library} has its wrapper in {room}: {users[room]}")


def check_sizes(tree):
    files = collections.Counter(room_of(p) for p in tree.sources if p.suffix in {".c", ".h"})
    for room in tree.rooms:
        if files[room] > ROOM_FILES:
            yield f"{room}: {files[room]} files .c and .h, more than {ROOM_FILES}"


def readme_uses(room, text):
    """The rooms that a README's line "Uses: base, text." names; "nothing" is none."""
    line = re.search(r"^Uses: (.*?)\.?$", text, re.M)
    names = set(line.group(1).split(", ")) - {"nothing"} if line else set()
    return full_names(room.split("/")[0], names)


def check_readmes(tree, arrows):
    """`arrows` are None where only the includes are known."""
    for room in tree.rooms:
        readme = tree.root / room / "README.md"
        if "/" not in room:
            continue
        if not readme.is_file():
            yield f"{room}/README.md: there is none"
            continue
        text = readme.read_text()
        lines = len(text.splitlines())
        if lines > README_LINES and room not in LONG_READMES:
            yield f"{room}/README.md: {lines} lines, more than {README_LINES}"
        for word in README_SAYS:
            if not re.search(rf"^{word}: \S", text, re.M):
                yield f"{room}/README.md: no line begins with \"{word}: \""
        if arrows is not None:
            found = {room_of(a.target) for a in arrows if room_of(a.source) == room} - {room}
            said = readme_uses(room, text)
            for other in sorted(found ^ said):
                yield (f"{room}/README.md: \"Uses:\" " +
                       (f"leaves out {other}" if other in found else f"names {other} for nothing"))


def check_compiles(tree, language):
    for path in tree.files["include"]:
        command = COMPILER + ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
        # Included rather than compiled, which would warn of its include guard.
        source = f'#include "{path.relative_to("include")}"\nint vgg_layers_unused;\n'
        result = subprocess.run(command + LANGUAGES[language] + ["-I", tree.root / "include", "-"],
                                input=source, capture_output=True, text=True)
        if result.returncode:
            first = next((line for line in result.stderr.splitlines() if "error" in line),
                         result.stderr.strip())
            yield f"{path}:1: does not compile alone as {language}: {first}"


def check_headers(root):
    """Of two with one guard, whoever includes both has one. -I makes one folder of tests/."""
    guards, names = {}, {}
    for path in sorted(p.relative_to(root) for area in [*AREAS, "tests"]
                       for p in (root / area).rglob("*.h")):
        guard = re.search(r"^#ifndef (\w+)\n#define \1$", (root / path).read_text(), re.M)
        if guard and guards.setdefault(guard[1], path) != path:
            yield f"{path}:1: its guard {guard[1]} is that of {guards[guard[1]]}"
        if path.parts[0] == "tests" and names.setdefault(path.name, path) != path:
            yield f"{path}:1: its name is that of {names[path.name]}"


def run_checks(tree, build):
    """Name of each check, and its violations."""
    by_symbol = tree.symbol_arrows(build) if build else []
    arrows = tree.arrows + by_symbol
    yield "the table has no circle", check_table(ROOMS)
    yield "rooms are there", check_rooms_are_there(tree)
    yield "sources are in rooms", check_places(tree)
    yield "includes are written room/file.h", check_includes(tree)
    yield "public headers use standard headers", check_public(tree)
    yield "arrows between rooms, by include", check_arrows(tree.arrows)
    if build:
        yield "objects are there", check_objects(tree, build)
        yield "arrows between rooms, by symbol", check_arrows(by_symbol)
    yield "no circle of files", check_circles(arrows)
    for library in LIBRARIES:
        yield f"one wrapper of {library}", check_library(tree, library)
    yield f"rooms of {ROOM_FILES} files at most", check_sizes(tree)
    yield "READMEs of rooms", check_readmes(tree, arrows if build else None)
    for language in LANGUAGES:
        yield f"public headers compile alone as {language}", check_compiles(tree, language)
    yield "guards, and names in tests/, are one header's", check_headers(tree.root)


# ---------------------------------------------------------------- this script --------------------

def write_tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def compile_tree(tree, build):
    """All but what says that it is BAD to have no object."""
    for source, made in tree.objects(build).items():
        if "BAD" in (tree.root / source).read_text():
            continue
        made.parent.mkdir(parents=True, exist_ok=True)
        roots = [word for area in AREAS for word in ("-I", tree.root / area)]
        subprocess.run([*COMPILER, *roots, "-c", tree.root / source, "-o", made], check=True)


def place(violation):
    """Where it is, if in a line; else all of it."""
    match = re.match(r"\S+:\d+(?=: )", violation)
    return match.group() if match else violation


def self_checks():
    """The checks above find the faults of these trees, and nothing else."""
    for fault in layers_faults.TREES:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            write_tree(root, fault["files"])
            build = root / "build" if fault["compiled"] else None
            if build:
                compile_tree(Tree(root), build)
            want = {f"{name}:{n}" for name, text in fault["files"].items()
                    for n, line in enumerate(text.splitlines(), 1) if "BAD" in line}
            want |= set(fault["violations"])
            got = {place(v) for name, violations in run_checks(Tree(root), build)
                   if re.match(fault["checks"], name) for v in violations}
            yield (f"self check: {fault['name']}",
                   [f"{v}: not reported" for v in sorted(want - got)] +
                   [f"{v}: reported" for v in sorted(got - want)])
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        missing = list(check_rooms_are_there(Tree(root)))
        yield ("self check: an empty tree fails",
               [] if len(missing) == len(AREAS) + len(ROOMS) else ["empty: passes"])
        for text, refused in layers_faults.HEADERS.items():
            write_tree(root, {"include/vgg.h": text})
            got = {l for l in LANGUAGES if list(check_compiles(Tree(root), l))}
            by = " and ".join(sorted(refused)) or "no language"
            yield (f"self check: {text.splitlines()[0]!r} is refused by {by}",
                   [] if got == refused else [f"include/vgg.h:1: refused by {sorted(got)}"])
    yield ("self check: a table with a circle is refused",
           [] if list(check_table({"a/b": "c", "a/c": "b"})) else ["ROOMS: passes"])


def main():
    parser = argparse.ArgumentParser(usage="tests/layers.py [--objects BUILD] [ROOT]")
    parser.add_argument("--objects", type=pathlib.Path)
    parser.add_argument("root", nargs="?", type=pathlib.Path,
                        default=pathlib.Path(__file__).parents[1])
    given = parser.parse_args()
    passed = failed = 0
    for name, violations in [*self_checks(), *run_checks(Tree(given.root.resolve()),
                                                         given.objects)]:
        violations = list(violations)
        print(f"{'FAIL' if violations else 'ok  '} {name}", *violations, sep="\n")
        passed += not violations
        failed += bool(violations)
    if not given.objects:
        print("SKIPPED arrows by symbol, and what READMEs say of them: no --objects BUILD")
    print(f"{passed} passed, {failed} failed, {int(not given.objects)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
