"""Trees with faults, which tests/layers.py must report, and nothing else of them.

A line of a file that says BAD is one fault; `violations` are those that are in no line, as they are
reported. `checks` matches the names of the checks that are asked, `compiled`: with objects.
"""

INCLUDES = {
    "include/vgg.h": "#include <stdint.h>\n#include <jansson.h> // BAD\n"
                     "#include \"base/a.h\" // BAD\n",
    "include/vgg_more.h": "#include \"vgg.h\"\n#include \"base/a.h\" // BAD\n",
    "core/base/a.h": "#include \"vgg.h\"\n#include <cblas.h> // BAD\n",
    "core/base/a.c": "#include \"base/a.h\"\n#include <stdio.h>\n#include \"image/b.h\" // BAD\n"
                     "/* #include \"train/x.h\"\n#include \"train/x.h\" */\n"
                     "// #include \"train/x.h\"\nconst char *s = \"/*\";\n"
                     "# include \"nn/c.h\" // BAD\n#include <nettle/sha2.h>\n",
    "core/base/b.c": "#include <nettle/sha2.h> // BAD\n#include <microhttpd.h> // BAD\n",
    "core/image/b.h": "#include \"base/a.h\"\n#include \"text/t.h\"\n"
                      "#include \"kernels/k.h\" // BAD\n",
    "core/image/b.c": "#include \"image/b.h\"\n#include <jpeglib.h>\n#include <jerror.h>\n",
    "core/image/c.c": "#include <zlib.h>\n#include <webp/decode.h>\n#include <webp/demux.h>\n",
    "core/image/d.c": "#include <zlib.h> // BAD\n#include <webp/demux.h> // BAD\n"
                      "#include \"b.h\" // BAD\n",
    "core/kernels/k.h": "#include \"a.h\" // BAD\n#include \"image/b.h\" // BAD\n"
                        "#include \"text/t.h\" // BAD\n",
    "core/kernels/k.c": "#include <cblas.h> // BAD\n#include <base/a.h> // BAD\n"
                        "#include HEADER // BAD\n",
    "core/nn/c.h": "#include \"kernels/k.h\"\n#include \"image/b.h\" // BAD\n"
                   "#include \"model/d.h\" // BAD\n#include \"../base/a.h\" // BAD\n",
    "core/model/d.h": "#include \"nn/c.h\"\n#include \"engine/e.h\" // BAD\n",
    "core/model/json.c": "#include <jansson.h> // BAD\n#include \"http/body.h\" // BAD\n"
                         "#include \"text/t.h\"\n",
    "core/text/t.h": "#include \"vgg.h\"\n#include \"base/a.h\" // BAD\n",
    "core/engine/e.h": "#include \"model/d.h\"\n#include \"train/f.h\" // BAD\n",
    "core/train/f.h": "#include \"engine/e.h\"\n#include \"base/a.h\"\n#include \"nn/c.h\"\n",
    "core/stray.c": "// BAD\n",
    "core/other/g.c": "// BAD\n#include \"train/f.h\"\n",
    "server/commands.h": "#include \"vgg.h\"\n#include \"cli/i.h\"\n"
                         "#include \"http/body.h\" // BAD\n",
    "server/net/listener.c": "#include <gnutls/x509.h>\n#include <sys/socket.h>\n",
    "server/net/tls.c": "#include \"http/body.h\" // BAD\n#include <gnutls/x509.h> // BAD\n",
    "server/http/body.h": "#include \"vgg.h\"\n#include <microhttpd.h> // BAD\n",
    "server/http/body.c": "#include \"body.h\" // BAD\n"
                          "#include <microhttpd.h>\n#include <sys/socket.h>\n"
                          "#include \"base/a.h\" // BAD\n",
    "server/answer/json.c": "#include \"http/body.h\" // BAD\n#include <jansson.h>\n"
                            "#include \"text/t.h\"\n"
                            "#include <vgg.h> // BAD\n#include \"missing.h\" // BAD\n",
    "server/work/queue.c": "#include <jansson.h> // BAD\n#include <microhttpd.h> // BAD\n"
                           "#include <nettle/sha2.h> // BAD\n"
                           "#include \"../core/base/a.h\" // BAD\n",
    "server/api/s.h": "#include \"http/body.h\"\n#include \"v2/v.h\" // BAD\n",
    "server/v2/v.h": "#include \"api/s.h\"\n",
    "server/cli/i.h": "#include \"api/s.h\" // BAD\n#include \"commands.h\" // BAD\n",
    "server/other/o.c": "// BAD\n",
}

# Declared by hand, or by way of vgg.h: no include tells of these.
SYMBOLS = {
    "include/vgg.h": "/* void hidden(void); */ void vgg_engine_run(void);\n",
    "core/base/heap.c": "void hidden(void) {}\n",
    "core/text/utf8.c": "void utf8(void) {}\n",
    "core/model/names.c": "// BAD: no object\n",
    "core/model/load.c": "#include \"vgg.h\"\nvoid load(void) { vgg_engine_run(); }\n",
    "core/engine/engine.c": "void hidden(void);\nvoid vgg_engine_run(void) { hidden(); }\n",
    "core/blas/openblas/static.c": "",
    "server/http/recv.c": "int recv(void) { return 0; }\nvoid http(void) {}\nint header;\n",
    "server/net/linger.c": "int recv(void);\nint linger(void) { return recv(); }\n",
    "server/net/tls.c": "extern int header;\nvoid http(void);\n"
                        "int tls(void) { http();\nreturn header; }\n",
    "server/api/classify.c": "#include \"vgg.h\"\nvoid hidden(void);\nvoid utf8(void);\n"
                          "void task(void) { vgg_engine_run(); hidden(); utf8(); }\n",
    "server/models/embedded.S": ".global embedded\nembedded: .byte 0\n",
    "server/ops/log.c": "extern char embedded;\nchar log_line(void) { return embedded; }\n",
}

CIRCLES = {
    "core/text/a.h": "#include \"text/b.h\"\n",
    "core/text/b.h": "#include \"text/c.h\"\n",
    "core/text/c.h": "#pragma once\n#include \"base/up.h\"\n",
    "core/base/up.h": "#include \"text/a.h\"\n",  # a circle of rooms, which the arrows tell
    "core/text/c.c": "#include \"text/a.h\"\n",
    "core/text/d.c": "#include \"text/a.h\"\n",
    "core/image/image.c": "void orient(void);\nvoid peek(void) { orient(); }\nvoid fail(void) {}\n",
    "core/image/orient.c": "void fail(void);\nvoid orient(void) { fail(); }\n",
    "core/image/png.c": "void fail(void);\nvoid png(void) { fail(); }\n",
    "server/http/body.h": "\n",
    "server/http/body.c": "void head(void);\nvoid body(void) { head(); }\n",
    "server/http/head.c": "#include \"http/body.h\"\nvoid head(void) {}\n",
}

SAYS = "Threads: none.\nLocks: none.\nUses: {}\nChange: anything.\n"

READMES = {
    "core/base/a.h": "",
    "core/base/README.md": SAYS.format("nothing."),
    "core/text/t.h": "",
    "core/text/README.md": SAYS.format("base.") + "\n" * 17,
    "core/image/a.h": "#include \"base/a.h\"\n#include \"text/t.h\"\n",
    "core/image/README.md": SAYS.format("text, engine."),
    "core/blas/a.h": "",
    "core/kernels/a.h": "#include \"base/a.h\"\n",
    "core/kernels/README.md": SAYS.format("base.") + "\n" * 17,
    "core/nn/a.h": "",
    "core/nn/README.md": "Threads:\nUses: nothing.\nLocks: none.\n",
    "server/main.c": "",
    "server/process/t.h": "#include \"text/t.h\"\n",
    "server/process/README.md": SAYS.format("core/text"),
    "server/net/n.c": "#include \"process/t.h\"\n#include \"text/t.h\"\n",
    "server/net/README.md": SAYS.format("process, core/text."),
}

GUARD = "#ifndef {0}\n#define {0}\n#endif\n"

GUARDS = {
    "include/vgg.h": GUARD.format("VGG_H"),
    "core/base/a.h": GUARD.format("A_H"),
    "server/net/a.h": GUARD.format("NET_A_H"),
    "server/net/b.h": "// BAD\n" + GUARD.format("A_H"),
    "tests/e2e/client.h": GUARD.format("CLIENT_H"),
    "tests/unit/client.h": "// BAD: its name\n" + GUARD.format("UNIT_CLIENT_H"),
    "tests/unit/server/http_client.h": "// BAD\n" + GUARD.format("CLIENT_H"),
    "tests/unit/core/once.h": "",
}

TREES = [
    {"name": "a bad include", "files": INCLUDES, "compiled": False,
     "checks": "sources|includes|public headers use|arrows|one wrapper", "violations": []},
    {"name": "a bad symbol", "files": SYMBOLS, "compiled": True,
     "checks": "objects|arrows|no circle", "violations": [
         "core/model/load.c -> core/engine/engine.c: vgg_engine_run: "
         "core/model may not use core/engine",
         "server/net/tls.c -> server/http/recv.c: header, http: server/net may not use server/http",
         "server/api/classify.c -> core/base/heap.c: hidden: server/api may not use core/base",
         "server/ops/log.c -> server/models/embedded.S: embedded: "
         "server/ops may not use server/models"]},
    {"name": "a circle by include, one by symbol, one by both", "files": CIRCLES, "compiled": True,
     "checks": "no circle", "violations": [
         "core/text: a circle of a, b, c",
         "    core/text/a.h -> core/text/b.h: #include in line 1",
         "    core/text/b.h -> core/text/c.h: #include in line 1",
         "    core/text/c.c -> core/text/a.h: #include in line 1",
         "core/image: a circle of image, orient",
         "    core/image/image.c -> core/image/orient.c: orient",
         "    core/image/orient.c -> core/image/image.c: fail",
         "server/http: a circle of body, head",
         "    server/http/body.c -> server/http/head.c: head",
         "    server/http/head.c -> server/http/body.h: #include in line 1"]},
    {"name": "a room too large", "compiled": False, "checks": "rooms of",
     "files": {f"core/{room}/template/{n}.{kind}": "" for room, n_files in
               (("kernels", 14), ("nn", 13)) for n in range(n_files) for kind in "ch"},
     "violations": ["core/kernels: 28 files .c and .h, more than 26"]},
    {"name": "a guard twice, a name twice", "files": GUARDS, "compiled": False, "checks": "guards",
     "violations": []},
    {"name": "READMEs that say too little or wrong", "files": READMES, "compiled": True,
     "checks": "READMEs", "violations": [
         "core/text/README.md: 21 lines, more than 20",
         "core/text/README.md: \"Uses:\" names core/base for nothing",
         "core/image/README.md: \"Uses:\" leaves out core/base",
         "core/image/README.md: \"Uses:\" names core/engine for nothing",
         "core/blas/README.md: there is none",
         "core/nn/README.md: no line begins with \"Threads: \"",
         "core/nn/README.md: no line begins with \"Change: \""]},
]

# Public headers that one or both languages must refuse.
HEADERS = {
    "size_t f(void);\n": {"C11", "C++"},  # needs another header first
    "int f(int class);\n": {"C++"},
    "static_assert(1, \"\");\nint f(void);\n": {"C11"},
    "#include <stddef.h>\nsize_t f(void);\n": set(),
}
