#!/usr/bin/python3
"""docker/fetch-model.sh against a hub on 127.0.0.1 that redirects, resumes and misbehaves as told.

Every scenario has its own hub and its own directory, so all of them run at once.
"""
import concurrent.futures
import hashlib
import http.server
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "docker" / "fetch-model.sh"
BODY = random.Random(1).randbytes(3_000_001)
FILE = "vgg16.safetensors"
HUB_PATH = "/timm/vgg16.tv_in1k/resolve/main/model.safetensors"
CDN_PATH = "/cdn/57b0?signature=a%2Bb&expires=1"
TIMEOUT_S = 120
NOBODY = 65534


class Hub:
    """A hub that serves `body`. A fault is called with the number of the download (0, 1, ...)
    and returns how many bytes to send before the cut (None: all), or an HTTP status."""

    def __init__(self, body=BODY, cut=lambda n: None, status=lambda n: None, ranges=True):
        self.body, self.cut, self.status, self.ranges = body, cut, status, ranges
        self.redirects = 0
        self.downloads = []  # (Range header or None, status answered, body bytes sent)
        self.gate = threading.Event()  # set: a download whose cut is reached ends
        self.gate.set()
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                if self.path == HUB_PATH:
                    hub.redirects += 1
                    self.answer(302, b"Found. Redirecting", {"Location": CDN_PATH})
                elif self.path == CDN_PATH:
                    hub.download(self)
                else:
                    self.answer(404, b"Entry not found")

            def answer(self, status, body, headers=None, cut=None):
                self.send_response(status)
                for key, value in (headers or {}).items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if cut is None else body[:cut])
                if cut is not None:
                    hub.gate.wait(TIMEOUT_S)
                    self.close_connection = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def download(self, handler):
        n = len(self.downloads)
        asked = handler.headers.get("Range")
        self.downloads.append((asked, 0, 0))
        status, body, headers = self.status(n), self.body, {"Accept-Ranges": "bytes"}
        if status:
            body = b"no"
        elif asked and self.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked).group(1))
            if start < len(body):
                status = 206
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                body = body[start:]
            else:
                status, headers["Content-Range"], body = 416, f"bytes */{len(body)}", b"beyond"
        else:
            status = 200
        cut = self.cut(n) if status in (200, 206) else None
        sent = len(body) if cut is None else min(cut, len(body))
        self.downloads[n] = (asked, status, sent)
        try:
            handler.answer(status, body, headers, cut)
        except ConnectionError:
            handler.close_connection = True

    def sent(self):
        return sum(n for _, status, n in self.downloads if status in (200, 206))

    def statuses(self):
        return [status for _, status, _ in self.downloads]


class Server(http.server.ThreadingHTTPServer):
    """Clients that leave are part of the play."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Scenario:
    """One directory, and the checks made on it."""

    def __init__(self, base, name):
        self.base = base / name
        self.base.mkdir()
        self.base.chmod(0o755)
        self.dir = self.base / "models"
        self.final, self.part = self.dir / FILE, self.dir / (FILE + ".part")
        self.name, self.results = name, []

    def check(self, what, ok, detail=""):
        self.results.append((f"{self.name}: {what}", bool(ok), detail))

    def sums(self, body=BODY):
        path = self.base / "SUMS"
        path.write_text(f"{'0' * 64}  vgg19.safetensors\n"
                        f"{hashlib.sha256(body).hexdigest()}  {FILE}\n")
        return str(path)

    def start(self, hub, args=("vgg16",), directory=None, env=None, script=SCRIPT, **kwargs):
        environment = {k: v for k, v in os.environ.items()
                       if not k.lower().endswith("_proxy") and not k.startswith("VGG_")}
        environment |= {"VGG_HUB": hub if isinstance(hub, str) else hub.url,
                        "VGG_HUB_SUMS": self.sums(), **(env or {})}
        kwargs.setdefault("start_new_session", True)
        return subprocess.Popen(["sh", str(script), *args, str(directory or self.dir)],
                                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **kwargs)

    def finish(self, process):
        out, err = process.communicate(timeout=TIMEOUT_S)
        return process.returncode, out, err

    def run(self, hub, *args, **kwargs):
        return self.finish(self.start(hub, *args, **kwargs))

    def leave_part(self, content):
        self.dir.mkdir()
        self.part.write_bytes(content)

    def check_whole(self, result):
        code, out, err = result
        self.check("exit 0", code == 0, err)
        self.check("stdout is the path alone", out == f"{self.final}\n", repr(out))
        self.check("the file is whole", self.final.is_file() and self.final.read_bytes() == BODY)
        self.check("nothing else is left", os.listdir(self.dir) == [FILE], os.listdir(self.dir))

    def check_failed(self, result, *patterns, part=None):
        """Exit 1, nothing on stdout or at the final name, `part` bytes kept (None: no part)."""
        code, out, err = result
        self.check("exit 1", code == 1, f"{code} {err}")
        self.check("nothing on stdout", out == "", repr(out))
        self.check("nothing at the final name", not self.final.exists())
        size = self.part.stat().st_size if self.part.is_file() else None
        self.check("no part is left" if part is None else "the part is kept", size == part, size)
        for pattern in patterns:
            self.check(f"the message has '{pattern}'", re.search(pattern, err), err)


def wait_until(condition):
    end = time.monotonic() + TIMEOUT_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def whole_download(s):
    hub = Hub()
    s.check_whole(s.run(hub))
    s.check("one request through the redirect", hub.redirects == 1 and hub.statuses() == [200])
    s.check("asked for all of it", hub.downloads[0][0] is None)


def second_call(s):
    hub = Hub()
    s.run(hub)
    requests = hub.redirects
    code, out, err = s.run(hub)
    s.check("exit 0, the path", code == 0 and out == f"{s.final}\n", err)
    s.check("no request", hub.redirects == requests)
    s.check("silent", err == "", err)
    _, out, err = s.run(hub, ["-v", "vgg16"])
    s.check("-v says that it is there", "already there" in err and out == f"{s.final}\n", err)
    s.final.write_bytes(b"put here by hand")
    code, _, _ = s.run("http://127.0.0.1:1")
    s.check("taken as it is, offline", code == 0 and s.final.read_bytes() == b"put here by hand")


def cut_once(s):
    hub = Hub(cut=lambda n: 1_000_003 if n == 0 else None)
    s.check_whole(s.run(hub))
    s.check("the second request resumes", hub.downloads[1][:2] == ("bytes=1000003-", 206),
            hub.downloads)
    s.check("no byte was sent twice", hub.sent() == len(BODY), hub.sent())


def cut_every_time(s):
    hub = Hub(cut=lambda n: 50_000 if n < 10 else None)
    result = s.run(hub)
    s.check_failed(result, "keeps breaking", "are kept in", "run this again", re.escape(HUB_PATH),
                   part=500_000)
    s.check("10 requests, no more", len(hub.downloads) == 10, len(hub.downloads))
    s.check("the part is the beginning", s.part.read_bytes() == BODY[:500_000])
    s.check_whole(s.run(hub))
    s.check("the later run resumes", hub.downloads[10][0] == "bytes=500000-", hub.downloads[10:])
    s.check("no byte was sent twice", hub.sent() == len(BODY), hub.sent())


def cut_before_any_byte(s):
    hub = Hub(cut=lambda n: 0)
    result = s.run(hub)
    s.check("exit 1", result[0] == 1, result)
    s.check("4 requests, no more", len(hub.downloads) == 4, len(hub.downloads))
    s.check("nothing at the final name", not s.final.exists())


def no_ranges(s):
    hub = Hub(ranges=False, cut=lambda n: 1_000_000 if n == 0 else None)
    result = s.run(hub)
    s.check_whole(result)
    s.check("says that it starts again", "cannot resume" in result[2], result[2])
    s.check("asked to resume, then for all", [d[0] for d in hub.downloads] ==
            [None, "bytes=1000000-", None], hub.downloads)


def part_whole(s):
    hub = Hub()
    s.leave_part(BODY)
    s.check_whole(s.run(hub))
    s.check("answered 416, nothing sent", hub.statuses() == [416], hub.downloads)


def part_whole_no_ranges(s):
    hub = Hub(ranges=False)
    s.leave_part(BODY)
    s.check_whole(s.run(hub))


def part_too_long(s):
    hub = Hub()
    s.leave_part(BODY + b"and more")
    s.check_whole(s.run(hub))
    s.check("416, then all of it", hub.statuses() == [416, 200], hub.downloads)


def part_garbage(s):
    hub = Hub()
    s.leave_part(b"\0" * 2_000_000)
    result = s.run(hub)
    s.check_whole(result)
    s.check("says that the part does not fit", "does not fit" in result[2], result[2])
    s.check("resumed, then all of it", hub.statuses() == [206, 200], hub.downloads)


def part_garbage_and_wrong(s):
    hub = Hub(body=BODY[::-1])
    s.leave_part(b"\0" * 2_000_000)
    s.check_failed(s.run(hub), "wrong checksum")
    s.check("started again once, no more", hub.statuses() == [206, 200], hub.downloads)


def wrong_checksum(s):
    other = BODY[:-1] + bytes([BODY[-1] ^ 1])
    hub = Hub(body=other)
    s.check_failed(s.run(hub), "wrong checksum", hashlib.sha256(BODY).hexdigest(),
                   hashlib.sha256(other).hexdigest())
    s.check("one request", len(hub.downloads) == 1, len(hub.downloads))


def wrong_checksum_empty(s):
    s.check_failed(s.run(Hub(body=b"")), "wrong checksum", hashlib.sha256(b"").hexdigest())


def published_sums(s):
    """Without VGG_HUB_SUMS only the published file passes."""
    s.check_failed(s.run(Hub(), env={"VGG_HUB_SUMS": ""}), "wrong checksum",
                   "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8")


def sums_without_name(s):
    hub = Hub()
    s.check_failed(s.run(hub, ["vgg16_bn"]), "no line for vgg16_bn")
    s.check_failed(s.run(hub, env={"VGG_HUB_SUMS": "/nonexistent"}), "cannot read")
    s.check("no request", hub.redirects == 0)


def not_found(s):
    hub = Hub(status=lambda n: 404)
    s.check_failed(s.run(hub), "answers 404", re.escape(HUB_PATH))
    s.check("asked once", len(hub.downloads) == 1, len(hub.downloads))


def server_error(s):
    hub = Hub(status=lambda n: 500)
    s.check_failed(s.run(hub), "answers 500")
    s.check("asked 4 times, no more", len(hub.downloads) == 4, len(hub.downloads))


def server_error_passes(s):
    hub = Hub(status=lambda n: 503 if n == 1 else None, cut=lambda n: 70_000 if n == 0 else None)
    s.check_whole(s.run(hub))
    s.check("no byte was sent twice", hub.sent() == len(BODY), hub.sent())


def offline(s):
    hub = Hub()
    hub.server.shutdown()
    hub.server.server_close()
    begin = time.monotonic()
    s.check_failed(s.run(hub), "cannot reach", "by hand", re.escape(hub.url + HUB_PATH),
                   re.escape(str(s.final)), "sha256")
    s.check("at once", time.monotonic() - begin < 10)


def bad_hub(s):
    s.check_failed(s.run("file:///etc"), "not an http or https URL")


def redirect_to_file(s):
    """The hub may send us to another server, not to our own disk."""
    hub = Hub()
    handler = hub.server.RequestHandlerClass
    handler.do_GET = lambda self: handler.answer(self, 302, b"", {"Location": "file:///etc/passwd"})
    s.check_failed(s.run(hub), "cannot reach")


def two_runs(s):
    hub = Hub(cut=lambda n: 1_000_000 if n == 0 else None)
    hub.gate.clear()
    first = s.start(hub)
    s.check("the first is downloading", wait_until(lambda: hub.downloads))
    second = s.start(hub)
    line = second.stderr.readline()
    s.check("the second says that it waits", "waiting" in line, line)
    hub.gate.set()
    s.check_whole(s.finish(first))
    s.check_whole(s.finish(second))
    s.check("downloaded once", hub.sent() == len(BODY) and len(hub.downloads) == 2, hub.downloads)


def two_models(s):
    """Another model in the same directory need not wait."""
    stalled, hub = Hub(cut=lambda n: 1000), Hub()
    stalled.gate.clear()
    first = s.start(stalled)
    wait_until(lambda: stalled.downloads)
    hub_path = HUB_PATH.replace("vgg16", "vgg19")
    code, _, err = s.run(hub, ["vgg19"])
    s.check("the other one is not held up", code == 1 and "answers 404" in err and hub_path in err,
            err)
    os.killpg(first.pid, signal.SIGINT)
    s.finish(first)
    stalled.gate.set()


def interrupted(s):
    hub = Hub(cut=lambda n: 2_000_000 if n == 0 else None)
    hub.gate.clear()
    process = s.start(hub)
    s.check("it is downloading", wait_until(
        lambda: s.part.exists() and s.part.stat().st_size > 1_000_000))
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C sends
    code, out, err = s.finish(process)
    hub.gate.set()
    s.check("exit 130", code == 130, code)
    s.check("says that the part is kept", "interrupted" in err and ".part" in err, err)
    s.check("nothing on stdout or at the final name", out == "" and not s.final.exists())
    size = s.part.stat().st_size
    s.check("the part is the beginning", size > 0 and s.part.read_bytes() == BODY[:size], size)
    s.check_whole(s.run(hub))
    s.check("the next run resumes", hub.downloads[1][0] == f"bytes={size}-", hub.downloads)


def unknown_name(s):
    for args in ([], ["-x", "vgg16"]):
        code, out, err = s.run("http://127.0.0.1:1", args)
        s.check(f"{args}: exit 2 and the usage", code == 2 and out == "" and "usage:" in err, err)
    for args in (["resnet50"], ["../vgg16"], [""], ["-n", "README.md"]):
        code, out, err = s.run("http://127.0.0.1:1", args)
        s.check(f"{args}: exit 2, it, the known ones and what a path looks like",
                code == 2 and out == "" and f"unknown model '{args[-1]}'" in err and
                "vgg16, vgg19, vgg16_bn and vgg19_bn" in err and ".safetensors" in err, err)
    code, out, err = s.run("http://127.0.0.1:1", ["-n", "vgg16"])
    s.check("-n: a known name, and nothing is done", code == 0 and out == err == "", err)
    s.check("no directory made", not s.dir.exists())


def directory_is_a_file(s):
    s.dir.write_text("")
    code, out, err = s.run("http://127.0.0.1:1")
    s.check("exit 1 and a message", code == 1 and out == "" and "cannot create" in err, err)


def unwritable_directory(s):
    s.dir.mkdir(mode=0o555)
    script = s.base / "fetch-model.sh"  # where another user can read it
    shutil.copy(SCRIPT, script)
    script.chmod(0o755)
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    code, out, err = s.run("http://127.0.0.1:1", script=script, cwd=s.base, **user)
    s.check("exit 1 and a message", code == 1 and out == "" and "cannot write in" in err, err)
    s.check("nothing in it", os.listdir(s.dir) == [])


def file_in_the_way(s):
    s.final.mkdir(parents=True)
    code, _, err = s.run("http://127.0.0.1:1")
    s.check("exit 1 and a message", code == 1 and "in the way" in err, err)


def odd_directory(s):
    hub = Hub()
    code, out, err = s.run(hub, directory="-a dir with 'quotes'/", cwd=s.base)
    path = f"./-a dir with 'quotes'/{FILE}"
    s.check("exit 0, the path", code == 0 and out == path + "\n", f"{out} {err}")
    s.check("the file is whole", (s.base / path).read_bytes() == BODY)


def no_room(s):
    """A df that reports a nearly full disk: refused before the download, with the sizes."""
    shim = s.base / "bin"
    shim.mkdir()
    (shim / "df").write_text("#!/bin/sh\necho Filesystem\necho none 1000000 950000 50000 95% /\n")
    (shim / "df").chmod(0o755)
    hub = Hub()
    env = {"PATH": f"{shim}:{os.environ['PATH']}", "VGG_HUB_SUMS": ""}
    s.check_failed(s.run(hub, env=env), "not enough room", "is 554 MB", "51 MB are free")
    s.check("no request", hub.redirects == 0)


def write_fails(s):
    """A write that fails in the middle, here by a limit on the size of files."""
    hub = Hub()
    limit = 1_024_000
    result = s.run(hub, restore_signals=False, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (limit, limit)))
    s.check_failed(result, "cannot write", "MB are free", "make room", part=limit)
    s.check_whole(s.run(hub))
    s.check("with room it goes on", hub.downloads[1][0] == f"bytes={limit}-", hub.downloads)


def curl_config(s):
    """The user's curl configuration has no say."""
    (s.base / ".curlrc").write_text("output = /dev/null\nuser-agent = mine\ninclude\n")
    s.check_whole(s.run(Hub(), env={"HOME": str(s.base), "CURL_HOME": str(s.base)}))


SCENARIOS = [whole_download, second_call, cut_once, cut_every_time, cut_before_any_byte, no_ranges,
             part_whole, part_whole_no_ranges, part_too_long, part_garbage, part_garbage_and_wrong,
             wrong_checksum, wrong_checksum_empty, published_sums, sums_without_name, not_found,
             server_error, server_error_passes, offline, bad_hub, redirect_to_file, two_runs,
             two_models, interrupted, unknown_name, directory_is_a_file, unwritable_directory,
             file_in_the_way, odd_directory, no_room, write_fails, curl_config]


def play(function, base):
    scenario = Scenario(base, function.__name__)
    try:
        function(scenario)
    except Exception as error:  # a scenario that breaks is a failed check, not the end of the rest
        scenario.check("ran to its end", False, repr(error))
    return scenario.results


def main():
    # A shell's background jobs ignore it, and so would the downloads that are to be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as base, \
            concurrent.futures.ThreadPoolExecutor(8) as executor:
        base = pathlib.Path(base)
        base.chmod(0o755)
        for results in executor.map(lambda function: play(function, base), SCENARIOS):
            for what, ok, detail in results:
                print(f"{'ok  ' if ok else 'FAIL'} {what}", flush=True)
                if not ok:
                    print(f"     {detail}")
            passed += sum(ok for _, ok, _ in results)
            failed += sum(not ok for _, ok, _ in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
