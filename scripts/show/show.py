"""The demo's show: sends a traffic spike at the app, watches it scale, rolls out a new version, sums up.

    show.py --kubectl PATH --namespace demo --out demo-out [--rate 40] [--spike 400] [--short]

Writes OUT/timeline.csv (a row a second), OUT/plot.svg and OUT/summary.json, and draws the live view on
a terminal (a line every few seconds elsewhere). It only drives and looks: every number comes from the
load generator, Prometheus or the ScalableApp's status; what the app does is the operator's doing.
Exit code 0 when the show ran to its end, 1 with one sentence when it could not; what was seen until
then is written all the same.
"""
import argparse
import contextlib
import csv
import json
import math
import os
import re
import subprocess
import sys
import time
from datetime import datetime, timezone

from cluster_api import NO_ANSWER, ClusterApi
from plot import draw

COLUMNS = ["second", "time", "phase", "offered", "served", "failed", "p50_ms", "p99_ms", "target_ms", "cpu_percent",
           "queue", "desired", "ready", "warming", "terminating", "worker_desired", "worker_ready", "revision",
           "operator_mib", "operator_cpu_percent"]
OPERATOR_NAMESPACE = "scalableapp-system"
DRAIN_SECONDS = 12  # The generator gives a request up after 10.
BARS = " ▁▂▃▄▅▆▇█"


def milliseconds(text):
    """'250ms' or '1.5s' or '1m2s' -> 250.0"""
    units = {"ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
    return sum(float(n) * units[u] for n, u in re.findall(r"([\d.]+)(ms|s|m|h)", text or ""))


def cores(quantity):
    """'70m' -> 0.07, '2' -> 2.0"""
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None


def sparkline(values, top, width):
    values = list(values)[-width:]
    return "".join(BARS[0] if v is None else BARS[min(8, max(0, round(8 * v / top)))] if top else BARS[0] for v in values)


def leaving(status):
    """Pods on their way out: taken out of service to drain, or told to stop."""
    if "replicas" not in status:
        return None
    draining = status["replicas"] - status.get("readyReplicas", 0) - status.get("warmingReplicas", 0)
    return max(0, draining) + status.get("terminatingReplicas", 0)


class Show:
    def __init__(self, options, api=None):
        self.options = options
        self.api = api or ClusterApi(options.kubectl, options.namespace, "monitoring")
        self.rows, self.seconds, self.phases, self.decisions = [], [], [], []
        self.told_decisions = 0
        self.rollout_seconds = None
        self.started = time.time()
        self.phase = ""
        self.load_pod = None
        self.tty = sys.stdout.isatty()
        self.target_ms = 0.0
        self.drawn_lines = 0

    # --- driving ------------------------------------------------------------------------------------
    def load(self, profile):
        """Starts a load profile in the generator pod, replacing the one before it; returns the moment before it did."""
        return self.start_load(f"the profile {profile!r}", {
            "profile": profile, "mix": "/work=85,/=5,/session=5,/jobs:POST=5", "arrivals": "poisson", "seed": 7})

    def start_load(self, what, body):
        deadline = time.time() + 60
        while True:
            self.load_pod = self.load_pod or self.api.load_pod()
            at = self.now()
            try:
                self.api.post(self.api.load_path(self.load_pod, "/start"), body)
                return at
            except RuntimeError as error:
                raise RuntimeError(f"the load generator refuses {what}: {error}") from error
            except NO_ANSWER as error:
                self.load_pod = None
                if time.time() > deadline:
                    raise RuntimeError(f"the load generator did not take {what}: {error}; "
                                       f"look at: kubectl -n {self.options.namespace} logs deploy/load") from error
                time.sleep(1)

    def stop_load(self):
        try:
            self.api.post(self.api.load_path(self.api.load_pod(), "/stop"))
        except (*NO_ANSWER, RuntimeError):
            pass  # It stops by itself at the end of its profile.

    def end_load(self):
        """Stops the load and waits until every request has its outcome: one that hangs on a vanished pod fails late."""
        deadline = time.time() + DRAIN_SECONDS
        while time.time() < deadline:
            self.stop_load()
            stats = self.api.get(self.api.load_path(self.load_pod, "/stats"))
            if stats and stats["in_flight"] == 0:
                return
            time.sleep(0.5)
        print(f"some requests had no outcome {DRAIN_SECONDS} s after the end; the figures leave them out", file=sys.stderr)

    def begin_at_rest(self):
        """Watches from now on, waits until web is at rest, starts the clock and returns web."""
        self.api.watch_scalable_apps(self.note_decision)
        web = self.api.scalable_app("web")
        if web is None:
            raise RuntimeError(f"there is no ScalableApp web in namespace {self.options.namespace}")
        self.cpu_request_cores = cores(web["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"])
        self.wait_for_rest(web["spec"]["replicas"]["min"])
        self.started = time.time()
        self.decisions.clear()  # Those that led to rest belong to what was before.
        return web

    def wait_for_rest(self, minimum, may_drain=False):
        """An earlier show, or a changed manifest, may still be at work: a measurement begins at rest. `may_drain`: pods
        may still be on their way out."""
        deadline, told = time.time() + 180, False
        while True:
            status = (self.api.scalable_app("web") or {}).get("status", {})
            if (status.get("desiredReplicas") == status.get("readyReplicas") == minimum
                    and (may_drain or status.get("replicas") == minimum)
                    and status.get("currentRevision") == status.get("updatedRevision")):
                return
            if time.time() > deadline:
                raise RuntimeError("ScalableApp web did not come to rest at its minimum of "
                                   f"{minimum} in 180 s; look at: kubectl -n {self.options.namespace} describe scalableapp web")
            if not told:
                print(f"waiting for web to be at rest ({status.get('readyReplicas')} of {minimum} ready)", flush=True)
                told = True
            time.sleep(0.5)

    def begin_load(self, name, profile, note=""):
        """A phase that begins with its load, at the moment before the generator was told."""
        self.begin(name, note, self.load(profile))

    def begin(self, name, note="", at=None):
        self.phase = name
        self.phases.append((self.now() if at is None else at, name))
        if not self.tty:
            print(f"--- {name} {note}".rstrip(), flush=True)

    def now(self):
        return round(time.time() - self.started, 1)

    def seconds_into(self, decision):
        return round(instant(decision[0]) - self.started, 1)

    def run_for(self, duration_seconds, until=None):
        """Watches for the time given, or until `until(row)` has held for three rows running."""
        end, held = time.time() + duration_seconds, 0
        while time.time() < end:
            tick = time.time()
            row = self.observe()
            self.draw_live(end)
            held = held + 1 if until and until(row) else 0
            if held >= 3:
                return
            time.sleep(max(0.0, 1.0 - (time.time() - tick)))

    # --- looking ------------------------------------------------------------------------------------
    def observe(self):
        namespace = self.options.namespace
        # The time goes first: what is read takes a while on a busy machine, and is of then or later.
        second, moment = self.now(), datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        web, worker = self.api.scalable_app("web"), self.api.scalable_app("worker")
        stats = self.api.get(self.api.load_path(self.load_pod, "/stats")) if self.load_pod else None
        status = (web or {}).get("status", {})
        for metric in ((web or {}).get("spec", {})).get("metrics", []):
            if metric["type"] == "Latency":
                self.target_ms = milliseconds(metric["latency"]["target"])
        last = (stats or {}).get("last_second", {})
        row = {
            "second": second, "time": moment,
            "phase": self.phase, "target_ms": self.target_ms,
            "offered": last.get("offered"), "served": last.get("completed"), "failed": last.get("failed"),
            "p50_ms": last.get("p50_ms"), "p99_ms": last.get("p99_ms"),
            "cpu_percent": self.api.prometheus(
                f'100 * sum(rate(process_cpu_seconds_total{{namespace="{namespace}",pod=~"web-.*"}}[10s]))'
                f' / (count(up{{namespace="{namespace}",pod=~"web-.*"}}) * {self.cpu_request_cores})'),
            "queue": self.api.prometheus(f'max(queue_length{{namespace="{namespace}",queue="jobs"}})'),
            "desired": status.get("desiredReplicas"), "ready": status.get("readyReplicas"),
            "warming": status.get("warmingReplicas"), "terminating": leaving(status),
            "worker_desired": (worker or {}).get("status", {}).get("desiredReplicas"),
            "worker_ready": (worker or {}).get("status", {}).get("readyReplicas"),
            "revision": status.get("currentRevision"),
            "operator_mib": self.api.prometheus(
                f'max(process_resident_memory_bytes{{namespace="{OPERATOR_NAMESPACE}"}}) / 2^20'),
            "operator_cpu_percent": self.api.prometheus(
                f'100 * max(rate(process_cpu_seconds_total{{namespace="{OPERATOR_NAMESPACE}"}}[20s]))'),
        }
        self.rows.append(row)
        return row

    def note_decision(self, app):
        """Runs for every status the operator writes, so that no decision is missed between two looks."""
        decision = app.get("status", {}).get("lastDecision")
        if not decision or decision["from"] == decision["to"]:
            return
        entry = (decision["time"], app["metadata"]["name"], decision["from"], decision["to"],
                 decision["reason"], decision["message"])
        if entry not in self.decisions and instant(decision["time"]) >= self.started:
            self.decisions.append(entry)

    # --- drawing ------------------------------------------------------------------------------------
    def draw_live(self, end):
        row = self.rows[-1]

        def figure(name, unit=""):
            return "-" if row[name] is None else f"{row[name]:.0f}{unit}"

        if not self.tty:
            self.tell_decisions()
            if len(self.rows) % 5 == 1:
                print(f"{row['second']:6.0f}s  offered {figure('offered'):>4}/s  served {figure('served'):>4}/s  failed "
                      f"{figure('failed')}  p99 {figure('p99_ms', 'ms'):>7} / {self.target_ms:.0f}ms  cpu {figure('cpu_percent', '%'):>4}"
                      f"  queue {figure('queue'):>4}  web {figure('ready')}/{figure('desired')} (+{figure('warming')} warming)"
                      f"  worker {figure('worker_ready')}/{figure('worker_desired')}", flush=True)
            return
        width = max(20, min(70, os.get_terminal_size().columns - 50))

        def spark(name, at_least=1.0):
            values = [r[name] for r in self.rows[-width:]]
            top = max([at_least] + [v for v in values if v is not None])
            return sparkline(values, top, width)

        slow = row["p99_ms"] is not None and row["p99_ms"] > self.target_ms
        paint = (lambda code, text: f"\033[{code}m{text}\033[0m")
        latency = paint("31;1" if slow else "32", f"{figure('p99_ms', ' ms'):>9}")
        lines = [
            paint("1", f" ScalableApp demo   {self.phase}   {row['second']:.0f} s   (next step in {max(0, end - time.time()):.0f} s at most)"),
            "",
            f"  offered    {figure('offered', '/s'):>9}  {spark('offered')}",
            f"  served     {figure('served', '/s'):>9}  {spark('served')}   failed so far {sum(r['failed'] or 0 for r in self.rows):.0f}",
            f"  p99        {latency}  {spark('p99_ms', self.target_ms)}   target {self.target_ms:.0f} ms",
            f"  cpu        {figure('cpu_percent', ' %'):>9}  {spark('cpu_percent', 100)}   of the request",
            f"  queue      {figure('queue'):>9}  {spark('queue', 10)}   jobs",
            "",
            f"  web        {paint('32', '●' * int(row['ready'] or 0))}{paint('33', '◐' * int(row['warming'] or 0))}"
            f"{paint('90', '○' * int(row['terminating'] or 0))}   desired {figure('desired')}, ready {figure('ready')}, "
            f"warming {figure('warming')}, draining {figure('terminating')}",
            f"  worker     {paint('32', '●' * int(row['worker_ready'] or 0))}   desired {figure('worker_desired')}, ready {figure('worker_ready')}",
            "", paint("1", "  Decisions")]
        for at, name, _before, _after, _reason, message in self.decisions[-6:]:
            lines.append(f"  {at[11:19]}  {name:<7} {message}"[:width + 48])
        lines += [""] * (6 - len(self.decisions[-6:]))
        if self.drawn_lines:
            sys.stdout.write(f"\033[{self.drawn_lines}A")
        sys.stdout.write("".join(f"\033[2K{line}\n" for line in lines))
        sys.stdout.flush()
        self.drawn_lines = len(lines)

    def tell_decisions(self):
        new = self.decisions[self.told_decisions:]
        self.told_decisions += len(new)
        for at, name, _before, _after, _reason, message in new:
            print(f"        {at[11:19]}  {name}: {message}", flush=True)

    # --- summing up ---------------------------------------------------------------------------------
    def phase_start(self, name):
        return next((at for at, phase in self.phases if phase == name), None)

    def phase_at(self, second):
        return next((name for at, name in reversed(self.phases) if at <= second), None)

    def read_timeline(self):
        """The generator's seconds since the clock was started. Without them there are no figures, so it is asked again."""
        if not self.load_pod:
            return []  # It was never told anything.
        for _ in range(3):
            answer = self.api.get(self.api.load_path(self.load_pod, f"/timeline?since={int(self.started)}"), timeout=5)
            if (answer or {}).get("seconds"):
                return answer["seconds"]
            time.sleep(1)
        raise RuntimeError("the load generator does not give its timeline, so nothing can be summed up; look at: "
                           f"kubectl -n {self.options.namespace} describe pods -l app.kubernetes.io/name=load, and run this again")

    def merge_generator_timeline(self):
        """The generator's own seconds: no request is missed or counted twice, whenever a row was sampled. A request
        counts as offered in the second it was due, and as served or failed in the second that was known, which may be
        10 s later. A second in which a phase begins is that phase's."""
        entries = self.read_timeline()
        by_second = {int(entry["time"]): entry for entry in entries}
        for row in self.rows:
            entry = by_second.get(int(self.started + row["second"]) - 1)
            if entry:
                row.update(offered=entry["offered"], served=entry["completed"], failed=entry["failed"],
                           p50_ms=entry["p50_ms"], p99_ms=entry["p99_ms"])
        self.seconds = [dict(entry, phase=self.phase_at(entry["time"] + 1 - self.started)) for entry in entries]

    def total(self, figure, *phases):
        """Of the generator's seconds; of all phases if none is named."""
        return sum(entry[figure] for entry in self.seconds if not phases or entry["phase"] in phases)

    def violation_seconds(self, *phases):
        """Seconds with p99 over the target, a failed request, or requests and no answer."""
        return sum(1 for entry in self.seconds if (not phases or entry["phase"] in phases) and (
            (entry["p99_ms"] is None and entry["offered"] > 0) or (entry["p99_ms"] or 0) > self.target_ms or entry["failed"] > 0))

    def scale_ups_in_spike(self):
        spike, calm = self.phase_start("spike"), self.phase_start("calm")
        if spike is None:
            return []
        return [d for d in self.decisions if d[1] == "web" and d[3] > d[2]
                and spike <= self.seconds_into(d) < (math.inf if calm is None else calm)]

    def until_ready(self, decision):
        """Seconds from the spike until as many pods were ready as that decision asked for; None if not while it lasted."""
        return next((r["second"] - self.phase_start("spike") for r in self.rows if r["phase"] == "spike"
                     and r["second"] >= self.seconds_into(decision) and (r["ready"] or 0) >= decision[3]), None)

    def target_met_again(self):
        """Seconds from the spike to the first of five seconds running with p99 under its target, after a second that was
        over it; and whether there was one."""
        over, run = False, []
        for entry in self.seconds:
            if entry["phase"] != "spike":
                continue
            good = entry["p99_ms"] is not None and entry["p99_ms"] <= self.target_ms
            over = over or not good
            if not good or (run and entry["time"] != run[-1] + 1):
                run = []
            if good:
                run.append(entry["time"])
            if over and len(run) >= 5:
                return max(0.0, run[0] - self.started - self.phase_start("spike")), True
        return None, over

    def summary(self):
        def rows_of(*names):
            return [r for r in self.rows if r["phase"] in names]

        ups = self.scale_ups_in_spike()
        first_up = self.seconds_into(ups[0]) - self.phase_start("spike") if ups else None
        first_wave = self.until_ready(ups[0]) if ups else None
        all_ready = self.until_ready(ups[-1]) if ups else None
        in_spike = rows_of("spike")
        met_again, over = self.target_met_again()

        def operator_cpu(phase):
            """Of the busiest operator pod, which is the leader; its rate looks back 20 s."""
            values = [r["operator_cpu_percent"] for r in rows_of(phase)][-10:]
            values = [v for v in values if v is not None]
            return round(sum(values) / len(values), 2) if values else None

        replica_seconds, last = 0.0, self.rows[0]
        for r in self.rows[1:]:
            pods = sum(last[state] or 0 for state in ("ready", "warming", "terminating"))
            replica_seconds += pods * (r["second"] - last["second"])
            last = r
        changes = [d for d in self.decisions if d[1] == "web"]
        # The load rises once and falls once until then; later phases change it again.
        until_rest = [d for d in changes if self.phase_at(self.seconds_into(d)) in ("steady", "spike", "calm")]
        moves = [1 if d[3] > d[2] else -1 for d in until_rest]
        peak = max((r["ready"] or 0 for r in in_spike), default=0)
        return {
            "spike_factor": round(self.options.spike / self.options.rate, 1),
            "base_rate_per_second": self.options.rate, "spike_rate_per_second": self.options.spike,
            "seconds_to_first_scale_up": None if first_up is None else round(max(0.0, first_up), 1),
            "seconds_to_first_wave_ready": None if first_wave is None else round(first_wave, 1),
            "seconds_to_all_ready": None if all_ready is None else round(all_ready, 1),
            "seconds_to_slo_met_again": None if met_again is None else round(met_again, 1),
            "slo_never_missed_in_spike": bool(in_spike) and not over,
            "slo_violation_seconds": self.violation_seconds(),
            "slo_violation_seconds_in_spike": self.violation_seconds("spike"),
            "slo_violation_seconds_in_rollout": self.violation_seconds("rollout"),
            "latency_target_ms": self.target_ms,
            "requests": self.total("completed") + self.total("failed"),
            "failed_requests": self.total("failed"),
            "retried_requests": self.total("retried"),
            # With the phase after it, since a request lost on the way down may be known as failed only then. Those
            # phases also hold failures from just before them: the figures may be too high, never too low.
            "failed_requests_in_scale_down": self.total("failed", "calm", "more load"),
            "failed_requests_in_rollout": self.total("failed", "rollout", "end"),
            "replica_seconds": round(replica_seconds),
            "peak_ready_replicas": peak,
            "replicas_at_end_of_calm": (rows_of("calm") or [{}])[-1].get("ready"),
            "replica_changes": len(changes),
            "replica_changes_until_rest": len(until_rest),
            "direction_changes_until_rest": sum(1 for a, b in zip(moves, moves[1:]) if a != b),
            "rollout_seconds": self.rollout_seconds,
            "operator_peak_mib": round(max((r["operator_mib"] or 0 for r in self.rows), default=0), 1),
            "operator_cpu_percent_steady": operator_cpu("steady"),
            "operator_peak_cpu_percent_in_spike": round(max((r["operator_cpu_percent"] or 0 for r in in_spike), default=0), 2),
            "decisions": [dict(zip(("time", "app", "from", "to", "reason", "message"), d)) for d in self.decisions],
        }

    def write_rows(self, path):
        with open(path, "w", newline="") as target:
            writer = csv.DictWriter(target, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)

    def write_timeline(self):
        out = self.options.out
        os.makedirs(out, exist_ok=True)
        self.write_rows(f"{out}/timeline.csv")
        with open(f"{out}/plot.svg", "w") as target:
            target.write(draw(self.rows, self.phases, self.target_ms,
                              f"A {self.options.spike / self.options.rate:.3g}x step in load: ScalableApp web on kind"))

    def write(self):
        self.merge_generator_timeline()
        self.write_timeline()
        summary = self.summary()
        with open(f"{self.options.out}/summary.json", "w") as target:
            json.dump(summary, target, indent=2)
            target.write("\n")
        return summary

    def write_what_was_seen(self):
        """Of a show that was broken off; an earlier one's summary must not stand beside it."""
        if not self.rows:
            return
        try:
            self.write()
        except RuntimeError:
            self.write_timeline()
            with contextlib.suppress(FileNotFoundError):
                os.remove(f"{self.options.out}/summary.json")
        print(f"what was seen until then is in {self.options.out}/", file=sys.stderr)

    # --- the show -----------------------------------------------------------------------------------
    def patch_version(self, version):
        app = self.api.scalable_app("web")
        container = app["spec"]["template"]["spec"]["containers"][0]
        container["args"] = [re.sub(r"--version-label=.*", f"--version-label={version}", a) for a in container["args"]]
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": container["args"]}]
        subprocess.run([self.options.kubectl, "-n", self.options.namespace, "patch", "scalableapp", "web", "--type=json",
                        "-p", json.dumps(patch)], check=True, stdout=subprocess.DEVNULL)

    def run(self):
        base, spike = self.options.rate, self.options.spike
        short = self.options.short
        minimum = self.begin_at_rest()["spec"]["replicas"]["min"]
        self.begin_load("steady", f"{base}:600s", f"{base} requests/s")
        self.run_for(12 if short else 20)
        self.begin_load("spike", f"{spike}:600s", f"{base} -> {spike} requests/s in one step")
        self.run_for(45 if short else 80)
        self.begin_load("calm", f"{base}:600s", f"back to {base} requests/s")
        self.run_for(100, until=lambda r: r["desired"] == minimum and r["ready"] == minimum and not r["terminating"])
        self.begin_load("more load", f"{base * 3}:600s", f"{base * 3} requests/s, to roll out under")
        self.run_for(10 if short else 20)
        version = f"v{int(time.time()) % 100000}"
        before = (self.api.scalable_app("web") or {}).get("status", {}).get("currentRevision")
        self.begin("rollout", f"new version {version} under load")
        began = self.now()
        self.patch_version(version)
        self.run_for(100, until=lambda r: r["revision"] not in (None, before) and not r["terminating"])
        if self.rows[-1]["revision"] not in (None, before):
            done = next(r["second"] for r in self.rows if r["second"] > began and r["revision"] not in (None, before))
            self.rollout_seconds = round(done - began, 1)
        self.begin_load("end", f"{base}:600s")
        self.run_for(3)
        self.end_load()


def report(summary, out):
    def figure(value):
        return "-" if value is None else f"{value:g}"

    def seconds(value):
        return "did not happen" if value is None else f"{value:g} s"

    slo = "never missed" if summary["slo_never_missed_in_spike"] else seconds(summary["seconds_to_slo_met_again"])
    rows = [
        ("load", f"{summary['base_rate_per_second']} -> {summary['spike_rate_per_second']} requests/s in one step, open loop"),
        ("spike to first scale-up", seconds(summary["seconds_to_first_scale_up"])),
        ("spike to the first step's pods warm", seconds(summary["seconds_to_first_wave_ready"])),
        ("spike to all new pods warm", seconds(summary["seconds_to_all_ready"])),
        (f"spike to p99 under {summary['latency_target_ms']:g} ms again", slo),
        ("seconds over the SLO", f"{summary['slo_violation_seconds']} ({summary['slo_violation_seconds_in_spike']} in the spike, "
                                 f"{summary['slo_violation_seconds_in_rollout']} in the rollout)"),
        ("requests / failed", f"{summary['requests']:.0f} / {summary['failed_requests']:.0f} "
                              f"({summary['failed_requests_in_scale_down']:.0f} in scale-down, {summary['failed_requests_in_rollout']:.0f} in the rollout); "
                              f"{summary['retried_requests']} sent again after a closed connection"),
        ("replicas", f"peak {summary['peak_ready_replicas']}; {summary['replica_changes_until_rest']} changes from the spike until rest, "
                     f"{summary['direction_changes_until_rest']} of direction; {summary['replica_changes']} changes and "
                     f"{summary['replica_seconds']} replica-seconds in all (ready, warming or draining)"),
        ("rollout under load", seconds(summary["rollout_seconds"])),
        ("operator (the leader)", f"{summary['operator_peak_mib']:g} MiB at most; {figure(summary['operator_cpu_percent_steady'])} % of a core "
                                  f"in steady load, {figure(summary['operator_peak_cpu_percent_in_spike'])} % at most in the spike"),
    ]
    print("\nSummary")
    for name, value in rows:
        print(f"  {name:<34} {value}")
    print(f"\n  {out}/summary.json  {out}/timeline.csv  {out}/plot.svg")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--namespace", default="demo")
    parser.add_argument("--out", default="demo-out")
    parser.add_argument("--rate", type=int, default=40, help="requests/s before and after the spike")
    parser.add_argument("--spike", type=int, default=400, help="requests/s in the spike")
    parser.add_argument("--short", action="store_true", help="shorter phases, for tests")
    options = parser.parse_args()
    show = None
    try:
        show = Show(options)
        show.run()
        report(show.write(), options.out)
        return 0
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        if show:
            show.write_what_was_seen()
        return 130
    except (RuntimeError, subprocess.CalledProcessError, FileNotFoundError) as error:
        print(f"demo: {error}", file=sys.stderr)
        if show:
            show.write_what_was_seen()
        return 1
    finally:
        if show:
            show.stop_load()
            show.api.close()


if __name__ == "__main__":
    sys.exit(main())
