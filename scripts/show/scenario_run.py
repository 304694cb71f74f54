"""A scenario on a cluster: its apps are applied and warm, its load begins, its faults come, each half second is looked at,
and what is known afterwards is collected. Judges nothing (scenario_outcome.py); needs the releases of ./demo --scenario.
"""
import json
import math
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from datetime import datetime, timezone

from cluster_api import NO_ANSWER, ClusterApi
from scenario_faults import PROGRAM, Faults
from scenario_history import POD, write_history
from scenario_load import accepting_endpoints, job_figures, plan, report_figures
from scenario_manifest import cron_of, scalable_app
from scenario_outcome import counts_of, total_figures
from scenario_types import HOME
from show import Show, instant, leaving

SAMPLE_SECONDS = 0.5
LABEL = "scalableapp.io/scenario"
PREPARE_SECONDS = 40    # Until the apps are ready, of those that must begin on a minute.
READY_SECONDS = 150
QUEUES_EMPTY_SECONDS = 45
OF_APP = ("desired", "ready", "warming", "leaving", "degrade")
SHARDS = ",".join(f"postgres-{i}:5432/postgres-{i}-replica:5432" for i in range(2))
DATABASE_ARGS = (f"--shards={SHARDS}", "--database-user=app", "--database-name=app")


class ScenarioRun(Show):
    def __init__(self, options, scenario, api=None, apis=None):
        super().__init__(options, api)
        self.tty = False
        self.scenario = scenario
        self.apis = apis or {HOME: self.api, **{namespace: ClusterApi(options.kubectl, namespace, "monitoring")
                                                for namespace in scenario.namespaces if namespace != HOME}}
        self.target_ms = max(load.latency_seconds for load in scenario.loads) * 1000
        self.marks, self.problems = [], []
        self.over = threading.Event()
        self.faults = Faults(scenario, self)
        self.queues_before = {}

    def close(self):
        self.over.set()
        for api in self.apis.values():
            api.close()

    # --- what the faults use too --------------------------------------------------------------------
    def command(self, arguments, stdin=None, may_fail=False):
        done = subprocess.run(arguments, input=stdin, capture_output=True, text=True)
        if done.returncode != 0 and not may_fail:
            said = (done.stderr or done.stdout).strip()[:500]
            raise RuntimeError(f"{' '.join(arguments[:6])}: {said or f'exit code {done.returncode}'}")
        return done.stdout

    def kubectl(self, namespace, *arguments, **more):
        return self.command([self.options.kubectl, "-n", namespace, *arguments], **more)

    def plugin(self, namespace, *arguments):
        return self.command([self.options.plugin, *arguments, "-n", namespace])

    def mark(self, text):
        self.marks.append((self.now(), text))
        print(f"--- {self.now():.1f}s {text}", flush=True)

    def problem(self, text):
        self.problems.append(text)
        print(f"--- {self.now():.1f}s NOT OK: {text}", flush=True)

    def wait(self, seconds):
        return not self.over.wait(seconds)

    # --- before -------------------------------------------------------------------------------------
    def app_object(self, app):
        return self.apis[app.namespace].scalable_app(app.name)

    def choose_start(self):
        """The Unix time at which the load begins: on a minute where a peak must."""
        soon = time.time() + 1
        return math.ceil((soon + PREPARE_SECONDS) / 60) * 60 if self.scenario.peak_seconds is not None else soon

    def apply(self, start):
        peak = datetime.fromtimestamp(start + (self.scenario.peak_seconds or 0), timezone.utc)
        objects = []
        for app in self.scenario.apps:
            made = scalable_app(app, cron_of(peak.hour, peak.minute), self.options.image, DATABASE_ARGS)
            made["metadata"]["labels"] = {LABEL: self.scenario.name}
            objects.append(made)
        self.kubectl(HOME, "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def remove_apps(self, selector):
        # kubectl deletes across namespaces only without a namespace of its own.
        self.command([self.options.kubectl, "delete", "scalableapp", "--all-namespaces", "-l", selector,
                      "--ignore-not-found", "--wait=true"])

    def forget_history(self):
        """That of an earlier run was of another hour; Prometheus keeps nothing beyond its pod."""
        if self.api.prometheus(f'count(last_over_time({{pod=~".+-{POD}"}}[30d]))'):
            self.kubectl("monitoring", "delete", "pod", "-l", "app.kubernetes.io/name=prometheus", "--wait=true")
            self.kubectl("monitoring", "rollout", "status", "deployment/prometheus", "--timeout=60s")

    def prepare(self):
        """When it returns the apps are ready. The Unix time at which the load shall begin."""
        self.remove_apps(f"{LABEL}!={self.scenario.name}")
        self.remove_apps(f"{LABEL}={self.scenario.name}")
        if self.scenario.history:
            self.forget_history()
        start = self.choose_start()
        prometheus = f"{self.api.base}/api/v1/namespaces/monitoring/services/prometheus:9090/proxy"
        for history in self.scenario.history:
            count = write_history(prometheus, self.scenario.app(history.app), history, start)
            print(f"{history.days} days of {history.app} written as history, {count} samples", flush=True)
        self.apply(start)
        for api in self.apis.values():
            api.watch_scalable_apps(self.note_decision)
        self.wait_ready()
        if self.scenario.peak_seconds is None:
            return time.time()
        if time.time() > start:  # Too late: the next minute. The history is off by that, of its steps of five.
            start += 60 * math.ceil((time.time() - start + 1) / 60)
            self.apply(start)
        return start

    def wait_ready(self):
        deadline = time.time() + READY_SECONDS
        while True:
            late = [app.key for app in self.scenario.apps if not self.is_ready(app)]
            if not late:
                return
            if time.time() > deadline:
                raise RuntimeError(f"{', '.join(late)}: not Ready after {READY_SECONDS} s; look at: kubectl "
                                   f"-n {HOME} describe scalableapp,pods")
            time.sleep(SAMPLE_SECONDS)

    def is_ready(self, app):
        found = self.app_object(app) or {}
        status = found.get("status", {})
        return (status.get("observedGeneration") == found.get("metadata", {}).get("generation")
                and status.get("readyReplicas", 0) >= max(1, status.get("desiredReplicas") or 1)
                and any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", [])))

    # --- the run ------------------------------------------------------------------------------------
    def play(self, start):
        while time.time() < start:
            time.sleep(min(0.2, max(0.0, start - time.time())))
        if self.scenario.jobs:
            self.queues_before = self.audit()
        self.started = time.time()
        self.decisions.clear()
        self.start_load("the scenario's load", plan(self.scenario))
        self.phases.append((0.0, "load"))
        self.faults.begin()
        while self.now() < self.scenario.seconds:
            self.observe_in_time()
        self.end_load()
        self.faults.end()

    def observe_in_time(self):
        if self.rows:
            time.sleep(max(0.0, self.started + self.rows[-1]["second"] + SAMPLE_SECONDS - time.time()))
        row = self.observe()
        self.tell_decisions()
        if len(self.rows) % 10 == 1:
            self.tell(row)

    def observe(self):
        row = {"second": self.now(), "phase": "load", "target_ms": self.target_ms}
        for app in self.scenario.apps:
            status = (self.app_object(app) or {}).get("status", {})
            values = (status.get("desiredReplicas"), status.get("readyReplicas"), status.get("warmingReplicas"),
                      leaving(status), status.get("degradeLevel"))
            row.update({f"{app.key}:{name}": value for name, value in zip(OF_APP, values)})
        if self.scenario.jobs and len(self.rows) % 2 == 0:
            row["queue"] = self.api.prometheus("sum(max by (namespace, queue) (queue_length))")
        self.rows.append(row)
        return row

    def tell(self, row):
        last = (self.api.get(self.api.load_path(self.load_pod, "/stats")) or {}).get("last_second") or {}
        p99 = last.get("p99_ms")
        apps = "  ".join(f"{app.key} {row[f'{app.key}:ready']}/{row[f'{app.key}:desired']}" for app in self.scenario.apps)
        print(f"{row['second']:6.0f}s  offered {last.get('offered', 0):>4}/s  failed {last.get('failed', 0)}  p99 "
              f"{'-' if p99 is None else f'{p99:.0f}ms':>7}  {apps}", flush=True)

    def note_decision(self, app):
        decision = app.get("status", {}).get("lastDecision")
        namespace, name = app["metadata"].get("namespace", HOME), app["metadata"]["name"]
        key = name if namespace == HOME else f"{namespace}/{name}"
        if not decision or decision["from"] == decision["to"] or key not in [a.key for a in self.scenario.apps]:
            return
        entry = (decision["time"], key, decision["from"], decision["to"], decision["reason"], decision["message"])
        if entry not in self.decisions and instant(decision["time"]) >= self.started:
            self.decisions.append(entry)

    # --- after --------------------------------------------------------------------------------------
    def audit(self, accepted=None):
        """What the queues hold, id by id; with `accepted` also whether each of these is there."""
        arguments = ["exec", "-i", "deploy/load", "--", PROGRAM, "audit", "--redis=redis:6379",
                     f"--queue={','.join(self.scenario.jobs['queues'])}"]
        if accepted is not None:
            arguments.append("--accepted=/dev/stdin")
        said = self.kubectl(HOME, *arguments, stdin="" if accepted is None else "".join(f"{id}\n" for id in accepted),
                            may_fail=True)  # It fails where it finds something lost, and says so.
        try:
            return json.loads(said)
        except ValueError as error:
            raise RuntimeError(f"the queues could not be audited: {said.strip()[:200] or 'no answer'}") from error

    def accepted_ids(self):
        ids = []
        for name in accepting_endpoints(self.scenario):
            path = "/accepted?" + urllib.parse.urlencode({"endpoint": name, "limit": 100000})
            try:
                with urllib.request.urlopen(self.api.base + self.api.load_path(self.load_pod, path), timeout=10) as answer:
                    ids += answer.read().decode().split()
            except NO_ANSWER as error:
                raise RuntimeError(f"the load generator does not tell what was accepted of {name}: {error}") from error
        return ids

    def jobs(self):
        deadline = time.time() + QUEUES_EMPTY_SECONDS
        accepted = self.accepted_ids()
        while True:
            audit = self.audit(accepted)
            if time.time() > deadline or not sum(queue["waiting"] for queue in audit["queues"]):
                return job_figures(self.scenario, len(accepted), audit, self.queues_before)
            self.observe_in_time()

    def app_figures(self, app):
        """Pods as they were seen; changes as the operator decided them."""
        seconds = 0.0
        for before, after in zip(self.rows, self.rows[1:]):
            pods = sum(before[f"{app.key}:{state}"] or 0 for state in ("ready", "warming", "leaving"))
            seconds += pods * (after["second"] - before["second"])
        mine = [d for d in self.decisions if d[1] == app.key]
        counts = counts_of([mine[0][2], *(d[3] for d in mine)] if mine else [])
        peak = max((row[f"{app.key}:desired"] or 0 for row in self.rows), default=0)
        figures = {**counts, "replicaSeconds": round(seconds), "peakReplicas": max(peak, counts["peakReplicas"])}
        return {f"{app.key}.{name}": value for name, value in figures.items()}

    def measured_shares(self, figures):
        """{app: requests that reached it, as a share of its load}, where that could be measured."""
        shares = {}
        for key, model in self.scenario.models.items():
            app, offered = self.scenario.app(key), figures.get(f"{model.load}.requests")
            if model.load and app.is_service and offered:
                reached = self.api.prometheus(
                    f'sum(increase(http_request_duration_seconds_count{{namespace="{app.namespace}",'
                    f'pod=~"{app.name}-[a-z0-9]+-[a-z0-9]{{5}}",pod!~".+-{POD}"}}[{math.ceil(self.now())}s]))')
                if reached:
                    shares[key] = round(reached / offered, 4)
        return shares

    def collect(self):
        """All figures of the run by name."""
        figures = {}
        if self.scenario.jobs:
            figures.update(self.jobs())
        report = self.api.get(self.api.load_path(self.load_pod, "/report"), timeout=10)
        if not report:
            raise RuntimeError("the load generator does not give its report, so nothing can be summed up")
        figures.update(report_figures(self.scenario, report))
        for app in self.scenario.apps:
            figures.update(self.app_figures(app))
        for name, query in self.scenario.figures.items():
            value = self.api.prometheus(query)
            if value is not None:
                figures[name] = value
        self.generator_limited = report["generator"]["limited_seconds"]
        self.merge_generator_timeline()
        return total_figures(figures, self.scenario)
