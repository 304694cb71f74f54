"""What a scenario consists of, as scenario_file.py reads it, and the figures that a run of it has. Plain values."""
from dataclasses import dataclass
from typing import Optional

from scenario_profile import Profile

HOME = "demo"  # The namespace of what is not in a region.

OF_LOADS = ("requests", "failedRequests", "shedRequests", "sloViolationSeconds", "p99Ms", "edgeHitShare",
            "degradedRequests", "lostSessions")
OF_APPS = ("replicaSeconds", "scaleEvents", "scaleUps", "directionChanges", "peakReplicas")
OF_JOBS = ("acceptedJobs", "processedJobs", "deadLetteredJobs", "lostJobs", "duplicatedJobs", "waitingJobs")
OF_DAYS = ("sloViolationSeconds", "replicaSeconds", "scaleEvents")


@dataclass
class App:
    name: str
    namespace: str
    args: list
    spec: dict              # Of the ScalableApp, without its template.
    cpu: str
    memory: str
    database: bool

    @property
    def key(self):
        return self.name if self.namespace == HOME else f"{self.namespace}/{self.name}"

    @property
    def is_service(self):
        return self.args[0] == "service"


@dataclass
class Load:
    name: str
    target: str
    profile: Profile
    requests: list          # As the load generator's plan has them.
    latency_seconds: float  # What 99 % of a second's requests must stay within.


@dataclass
class Fault:
    at: float
    kind: str
    what: dict


@dataclass
class Model:
    """How an app's pods are simulated, and what reaches them: a share of a load, or of what another app lets go."""
    load: Optional[str]
    source: Optional[str]
    share: float
    servers: int
    service_seconds: float
    cpu_seconds: float
    startup_seconds: float


@dataclass
class Days:
    app: str
    count: int
    learned: int            # Days that do not count: nothing is known of a day before the first.
    profile: Profile        # Of a day.
    servers: int            # Of a pod, as the next two.
    service_seconds: float
    startup_seconds: float
    variants: dict          # What is put into the app's spec, less schedules and prediction.


@dataclass
class History:
    app: str
    days: int
    profile: Profile        # From the begin of the load on, at this time of day; its first rate holds otherwise.
    share: float


@dataclass
class Bound:
    figure: str
    kind: str
    value: object           # A number, or the name of another figure.


@dataclass
class Scenario:
    name: str
    title: str
    brief: str
    scale: str
    values: dict            # Of the release in each namespace.
    apps: list
    loads: list
    users: int
    peak_seconds: Optional[float]
    faults: list
    jobs: Optional[dict]
    figures: dict
    expect: list
    models: dict
    days: Optional[Days]
    history: list

    @property
    def seconds(self):
        return max(load.profile.seconds for load in self.loads)

    @property
    def namespaces(self):
        return list(self.values)

    def app(self, key):
        return next(app for app in self.apps if app.key == key)

    def load(self, load_name):
        return next(load for load in self.loads if load.name == load_name)

    def known_figures(self):
        """Those that a run has; `days.` only in the simulator."""
        known = [*OF_LOADS, *OF_APPS, *self.figures]
        known += [f"{load.name}.{figure}" for load in self.loads for figure in OF_LOADS]
        known += [f"{app.key}.{figure}" for app in self.apps for figure in OF_APPS]
        if self.jobs:
            known += OF_JOBS
        if self.days:
            known += [f"days.{variant}.{figure}" for variant in self.days.variants for figure in OF_DAYS]
        return known
