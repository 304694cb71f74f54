"""The rollouts that can be played: what web is set to, what is done, and what must then be so. Each `play` drives a
RolloutRun; what holds for all of them (no failed request, no lost capacity) is judged in rollouts.py.
"""
import json
from dataclasses import dataclass
from typing import Callable, Optional

from rollout_run import LOAD_SECONDS, RolloutRun, leaves

# The count for all, so that one can follow another without a way down in between.
REPLICAS = 4
STEPS = [{"setWeight": 20}, {"pause": {"durationSeconds": 2}}, {"setWeight": 50}, {"analysis": {}}, {"setWeight": 100}]
ANALYSIS_SECONDS = 3
MOST_INTERVALS = 3  # Of judged traffic, until a bad version is given up.
ROLLING = {"strategy": "Rolling", "maxSurge": "50%", "maxUnavailable": 0}
CANARY = {
    "strategy": "Canary", "maxSurge": "50%", "maxUnavailable": 0, "canary": {"steps": STEPS},
    "analysis": {"intervalSeconds": ANALYSIS_SECONDS, "count": 3, "metrics": [
        {"name": "errors", "type": "ErrorRate"}, {"name": "latency", "type": "Latency"},
        {"name": "restarts", "type": "Restarts"}]}}
OLD_PODS_STAY_SECONDS = 4
BLUE_GREEN = {"strategy": "BlueGreen", "blueGreen": {
    "activeService": "web", "previewService": "web-preview", "autoPromotion": False,
    "scaleDownDelaySeconds": OLD_PODS_STAY_SECONDS}}


@dataclass
class Scenario:
    title: str
    play: Callable[[RolloutRun], None]
    prepare: Callable[[RolloutRun], None] = lambda run: None  # Before the rollout's fields are set.
    rollout: Optional[dict] = None  # spec.rollout meanwhile; None: it is not about web.
    rate: int = 100
    may_scale: bool = False         # Else the count is held, whatever the load.
    may_fail: bool = False          # Requests.
    # Or so many of them: on a busy machine a connection was refused now and then, it seems while kube-proxy rewrote its
    # rules; the cause is not proved.
    most_failed_share: float = 0
    may_answer_5xx: bool = False    # A bad version does.
    may_lose_capacity: bool = False


def roll_out(run, *flags, seconds=120):
    """A new version until nothing of the old one is left; the seconds to the last new pod and to the last old one."""
    run.begin("rollout")
    began = run.now()
    run.new_version(*flags)
    done = run.watch_until(run.is_rolled_out, seconds, "the rollout did not end")
    if done:
        first = next(r for r in run.rows if r["second"] >= began and r["current"] == done["current"])
        run.facts["rollout_seconds"] = round(first["second"] - began, 1)
        run.facts["seconds_until_the_old_pods_were_gone"] = round(done["second"] - began, 1)
        run.mark("rolled out")
    return done


def rolling(run):
    roll_out(run)


def canary(run):
    began = run.now()
    done = roll_out(run, seconds=180)
    rows = [r for r in run.rows if r["second"] >= began and (done is None or r["second"] <= done["second"])]
    weights = [w for i, w in enumerate(r["weight"] for r in rows) if i == 0 or w != rows[i - 1]["weight"]]
    run.facts["weights"] = weights
    run.facts["most_updated_pods_by_weight"] = {
        str(w): max(r["updated_available"] for r in rows if r["weight"] == w) for w in (20, 50)
        if any(r["weight"] == w for r in rows)}
    run.facts["measurements"] = max(r["measurements"] for r in rows)
    run.expect([w for w in weights if w in (20, 50)] == [20, 50], f"the weights were {weights}, not 20, then 50")
    run.expect(run.facts["measurements"] >= 3, f"it was judged {run.facts['measurements']} times, not 3 times")


def bad_canary(run, flag):
    """A version that must be given up within MOST_INTERVALS of judged traffic, and then goes away without a dent."""
    run.begin("bad version")
    began = run.now()
    run.new_version(flag)
    failed = run.watch_until(lambda r: r["failure"], 120, "it was not given up")
    judged = next((r for r in run.rows if r["second"] >= began and r["measurements"] > 0), None)
    if not failed:
        return
    run.mark(f"given up: {failed['failure']}")
    run.begin("rollback")
    run.facts["seconds_to_the_failure"] = round(failed["second"] - began, 1)
    run.facts["measurements_to_the_failure"] = failed["measurements"]
    run.facts["failure"] = failed["failure"]
    judged_seconds = failed["second"] - judged["second"] if judged else 0.0
    run.facts["judged_seconds_to_the_failure"] = round(judged_seconds, 1)
    run.expect(judged_seconds <= MOST_INTERVALS * ANALYSIS_SECONDS and failed["measurements"] <= MOST_INTERVALS,
               f"it took {failed['measurements']} measurements and {judged_seconds:.0f} s of judged traffic to give it up; "
               f"{MOST_INTERVALS} of {ANALYSIS_SECONDS} s should do")
    back = run.watch_until(lambda r: r["updated_pods"] == 0 and r["stable_available"] >= r["desired"], 60,
                           "the bad version's pods were not gone, or the good one's not back,")
    if back:
        run.facts["rollback_seconds"] = round(back["second"] - failed["second"], 1)
        run.facts["rollout_seconds"] = round(back["second"] - began, 1)
        run.expect(back["current"] == run.before, f"the current revision is {back['current']}, not {run.before}")
        run.mark("rolled back")
        withdraw(run)


def withdraw(run):
    """The template of before is asked for again: there is nothing left to do, so no pod is touched."""
    def pods_that_stay():
        return {p["metadata"]["uid"] for p in run.pods() if not leaves(p)}

    before = pods_that_stay()
    run.begin("withdrawn")
    asked = run.now()
    run.withdraw_version()
    healthy = run.watch_until(lambda r: r["rollout_phase"] == "Healthy" and r["updated"] == run.before, 15,
                              "the app was not Healthy again after the bad version was withdrawn")
    if healthy:
        run.facts["seconds_to_healthy_when_withdrawn"] = round(healthy["second"] - asked, 1)
    run.watch_for(2)
    changed = before ^ pods_that_stay()
    run.expect(not changed, f"{len(changed)} pods came or went when the bad version was withdrawn")


def make_preview_service(run):
    run.clean_ups.append(lambda: run.kubectl("delete", "service", "web-preview", "--ignore-not-found"))
    run.kubectl("apply", "-f", "-", stdin=json.dumps({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web-preview"},
        "spec": {"selector": {"scalableapp.io/name": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}}))


def blue_green(run):
    run.active_service = "web"
    run.begin("preview")
    began = run.now()
    run.new_version()
    ready = run.watch_until(lambda r: r["updated_available"] >= r["desired"] and r["rollout_phase"] == "Paused", 90,
                            "the new pods were not all available and waiting for promotion")
    if not ready:
        return
    run.facts["seconds_to_the_preview"] = round(ready["second"] - began, 1)
    preview = (run.api.get(run.service_path("web-preview")) or {}).get("spec", {}).get("selector", {})
    run.expect(ready["updated"] in preview.values(),
               f"the preview Service selects {preview}, not revision {ready['updated']}")
    run.expect(ready["active"] != ready["updated"], "the active Service switched before it was promoted")
    run.watch_for(2)
    run.begin("switch")
    promoted = run.now()
    run.plugin("promote", "web")
    switched = run.watch_until(lambda r: r["active"] == r["updated"], 15, "the active Service did not switch")
    if not switched:
        return
    run.facts["seconds_to_the_switch"] = round(switched["second"] - promoted, 1)
    run.expect(switched["stable_available"] >= switched["desired"], "old pods were gone when the Service switched")
    done = run.watch_until(run.is_rolled_out, 60, "the old pods were not gone")
    if done:
        run.facts["rollout_seconds"] = round(done["second"] - began, 1)
        going = next(r for r in run.rows
                     if r["second"] > switched["second"] and r["stable_pods"] < switched["stable_pods"])
        run.facts["seconds_the_old_pods_stayed"] = round(going["second"] - switched["second"], 1)
    run.patch_app({"op": "replace", "path": "/spec/rollout", "value": ROLLING})
    run.watch_until(lambda r: r["active"] == "", 15, "the Service was not let go when the strategy no longer named it")


def recreate(run):
    began = run.now()
    done = roll_out(run, seconds=120)
    both = [r for r in run.rows if r["second"] >= began and r["stable_pods"] + r["stable_leaving"] and r["updated_pods"]]
    run.expect(not both, f"there were pods of both revisions at once, {both and both[0]['second']} s into the run")
    if done:
        down = [r for r in run.rows if r["second"] >= began and r["available"] == 0]
        run.facts["seconds_without_a_pod"] = round(down[-1]["second"] - down[0]["second"], 1) if down else 0.0


def undo(run):
    first = run.before
    if not roll_out(run):
        return
    run.before = run.rows[-1]["current"]
    run.watch_for(2)
    run.begin("undo")
    began = run.now()
    run.plugin("undo", "web")
    done = run.watch_until(run.is_rolled_out, 120, "the undo did not end")
    if done:
        run.facts["rollback_seconds"] = round(done["second"] - began, 1)
        run.expect(done["current"] == first, f"the current revision is {done['current']}, not {first} as before")


def drain(run):
    nodes = (run.api.get("/api/v1/nodes") or {}).get("items", [])
    open_nodes = [n for n in nodes if not n["spec"].get("unschedulable") and not n["spec"].get("taints")]
    if len(open_nodes) < 2:
        raise RuntimeError("drain needs two nodes that take pods: "
                           "scripts/cluster up --name NAME --nodes 2, then ./demo --up --name NAME")
    run.watch_until(lambda r: r["stable_leaving"] + r["updated_leaving"] == 0, 60, "pods of before were not gone")
    pods_of = {n["metadata"]["name"]: 0 for n in open_nodes}
    for pod in run.pods():
        if pod["spec"].get("nodeName") in pods_of:
            pods_of[pod["spec"]["nodeName"]] += 1
    node = max(pods_of, key=pods_of.get)
    run.facts["pods_by_node"] = pods_of
    # Two take pods away: evictions, and the operator, which replaces those of a cordoned node. What one of them has just
    # done is counted in the PodDisruptionBudget a moment late, and the other may take one more.
    allowed = run.kubectl("get", "pdb", run.app, "--ignore-not-found", "-o", "jsonpath={.status.disruptionsAllowed}")
    run.allowed_loss = max(1, int(allowed or 0))
    run.facts["disruptions_allowed"] = allowed or "no PodDisruptionBudget"
    run.clean_ups.append(lambda: run.command(run.options.kubectl, "uncordon", node))
    run.begin("drain")
    began = run.now()
    run.mark(f"drain {node} with {pods_of[node]} of {sum(pods_of.values())} pods")
    # Of this app only: the load generator and Redis have one pod each, and their loss would not be the rollout's.
    drained = run.watch_command([run.options.kubectl, "drain", node, f"--pod-selector={run.selector}",
                                 "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=150s"], 160)
    run.facts["drain_seconds"] = round(run.now() - began, 1)
    left = [p for p in run.pods() if p["spec"].get("nodeName") == node]
    run.expect(not drained or not left, f"{len(left)} pods of {run.app} are still on {node}")
    run.watch_until(lambda r: r["available"] >= r["desired"], 60, "the pods were not all back after the drain")
    run.facts["rollout_seconds"] = round(run.now() - began, 1)
    run.begin("uncordoned")
    run.command(run.options.kubectl, "uncordon", node)
    run.watch_for(2)


def spike(run):
    run.begin("rollout")
    began = run.now()
    run.new_version()
    half = run.watch_until(lambda r: r["updated_available"] > 0 and r["stable_pods"] > 0, 60,
                           "no new pod was available beside old ones")
    desired = run.rows[-1]["desired"]
    run.begin_load("spike", f"{10 * run.rate}:{LOAD_SECONDS}s", f"{run.rate} -> {10 * run.rate} requests/s")
    stepped = run.now()
    done = run.watch_until(run.is_rolled_out, 150, "the rollout did not end")
    if done and half:
        run.facts["rollout_seconds"] = round(done["second"] - began, 1)
    if not run.watch_until(lambda r: r["desired"] > desired, 30, "the load was not answered by more replicas"):
        return
    up = next(r for r in run.rows if r["desired"] > desired)
    run.facts["seconds_to_the_scale_up"] = round(up["second"] - stepped, 1)
    full = run.watch_until(lambda r: r["available"] >= r["desired"], 60, "not every wanted pod was available")
    if full:
        run.facts["seconds_to_all_ready"] = round(full["second"] - stepped, 1)
    run.facts["peak_desired"] = max(r["desired"] for r in run.rows)


def shop_objects(container, replicas):
    """A Deployment as web's pods would be without the operator, with what goes with it, and a load generator at it."""
    labels = {"app": "shop"}
    pod = {"containers": [dict(container, name="shop")], "terminationGracePeriodSeconds": 30,
           "securityContext": {"runAsNonRoot": True, "runAsUser": 65532}}
    load = {"name": "load", "image": container["image"], "imagePullPolicy": "IfNotPresent",
            "args": ["load", "--serve", "--target=http://shop", "--admin-port=9100"]}
    return {"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "labels": labels},
         "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
             "metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9100"}},
             "spec": pod}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"},
         "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}},
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop"},
         "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
                  "minReplicas": replicas, "maxReplicas": 10, "metrics": [{"type": "Resource", "resource": {
                      "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop-load", "labels": {"app": "shop-load"}},
         "spec": {"containers": [load], "terminationGracePeriodSeconds": 1}}]}


def adopt(run):
    replicas = 4
    web = run.web()
    run.app, run.selector, run.desired_until_known = "shop", "app=shop", replicas
    run.clean_ups.append(lambda: run.kubectl("delete", "scalableapp/shop", "deployment/shop", "hpa/shop", "service/shop",
                                             "pod/shop-load", "--ignore-not-found", "--wait=false"))
    container = web["spec"]["template"]["spec"]["containers"][0]
    run.kubectl("apply", "-f", "-", stdin=json.dumps(shop_objects(container, replicas)))
    run.kubectl("rollout", "status", "deployment/shop", "--timeout=90s")
    run.kubectl("wait", "pod/shop-load", "--for=condition=Ready", "--timeout=60s")
    run.api.load_pod = lambda: "shop-load"
    run.clean_ups.append(lambda: vars(run.api).pop("load_pod"))
    run.steady_load(run.rate, 2)
    before = {p["metadata"]["uid"] for p in run.pods()}
    run.begin("adopt")
    began = run.now()
    if not run.watch_command([run.options.plugin, "adopt", "shop", "-n", run.options.namespace], 120):
        return

    def taken_over(row):
        app = run.api.scalable_app("shop") or {}
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in app.get("status", {}).get("conditions", []))
        return (ready and row["current"] and row["available"] >= row["desired"] and row["rollout_phase"] in ("", "Healthy")
                and not run.kubectl("get", "deployment/shop", "hpa/shop", "--ignore-not-found", "-o", "name"))

    done = run.watch_until(taken_over, 60, "the ScalableApp was not Ready, or the Deployment or its autoscaler not gone,")
    if done:
        run.facts["rollout_seconds"] = round(done["second"] - began, 1)
        run.mark("adopted")
    run.watch_for(5)
    run.facts["pods_replaced"] = len(before - {p["metadata"]["uid"] for p in run.pods()})
    run.expect(run.facts["pods_replaced"] == 0, f"{run.facts['pods_replaced']} of {len(before)} pods were replaced")


SCENARIOS = {
    # The first: web may still be on its way to rest.
    "adopt": Scenario("A Deployment is adopted", adopt),
    "rolling": Scenario("A rolling update", rolling, rollout=ROLLING),
    "canary": Scenario("A canary: 20 %, 2 s, 50 %, an analysis, all", canary, rollout=CANARY),
    "canary-errors": Scenario("A canary that fails 5 % of its requests", lambda run: bad_canary(run, "--error-rate=0.05"),
                              rollout=CANARY, may_answer_5xx=True),
    "canary-slow": Scenario("A canary that is half as fast", lambda run: bad_canary(run, "--slowdown=2"), rollout=CANARY),
    "blue-green": Scenario("Blue, then green", blue_green, prepare=make_preview_service, rollout=BLUE_GREEN),
    "undo": Scenario("A new version, and its undo", undo, rollout=ROLLING),
    "recreate": Scenario("Recreated: first none, then all", recreate, rollout={"strategy": "Recreate"}, may_fail=True,
                         may_answer_5xx=True, may_lose_capacity=True),
    "drain": Scenario("A node is drained", drain, rollout=ROLLING),
    "spike": Scenario("Ten times the load in the middle of a rolling update", spike, rollout=ROLLING, rate=40,
                      may_scale=True, most_failed_share=0.001),
}
