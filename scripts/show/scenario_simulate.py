"""A scenario in the simulator: each app's manifest under the load that reaches it, decided by the production code
(`kubectl scalableapp simulate`). Needs no cluster.

What a run on a cluster has and this has not: pods that are killed, stopped dependencies, rollouts, degraded answers, and
two cores that all pods share. A service that is down passes its jobs on late. An evacuated region's load goes to the other
when what is asked for ahead of it, a floor from then on, is warm.
"""
import copy
import csv
import dataclasses
import json
import math
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scenario_manifest import cron_of, scalable_app, simulated_cron
from scenario_outcome import counts_of, total_figures
from scenario_profile import days_of, trace_csv

NOT_SIMULATED = {"kill": "pods killed", "stop": "a dependency stopped", "rollout": "a rollout"}


@dataclass
class Played:
    figures: dict
    points: list           # By second: (second, requests/s, latency in s, desired, serving, queue)

    def departures(self):
        """What it let go in each second: what came, and what no longer waits."""
        out, waiting = [], 0
        for _, arrivals, _, _, _, queue in self.points:
            out.append(max(0.0, arrivals + waiting - queue))
            waiting = queue
        return out


def run_plugin(plugin, manifest, trace, flags):
    """(figures of the report, points of the course); RuntimeError with what the plugin says."""
    with tempfile.TemporaryDirectory() as directory:
        paths = {name: str(Path(directory) / name) for name in ("app.json", "trace.csv", "series.csv")}
        Path(paths["app.json"]).write_text(json.dumps(manifest))
        Path(paths["trace.csv"]).write_text(trace)
        done = subprocess.run([str(plugin), "simulate", "-f", paths["app.json"], "--trace", paths["trace.csv"],
                               f"--series={paths['series.csv']}", "--format=json", *flags], capture_output=True, text=True)
        if done.returncode != 0:
            said = done.stderr.replace(f"{directory}/", "").strip()
            raise RuntimeError(f"ScalableApp {manifest['metadata']['name']}: {said}")
        with open(paths["series.csv"], newline="") as source:
            points = [(float(p["seconds"]), float(p["requests_per_second"]), float(p["latency_seconds"]),
                       int(p["replicas_desired"]), int(p["replicas_serving"]), int(p["queue"]))
                      for p in csv.DictReader(source)]
        return json.loads(done.stdout)["policies"][0], points


def flags_of(model, initial=None):
    flags = [f"--service-time={model.service_seconds * 1000:g}ms", "--service-cv=0.1", f"--concurrency={model.servers}",
             f"--cpu-per-request={model.cpu_seconds * 1000:g}ms", f"--startup={model.startup_seconds:g}s", "--warmup=0s",
             "--scrape-interval=1s"]
    return flags + ([f"--initial-replicas={initial}"] if initial else [])


def held_back(rates, begin, seconds):
    """A service that is down: what comes meanwhile comes at its end."""
    end, out = min(len(rates), int(begin + seconds)), list(rates)
    late = sum(out[int(begin):end])
    out[int(begin):end] = [0.0] * (end - int(begin))
    if end < len(out):
        out[end] += late
    return out


def reaching(scenario, key, rates):
    """Those of an app, by second, with the scenario's faults."""
    out = list(rates)
    for fault in scenario.faults:
        if fault.kind == "down" and fault.what["app"] == key:
            out = held_back(out, fault.at, fault.what["for"])
        if fault.kind == "evacuate":
            # Decided, created, warm.
            namespace, moved = scenario.app(key).namespace, int(fault.at + scenario.models[key].startup_seconds) + 3
            factor = {fault.what["region"]: 0.0, fault.what["to"]: 2.0}.get(namespace, 1.0)
            out[moved:] = [rate * factor for rate in out[moved:]]
    return out


def rates_of(scenario, key, played, shares):
    model = scenario.models[key]
    rates = scenario.load(model.load).profile.by_second() if model.load else played[model.source].departures()
    share = shares.get(key, model.share)
    return reaching(scenario, key, [rate * share for rate in rates])


def expected_floor(scenario, key, points):
    """The schedule that stands for what is asked for ahead of an evacuation, of what there is without it; or none. A
    schedule opens as long before its minute as a pod needs."""
    for fault in scenario.faults:
        if fault.kind == "evacuate" and scenario.app(key).namespace == fault.what["to"] and fault.what["expect"].endswith("%"):
            minute = round(fault.at / 60)
            need = math.ceil(points[int(fault.at)][3] * float(fault.what["expect"][:-1]) / 100)
            need = min(need, scenario.app(key).spec["replicas"]["max"])
            return [{"name": "expected", "cron": cron_of(minute // 60, minute % 60), "durationSeconds": 120,
                     "replicas": {"min": need}}]
    return []


def figures_of(scenario, key, report, points):
    figures = {**counts_of([p[3] for p in points]), "failedRequests": report["failed"],
               "peakReplicas": report["maxReplicas"],
               **{name: report[name] for name in ("scaleEvents", "directionChanges", "replicaSeconds", "sloViolationSeconds")}}
    return {f"{key}.{name}": value for name, value in figures.items()}


def simulate_apps(scenario, plugin, shares=None):
    """{app: Played}. shares: measured ones, instead of the scenario's."""
    played, cron = {}, simulated_cron(scenario)
    for key, model in scenario.models.items():
        app = scenario.app(key)
        trace = trace_csv(rates_of(scenario, key, played, shares or {}))
        manifest, flags = scalable_app(app, cron), flags_of(model, app.spec.get("replicas", {}).get("min"))
        report, points = run_plugin(plugin, manifest, trace, flags)
        floor = expected_floor(scenario, key, points)
        if floor:
            manifest["spec"].setdefault("schedules", []).extend(floor)
            report, points = run_plugin(plugin, manifest, trace, flags)
        played[key] = Played(figures_of(scenario, key, report, points), points)
    return played


def load_figures(scenario, played):
    """Of a load, by the apps that it reaches: at the worst of them it is over its level."""
    figures = {}
    for load in scenario.loads:
        fed = [key for key, model in scenario.models.items() if model.load == load.name]
        figures[f"{load.name}.requests"] = sum(load.profile.by_second())
        if fed:
            figures[f"{load.name}.sloViolationSeconds"] = max(played[k].figures[f"{k}.sloViolationSeconds"] for k in fed)
            figures[f"{load.name}.failedRequests"] = sum(played[k].figures[f"{k}.failedRequests"] for k in fed)
    return figures


def simulate_days(scenario, plugin):
    """{variant: figures} of the days that count: those of all of them without those of the days to learn from."""
    days, app = scenario.days, copy.deepcopy(scenario.app(scenario.days.app))
    model = dataclasses.replace(scenario.models[days.app], servers=days.servers, service_seconds=days.service_seconds,
                                startup_seconds=days.startup_seconds)

    def play(task):
        variant, count = task
        manifest = scalable_app(app, simulated_cron(scenario))
        for field in ("schedules", "prediction"):
            manifest["spec"].pop(field, None)
        manifest["spec"].update(days.variants[variant])
        return run_plugin(plugin, manifest, trace_csv(days_of(days.profile, count), 10), flags_of(model))[0]

    tasks = [(variant, count) for variant in days.variants for count in (days.count, days.learned)]
    with ThreadPoolExecutor(2) as pool:
        reports = dict(zip(tasks, pool.map(play, tasks)))
    return {variant: {figure: reports[variant, days.count][figure] - reports[variant, days.learned][figure]
                      for figure in ("sloViolationSeconds", "replicaSeconds", "scaleEvents")}
            for variant in days.variants}


def simulate(scenario, plugin, shares=None, with_days=True):
    """(figures, {app: Played})"""
    played = simulate_apps(scenario, plugin, shares)
    figures = {}
    for one in played.values():
        figures.update(one.figures)
    figures.update(load_figures(scenario, played))
    figures = total_figures(figures, scenario)
    if scenario.days and with_days:
        for variant, values in simulate_days(scenario, plugin).items():
            figures.update({f"days.{variant}.{name}": value for name, value in values.items()})
    return figures, played


def left_out(scenario):
    """What the scenario has and the simulator has not."""
    return sorted({NOT_SIMULATED[fault.kind] for fault in scenario.faults if fault.kind in NOT_SIMULATED})
