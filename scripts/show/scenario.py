"""Scenarios: the stories of the brief, each a file in scenarios/, played on a cluster or in the simulator and judged.

    scenario.py list                     their names and titles
    scenario.py check NAME...            reads them, and says what is wrong
    scenario.py manifest NAME            the objects of its apps, for kubectl apply -f -
    scenario.py simulate NAME... --plugin PATH [--out demo-out] [--without-days]

Exit code 1 if an expectation is not met, with the figure's name; 2 if the file is wrong.
"""
import argparse
import json
import os
import sys
from pathlib import Path

from scenario_file import ScenarioError, read_scenario
from scenario_manifest import scalable_app, service, simulated_cron
from scenario_outcome import judge, outcome_lines, problems_of, shown, table
from scenario_simulate import left_out, simulate

SCENARIOS = Path(__file__).resolve().parent.parent.parent / "scenarios"


def names():
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def list_all():
    for name in names():
        print(f"{name:<16} {read_scenario(SCENARIOS / f'{name}.yaml').title}")


def manifest(scenario):
    cron = simulated_cron(scenario)
    objects = [scalable_app(app, cron) for app in scenario.apps]
    objects += [service(app) for app in scenario.apps if app.is_service]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2)


def day_lines(scenario, figures):
    if not scenario.days or not any(figure.startswith("days.") for figure in figures):
        return []
    days = scenario.days
    rows = [[variant, *(shown(figures[f"days.{variant}.{c}"]) for c in ("sloViolationSeconds", "replicaSeconds", "scaleEvents"))]
            for variant in days.variants]
    return ["", f"  {days.app} on {days.count - days.learned} days, after {days.learned} to learn from:"] + table(
        ["policy", "over the SLO, s", "replica-s", "scale events"], rows)


def simulate_one(scenario, options):
    """The problems; prints the outcome and writes OUT/simulated-NAME.json."""
    figures, _ = simulate(scenario, options.plugin, with_days=not options.without_days)
    judged = judge(scenario, figures, may_lack=True)
    problems = problems_of(judged)
    print(f"== {scenario.name}, simulated: {scenario.title}")
    print("\n".join(outcome_lines(scenario, figures, judged) + day_lines(scenario, figures)))
    for what in left_out(scenario):
        print(f"  not simulated: {what}")
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        path = os.path.join(options.out, f"simulated-{scenario.name}.json")
        with open(path, "w") as target:
            json.dump({"scenario": scenario.name, "figures": figures, "problems": problems}, target, indent=2)
            target.write("\n")
        print(f"  {path}")
    print(flush=True)
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("verb", choices=["list", "check", "manifest", "simulate"])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--plugin", help="kubectl-scalableapp")
    parser.add_argument("--out", help="directory for the figures")
    parser.add_argument("--without-days", action="store_true", help="of the simulator: not the many days, which take longest")
    options = parser.parse_args()
    try:
        if options.verb == "list":
            list_all()
            return 0
        for name in options.names:
            if name not in names() and not name.endswith(".yaml"):
                raise ScenarioError(f"there is no scenario {name}; must be one of {', '.join(names())}")
        scenarios = [read_scenario(name if name.endswith(".yaml") else SCENARIOS / f"{name}.yaml") for name in options.names]
    except ScenarioError as error:
        print(f"scenario: {error}", file=sys.stderr)
        return 2
    failed = False
    for scenario in scenarios:
        if options.verb == "manifest":
            print(manifest(scenario))
        elif options.verb == "simulate":
            try:
                problems = simulate_one(scenario, options)
            except RuntimeError as error:
                problems = [str(error)]
            failed = failed or bool(problems)
            for problem in problems:
                print(f"scenario: {scenario.name}: {problem}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
