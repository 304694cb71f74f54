"""A run of load at an app whose rollout is played: what drives it, what is seen of its pods each half second, and the
way back to how it was. Knows no scenario and judges nothing; see rollout_scenarios.py and rollouts.py.
"""
import copy
import json
import os
import re
import subprocess
import time
from datetime import datetime, timezone

from show import Show, instant, milliseconds

SAMPLE_SECONDS = 0.5
LOAD_SECONDS = 3000
REVISION_LABEL = "scalableapp.io/revision"
DRAINING_ANNOTATION = "scalableapp.io/draining-since"
# `stable` is the revision that there was before, `updated` every other.
COLUMNS = ["second", "time", "phase", "offered", "served", "failed", "answered_5xx", "p50_ms", "p99_ms", "target_ms",
           "desired", "available", "ready", "warming", "stable_pods", "stable_ready", "stable_available",
           "stable_leaving", "updated_pods", "updated_ready", "updated_available", "updated_leaving", "rollout_phase",
           "step", "weight", "measurements", "failure", "current", "updated", "active"]


def leaves(pod):
    """It drains or terminates."""
    return "deletionTimestamp" in pod["metadata"] or DRAINING_ANNOTATION in pod["metadata"].get("annotations", {})


def count_pods(pods, stable_revision, min_ready_seconds, now):
    """Of pods as the API server has them. Ready: as the kubelet says; available: takes traffic, and has for
    min_ready_seconds; leaving: drains or terminates, and is no pod any more; warming: neither Ready nor leaving."""
    counts = dict.fromkeys(("available", "ready", "warming"), 0)
    for side in ("stable", "updated"):
        counts.update({f"{side}_{what}": 0 for what in ("pods", "ready", "available", "leaving")})
    for pod in pods:
        if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            continue
        side = "stable" if pod["metadata"].get("labels", {}).get(REVISION_LABEL) == stable_revision else "updated"
        ready = next((c for c in pod.get("status", {}).get("conditions", []) if c["type"] == "Ready"), {})
        is_ready = ready.get("status") == "True"
        is_leaving = leaves(pod)
        is_available = is_ready and not is_leaving and (
            min_ready_seconds == 0 or now - instant(ready["lastTransitionTime"]) >= min_ready_seconds)
        counts["ready"] += is_ready
        counts[f"{side}_ready"] += is_ready
        counts["available"] += is_available
        counts[f"{side}_available"] += is_available
        counts[f"{side}_pods"] += not is_leaving
        counts[f"{side}_leaving"] += is_leaving
        counts["warming"] += not is_ready and not is_leaving
    return counts


def measurements(rollout):
    """How often the updated revision's requests were judged; its restarts are counted from the first moment on."""
    metrics = rollout.get("analysis", {}).get("metrics", [])
    return max((m.get("measurements", 0) for m in metrics if m["name"] != "restarts"), default=0)


def spelled(arguments):
    """A command as a person would name it."""
    return " ".join([os.path.basename(arguments[0]), *arguments[1:5]])


class RolloutRun(Show):
    """Plays one scenario after another; web is put back after the last of them, or after one that was not as it should
    be."""

    def __init__(self, options, api=None):
        super().__init__(options, api)
        self.tty = False
        self.is_watching = False
        self.original = None           # web's spec, while it is another.
        self.original_selector = None  # Of its Service.
        self.begin_scenario()

    def begin_scenario(self, rate=0):
        """Nothing of the scenario before is left but web, at rest."""
        self.rate = rate  # Requests/s.
        self.app = "web"
        self.selector = "scalableapp.io/name=web"
        self.desired_until_known = None  # Before there is a ScalableApp.
        self.active_service = None       # Whose selector is looked at.
        self.before = None               # The stable revision.
        self.args_before = None          # Of its container.
        self.last_pods = []
        self.allowed_loss = 0            # Of available pods.
        self.rows, self.seconds, self.phases, self.phase = [], [], [], ""
        self.load_pod = None
        self.marks, self.problems, self.facts = [], [], {}
        self.clean_ups = []
        self.decisions.clear()
        # The generator counts by whole seconds: the one in which the last scenario's requests ended is not of this one.
        time.sleep(1 - time.time() % 1)
        self.started = time.time()

    # --- steering -----------------------------------------------------------------------------------
    def command(self, *arguments, stdin=None, check=True):
        done = subprocess.run(arguments, input=stdin, capture_output=True, text=True)
        if check and done.returncode != 0:
            said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
            raise RuntimeError(f"{spelled(arguments)}: {said[:500]}")
        return done.stdout.strip()

    def kubectl(self, *arguments, **more):
        return self.command(self.options.kubectl, "-n", self.options.namespace, *arguments, **more)

    def plugin(self, verb, *arguments):
        """kubectl scalableapp VERB; what it says is kept, with the moment."""
        said = self.command(self.options.plugin, verb, *arguments, "-n", self.options.namespace)
        self.mark(f"{verb}: {said.splitlines()[-1] if said else 'done'}")

    def patch_app(self, *operations):
        self.kubectl("patch", "scalableapp", self.app, "--type=json", "-p", json.dumps(operations))

    def new_version(self, *flags):
        """Asks for a new version of the workload, with more flags of `demo-workload service`."""
        container = self.api.scalable_app(self.app)["spec"]["template"]["spec"]["containers"][0]
        version = f"v{int(time.time()) % 100000}"
        self.args_before = container["args"]
        args = [re.sub(r"--version-label=.*", f"--version-label={version}", a) for a in self.args_before]
        self.patch_args([*args, *flags])
        self.mark(f"version {version} {' '.join(flags)}".strip())

    def withdraw_version(self):
        self.patch_args(self.args_before)
        self.mark("the version of before is asked for again")

    def patch_args(self, args):
        self.patch_app({"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": args})

    def mark(self, text):
        self.marks.append((self.now(), text))
        print(f"--- {self.now():.1f}s {text}", flush=True)

    def expect(self, holds, otherwise):
        if not holds:
            self.problems.append(otherwise)
        return holds

    # --- before and after ---------------------------------------------------------------------------
    def watch(self):
        if not self.is_watching:
            self.api.watch_scalable_apps(self.note_decision)
            self.is_watching = True

    def web(self):
        self.watch()
        web = self.api.scalable_app("web")
        if web is None:
            raise RuntimeError(f"there is no ScalableApp web in namespace {self.options.namespace}")
        return web

    def take_over_web(self, rollout, replicas, may_scale):
        """web with the strategy and the count of the scenario, at rest; how it was is kept."""
        is_first = self.original is None
        if is_first:
            self.wait_for_rest(self.web()["spec"]["replicas"]["min"])
            self.original = copy.deepcopy(self.web()["spec"])
            selector = json.loads(self.kubectl("get", "service", "web", "-o", "json"))["spec"]["selector"]
            self.original_selector = {label: value for label, value in selector.items() if label != REVISION_LABEL}
        self.target_ms = max([milliseconds(m["latency"]["target"]) for m in self.original.get("metrics", [])
                              if m["type"] == "Latency"] or [0.0])
        self.patch_app({"op": "replace", "path": "/spec/rollout", "value": rollout},
                       {"op": "replace", "path": "/spec/replicas/min", "value": replicas},
                       {"op": "replace", "path": "/spec/replicas/max",
                        "value": self.original["replicas"]["max"] if may_scale else replicas})
        kept = json.loads(self.kubectl("get", "scalableapp", "web", "-o", "json"))["spec"]["rollout"]
        if kept.get("strategy", "Rolling") != rollout["strategy"]:
            raise RuntimeError("the cluster's CRD does not know spec.rollout.strategy: run ./demo --up again")
        self.wait_for_rest(replicas, may_drain=not is_first)
        self.before = self.web()["status"]["currentRevision"]
        self.started = time.time()
        self.decisions.clear()

    def restore_web(self):
        """Strategy first, so that no Service is steered any more, then the Service, then all of the rest."""
        if self.original is None:
            return
        self.app, original, self.original = "web", self.original, None
        self.patch_app({"op": "replace", "path": "/spec/rollout", "value": original["rollout"]})
        self.kubectl("patch", "service", "web", "--type=json", "-p",
                     json.dumps([{"op": "replace", "path": "/spec/selector", "value": self.original_selector}]))
        self.patch_app({"op": "replace", "path": "/spec", "value": original})

    def clean_up(self, *more):
        """What the scenario has left, then `more`. All of it is tried; an error of one is told."""
        steps, self.clean_ups = [*reversed(self.clean_ups), *more], []
        for step in steps:
            try:
                step()
            except (RuntimeError, OSError) as error:
                print(f"rollouts: not put back: {error}", flush=True)

    def steady_load(self, rate, calm_seconds):
        """The load, until the app has been at rest under it for so long."""
        self.begin_load("steady", f"{rate}:{LOAD_SECONDS}s", f"{rate} requests/s")
        calm, wanted, deadline = 0, calm_seconds / SAMPLE_SECONDS, time.time() + 90
        while calm < wanted and time.time() < deadline:
            row = self.observe_in_time()
            calm = calm + 1 if row["available"] == row["desired"] and not row["warming"] else 0
        self.expect(calm >= wanted, f"{self.app} was not at rest under {rate} requests/s after 90 s")

    # --- looking ------------------------------------------------------------------------------------
    def service_path(self, name):
        return f"/api/v1/namespaces/{self.options.namespace}/services/{name}"

    def pods(self):
        """As far as is known: while the API server does not answer, as they were."""
        path = (f"/api/v1/namespaces/{self.options.namespace}/pods?resourceVersion=0&labelSelector="
                + self.selector.replace("=", "%3D").replace("/", "%2F"))
        answer = self.api.get(path)
        if answer is not None:
            self.last_pods = answer.get("items", [])
        return self.last_pods

    def observe(self):
        second, moment = self.now(), datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        app = self.api.scalable_app(self.app) or {}
        status = app.get("status", {})
        rollout = status.get("rollout", {})
        min_ready = app.get("spec", {}).get("rollout", {}).get("minReadySeconds", 0)
        active = None
        if self.active_service:
            active = ((self.api.get(self.service_path(self.active_service)) or {}).get("spec", {})
                      .get("selector", {}).get(REVISION_LABEL, ""))
        row = dict.fromkeys(COLUMNS)
        row.update(count_pods(self.pods(), self.before, min_ready, time.time()))
        row.update(second=second, time=moment, phase=self.phase, target_ms=self.target_ms,
                   desired=status.get("desiredReplicas", self.desired_until_known),
                   rollout_phase=rollout.get("phase", ""), step=rollout.get("step", 0), weight=rollout.get("weight", 0),
                   measurements=measurements(rollout), failure=rollout.get("failureReason", ""),
                   current=status.get("currentRevision"), updated=status.get("updatedRevision"), active=active)
        if row["updated"] == self.before:
            row.update(measurements=0, failure="")  # Of a rollout before this one.
        self.rows.append(row)
        return row

    def observe_in_time(self):
        """The next row, half a second after the one before."""
        if self.rows:
            time.sleep(max(0.0, self.started + self.rows[-1]["second"] + SAMPLE_SECONDS - time.time()))
        row = self.observe()
        last = self.rows[-2] if len(self.rows) > 1 else {}
        watched = ("desired", "available", "stable_available", "updated_available", "updated_pods", "rollout_phase",
                   "weight")
        if any(row[name] != last.get(name) for name in watched):
            print(f"{row['second']:7.1f}s  desired {row['desired']}  available {row['available']} "
                  f"(stable {row['stable_available']} of {row['stable_pods']}, updated {row['updated_available']} of "
                  f"{row['updated_pods']})  {row['rollout_phase']} {row['weight'] or ''}".rstrip(), flush=True)
        return row

    def watch_for(self, seconds):
        end = time.time() + seconds
        while time.time() < end:
            self.observe_in_time()

    def watch_until(self, holds, seconds, otherwise):
        """The first row of which `holds`, or None, which is a problem."""
        end = time.time() + seconds
        while time.time() < end:
            row = self.observe_in_time()
            if holds(row):
                return row
        self.expect(False, f"{otherwise} within {seconds} s")
        return None

    def watch_command(self, arguments, seconds):
        """Runs a command, looking meanwhile; a problem if it fails or takes longer."""
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        end = time.time() + seconds
        while process.poll() is None and time.time() < end:
            self.observe_in_time()
        if process.poll() is None:
            process.kill()
        said = process.communicate()[0].strip()
        self.expect(process.returncode == 0, f"{spelled(arguments)}: {said[:500] or 'took too long'}")
        return process.returncode == 0

    def is_rolled_out(self, row):
        """The updated revision is the current one, and nothing of the one before is left."""
        return (row["current"] not in (None, self.before) and row["current"] == row["updated"]
                and row["stable_pods"] == 0 and row["updated_available"] >= row["desired"]
                and row["rollout_phase"] in ("", "Healthy"))
