"""What is made of rollouts that are made up second by second, on a made-up clock: no cluster, no waiting."""
import argparse
import contextlib
import io
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "show"))
import rollout_run  # noqa: E402
import rollout_scenarios  # noqa: E402
import rollouts  # noqa: E402
import show as shows  # noqa: E402
from show_test import START, Clock, FakeApi, Lines, entry  # noqa: E402


def pod(revision="old", ready=True, since="1970-01-01T00:00:00Z", **more):
    metadata = {"labels": {rollout_run.REVISION_LABEL: revision}, "annotations": {}}
    metadata.update(more)
    return {"metadata": metadata, "status": {"phase": "Running", "conditions": [
        {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}]}}


def seen(old, new=0, *, desired=4, current="old", updated="new", phase="Progressing", **more):
    """A row of which every pod is available."""
    row = dict.fromkeys(rollout_run.COLUMNS, 0)
    row.update(stable_pods=old, stable_available=old, updated_pods=new, updated_available=new, available=old + new,
               desired=desired, current=current, updated=updated, rollout_phase=phase, failure="", phase="rollout")
    return dict(row, **more)


class ScriptedRun(rollout_run.RolloutRun):
    """Sees `script`, a list of (from second, row); what it is told to do is only noted."""

    def __init__(self, script, timeline=()):
        super().__init__(argparse.Namespace(namespace="demo", out="."), FakeApi(timelines=[{"seconds": list(timeline)}]))
        self.script, self.done = script, []
        self.here = [(0, [pod(uid="a")])]  # Pods from so many seconds on.
        self.before, self.load_pod, self.rate = "old", "load-1", 100
        self.started = START
        self.api.get = lambda path, timeout=2.0: (
            {"spec": {"selector": {rollout_run.REVISION_LABEL: "new"}}} if "/services/" in path
            else FakeApi.get(self.api, path))

    def observe(self):
        row = next(dict(r) for at, r in reversed(self.script) if at <= self.now())
        row["second"] = self.now()
        self.rows.append(row)
        return row

    def pods(self):
        return self.here[0][1] if self.now() < self.here[-1][0] else self.here[-1][1]

    def new_version(self, *flags):
        self.done.append(" ".join(["version", *flags]))

    def withdraw_version(self):
        self.done.append("version withdrawn")

    def patch_app(self, *operations):
        self.done.extend(f"{o['op']} {o['path']} {o['value'].get('strategy')}" for o in operations)

    def plugin(self, verb, *arguments):
        self.done.append(" ".join([verb, *arguments]))


class RolloutsTest(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        for module in (shows, rollout_run):
            self.addCleanup(setattr, module, "time", module.time)
            module.time = self.clock
        silence = contextlib.redirect_stdout(io.StringIO())
        silence.__enter__()
        self.addCleanup(silence.__exit__, None, None, None)

    def play(self, name, script, timeline=None, here=None):
        run = ScriptedRun(script, [entry(s) for s in range(1, 20)] if timeline is None else timeline)
        run.here = here or run.here
        run.observe()
        scenario = rollout_scenarios.SCENARIOS[name]
        scenario.play(run)
        return run, rollouts.conclude(run, scenario)

    def test_counts(self):
        """pods are counted by revision; those that leave are no pods, and ready is not yet available"""
        counts = rollout_run.count_pods([
            pod(), pod(ready=False, annotations={rollout_run.DRAINING_ANNOTATION: "x"}), pod(deletionTimestamp="x"),
            pod("new"), pod("new", ready=False), pod("new", since="1970-01-01T00:01:35Z")], "old", 10, 100.0)
        self.assertEqual(counts, {
            "available": 2, "ready": 4, "warming": 1, "stable_pods": 1, "stable_ready": 2, "stable_available": 1,
            "stable_leaving": 2, "updated_pods": 3, "updated_ready": 2, "updated_available": 1, "updated_leaving": 0})

    def test_lost_capacity(self):
        """pods that are still to warm up after the count rose are not lost, those that were there before are"""
        rising = [{"second": s, "desired": 3 if s < 5 else 10, "available": a}
                  for s, a in ((0, 3), (6, 3), (20, 9), (40, 10))]
        self.assertEqual(rollouts.lost_capacity(rising), 0)
        self.assertEqual(rollouts.lost_capacity([dict(rising[0]), dict(rising[1], available=2)]), -1)
        self.assertEqual(rollouts.lost_capacity(rising[:3] + [dict(rising[3], available=8)]), -2)

    def test_rolling(self):
        """a rolling update that ends is without problems, and its times are told"""
        run, facts = self.play("rolling", [
            (0, seen(4, updated="old", phase="")), (1, seen(3, 1)), (4, seen(1, 4, current="new")),
            (6, seen(0, 4, current="new", phase="Healthy"))])
        self.assertEqual(facts["problems"], [])
        self.assertAlmostEqual(facts["rollout_seconds"], 4, delta=0.6)
        self.assertAlmostEqual(facts["seconds_until_the_old_pods_were_gone"], 6, delta=0.6)

    def test_fails(self):
        """a failed request, an answered error, a lost pod and a rollout that does not end are problems"""
        timeline = [dict(entry(2, failed=3), failures={"connect": 2, "status_5xx": 1})]
        run, facts = self.play("rolling", [(0, seen(4)), (3, seen(2, 1))], timeline)
        self.assertEqual((facts["failed_requests"], facts["answered_5xx"], facts["lost_capacity"]), (2, 1, -1))
        self.assertEqual(len(facts["problems"]), 4)
        self.assertIn("the rollout did not end", facts["problems"][0])

    def bad(self, failed_at, measurements, timeline=None, here=None):
        judged = dict(measurements=1, weight=20)
        return self.play("canary-errors", [
            (0, seen(4, updated="old")), (2, seen(4, 1, weight=20)), (5, seen(4, 1, **judged)),
            (failed_at, seen(4, 1, failure="AnalysisFailed", phase="Degraded", measurements=measurements)),
            (failed_at + 2, seen(4, 0, phase="Degraded", failure="AnalysisFailed")),
            (failed_at + 3, seen(4, 0, phase="Healthy", updated="old"))], timeline, here)

    def test_bad_version(self):
        """a bad version that is given up in time is no problem, nor are the errors that it answers"""
        run, facts = self.bad(12, 2, [dict(entry(2, failed=1), failures={"status_5xx": 1})])
        self.assertEqual(facts["problems"], [])
        self.assertEqual((facts["failed_requests"], facts["answered_5xx"]), (0, 1))
        self.assertAlmostEqual(facts["judged_seconds_to_the_failure"], 7, delta=0.6)
        self.assertAlmostEqual(facts["rollback_seconds"], 2, delta=0.6)
        self.assertEqual(run.done, ["version --error-rate=0.05", "version withdrawn"])

    def test_withdrawn(self):
        """a pod that comes or goes when a bad version is withdrawn is one"""
        facts = self.bad(12, 2, here=[(0, [pod(uid="a")]), (16, [pod(uid="b")])])[1]
        self.assertEqual(facts["problems"], ["2 pods came or went when the bad version was withdrawn"])

    def test_late(self):
        """one that is given up only after more than three intervals is"""
        self.assertIn("5 measurements", self.bad(30, 5)[1]["problems"][0])

    def test_canary(self):
        """a canary that leaves a weight out is a problem"""
        steps = [(0, seen(4)), (2, seen(3, 1, weight=20)), (6, seen(2, 2, weight=50, measurements=3)),
                 (20, seen(0, 4, weight=100, current="new", phase="Healthy"))]
        self.assertEqual(self.play("canary", steps)[1]["problems"], [])
        self.clock.at = START
        problems = self.play("canary", [steps[0], steps[2], steps[3]])[1]["problems"]
        self.assertEqual(problems, ["the weights were [0, 50, 100], not 20, then 50"])

    def test_blue_green(self):
        """the Service must not switch before it is promoted, and old pods stay for a while after"""
        script = [(0, seen(4, active="old")), (3, seen(4, 4, active="old", phase="Paused")), (8, seen(4, 4, active="new")),
                  (18, seen(0, 4, active="new", current="new", phase="Healthy")),
                  (20, seen(0, 4, active="", current="new", phase="Healthy"))]
        run, facts = self.play("blue-green", script)
        self.assertEqual((facts["problems"], run.done),
                         ([], ["version", "promote web", "replace /spec/rollout Rolling"]))
        self.assertAlmostEqual(facts["seconds_the_old_pods_stayed"], 10, delta=0.6)
        self.clock.at = START
        early = [script[0], (3, seen(4, 4, active="new", phase="Paused")), *script[2:]]
        self.assertIn("the active Service switched before it was promoted", self.play("blue-green", early)[1]["problems"])

    def test_recreate(self):
        """Recreate may fail requests, and may not have pods of two revisions"""
        script = [(0, seen(4)), (2, seen(0, 0)), (5, seen(0, 4, current="new", phase="Healthy"))]
        run, facts = self.play("recreate", script, [dict(entry(2, failed=9), failures={"connect": 9})])
        self.assertEqual((facts["problems"], facts["failed_requests"]), ([], 9))
        self.assertAlmostEqual(facts["seconds_without_a_pod"], 3, delta=1)
        self.clock.at = START
        both = [script[0], (2, seen(0, 1, stable_leaving=1)), script[2]]
        self.assertIn("of both revisions", self.play("recreate", both)[1]["problems"][0])

    def test_undo(self):
        """an undo ends at the revision before"""
        script = [(0, seen(4)), (4, seen(0, 4, current="new", phase="Healthy")),
                  (10, seen(0, 4, current="old", updated="old", phase="Healthy"))]
        run, facts = self.play("undo", script)
        self.assertEqual((facts["problems"], run.done), ([], ["version", "undo web"]))

    def test_several(self):
        """of several scenarios the ones after a bad one are played as well, after web was put back"""
        run = ScriptedRun([])
        run.options.rate = None
        puts_back = []
        run.restore_web, run.stop_load = lambda: puts_back.append(list(run.done)), lambda: None

        def play(_, scenario):
            run.done.append(scenario.title)
            run.rows.append(seen(4))
            if scenario is rollout_scenarios.SCENARIOS["canary"]:
                raise RuntimeError("kubectl is gone")

        for name, fake in (("play", play), ("write", lambda *_: "out")):
            self.addCleanup(setattr, rollouts, name, getattr(rollouts, name))
            setattr(rollouts, name, fake)
        told, complaints = io.StringIO(), io.StringIO()
        run.api.answers["timeline"] = [{"seconds": [entry(1)]}]
        run.begin_scenario = lambda rate: setattr(run, "problems", []) or setattr(run, "rate", rate)
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(complaints):
            self.assertEqual(rollouts.play_all(run, ["rolling", "canary", "undo"]), 1)
        self.assertEqual(len(run.done), 3)
        self.assertEqual(puts_back, [run.done[:2]])
        lines = [line.split() for line in told.getvalue().splitlines()]
        self.assertIn(["ok", "rolling", "-,", "0", "of", "40", "failed"], lines)
        self.assertIn("not ok canary              -, 0 of 40 failed: kubectl is gone", told.getvalue())
        self.assertIn("canary: kubectl is gone", complaints.getvalue())

    def test_all(self):
        """`scripts/rollouts all` is all of them, and its usage names each"""
        with open(os.path.join(os.path.dirname(__file__), "..", "..", "scripts", "rollouts")) as script:
            text = script.read()
        self.assertIn(f"every=({' '.join(rollout_scenarios.SCENARIOS)})", text)
        for name in rollout_scenarios.SCENARIOS:
            self.assertRegex(text, rf"(?m)^  {name}  ")

    def test_drawing(self):
        """a run is drawn, whatever it has not seen"""
        run, _ = self.play("rolling", [(0, seen(4)), (1, seen(0, 4, current="new", phase="Healthy"))])
        self.assertIn("Available by revision", rollouts.draw(run, "A title"))


if __name__ == "__main__":
    result = Lines()
    unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]).run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
