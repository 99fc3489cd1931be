#!/usr/bin/python3
"""What `make -Bn V=1` would compile, as a compilation database (clang's JSON format)."""
import json
import os
import shlex
import sys


def entries(lines):
    for line in lines:
        try:
            words = shlex.split(line)
        except ValueError:  # a line of shell that is no compilation
            continue
        if "-c" in words and words[-1].endswith(".o"):
            source = words[words.index("-c") + 1]
            if source.endswith(".c"):
                yield {"directory": os.getcwd(), "file": source, "arguments": words}


json.dump(list(entries(sys.stdin.read().replace("\\\n", " ").splitlines())), sys.stdout, indent=1)
print()
