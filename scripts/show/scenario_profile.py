"""Load over time, in the load generator's own notation (workload/load/profile.h), for what a scenario needs of it beside:
its length, the rate at a second, and a trace of it for the simulator. Pure.

    10:20s,10-300:60s,sine(100,50,60s):2m      steps, ramps, waves
"""
import math
import re

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"(?:(?:\d+(?:\.\d+)?)(?:ms|s|m|h))+")
NUMBER = r"(\d+(?:\.\d+)?)"
STEP = re.compile(f"{NUMBER}(?:-{NUMBER})?")
SINE = re.compile(rf"sine\({NUMBER},{NUMBER},([^,()]+)\)")


def duration_seconds(text):
    """'1m30s' -> 90.0; ValueError says what is wrong."""
    if not isinstance(text, str) or not DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration such as 250ms, 90s or 1m30s")
    return sum(float(n) * UNITS[unit] for n, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text))


class Profile:
    """Segments of (seconds, rate at the begin, rate at the end, amplitude, period)."""

    def __init__(self, text):
        self.text, self.segments = text, []
        # A comma within sine(...) separates nothing.
        for part in re.split(r",(?![^(]*\))", text):
            shape, colon, length = part.strip().rpartition(":")
            step, sine = STEP.fullmatch(shape), SINE.fullmatch(shape)
            if not colon or not (step or sine):
                raise ValueError(f"{part.strip()!r} must be RATE:DURATION, RATE-RATE:DURATION or "
                                 "sine(MEAN,AMPLITUDE,PERIOD):DURATION")
            seconds = duration_seconds(length)
            if seconds <= 0:
                raise ValueError(f"{part.strip()!r} must last longer than 0 s")
            if step:
                begin = float(step[1])
                self.segments.append((seconds, begin, float(step[2]) if step[2] else begin, 0.0, 1.0))
            else:
                mean, amplitude = float(sine[1]), float(sine[2])
                if amplitude > mean:
                    raise ValueError(f"{part.strip()!r} falls below 0")
                self.segments.append((seconds, mean, mean, amplitude, duration_seconds(sine[3])))
        self.seconds = sum(segment[0] for segment in self.segments)

    def rate(self, second):
        """Requests/s; 0 outside of the profile."""
        if second < 0:
            return 0.0
        for length, begin, end, amplitude, period in self.segments:
            if second < length:
                return begin + (end - begin) * second / length + amplitude * math.sin(2 * math.pi * second / period)
            second -= length
        return 0.0

    @property
    def highest(self):
        return max(max(begin, end) + amplitude for _, begin, end, amplitude, _ in self.segments)

    def by_second(self):
        """The mean rate of each second."""
        return [self.rate(second + 0.5) for second in range(math.ceil(self.seconds))]


def trace_csv(rates, step_seconds=1):
    """A trace of `kubectl scalableapp simulate`: the rates of each step; what does not change is not repeated."""
    lines, before = ["seconds,requests_per_second"], None
    for index, rate in enumerate(rates):
        # The last row tells how long it holds by the one before it.
        if rate != before or index >= len(rates) - 2:
            lines.append(f"{index * step_seconds:g},{rate:.3f}")
        before = rate
    return "\n".join(lines) + "\n"


def days_of(day, count, step_seconds=10):
    """The profile of a day, so many days on end, in steps."""
    one = [day.rate((index + 0.5) * step_seconds) for index in range(math.ceil(day.seconds / step_seconds))]
    return one * count
