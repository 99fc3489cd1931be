"""A server under test for the programs in this directory, and wrk against it."""
import http.client
import pathlib
import re
import signal
import subprocess
import tempfile

from PIL import Image

POST = pathlib.Path(__file__).resolve().parent.parent / "load" / "post.lua"


class Checks:
    """Counts what is right and what is not, for tests/run.sh."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def check(self, what, good):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("FAIL", what)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


class Server:
    def __init__(self, vgg, *options):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [vgg, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        ready = re.findall(r"127\.0\.0\.1:(\d+)", self.process.stdout.readline())
        if len(ready) != 2:
            raise SystemExit("the server did not start\n" + self.read_log())
        self.port, self.admin_port = map(int, ready)

    def read_log(self):
        self.log.seek(0)
        return self.log.read()

    def request(self, method, path, body=None, admin=False, headers={}):
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.admin_port if admin else self.port, timeout=600)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def metrics(self):
        text = self.request("GET", "/metrics")[1].decode()
        return {series: float(value) for series, value in
                (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")}

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+)", status).group(1))

    def start_wrk(self, connections, seconds, picture, query=""):
        return subprocess.Popen(
            ["wrk", "-t", "2", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "600s",
             "-s", POST, f"http://127.0.0.1:{self.port}/classify{query}", "--", picture],
            stdout=subprocess.PIPE, text=True)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def report_of(wrk):
    """The "NAME VALUE" lines of post.lua, when wrk has ended."""
    return {name: float(value) for name, value in
            re.findall(r"^([a-z0-9_/]+(?: ms)?) ([0-9.]+)$", wrk.communicate()[0], re.M)}


def make_picture(path):
    side = Image.linear_gradient("L").resize((320, 240))
    Image.merge("RGB", (side, side.rotate(180), side.transpose(0))).save(path, quality=90)
    return path
