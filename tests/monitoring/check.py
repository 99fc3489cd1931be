#!/usr/bin/python3
"""The dashboard, scrape configuration and alert rules of docker/, against a running server.

    check.py VGG

Every metric and label that the dashboard or a rule names must be one that /metrics exposes. With
promtool (Debian: prometheus) configuration, rules and their unit tests are checked too, and with
prometheus itself every query of the dashboard is put to a real one that scrapes the server.
"""
import http.client
import io
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
RULES = DOCKER / "prometheus/rules.yml"
DASHBOARD = json.loads((DOCKER / "grafana/dashboards/vgg.json").read_text())
COLUMNS = 24  # of Grafana's grid
TARGET_LABELS = {"job", "instance"}  # which Prometheus adds
WORDS = set("""sum max count rate increase changes time histogram_quantile by and or unless on
    without""".split())
# Queries without an answer where there is neither TLS nor a reload.
MAY_BE_EMPTY = ("vgg_tls_certificate_expiry_seconds", "changes(vgg_model_load_seconds")
WAIT_S = 60

passed = failed = 0


def check(what, bad):
    """`bad` lists what is wrong."""
    global passed, failed
    bad = list(bad)
    passed += not bad
    failed += bool(bad)
    print(f"{'FAIL' if bad else 'ok  '} {what}", flush=True)
    for line in bad:
        print(f"     {line}")


# ---------------------------------------------------------------- the server


class Server:
    def __init__(self, vgg):
        self.process = subprocess.Popen(
            [vgg, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--scales",
             "256"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", self.process.stdout.readline()).group(1))

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S)


def photograph():
    data = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(data, "JPEG")
    return data.getvalue()


def read_series(text):
    """Name of each series: label: the values it has."""
    series = {}
    for line in text.splitlines():
        match = re.match(r'([a-z_]+)(?:\{(.*)\})? ', line)
        if match:
            labels = series.setdefault(match.group(1), {})
            for label, value in re.findall(r'(\w+)="([^"]*)"', match.group(2) or ""):
                labels.setdefault(label, set()).add(value)
    return series


# ---------------------------------------------------------------- what the files ask for


def panels():
    return [p for p in DASHBOARD["panels"] if p["type"] != "row"]


def dashboard_queries():
    """(where, PromQL)"""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def rule_queries():
    """The same of rules.yml: "expr: ..." or "expr: |" with more deeply indented lines."""
    lines, name = RULES.read_text().splitlines(), None
    for i, line in enumerate(lines):
        if match := re.match(r" *- alert: (\w+)", line):
            name = match.group(1)
        if match := re.match(r"( *)expr: (.*)", line):
            indent, query = len(match.group(1)), match.group(2)
            if query == "|":
                rest = lines[i + 1:]
                length = next(n for n, l in enumerate(rest)
                              if len(l) - len(l.lstrip()) <= indent)
                query = " ".join(l.strip() for l in rest[:length])
            yield name, query


def unknown(query, series):
    """What a query names and the server does not expose."""
    for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", query):
        for label, operator, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', matchers):
            values = series.get(name, {}).get(label)
            if label not in TARGET_LABELS and values is None and name != "up":
                yield f"{name} has no label {label}"
            elif label not in TARGET_LABELS and operator == "=" and value not in values:
                yield f'{name} has no {label}="{value}"'
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on|without)\s*\([^)]*\)|\"[^\"]*\"", " ", query)
    for name in re.findall(r"[A-Za-z_]\w*", bare):
        if name not in series and name not in WORDS and name != "up":
            yield f"there is no metric {name}"
    for labels in re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", query):
        known = TARGET_LABELS.union(*(series.get(n, {}) for n in re.findall(r"\w+", query)))
        for label in labels.replace(" ", "").split(","):
            if label not in known:
                yield f"no metric of it has the label {label}"


def check_names(series):
    for what, queries in (("dashboard", dashboard_queries()), ("rules", rule_queries())):
        queries = list(queries)
        check(f"{what}: {len(queries)} queries name what /metrics exposes",
              [f"{where}: {fault}" for where, query in queries for fault in unknown(query, series)]
              + ([] if queries else ["no queries found"]))
    used = " ".join(query for _, query in [*dashboard_queries(), *rule_queries()])
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series}
    check("the dashboard or a rule uses every metric of vgg",
          [name for name in sorted(families) if name.startswith("vgg_") and name not in used])
    check("self check: faults are found",
          [query for query in ("vgg_queue_dept", 'rate(vgg_requests_shed_total{reason="x"}[1m])',
                               'vgg_queue_depth{stage="x"}', "sum by (stages) (vgg_queue_depth)")
           if not list(unknown(query, series))])


def overlaps():
    taken = {}
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        if at["x"] + at["w"] > COLUMNS:
            yield f"{panel['title']}: wider than the grid"
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                if taken.setdefault((x, y), panel["title"]) != panel["title"]:
                    yield f"{panel['title']} covers {taken[x, y]}"


def check_layout():
    check("dashboard: panels have their places", sorted(set(overlaps())))
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    check("dashboard: panels have their numbers", [i for i in ids if ids.count(i) > 1])
    variables = {v["name"] for v in DASHBOARD["templating"]["list"]}
    text = json.dumps(DASHBOARD)
    check("dashboard: variables are defined", set(re.findall(r"\$\{?(\w+)", text)) - variables -
          {"__rate_interval", "__interval", "__range", "__all"})
    mounted = re.findall(r"- (\.\.?/[^:]+):", (DOCKER / "compose.yaml").read_text())
    check("compose: what is mounted is there", [path for path in mounted if path != "../models"
                                                and not (DOCKER / path).exists()])


# ---------------------------------------------------------------- promtool and prometheus


def plain(query):
    """A query as Prometheus takes it, without Grafana's variables."""
    for variable, value in (("$job", "vgg"), ("$instance", ".*"), ("$__rate_interval", "5s"),
                            ("$__interval", "5s"), ("$__range", "5s")):
        query = query.replace(variable, value)
    return query


def check_command(what, command, **options):
    # promtool check metrics: 3 for remarks on style.
    result = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                            check=False, **options)
    check(what, [] if result.returncode == 0 else
          [f"exit status {result.returncode}", *(result.stdout + result.stderr).splitlines()])


def check_promtool(exposition):
    if shutil.which("promtool") is None:
        print("SKIPPED: no promtool here (Debian: prometheus): rules are not checked")
        return
    check_command("promtool check metrics", ["promtool", "check", "metrics"], input=exposition)
    check_command("promtool check config", ["promtool", "check", "config",
                                            DOCKER / "prometheus/prometheus.yml"])
    check_command("promtool check rules", ["promtool", "check", "rules", RULES])
    check_command("promtool test rules", ["promtool", "test", "rules",
                                          ROOT / "tests/monitoring/rules_test.yml"])
    tested = (ROOT / "tests/monitoring/rules_test.yml").read_text()
    check("every alert is tested", [name for name, _ in rule_queries() if name not in tested])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, query):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def answers(port, server, photo):
    """Put the queries until all have an answer; those that have none, with what came."""
    left = {plain(query): where for where, query in dashboard_queries()}
    left |= {f"count({plain(query)}) or vector(0)": where for where, query in rule_queries()}
    end = time.monotonic() + WAIT_S
    while left and time.monotonic() < end:
        server.request("POST", "/classify", photo)
        for query in list(left):
            try:
                answer = ask(port, query)
            except (OSError, ValueError, http.client.HTTPException):  # not there yet
                break
            if answer["status"] != "success":
                return [f"{left[query]}: {answer['error']}"]
            if answer["data"]["result"] or any(name in query for name in MAY_BE_EMPTY):
                del left[query]
        time.sleep(0.2)
    return [f"{where}: nothing for {query}" for query, where in left.items()]


def check_prometheus(server, photo, directory):
    if shutil.which("prometheus") is None:
        print("SKIPPED: no prometheus here: queries are not put to one")
        return
    port = free_port()
    config = directory / "prometheus.yml"
    config.write_text((DOCKER / "prometheus/prometheus.yml").read_text()
                      .replace("vgg:8080", f"127.0.0.1:{server.port}")
                      .replace("rules.yml", str(RULES)).replace(": 10s", ": 500ms"))
    process = subprocess.Popen(
        ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}",
         f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        check("every query of the dashboard has an answer", answers(port, server, photo))
        firing = ask(port, 'ALERTS{alertstate="firing"}')["data"]["result"]
        check("no alert fires", [alert["metric"]["alertname"] for alert in firing])
    finally:
        process.terminate()
        process.wait(WAIT_S)


def main():
    server = Server(sys.argv[1])
    try:
        photo = photograph()
        server.request("POST", "/classify", photo)
        exposition = server.request("GET", "/metrics")
        check_names(read_series(exposition))
        check_layout()
        with tempfile.TemporaryDirectory() as directory:
            check_promtool(exposition)
            check_prometheus(server, photo, pathlib.Path(directory))
    finally:
        status = server.stop()
    check("the server ends well", [] if status == 0 else [f"exit status {status}"])
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
