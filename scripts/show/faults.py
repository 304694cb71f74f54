"""Breaks one thing in the middle of a spike and tells what became of the app.

    faults.py leader|prometheus|apiserver --kubectl PATH --node CONTAINER [--namespace demo] [--out demo-out]

  leader      the leading operator is killed (SIGKILL), 1 s into the spike, before the first scale-up
  prometheus  it is gone for 60 s from the middle of the spike, and the load falls meanwhile: the trap is to scale down
  apiserver   the kube-apiserver process is killed 1 s into the spike; the kubelet starts it again

Writes OUT/fault-NAME.{csv,svg,json} and prints the seconds in which something changed. Exit code 1 if the fault cost
replicas or the app did not come to what the load needs.
"""
import argparse
import json
import os
import subprocess
import sys
import threading
import time

from plot import draw
from show import Show

LEASE = "/apis/coordination.k8s.io/v1/namespaces/scalableapp-system/leases/scalableapp-operator"


class FaultRun(Show):
    def __init__(self, options):
        super().__init__(options)
        self.facts = {"fault": options.fault}
        self.marks = []
        self.tty = False

    def kubectl(self, *arguments, check=True):
        return subprocess.run([self.options.kubectl, *arguments], check=check, capture_output=True, text=True).stdout

    def mark(self, text):
        self.marks.append((self.now(), text))
        print(f"--- {self.now():.1f}s {text}", flush=True)

    def leader(self, timeout=1.0):
        return ((self.api.get(LEASE, timeout=timeout) or {}).get("spec") or {}).get("holderIdentity")

    # --- the faults -----------------------------------------------------------------------------------
    def find_leader(self):
        """Its identity, its pod's uid and node; asked for before the spike, in which the API server is slow to answer."""
        for _ in range(10):
            holder = self.leader(timeout=3.0)
            if holder:
                pod = holder.partition("_")[0]
                uid, node = self.kubectl("-n", "scalableapp-system", "get", "pod", pod,
                                         "-o", "jsonpath={.metadata.uid} {.spec.nodeName}").split()
                return holder, uid, node
            time.sleep(1)
        raise RuntimeError("no operator leads, or the API server does not say which; look at: "
                           "kubectl -n scalableapp-system get lease,pods")

    def break_leader(self, before, uid, node):
        # SIGKILL: it cannot release its lease. A pod's processes are told by its uid in their cgroup's path.
        script = (f"for p in $(pgrep -f scalableapp-operator); do grep -qE '{uid.replace('-', '[-_]')}' /proc/$p/cgroup"
                  " && kill -9 $p && echo $p; done; true")
        killed = subprocess.run(["docker", "exec", node, "sh", "-c", script], check=True,
                                capture_output=True, text=True).stdout.split()
        if not killed:
            raise RuntimeError(f"no process of {before} was found on {node}")
        began = time.time()
        self.mark(f"leader {before} killed")

        def await_successor():
            while time.time() < began + 60:
                holder = self.leader()
                if holder and holder != before:
                    self.facts["seconds_to_new_leader"] = round(time.time() - began, 1)
                    self.mark(f"{holder} leads")
                    return
                time.sleep(0.1)

        threading.Thread(target=await_successor, daemon=True).start()

    def break_apiserver(self):
        subprocess.run(["docker", "exec", self.options.node, "pkill", "-9", "-x", "kube-apiserver"], check=True)
        began = time.time()
        self.mark("kube-apiserver killed")

        def await_apiserver():
            time.sleep(0.5)
            while not self.api.answers("/readyz"):
                time.sleep(0.1)
            self.facts["seconds_without_apiserver"] = round(time.time() - began, 1)
            self.mark("kube-apiserver is back")

        threading.Thread(target=await_apiserver, daemon=True).start()

    def scale_prometheus(self, replicas):
        self.kubectl("-n", "monitoring", "scale", "deployment/prometheus", f"--replicas={replicas}")
        self.mark("Prometheus is stopped" if replicas == 0 else "Prometheus is started again")

    # --- the run --------------------------------------------------------------------------------------
    def run(self):
        base, spike = self.options.rate, self.options.spike
        web = self.begin_at_rest()
        minimum = web["spec"]["replicas"]["min"]
        self.begin_load("steady", f"{base}:600s")
        self.run_for(10)
        leader = self.find_leader() if self.options.fault == "leader" else None
        self.begin_load("spike", f"{spike}:600s")
        self.run_for(1)
        if leader:
            self.break_leader(*leader)
            self.run_for(40)
        elif self.options.fault == "apiserver":
            self.break_apiserver()
            self.run_for(60)
        else:
            self.run_for(24)
            held = self.rows[-1]["desired"]
            self.scale_prometheus(0)
            self.begin("no metrics")
            self.run_for(15)
            self.begin_load("no metrics, load gone", f"{base}:600s")
            self.run_for(45)
            self.facts["replicas_before_the_outage"] = held
            self.facts["least_replicas_in_the_outage"] = min(
                r["desired"] for r in self.rows if r["phase"].startswith("no metrics"))
            self.scale_prometheus(1)
            self.begin("metrics back")
            self.run_for(120, until=lambda r: r["desired"] == minimum and r["ready"] == minimum)
        self.end_load()

    def conclude(self):
        self.merge_generator_timeline()
        spike = self.phase_start("spike")
        ups = self.scale_ups_in_spike()
        # A write that the watch slept through shows in the rows.
        first_up = next((r["second"] - spike for r in self.rows if r["second"] > spike
                         and (r["desired"] or 0) > self.rows[0]["desired"]), None)
        if ups and first_up is not None:
            first_up = min(first_up, self.seconds_into(ups[0]) - spike)
        self.facts.update({
            "failed_requests": self.total("failed"),
            "requests": self.total("completed") + self.total("failed"),
            "retried_requests": self.total("retried"),
            "least_ready_replicas": min(r["ready"] for r in self.rows if r["ready"] is not None),
            "peak_ready_replicas": max(r["ready"] for r in self.rows if r["ready"] is not None),
            "seconds_to_first_scale_up": None if first_up is None else round(first_up, 1),
            "decisions": [f"{self.seconds_into(d):6.1f}s {d[1]}: {d[5]}" for d in self.decisions if d[1] == "web"],
            "marks": [f"{at:6.1f}s {text}" for at, text in self.marks],
        })
        problems = []
        if self.facts["least_ready_replicas"] < self.rows[0]["ready"]:
            problems.append(f"ready replicas fell to {self.facts['least_ready_replicas']}")
        if first_up is None:
            problems.append("the app was never scaled up")
        if self.facts.get("least_replicas_in_the_outage", 99) < self.facts.get("replicas_before_the_outage", 0):
            problems.append("it was scaled down without metrics")
        self.facts["problems"] = problems
        return problems

    def print_table(self):
        """The seconds in which a figure a person would look at changed."""
        columns = [("second", 7), ("phase", 22), ("offered", 8), ("failed", 7), ("p99_ms", 7), ("desired", 8), ("ready", 6), ("warming", 8)]
        print("\n" + " ".join(f"{name:>{width}}" for name, width in columns))
        seen = None
        for row in self.rows:
            state = (row["phase"], row["desired"], row["ready"], bool(row["failed"]))
            if state != seen:
                print(" ".join(f"{self.figure(row[name]):>{width}}" for name, width in columns))
            seen = state
        print()
        for line in sorted(self.facts["marks"] + self.facts["decisions"], key=lambda text: float(text.partition("s ")[0])):
            print(f"  {line}")
        for name in ("seconds_to_new_leader", "seconds_without_apiserver", "replicas_before_the_outage", "least_replicas_in_the_outage",
                     "seconds_to_first_scale_up", "least_ready_replicas", "peak_ready_replicas", "requests", "failed_requests"):
            if self.facts.get(name) is not None:
                print(f"  {name.replace('_', ' '):<32} {self.facts[name]:g}")

    @staticmethod
    def figure(value):
        return "-" if value is None else f"{value:.0f}" if isinstance(value, (int, float)) else str(value)

    def write(self):
        base = os.path.join(self.options.out, f"fault-{self.options.fault}")
        os.makedirs(self.options.out, exist_ok=True)
        self.write_rows(f"{base}.csv")
        with open(f"{base}.json", "w") as target:
            json.dump(self.facts, target, indent=2)
            target.write("\n")
        with open(f"{base}.svg", "w") as target:
            target.write(draw(self.rows, self.phases + self.marks, self.target_ms, f"A spike, and {self.options.fault} fails"))
        print(f"\n  {base}.json  {base}.csv  {base}.svg")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("fault", choices=["leader", "prometheus", "apiserver"])
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--node", required=True, help="the container of the control plane's kind node")
    parser.add_argument("--namespace", default="demo")
    parser.add_argument("--out", default="demo-out")
    parser.add_argument("--rate", type=int, default=40)
    parser.add_argument("--spike", type=int, default=400)
    options = parser.parse_args()
    run = None
    try:
        run = FaultRun(options)
        run.run()
        problems = run.conclude()
        run.print_table()
        run.write()
        for problem in problems:
            print(f"faults: {problem}", file=sys.stderr)
        return 1 if problems else 0
    except KeyboardInterrupt:
        print("faults: interrupted", file=sys.stderr)
        return 130
    except (RuntimeError, subprocess.CalledProcessError, FileNotFoundError) as error:
        print(f"faults: {error}", file=sys.stderr)
        if run and run.rows:
            run.write()
        return 1
    finally:
        if run:
            run.stop_load()
            if options.fault == "prometheus":
                run.kubectl("-n", "monitoring", "scale", "deployment/prometheus", "--replicas=1", check=False)
            run.api.close()


if __name__ == "__main__":
    sys.exit(main())
