"""What the fields of a YAML file are read with: each kind is a function of (value, path) that returns the value or raises
a ScenarioError that names the path and says what it should be. Pure.
"""
import re

import yaml

from scenario_profile import duration_seconds

NAME = re.compile(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?")


class ScenarioError(Exception):
    """What is wrong with a scenario, and where."""


class Fields:
    """A mapping of the file; each field is taken once, and finish() refuses what nobody took."""

    def __init__(self, value, path):
        if not isinstance(value, dict):
            raise ScenarioError(f"{path or 'the file'}: must be a mapping, not {shown(value)}")
        self.value, self.path, self.taken = value, path, []

    def at(self, name):
        return f"{self.path}.{name}" if self.path else str(name)

    def take(self, name, kind, default=None, needed=False):
        self.taken.append(name)
        if name not in self.value:
            if needed:
                raise ScenarioError(f"{self.at(name)}: must be given")
            return default
        return kind(self.value[name], self.at(name))

    def need(self, name, kind):
        return self.take(name, kind, needed=True)

    def finish(self):
        for name in self.value:
            if name not in self.taken:
                raise ScenarioError(f"{self.at(name)}: is not known; must be one of {', '.join(self.taken)}")


def shown(value):
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def wrong(path, value, wanted):
    return ScenarioError(f"{path}: {shown(value)}: must be {wanted}")


def text(value, path):
    if not isinstance(value, str) or not value.strip():
        raise wrong(path, value, "a text")
    return value.strip()


def name(value, path):
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise wrong(path, value, "a name of lower-case letters, digits and '-', such as web")
    return value


def number(value, path):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0 or value != value:
        raise wrong(path, value, "a number from 0 on")
    return value


def above_zero(value, path):
    if number(value, path) <= 0:
        raise wrong(path, value, "a number over 0")
    return value


def whole(value, path):
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise wrong(path, value, "a whole number from 1 on")
    return value


def mapping(value, path):
    if not isinstance(value, dict):
        raise wrong(path, value, "a mapping")
    return value


def one_of(*choices):
    def read(value, path):
        if value not in choices:
            raise wrong(path, value, f"one of {', '.join(map(str, choices))}")
        return value
    return read


def duration(value, path):
    try:
        return duration_seconds(value)
    except ValueError as error:
        raise ScenarioError(f"{path}: {error}") from error


def list_of(kind):
    def read(value, path):
        if not isinstance(value, list):
            raise wrong(path, value, "a list")
        return [kind(entry, f"{path}[{index}]") for index, entry in enumerate(value)]
    return read


def map_of(kind, key=lambda value, path: value):
    def read(value, path):
        return {key(entry, path): kind(content, f"{path}.{entry}") for entry, content in mapping(value, path).items()}
    return read


class UniqueKeys(yaml.SafeLoader):
    """A key that is there twice is a mistake, not the later one of the two."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value
            if key in seen and key_node.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"{key} is there twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def parse_yaml(content):
    try:
        return yaml.load(content, UniqueKeys)
    except yaml.YAMLError as error:
        raise ScenarioError(f"is no YAML: {error}") from error
