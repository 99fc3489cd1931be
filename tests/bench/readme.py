#!/usr/bin/python3
"""Measure, and write the figures where the READMEs keep them: readme.py BUILD [--quick] [--from FILE]

Layers (`vgg bench`), other libraries (tests/peers), photographs under wrk (tests/load), memory and the
size of the image; ten minutes on a quiet machine of two CPUs. core/kernels/BENCHMARKS.md is written
whole, the table in README.md between its two comments. What was measured is kept in BUILD/figures.json,
of which --from FILE writes the same text again. --quick measures everything once: to try this script,
not for its figures.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIGURES = ROOT / "core/kernels/BENCHMARKS.md"
README = ROOT / "README.md"
MARKS = "<!-- figures: written by make bench-readme -->\n", "<!-- end of figures -->\n"
KERNELS = [("avx512", "f32"), ("avx2", "f32"), ("neon", "f32"), ("avx512-vnni", "i8"), ("avx-vnni", "i8"),
           ("neon-dotprod", "i8")]
VIEWS = [("224x224,384x384,512x512", 1), ("224x224", 8)]
PEERS_S = 210  # after which each size has one round


def say(text):
    print(f"bench-readme: {text}", file=sys.stderr, flush=True)


def output_of(command, **environment):
    """Of a command, or None where it fails, which is said."""
    words = [str(word) for word in command]
    result = subprocess.run(words, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True,
                            cwd=ROOT, check=False)
    if result.returncode == 0:
        return result.stdout
    say(f"status {result.returncode} of {' '.join(words)}")
    return None


def runs_here(vgg, kernels, precision):
    return subprocess.run([vgg, "classify", "--precision", precision, "tests/data/glass.jpg"],
                          env={**os.environ, "VGG_KERNELS": kernels}, cwd=ROOT, check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def precisions_of(vgg):
    """Those that this machine runs."""
    return ["f32"] + ["i8"] * runs_here(vgg, "", "i8")


# ---------------------------------------------------------------- measuring


def machine():
    described = dict(re.findall(r"^([^:\n]+): +(.*)$", output_of(["lscpu"], LC_ALL="C") or "", re.M))
    return {"date": datetime.date.today().isoformat(), "cpu": described.get("Model name", "unknown"),
            "virtual": "Hypervisor vendor" in described, "cpus": len(os.sched_getaffinity(0)),
            "load": os.getloadavg()[0],
            "commit": (output_of(["git", "rev-parse", "--short", "HEAD"]) or "unknown").strip()}


def measure_layers(vgg, repeats):
    tables = []
    for kernels, precision in KERNELS:
        if not runs_here(vgg, kernels, precision):
            continue
        say(f"layers, {kernels}")
        runs = []
        for sizes, batch in VIEWS:
            answer = json.loads(output_of([vgg, "bench", "--precision", precision, "--sizes", sizes,
                                           "--batch", batch, "--repeats", repeats, "--json"],
                                          VGG_KERNELS=kernels))
            runs += answer["runs"]
        tables.append({"kernels": kernels, "machine": answer["machine"],
                       "runs": [{key: run[key] for key in run if key != "layers"} for run in runs]})
    return tables


def measure_peers(build, quick):
    say("other libraries")
    extent = ["--rounds", 1 if quick else 4, "--seconds", 1 if quick else PEERS_S]
    text = output_of(["sh", "tests/peers/run.sh", build, "--json", *extent])
    return text and json.loads(text)


def measure_load(vgg, quick):
    results = []
    with tempfile.TemporaryDirectory() as directory:
        full = pathlib.Path(directory, "VGG-16.safetensors")
        output_of([vgg, "init", "-o", full])
        for model, precisions, connections, seconds in (
                (ROOT / "server/models/trashnet/trashnet.safetensors", ["f32"], "1,4,16,64", 10),
                (full, precisions_of(vgg), "1,4", 20)):
            say(f"load, {model.name}")
            text = output_of(["/usr/bin/python3", "tests/load/load.py", vgg, "--model", model, "--json",
                              "--precision", ",".join(precisions), "--connections", connections,
                              "--seconds", 2 if quick else seconds])
            results += [json.loads(text)] if text else []
    return results


def seconds_to_ready(vgg, model, precision):
    """From the start of `serve` to its line; the model's file is in the page cache."""
    begin = time.monotonic()
    command = [vgg, "serve", "--model", model, "--precision", precision, "--listen", "127.0.0.1:0",
               "--admin-listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        server.stdout.readline()
        seconds = time.monotonic() - begin
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        server.terminate()
    return {"seconds": seconds, "bytes": 1024 * int(re.search(r"VmRSS:\s*(\d+)", status).group(1))}


def measure_service(vgg, quick):
    with tempfile.TemporaryDirectory() as directory:
        model = pathlib.Path(directory, "model.safetensors")
        output_of([vgg, "init", "-o", model])
        starts = {precision: min((seconds_to_ready(vgg, model, precision)
                                  for _ in range(1 if quick else 3)), key=lambda start: start["seconds"])
                  for precision in precisions_of(vgg)}
        image = pathlib.Path(directory, "image")  # what the Dockerfile copies
        laid_out = output_of(["sh", "docker/root.sh", vgg, image]) is not None
        image_bytes = sum(path.stat().st_size for path in image.rglob("*") if path.is_file())
    return {"ready": starts, "image_bytes": image_bytes if laid_out else None}


def measure(build, quick):
    vgg = build / "vgg"
    return {"machine": machine(), "service": measure_service(vgg, quick),
            "layers": measure_layers(vgg, 1 if quick else 7), "peers": measure_peers(build, quick),
            "load": measure_load(vgg, quick)}


# ---------------------------------------------------------------- writing


def table(titles, rows):
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def significant(value, digits=3):
    return f"{value:.0f}" if value >= 10 ** (digits - 1) else f"{value:.{digits}g}"


def mib(size):
    return f"{size / 2 ** 20:.0f} MiB"


def mb(size):
    return f"{size / 1e6:.3g} MB"


def size_title(row):
    side, views = row
    return f"{side}x{side}" + (f", {views} views" if views > 1 else "")


def layers_text(tables):
    rows = [[f"{run['size']}" + (f", {run['batch']} views" if run["batch"] > 1 else ""), one["kernels"],
             f"{significant(run['conv_ms'])} ms", significant(run["conv_vs_peak"]),
             f"{significant(run['fc_ms'])} ms", significant(run["fc_vs_peak"], 2),
             f"{run['fc_vs_bandwidth']:.2f}", f"{significant(run['total_ms'])} ms"]
            for one in tables for run in one["runs"]]
    peaks = "; ".join(f"{one['kernels']}: {one['machine']['fma_gflops']:.0f} GFLOP/s by FMA, "
                      f"{one['machine']['read_gbps']:.0f} GB/s read" for one in tables)
    return (f"`vgg bench`, VGG-16, the least of seven passes. The peaks, measured in the same runs: {peaks}."
            "\n\n" + table(["view", "kernels", "convolutions", "of FMA peak", "FC layers", "of FMA peak",
                            "of read bandwidth", "total"], rows))


def peers_text(result):
    if result is None:
        return "Not measured.\n"
    own = result["peers"][0]["ms"]
    rows = [[peer["name"], peer["version"],
             *(f"{significant(ms)} ms" + ("" if peer is result["peers"][0] else f" ({ms / ours:.2f})")
               for ms, ours in zip(peer["ms"], own)), mib(peer["memory_bytes"])]
            for peer in result["peers"]]
    return (f"`make bench-peers`, VGG-16 with the same seeded weights, the least of {result['passes']} "
            "passes each, in turn; in brackets the time over ours in F32. Memory is the peak of a process "
            "that loads the network and computes one view of 224x224. ncnn takes one view at a time. "
            "\"Without AMX\": the kernel denied its tiles to that process, which computes by AVX512.\n\n" +
            table(["", "version", *map(size_title, result["rows"]), "memory"], rows))


def load_text(results):
    rows = []
    for result in results:
        name = f"{result['model']['name']} ({', '.join(map(str, result['scales']))})"
        for row in result["rows"]:
            rows.append([name, *row.values()])
            name = ""
    titles = ["model (scales)", *results[0]["rows"][0]] if results else ["not measured"]
    return ("`make load`: photographs of 512x384 at the model's scales with mirrors, each connection "
            "asking again at once. \"Of bench\" is views a second over those of `vgg bench`, which neither "
            "decodes nor rescales.\n\n" + table(titles, rows))


def service_text(service):
    image = service["image_bytes"]
    rows = [[precision, f"{start['seconds']:.2f} s", mib(start["bytes"])]
            for precision, start in service["ready"].items()]
    return ("A full-size VGG-16, from the start of `vgg serve` with the model's file in the page cache "
            "to the line that says that it is ready, and what is resident then:\n\n" +
            table(["precision", "ready after", "memory"], rows) + "\nThe container image holds "
            f"{mb(image) if image else 'an unknown number of bytes'}.\n")


def figures_text(figures):
    where = figures["machine"]
    return f"""# Figures

Written by `make bench-readme`; not to be edited. What they mean and how they are reached:
[README.md](README.md).

{where["date"]}, commit {where["commit"]}; {where["cpu"]}{" (a virtual machine)" if where["virtual"] else ""},
{where["cpus"]} CPUs, as many threads; load at the beginning {where["load"]:.1f}. "Of FMA peak" counts the
operations of a direct convolution, so Winograd's may exceed 1.

## Layers

{layers_text(figures["layers"])}
## Other libraries

{peers_text(figures["peers"])}
## Under load

{load_text(figures["load"])}
## Start and size

{service_text(figures["service"])}"""


def times(ms, ours):
    ratio = ms / ours
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


def readme_table(figures):
    """Time as a multiple of ours, so that another machine's numbers are much the same."""
    where, result = figures["machine"], figures["peers"]
    if result is None:
        return None
    own, image = result["peers"][0], figures["service"]["image_bytes"]
    rows = [["**vgg**", *(f"{significant(ms, 2)} ms" for ms in own["ms"]), mib(own["memory_bytes"]),
             f"{mb(image)}, all of it" if image else "unknown"]]
    rows += [[peer["name"], *map(times, peer["ms"], own["ms"]), mib(peer["memory_bytes"]),
              mb(peer["installed_bytes"]) if "installed_bytes" in peer else ""]
             for peer in result["peers"][1:]]
    return (table(["VGG-16", *map(size_title, result["rows"]), "memory", "size"], rows) +
            f"\nMeasured on {where['date']} on {where['cpus']} CPUs ({where['cpu']}): [all figures]"
            f"({FIGURES.relative_to(ROOT)}).\n")


def rewrite(path, text):
    before, rest = path.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    path.write_text(before + MARKS[0] + text + MARKS[1] + after)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--from", dest="source", type=pathlib.Path)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    if arguments.source:
        figures = json.loads(arguments.source.read_text())
    else:
        figures = measure(build, arguments.quick)
        (build / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    FIGURES.write_text(figures_text(figures))
    text = readme_table(figures)
    if text is None:
        say("README.md keeps its table: the other libraries could not be measured")
        return 1
    rewrite(README, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
