"""The show's figures from a made-up run, on a made-up clock: no cluster, no waiting.

The clock starts at 1000.4; the spike is 10 s later. A second of the generator's is at a whole second.
"""
import argparse
import io
import os
import sys
import tempfile
import unittest
import urllib.error
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime, timezone

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "show"))
import cluster_api  # noqa: E402
import show as shows  # noqa: E402

START = 1000.4
SPIKE, CALM, MORE_LOAD, ROLLOUT, END = 10.0, 50.0, 70.0, 80.0, 90.0


class Clock:
    """For the module `time`: sleeping takes no time."""

    def __init__(self):
        self.at = START

    def time(self):
        return self.at

    def sleep(self, seconds):
        self.at += seconds


class FakeApi:
    """Answers from lists, the last of which stays."""

    def __init__(self, timelines=(None,), stats=(None,), posts=(None,)):
        self.answers = {"timeline": list(timelines), "stats": list(stats), "post": list(posts)}
        self.posted = []

    def next(self, kind):
        answers = self.answers[kind]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def watch_scalable_apps(self, on_change):
        pass

    def scalable_app(self, name):
        return {"spec": {"replicas": {"min": 3}, "template": {"spec": {"containers": [
                    {"resources": {"requests": {"cpu": "70m"}}}]}}},
                "status": {"desiredReplicas": 3, "readyReplicas": 3, "replicas": 3, "currentRevision": "a", "updatedRevision": "a"}}

    def load_pod(self):
        return "load-1"

    def load_path(self, pod, path):
        return f"{pod}{path}"

    def get(self, path, timeout=2.0):
        return self.next("timeline" if "/timeline" in path else "stats")

    def post(self, path, body=None):
        self.posted.append(path)
        answer = self.next("post")
        if isinstance(answer, Exception):
            raise answer


def entry(second, p99=100.0, offered=40, failed=0):
    """Of the generator: the second that begins at 1000 + SECOND."""
    return {"time": 1000 + second, "offered": offered, "completed": offered - failed, "failed": failed, "retried": 0,
            "in_flight": 0, "p50_ms": p99, "p99_ms": p99}


def row(second, phase, ready, desired=None, warming=0, terminating=0):
    blank = dict.fromkeys(shows.COLUMNS)
    return dict(blank, second=second, phase=phase, ready=ready, desired=ready if desired is None else desired,
                warming=warming, terminating=terminating)


def decision(second, before, after, app="web"):
    moment = datetime.fromtimestamp(START + second, timezone.utc).isoformat(timespec="milliseconds")
    return (moment, app, before, after, "Scaled", f"{before} -> {after}")


class ShowTest(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.real_time, shows.time = shows.time, self.clock
        self.addCleanup(setattr, shows, "time", self.real_time)

    def show(self, api=None, **more):
        out = tempfile.TemporaryDirectory()
        self.addCleanup(out.cleanup)
        options = argparse.Namespace(kubectl="kubectl", namespace="demo", out=out.name, rate=40, spike=400, short=False)
        made = shows.Show(options, api or FakeApi())
        made.tty, made.load_pod, made.target_ms = False, "load-1", 250.0
        for name, value in more.items():
            setattr(made, name, value)
        return made

    def whole(self, entries, rows=(), decisions=()):
        """A show that has run to its end."""
        made = self.show(FakeApi(timelines=[{"seconds": entries}]), rows=list(rows), decisions=list(decisions), phases=[
            (0.1, "steady"), (SPIKE, "spike"), (CALM, "calm"), (MORE_LOAD, "more load"), (ROLLOUT, "rollout"), (END, "end")])
        if not made.rows:
            made.rows = [row(1.0, "steady", 3)]
        made.merge_generator_timeline()
        return made

    def test_decisions(self):
        """a decision from before the show does not count"""
        made = self.show(decisions=[decision(-3.0, 10, 6)])
        made.begin_at_rest()
        self.assertEqual(made.decisions, [])
        app = {"metadata": {"name": "web"}, "status": {"lastDecision": {
            "from": 10, "to": 3, "time": decision(-0.5, 10, 3)[0], "reason": "", "message": ""}}}
        made.note_decision(app)
        self.assertEqual(made.decisions, [])  # told again by a later status
        app["status"]["lastDecision"]["time"] = decision(0.5, 10, 3)[0]
        made.note_decision(app)
        self.assertEqual(len(made.decisions), 1)

    def test_all_ready(self):
        """all are ready when the last scale-up of the spike is met"""
        rows = [row(9.0, "steady", 3), row(12.0, "spike", 3, 6), row(16.0, "spike", 6, 6), row(18.0, "spike", 6, 10),
                row(24.0, "spike", 9, 10), row(25.0, "spike", 10, 10)]
        ups = [decision(4.0, 2, 3), decision(11.5, 3, 6), decision(17.0, 6, 10), decision(75.0, 3, 5)]
        summary = self.whole([entry(1)], rows, ups).summary()
        self.assertEqual(summary["seconds_to_first_scale_up"], 1.5)
        self.assertEqual(summary["seconds_to_first_wave_ready"], 6.0)
        self.assertEqual(summary["seconds_to_all_ready"], 15.0)

    def test_met_again(self):
        """the target is met again from the first of five good seconds of the generator"""
        entries = [entry(s) for s in range(12)] + [entry(s, p99=900) for s in range(12, 20)]
        entries += [entry(20), entry(21), entry(22, p99=300)] + [entry(s) for s in range(23, 49)]
        summary = self.whole(entries).summary()
        self.assertEqual(summary["seconds_to_slo_met_again"], 12.6)  # 1023 is 22.6 s after 1000.4
        self.assertFalse(summary["slo_never_missed_in_spike"])
        self.assertEqual(summary["slo_violation_seconds_in_spike"], 9)

    def test_never_missed(self):
        """a target that was never missed is no target met again"""
        summary = self.whole([entry(s) for s in range(60)], [row(11.0, "spike", 3)]).summary()
        self.assertTrue(summary["slo_never_missed_in_spike"])
        self.assertIsNone(summary["seconds_to_slo_met_again"])

    def test_failures(self):
        """a failure counts where it is known, to the last one after the end"""
        entries = [entry(s) for s in range(94)]
        entries[72]["failed"] = 2    # offered on the way down, hung for 10 s
        entries[85]["failed"] = 1
        entries.append(entry(101, offered=0, p99=None))
        entries[-1].update(completed=0, failed=4)
        summary = self.whole(entries).summary()
        self.assertEqual(summary["failed_requests"], 7)
        self.assertEqual(summary["failed_requests_in_scale_down"], 2)
        self.assertEqual(summary["failed_requests_in_rollout"], 5)

    def test_phases_of_seconds(self):
        """the second in which a phase begins is that phase's"""
        made = self.whole([entry(s) for s in range(60)])
        self.assertEqual(made.total("offered", "steady"), 10 * 40)
        self.assertEqual(made.total("offered", "spike"), 40 * 40)

    def test_replica_seconds(self):
        """every pod that exists costs, ready or not"""
        rows = [row(0.0, "steady", 3), row(10.0, "spike", 3, 6, warming=3, terminating=1), row(12.0, "spike", 6)]
        self.assertEqual(self.whole([entry(1)], rows).summary()["replica_seconds"], 3 * 10 + 7 * 2)

    def test_interrupted(self):
        """a show that is broken off before the spike has a summary"""
        made = self.show(FakeApi(timelines=[{"seconds": [entry(1)]}]), rows=[row(1.0, "steady", 3)],
                         phases=[(0.1, "steady")], decisions=[decision(0.5, 3, 4)])
        with redirect_stderr(io.StringIO()):
            made.write_what_was_seen()
        self.assertTrue(os.path.exists(f"{made.options.out}/summary.json"))
        self.assertIsNone(made.summary()["seconds_to_first_scale_up"])

    def test_timeline_is_asked_for_again(self):
        """the generator is asked again for a timeline that did not come"""
        made = self.show(FakeApi(timelines=[None, {"seconds": []}, {"seconds": [entry(1)]}]), phases=[(0.1, "steady")])
        made.merge_generator_timeline()
        self.assertEqual(made.total("offered"), 40)

    def test_no_timeline(self):
        """without the timeline there is no summary, and no earlier one stays"""
        made = self.show(rows=[row(1.0, "steady", 3)], phases=[(0.1, "steady")])
        with open(f"{made.options.out}/summary.json", "w") as earlier:
            earlier.write("{}")
        with self.assertRaisesRegex(RuntimeError, "timeline"):
            made.write()
        with redirect_stderr(io.StringIO()):
            made.write_what_was_seen()
        self.assertEqual(sorted(os.listdir(made.options.out)), ["plot.svg", "timeline.csv"])

    def test_end_of_load(self):
        """the load has ended when nothing is in flight"""
        api = FakeApi(stats=[{"in_flight": 3}, None, {"in_flight": 0}])
        self.show(api).end_load()
        self.assertEqual(self.clock.at, START + 1.0)
        self.assertEqual(api.posted[0], "load-1/stop")

    def test_end_of_load_is_bounded(self):
        """requests without an outcome are not waited for forever"""
        told = io.StringIO()
        with redirect_stderr(told):
            self.show(FakeApi(stats=[{"in_flight": 1}])).end_load()
        self.assertIn("no outcome", told.getvalue())

    def test_phase_of_a_load(self):
        """a phase begins before its load does, and a generator that is away is asked again"""
        made = self.show(FakeApi(posts=[urllib.error.URLError("away"), None]))
        with redirect_stdout(io.StringIO()):
            made.begin_load("spike", "400:600s")
        self.assertEqual(made.phases, [(1.0, "spike")])

    def test_refused_load(self):
        """a profile that the generator refuses is not tried again"""
        with self.assertRaisesRegex(RuntimeError, "at most 5000"):
            self.show(FakeApi(posts=[RuntimeError("400: profile: at most 5000")])).load("6000:1s")
        self.assertEqual(self.clock.at, START)

    def test_told_decisions(self):
        """each decision is told once where there is no terminal"""
        made, told = self.show(decisions=[decision(1.0, 3, 6)]), io.StringIO()
        with redirect_stdout(told):
            made.tell_decisions()
            made.tell_decisions()
        self.assertEqual(told.getvalue(), "        00:16:41  web: 3 -> 6\n")


class PostTest(unittest.TestCase):
    def post(self, code):
        def answer(*_, **__):
            raise urllib.error.HTTPError("http://x", code, "", {}, io.BytesIO(b"why"))
        api = cluster_api.ClusterApi.__new__(cluster_api.ClusterApi)
        api.base = "http://127.0.0.1:1"
        real = urllib.request.urlopen
        self.addCleanup(setattr, urllib.request, "urlopen", real)
        urllib.request.urlopen = answer
        api.post("/start")

    def test_refusal(self):
        """an answer of 400 is a refusal with its reason, 404 and 503 are worth another try"""
        with self.assertRaisesRegex(RuntimeError, "400: why"):
            self.post(400)
        for code in (404, 503):
            with self.assertRaises(urllib.error.HTTPError):
                self.post(code)


class Lines(unittest.TestResult):
    """One line a test, as tests/lib/count.sh counts them."""

    def addSuccess(self, test):
        print(f"ok {test.shortDescription()}")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        print(f"not ok {test.shortDescription()}\n{self.failures[-1][1]}", file=sys.__stdout__)

    def addError(self, test, error):
        super().addError(test, error)
        print(f"not ok {test.shortDescription()}\n{self.errors[-1][1]}", file=sys.__stdout__)


if __name__ == "__main__":
    result = Lines()
    unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]).run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
