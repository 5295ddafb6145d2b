"""Writes the bill of materials of what cargo builds (CycloneDX 1.6, JSON), and the texts of its licences.

    python sbom.py write --version VERSION --artifact NAME=FILE=UNITS [--artifact …] --metadata FILE… --lock FILE…
                         --rust VERSION --library FOLDER [--also USER=NAME=VERSION=LICENCE …] --bom FILE [--licences FILE]
    python sbom.py check FILE…

UNITS is what `cargo build --unit-graph` prints: what cargo compiles for one program, with its target and its features. What runs on
the building machine only (build scripts, procedural macros, and what they use) is left out. The first artifact is the subject, and
the others are built into it. FOLDER has the sources of the standard library, whose own crates count as one.

The same input gives the same bytes. The time is that of SOURCE_DATE_EPOCH.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import uuid
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

STANDARD_LIBRARY = "rust-standard-library"
# Crates that the standard library offers to compilers and test programs. No program links them.
NOT_LINKED = {"proc_macro", "rustc-literal-escaper", "test", "getopts"}
# Source files that are called like terms are none.
CODE = {".c", ".h", ".json", ".py", ".rs", ".sh", ".toml"}
# What files with the terms of a library are called.
TERMS = re.compile(r"(licen[cs]e|copying|notice|copyright|unlicense)", re.IGNORECASE)


def units_linked(graph):
    """The packages that are linked into the root of a graph, each with those that it uses."""
    units, linked, waiting = graph["units"], {}, list(graph["roots"])
    while waiting:
        index = waiting.pop()
        if index in linked:
            continue
        used = [d["index"] for d in units[index]["dependencies"] if is_linked(units[d["index"]])]
        linked[index] = used
        waiting += used
    packages = defaultdict(set)
    for index, used in linked.items():
        packages[units[index]["pkg_id"]] |= {units[other]["pkg_id"] for other in used}
    (root,) = graph["roots"]
    return units[root]["pkg_id"], packages


def is_linked(unit):
    return unit["mode"] == "build" and not {"proc-macro", "custom-build"} & set(unit["target"]["kind"])


def sha256(file):
    return HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(Path(file).read_bytes()).hexdigest())


def checksums(locks):
    """The digests of packages from the registry, as Cargo.lock has them."""
    package = re.compile(r'name = "(.+)"\nversion = "(.+)"\nsource = "registry.+"\nchecksum = "(.+)"')
    return {(name, version): digest for lock in locks for name, version, digest in package.findall(Path(lock).read_text())}


def licence(expression):
    # Before 2021 a slash stood for "or".
    return LicenseFactory().make_from_string(re.sub(r"\s*/\s*", " OR ", expression))


class Bill:
    """The components of a bill and what each of them uses, by the ids that cargo gives to packages."""

    def __init__(self, arguments):
        self.rust, self.library, self.digests = arguments.rust, Path(arguments.library), checksums(arguments.lock)
        self.packages = {}
        for file in arguments.metadata:
            self.packages.update({package["id"]: package for package in json.loads(Path(file).read_text())["packages"]})
        self.components, self.uses = {}, defaultdict(set)

    def key(self, package):
        """The id of the component that a package belongs to; nothing if it is not linked."""
        described = self.packages.get(package)
        if described is None:
            sys.exit(f"sbom.py: cargo's metadata does not have {package}: were they asked with the same target and features?")
        if described["name"] in NOT_LINKED:
            return None
        return STANDARD_LIBRARY if self.is_standard(described) else package

    def is_standard(self, package):
        return Path(package["manifest_path"]).is_relative_to(self.library)

    def add_artifact(self, name, file, graph, version):
        """Adds what was built, and everything in it."""
        root, packages = units_linked(graph)
        is_program = "bin" in graph["units"][graph["roots"][0]]["target"]["kind"]
        self.components[name] = Component(
            bom_ref=name,
            name=name,
            version=version,
            type=ComponentType.APPLICATION if is_program else ComponentType.LIBRARY,
            hashes=[sha256(file)],
            licenses=[licence(self.packages[root]["license"])],
            description=self.packages[root]["description"],
        )
        for package, used in packages.items():
            if (key := self.key(package)) is None:
                continue
            if key not in self.components:
                self.components[key] = self.standard() if key == STANDARD_LIBRARY else self.component(package)
            # Every crate uses the standard library; that is not repeated.
            others = {other for other in map(self.key, used) if other not in (None, key)}
            self.uses[key] |= others if key == STANDARD_LIBRARY else others - {STANDARD_LIBRARY}
        self.uses[name] |= {root} | ({STANDARD_LIBRARY} & set(self.components))

    def component(self, package):
        described = self.packages[package]
        name, version, is_ours = described["name"], described["version"], described["source"] is None
        digest = self.digests.get((name, version))
        return Component(
            bom_ref=f"{name}@{version}",
            name=name,
            version=version,
            description=described["description"] and " ".join(described["description"].split()),
            licenses=[licence(described["license"])] if described["license"] else [],
            # Our crates are in no registry, where somebody else's may have their names.
            purl=None if is_ours else PackageURL("cargo", None, name, version),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest and not is_ours else [],
            external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(described["repository"]))]
            if described["repository"] and not is_ours
            else [],
        )

    def standard(self):
        return Component(
            bom_ref=f"{STANDARD_LIBRARY}@{self.rust}",
            name=STANDARD_LIBRARY,
            version=self.rust,
            description="core, alloc, std and what belongs to them",
            licenses=[licence("MIT OR Apache-2.0")],
            purl=PackageURL("github", "rust-lang", "rust", self.rust),
        )

    def add_other(self, user, name, version, terms):
        """Adds what no package of cargo brings to an artifact, such as a C library of the toolchain."""
        self.components[name] = Component(bom_ref=name, name=name, version=version or None, licenses=[licence(terms)])
        self.uses[user].add(name)

    def bom(self, subject):
        bom = Bom(components=[component for key, component in self.components.items() if key != subject])
        bom.metadata.component = self.components[subject]
        bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
        for key, component in self.components.items():
            bom.register_dependency(component, [self.components[used] for used in sorted(self.uses[key])])
        contents = repr(sorted((str(c.bom_ref), [h.content for h in c.hashes]) for c in self.components.values()))
        bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, contents)
        return bom

    def terms(self):
        """The terms of all libraries of others: each text once, with those it is for."""
        texts = defaultdict(list)
        for key, component in sorted(self.components.items(), key=lambda pair: (pair[1].name, pair[1].version or "")):
            if (package := self.packages.get(key)) is None or package["source"] is None:
                continue
            name = f"{component.name} {component.version}"
            files = [file for file in Path(package["manifest_path"]).parent.rglob("*") if TERMS.match(file.name) and file.suffix not in CODE and file.is_file()]
            if not files:
                texts[f"It has no file of its terms, and names them: {package['license']}\n"].append(name)
            for text in sorted({file.read_text(encoding="utf-8", errors="replace").strip() + "\n" for file in files}):
                texts[text].append(name)
        return ("\n" + "=" * 80 + "\n\n").join(", ".join(names) + "\n\n" + text for text, names in texts.items())


def write(arguments):
    bill = Bill(arguments)
    subject, names = None, []
    for artifact in arguments.artifact:
        name, file, units = artifact.split("=")
        names.append(name)
        bill.add_artifact(name, file, json.loads(Path(units).read_text()), arguments.version)
    subject = names[0]
    bill.uses[subject] |= set(names[1:])
    for other in arguments.also:
        bill.add_other(*other.split("="))
    Path(arguments.bom).write_text(JsonV1Dot6(bill.bom(subject)).output_as_string(indent=2) + "\n", encoding="utf-8")
    if arguments.licences:
        Path(arguments.licences).write_text(bill.terms(), encoding="utf-8")


def check(arguments):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    for file in arguments.files:
        if error := validator.validate_str(Path(file).read_text(encoding="utf-8")):
            sys.exit(f"sbom.py: {file} is no CycloneDX 1.6: {error}")
        bom = json.loads(Path(file).read_text(encoding="utf-8"))
        names = {component["bom-ref"] for component in [bom["metadata"]["component"], *bom["components"]]}
        used, waiting = {d["ref"]: d.get("dependsOn", []) for d in bom["dependencies"]}, [bom["metadata"]["component"]["bom-ref"]]
        reached = set()
        while waiting:
            if (ref := waiting.pop()) not in reached:
                reached.add(ref)
                waiting += used[ref]
        if reached != names:
            sys.exit(f"sbom.py: {file}: nothing uses {sorted(names - reached)}")
        print(f"{Path(file).name}: {len(bom['components'])} components")


def main():
    parser = argparse.ArgumentParser(description="Writes and checks bills of materials.")
    commands = parser.add_subparsers(required=True)
    writer = commands.add_parser("write")
    for name in ("--version", "--rust", "--library", "--bom"):
        writer.add_argument(name, required=True)
    for name in ("--metadata", "--lock"):
        writer.add_argument(name, required=True, nargs="+")
    writer.add_argument("--artifact", required=True, action="append")
    writer.add_argument("--also", default=[], action="append")
    writer.add_argument("--licences")
    writer.set_defaults(do=write)
    checker = commands.add_parser("check")
    checker.add_argument("files", nargs="+")
    checker.set_defaults(do=check)
    arguments = parser.parse_args()
    arguments.do(arguments)


if __name__ == "__main__":
    main()
