"""Puts many ScalableApps on the API server that KUBECONFIG's run has started, lets all step at one instant, and
measures: the time from the step to the new replica count (spec.replicas of each app's ReplicaSet) and until that
many pods are Ready, as a watch of its own sees them, and the operator's memory and CPU, idle and through the step.

Started by scripts/bench/scale, under `scripts/apiserver run --with-kwok`. One process for each of: the metric's
exporter (demand.py), Prometheus, the operator; all end with this one. Standard library only.
"""
import argparse
import ctypes
import http.client
import json
import math
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
NAMESPACE = "bench"
TARGET = 10  # Demand that one replica takes.
PODS_PER_NODE = 200
SETTLE_TIMEOUT_S = 240
STEP_TIMEOUT_S = 180
AIMS = {"p99_s": 5.0, "memory_mib": 30.0, "idle_cpu_percent": 3.0}
COMPARISON = """for comparison, KEDA 2.18 with HPA, measured on 2 such cores: 500 apps: p50 26.6 s, p90 135 s, 304 MB, 15 % of a core;
10 apps: mean 8.3 s, 213 MB"""
SERVERS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]

started_at = time.monotonic()


class Failure(Exception):
    """What went wrong, and what to do about it."""


def say(text):
    print(f"[{time.monotonic() - started_at:4.0f}s] {text}", file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------------------------- processes

class Processes:
    """Children that end with this process, however it ends."""

    def __init__(self, logs):
        self.logs = logs
        self.running = []

    def start(self, name, command, **more):
        libc = ctypes.CDLL(None)
        PR_SET_PDEATHSIG = 1
        log = open(os.path.join(self.logs, name + ".log"), "wb")
        # A session of its own: Ctrl-C comes here first, and the order of the end is ours.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=more.pop("stdout", log), stderr=log,
                                   start_new_session=True, preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
                                   **more)
        self.running.append((name, process))
        return process

    def log_of(self, name):
        return os.path.join(self.logs, name + ".log")

    def check(self):
        for name, process in self.running:
            if process.poll() is not None:
                with open(self.log_of(name), errors="replace") as log:
                    tail = "".join("        | " + line[:300] for line in log.readlines()[-8:])
                raise Failure(f"{name} ended with {process.returncode}; the last lines of its log:\n{tail}")

    def stop(self):
        for _, process in reversed(self.running):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


class Usage:
    """A process's CPU time and memory, from /proc."""

    def __init__(self, pid):
        self.pid = pid

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def mib(self, what):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(rf"^{what}:\s+(\d+) kB", status.read(), re.M).group(1)) / 1024

    def resident_mib(self):
        return self.mib("VmRSS")

    def peak_mib(self):
        return self.mib("VmHWM")

    def forget_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w") as clear_refs:
            clear_refs.write("5")

    def threads(self):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"^Threads:\s+(\d+)", status.read(), re.M).group(1))


# -------------------------------------------------------------------------------------------------------- API server

class Api:
    """A few calls over one kept connection, by client certificate."""

    def __init__(self, directory):
        with open(os.path.join(directory, "settings")) as settings:
            self.port = int(re.search(r"^api_port=(\d+)", settings.read(), re.M).group(1))
        self.context = ssl.create_default_context(cafile=os.path.join(directory, "ca.crt"))
        self.context.load_cert_chain(os.path.join(directory, "admin.crt"), os.path.join(directory, "admin.key"))
        self.connection = self.connect()

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=60)

    def call(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status >= 300:
            raise Failure(f"{method} {path}: {response.status} {answer.get('message')}")
        return answer


class ReplicaSetWatch:
    """Sees every state of the apps' ReplicaSets, each with the moment at which it came in."""

    def __init__(self, api):
        self.changed = threading.Condition()
        self.latest = {}  # app -> (spec.replicas, status.replicas, status.readyReplicas)
        self.first = {}   # (app, which count, at least how many) -> moment
        self.wanted = None
        self.broken = None
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets"
        version = api.call("GET", path + "?limit=1")["metadata"]["resourceVersion"]
        self.connection = api.connect()
        self.connection.timeout = None
        self.connection.request("GET", f"{path}?watch=true&resourceVersion={version}&timeoutSeconds=3600")
        self.response = self.connection.getresponse()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while line := self.response.readline():
                moment = time.monotonic()
                event = json.loads(line)
                if event["type"] not in ("ADDED", "MODIFIED"):
                    raise Failure(f"the watch says {event['type']}: {line[:200]}")
                self.take(event["object"], moment)
            raise Failure("the watch ended")
        except Exception as error:  # Looked at by whoever waits.
            with self.changed:
                self.broken = error
                self.changed.notify_all()

    def take(self, replica_set, moment):
        app = replica_set["metadata"]["labels"]["scalableapp.io/name"]
        status = replica_set.get("status", {})
        counts = (replica_set["spec"]["replicas"], status.get("replicas", 0), status.get("readyReplicas", 0))
        with self.changed:
            self.latest[app] = counts
            if self.wanted:
                for which, count in zip(("spec", "exist", "ready"), counts):
                    if count >= self.wanted:
                        self.first.setdefault((app, which), moment)
            self.changed.notify_all()

    def expect(self, wanted):
        with self.changed:
            self.first, self.wanted = {}, wanted

    def seen(self, which):
        with self.changed:
            return {app: moment for (app, w), moment in self.first.items() if w == which}

    def count(self, of, least):
        with self.changed:
            if self.broken:
                raise Failure(f"the ReplicaSets cannot be watched: {self.broken}; see kube-apiserver's log")
            return sum(counts[of] >= least for counts in self.latest.values())


# ------------------------------------------------------------------------------------------------------------- parts

def manifest(name, maximum):
    return {"apiVersion": "scalableapp.io/v1alpha1", "kind": "ScalableApp",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"replicas": {"min": 1, "max": maximum},
                     "metrics": [{"name": "demand", "type": "Prometheus",
                                  "prometheus": {"query": 'sum(demand{app="$(name)"})',
                                                 "target": {"type": "AverageValue", "value": TARGET}}}],
                     "template": {"spec": {"containers": [
                         {"name": "app", "image": "example.invalid/app:1", "resources": {"requests": {"cpu": "10m"}}}]}}}}


def start_prometheus(processes, directory, exporter_port):
    program = shutil.which("prometheus")
    if not program:
        raise Failure("no prometheus on PATH; run scripts/bench/scale, which sees to it")
    config = os.path.join(directory, "prometheus.yml")
    with open(config, "w") as out:
        out.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                  f"scrape_configs: [{{job_name: demand, static_configs: [{{targets: ['127.0.0.1:{exporter_port}']}}]}}]\n")
    port = free_port()
    process = processes.start("prometheus", [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
                                             f"--storage.tsdb.path={directory}/prometheus", "--log.level=warn"])
    return process, port


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, timeout_s, processes, hint, every_s=0.2):
    """Waits until condition() is true, or a text that is shown as progress."""
    begun = said = time.monotonic()
    while (state := condition()) is not True:
        processes.check()
        now = time.monotonic()
        if now - begun > timeout_s:
            raise Failure(f"{what}: not within {timeout_s} s ({state}). {hint}")
        if now - said >= 5:
            said = now
            say(f"   ... {what}: {state}")
        time.sleep(every_s)
    return time.monotonic() - begun


def has_series(port, apps):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/api/v1/query?query=count(demand)")
        result = json.loads(connection.getresponse().read())["data"]["result"]
        connection.close()
    except (OSError, ValueError, KeyError):
        return "no answer yet"
    found = int(result[0]["value"][1]) if result else 0
    return True if found >= apps else f"{found} series"


def quantile(values, q):
    """Nearest rank: a value that was measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def summary(values):
    return {"count": len(values), "mean": sum(values) / len(values), "p50": quantile(values, 0.5),
            "p90": quantile(values, 0.9), "p99": quantile(values, 0.99), "max": max(values)}


def cpu_of(usages):
    return {name: usage.cpu_seconds() for name, usage in usages.items()}


# --------------------------------------------------------------------------------------------------------------- run

def measure(options, directory, processes):
    figures = {"apps": options.apps, "replicas_from": 1, "replicas_to": options.to, "idle_seconds": options.idle_seconds}
    servers = os.environ.get("TEST_APISERVER_DIR")
    if not servers:
        raise Failure("no API server here. Run scripts/bench/scale, which starts one")
    api = Api(servers)
    operator_program = os.path.join(ROOT, "build", options.preset, "bin", "scalableapp-operator")

    say("installing the CRD")
    subprocess.run(["kubectl", "apply", "--server-side", "-f", os.path.join(ROOT, "crds")], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["kubectl", "wait", "--for=condition=Established", "--timeout=30s",
                    "crd/scalableapps.scalableapp.io"], check=True, stdout=subprocess.DEVNULL)
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    subprocess.run(["kubectl", "-n", NAMESPACE, "wait", "--for=create", "--timeout=30s", "serviceaccount/default"],
                   check=True, stdout=subprocess.DEVNULL)

    say("starting the metric's exporter, Prometheus and the operator")
    exporter = processes.start("demand", [sys.executable, os.path.join(HERE, "demand.py"), str(options.apps),
                                          str(TARGET * 0.8), str(TARGET * (options.to - 0.2))], stdout=subprocess.PIPE)
    exporter_port = int(exporter.stdout.readline())
    prometheus, prometheus_port = start_prometheus(processes, directory, exporter_port)
    wait_for("Prometheus has the metric", lambda: has_series(prometheus_port, options.apps), 60, processes,
             f"See {processes.log_of('prometheus')}.")
    operator_command = options.wrap.split() + [operator_program, f"--prometheus-url=http://127.0.0.1:{prometheus_port}",
                                               "--http-port=0"] + options.operator_flag
    operator = processes.start("operator", operator_command)
    usage = Usage(operator.pid)
    usages = {"operator": usage, "prometheus": Usage(prometheus.pid)}
    for name in SERVERS:
        with open(os.path.join(servers, name + ".pid")) as pid:
            usages[name] = Usage(int(pid.read()))
    time.sleep(1)
    processes.check()
    figures["operator_empty_mib"] = usage.resident_mib()

    watch = ReplicaSetWatch(api)
    say(f"creating {options.apps} ScalableApps")
    begun = time.monotonic()
    for i in range(options.apps):
        api.call("POST", f"/apis/scalableapp.io/v1alpha1/namespaces/{NAMESPACE}/scalableapps",
                 manifest(f"app-{i:03d}", options.max))
    say(f"created in {time.monotonic() - begun:.1f} s; waiting until each has a Ready pod")

    def ready(least):
        def condition():
            count = watch.count(2, least)
            return True if count >= options.apps else f"{count} of {options.apps} apps have {least} Ready pods"
        return condition

    hint = f"See {processes.log_of('operator')}, and the servers' logs in {servers} (kept with SCALABLEAPP_KEEP=yes)."
    wait_for("every app is up", ready(1), SETTLE_TIMEOUT_S, processes, hint)
    figures["startup_seconds"] = time.monotonic() - begun
    figures["operator_startup_cpu_seconds"] = usage.cpu_seconds()
    say(f"every app is up after {figures['startup_seconds']:.1f} s; letting everything settle for {options.settle_seconds} s")
    time.sleep(options.settle_seconds)

    say(f"idle: measuring for {options.idle_seconds} s")
    before, begun = cpu_of(usages), time.monotonic()
    samples = []
    while (passed := time.monotonic() - begun) < options.idle_seconds:
        processes.check()
        samples.append(usage.resident_mib())
        time.sleep(min(1.0, options.idle_seconds - passed))
    after, passed = cpu_of(usages), time.monotonic() - begun
    figures["idle"] = {"seconds": passed, "cpu_percent": {name: 100 * (after[name] - before[name]) / passed for name in usages},
                       "operator_mib": max(samples), "operator_threads": usage.threads()}
    figures["operator_startup_peak_mib"] = usage.peak_mib()
    usage.forget_peak()

    say(f"step: every app's metric now asks for {options.to} replicas")
    watch.expect(options.to)
    before = cpu_of(usages)
    connection = http.client.HTTPConnection("127.0.0.1", exporter_port, timeout=10)
    connection.request("POST", "/step")
    stepped = float(connection.getresponse().read())
    wall_minus_monotonic = time.time() - time.monotonic()
    all_scaled = None
    begun = said = time.monotonic()
    while True:
        processes.check()
        now = time.monotonic()
        scaled = watch.count(0, options.to)
        if all_scaled is None and scaled >= options.apps:
            all_scaled = {"seconds": now - stepped, "cpu": cpu_of(usages)}
        if watch.count(2, options.to) >= options.apps:
            break
        if now - begun > STEP_TIMEOUT_S:
            raise Failure(f"only {scaled} of {options.apps} apps were scaled within {STEP_TIMEOUT_S} s. {hint}")
        if now - said >= 2:
            said = now
            say(f"   ... {now - stepped:4.1f} s: {scaled} scaled, {watch.count(2, options.to)} have all pods Ready")
        time.sleep(0.05)
    after, passed = cpu_of(usages), time.monotonic() - stepped
    for which, name in (("spec", "scaled"), ("exist", "pods_exist"), ("ready", "pods_ready")):
        figures[name + "_seconds"] = summary([moment - stepped for moment in watch.seen(which).values()])
    figures["decided_seconds"] = decided(processes.log_of("operator"), options.to, stepped + wall_minus_monotonic)
    figures["step"] = {
        "until_all_scaled": {"seconds": all_scaled["seconds"],
                             "cpu_seconds": {name: all_scaled["cpu"][name] - before[name] for name in usages}},
        "until_all_ready": {"seconds": passed, "cpu_seconds": {name: after[name] - before[name] for name in usages}},
        "operator_peak_mib": usage.peak_mib()}
    say(f"all Ready after {passed:.1f} s; looking at the operator's memory once more in {options.settle_seconds} s")
    time.sleep(options.settle_seconds)
    figures["operator_after_mib"] = usage.resident_mib()
    figures["operator_peak_mib"] = max(usage.peak_mib(), figures["operator_startup_peak_mib"])
    if options.hold_seconds:
        say(f"holding for {options.hold_seconds} s; operator is process {operator.pid}")
        time.sleep(options.hold_seconds)
    operator.terminate()
    operator.wait(15)
    processes.running = [(name, process) for name, process in processes.running if process is not operator]
    return figures


def decided(log, to, stepped_wall):
    """When the operator itself says that it decided, by its log lines."""
    from datetime import datetime
    moments = []
    with open(log, errors="replace") as lines:
        for line in lines:
            if " msg=decision " in line and f" from=1 to={to} " in line:
                text = re.match(r"time=(\S+)Z ", line).group(1)
                moment = datetime.fromisoformat(text + "+00:00").timestamp() - stepped_wall
                if moment > 0:
                    moments.append(moment)
    return summary(moments) if moments else None


def table(figures):
    def row(name, *cells):
        return f"  {name:<34}" + "".join(f"{cell:>11}" for cell in cells)

    def seconds(name, of):
        values = figures[of]
        return row(name, *(f"{values[q]:.2f} s" for q in ("p50", "p90", "p99", "max"))) if values else row(name, "-")

    idle, step = figures["idle"], figures["step"]
    scaled_cpu, ready_cpu = step["until_all_scaled"], step["until_all_ready"]

    def verdict(value, limit):
        return "met" if value < limit else "NOT MET"

    lines = [f"{figures['apps']} apps, every one from 1 to {figures['replicas_to']} replicas at the same instant, "
             f"{os.cpu_count()} cores shared with etcd, kube-apiserver, controllers, kwok and Prometheus", COMPARISON, "",
             row("from the step until", "p50", "p90", "p99", "max"),
             seconds("decided (operator's log)", "decided_seconds"),
             seconds("spec.replicas is the new count", "scaled_seconds"),
             seconds("that many pods exist", "pods_exist_seconds"),
             seconds("that many pods are Ready", "pods_ready_seconds"), "",
             row("operator", "idle", "step", "after", "peak"),
             row("resident memory", f"{idle['operator_mib']:.1f} MiB", f"{step['operator_peak_mib']:.1f} MiB",
                 f"{figures['operator_after_mib']:.1f} MiB", f"{figures['operator_peak_mib']:.1f} MiB"),
             row("CPU, share of one core", f"{idle['cpu_percent']['operator']:.2f} %",
                 f"{100 * ready_cpu['cpu_seconds']['operator'] / ready_cpu['seconds']:.1f} %"), "",
             row("CPU seconds of", "idle %", "to scaled", "to Ready")]
    for name in idle["cpu_percent"]:
        lines.append(row(name, f"{idle['cpu_percent'][name]:.1f} %", f"{scaled_cpu['cpu_seconds'][name]:.2f} s",
                         f"{ready_cpu['cpu_seconds'][name]:.2f} s"))
    lines += ["", f"  all were scaled after {scaled_cpu['seconds']:.1f} s, all pods Ready after {ready_cpu['seconds']:.1f} s",
              f"  aims: p99 under {AIMS['p99_s']:g} s {verdict(figures['scaled_seconds']['p99'], AIMS['p99_s'])}, "
              f"idle memory under {AIMS['memory_mib']:g} MiB {verdict(idle['operator_mib'], AIMS['memory_mib'])} "
              f"(peak {verdict(figures['operator_peak_mib'], AIMS['memory_mib'])}), "
              f"idle CPU under {AIMS['idle_cpu_percent']:g} % {verdict(idle['cpu_percent']['operator'], AIMS['idle_cpu_percent'])}"]
    return "\n".join(lines)


def parse_options():
    parser = argparse.ArgumentParser(prog="scripts/bench/scale", description=__doc__, epilog=COMPARISON,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apps", type=int, default=500, help="how many ScalableApps (500)")
    parser.add_argument("--to", type=int, default=5, help="replicas after the step, from 1 (5: as far as the default behavior goes at once)")
    parser.add_argument("--max", type=int, default=10, help="spec.replicas.max (10)")
    parser.add_argument("--idle-seconds", type=int, default=40, help="how long to measure the idle operator (40)")
    parser.add_argument("--settle-seconds", type=int, default=15, help="wait before the idle measurement, and before the last look (15)")
    parser.add_argument("--out", default="bench-out", help="where figures.json and the logs go (bench-out)")
    parser.add_argument("--preset", default="release", help="which build's operator (release)")
    parser.add_argument("--operator-flag", action="append", default=[], metavar="FLAG", help="one more flag for the operator; may be repeated")
    parser.add_argument("--wrap", default="", help="what to run the operator under, e.g. 'heaptrack -o /tmp/h'")
    parser.add_argument("--hold-seconds", type=int, default=0, help="keep everything running for a look (0)")
    parser.add_argument("--print-nodes", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not 1 <= options.apps <= 5000 or not 1 < options.to <= options.max:
        parser.error("--apps must be from 1 to 5000, --to from 2 to --max")
    return options


def main():
    options = parse_options()
    if options.print_nodes:
        print(max(2, math.ceil(options.apps * options.max / PODS_PER_NODE)))
        return 0
    os.makedirs(options.out, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = tempfile.mkdtemp(prefix="scale-bench.")
    processes = Processes(options.out)
    try:
        figures = measure(options, directory, processes)
    except Failure as failure:
        say(f"FAILED: {failure}")
        return 1
    except subprocess.CalledProcessError as error:
        say(f"FAILED: {' '.join(error.cmd)} (exit {error.returncode}): read the lines above")
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 130
    finally:
        processes.stop()
        shutil.rmtree(directory, ignore_errors=True)
    with open(os.path.join(options.out, "figures.json"), "w") as out:
        json.dump(figures, out, indent=2)
        out.write("\n")
    print(table(figures))
    say(f"all figures: {options.out}/figures.json; the operator's log beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
