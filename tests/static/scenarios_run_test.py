"""What a scenario's run does and makes of what it saw, with a cluster that is made up: no waiting."""
import argparse
import contextlib
import io
import json
import os
import struct
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "show"))
import scenario_faults  # noqa: E402
import scenario_history  # noqa: E402
import scenario_load  # noqa: E402
import scenario_plot  # noqa: E402
import scenario_run  # noqa: E402
import show as shows  # noqa: E402
from scenario_types import History, Profile  # noqa: E402
from scenarios_test import shop  # noqa: E402
from show_test import START, Clock, FakeApi, Lines, decision  # noqa: E402

OPTIONS = argparse.Namespace(kubectl="kubectl", plugin="plugin", namespace="demo", out=".", image="workload:1")


def tally(name=None, **more):
    made = {"offered": 0, "failed": 0, "shed": 0, "cache_hits": 0, "cache_misses": 0, "degraded": 0, "sessions_lost": 0,
            "accepted": 0, "slo_violation_seconds": 0, "latency_ms": {"p99": 10.0}, **more}
    return {"name": name, **made} if name else made


def pod(name, ready=True, **metadata):
    return {"metadata": {"name": name, **metadata},
            "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}}


class FakeRun:
    """For the faults: notes what is asked for, and lets time pass."""

    def __init__(self, clock, answers=None):
        self.clock, self.answers, self.asked, self.marks, self.problems = clock, answers or {}, [], [], []

    def kubectl(self, namespace, *arguments, stdin=None, may_fail=False):
        self.asked.append(" ".join([namespace, *arguments]))
        return next((a for key, a in self.answers.items() if key in self.asked[-1]), "")

    def plugin(self, namespace, *arguments):
        self.asked.append(" ".join(["plugin", namespace, *arguments]))

    def mark(self, text):
        self.marks.append((round(self.clock.at - START), text))

    def problem(self, text):
        self.problems.append(text)

    def wait(self, seconds):
        self.clock.sleep(seconds)
        return True


class Quiet(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        for module in (shows, scenario_run, scenario_faults):
            self.addCleanup(setattr, module, "time", module.time)
            module.time = self.clock
        silence = contextlib.redirect_stdout(io.StringIO())
        silence.__enter__()
        self.addCleanup(silence.__exit__, None, None, None)


class FaultsTest(Quiet):
    def play(self, fault, answers=None, **changes):
        scenario = shop(faults=[{"at": "20s", **fault}], **changes)
        run = FakeRun(self.clock, answers)
        faults = scenario_faults.Faults(scenario, run)
        faults.play(scenario.faults[0], scenario_faults.random.Random(7))
        return run, faults

    def test_kill(self):
        """pods that are ready are killed one after another, by chance that is the same each time"""
        pods = json.dumps({"items": [pod("a"), pod("b"), pod("c"), pod("d", ready=False), pod("e", deletionTimestamp="x")]})
        runs = [self.play({"kill": {"app": "web", "every": "10s", "for": "30s"}}, {"get pods": pods})[0] for _ in range(2)]
        killed = [[line.split()[3] for line in run.asked if "delete pod" in line] for run in runs]
        self.assertEqual(len(killed[0]), 4)
        self.assertEqual(killed[0], killed[1])
        self.assertLessEqual(set(killed[0]), {"a", "b", "c"})
        self.assertIn("--grace-period=0 --force", runs[0].asked[1])

    def test_down(self):
        """an app that is down is paused and emptied, and comes back after its time"""
        run, faults = self.play({"down": {"app": "worker", "for": "2m"}})
        self.assertEqual([line.split()[1] for line in run.asked], ["patch", "scale", "patch"])
        self.assertIn('{"spec": {"paused": true}}', run.asked[0])
        self.assertIn("replicaset -l scalableapp.io/name=worker --replicas=0", run.asked[1])
        self.assertIn('{"spec": {"paused": false}}', run.asked[2])
        self.assertEqual(run.marks, [(20, "worker is down"), (140, "worker is back")])
        faults.end()
        self.assertIn("false", run.asked[-1])  # once more, whatever happened

    def test_stop(self):
        """a dependency that was stopped has as many replicas as before"""
        run, _ = self.play({"stop": {"workload": "statefulset/postgres-0-replica", "for": "5s"}},
                           {"get statefulset": json.dumps({"spec": {"replicas": 2}})})
        self.assertEqual([line.rpartition("=")[2] for line in run.asked[1:]], ["0", "2"])

    def test_evacuate(self):
        """the other region is scaled ahead before this one takes no traffic, and it takes it again at the end"""
        run, faults = self.play({"evacuate": {"region": "north", "to": "south", "expect": "200%"}}, apps__0__namespace="south",
                                regions={"north": {}, "south": {}}, simulate={"apps": {
                                    "south/web": {"load": "buyers", "servers": 1, "serviceSeconds": 1},
                                    "worker": {"from": "south/web", "servers": 1, "serviceSeconds": 1}}}, expect={})
        self.assertEqual(run.asked[0], "plugin south expect web 200% --for=120s --wait --timeout=60s")
        self.assertIn("evacuate --redis=redis.north:6379", run.asked[1])
        faults.end()
        self.assertTrue(run.asked[-1].endswith("--back"))

    def test_failure(self):
        """what a fault could not do is a problem, not the end"""
        run, faults = self.play({"stop": {"workload": "deployment/none", "for": "5s"}})
        self.assertIn("stop:", run.problems[0])
        faults.end()


class RunTest(Quiet):
    def made(self, **more):
        run = scenario_run.ScenarioRun(OPTIONS, shop(), FakeApi(), {"demo": FakeApi()})
        run.load_pod, run.started = "load-1", START
        for name, value in more.items():
            setattr(run, name, value)
        return run

    def test_apps(self):
        """replica-seconds are of all pods that were there, changes those that were decided"""
        def row(second, desired, ready, leaving=0):
            return {"second": second, "web:desired": desired, "web:ready": ready, "web:warming": 0, "web:leaving": leaving}

        run = self.made(rows=[row(0, 1, 1), row(10, 4, 1), row(20, 4, 4), row(30, 2, 2, 2), row(40, 2, 2)],
                        decisions=[decision(5, 1, 4), decision(25, 4, 2), decision(26, 2, 3, app="worker")])
        figures = run.app_figures(run.scenario.app("web"))
        self.assertEqual(figures, {"web.scaleEvents": 2, "web.scaleUps": 1, "web.directionChanges": 1,
                                   "web.peakReplicas": 4, "web.replicaSeconds": 10 + 10 + 40 + 40})

    def test_decisions(self):
        """decisions are told by their region, and those of other apps or of before are none"""
        run = self.made()
        def app(name, second, namespace="demo"):
            return {"metadata": {"name": name, "namespace": namespace}, "status": {"lastDecision": {
                "from": 1, "to": 2, "time": decision(second, 1, 2)[0], "reason": "", "message": ""}}}
        for each in (app("web", 1), app("web", 1), app("web", -1), app("web", 1, "south"), app("shop", 1)):
            run.note_decision(each)
        self.assertEqual([d[1] for d in run.decisions], ["web"])

    def test_start(self):
        """a scenario with a peak begins on a minute, when its apps are ready"""
        start = self.made().choose_start()
        self.assertEqual(start % 60, 0)
        self.assertGreater(start, START + scenario_run.PREPARE_SECONDS)

    def test_audit(self):
        """an audit that finds something says so and is read all the same; no answer is an error"""
        run = self.made()
        run.command = lambda arguments, stdin=None, may_fail=False: '{"lost": 1}' if stdin == "a\nb\n" else "no such pod"
        self.assertEqual(run.audit(["a", "b"]), {"lost": 1})
        with self.assertRaisesRegex(RuntimeError, "could not be audited: no such pod"):
            run.audit()

    def test_plot(self):
        """a run is drawn with its marks"""
        rows = [{"second": s, "target_ms": 250, "offered": 10, "served": 9, "failed": 1, "p99_ms": 30, "queue": s,
                 "web:ready": 1, "web:desired": 2, "worker:ready": 1, "worker:desired": 1} for s in range(30)]
        text = scenario_plot.draw(rows, [(3, "a <fault>"), (4, "another")], shop())
        self.assertIn("a &lt;fault&gt;", text)
        self.assertNotIn(">another<", text)


class FiguresTest(unittest.TestCase):
    def test_report(self):
        """what was shed did not fail; a load of several endpoints is as long over its level as the worst of them"""
        scenario = shop(load=[{"name": name, "target": "http://web", "profile": "1:60s", "slo": {"latency": "1s"},
                               "mix": "/orders:POST=1,/=1"} for name in ("buyers", "others")])
        self.assertEqual(scenario_load.plan(scenario)["streams"][1]["requests"][0], {
            "path": "/orders", "method": "POST", "weight": 1.0, "name": "others POST /orders"})
        figures = scenario_load.report_figures(scenario, {
            "total": tally(offered=30, failed=5, shed=3, slo_violation_seconds=9),
            "endpoints": [tally("buyers POST /orders", offered=10, failed=4, shed=3, slo_violation_seconds=7),
                          tally("buyers GET /", offered=10, failed=1, slo_violation_seconds=4, cache_hits=3, cache_misses=1),
                          tally("others GET /", offered=10)]})
        self.assertEqual((figures["failedRequests"], figures["shedRequests"], figures["sloViolationSeconds"]), (2, 3, 9))
        self.assertEqual((figures["buyers.requests"], figures["buyers.failedRequests"], figures["buyers.shedRequests"],
                          figures["buyers.sloViolationSeconds"], figures["buyers.edgeHitShare"]), (20, 2, 3, 7, 0.75))
        self.assertNotIn("others.edgeHitShare", figures)

    def test_jobs(self):
        """jobs of a run are those that came on top of what was there before"""
        def queue(name, done, dead=0, waiting=0):
            return {"queue": name, "done": done, "dead": dead, "waiting": waiting}

        figures = scenario_load.job_figures(
            shop(), 12, {"lost": 0, "duplicated": 1, "queues": [queue("a", 17, 1), queue("b", 20, 2, 3)]},
            {"queues": [queue("a", 5), queue("b", 10, 1)]})
        self.assertEqual(figures, {"acceptedJobs": 12, "processedJobs": 10, "lostJobs": 0, "duplicatedJobs": 1,
                                   "waitingJobs": 3, "deadLetteredJobs": 2})
        self.assertEqual(scenario_load.accepting_endpoints(shop()), ["buyers POST /orders"])


class HistoryTest(unittest.TestCase):
    def test_samples(self):
        """a history repeats the profile each day at the hour of the run, and ends now"""
        history = History("web", 2, Profile("2:60s,10:120s"), 0.5)
        start = 1_000_000_020
        samples = scenario_history.samples_of(history, start, start - 30)
        rates = {at // 1000: (after - before) / 60 for (at, before), (_, after) in zip(samples, samples[1:])}
        self.assertEqual(samples[0][0] // 1000, start - 2 * 86400)
        self.assertLessEqual(samples[-1][0] // 1000, start - 30)
        day = [rates[start - 86400 + 60 * minute] for minute in range(-1, 5)]
        self.assertEqual(day, [1, 1, 5, 5, 1, 1])

    def test_encoding(self):
        """what is written is what the other side reads"""
        labels, samples = {"pod": "web-1", "__name__": "m"}, [(1_700_000_000_000 + i, i / 3) for i in range(9000)]
        self.assertEqual(decoded(unsnapped(scenario_history.snappy(scenario_history.write_request(labels, samples)))),
                         (sorted(labels.items()), samples))


def unsnapped(content):
    length, at = read_varint(content, 0)
    out = b""
    while at < len(content):
        assert content[at] == 61 << 2
        size = struct.unpack_from("<H", content, at + 1)[0] + 1
        out += content[at + 3:at + 3 + size]
        at += 3 + size
    assert len(out) == length
    return out


def read_varint(content, at):
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def parts(content):
    """(number, value) of each field of a protobuf message."""
    at = 0
    while at < len(content):
        tag, at = read_varint(content, at)
        if tag & 7 == 2:
            size, at = read_varint(content, at)
            yield tag >> 3, content[at:at + size]
            at += size
        elif tag & 7 == 1:
            yield tag >> 3, struct.unpack_from("<d", content, at)[0]
            at += 8
        else:
            value, at = read_varint(content, at)
            yield tag >> 3, value


def decoded(content):
    series = dict(parts(content))[1]
    labels = [tuple(value.decode() for _, value in parts(each)) for number, each in parts(series) if number == 1]
    samples = [(dict(parts(each))[2], dict(parts(each))[1]) for number, each in parts(series) if number == 2]
    return labels, samples


if __name__ == "__main__":
    result = Lines()
    unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]).run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
