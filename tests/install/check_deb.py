#!/usr/bin/python3
"""The Debian packages: what is in them, the unit, and the service run as systemd would run it.

    tests/install/check_deb.py DIRECTORY      where `make deb` put them
"""
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

passed = failed = skipped = 0


def check(name, holds, note=""):
    global passed, failed
    passed += bool(holds)
    failed += not holds
    print(f"{'ok  ' if holds else 'FAIL'} {name}{'' if holds else f': {note}'}", flush=True)


def contents(package):
    lines = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True)
    return {line.split()[5].removeprefix(".") for line in lines.stdout.splitlines()}


def check_unit(unit, root):
    global skipped
    text = unit.read_text()
    check("the unit starts the packaged program", "\nExecStart=/usr/bin/vgg serve\n" in text, text)
    if shutil.which("systemd-analyze") is None:
        print("SKIPPED: no systemd-analyze here")
        skipped += 1
        return
    copy = root / "vgg.service"  # where the program is, until it is installed
    copy.write_text(text.replace("=/usr/bin/vgg", f"={root}/usr/bin/vgg"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True,
                          text=True)
    check("systemd-analyze verify", done.returncode == 0 and not done.stderr, done.stderr)


def check_service(root):
    """ExecStart, told by NOTIFY_SOCKET where to report, becomes ready and stops on SIGTERM."""
    address = str(root / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(address)
        notify.settimeout(60)
        server = subprocess.Popen(
            [root / "usr/bin/vgg", "serve"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={"NOTIFY_SOCKET": address, "VGG_LISTEN": "127.0.0.1:0",
                 "VGG_ADMIN_LISTEN": "127.0.0.1:0"})
        try:
            said = [notify.recv(4096).decode()]
            check("reports ready", "READY=1" in said[0], said)
            server.send_signal(signal.SIGTERM)
            said.append(notify.recv(4096).decode())
            check("reports that it stops", "STOPPING=1" in said[1], said)
            check("stops", server.wait(60) == 0, server.returncode)
        except OSError as error:
            server.kill()
            check("reports", False, f"{error}: {server.stderr.read().decode()}")
        finally:
            server.kill()
            server.wait()


def main():
    packages = {path.name.split("_")[0]: path
                for path in pathlib.Path(sys.argv[1]).glob("*.deb")}
    check("the packages are there", {"vgg", "libvgg-dev"} <= packages.keys(), packages)
    found = contents(packages["vgg"])
    for path in ("/usr/bin/vgg", "/usr/share/man/man1/vgg.1.gz", "/lib/systemd/system/vgg.service",
                 "/usr/share/bash-completion/completions/vgg", "/usr/share/doc/vgg/copyright"):
        check(f"vgg has {path}", path in found, found)
    found = contents(packages["libvgg-dev"])
    check("libvgg-dev has headers, library, pkg-config file",
          {"/usr/include/vgg.h", "/usr/include/vgg_bench.h", "/usr/include/vgg_train.h"} <= found and
          any(p.endswith("/libvgg.a") for p in found) and any(p.endswith("/vgg.pc") for p in found),
          found)
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        subprocess.run(["dpkg-deb", "-x", packages["vgg"], root], check=True)
        check_unit(root / "lib/systemd/system/vgg.service", root)
        check_service(root)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
