#!/usr/bin/python3
"""The Debian packages: what is in them, and their service run as systemd would run it.

    tests/install/check_deb.py DIRECTORY      where `make deb` put them
"""
import fnmatch
import pathlib
import re
import subprocess
import sys
import tempfile

from unit import check, check_unit, report

SOURCES = pathlib.Path(__file__).parents[2]

# What each package has, beside its folder in /usr/share/doc: all of it. Those of a library are in
# an architecture's folder, *.
CONTENTS = {
    "vgg": ["/usr/bin/vgg", "/usr/share/man/man1/vgg.1.gz", "/lib/systemd/system/vgg.service",
            "/usr/share/bash-completion/completions/vgg"],
    "libvgg0": ["/usr/lib/*/libvgg.so.0", "/usr/lib/*/libvgg.so.0.*"],
    "libvgg-dev": ["/usr/lib/*/libvgg.so", "/usr/lib/*/libvgg.a", "/usr/lib/*/pkgconfig/vgg.pc",
                   *(f"/usr/include/{path.name}" for path in (SOURCES / "include").iterdir())],
}


def contents(package):
    """The files and links of a package."""
    lines = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True)
    columns = (line.split() for line in lines.stdout.splitlines())
    return {c[5].removeprefix(".") for c in columns if not c[0].startswith("d")}


def field(package, name):
    return subprocess.run(["dpkg-deb", "-f", package, name], capture_output=True, text=True,
                          check=True).stdout.strip()


def check_contents(name, package):
    found = {p for p in contents(package) if not p.startswith("/usr/share/doc/")}
    missing = [p for p in CONTENTS[name] if not fnmatch.filter(found, p)]
    more = [f for f in found if not any(fnmatch.fnmatchcase(f, p) for p in CONTENTS[name])]
    check(f"{name} has its files", not missing, missing)
    check(f"{name} has no others", not more, more)
    check(f"{name} has a copyright", f"/usr/share/doc/{name}/copyright" in contents(package))


def check_service(package, root):
    """The unit, from where it lies unpacked."""
    subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    text = (root / "lib/systemd/system/vgg.service").read_text()
    check("the unit starts the packaged program", "\nExecStart=/usr/bin/vgg serve\n" in text, text)
    unit = root / "vgg.service"
    unit.write_text(text.replace("=/usr/bin/vgg", f"={root}/usr/bin/vgg"))
    check_unit(unit)


def check_library(packages, root):
    """A program built by the development package runs with the library's."""
    for name in ("libvgg0", "libvgg-dev"):
        subprocess.run(["dpkg-deb", "-x", packages[name], root], check=True)
    directory = next(root.glob("usr/lib/*/"))
    program = root / "classify"
    built = subprocess.run(["gcc", SOURCES / "tests/install/classify.c", f"-I{root}/usr/include",
                            f"-L{directory}", "-lvgg", "-o", program], capture_output=True, text=True)
    ran = built.returncode == 0 and subprocess.run(
        [program, SOURCES / "server/models/trashnet/trashnet.safetensors",
         SOURCES / "tests/data/glass.jpg"],
        env={"LD_LIBRARY_PATH": str(directory)}, capture_output=True, text=True)
    check("a program is built and runs", ran and re.match(r"glass 0\.", ran.stdout),
          ran and ran.stderr or built.stderr)
    version = field(packages["libvgg0"], "Version")
    check("libvgg-dev needs its own libvgg0",
          f"libvgg0 (= {version})" in field(packages["libvgg-dev"], "Depends").split(", "))


def main():
    packages = {path.name.split("_")[0]: path
                for path in pathlib.Path(sys.argv[1]).glob("*.deb") if "-dbgsym_" not in path.name}
    check("the packages are there", packages.keys() == CONTENTS.keys(), packages)
    for name, package in packages.items():
        check_contents(name, package)
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        check_service(packages["vgg"], root)
        check_library(packages, root)
    return report()


if __name__ == "__main__":
    sys.exit(main())
