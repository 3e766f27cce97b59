#!/usr/bin/env python3
"""Writes sim/loop/schema/kubernetes.schema: what the kinds of Kubernetes are made of, as bare facts.

  generate.py MODULES KUBERNETES > sim/loop/schema/kubernetes.schema

MODULES is the folder k8s.io of a Go module cache with api, apimachinery, apiextensions-apiserver and kube-aggregator at VERSION; KUBERNETES is the folder
of the module k8s.io/kubernetes. Read are the declarations of the types (names and types of fields, their protobuf numbers, how lists merge) and the
recorded discovery documents (resources, verbs, short names). No text of theirs is taken over.

Lines of the result:
  R group version plural singular Kind scope verbs shortNames categories   a resource ("-": none)
  S name group version Kind verbs                                          a subresource of the last one
  T type [group/version/Kind]                                              a type
  f name type number flags                                                 a field of the last type; the name "." is inlined in JSON
Types: s string, i int32, l int64, b bool, d double, y bytes, t Time, u MicroTime, D Duration, q Quantity, x IntOrString, j any JSON (raw), *T, [E], {E} (map by
string). Flags: ! always written, K=key merge key, P=merge|retainKeys patch strategy, M=a,b keys of a list that is a map, L=set, A atomic, F fixed64.
"""

import json
import pathlib
import re
import sys

VERSION = "v0.36.3"
SERVED = ["core/v1", "apps/v1", "events.k8s.io/v1", "authentication.k8s.io/v1", "authorization.k8s.io/v1", "autoscaling/v2", "autoscaling/v1", "batch/v1",
          "certificates.k8s.io/v1", "networking.k8s.io/v1", "policy/v1", "rbac.authorization.k8s.io/v1", "storage.k8s.io/v1", "admissionregistration.k8s.io/v1",
          "apiextensions.k8s.io/v1", "scheduling.k8s.io/v1", "coordination.k8s.io/v1", "node.k8s.io/v1", "discovery.k8s.io/v1", "resource.k8s.io/v1",
          "flowcontrol.apiserver.k8s.io/v1", "apiregistration.k8s.io/v1"]
FOLDERS = {"core": "core", "apps": "apps", "events.k8s.io": "events", "authentication.k8s.io": "authentication", "authorization.k8s.io": "authorization",
           "autoscaling": "autoscaling", "batch": "batch", "certificates.k8s.io": "certificates", "networking.k8s.io": "networking", "policy": "policy",
           "rbac.authorization.k8s.io": "rbac", "storage.k8s.io": "storage", "admissionregistration.k8s.io": "admissionregistration",
           "scheduling.k8s.io": "scheduling", "coordination.k8s.io": "coordination", "node.k8s.io": "node", "discovery.k8s.io": "discovery",
           "resource.k8s.io": "resource", "flowcontrol.apiserver.k8s.io": "flowcontrol"}
BUILT_IN = {"string": "s", "int32": "i", "int64": "l", "int": "i", "uint32": "i", "uint16": "i", "bool": "b", "float64": "d", "float32": "d", "byte": "byte", "uint8": "byte"}
SPECIAL = {"meta.v1.Time": "t", "meta.v1.MicroTime": "u", "meta.v1.Duration": "D", "resource.Quantity": "q", "intstr.IntOrString": "x", "runtime.RawExtension": "j",
           "runtime.Object": "j", "meta.v1.FieldsV1": "j", "types.UID": "s", "types.NamespacedName": "s", "apiextensions.v1.JSON": "j", "meta.v1.Verbs": "[s]",
           "types.NodeName": "s"}


class Package:
    def __init__(self, name, folder):
        self.name, self.structs, self.aliases, self.imports = name, {}, {}, {}
        for file in sorted(folder.glob("types*.go")) + [f for f in (folder / "watch.go",) if f.exists()]:
            self.read(file.read_text())

    def read(self, text):
        for match in re.finditer(r'^(?:import)?\s+(?:(\w+)\s+)?"(k8s\.io/[^"]+)"', text, re.M):
            path = match.group(2)
            self.imports[match.group(1) or path.rsplit("/", 1)[1]] = path
        for match in re.finditer(r"^type (\w+) =? ?((?!struct)[^\n{]+)$", text, re.M):
            self.aliases[match.group(1)] = match.group(2).split("//")[0].strip()
        for match in re.finditer(r"^type (\w+) struct ?\{\s*\}", text, re.M):
            self.structs[match.group(1)] = []
        for match in re.finditer(r"^type (\w+) struct \{\n(.*?)^\}", text, re.M | re.S):
            self.structs[match.group(1)] = self.fields(match.group(2))

    def fields(self, body):
        result, comment = [], []
        for line in body.split("\n"):
            stripped = line.strip()
            if stripped.startswith("//"):
                comment.append(stripped)
                continue
            match = re.match(r"^(?:(\w+)\s+)?([\*\[\]\w\.]+(?:\[\w+\][\*\[\]\w\.]+)?)\s+`([^`]*)`", stripped)
            if match:
                result.append((match.group(2), match.group(3), "\n".join(comment)))
            if stripped == "" or match:
                comment = []
        return result


def package_of(path):
    """The short name of an imported package: k8s.io/api/core/v1 is core.v1."""
    parts = path.split("/")
    if path.startswith("k8s.io/api/"):
        return f"{parts[2]}.{parts[3]}"
    if path.endswith("apis/meta/v1"):
        return "meta.v1"
    return {"resource": "resource", "intstr": "intstr", "runtime": "runtime", "types": "types"}.get(parts[-1], parts[-1])


class Model:
    def __init__(self, modules):
        api, machinery = modules / f"api@{VERSION}", modules / f"apimachinery@{VERSION}"
        self.packages = {"meta.v1": Package("meta.v1", machinery / "pkg/apis/meta/v1")}
        for folder in FOLDERS.values():
            for version in ("v1", "v2"):
                if (api / folder / version / "types.go").exists():
                    self.packages[f"{folder}.{version}"] = Package(f"{folder}.{version}", api / folder / version)
        self.packages["apiextensions.v1"] = Package("apiextensions.v1", modules / f"apiextensions-apiserver@{VERSION}" / "pkg/apis/apiextensions/v1")
        self.packages["apiregistration.v1"] = Package("apiregistration.v1", modules / f"kube-aggregator@{VERSION}" / "pkg/apis/apiregistration/v1")
        self.done, self.queue, self.lines = set(), [], []

    def type_of(self, package, text):
        text = text.lstrip("*")
        if text == "[]byte":
            return "y"
        if text.startswith("[]"):
            return f"[{self.type_of(package, text[2:])}]"
        if text.startswith("map["):
            return "{" + self.type_of(package, text[text.index("]") + 1:]) + "}"
        if text in BUILT_IN:
            return BUILT_IN[text]
        if "." in text:
            alias, name = text.split(".")
            short = package_of(package.imports[alias])
        else:
            short, name = package.name, text
        full = f"{short}.{name}"
        if full in SPECIAL:
            return SPECIAL[full]
        there = self.packages.get(short)
        if there is None:
            raise SystemExit(f"{package.name}: no package for {text}")
        if name in there.aliases:
            return self.type_of(there, there.aliases[name])
        if name not in there.structs:
            raise SystemExit(f"{package.name}: no type {full}")
        self.want(full)
        return "*" + full

    def want(self, full):
        if full not in self.done:
            self.done.add(full)
            self.queue.append(full)

    def flags(self, tag, comment):
        result = []
        name = re.search(r'json:"([^"]*)"', tag)
        if name and "omitempty" not in name.group(1) and "inline" not in name.group(1) and "omitzero" not in name.group(1):
            result.append("!")
        if "fixed64" in tag:
            result.append("F")
        key = re.search(r'patchMergeKey:"([^"]*)"', tag)
        if key:
            result.append("K=" + key.group(1))
        strategy = re.search(r'patchStrategy:"([^"]*)"', tag)
        if strategy:
            result.append("P=" + strategy.group(1))
        keys = re.findall(r"\+listMapKey=(\w+)", comment)
        if keys:
            result.append("M=" + ",".join(keys))
        if re.search(r"\+listType=set", comment):
            result.append("L=set")
        if re.search(r"\+(listType|structType|mapType)=atomic", comment):
            result.append("A")
        return " ".join(result) or "-"

    def write(self, gvks):
        while self.queue:
            full = self.queue.pop(0)
            short, name = full.rsplit(".", 1)
            package = self.packages[short]
            block = [f"T {full} {gvks.get(full, '-')}"]
            for go_type, tag, comment in package.structs[name]:
                found = re.search(r'json:"([^"]*)"', tag)
                number = re.search(r'protobuf:"\w+,(\d+)', tag)
                json_name = found.group(1).split(",")[0] if found else ""
                if found and json_name == "-":
                    continue
                if go_type.endswith("TypeMeta"):
                    block += ["f kind s 0 -", "f apiVersion s 0 -"] if "inline" in tag else []
                    continue
                the_type = self.type_of(package, go_type)
                inline = found is None or "inline" in found.group(1) or json_name == ""
                block.append(f"f {'.' if inline else json_name} {the_type} {number.group(1) if number else 0} {self.flags(tag, comment)}")
            self.lines += block


def main():
    modules, kubernetes = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    discovery = json.loads((kubernetes / "api/discovery/aggregated_v2.json").read_text())
    core = json.loads((kubernetes / "api/discovery/api__v1.json").read_text())
    resources, model, gvks = [], Model(modules), {}

    def short_of(group, version):
        folder = FOLDERS.get(group or "core", group.split(".")[0])
        return f"{folder}.{version}"

    def use(group, version, kind):
        full = f"{short_of(group, version)}.{kind}"
        if full.rsplit(".", 1)[0] in model.packages and kind in model.packages[full.rsplit(".", 1)[0]].structs:
            gvks[full] = f"{group or '-'}/{version}/{kind}"
            model.want(full)
            if kind + "List" in model.packages[full.rsplit(".", 1)[0]].structs:
                model.want(full + "List")
        return full

    groups = {}
    for item in core["resources"]:
        groups.setdefault("core/v1", []).append(item)
    for entry in discovery["items"]:
        for version in entry["versions"]:
            flat = []
            for r in version["resources"]:
                flat.append({"name": r["resource"], "singularName": r["singularResource"], "namespaced": r["scope"] == "Namespaced", "kind": r["responseKind"]["kind"],
                             "group": r["responseKind"].get("group", ""), "version": r["responseKind"].get("version", ""), "verbs": r["verbs"],
                             "shortNames": r.get("shortNames", []), "categories": r.get("categories", [])})
                for s in r.get("subresources", []):
                    flat.append({"name": f"{r['resource']}/{s['subresource']}", "kind": s["responseKind"]["kind"], "group": s["responseKind"].get("group", ""),
                                 "version": s["responseKind"].get("version", ""), "verbs": s["verbs"]})
            groups[f"{entry['metadata']['name']}/{version['version']}"] = flat
    for served in SERVED:
        group, version = served.split("/")
        group = "" if group == "core" else group
        for item in groups[served]:
            own_group, own_version = item.get("group") or "", item.get("version") or ""
            if "/" in item["name"]:
                if not own_version:
                    own_group, own_version = group, version
                resources.append(f"S {item['name'].split('/', 1)[1]} {own_group or '-'} {own_version} {item['kind']} {','.join(item['verbs'])}")
                if own_version:
                    use(own_group, own_version, item["kind"])
                continue
            use(group, version, item["kind"])
            resources.append(" ".join(["R", group or "-", version, item["name"], item["singularName"] or "-", item["kind"], "N" if item["namespaced"] else "C",
                                       ",".join(item["verbs"]) or "-", ",".join(item.get("shortNames", [])) or "-", ",".join(item.get("categories", [])) or "-"]))
    for name in ("Status", "DeleteOptions", "WatchEvent", "PartialObjectMetadata", "PartialObjectMetadataList", "APIResourceList", "APIGroupList", "APIGroup", "APIVersions"):
        gvks[f"meta.v1.{name}"] = f"-/v1/{name}"
        model.want(f"meta.v1.{name}")
    model.write(gvks)
    print("# Made by tools/kubernetes_schema/generate.py from the Go modules of Kubernetes v1.36.3: facts alone.")
    print("\n".join(resources + model.lines))


main()
