"""What goes wrong in a scenario, and when. Each fault runs on a thread of its own beside the watching; what it did is a
mark, what it could not do a problem, and what it leaves behind is put back by clean_up.

    kill      pods chosen by chance with a seed, without grace
    down      no pod of an app for a while: it is paused, and its ReplicaSets are emptied
    stop      a Deployment or StatefulSet of the chart at 0 for a while
    evacuate  another region is scaled ahead, then this one takes no traffic
    rollout   another version, with flags if told
"""
import json
import random
import threading
import time

ANNOUNCED_SECONDS = 120
AHEAD_SECONDS = 60
PROGRAM = "/usr/local/bin/demo-workload"


class Faults:
    """`run` has kubectl(namespace, ...), plugin(namespace, ...), mark(text), problem(text) and wait(seconds), which is
    False when the run is over."""

    def __init__(self, scenario, run, seed=7):
        self.scenario, self.run, self.seed = scenario, run, seed
        self.threads, self.clean_ups = [], []

    def begin(self):
        """From now on, which is the begin of the load."""
        for index, fault in enumerate(self.scenario.faults):
            thread = threading.Thread(target=self.play, args=(fault, random.Random(self.seed + index)), daemon=True)
            thread.start()
            self.threads.append(thread)

    def play(self, fault, chance):
        if not self.run.wait(fault.at):
            return
        try:
            {"kill": self.kill, "down": self.down, "stop": self.stop, "evacuate": self.evacuate,
             "rollout": self.rollout}[fault.kind](fault.what, chance)
        except (RuntimeError, OSError, ValueError) as error:
            self.run.problem(f"{fault.kind}: {error}")

    def end(self):
        """Waits for those that are at it, and puts back what is left. An error of one does not keep the others."""
        for thread in self.threads:
            thread.join(timeout=90)
        steps, self.clean_ups = self.clean_ups[::-1], []
        for step in steps:
            try:
                step()
            except (RuntimeError, OSError) as error:
                self.run.problem(f"not put back: {error}")

    # --- each of them -------------------------------------------------------------------------------
    def kill(self, what, chance):
        app, until = self.scenario.app(what["app"]), time.time() + what.get("for", 0)
        while True:
            names = self.ready_pods(app)
            # One after another or at once, never the same.
            chosen = chance.sample(names, min(what.get("count", 1), len(names)))
            if chosen:
                self.run.kubectl(app.namespace, "delete", "pod", *chosen, "--grace-period=0", "--force", "--wait=false")
            self.run.mark(f"killed of {app.key}: {len(chosen)} of {len(names)} pods")
            if not what.get("every") or time.time() + what["every"] > until or not self.run.wait(what["every"]):
                return

    def ready_pods(self, app):
        items = json.loads(self.run.kubectl(app.namespace, "get", "pods", "-l", f"scalableapp.io/name={app.name}", "-o",
                                            "json"))["items"]
        return sorted(pod["metadata"]["name"] for pod in items if "deletionTimestamp" not in pod["metadata"] and any(
            c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", [])))

    def down(self, what, _chance):
        app = self.scenario.app(what["app"])

        def pause(is_paused):
            self.run.kubectl(app.namespace, "patch", "scalableapp", app.name, "--type=merge", "-p",
                             json.dumps({"spec": {"paused": is_paused}}))

        def back():
            pause(False)
            self.run.mark(f"{app.key} is back")

        self.clean_ups.append(lambda: pause(False))
        pause(True)
        self.run.kubectl(app.namespace, "scale", "replicaset", "-l", f"scalableapp.io/name={app.name}", "--replicas=0")
        self.run.mark(f"{app.key} is down")
        self.run.wait(what["for"])
        back()

    def stop(self, what, _chance):
        namespace, workload = what.get("namespace", "demo"), what["workload"]
        before = json.loads(self.run.kubectl(namespace, "get", workload, "-o", "json"))["spec"]["replicas"]

        def scale(replicas):
            self.run.kubectl(namespace, "scale", workload, f"--replicas={replicas}")

        self.clean_ups.append(lambda: scale(before))
        scale(0)
        self.run.mark(f"{workload} is stopped")
        self.run.wait(what["for"])
        scale(before)
        self.run.mark(f"{workload} is started again")

    def evacuate(self, what, _chance):
        region, to = what["region"], what["to"]
        for app in self.scenario.apps:
            if app.namespace == to and app.is_service:
                try:
                    self.run.plugin(to, "expect", app.name, what["expect"], f"--for={ANNOUNCED_SECONDS}s", "--wait",
                                    f"--timeout={AHEAD_SECONDS}s")
                    self.run.mark(f"{app.key} is scaled ahead to {what['expect']}")
                except RuntimeError as error:
                    self.run.problem(f"{app.key} was not ready ahead: {error}")
        redis = f"--redis=redis.{region}:6379"
        self.clean_ups.append(lambda: self.run.kubectl("demo", "exec", "deploy/load", "--", PROGRAM, "evacuate", redis,
                                                       "--back"))
        self.run.kubectl("demo", "exec", "deploy/load", "--", PROGRAM, "evacuate", redis)
        self.run.mark(f"{region} takes no traffic")

    def rollout(self, what, _chance):
        app = self.scenario.app(what["app"])
        path = "/spec/template/spec/containers/0/args"
        spec = json.loads(self.run.kubectl(app.namespace, "get", "scalableapp", app.name, "-o", "json"))["spec"]
        args = spec["template"]["spec"]["containers"][0]["args"] + [*what.get("args", []), "--version-label=next"]
        self.run.kubectl(app.namespace, "patch", "scalableapp", app.name, "--type=json", "-p",
                         json.dumps([{"op": "replace", "path": path, "value": args}]))
        self.run.mark(f"another version of {app.key}")
