"""Draws a scenario's run: load, latency, pods of the apps that move, and the queues. Pure."""
import math

from plot import BLUE, GREEN, ORANGE, PURPLE, RED, Panel, nice_top, number, page

COLOURS = (GREEN, BLUE, PURPLE, ORANGE, RED, "#0e7490", "#a16207", "#be185d", "#4d7c0f", "#4338ca", "#78716c", "#0f172a")
MOST_APPS = 6  # With a legend that fits.


def moving_apps(rows, keys):
    """Those whose pods change most, in the scenario's order."""
    def span(key):
        values = [number(row, f"{key}:ready") for row in rows]
        values = [v for v in values if v is not None]
        return max(values, default=0) - min(values, default=0)

    chosen = sorted(keys, key=span, reverse=True)[:MOST_APPS]
    return [key for key in keys if key in chosen]


def draw(rows, marks, scenario):
    def column(name):
        return [(row["second"], number(row, name)) for row in rows]

    def highest(*names):
        return max([v for name in names for _, v in column(name) if v is not None] or [1])

    span, keys, target = max(1, rows[-1]["second"]), [app.key for app in scenario.apps], rows[0]["target_ms"]
    load = Panel(0, "Load, requests/s", span, nice_top(highest("offered", "served")))
    for name, colour in (("offered", BLUE), ("served", GREEN), ("failed", RED)):
        load.line(column(name), colour)
    latency = Panel(1, "p99 latency, ms (log)", span,
                    10 ** math.ceil(math.log10(max(highest("p99_ms"), target * 2, 100))), log_from=10)
    latency.level(target, RED, f"target {target:g} ms")
    latency.line(column("p99_ms"), PURPLE)
    shown = moving_apps(rows, keys)
    pods = Panel(2, "Pods: ready, and desired (dashed)", span,
                 4 * math.ceil(highest(*(f"{key}:{what}" for key in shown for what in ("ready", "desired"))) / 4))
    for key, colour in zip(shown, COLOURS):
        pods.line(column(f"{key}:desired"), colour, step=True, width=1.2, dash="6 3")
        pods.line(column(f"{key}:ready"), colour, step=True, width=2.4)
    panels = [load.svg([("offered", BLUE), ("served", GREEN), ("failed", RED)]), latency.svg([("p99", PURPLE)]),
              pods.svg(list(zip(shown, COLOURS)))]
    if scenario.jobs:
        queue = Panel(3, "Jobs that wait", span, nice_top(highest("queue")))
        known = [point for point in column("queue") if point[1] is not None]
        queue.line(known, BLUE)
        panels.append(queue.svg([("all queues", BLUE)]))
    return page(scenario.title, panels, apart(marks, span), load)


def apart(marks, span):
    """Marks whose texts would lie upon each other keep their line and lose their text."""
    out, last = [], -math.inf
    for second, text in marks:
        is_free = second - last > span / 8
        out.append((second, text if is_free else ""))
        last = second if is_free else last
    return out

