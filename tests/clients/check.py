"""Each client in a directory of its own, against a server of its own: check.py VGG HOME

HOME/python is this interpreter's environment; HOME/npm/node_modules, Java and Go may be missing, and
what needs them is skipped then.
"""

import sys

sys.dont_write_bytecode = True

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PICTURE = HERE.parent / "data/glass.jpg"
MODEL = HERE.parents[1] / "server/models/trashnet/trashnet.safetensors"
VGG, HOME = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
BIN = HOME / "python/bin"
NODE = HOME / "npm/node_modules"
LIMIT_S = 300  # of one command


class Skipped(Exception):
    pass


class Server:
    """The model of rubbish on ports of its own, and what it says of itself in `folder`."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [VGG, "serve", "--model", MODEL, "--listen", "127.0.0.1:0", "--admin-listen",
             "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        self.url, self.admin = (f"http://{address}" for address in re.findall(r"127[.:\d]+", line))
        with urllib.request.urlopen(self.url + "/model") as answer:
            self.model = json.load(answer)["name"]
        with urllib.request.urlopen(self.url + "/openapi.json") as answer:
            (folder / "openapi.json").write_bytes(answer.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        if self.process.wait(60) != 0:
            raise RuntimeError(f"the server ended with {self.process.returncode}")


class Part:
    """One client: where it works, and the server that it talks to."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server

    def run(self, *command, **environment):
        done = subprocess.run([str(word) for word in command], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT_S,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment})
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}")

    def ask(self, *command, **environment):
        """Run a client's program: it classifies the sample picture."""
        self.run(*command, self.server.url, self.server.model, PICTURE, **environment)

    def openapi_generator(self, kind, folder):
        if shutil.which("java") is None:
            raise Skipped("there is no java")
        self.run(BIN / "openapi-generator-cli", "generate", "-i", "openapi.json", "-g", kind,
                 "-o", folder)

    def compile(self, program):
        shutil.copy(HERE / program, self.folder)
        (self.folder / "node_modules").symlink_to(NODE)
        self.run("node", NODE / "typescript/bin/tsc", "--strict", "--target", "es2022", "--module",
                 "commonjs", "--types", "node", "--lib", "es2022,dom,dom.iterable",
                 "--skipLibCheck", program)
        return program.replace(".ts", ".js")


# ---------------------------------------------------------------- the parts


def need_node():
    if not (NODE.parent / "package-lock.json").is_file():
        raise Skipped("there is no Node.js, or npm could not install its packages")
    version = subprocess.check_output(["node", "-p", "process.versions.node"], text=True)
    if int(version.split(".")[0]) < 20:
        raise Skipped(f"node {version.strip()} is older than 20")


def schemathesis(part):
    for tag, url in (("--exclude-tag", part.server.url), ("--include-tag", part.server.admin)):
        part.run(BIN / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run",
                 part.server.url + "/openapi.json", "--url", url, tag, "admin", "--no-color",
                 "--phases", "examples,coverage,fuzzing", "-n", 10, "--seed", 1,
                 "--generation-database", "none", VGG_MODEL_NAME=part.server.model)


def tritonclient(part):
    part.run(BIN / "python", HERE / "triton.py", part.server.url, part.server.model, PICTURE,
             part.server.admin)


def kserve(part):
    part.ask(BIN / "python", HERE / "kserve_rest.py")


def openapi_generator_go(part):
    if shutil.which("go") is None:
        raise Skipped("there is no go")
    part.openapi_generator("go", "client")
    client = part.folder / "client"
    (client / "ask").mkdir()
    shutil.copy(HERE / "generated.go", client / "ask/main.go")
    try:
        part.run("go", "-C", client, "mod", "download", GOTOOLCHAIN="local")
    except RuntimeError as error:
        raise Skipped(f"go cannot have its modules: {error}")
    part.run("go", "-C", client, "build", "-mod=mod", "-o", part.folder, "./ask",
             GOTOOLCHAIN="local")
    part.ask(part.folder / "ask")


def openapi_generator_typescript(part):
    need_node()
    part.openapi_generator("typescript-fetch", "fetch")
    part.ask("node", part.compile("generated_fetch.ts"))


def openapi_generator_python(part):
    part.openapi_generator("python", "client")
    part.ask(BIN / "python", HERE / "generated_openapi.py", PYTHONPATH=str(part.folder / "client"))


def openapi_python_client(part):
    part.run(BIN / "openapi-python-client", "generate", "--path", "openapi.json", "--output-path",
             "opc", "--meta", "none", PATH=f"{BIN}:{os.environ['PATH']}")
    part.ask(BIN / "python", HERE / "generated_opc.py", PYTHONPATH=str(part.folder))


def hey_api(part):
    need_node()
    part.run("node", NODE / ".bin/openapi-ts", "-i", "openapi.json", "-o", "hey", "-c",
             "@hey-api/client-fetch")
    part.ask("node", part.compile("generated_hey.ts"))


def spectral(part):
    need_node()
    part.run("node", NODE / ".bin/spectral", "lint", "--ruleset", HERE / "spectral.yaml",
             "--fail-severity", "error", "openapi.json")


def redocly(part):
    need_node()
    part.run("node", NODE / ".bin/redocly", "lint", "openapi.json", REDOCLY_TELEMETRY="off")


# The longest first.
PARTS = [schemathesis, openapi_generator_typescript, openapi_generator_go, hey_api, spectral,
         openapi_generator_python, tritonclient, kserve, redocly, openapi_python_client]


def check(function):
    """(line, passed, failed)"""
    name, start = function.__name__, time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="vgg-clients-") as folder:
            folder = pathlib.Path(folder)
            with Server(folder) as server:
                function(Part(folder, server))
    except Skipped as why:
        return f"SKIPPED {name}: {why}\n[  SKIPPED ] 1 test(s)", 0, 0
    except Exception as error:
        return f"FAIL {name}: {error}", 0, 1
    return f"ok   {name}  {time.monotonic() - start:.1f} s", 1, 0


def main():
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for line, good, bad in pool.map(check, PARTS):
            print(line, flush=True)
            passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
