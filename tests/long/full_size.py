#!/usr/bin/python3
"""A full-size VGG-16 in service: full_size.py VGG.

Eight clients ask at 256, 384 and 512 with mirrors. Resident memory stays under a limit, views of
several requests share passes, and everybody gets the same bytes of `top`, which are those of a lone
request. Seconds to the ready line, with the file in the page cache, are only reported. VGG_PRECISION
chooses the precision.
"""
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from serving import Checks, Server, make_picture

STARTS, CLIENTS, REQUESTS = 3, 8, 16
RESIDENT_MIB_MAX = {"f32": 1200, "i8": 700}


def ask(server, body):
    status, answer = server.request("POST", "/classify?scales=256,384,512&flip=on", body)
    return status, json.dumps(json.loads(answer).get("top"))


def main(vgg):
    checks, ready_s = Checks(), []
    with tempfile.TemporaryDirectory() as folder:
        model = str(pathlib.Path(folder, "vgg16.safetensors"))
        picture = make_picture(pathlib.Path(folder, "picture.jpg")).read_bytes()
        subprocess.run([vgg, "init", "--arch", "D", "--seed", "5", "-o", model], check=True)
        for last in [False] * (STARTS - 1) + [True]:
            start = time.monotonic()
            server = Server(vgg, "--model", model, "--max-queue", "600s", "--deadline", "600s")
            ready_s.append(time.monotonic() - start)
            if not last:
                checks.check("an idle server ends well", server.stop() == 0)
        resident = [server.resident_kib()]
        precision = json.loads(server.request("GET", "/model")[1])["precision"]
        expected = ask(server, picture)
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            answers = clients.map(lambda _: ask(server, picture), range(REQUESTS))
            for answer in answers:
                checks.check("the same top for all", answer == expected and answer[0] == 200)
                resident.append(server.resident_kib())
        metrics = server.metrics()
        passes, views = metrics["vgg_batch_views_count"], metrics["vgg_batch_views_sum"]
        checks.check("views share passes", views > 2 * passes)
        checks.check("the server ends well", server.stop() == 0)
    mib, mib_max = max(resident) / 1024, RESIDENT_MIB_MAX[precision]
    checks.check(f"{mib:.0f} MiB resident are over {mib_max}", mib <= mib_max)
    print(f"measured: ready after {min(ready_s):.2f} s (best of {STARTS}); resident {resident[0] / 1024:.0f} "
          f"MiB then, at most {mib:.0f} MiB with {CLIENTS} clients; {views / passes:.1f} views a pass")
    return checks.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
