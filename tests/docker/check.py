#!/usr/bin/python3
"""Build docker/Dockerfile without a Docker engine, run the image, and look at what it does.

    check.py WORK [--rebuild]

buildah builds the very file with chroot isolation, on a base made by debootstrap, since no registry
is needed that way; $BASE names an image to use instead. What it built then runs as a container
does: process 1 of its own process namespace, the image's user, no capabilities, a read-only root.
The base is kept below WORK for the next run. Needs root.
"""
import argparse
import contextlib
import errno
import http.client
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIZE_MAX = 30_000_000  # bytes of the image
START_S = 120
MIRROR, SUITE = "http://deb.debian.org/debian", "bookworm"

passed = failed = 0


def check(what, good):
    global passed, failed
    passed += bool(good)
    failed += not good
    print(f"{'ok  ' if good else 'FAIL'} {what}", flush=True)


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, text=True, **options)


def output(*command):
    return run(*command, stdout=subprocess.PIPE).stdout.strip()


# ---------------------------------------------------------------- building


class Buildah:
    def __init__(self, work):
        self.command = ["buildah", "--storage-driver", "vfs", "--root", work / "storage",
                        "--runroot", work / "run"]

    def __call__(self, *words):
        return output(*self.command, *words)

    def has(self, image):
        return subprocess.run([*map(str, self.command), "inspect", "--type", "image", image],
                              capture_output=True).returncode == 0

    def build(self, image, base):
        run(*self.command, "bud", "--isolation", "chroot", "--format", "docker",
            "--build-arg", f"BASE={base}", "--file", ROOT / "docker/Dockerfile", "--tag", image,
            ROOT, stdout=sys.stderr)


def make_base(buildah, work, image):
    """An image of Debian's minimal system, as debian:12-slim is one."""
    tree = work / "base"
    shutil.rmtree(tree, ignore_errors=True)
    run("debootstrap", "--variant=minbase", SUITE, tree, MIRROR, stdout=sys.stderr)
    container = buildah("from", "scratch")
    run("cp", "-a", f"{tree}/.", buildah("mount", container))
    buildah("commit", "--rm", container, image)
    shutil.rmtree(tree)


# ---------------------------------------------------------------- running


# What a container engine does, in a mount namespace of our own. $1 is the root, $2 USER:GROUP, $3 a
# directory to find at $4 or "", $5 a control group to join or "".
CONTAINER = """
    set -eu
    root=$1 user=$2 from=$3 to=$4 group=$5
    shift 5
    [ -z "$group" ] || echo 0 >"$group/cgroup.procs"
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    if [ -n "$from" ]; then
        mount -t tmpfs tmpfs "$root/sys"
        mkdir -p "$root$to"
        mount --bind "$from" "$root$to"
        mount -o remount,bind,ro "$root/sys"
    fi
    mount -o remount,bind,ro "$root"
    exec chroot --userspec="$user" --groups= "$root" "$@"
"""


class Container:
    """A command of the image, running."""

    def __init__(self, root, config, command, environment, group=None, mount=("", "")):
        for directory in ("proc", "sys", "dev"):
            (root / directory).mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["setpriv", "--no-new-privs", "unshare", "--mount", "--pid", "--fork", "--kill-child",
             "sh", "-c", CONTAINER, "container", root, config["User"], *mount, group or "",
             *command],
            env={**dict(pair.split("=", 1) for pair in config["Env"]), **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def pid(self):
        """Its process 1, as we number it."""
        outer = self.process.pid
        return int(pathlib.Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])

    def end(self, timeout=START_S):
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def photograph():
    """Bytes of a JPEG: one of $VGG_SHARED, or a picture made here."""
    shared = pathlib.Path(os.environ.get("VGG_SHARED", "/nonexistent")) / "data/trashnet"
    for path in sorted(shared.glob("*/*.jpg"))[:1]:
        return path.read_bytes()
    ramp, data = Image.linear_gradient("L").resize((512, 384)), io.BytesIO()
    Image.merge("RGB", (ramp, ramp.rotate(180), ramp)).save(data, "JPEG", quality=90)
    return data.getvalue()


def request(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def status_of(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return line.split(":", 1)[1].split()
    return None


def is_read_only(pid):
    try:
        os.close(os.open(f"/proc/{pid}/root/etc/passwd", os.O_WRONLY))
    except OSError as error:
        return error.errno == errno.EROFS
    return False


@contextlib.contextmanager
def serving(root, config, **options):
    """A container that is ready; yields it with its port and environment."""
    port = free_port()
    environment = {"VGG_LISTEN": f"127.0.0.1:{port}", "VGG_ADMIN_LISTEN": "127.0.0.1:0"}
    container = Container(root, config, config["Entrypoint"] + config["Cmd"], environment,
                          **options)
    try:
        ready = container.process.stdout.readline()
        if not ready.startswith("vgg: ready on "):
            raise RuntimeError(f"the server did not start: {ready}{container.end()[2]}")
        yield container, port, environment
    finally:
        if container.process.poll() is None:
            container.process.kill()
            container.process.wait()


def health(root, config, environment):
    return Container(root, config, config["Healthcheck"]["Test"][1:], environment).end()[0]


# ---------------------------------------------------------------- checks


def check_image(root, config):
    files = [p for p in root.rglob("*") if p.is_file() and not p.is_symlink()]
    size = sum(p.stat().st_size for p in files)
    check(f"image of {size / 1e6:.1f} MB, {len(files)} files, below {SIZE_MAX / 1e6:.0f} MB",
          size < SIZE_MAX)
    user, _, group = config["User"].partition(":")
    check(f"the user is a number other than root: {config['User']}",
          user.isdigit() and group.isdigit() and int(user) > 0 and int(group) > 0)
    check("SIGTERM stops it", config.get("StopSignal", "SIGTERM") == "SIGTERM")
    check("a health check without a shell", config["Healthcheck"]["Test"][0] == "CMD")
    modes = [p for p in files if p.stat().st_mode & 0o6022]
    check(f"no set-id and no writable file: {modes}", not modes)


def check_service(root, config):
    photo = photograph()
    with serving(root, config) as (container, port, environment):
        pid, user = container.pid(), config["User"].split(":")
        check("runs as the image's user", status_of(pid, "Uid") == user[:1] * 4 and
              status_of(pid, "Gid") == user[1:] * 4 and not status_of(pid, "Groups"))
        check("is process 1 there", status_of(pid, "NSpid")[-1] == "1")
        check("has no capabilities and gets none", status_of(pid, "NoNewPrivs") == ["1"] and
              int(status_of(pid, "CapEff")[0], 16) == int(status_of(pid, "CapPrm")[0], 16) == 0)
        check("cannot write its root", is_read_only(pid))
        check("the health command finds it ready", health(root, config, environment) == 0)

        status, body = request(port, "POST", "/classify?top_k=3", photo)
        top = json.loads(body).get("top", [])
        check(f"classifies a photograph: {status}, {[t.get('label') for t in top]}",
              status == 200 and len(top) == 3)
        status, body = request(port, "POST", "/classify", photo[:len(photo) // 2])
        check(f"refuses half of one: {status}", status == 422)
        check("/metrics", request(port, "GET", "/metrics")[0] == 200)

        os.kill(pid, signal.SIGTERM)
        status, _, log = container.end()
        check(f"SIGTERM: exit status {status}", status == 0)
        check("nothing is missing: no error in its log", " error " not in log)
        check("the health command finds it gone", health(root, config, environment) == 1)


def cpu_group():
    """A control group limited to one CPU, and where a container finds it; None: not permitted."""
    name = f"vgg-check-{os.getpid()}"
    for base, quota, limit, place in (
            ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "100000", "/sys/fs/cgroup/cpu"),
            ("/sys/fs/cgroup", "cpu.max", "100000 100000", "/sys/fs/cgroup")):
        group = pathlib.Path(base, name)
        try:
            group.mkdir()
            if (group / quota).exists():
                (group / quota).write_text(limit)
                return group, place
            group.rmdir()
        except OSError:
            if group.exists():
                group.rmdir()
    return None, None


def threads_of(root, config, **options):
    with serving(root, config, **options) as (container, port, _):
        text = request(port, "GET", "/metrics")[1].decode()
        os.kill(container.pid(), signal.SIGTERM)
        container.end()
    line = next(line for line in text.splitlines() if line.startswith("vgg_build_info{"))
    return int(line.split('threads="')[1].split('"')[0])


def check_cpu_limit(root, config):
    everywhere = len(os.sched_getaffinity(0))
    if everywhere < 2:
        print("SKIPPED: a CPU limit shows only where there are two CPUs")
        return
    group, place = cpu_group()
    if group is None:
        print("SKIPPED: no control group can be made here")
        return
    try:
        limited = threads_of(root, config, group=str(group), mount=(str(group), place))
        check(f"--cpus 1 of {everywhere}: {limited} thread", limited == 1)
        check("without it more", threads_of(root, config) > 1)
    finally:
        for _ in range(100):  # until its last process is reaped
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--rebuild", action="store_true", help="make the base anew")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("docker-check: needs root (debootstrap, mounts); try sudo make docker-check")
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    buildah = Buildah(work)
    base = os.environ.get("BASE") or f"localhost/debian-{SUITE}"
    if not os.environ.get("BASE") and (arguments.rebuild or not buildah.has(base)):
        make_base(buildah, work, base)
    buildah.build("vgg", base)
    config = json.loads(buildah("inspect", "--type", "image", "vgg"))["Docker"]["config"]
    container = buildah("from", "vgg")
    with tempfile.TemporaryDirectory() as directory:
        # A copy, so that what we mount on is not the store's.
        root = pathlib.Path(directory, "root")
        run("cp", "-a", buildah("mount", container), root)
        buildah("rm", container)
        root.chmod(0o755)
        pathlib.Path(directory).chmod(0o755)
        check_image(root, config)
        check_service(root, config)
        check_cpu_limit(root, config)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
