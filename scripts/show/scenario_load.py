"""A scenario's load as a plan of the load generator (docs/load.md), and its report as figures. Pure."""
import re

ENTRY = re.compile(r"(/[!-~]*?)(?::(GET|POST|PUT|DELETE))?(?:=(\d+(?:\.\d+)?))?")


def parse_mix(text):
    """'/PATH:POST=5,...' -> requests of a plan; ValueError says which part is wrong."""
    requests = []
    for part in text.split(","):
        found = ENTRY.fullmatch(part.strip())
        if not found:
            raise ValueError(f"{part.strip()!r} must be /PATH=WEIGHT or /PATH:POST=WEIGHT")
        requests.append({"path": found[1], "method": found[2] or "GET", "weight": float(found[3] or 1)})
    return requests


def endpoint(load, request):
    """What the generator calls it: a load's name is the first word of those of its requests."""
    return f"{load.name} {request.get('name') or request['method'] + ' ' + request['path']}"


def plan(scenario, seed=7):
    """The body of POST /start."""
    return {"seed": seed, "users": scenario.users, "arrivals": "poisson", "streams": [
        {"name": load.name, "target": load.target, "profile": load.profile.text,
         "slo": f"{load.latency_seconds * 1000:g}ms",
         "requests": [{**request, "name": endpoint(load, request)} for request in load.requests]}
        for load in scenario.loads]}


def figures_of_tally(tally):
    """Of the total, an endpoint, or several of them added up. What the server refused on purpose is shed, not failed."""
    looked_up = tally["cache_hits"] + tally["cache_misses"]
    return {"requests": tally["offered"], "failedRequests": tally["failed"] - tally["shed"], "shedRequests": tally["shed"],
            "edgeHitShare": tally["cache_hits"] / looked_up if looked_up else None,
            "degradedRequests": tally["degraded"], "lostSessions": tally["sessions_lost"]}


ADDED = ("offered", "failed", "shed", "cache_hits", "cache_misses", "degraded", "sessions_lost", "accepted")


def report_figures(scenario, report):
    """A load of several endpoints is over its level at least as long as the worst of them; the only one, as the total."""
    figures = {**figures_of_tally(report["total"]), "sloViolationSeconds": report["total"]["slo_violation_seconds"],
               "p99Ms": report["total"]["latency_ms"]["p99"]}
    for load in scenario.loads:
        mine = [entry for entry in report["endpoints"] if entry["name"].partition(" ")[0] == load.name]
        if not mine:
            continue
        added = figures_of_tally({name: sum(entry[name] for entry in mine) for name in ADDED})
        only = len(scenario.loads) == 1
        added["sloViolationSeconds"] = (report["total"]["slo_violation_seconds"] if only else
                                        max(entry["slo_violation_seconds"] for entry in mine))
        added["p99Ms"] = max((entry["latency_ms"]["p99"] or 0 for entry in mine), default=None)
        figures.update({f"{load.name}.{name}": value for name, value in added.items()})
    return {name: value for name, value in figures.items() if value is not None}


def accepting_endpoints(scenario):
    """Those whose answers of 2xx are jobs."""
    return [endpoint(load, request) for name in (scenario.jobs or {}).get("loads", []) for load in [scenario.load(name)]
            for request in load.requests if request["method"] == "POST"]


def job_figures(scenario, accepted, audit, before):
    """accepted: ids that clients were told are accepted; audit, before: of the queues after the run and before it."""
    def grown(position, what):
        was = {queue["queue"]: queue[what] for queue in before.get("queues", [])}
        queue = audit["queues"][position]
        return queue[what] - was.get(queue["queue"], 0)

    return {"acceptedJobs": accepted, "processedJobs": grown(-1, "done"), "lostJobs": audit["lost"],
            "duplicatedJobs": audit["duplicated"], "waitingJobs": sum(queue["waiting"] for queue in audit["queues"]),
            "deadLetteredJobs": sum(grown(position, "dead") for position in range(len(audit["queues"])))}
