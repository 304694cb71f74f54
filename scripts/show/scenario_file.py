"""Reads a scenario (scenarios/NAME.yaml), strictly: what is not known, of the wrong type or names nothing is a
ScenarioError that says where in the file, and what it should be. scenarios/README.md tells what the fields mean. Judges
nothing and drives nothing.
"""
import re
from pathlib import Path

from scenario_fields import (Fields, ScenarioError, above_zero, duration, list_of, map_of, mapping, name, number, one_of,
                             parse_yaml, text, whole, wrong)
from scenario_load import parse_mix
from scenario_profile import Profile
from scenario_types import HOME, OF_LOADS, App, Bound, Days, Fault, History, Load, Model, Scenario

STORIES = ("TIKTOK", "NETFLIX", "UBER", "SWIGGY", "ZOMATO", "AMAZON")
# So that a run ends within 5 minutes, from the first pod that is warm to the table.
LONGEST_SECONDS = 255
BOUNDS = ("atMost", "atLeast", "equals", "atMostShare")


def read_app(value, path):
    fields = Fields(value, path)
    app = App(name=fields.need("name", name), namespace=fields.take("namespace", name, HOME),
              args=fields.need("args", list_of(text)), spec=fields.need("spec", mapping),
              cpu=fields.take("cpu", text, "50m"), memory=fields.take("memory", text, "128Mi"),
              database=fields.take("database", one_of(True, False), False))
    fields.finish()
    if not app.args or app.args[0] not in ("service", "worker"):
        raise ScenarioError(f"{path}.args: must begin with service or worker")
    if "template" in app.spec:
        raise ScenarioError(f"{path}.spec.template: is made from args, cpu and memory")
    return app


def profile(value, path):
    try:
        return Profile(text(value, path))
    except ValueError as error:
        raise ScenarioError(f"{path}: {error}") from error


def mix(value, path):
    try:
        return parse_mix(text(value, path))
    except ValueError as error:
        raise ScenarioError(f"{path}: {error}") from error


def read_request(value, path):
    fields = Fields(value, path)
    request = {"path": fields.need("path", text), "method": fields.take("method", one_of("GET", "POST", "PUT", "DELETE"), "GET"),
               "weight": fields.take("weight", above_zero, 1), "name": fields.take("name", text),
               "body": fields.take("body", text), "headers": fields.take("headers", map_of(text))}
    fields.finish()
    return {entry: content for entry, content in request.items() if content is not None}


def read_load(value, path):
    fields = Fields(value, path)
    slo = Fields(fields.need("slo", mapping), f"{path}.slo")
    load = Load(name=fields.need("name", name), target=fields.need("target", text), profile=fields.need("profile", profile),
                requests=fields.take("mix", mix, []) + fields.take("requests", list_of(read_request), []),
                latency_seconds=slo.need("latency", duration))
    slo.finish()
    fields.finish()
    if not re.fullmatch(r"http://[a-z0-9.-]+(:\d+)?", load.target):
        raise wrong(f"{path}.target", load.target, "http://HOST[:PORT]")
    if not load.requests:
        raise ScenarioError(f"{path}: must have a mix or requests")
    return load


# Of each kind of fault: its fields, of which those in capitals must be given.
FAULTS = {
    "kill": {"app": (text, True), "count": (whole, False), "every": (duration, False), "for": (duration, False)},
    "down": {"app": (text, True), "for": (duration, True)},
    "stop": {"workload": (text, True), "namespace": (name, False), "for": (duration, True)},
    "evacuate": {"region": (name, True), "to": (name, True), "expect": (text, True)},
    "rollout": {"app": (text, True), "args": (list_of(text), False)},
}


def read_fault(value, path):
    fields = Fields(value, path)
    at = fields.need("at", duration)
    kinds = [kind for kind in FAULTS if kind in value]
    if len(kinds) != 1:
        raise ScenarioError(f"{path}: must have at and one of {', '.join(FAULTS)}")
    inner = Fields(fields.need(kinds[0], mapping), f"{path}.{kinds[0]}")
    what = {entry: inner.take(entry, kind, needed=needed) for entry, (kind, needed) in FAULTS[kinds[0]].items()}
    inner.finish()
    fields.finish()
    return Fault(at, kinds[0], {entry: content for entry, content in what.items() if content is not None})


def read_model(value, path):
    fields = Fields(value, path)
    model = Model(load=fields.take("load", name), source=fields.take("from", text), share=fields.take("share", above_zero, 1),
                  servers=fields.need("servers", whole), service_seconds=fields.need("serviceSeconds", above_zero),
                  cpu_seconds=fields.take("cpuSeconds", number, 0.001),
                  startup_seconds=fields.take("startupSeconds", number, 3))
    fields.finish()
    if (model.load is None) == (model.source is None):
        raise ScenarioError(f"{path}: must have one of load and from")
    return model


def read_days(value, path):
    fields = Fields(value, path)
    days = Days(app=fields.need("app", text), count=fields.need("count", whole), learned=fields.need("learned", whole),
                profile=fields.need("profile", profile), servers=fields.need("servers", whole),
                service_seconds=fields.need("serviceSeconds", above_zero),
                startup_seconds=fields.need("startupSeconds", number),
                variants=fields.need("variants", map_of(mapping, name)))
    fields.finish()
    if days.profile.seconds != 86400:
        raise wrong(f"{path}.profile", days.profile.text, f"of 24h, and is of {days.profile.seconds / 3600:g}h")
    if days.learned >= days.count:
        raise wrong(f"{path}.learned", days.learned, f"less than the count of {days.count}")
    return days


def read_history(value, path):
    fields = Fields(value, path)
    history = History(app=fields.need("app", text), days=fields.need("days", whole),
                      profile=fields.need("profile", profile), share=fields.take("share", above_zero, 1))
    fields.finish()
    return history


def read_jobs(value, path):
    fields = Fields(value, path)
    jobs = {"loads": fields.need("loads", list_of(name)), "queues": fields.need("queues", list_of(name))}
    fields.finish()
    return jobs


def read_bounds(value, path):
    return [(figure, kind, bound, f"{path}.{figure}.{kind}") for figure, bounds in mapping(value, path).items()
            for kind, bound in Fields(bounds, f"{path}.{figure}").value.items()]


def check_bounds(scenario, bounds):
    known = scenario.known_figures()
    for figure, kind, value, path in bounds:
        if figure not in known:
            raise ScenarioError(f"expect.{figure}: there is no such figure; must be one of {', '.join(known)}")
        if kind not in BOUNDS:
            raise ScenarioError(f"{path}: is not known; must be one of {', '.join(BOUNDS)}")
        if isinstance(value, str):
            if value not in known:
                raise wrong(path, value, "a number or another figure")
        else:
            number(value, path)
        base, _, last = figure.rpartition(".")
        if kind == "atMostShare" and (last not in OF_LOADS[1:3] or base not in ["", *(load.name for load in scenario.loads)]):
            raise ScenarioError(f"{path}: is for {' and '.join(OF_LOADS[1:3])}, as a share of the requests")
        scenario.expect.append(Bound(figure, kind, value))


def unique(entries, what, path):
    seen = set()
    for index, entry in enumerate(entries):
        if what(entry) in seen:
            raise ScenarioError(f"{path}[{index}]: {what(entry)} is there twice")
        seen.add(what(entry))
    if not entries:
        raise ScenarioError(f"{path}: must have an entry")


def refers(value, known, path, what):
    if value not in known:
        raise ScenarioError(f"{path}: there is no {what} {value}; must be one of {', '.join(known)}")


def check_references(scenario):
    apps, loads = [app.key for app in scenario.apps], [load.name for load in scenario.loads]
    namespaces = scenario.namespaces
    for index, app in enumerate(scenario.apps):
        refers(app.namespace, namespaces, f"apps[{index}].namespace", "region")
    for index, fault in enumerate(scenario.faults):
        path = f"faults[{index}].{fault.kind}"
        if "app" in fault.what:
            refers(fault.what["app"], apps, f"{path}.app", "app")
        for side in ("region", "to"):
            if side in fault.what:
                refers(fault.what[side], namespaces, f"{path}.{side}", "region")
        if fault.at >= scenario.seconds:
            raise ScenarioError(f"faults[{index}].at: is after the load, which ends at {scenario.seconds:g} s")
    for key, model in scenario.models.items():
        refers(key, apps, f"simulate.apps.{key}", "app")
        if model.load:
            refers(model.load, loads, f"simulate.apps.{key}.load", "load")
        else:
            # Those before it: what a stage lets go is known only when it was played.
            before = list(scenario.models)[:list(scenario.models).index(key)]
            refers(model.source, before, f"simulate.apps.{key}.from", "app before it")
    for key in apps:
        if key not in scenario.models:
            raise ScenarioError(f"simulate.apps.{key}: must be given, as for every app")
    if scenario.days:
        refers(scenario.days.app, apps, "simulate.days.app", "app")
    for index, history in enumerate(scenario.history):
        refers(history.app, apps, f"history[{index}].app", "app")
    for index, load in enumerate((scenario.jobs or {}).get("loads", [])):
        refers(load, loads, f"jobs.loads[{index}]", "load")


def read_scenario(path):
    """The scenario of a file; ScenarioError with the file's name before it."""
    path = Path(path)
    try:
        return parse_scenario(path.read_text(encoding="utf-8"), path.stem)
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from error
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from error


def parse_scenario(content, expected_name):
    fields = Fields(parse_yaml(content), "")
    fields.taken.append("shared")  # For YAML anchors; read by nobody.
    simulate = Fields(fields.need("simulate", mapping), "simulate")
    scenario = Scenario(
        name=fields.need("name", one_of(expected_name)), title=fields.need("title", text),
        brief=fields.need("brief", one_of(*STORIES)), scale=fields.need("scale", text),
        users=fields.take("users", whole, 1000),
        values={HOME: fields.take("values", mapping, {}), **fields.take("regions", map_of(mapping, name), {})}, apps=fields.need("apps", list_of(read_app)),
        loads=fields.need("load", list_of(read_load)), peak_seconds=fields.take("peak", duration),
        faults=fields.take("faults", list_of(read_fault), []), jobs=fields.take("jobs", read_jobs),
        figures=fields.take("figures", map_of(text), {}), history=fields.take("history", list_of(read_history), []),
        models=simulate.need("apps", map_of(read_model)), days=simulate.take("days", read_days), expect=[])
    bounds = fields.need("expect", read_bounds)
    simulate.finish()
    fields.finish()
    unique(scenario.apps, lambda app: app.key, "apps")
    unique(scenario.loads, lambda load: load.name, "load")
    check_references(scenario)
    check_bounds(scenario, bounds)
    if scenario.seconds > LONGEST_SECONDS:
        raise ScenarioError(f"load: lasts {scenario.seconds:g} s; at most {LONGEST_SECONDS} s, to end within 5 minutes")
    if scenario.peak_seconds is not None and scenario.peak_seconds % 60:
        raise ScenarioError("peak: must be whole minutes after the begin, since schedules go by the minute")
    return scenario
