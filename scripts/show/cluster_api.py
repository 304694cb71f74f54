"""Reads a running cluster for the live view: ScalableApps, pods, Prometheus and the load generator.

Everything goes through one `kubectl proxy` on a loopback port, so it works with whatever kubeconfig
reaches the cluster. Not a Kubernetes client: it asks a handful of questions and returns plain dicts;
`None` stands for "no answer just now", so that a view keeps running through an outage.
"""
import http.client
import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request


# What a call may end with when the other side is away, or goes away in the middle of an answer.
NO_ANSWER = (OSError, http.client.HTTPException)
# Of the answers below 500, those that another try may change: the pod is gone, or somebody is too busy.
TRANSIENT = (404, 408, 429)


class ClusterApi:
    def __init__(self, kubectl, namespace, monitoring_namespace):
        self.kubectl = kubectl
        self.namespace = namespace
        self.monitoring_namespace = monitoring_namespace
        self.proxy = subprocess.Popen([kubectl, "proxy", "--port=0"], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, text=True)
        line = self.proxy.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise RuntimeError(f"kubectl proxy did not start: {line.strip() or 'no output'}")
        self.base = f"http://127.0.0.1:{found.group(1)}"
        self.apps = {}
        self.closing = False

    def close(self):
        self.closing = True
        self.proxy.terminate()
        self.proxy.wait()

    def get(self, path, timeout=2.0):
        try:
            with urllib.request.urlopen(self.base + path, timeout=timeout) as answer:
                return json.load(answer)
        except (*NO_ANSWER, ValueError):
            return None

    def answers(self, path, timeout=1.0):
        try:
            with urllib.request.urlopen(self.base + path, timeout=timeout) as answer:
                return answer.status == 200
        except NO_ANSWER:
            return False

    def post(self, path, body=None, timeout=5.0):
        """The answer's text. NO_ANSWER is worth another try; a RuntimeError says why the other side will not have it."""
        request = urllib.request.Request(
            self.base + path, data=json.dumps(body or {}).encode(), method="POST",
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code >= 500 or error.code in TRANSIENT:
                raise
            raise RuntimeError(f"{error.code}: {error.read().decode(errors='replace').strip()}") from error

    def watch_scalable_apps(self, on_change):
        """From now on scalable_app() answers from a watch, and on_change(app) runs for every version of
        every app, on a thread of its own. An outage leaves the last known state and is watched through."""
        path = f"/apis/scalableapp.io/v1alpha1/namespaces/{self.namespace}/scalableapps?watch=1"

        def follow():
            while not self.closing:
                try:
                    with urllib.request.urlopen(self.base + path, timeout=60) as stream:
                        for line in stream:
                            event = json.loads(line)
                            if event.get("type") in ("ADDED", "MODIFIED"):
                                self.apps[event["object"]["metadata"]["name"]] = event["object"]
                                on_change(event["object"])
                except (*NO_ANSWER, ValueError):
                    time.sleep(0.2)

        for app in (self.get(path.partition("?")[0]) or {}).get("items", []):
            self.apps[app["metadata"]["name"]] = app
        threading.Thread(target=follow, daemon=True).start()

    def scalable_app(self, name):
        return self.apps.get(name)

    def load_pod(self):
        pods = self.get(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector=app.kubernetes.io%2Fname%3Dload")
        for pod in (pods or {}).get("items", []):
            if pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp"):
                return pod["metadata"]["name"]
        return None

    def load_path(self, pod, path):
        return f"/api/v1/namespaces/{self.namespace}/pods/{pod}:9100/proxy{path}"

    def prometheus(self, query):
        """The first value of an instant query, or None."""
        path = (f"/api/v1/namespaces/{self.monitoring_namespace}/services/prometheus:9090/proxy/api/v1/query?"
                + urllib.parse.urlencode({"query": query}))
        answer = self.get(path)
        try:
            value = float(answer["data"]["result"][0]["value"][1])
            return None if value != value else value
        except (TypeError, KeyError, IndexError, ValueError):
            return None
