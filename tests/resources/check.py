#!/usr/bin/python3
"""Little memory, few threads: what `vgg` does where a limit leaves too little.

    check.py VGG

Every start that reaches main works or ends with exit status 2 and one line that names the limit and
what it has to be; with that much it works. Before main the loader says 127 or the kernel kills, so
each limit's least value is looked for first. Commands that compute nothing start no thread.
"""
import ctypes
import math
import os
import pathlib
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURE = ROOT / "tests/data/glass.jpg"
HANG_S = 60  # a start takes less than one; a busy machine needs more
# A user id that nobody has: root is not held to RLIMIT_NPROC, and another run counts by itself.
STRANGER = 20000 + os.getpid() % 40000
POINTS = 4  # between the least value and the one that does
STEPS = 4  # at most, each a refusal that says what is needed: some things are known late

# Name: (limit, its unit, what a line about it says, more than enough, how much the least value
# differs from start to start: of a stack the kernel and the loader leave more or less)
LIMITS = {
    "address space": (resource.RLIMIT_AS, 1024, "ulimit -v", 4 << 20, 0),
    "data": (resource.RLIMIT_DATA, 1024, "ulimit -d", 4 << 20, 0),
    "stack": (resource.RLIMIT_STACK, 1024, "ulimit -s", 8 << 10, 16),
    "descriptors": (resource.RLIMIT_NOFILE, 1, "ulimit -n", 8 << 10, 0),
    "threads": (resource.RLIMIT_NPROC, 1, "ulimit -u", 1 << 10, 0),
}
SERVE = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
COMMANDS = [["--version"], ["inspect"], ["health", "--listen", "127.0.0.1:1"],
            ["classify", PICTURE], SERVE]
NO_SERVER = b"vgg: cannot connect to 127.0.0.1:1: Connection refused\n"

vgg = None
passed = failed = 0


def check(what, faults):
    global passed, failed
    passed += not faults
    failed += bool(faults)
    print(f"{'FAIL' if faults else 'ok  '} {what}", *faults, sep="\n     ", flush=True)


# ---------------------------------------------------------------- one start


def under(limits, group=None):
    """For the child: the limits [(which, soft, hard)], and another user for that of threads."""
    def prepare():
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()))
        for which, soft, hard in limits:
            resource.setrlimit(which, (soft, hard))
        if any(which == resource.RLIMIT_NPROC for which, _, _ in limits):
            os.setgroups([])
            os.setgid(STRANGER)
            os.setuid(STRANGER)
    return prepare


def start(command, limits=(), env=None, group=None):
    """(status, what standard error holds); a server that is ready is ended by SIGTERM."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([vgg, *command], stdin=subprocess.DEVNULL, stderr=errors,
                                   stdout=subprocess.PIPE, preexec_fn=under(limits, group),
                                   env={**os.environ, **(env or {})})
        try:
            if command[0] == "serve" and select.select([process.stdout], [], [], HANG_S)[0] and \
                    process.stdout.readline().startswith(b"vgg: ready on "):
                process.send_signal(signal.SIGTERM)
            status = process.wait(HANG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = "hangs"
        process.stdout.close()
        errors.seek(0)
        return status, errors.read()


def works(command, result):
    status, errors = result
    if command[0] == "health":
        return status == 1 and errors == NO_SERVER
    return status == 0


def needed(result, name):
    """What a refusal says is needed of the limit; None where it is not such a line."""
    status, errors = result
    line = re.fullmatch(rb"vgg: (.*) is (\d+)\b.*, and (\d+)\b.* are needed\n", errors)
    if status != 2 or line is None or name.encode() not in line[1] or int(line[3]) <= int(line[2]):
        return None
    return int(line[3])


# ---------------------------------------------------------------- each limit


def least(enough, high):
    """The least value from 0 to `high` that is enough, which `high` is."""
    low = -1
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


def climb(command, option, value, limited):
    """From a value, by what each refusal says is needed: (faults, the value that works)."""
    for _ in range(STEPS):
        result = limited(command, value)
        if works(command, result):
            return [], value
        more = needed(result, option)
        if more is None:
            return [f"{option} {value}: {result}"], value
        value = more
    return [f"{option} {value} is more than was said to be enough, and is not"], value


def sweep(name):
    which, unit, option, high, spread = LIMITS[name]

    def limited(command, value):
        return start(command, [(which, value * unit, value * unit)])

    def reaches_main(value):
        try:
            status, errors = limited(["--version"], value)
        except (OSError, subprocess.SubprocessError):
            return False  # not even the child of this script got on
        return status == 0 or (status != 127 and status >= 0 and errors.startswith(b"vgg: "))

    first = least(reaches_main, high) + spread
    for command in COMMANDS:
        faults, last = climb(command, option, first, limited)
        ratio = last / max(first, 1)
        values = {math.floor(max(first, 1) * ratio ** (i / POINTS)) for i in range(1, POINTS)}
        for value in sorted(values | {first + 1, last - 1} - {first}):
            if value > first:
                faults += climb(command, option, value, limited)[0]
        check(f"{name}: {command[0]}, {first} to {last}", faults)


# ---------------------------------------------------------------- threads

PTRACE_TRACEME, PTRACE_CONT, PTRACE_SETOPTIONS = 0, 7, 0x4200
FORKS = {1, 2, 3}  # PTRACE_EVENT_FORK, VFORK, CLONE
OPTIONS = sum(1 << event for event in FORKS) | 1 << 20  # and PTRACE_O_EXITKILL
libc = ctypes.CDLL(None, use_errno=True)


def trace(request, pid, data):
    return libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, ctypes.c_void_p(data))


def count_threads(command):
    """How many threads and processes a command starts; None where nothing can be traced."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        if trace(PTRACE_TRACEME, 0, 0) != 0:
            os._exit(77)
        os.execv(vgg, [vgg, *map(str, command)])
    started, running, configured = 0, {pid}, False
    while running:
        child, status = os.waitpid(-1, 0x40000000)  # __WALL
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            running.discard(child)
            if child == pid and os.WIFEXITED(status) and os.WEXITSTATUS(status) == 77:
                return None
            continue
        running.add(child)
        if not configured:
            configured = trace(PTRACE_SETOPTIONS, child, OPTIONS) == 0
        started += status >> 16 in FORKS
        stop = os.WSTOPSIG(status)
        trace(PTRACE_CONT, child, 0 if stop in (signal.SIGTRAP, signal.SIGSTOP) else stop)
    return started


def check_threads():
    if not count_threads(["classify", "--threads", "2", PICTURE]):
        print("SKIPPED: no process can be traced here, so threads are not counted")
        return
    for command in COMMANDS[:3] + [["--help"], ["serve", "--help"], ["inspect", "--json"]]:
        n = count_threads(command)
        check(f"no thread: {command[0]}", [f"{n} were started"] if n else [])


# ---------------------------------------------------------------- OpenBLAS


def check_products(work):
    """The portable kernels on a model so small that OpenBLAS's buffer is what does not fit."""
    model = work / "narrow.safetensors"
    subprocess.run([vgg, "init", "--width", "4", "--fc", "16", "--classes", "10", "--crop", "32",
                    "-o", model], check=True)
    command = ["classify", "--model", model, "--scales", "64", "--max-view-pixels", "16K", PICTURE]
    faults, env = [], {"VGG_KERNELS": "portable"}
    for kib in range(50000, 190001, 10000):
        limit = [(resource.RLIMIT_AS, kib * 1024, kib * 1024)]
        result = start(command, limit, env)
        if needed(result, "ulimit -v") is None and (result[0] != 0 or kib < 128 << 10):
            faults.append(f"ulimit -v {kib}: {result}")
    check("SGEMM's buffer", faults)


# ---------------------------------------------------------------- descriptors


def check_descriptors():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    many = SERVE + ["--max-connections", "2000"]

    def limited(command, soft, most):
        return start(command, [(resource.RLIMIT_NOFILE, soft, most)])

    result = limited(many, 1000, 1000)
    check("fewer descriptors than --max-connections",
          [] if needed(result, "ulimit -n") is not None else [str(result)])
    if hard != resource.RLIM_INFINITY and hard < 4000:
        print(f"SKIPPED: the soft limit of descriptors raised: the hard one is {hard}")
        return
    result = limited(many, 100, 4000)
    check("the soft limit of descriptors is raised", [] if result[0] == 0 else [str(result)])
    result = limited(SERVE, 200, 200)
    check("without --max-connections the descriptors decide",
          [] if result[0] == 0 and b" 136 connections\n" in result[1] else [str(result)])


# ---------------------------------------------------------------- control groups

GROUPS = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]


def own_group(root, limit):
    """A new group that may be limited, or None."""
    group = pathlib.Path(root) / f"vgg-{uuid.uuid4().hex}"
    try:
        group.mkdir()
    except OSError:
        return None
    if (group / limit).exists() and os.access(group / limit, os.W_OK):
        return group
    group.rmdir()
    return None


def check_group(root, limit):
    group = own_group(root, limit)
    if group is None:
        print(f"SKIPPED: no control group with {limit} can be made at {root}")
        return
    try:
        def limited(command, kib):
            (group / limit).write_text(f"{kib << 10}\n")
            return start(command, group=group)

        for command in (SERVE, ["classify", PICTURE], ["inspect"]):
            faults, last = climb(command, limit, 16 << 10, limited)
            faults += climb(command, limit, last // 2, limited)[0]
            check(f"{limit}: {command[0]}, {16 << 10} to {last}", faults)
        faults = [] if needed(limited(["bench"], 100 << 10), limit) is not None else ["not refused"]
        check(f"{limit}: bench", faults)
    finally:
        group.rmdir()


def check_pids(root, limit):
    group = own_group(root, limit)
    if group is None:
        print(f"SKIPPED: no control group with {limit} can be made at {root}")
        return
    try:
        (group / limit).write_text("8\n")
        status, errors = start(SERVE, group=group)
        good = status == 2 and re.fullmatch(
            rb"vgg: .*pids\.max.* start 7 threads, and \d+ are needed\n", errors)
        check(f"{root}: {limit}", [] if good else [f"{status}, {errors}"])
    finally:
        group.rmdir()


def main():
    global vgg
    vgg = os.path.abspath(sys.argv[1])
    check_threads()
    check_descriptors()
    with tempfile.TemporaryDirectory() as work:
        check_products(pathlib.Path(work))
    for name in LIMITS:
        if name == "threads" and os.geteuid() != 0:
            print("SKIPPED: threads: only root can start a program as a user that has none yet")
        else:
            sweep(name)
    for root, limit in GROUPS:
        check_group(root, limit)
    for root in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
        check_pids(root, "pids.max")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
