#!/usr/bin/python3
"""systemd's unit of an installation: what systemd-analyze says of it, and what its program tells
systemd.

    tests/install/unit.py UNIT
"""
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

counts = {"ok": 0, "FAIL": 0, "SKIPPED": 0}


def check(name, holds, note=""):
    counts["ok" if holds else "FAIL"] += 1
    print(f"{'ok  ' if holds else 'FAIL'} {name}{'' if holds else f': {note}'}", flush=True)


def report():
    """The last line of a test script, and its exit status."""
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['SKIPPED']} skipped")
    return 1 if counts["FAIL"] or not counts["ok"] else 0


def check_verified(unit):
    if shutil.which("systemd-analyze") is None:
        print("SKIPPED: no systemd-analyze here")
        counts["SKIPPED"] += 1
        return
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                          text=True)
    check("systemd-analyze verify", done.returncode == 0 and not done.stderr, done.stderr)


def check_notifies(unit):
    """Told by NOTIFY_SOCKET where to report, ExecStart becomes ready, and stops on SIGTERM."""
    command = shlex.split(re.search(r"^ExecStart=(.*)$", unit.read_text(), re.M).group(1))
    with tempfile.TemporaryDirectory() as directory, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        address = os.path.join(directory, "notify")
        notify.bind(address)
        notify.settimeout(60)
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={
            "NOTIFY_SOCKET": address, "VGG_LISTEN": "127.0.0.1:0", "VGG_ADMIN_LISTEN": "127.0.0.1:0"})
        try:
            said = notify.recv(4096).decode().split("\n")
            check("ExecStart reports ready", "READY=1" in said, said)
            server.send_signal(signal.SIGTERM)
            said = notify.recv(4096).decode().split("\n")
            check("reports that it stops", "STOPPING=1" in said, said)
            check("stops", server.wait(60) == 0, server.returncode)
        except (OSError, subprocess.TimeoutExpired) as error:
            server.kill()
            check("reports in time", False, f"{error}: {server.stderr.read().decode()}")
        finally:
            server.kill()
            server.communicate()


def check_unit(unit):
    check_verified(unit)
    check_notifies(unit)


if __name__ == "__main__":
    check_unit(pathlib.Path(sys.argv[1]))
    sys.exit(report())
