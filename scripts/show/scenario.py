"""Scenarios: the stories of the brief, each a file in scenarios/, played on a cluster or in the simulator and judged.

    scenario.py list                     their names and titles
    scenario.py check NAME...            reads them, and says what is wrong
    scenario.py manifest NAME            its ScalableApps, for kubectl apply -f -
    scenario.py values NAME NAMESPACE    what charts/workload is installed with there; without NAMESPACE: where, in order
    scenario.py simulate NAME... --plugin PATH [--out DIR] [--without-days]
    scenario.py play NAME --plugin PATH --kubectl PATH --image IMAGE [--out demo-out] [--keep]

play writes OUT/scenario-NAME.json (figures, judgement, live beside simulated), .csv (a row each half second) and .svg.
Exit code 1 if an expectation is not met, with the figure's name; 2 if the file is wrong.
"""
import argparse
import csv
import json
import os
import signal
import sys
from pathlib import Path

from scenario_file import ScenarioError, read_scenario
from scenario_manifest import chart_values, scalable_app, simulated_cron
from scenario_outcome import compared_lines, difference, judge, outcome_lines, problems_of, shown, table
from scenario_plot import draw
from scenario_run import LABEL, ScenarioRun
from scenario_simulate import left_out, simulate

SCENARIOS = Path(__file__).resolve().parent.parent.parent / "scenarios"


def names():
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def list_all():
    for name in names():
        print(f"{name:<16} {read_scenario(SCENARIOS / f'{name}.yaml').title}")


def manifest(scenario):
    cron = simulated_cron(scenario)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [scalable_app(app, cron) for app in scenario.apps]},
                      indent=2)


def write_json(path, content):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w") as target:
        json.dump(content, target, indent=2)
        target.write("\n")


# --- simulated ------------------------------------------------------------------------------------------------------
def day_lines(scenario, figures):
    if not scenario.days or not any(figure.startswith("days.") for figure in figures):
        return []
    days = scenario.days
    rows = [[variant, *(shown(figures[f"days.{variant}.{c}"]) for c in ("sloViolationSeconds", "replicaSeconds", "scaleEvents"))]
            for variant in days.variants]
    return ["", f"  {days.app} on {days.count - days.learned} days, after {days.learned} to learn from:"] + table(
        ["policy", "over the SLO, s", "replica-s", "scale events"], rows)


def simulate_one(scenario, options):
    """The problems; prints the outcome."""
    figures, _ = simulate(scenario, options.plugin, with_days=not options.without_days)
    judged = judge(scenario, figures, may_lack=True)
    problems = problems_of(judged)
    print(f"== {scenario.name}, simulated: {scenario.title}")
    print("\n".join(outcome_lines(scenario, figures, judged) + day_lines(scenario, figures)))
    for what in left_out(scenario):
        print(f"  not simulated: {what}")
    if options.out:
        path = os.path.join(options.out, f"simulated-{scenario.name}.json")
        write_json(path, {"scenario": scenario.name, "figures": figures, "problems": problems})
        print(f"  {path}")
    print(flush=True)
    return problems


# --- played ---------------------------------------------------------------------------------------------------------
def write_rows(run, base):
    os.makedirs(os.path.dirname(base) or ".", exist_ok=True)
    columns = list(dict.fromkeys(name for row in run.rows for name in row))
    with open(f"{base}.csv", "w", newline="") as target:
        writer = csv.DictWriter(target, columns)
        writer.writeheader()
        writer.writerows(run.rows)
    with open(f"{base}.svg", "w") as target:
        target.write(draw(run.rows, run.marks, run.scenario))


def conclude(run, options):
    """The problems of a run that came to its end; prints and writes the outcome."""
    scenario, base = run.scenario, os.path.join(options.out, f"scenario-{run.scenario.name}")
    figures = run.collect()
    judged = judge(scenario, figures)
    problems = run.problems + problems_of(judged)
    if run.generator_limited:
        problems.append(f"the load generator was at its own limit for {run.generator_limited} s: the figures are too good")
    shares = run.measured_shares(figures)
    simulated, _ = simulate(scenario, options.plugin, shares, with_days=False)
    write_rows(run, base)
    write_json(f"{base}.json", {
        "scenario": scenario.name, "title": scenario.title, "scale": scenario.scale, "figures": figures,
        "expected": [dict(zip(("figure", "value", "wanted", "verdict"), row)) for row in judged],
        "liveAndSimulated": difference(scenario, figures, simulated), "sharesMeasured": shares,
        "marks": [f"{at:6.1f}s {text}" for at, text in run.marks],
        "decisions": [f"{run.seconds_into(d):6.1f}s {d[1]}: {d[5]}" for d in run.decisions], "problems": problems})
    print(f"\n== {scenario.name}: {scenario.title}\n   {scenario.scale}\n")
    print("\n".join(outcome_lines(scenario, figures, judged)))
    print("\n  Live beside simulated, at the shares of the load that reached the apps live:")
    print("\n".join(compared_lines(scenario, figures, simulated)))
    for what in left_out(scenario):
        print(f"  not simulated: {what}")
    print(f"\n  {base}.json  {base}.csv  {base}.svg\n  {'not as expected' if problems else 'as expected'}", flush=True)
    return problems


def play_one(scenario, options):
    """The problems. Whoever ends it wants back what the faults broke."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = ScenarioRun(options, scenario)
    try:
        start = run.prepare()
        run.play(start)
        return conclude(run, options)
    except (RuntimeError, OSError) as error:
        if run.rows:
            write_rows(run, os.path.join(options.out, f"scenario-{scenario.name}"))
        return [*run.problems, str(error)]
    finally:
        run.over.set()
        run.stop_load()
        run.faults.end()
        if not options.keep:
            run.remove_apps(f"{LABEL}={scenario.name}")
        run.close()


def read_named(name):
    if name not in names() and not name.endswith(".yaml"):
        raise ScenarioError(f"there is no scenario {name}; must be one of {', '.join(names())}")
    return read_scenario(name if name.endswith(".yaml") else SCENARIOS / f"{name}.yaml")


def run_all(options):
    verb = {"simulate": simulate_one, "play": play_one}[options.verb]
    failed = False
    for scenario in [read_named(name) for name in options.names]:
        try:
            problems = verb(scenario, options)
        except RuntimeError as error:
            problems = [str(error)]
        failed = failed or bool(problems)
        for problem in problems:
            print(f"scenario: {scenario.name}: {problem}", file=sys.stderr, flush=True)
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("verb", choices=["list", "check", "manifest", "values", "simulate", "play"])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--plugin", help="kubectl-scalableapp")
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--image", default="scalableapp/workload:dev", help="of the apps")
    parser.add_argument("--namespace", default="demo")
    parser.add_argument("--out", help="directory for the figures")
    parser.add_argument("--keep", action="store_true", help="of play: leave the apps there")
    parser.add_argument("--without-days", action="store_true", help="of simulate: not the many days, which take longest")
    options = parser.parse_args()
    try:
        if options.verb == "list":
            list_all()
        elif options.verb == "check":
            for name in options.names:
                read_named(name)
        elif options.verb == "manifest":
            print(manifest(read_named(options.names[0])))
        elif options.verb == "values":
            scenario = read_named(options.names[0])
            print(json.dumps(chart_values(scenario, options.names[1])) if options.names[1:] else
                  "\n".join(reversed(scenario.namespaces)))
        else:
            if options.verb == "play":
                options.out = options.out or "demo-out"
            return run_all(options)
        return 0
    except ScenarioError as error:
        print(f"scenario: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("scenario: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
