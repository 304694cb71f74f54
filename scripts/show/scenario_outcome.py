"""The outcome of a scenario: figures by name, what was expected of them, and the tables. Pure: what ran and where it was
measured (a cluster or the simulator) is not known here.
"""


def total_figures(figures, scenario):
    """Adds the totals to the figures of apps and loads, as far as these are there."""
    names = {"peakReplicas": [app.key for app in scenario.apps]}
    for figure in ("replicaSeconds", "scaleEvents", "scaleUps", "directionChanges"):
        names[figure] = [app.key for app in scenario.apps]
    for figure in ("requests", "failedRequests", "shedRequests", "sloViolationSeconds"):
        names[figure] = [load.name for load in scenario.loads]
    totals = {}
    for figure, bases in names.items():
        values = [figures[f"{base}.{figure}"] for base in bases if figures.get(f"{base}.{figure}") is not None]
        if values:
            totals[figure] = sum(values)
    return {**totals, **figures}


def counts_of(levels):
    """Scale events, ups and changes of direction of a count over time."""
    moves = [after - before for before, after in zip(levels, levels[1:]) if after != before]
    return {"scaleEvents": len(moves), "scaleUps": sum(1 for move in moves if move > 0),
            "directionChanges": sum(1 for a, b in zip(moves, moves[1:]) if (a > 0) != (b > 0)),
            "peakReplicas": max(levels, default=0)}


def limit_of(bound, figures):
    """The number that a bound stands for; None if it is not known."""
    if isinstance(bound.value, str):
        return figures.get(bound.value)
    if bound.kind == "atMostShare":
        base = bound.figure.rpartition(".")[0]
        requests = figures.get(f"{base}.requests" if base else "requests")
        return None if requests is None else bound.value * requests
    return bound.value


def holds(bound, value, limit):
    if bound.kind == "atLeast":
        return value >= limit
    return value == limit if bound.kind == "equals" else value <= limit


def shown(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:.3g}"


def wanted(bound, limit):
    words = {"atMost": "at most", "atLeast": "at least", "equals": "exactly", "atMostShare": "at most"}[bound.kind]
    if isinstance(bound.value, str):
        return f"{words} that of {bound.value}" + ("" if limit is None else f", {shown(limit)}")
    if bound.kind == "atMostShare":
        return f"{words} {bound.value:.3g} of the requests"
    return f"{words} {shown(limit)}"


def judge(scenario, figures, may_lack=False):
    """[(figure, value, what was wanted, verdict)]: ok, not ok, or '-' where the figure is not known and may be so."""
    rows = []
    for bound in scenario.expect:
        value, limit = figures.get(bound.figure), limit_of(bound, figures)
        if value is None or limit is None:
            verdict = "-" if may_lack or bound.figure.startswith("days.") else "not ok"
        else:
            verdict = "ok" if holds(bound, value, limit) else "not ok"
        rows.append((bound.figure, value, wanted(bound, limit), verdict))
    return rows


def problems_of(judged):
    return [f"{figure}: {shown(value) if value is not None else 'is not known'}; wanted {what}"
            for figure, value, what, verdict in judged if verdict == "not ok"]


def table(header, rows, indent="  "):
    """Lines: the first column to the left, the others to the right."""
    cells = [list(map(str, row)) for row in ([header] if header else []) + list(rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))] if cells else []
    return [indent + "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in cells]


APP_COLUMNS = ("replicaSeconds", "scaleEvents", "directionChanges", "peakReplicas")
LOAD_COLUMNS = ("requests", "failedRequests", "shedRequests", "sloViolationSeconds")
HEADS = {"replicaSeconds": "replica-s", "scaleEvents": "scale events", "directionChanges": "turns", "peakReplicas": "peak",
         "requests": "requests", "failedRequests": "failed", "shedRequests": "shed",
         "sloViolationSeconds": "over the SLO, s"}


def outcome_lines(scenario, figures, judged):
    lines = table(["load", *(HEADS[c] for c in LOAD_COLUMNS)],
                  [[load.name, *(shown(figures.get(f"{load.name}.{c}")) for c in LOAD_COLUMNS)] for load in scenario.loads]
                  + [["in all", *(shown(figures.get(c)) for c in LOAD_COLUMNS)]] * (len(scenario.loads) > 1))
    lines += [""] + table(["app", *(HEADS[c] for c in APP_COLUMNS)],
                          [[app.key, *(shown(figures.get(f"{app.key}.{c}")) for c in APP_COLUMNS)] for app in scenario.apps]
                          + [["in all", *(shown(figures.get(c)) for c in APP_COLUMNS)]] * (len(scenario.apps) > 1))
    jobs = [(n, figures[n]) for n in ("acceptedJobs", "processedJobs", "deadLetteredJobs", "lostJobs", "duplicatedJobs", "waitingJobs")
            if n in figures]
    own = [(n, figures.get(n)) for n in scenario.figures]
    if jobs or any(value is not None for _, value in own):
        lines += [""] + table(None, [[n, shown(value)] for n, value in jobs + own])
    lines += [""] + table(["expected of", "is", "wanted", ""],
                          [[figure, shown(value), what, verdict] for figure, value, what, verdict in judged])
    return lines


def compared_lines(scenario, live, simulated):
    """Live beside simulated, and by how much they differ."""
    def row(label, figure):
        here, there = live.get(figure), simulated.get(figure)
        if here is None or there is None:
            return None
        share = f"{(there - here) / here:+.0%}" if here else ("" if not there else "-")
        return [label, shown(here), shown(there), f"{there - here:+,.0f}", share]

    rows = [row(f"{load.name}: seconds over the SLO", f"{load.name}.sloViolationSeconds") for load in scenario.loads]
    for app in scenario.apps:
        rows += [row(f"{app.key}: {HEADS[c]}", f"{app.key}.{c}") for c in APP_COLUMNS]
    rows += [row(f"in all: {HEADS[c]}", c) for c in ("sloViolationSeconds", *APP_COLUMNS)]
    return table(["", "live", "simulated", "difference", ""], [r for r in rows if r])


def difference(scenario, live, simulated):
    """The same for a program."""
    names = [f"{load.name}.sloViolationSeconds" for load in scenario.loads]
    names += [f"{app.key}.{c}" for app in scenario.apps for c in APP_COLUMNS]
    return {n: {"live": live[n], "simulated": simulated[n]} for n in names
            if live.get(n) is not None and simulated.get(n) is not None}
