#!/usr/bin/python3
"""The layering of the sources, read off their #include lines.

    include <- core {base, text <- image, blas <- kernels <- nn <- model <- engine, backprop <- train}
            <- server

server/ also uses core/text, which knows nothing of the rest.
Also: every third-party library has one wrapper file, and the public header compiles alone.
    tests/layers.py [ROOT]     checks this script on a bad tree, then ROOT (default: the checkout)
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# What a file in core/LAYER may include, besides "vgg.h" and system headers.
LAYERS = {"base": ["base"], "text": ["text"]}
LAYERS["image"] = LAYERS["base"] + ["text", "image"]
LAYERS["blas"] = LAYERS["base"] + ["blas"]
LAYERS["kernels"] = LAYERS["blas"] + ["kernels"]
LAYERS["nn"] = LAYERS["kernels"] + ["image", "nn"]
LAYERS["model"] = LAYERS["nn"] + ["text", "model"]
LAYERS["engine"] = LAYERS["model"] + ["engine"]
LAYERS["backprop"] = LAYERS["model"] + ["backprop"]
LAYERS["train"] = LAYERS["engine"] + ["backprop", "train"]

# Library: its headers, and the areas that may each have one .c file including them.
LIBRARIES = {
    "libmicrohttpd": (r"microhttpd.*\.h", ["server"]),
    "GnuTLS": (r"gnutls/.*", ["server"]),
    "jansson": (r"jansson.*\.h", ["server"]),
    "OpenBLAS": (r"(.*/)?(f?cblas.*|openblas_config|f77blas|lapacke?.*)\.h", ["core"]),
    "libjpeg": (r"(.*/)?(jpeglib|jerror|jmorecfg|jconfig|turbojpeg)\.h", ["core"]),
    "libwebp": (r"webp/.*", ["core"]),
    "nettle": (r"nettle/.*", ["core"]),
    "zlib": (r"(.*/)?(zlib|zconf)\.h", ["core", "server"]),
}

STANDARD_HEADERS = set("""assert complex ctype errno fenv float inttypes iso646 limits locale math
    setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string
    tgmath threads time uchar wchar wctype""".split())

SOURCES = {".c", ".h", ".S", ".inc"}

COMPILERS = {"C11": ["-std=c11", "-x", "c"], "C++": ["-std=c++11", "-x", "c++"]}

TOKEN = re.compile(r"""//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)
INCLUDE = re.compile(r"\s*#\s*(?:include|include_next|import)\b\s*(.*?)\s*$")


class Include:
    def __init__(self, path, line, text):
        self.path, self.line = path, line  # path is relative to the root
        match = re.fullmatch(r'"([^"]+)"|<([^>]+)>', text)
        self.quoted = bool(match and match.group(1))
        self.name = (match.group(1) or match.group(2)) if match else None
        self.text = text


def violation(include, reason):
    return f"{include.path}:{include.line}: {reason}"


def read_includes(root, path):
    """The #include lines of a file; those in comments are none."""
    text = TOKEN.sub(lambda m: m.group() if m.group()[0] in "\"'"
                     else re.sub(r"[^\n]", " ", m.group()), (root / path).read_text())
    found = (INCLUDE.match(line) for line in text.split("\n"))
    return [Include(path, n, match.group(1)) for n, match in enumerate(found, 1) if match]


def read_tree(root):
    tree = {}
    for area in ("include", "core", "server"):
        files = sorted(p for p in (root / area).rglob("*") if p.suffix in SOURCES)
        tree[area] = [i for p in files for i in read_includes(root, p.relative_to(root))]
        tree[area, "files"] = [p.relative_to(root) for p in files]
    return tree


def is_ours(root, name):
    return any((root / area / name).exists() for area in ("include", "core", "server"))


def malformed(root, include):
    """What no file of the project may do; None where there is no objection."""
    if include.name is None:
        return f"cannot tell what '#include {include.text}' includes"
    if ".." in include.name.split("/") or include.name.startswith("/"):
        return f'"{include.name}" goes around the include roots'
    if not include.quoted and is_ours(root, include.name):
        return f'<{include.name}> is ours; include it as "{include.name}"'
    return None


def check_core(root, tree):
    for path in tree["core", "files"]:
        if path.parts[1] not in LAYERS or len(path.parts) < 3:
            yield f"{path}:1: in no layer of core/ ({', '.join(LAYERS)})"
    for include in tree["core"]:
        layer, reason = include.path.parts[1], malformed(root, include)
        if reason:
            yield violation(include, reason)
        elif layer in LAYERS and include.quoted and not (root / "include" / include.name).is_file():
            target = include.name.split("/")[0]
            if "/" not in include.name or target not in LAYERS:
                yield violation(include, f'"{include.name}" is neither "LAYER/file" nor "vgg.h"')
            elif target not in LAYERS[layer]:
                yield violation(include, f"core/{layer} may not use core/{target}: "
                                         f'"{include.name}"')


def check_server(root, tree):
    for include in tree["server"]:
        reason = malformed(root, include)
        if reason:
            yield violation(include, reason)
        elif include.quoted and include.name != "vgg.h":
            name = include.name.removeprefix("server/")
            near = include.path.parent / include.name
            if (root / "include" / name).is_file():
                continue
            if name.startswith("text/") and (root / "core" / name).is_file():
                continue
            if not (root / "server" / name).is_file() and not (root / near).is_file():
                whose = "core's" if (root / "core" / name).exists() else "no header of server/"
                yield violation(include, f'server/ may use its own headers, "vgg.h" and core/text; '
                                         f'"{include.name}" is {whose}')


def check_public(root, tree):
    for include in tree["include"]:
        name = include.name or ""
        if include.quoted and name == "vgg.h" and include.path.name != "vgg.h":
            continue
        if include.quoted or name.removesuffix(".h") not in STANDARD_HEADERS:
            yield violation(include, f"a public header may use standard C headers only: "
                                     f"{include.text}")


def check_library(tree, library):
    pattern, areas = LIBRARIES[library]
    users = {}  # area -> its first file that uses the library
    for include in tree["core"] + tree["server"] + tree["include"]:
        if not include.name or not re.fullmatch(pattern, include.name):
            continue
        area = next((a for a in areas if include.path.is_relative_to(a)), None)
        if area is None:
            yield violation(include, f"{library} may only be used in {', '.join(areas)}")
        elif include.path.suffix != ".c":
            yield violation(include, f"{library} in a header; only its wrapper .c may see it")
        elif users.setdefault(area, include.path) != include.path:
            yield violation(include, f"{library} has its wrapper in {area}: {users[area]}")


def check_compiles(root, tree, language):
    compiler = os.environ.get("CC", "gcc").split()
    for path in tree["include", "files"]:
        command = compiler + ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
        # Included rather than compiled, which would warn of its include guard.
        source = f'#include "{path.relative_to("include")}"\nint vgg_layers_unused;\n'
        result = subprocess.run(command + COMPILERS[language] + ["-I", root / "include", "-"],
                                input=source, capture_output=True, text=True)
        if result.returncode:
            first = next((line for line in result.stderr.splitlines() if "error" in line),
                         result.stderr.strip())
            yield f"{path}:1: does not compile alone as {language}: {first}"


def check_sources_exist(tree):
    for area in ("include", "core", "server"):
        if not tree[area, "files"]:
            yield f"{area}:0: no sources to check"


def run_checks(root):
    """Name of each check, and its violations."""
    tree = read_tree(root)
    yield "sources are there", list(check_sources_exist(tree))
    yield "core layers", list(check_core(root, tree))
    yield "server uses the public header", list(check_server(root, tree))
    yield "public header uses standard headers", list(check_public(root, tree))
    for library in LIBRARIES:
        yield f"one wrapper of {library}", list(check_library(tree, library))
    for language in COMPILERS:
        yield f"public header compiles alone as {language}", list(
            check_compiles(root, tree, language))


# A tree whose every line that says BAD must be reported, and no other line.
FIXTURE = {
    "include/vgg.h": "#include <stdint.h>\n#include <jansson.h> // BAD\n"
                     "#include \"base/a.h\" // BAD\n",
    "include/vgg_more.h": "#include \"vgg.h\"\n#include \"base/a.h\" // BAD\n",
    "core/base/a.h": "#include \"vgg.h\"\n#include <cblas.h> // BAD\n",
    "core/base/a.c": "#include \"base/a.h\"\n#include <stdio.h>\n#include \"image/b.h\" // BAD\n"
                     "/* #include \"train/x.h\"\n#include \"train/x.h\" */\n"
                     "// #include \"train/x.h\"\nconst char *s = \"/*\";\n"
                     "# include \"nn/c.h\" // BAD\n#include <nettle/sha2.h>\n",
    "core/base/b.c": "#include <nettle/sha2.h> // BAD\n#include <microhttpd.h> // BAD\n",
    "core/image/b.h": "#include \"base/a.h\"\n#include \"text/t.h\"\n#include \"kernels/k.h\" // BAD\n",
    "core/image/b.c": "#include \"image/b.h\"\n#include <jpeglib.h>\n#include <jerror.h>\n",
    "core/image/c.c": "#include <zlib.h>\n#include <webp/decode.h>\n#include <webp/demux.h>\n",
    "core/image/d.c": "#include <zlib.h> // BAD\n#include <webp/demux.h> // BAD\n",
    "core/kernels/k.h": "#include \"a.h\" // BAD\n#include \"image/b.h\" // BAD\n"
                       "#include \"text/t.h\" // BAD\n",
    "core/kernels/k.c": "#include <cblas.h>\n#include <base/a.h> // BAD\n#include HEADER // BAD\n",
    "core/nn/c.c": "#include \"kernels/k.h\"\n#include \"image/b.h\"\n#include <cblas.h> // BAD\n"
                   "#include \"model/d.h\" // BAD\n#include \"../base/a.h\" // BAD\n",
    "core/model/d.h": "#include \"nn/c.h\"\n#include \"engine/e.h\" // BAD\n",
    "core/text/t.h": "#include \"vgg.h\"\n#include \"base/a.h\" // BAD\n",
    "core/model/json.c": "#include <jansson.h> // BAD\n#include \"server/http.h\" // BAD\n"
                         "#include \"text/t.h\"\n",
    "core/model/load.c": "#include <jansson.h> // BAD\n#include <jpeglib.h> // BAD\n",
    "core/engine/e.c": "#include \"model/d.h\"\n#include \"train/f.h\" // BAD\n",
    "core/train/f.c": "#include \"engine/e.h\"\n#include \"base/a.h\"\n#include \"text/t.h\"\n",
    "core/stray.c": "// BAD\n",
    "core/other/g.c": "// BAD\n#include \"train/f.h\"\n",
    "server/http.h": "#include \"vgg.h\"\n#include <microhttpd.h> // BAD\n",
    "server/http.c": "#include \"http.h\"\n#include \"text/t.h\"\n#include <microhttpd.h>\n#include <sys/socket.h>\n"
                     "#include \"base/a.h\" // BAD\n",
    "server/json.c": "#include \"server/http.h\"\n#include <jansson.h>\n"
                     "#include <vgg.h> // BAD\n#include \"missing.h\" // BAD\n",
    "server/queue.c": "#include <jansson.h> // BAD\n#include <microhttpd.h> // BAD\n"
                      "#include <nettle/sha2.h> // BAD\n#include \"../core/base/a.h\" // BAD\n",
}

# Public headers that one or both languages must refuse.
HEADERS = {
    "size_t f(void);\n": {"C11", "C++"},  # needs another header first
    "int f(int class);\n": {"C++"},
    "static_assert(1, \"\");\nint f(void);\n": {"C11"},
    "#include <stddef.h>\nsize_t f(void);\n": set(),
}


def write_tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def self_checks():
    """The checks above, on trees with known faults."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        write_tree(root, FIXTURE)
        want = {f"{name}:{n}" for name, text in FIXTURE.items()
                for n, line in enumerate(text.splitlines(), 1) if "BAD" in line}
        tree = read_tree(root)
        got = [*check_core(root, tree), *check_server(root, tree), *check_public(root, tree),
               *(v for library in LIBRARIES for v in check_library(tree, library))]
        got = {v.split(": ", 1)[0] for v in got}
        yield ("self check: every fault of a bad tree is found",
               [f"{place}: not reported" for place in sorted(want - got)])
        yield ("self check: nothing else is reported",
               [f"{place}: reported" for place in sorted(got - want)])
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        wrong = list(check_sources_exist(read_tree(root)))
        yield "self check: an empty tree fails", [] if len(wrong) == 3 else ["empty: passes"]
        for text, refused in HEADERS.items():
            write_tree(root, {"include/vgg.h": text})
            tree = read_tree(root)
            got = {l for l in COMPILERS if list(check_compiles(root, tree, l))}
            by = " and ".join(sorted(refused)) or "no language"
            yield (f"self check: {text.splitlines()[0]!r} is refused by {by}",
                   [] if got == refused else [f"include/vgg.h:1: refused by {sorted(got)}"])


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1]
    passed = failed = 0
    for name, violations in [*self_checks(), *run_checks(root.resolve())]:
        for line in violations:
            print(line)
        print(f"{'FAIL' if violations else 'ok  '} {name}")
        passed += not violations
        failed += bool(violations)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
