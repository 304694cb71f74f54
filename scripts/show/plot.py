"""Draws a timeline as one SVG: load, p99 latency against its target, replicas, queue, over time.

Takes rows (dicts with the columns of timeline.csv) and phase marks; needs nothing but the standard
library. `python3 plot.py timeline.csv plot.svg` redraws a recorded run.
"""
import csv
import html
import math
import sys

WIDTH, PANEL, GAP, LEFT, RIGHT, TOP = 1000, 150, 44, 66, 20, 64
INK, GRID, MUTED = "#1f2430", "#e3e6ec", "#6b7280"
BLUE, GREEN, RED, ORANGE, PURPLE = "#2563eb", "#15803d", "#dc2626", "#d97706", "#7c3aed"


def nice_top(value):
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    for step in (1, 2, 4, 6, 8, 10):
        if value <= step * power:
            return step * power
    return 10 * power


def number(row, column):
    try:
        value = float(row[column])
        return value if math.isfinite(value) else None
    except (KeyError, TypeError, ValueError):
        return None


class Panel:
    def __init__(self, index, title, span, top, log_from=None):
        self.y0 = TOP + index * (PANEL + GAP)
        self.title, self.span, self.top, self.log_from = title, span, top, log_from
        self.parts = []

    def x(self, second):
        return LEFT + (WIDTH - LEFT - RIGHT) * second / self.span

    def y(self, value):
        if self.log_from:
            share = math.log(max(value, self.log_from) / self.log_from) / math.log(self.top / self.log_from)
        else:
            share = value / self.top
        return self.y0 + PANEL * (1 - min(max(share, 0), 1))

    def ticks(self):
        if self.log_from:
            tick, ticks = self.log_from, []
            while tick <= self.top * 1.001:
                ticks.append(tick)
                tick *= 10
            return ticks
        return [self.top * i / 4 for i in range(5)]

    def line(self, points, colour, step=False, width=1.8, dash=""):
        runs, run = [], []
        for second, value in points:
            if value is None:
                runs.append(run)
                run = []
                continue
            if step and run:
                run.append((self.x(second), run[-1][1]))
            run.append((self.x(second), self.y(value)))
        runs.append(run)
        for run in runs:
            if len(run) > 1:
                path = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
                self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                                  f'stroke-width="{width}" stroke-linejoin="round" stroke-dasharray="{dash}"/>')

    def level(self, value, colour, text):
        y = self.y(value)
        self.parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" '
                          f'stroke-dasharray="5 4"/><text x="{WIDTH - RIGHT - 4}" y="{y - 4:.1f}" fill="{colour}" '
                          f'text-anchor="end">{html.escape(text)}</text>')

    def svg(self, legend):
        out = [f'<text x="{LEFT}" y="{self.y0 - 9}" fill="{INK}" font-weight="600">{html.escape(self.title)}</text>']
        x = WIDTH - RIGHT
        for name, colour in reversed(legend):
            x -= 7 * len(name) + 30
            out.append(f'<rect x="{x}" y="{self.y0 - 17}" width="14" height="4" fill="{colour}"/>'
                       f'<text x="{x + 19}" y="{self.y0 - 10}" fill="{MUTED}">{html.escape(name)}</text>')
        for tick in self.ticks():
            y = self.y(tick)
            out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
                       f'<text x="{LEFT - 8}" y="{y + 4:.1f}" fill="{MUTED}" text-anchor="end">{tick:g}</text>')
        return "".join(out + self.parts)


def draw(rows, phases, target_ms, title):
    """rows: by second; phases: [(start second, name)]; returns the SVG's text."""
    span = max((number(row, "second") or 0) for row in rows) if rows else 1
    span = max(span, 1)

    def column(name):
        return [(number(row, "second"), number(row, name)) for row in rows]

    def highest(*names):
        return nice_top(max([v for name in names for _, v in column(name) if v is not None] or [1]))

    load = Panel(0, "Load, requests/s", span, highest("offered", "served"))
    load.line(column("offered"), BLUE)
    load.line(column("served"), GREEN)
    load.line(column("failed"), RED)
    latency = Panel(1, "p99 latency, ms (log)", span,
                    max(10 ** math.ceil(math.log10(max(highest("p99_ms"), 100))), target_ms * 10), log_from=10)
    latency.level(target_ms, RED, f"target {target_ms:g} ms")
    latency.line(column("p99_ms"), PURPLE)
    replicas = Panel(2, "web replicas", span, 4 * math.ceil(max(highest("desired", "ready"), 1) / 4))
    replicas.line(column("desired"), ORANGE, step=True, dash="6 3")
    replicas.line(column("ready"), GREEN, step=True, width=2.4)
    replicas.line(column("warming"), MUTED, step=True)
    queue = Panel(3, "Job queue and worker replicas", span, highest("queue", "worker_ready"))
    queue.line(column("queue"), BLUE)
    queue.line(column("worker_ready"), GREEN, step=True, width=2.4)
    panels = [
        load.svg([("offered", BLUE), ("served", GREEN), ("failed", RED)]),
        latency.svg([("p99", PURPLE)]),
        replicas.svg([("desired", ORANGE), ("ready", GREEN), ("warming", MUTED)]),
        queue.svg([("queue length", BLUE), ("workers ready", GREEN)])]
    return page(title, panels, phases, load)


def page(title, panels, phases, first):
    """The SVG's text: panels as texts, the first of them as a Panel, marks at the begin of each of [(second, name)]."""
    bottom = TOP + len(panels) * (PANEL + GAP) - GAP
    marks = []
    for second, name in phases:
        x = first.x(second)
        marks.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 26}" y2="{bottom}" stroke="{MUTED}" '
                     f'stroke-dasharray="2 3"/><text x="{x + 4:.1f}" y="{TOP - 28}" fill="{INK}" font-size="11">'
                     f'{html.escape(name)}</text>')
    step = next(s for s in (5, 10, 15, 30, 60, 120, 300, 600, 3600) if first.span / s <= 14)
    for second in range(0, int(first.span) + 1, step):
        x = first.x(second)
        marks.append(f'<text x="{x:.1f}" y="{bottom + 18}" fill="{MUTED}" text-anchor="middle">{second} s</text>')
    height = bottom + 30
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'font-family="system-ui, sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
            f'<text x="{LEFT}" y="20" fill="{INK}" font-size="15" font-weight="700">{html.escape(title)}</text>'
            + "".join(marks) + "".join(panels) + "</svg>\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py TIMELINE.csv OUT.svg")
    with open(sys.argv[1], newline="") as source:
        recorded = list(csv.DictReader(source))
    seen, marks_found = None, []
    for entry in recorded:
        if entry.get("phase") != seen:
            seen = entry.get("phase")
            marks_found.append((float(entry["second"]), seen))
    with open(sys.argv[2], "w") as out:
        out.write(draw(recorded, marks_found, float(recorded[0]["target_ms"]), "ScalableApp web"))
