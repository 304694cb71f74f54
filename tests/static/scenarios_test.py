"""What is made of scenarios' files, and of figures that are made up: no cluster, no waiting."""
import copy
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "show"))
import yaml  # noqa: E402
import scenario_file  # noqa: E402
import scenario_manifest  # noqa: E402
import scenario_outcome  # noqa: E402
import scenario_profile  # noqa: E402
import scenario_simulate  # noqa: E402
from show_test import Lines  # noqa: E402

SHOP = yaml.safe_load("""
name: shop
title: A shop
brief: AMAZON
scale: small
apps:
- {name: web, args: [service, --apps=orders], spec: {replicas: {min: 1, max: 4}}}
- {name: worker, args: [worker, --queue=orders], spec: {schedules: [{name: noon, cron: $(peak)}]}}
load:
- {name: buyers, target: "http://web", profile: "10:60s,10-30:60s", mix: "/orders:POST=1", slo: {latency: 250ms}}
peak: 60s
jobs: {loads: [buyers], queues: [orders]}
faults: [{at: 20s, down: {app: worker, for: 30s}}]
expect: {lostJobs: {equals: 0}, failedRequests: {atMostShare: 0.01}, web.scaleUps: {atLeast: 1}}
simulate:
  apps:
    web: {load: buyers, servers: 2, serviceSeconds: 0.05}
    worker: {from: web, servers: 1, serviceSeconds: 0.1}
""")


def shop(**changes):
    """The shop with fields replaced by their path, as load__0__slo; None takes a field out."""
    made = copy.deepcopy(SHOP)
    for path, value in changes.items():
        *way, last = [int(part) if part.isdigit() else part for part in path.split("__")]
        place = made
        for part in way:
            place = place[part]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return scenario_file.parse_scenario(yaml.safe_dump(made, sort_keys=False), "shop")


class ReaderTest(unittest.TestCase):
    def refused(self, message, **changes):
        with self.assertRaises(scenario_file.ScenarioError) as caught:
            shop(**changes)
        self.assertIn(message, str(caught.exception))

    def test_whole(self):
        """a scenario without mistakes is read"""
        scenario = shop()
        self.assertEqual([app.key for app in scenario.apps], ["web", "worker"])
        self.assertEqual(scenario.seconds, 120)
        self.assertEqual(scenario.faults[0].what, {"app": "worker", "for": 30})
        self.assertEqual([(b.figure, b.kind, b.value) for b in scenario.expect][0], ("lostJobs", "equals", 0))

    def test_unknown_fields(self):
        """a field that is not known is refused by its path, with those that are"""
        self.refused("colour: is not known; must be one of", colour="red")
        self.refused("apps[0].port: is not known; must be one of name, namespace", apps__0__port=80)
        self.refused("load[0].slo.max: is not known", load__0__slo__max=1)
        self.refused("faults[0].down.why: is not known; must be one of app, for", faults__0__down__why="so")
        self.refused("simulate.apps.web.speed: is not known", simulate__apps__web__speed=2)

    def test_types(self):
        """a value of the wrong type is refused with what it should be"""
        self.refused("load[0].profile: 3: must be a text", load__0__profile=3)
        self.refused("load[0].profile: 'fast' must be RATE:DURATION", load__0__profile="fast")
        self.refused("faults[0].at: 20 is no duration such as 250ms", faults__0__at=20)
        self.refused("apps: 'web': must be a list", apps="web")
        self.refused("apps[0].name: 'Web': must be a name of lower-case letters", apps__0__name="Web")
        self.refused("simulate.apps.web.servers: 0: must be a whole number from 1 on", simulate__apps__web__servers=0)
        self.refused("brief: 'MYSPACE': must be one of TIKTOK", brief="MYSPACE")
        self.refused("load[0].mix: 'orders' must be /PATH=WEIGHT", load__0__mix="orders")

    def test_missing(self):
        """what is missing is named"""
        self.refused("title: must be given", title=None)
        self.refused("load[0].slo.latency: must be given", load__0__slo={})
        self.refused("simulate.apps.worker: must be given, as for every app", simulate__apps__worker=None)

    def test_references(self):
        """what names nothing is refused with what there is"""
        self.refused("faults[0].down.app: there is no app bank; must be one of web, worker", faults__0__down__app="bank")
        self.refused("simulate.apps.worker.from: there is no app before it bank; must be one of web",
                     simulate__apps__worker__from="bank")
        self.refused("apps[0].namespace: there is no region north; must be one of demo", apps__0__namespace="north")
        self.refused("jobs.loads[0]: there is no load riders", jobs__loads=["riders"])
        self.refused("faults[0].at: is after the load, which ends at 120 s", faults__0__at="2m")

    def test_bounds(self):
        """a bound must be of a figure that there is, and of a kind that there is"""
        self.refused("expect.lostJob: there is no such figure; must be one of requests,", expect={"lostJob": {"equals": 0}})
        self.refused("expect.lostJobs.below: is not known; must be one of atMost", expect={"lostJobs": {"below": 1}})
        self.refused("expect.lostJobs.atMost: 'web.turns': must be a number or another figure",
                     expect={"lostJobs": {"atMost": "web.turns"}})
        self.refused("expect.scaleUps.atMostShare: is for failedRequests and shedRequests",
                     expect={"scaleUps": {"atMostShare": 0.1}})
        self.refused("expect.lostJobs: there is no such figure", jobs=None)

    def test_file(self):
        """a key that is there twice, another name than the file's, and a load of an hour are refused"""
        with self.assertRaisesRegex(scenario_file.ScenarioError, "name is there twice"):
            scenario_file.parse_scenario("name: a\nname: b\n", "a")
        self.refused("name: 'web': must be one of shop", name="web")
        self.refused("load: lasts 3600 s; at most 255 s", load__0__profile="10:1h")
        self.refused("peak: must be whole minutes", peak="90s")
        with self.assertRaisesRegex(scenario_file.ScenarioError, "scenarios/none.yaml: No such file"):
            scenario_file.read_scenario("scenarios/none.yaml")


class ProfileTest(unittest.TestCase):
    def test_rates(self):
        """steps, ramps and waves have their rates, and nothing is offered outside"""
        profile = scenario_profile.Profile("10:20s,10-300:1m,sine(100,50,60s):1m30s")
        self.assertEqual([profile.rate(s) for s in (-1, 0, 20, 50)], [0, 10, 10, 155])
        self.assertAlmostEqual(profile.rate(80 + 15), 150)
        self.assertEqual((profile.seconds, profile.rate(170), profile.highest), (170, 0, 300))

    def test_trace(self):
        """a trace repeats nothing but its last row, which tells how long it holds"""
        self.assertEqual(scenario_profile.trace_csv([5, 5, 5, 7, 7, 7]).split()[1:],
                         ["0,5.000", "3,7.000", "4,7.000", "5,7.000"])

    def test_days(self):
        """days are the profile of one, over and over"""
        day = scenario_profile.Profile("1:12h,9:12h")
        rates = scenario_profile.days_of(day, 2, 3600)
        self.assertEqual(rates, ([1] * 12 + [9] * 12) * 2)


class SimulatedTest(unittest.TestCase):
    def test_down(self):
        """jobs of a stage that is down come when it is back"""
        self.assertEqual(scenario_simulate.held_back([2, 2, 2, 2, 2], 1, 2), [2, 0, 0, 6, 2])
        rates = scenario_simulate.reaching(shop(), "worker", [1.0] * 120)
        self.assertEqual((sum(rates), rates[49], rates[50]), (120, 0, 31))

    def test_departures(self):
        """what a stage lets go is what came without what waits"""
        points = [(0, 5, 0, 1, 1, 2), (1, 5, 0, 1, 1, 6), (2, 0, 0, 1, 1, 1)]
        self.assertEqual(scenario_simulate.Played({}, points).departures(), [3, 1, 5])

    def test_cron(self):
        """the peak's minute stands in the schedule"""
        scenario = shop()
        app = scenario_manifest.scalable_app(scenario.app("worker"), scenario_manifest.simulated_cron(scenario))
        self.assertEqual(app["spec"]["schedules"][0]["cron"], "1 0 * * *")


class OutcomeTest(unittest.TestCase):
    def judged(self, figures, **more):
        return {figure: verdict for figure, _, _, verdict in scenario_outcome.judge(shop(), figures, **more)}

    def test_judge(self):
        """each bound is held against its figure; shares are of the requests"""
        good = {"lostJobs": 0, "failedRequests": 10, "requests": 1000, "web.scaleUps": 1}
        self.assertEqual(set(self.judged(good).values()), {"ok"})
        self.assertEqual(self.judged(dict(good, failedRequests=11))["failedRequests"], "not ok")
        self.assertEqual(self.judged(dict(good, lostJobs=-1))["lostJobs"], "not ok")

    def test_unknown(self):
        """a figure that nobody measured is not ok, unless it may lack"""
        self.assertEqual(self.judged({})["lostJobs"], "not ok")
        self.assertEqual(self.judged({}, may_lack=True)["lostJobs"], "-")
        problems = scenario_outcome.problems_of(scenario_outcome.judge(shop(), {"lostJobs": 3}))
        self.assertIn("lostJobs: 3; wanted exactly 0", problems)

    def test_other_figure(self):
        """a bound may be another figure"""
        scenario = shop(expect={"web.replicaSeconds": {"atMost": "worker.replicaSeconds"}})
        figures = {"web.replicaSeconds": 5, "worker.replicaSeconds": 4}
        self.assertEqual(scenario_outcome.judge(scenario, figures)[0][2:], ("at most that of worker.replicaSeconds, 4", "not ok"))

    def test_counts(self):
        """changes of a count, those up, and turns"""
        self.assertEqual(scenario_outcome.counts_of([1, 1, 3, 4, 2, 2, 5]), {
            "scaleEvents": 4, "scaleUps": 3, "directionChanges": 2, "peakReplicas": 5})

    def test_totals(self):
        """totals are sums over what is known"""
        figures = scenario_outcome.total_figures({"web.scaleEvents": 2, "worker.scaleEvents": 3, "buyers.requests": 7}, shop())
        self.assertEqual((figures["scaleEvents"], figures["requests"], figures.get("shedRequests")), (5, 7, None))


if __name__ == "__main__":
    result = Lines()
    unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]).run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
