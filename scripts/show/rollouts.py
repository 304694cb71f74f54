"""Plays rollouts under steady load, one after another, and judges what became of the requests and of the capacity.

    rollouts.py SCENARIO... --kubectl PATH --plugin PATH [--namespace demo] [--out demo-out] [--rate N]

Writes OUT/rollout-SCENARIO.json (the figures), .csv (a row each half second) and .svg, and puts the app back as it was.
Exit code 1 if a request failed, capacity was lost or the rollout did not do what it should; the sentences say which.
"""
import argparse
import csv
import json
import math
import os
import signal
import sys

from plot import BLUE, GREEN, MUTED, ORANGE, PURPLE, RED, Panel, nice_top, number, page
from rollout_run import COLUMNS, RolloutRun
from rollout_scenarios import REPLICAS, SCENARIOS

# A count that has risen needs its pods warm only so long after; until then the lower one counts.
WARM_UP_SECONDS = 30


def lost_capacity(rows, warm_up_seconds=WARM_UP_SECONDS):
    """The least of available pods minus those that were wanted throughout the last warm_up_seconds; 0 at most."""
    least = 0
    for index, row in enumerate(rows):
        wanted = [r["desired"] for r in rows[:index + 1]
                  if r["second"] >= row["second"] - warm_up_seconds and r["desired"] is not None]
        if wanted:
            least = min(least, row["available"] - min(wanted))
    return least


def failures_by_kind(seconds):
    kinds = {}
    for entry in seconds:
        for kind, count in (entry.get("failures") or {}).items():
            kinds[kind] = kinds.get(kind, 0) + count
    return kinds


def conclude(run, scenario):
    """The figures of all scenarios, beside those of the scenario itself, and all that is not as it should be."""
    run.merge_generator_timeline()
    answered = {entry["time"]: (entry.get("failures") or {}).get("status_5xx", 0) for entry in run.seconds}
    for row in run.rows:
        row["answered_5xx"] = answered.get(int(run.started + row["second"]) - 1)
    kinds = failures_by_kind(run.seconds)
    answered_5xx = kinds.get("status_5xx", 0)
    lost = lost_capacity(run.rows)
    behind = [r["available"] - r["desired"] for r in run.rows if r["desired"] is not None]
    facts = {
        "rate_per_second": run.rate,
        "requests": run.total("completed") + run.total("failed"),
        "failed_requests": run.total("failed") - answered_5xx, "answered_5xx": answered_5xx,
        "failures": kinds, "retried_requests": run.total("retried"),
        "least_available_minus_desired": min(behind, default=None), "lost_capacity": lost,
        **run.facts,
        "decisions": [f"{run.seconds_into(d):6.1f}s {d[1]}: {d[5]}" for d in run.decisions if d[1] == run.app],
        "marks": [f"{at:6.1f}s {text}" for at, text in run.marks]}
    run.expect(facts["requests"] > 0, "the load generator sent nothing")
    if not scenario.may_fail:
        run.expect(facts["failed_requests"] <= scenario.most_failed_share * facts["requests"],
                   f"{facts['failed_requests']} requests failed: {kinds}")
    if not scenario.may_answer_5xx:
        run.expect(answered_5xx == 0, f"{answered_5xx} requests were answered with a status of 500 to 599")
    if not scenario.may_lose_capacity:
        run.expect(-lost <= run.allowed_loss, f"{-lost} pods fewer than wanted were available")
    facts["problems"] = run.problems
    return facts


def draw(run, title):
    def column(name):
        return [(row["second"], number(row, name)) for row in run.rows]

    def highest(*names):
        return max([v for name in names for _, v in column(name) if v is not None] or [1])

    span = max(1, run.rows[-1]["second"])
    load = Panel(0, "Load, requests/s", span, nice_top(highest("offered", "served")))
    for name, colour in (("offered", BLUE), ("served", GREEN), ("failed", RED)):
        load.line(column(name), colour)
    latency = Panel(1, "p99 latency, ms (log)", span,
                    10 ** math.ceil(math.log10(max(highest("p99_ms"), run.target_ms * 2, 100))), log_from=10)
    if run.target_ms:
        latency.level(run.target_ms, RED, f"target {run.target_ms:g} ms")
    latency.line(column("p99_ms"), PURPLE)
    pods = Panel(2, f"{run.app}: pods", span, 4 * math.ceil(max(highest("desired", "available"), 1) / 4))
    pods.line(column("desired"), ORANGE, step=True, dash="6 3")
    pods.line(column("available"), GREEN, step=True, width=2.4)
    pods.line(column("warming"), MUTED, step=True)
    revisions = Panel(3, "Available by revision", span, pods.top)
    revisions.line(column("stable_available"), BLUE, step=True, width=2.4)
    revisions.line(column("updated_available"), PURPLE, step=True, width=2.4)
    return page(title, [
        load.svg([("offered", BLUE), ("served", GREEN), ("failed", RED)]),
        latency.svg([("p99", PURPLE)]),
        pods.svg([("desired", ORANGE), ("available", GREEN), ("warming", MUTED)]),
        revisions.svg([("before", BLUE), ("updated", PURPLE)])], run.phases, load)


def write(run, name, facts, title):
    os.makedirs(run.options.out, exist_ok=True)
    base = os.path.join(run.options.out, f"rollout-{name}")
    with open(f"{base}.json", "w") as target:
        json.dump({"scenario": name, **facts}, target, indent=2)
        target.write("\n")
    with open(f"{base}.csv", "w", newline="") as target:
        writer = csv.DictWriter(target, COLUMNS)
        writer.writeheader()
        writer.writerows(run.rows)
    with open(f"{base}.svg", "w") as target:
        target.write(draw(run, title))
    return base


def write_what_was_seen(run, name, scenario, why):
    """Of a run that was broken off; an earlier one's figures must not stand for it."""
    run.problems.append(why)
    if not run.rows:
        return {"problems": run.problems}
    try:
        facts = conclude(run, scenario)
    except RuntimeError:
        facts = {"marks": run.marks, "problems": run.problems}
    print(f"rollouts: what was seen until then is in {write(run, name, facts, scenario.title)}.json", file=sys.stderr)
    return facts


def report(facts, base):
    print()
    for name, value in facts.items():
        if name not in ("decisions", "marks", "problems"):
            print(f"  {name.replace('_', ' '):<38} {value}")
    for line in facts["decisions"]:
        print(f"  {line}")
    print(f"\n  {base}.json  {base}.csv  {base}.svg")


def summary_line(name, facts):
    """What became of one of several scenarios."""
    seconds = f"{facts['rollout_seconds']:.1f} s" if "rollout_seconds" in facts else "-"
    requests = f"{facts['failed_requests']} of {facts['requests']} failed" if "requests" in facts else "no requests"
    if facts.get("answered_5xx"):
        requests += f", {facts['answered_5xx']} answered with 5xx"
    problems = facts["problems"]
    verdict = "not ok" if problems else "ok"
    return f"{verdict:<6} {name:<13} {seconds:>7}, {requests}{': ' if problems else ''}{'; '.join(problems)}"


def play(run, scenario):
    if scenario.rollout is None:
        scenario.play(run)
    else:
        is_first = run.original is None
        scenario.prepare(run)
        run.take_over_web(scenario.rollout, REPLICAS, scenario.may_scale)
        run.steady_load(run.rate, 5 if is_first else 1.5)
        scenario.play(run)
    run.watch_for(1)
    run.end_load()


def play_one(run, name, is_alone):
    """Plays, judges and tells; web is left as the next scenario may find it."""
    scenario = SCENARIOS[name]
    run.begin_scenario(run.options.rate or scenario.rate)
    print(f"== {name}: {scenario.title}", flush=True)
    try:
        play(run, scenario)
        facts = conclude(run, scenario)
        base = write(run, name, facts, scenario.title)
        if is_alone:
            report(facts, base)
    except (RuntimeError, OSError) as error:
        facts = write_what_was_seen(run, name, scenario, str(error))
    for problem in facts["problems"]:
        print(f"rollouts: {name}: {problem}", file=sys.stderr, flush=True)
    if facts["problems"]:
        run.clean_up(run.restore_web, run.stop_load)
    else:
        run.clean_up()
    return facts


def play_all(run, names):
    results = {name: play_one(run, name, is_alone=len(names) == 1) for name in names}
    if len(names) > 1:
        print()
        for name, facts in results.items():
            print(summary_line(name, facts))
        print(f"\nthe figures of each are in {run.options.out}/rollout-*.json, .csv and .svg")
    return 1 if any(facts["problems"] for facts in results.values()) else 0


def rate(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenarios", nargs="+", choices=SCENARIOS, metavar="SCENARIO")
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--plugin", required=True, help="kubectl-scalableapp")
    parser.add_argument("--namespace", default="demo")
    parser.add_argument("--out", default="demo-out")
    parser.add_argument("--rate", type=rate, help="requests/s")
    options = parser.parse_args()
    # Whoever ends it wants the app put back as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = None
    try:
        run = RolloutRun(options)
        return play_all(run, options.scenarios)
    except KeyboardInterrupt:
        print("rollouts: interrupted", file=sys.stderr)
        return 130
    except (RuntimeError, OSError) as error:
        print(f"rollouts: {error}", file=sys.stderr)
        return 1
    finally:
        if run:
            run.clean_up(run.restore_web, run.stop_load)
            run.api.close()


if __name__ == "__main__":
    sys.exit(main())
