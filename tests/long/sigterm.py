#!/usr/bin/python3
"""SIGTERM under load: sigterm.py VGG. ROUNDS (default 20) says how often.

wrk with 16 connections, and clients of our own beside it that keep their connections or open one
for each request, see a server end. Whoever was let in is answered, and exit status 0 it is.
"""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from serving import Checks, Server, make_picture, report_of

ROUNDS = int(os.environ.get("ROUNDS", "20"))
CONNECTIONS, CLIENTS = 16, 8
HANG_S = 60


class Client(threading.Thread):
    """Asks until nobody lets it in; counts what it got."""

    def __init__(self, port, body, keeps):
        super().__init__()
        self.port, self.keeps = port, keeps
        self.request = (b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n" %
                        (len(body), b"" if keeps else b"Connection: close\r\n")) + body
        self.answered, self.draining, self.dropped = 0, 0, []

    def ask(self, connection, stream):
        """True where another request may follow."""
        connection.sendall(self.request)
        status = stream.readline()
        if not status:
            raise ConnectionError("no answer")
        length, goes_on = 0, self.keeps
        for line in iter(stream.readline, b"\r\n"):
            name, value = line.split(b": ", 1)
            if name == b"Content-Length":
                length = int(value)
            if name == b"Connection" and value.strip() == b"close":
                goes_on = False
        body = stream.read(length)
        if status.startswith(b"HTTP/1.1 200") and len(body) == length:
            self.answered += 1
        elif status.startswith(b"HTTP/1.1 503") and b"problem:draining" in body:
            self.draining += 1
        else:
            raise ConnectionError(status)
        return goes_on

    def run(self):
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), HANG_S)
            except ConnectionRefusedError:
                return
            with connection, connection.makefile("rb") as stream:
                try:
                    while self.ask(connection, stream):
                        pass
                except (OSError, ValueError) as error:
                    self.dropped.append(repr(error))


def one_round(vgg, model, picture, checks, sums):
    server = Server(vgg, "--model", str(model), "--scales", "64", "--max-queue", "60s")
    body = picture.read_bytes()
    clients = [Client(server.port, body, i % 2 == 0) for i in range(CLIENTS)]
    wrk = server.start_wrk(CONNECTIONS, 3600, picture)
    for client in clients:
        client.start()
    while sum(client.answered for client in clients) < 10 * CLIENTS:
        time.sleep(0.01)
    start = time.monotonic()
    status = server.stop()
    sums["end_s"].append(time.monotonic() - start)
    for client in clients:
        client.join()
    wrk.send_signal(signal.SIGINT)
    report = report_of(wrk)
    dropped = [what for client in clients for what in client.dropped]
    checks.check(f"exit status {status}", status == 0)
    checks.check(f"dropped: {dropped}", not dropped)
    for kind in ("read", "timeout"):  # "write" is how wrk counts connections that are refused
        checks.check(f"{kind} errors of wrk: {report['errors_' + kind]:.0f}",
                     report["errors_" + kind] == 0)
    checks.check(f"{report['count_other']:.0f} others than 200 and 503", report["count_other"] == 0)
    sums["answered"] += report["count_ok"] + sum(client.answered for client in clients)
    sums["draining"] += report["count_shed"] + sum(client.draining for client in clients)


def main(vgg):
    checks = Checks()
    sums = {"answered": 0, "draining": 0, "end_s": []}
    with tempfile.TemporaryDirectory() as directory:
        model = pathlib.Path(directory, "model.safetensors")
        picture = make_picture(pathlib.Path(directory, "photo.jpg"))
        subprocess.run([vgg, "init", "--width", "4", "--fc", "16", "--classes", "10", "--crop",
                        "32", "-o", model], check=True)
        for _ in range(ROUNDS):
            one_round(vgg, model, picture, checks, sums)
    print(f"measured: {ROUNDS} ends: {sums['answered']:.0f} answered, {sums['draining']:.0f} told to go; "
          f"from SIGTERM to the end {min(sums['end_s']):.2f} to {max(sums['end_s']):.2f} s")
    return checks.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
