"""Holds the JSON Schema that `preamp config schema` prints against what preamp takes.

Usage: configuration_schema.py files PREAMP FILE...
       configuration_schema.py mistakes PREAMP FILE

`files` prints `ok` or the paths of what does not fit, one line for each file. `mistakes` makes a thousand wrong files
of a right one: each key misspelt, and each value of other types. The schema may fit what preamp refuses, since preamp
knows more. But whatever preamp takes must fit, and no misspelt key may. Exit status 1 with what was found otherwise.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import yaml

# Sections whose keys are the operator's own.
FREE = {"receivers", "processors", "exporters", "extensions", "pipelines", "headers", "external_labels"}

# What may have any keys, with everything below it: names of attributes, or a list of them.
ANY = {("service", "telemetry", "resource")}

# One of each type.
OTHERS = [True, -1, "5s", ["text"], {"text": "text"}, None]


class Loader(yaml.SafeLoader):
    """YAML 1.2, in which `yes` and 1:30 are texts."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(~|null|Null|NULL|)$", "~nN\0"),
]:
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), list(first))
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^$"), [""])


def read(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader)


def misfits(validator, document):
    """The paths of what does not fit."""
    return sorted({".".join(map(str, deepest(error))) or "." for error in validator.iter_errors(document)})


def deepest(error):
    """The longest path that an error, or one of those it consists of, leads to."""
    paths = [deepest(part) for part in error.context or []] + [list(error.absolute_path)]
    return max(paths, key=len)


def variants(node, make, is_free=False, path=()):
    """Every document that differs in one place: (path, what was done, document)."""
    if isinstance(node, dict):
        for key, value in node.items():
            if not is_free and not any(path[: len(any_keys)] == any_keys for any_keys in ANY):
                yield path + (key,), "misspelt", make({("x" + k if k == key else k): v for k, v in node.items()})
            below = lambda part, key=key: make({**node, key: part})
            for other in OTHERS:
                yield path + (key,), json.dumps(other), below(other)
            yield from variants(value, below, key in FREE and isinstance(value, dict), path + (key,))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            below = lambda part, index=index: make(node[:index] + [part] + node[index + 1:])
            yield from variants(item, below, False, path + (index,))


def takes(preamp, document, folder):
    """Whether preamp takes a document."""
    handle, path = tempfile.mkstemp(dir=folder)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(document, file)
    return subprocess.run([preamp, "validate", "--config", path], capture_output=True, check=False).returncode == 0


def mistakes(preamp, validator, path):
    whole = read(path)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        if not takes(preamp, whole, folder):
            return ["preamp does not take the file as it is"]

        def judged(place, what, document):
            name = ".".join(map(str, place))
            fits = validator.is_valid(document)
            if what == "misspelt":
                return f"{name}: a misspelt key fits" if fits else None
            if not fits and takes(preamp, document, folder):
                return f"{name}: {what} is taken, and does not fit: {misfits(validator, document)[:3]}"
            return None

        cases = list(variants(whole, lambda document: document))
        found = [fault for fault in pool.map(lambda case: judged(*case), cases) if fault]
    misspelt = sum(what == "misspelt" for _, what, _ in cases)
    print(f"{len(cases)} files, {misspelt} with a misspelt key")
    return found


def main(command, preamp, *files):
    printed = subprocess.run([preamp, "config", "schema"], capture_output=True, text=True, check=True).stdout
    schema = json.loads(printed)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    if command == "files":
        for path in files:
            print(" ".join(misfits(validator, read(path))) or "ok")
        return 0
    found = mistakes(preamp, validator, files[0])
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
