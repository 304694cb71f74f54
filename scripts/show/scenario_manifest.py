"""The ScalableApps of a scenario, with the pod template that all of them share, and the values of its releases. Pure.

`$(peak)` as the cron of a schedule is the minute of the scenario's peak: of the run, or of a simulated one.
"""
import copy

HOME_OF_PASSWORD = "postgres"  # The Secret with the key password.
COMMON_ARGS = {
    "service": ["--port=8080", "--admin-port=9100", "--redis=redis:6379", "--drain-seconds=5", "--warmup-readiness"],
    "worker": ["--admin-port=9100", "--redis=redis:6379"],
}
SAFE = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def container(app, image, database_args):
    ports = [{"name": "admin", "containerPort": 9100}]
    if app.is_service:
        ports.insert(0, {"name": "http", "containerPort": 8080})
    made = {
        "name": app.name, "image": image, "imagePullPolicy": "IfNotPresent",
        "args": [app.args[0], *COMMON_ARGS[app.args[0]], *(database_args if app.database else []), *app.args[1:]],
        "ports": ports,
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "admin"}, "periodSeconds": 1, "timeoutSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "admin"}, "periodSeconds": 5, "timeoutSeconds": 3,
                          "failureThreshold": 6},
        "resources": {"requests": {"cpu": app.cpu, "memory": "16Mi"}, "limits": {"memory": app.memory}},
        "securityContext": SAFE}
    if app.database:
        made["env"] = [{"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": HOME_OF_PASSWORD, "key": "password"}}}]
    return made


def with_crons(spec, cron):
    spec = copy.deepcopy(spec)
    for schedule in spec.get("schedules", []):
        schedule["cron"] = schedule["cron"].replace("$(peak)", cron)
    return spec


def scalable_app(app, cron, image="scalableapp/workload:dev", database_args=()):
    return {
        "apiVersion": "scalableapp.io/v1alpha1", "kind": "ScalableApp",
        "metadata": {"name": app.name, "namespace": app.namespace},
        "spec": {**with_crons(app.spec, cron), "template": {
            "metadata": {"annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9100"}},
            "spec": {"terminationGracePeriodSeconds": 30,
                     "securityContext": {"runAsNonRoot": True, "runAsUser": 65532},
                     "containers": [container(app, image, database_args)]}}}}


def chart_values(scenario, namespace):
    """Of charts/workload in a namespace: the scenario's, and a Service for each of its services there."""
    services = [app.name for app in scenario.apps if app.is_service and app.namespace == namespace]
    return {"services": services, **scenario.values[namespace]}


def cron_of(hour, minute):
    return f"{minute} {hour} * * *"


def simulated_cron(scenario):
    """A trace begins at midnight."""
    minutes = int((scenario.peak_seconds or 0) // 60)
    return cron_of(minutes // 60, minutes % 60)
