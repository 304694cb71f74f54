"""Days of load for Prometheus to remember: what the operator's forecast asks of a Latency's app (the rate of
http_request_duration_seconds_count of its pods, operator/metrics/details.cc) as if the app had run for so long. Written by
remote write, whose form is protobuf in snappy (prometheus.io/docs/specs/prw/remote_write_spec,
github.com/google/snappy/blob/main/format_description.txt); Prometheus must take it and samples that are old.
"""
import struct
import time
import urllib.error
import urllib.request

METRIC = "http_request_duration_seconds_count"
STEP_SECONDS = 60       # The forecast's windows are of 300 s.
MOST_SAMPLES = 5000     # Of a request.
POD = "444444444-aaaaa"  # No ReplicaSet of ours is called so: history must be told from what was measured.
DAY = 86400


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, content):
    """A length-delimited one."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def write_request(labels, samples):
    """One series: labels by name, samples of (milliseconds, value)."""
    series = b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in sorted(labels.items()))
    for at, value in samples:
        series += field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(at))
    return field(1, series)


def snappy(content):
    """As literals alone: valid, and no smaller."""
    out = [varint(len(content))]
    for begin in range(0, len(content), 0x10000):
        chunk = content[begin:begin + 0x10000]
        out.append(bytes([61 << 2]) + struct.pack("<H", len(chunk) - 1) + chunk)
    return b"".join(out)


def samples_of(history, start, until):
    """A counter from so many days before `start`, the Unix time at which the run's load begins, until `until`: each day
    as the profile at this time of day, its first rate else."""
    base, count, samples = history.profile.rate(0), 0.0, []
    at = (start - history.days * DAY) // STEP_SECONDS * STEP_SECONDS
    while at <= until:
        samples.append((int(at * 1000), count))
        # The middle of the step; a day begins with the load.
        into = (at + STEP_SECONDS / 2 - start) % DAY
        rate = history.profile.rate(into) if into < history.profile.seconds else base
        count += rate * history.share * STEP_SECONDS
        at += STEP_SECONDS
    return samples


def labels_of(namespace, name):
    return {"__name__": METRIC, "namespace": namespace, "pod": f"{name}-{POD}"}


def write_history(base_url, app, history, start, now=None):
    """RuntimeError with what Prometheus says. How many samples it took."""
    samples = samples_of(history, start, time.time() if now is None else now)
    for begin in range(0, len(samples), MOST_SAMPLES):
        body = snappy(write_request(labels_of(app.namespace, app.name), samples[begin:begin + MOST_SAMPLES]))
        request = urllib.request.Request(f"{base_url}/api/v1/write", data=body, method="POST", headers={
            "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0"})
        try:
            urllib.request.urlopen(request, timeout=20).close()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"Prometheus does not take the history of {app.key}: {error.code} "
                               f"{error.read().decode(errors='replace').strip()[:300]}") from error
        except OSError as error:
            raise RuntimeError(f"Prometheus does not take the history of {app.key}: {error}") from error
    return len(samples)
