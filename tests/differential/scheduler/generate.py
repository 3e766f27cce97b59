"""Random clusters for the comparison with the real kube-scheduler: a pure function of the seed.

Each cluster takes some of the features at random, so that most differ in kind and not in numbers only. Objects are as the API server would store
them (valid, and in an order that both sides keep). Where upstream leaves something open that is no decision (the order of victims of equal priority
and start among more than twelve; two equal volumes for one claim), the generator avoids the case.
"""

import random

ZONE, REGION, HOST = "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "kubernetes.io/hostname"
ZONE_BETA, REGION_BETA = "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"
CPU = ["0", "1m", "50m", "100m", "250m", "0.1", "0.25", "500m", "999m", "1", "1.5", "1500m", "2", "1e0", "0.0005"]
MEMORY = ["0", "1", "64Mi", "128Mi", "200Mi", "256M", "0.5Gi", "512Mi", "1Gi", "1e9", "1.5G", "2Gi", "4Gi", "1073741824", "300000k", "128974848000m"]
EPHEMERAL = ["1Gi", "100Mi", "2G", "10Gi", "5e8"]
FEATURES = {
    "zones": 0.7, "taints": 0.5, "node_affinity": 0.5, "pod_affinity": 0.5, "spread": 0.5, "ports": 0.25, "extended": 0.3, "init": 0.35, "overhead": 0.15,
    "pod_level": 0.2, "priorities": 0.55, "budgets": 0.5, "images": 0.4, "volumes": 0.35, "gates": 0.1, "services": 0.5, "namespaces": 0.4, "unlabelled": 0.3,
    "tight": 0.5, "cordons": 0.25, "ephemeral_storage": 0.2, "many_zones": 0.2, "capacities": 0.4, "profiles": 0.15,
}
APPS = ["web", "db", "cache", "api", "batch"]


class Cluster:
    def __init__(self, seed, nodes_max=200):
        self.random = random.Random(seed)
        self.has = {name: self.random.random() < share for name, share in FEATURES.items()}
        self.objects = []
        self.namespaces = ["default"]
        self.nodes = []
        r = self.random
        size = r.choice(["one", "few", "few", "some", "some", "some", "many"])
        self.node_count = {"one": 1, "few": r.randint(2, 6), "some": r.randint(5, 25), "many": r.randint(80, 200)}[size]
        self.node_count = min(self.node_count, nodes_max)
        self.make_namespaces()
        self.make_nodes()
        self.make_owners()
        self.claims = {}
        self.free_claims = []
        if self.has["volumes"]:
            self.make_volumes()
        bound = r.randint(0, min(3 * self.node_count, 90))
        for i in range(bound):
            self.make_pod(f"old-{i}", True)
        for i in range(r.randint(1, 30 if self.node_count < 60 else 45)):
            self.make_pod(f"new-{i}", False)
        if self.has["budgets"]:
            self.make_budgets()

    def chance(self, share):
        return self.random.random() < share

    def some(self, values, most=None):
        values = list(values)
        return self.random.sample(values, self.random.randint(1, min(len(values), most or len(values))))

    def add(self, api_version, kind, name, namespace=None, labels=None, annotations=None, owners=None, **fields):
        metadata = {"name": name}
        if namespace:
            metadata["namespace"] = namespace
        if labels:
            metadata["labels"] = labels
        if annotations:
            metadata["annotations"] = annotations
        if owners:
            metadata["ownerReferences"] = owners
        made = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
        self.objects.append(made)
        return made

    def make_namespaces(self):
        if self.has["namespaces"]:
            self.namespaces = ["default", "prod", "test"]
        for name in self.namespaces:
            labels = {"kubernetes.io/metadata.name": name}
            if self.chance(0.6):
                labels["stage"] = self.random.choice(["live", "trial"])
            self.add("v1", "Namespace", name, labels=labels)

    # ---- nodes ----

    def make_nodes(self):
        r = self.random
        zones = r.randint(1, 12 if self.has["many_zones"] else 4)
        beta = self.chance(0.1)
        for i in range(self.node_count):
            name = f"n{i}"
            labels = {}
            if not (self.has["unlabelled"] and self.chance(0.2)):
                labels[HOST] = name if self.chance(0.97) else "n0"
            if self.has["zones"] and not (self.has["unlabelled"] and self.chance(0.25)):
                labels[ZONE_BETA if beta and self.chance(0.5) else ZONE] = f"z{r.randrange(zones)}"
                if self.chance(0.6):
                    labels[REGION_BETA if beta and self.chance(0.5) else REGION] = f"r{r.randrange(2)}"
            if self.chance(0.6):
                labels["disk"] = r.choice(["ssd", "hdd", "nvme"])
            if self.chance(0.5):
                labels["rank"] = r.choice(["1", "2", "3", "10", "04", "x", "", "9223372036854775807"])
            if self.chance(0.3):
                labels["rack"] = f"k{r.randrange(6)}"
            spec = {}
            if self.has["cordons"] and self.chance(0.15):
                spec["unschedulable"] = True
                if self.chance(0.7):
                    spec.setdefault("taints", []).append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
            if self.has["taints"] and self.chance(0.5):
                spec.setdefault("taints", []).extend(self.taints())
            if self.has["tight"]:
                cpu = r.choice(["1", "2", "1900m", "0.9", "2500m", "4"])
                memory = r.choice(["2Gi", "4Gi", "3900Mi", "1.9G", "8Gi"])
                pods = r.choice(["3", "5", "8", "110"])
            else:
                cpu = r.choice(["4", "8", "16", "3920m", "31.5", "64"])
                memory = r.choice(["16Gi", "32Gi", "15988Ki", "15.5Gi", "128Gi", "64G"])
                pods = r.choice(["20", "110", "110", "250"])
            allocatable = {"cpu": cpu, "memory": memory, "pods": pods}
            if self.chance(0.7) or self.has["ephemeral_storage"]:
                allocatable["ephemeral-storage"] = r.choice(["20Gi", "100Gi", "5G"])
            if self.has["extended"]:
                if self.chance(0.5):
                    allocatable["example.com/gpu"] = r.choice(["1", "2", "4", "8"])
                if self.chance(0.4):
                    allocatable["hugepages-2Mi"] = r.choice(["64Mi", "512Mi", "0"])
            status = {"capacity": dict(allocatable), "allocatable": allocatable,
                      "conditions": [{"type": "Ready", "status": "True"}]}
            if self.has["images"]:
                status["images"] = [{"names": [f"registry.local/{app}:{r.choice(['1', 'latest'])}"], "sizeBytes": size}
                                    for app, size in (("web", 700_000_000), ("db", 1_500_000_000), ("cache", 20_000_000), ("api", 90_000_000))
                                    if self.chance(0.4)]
            self.add("v1", "Node", name, labels=labels, spec=spec, status=status)
            self.nodes.append((name, labels))

    def taints(self):
        r = self.random
        made, seen = [], set()
        for _ in range(r.randint(1, 3)):
            taint = {"key": r.choice(["team", "gpu", "node.kubernetes.io/not-ready", "old"]), "effect": r.choice(["NoSchedule", "PreferNoSchedule", "PreferNoSchedule", "NoExecute"])}
            if self.chance(0.6):
                taint["value"] = r.choice(["a", "b"])
            if (taint["key"], taint["effect"]) not in seen:
                seen.add((taint["key"], taint["effect"]))
                made.append(taint)
        return made

    # ---- what owns and selects ----

    def make_owners(self):
        self.owners = []
        if not self.has["services"]:
            return
        r = self.random
        for ns in self.namespaces:
            for app in self.some(APPS, 3):
                if self.chance(0.7):
                    self.add("v1", "Service", f"svc-{app}", ns, spec={"selector": {"app": app}, "ports": [{"port": 80}]})
                if self.chance(0.5):
                    kind = r.choice(["ReplicaSet", "ReplicaSet", "StatefulSet"])
                    name = f"{app}-{kind[:3].lower()}"
                    spec = {"replicas": 0, "selector": {"matchLabels": {"app": app}}, "template": {"metadata": {"labels": {"app": app}}, "spec": self.empty_pod()}}
                    if kind == "StatefulSet":
                        spec["serviceName"] = f"svc-{app}"
                    self.add("apps/v1", kind, name, ns, spec=spec)
                    self.owners.append((ns, app, kind, name))

    @staticmethod
    def empty_pod():
        return {"containers": [{"name": "c", "image": "registry.local/web:1"}]}

    def make_budgets(self):
        r = self.random
        for ns in self.namespaces:
            for i in range(r.randint(0, 3)):
                selector = r.choice([{"matchLabels": {"app": r.choice(APPS)}}, {"matchLabels": {"tier": "1"}}, {},
                                     {"matchExpressions": [{"key": "app", "operator": "In", "values": self.some(APPS, 3)}]}])
                status = {"disruptionsAllowed": r.choice([0, 0, 1, 2, 5]), "currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3}
                self.add("policy/v1", "PodDisruptionBudget", f"pdb-{i}", ns, spec={"minAvailable": 1, "selector": selector}, status=status)

    # ---- volumes ----

    def make_volumes(self):
        r = self.random
        self.add("storage.k8s.io/v1", "StorageClass", "fast", provisioner="csi.example.com", volumeBindingMode="WaitForFirstConsumer", reclaimPolicy="Delete")
        zonal = {"provisioner": "zonal.example.com", "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"}
        if self.has["zones"]:
            zonal["allowedTopologies"] = [{"matchLabelExpressions": [{"key": ZONE, "values": self.some(["z0", "z1", "z2"], 2)}]}]
        self.add("storage.k8s.io/v1", "StorageClass", "zonal", **zonal)
        self.add("storage.k8s.io/v1", "StorageClass", "local", provisioner="kubernetes.io/no-provisioner", volumeBindingMode="WaitForFirstConsumer", reclaimPolicy="Delete")
        self.add("storage.k8s.io/v1", "StorageClass", "manual", provisioner="kubernetes.io/no-provisioner", volumeBindingMode="Immediate", reclaimPolicy="Delete")
        if self.chance(0.6):
            for name, _ in self.nodes:
                if self.chance(0.8):
                    self.add("storage.k8s.io/v1", "CSINode", name, spec={"drivers": [
                        {"name": "csi.example.com", "nodeID": name, "topologyKeys": [], **({"allocatable": {"count": r.choice([1, 2, 3])}} if self.chance(0.9) else {})},
                        {"name": "zonal.example.com", "nodeID": name, "topologyKeys": []}]})
        if self.has["capacities"]:
            for driver in ("csi.example.com", "zonal.example.com"):
                if self.chance(0.7):
                    self.add("storage.k8s.io/v1", "CSIDriver", driver, spec={"storageCapacity": self.chance(0.8)})
            for i in range(r.randint(0, 6)):
                fields = {"storageClassName": r.choice(["fast", "fast", "zonal", "absent"])}
                if self.chance(0.9):
                    fields["nodeTopology"] = r.choice([{}, {"matchLabels": {ZONE: r.choice(["z0", "z1"])}}, {"matchLabels": {HOST: r.choice(self.nodes)[0]}},
                                                       {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd", "nvme"]}]}])
                if self.chance(0.85):
                    fields["capacity"] = r.choice(["0", "1023Mi", "1Gi", "100Gi"])
                if self.chance(0.3):
                    fields["maximumVolumeSize"] = r.choice(["512Mi", "1Gi", "50Gi"])
                self.add("storage.k8s.io/v1", "CSIStorageCapacity", f"room-{i}", "default", **fields)
        size = 0
        for ns in self.namespaces:
            claims = []
            for i in range(r.randint(2, 10)):
                name = f"claim-{i}"
                kind = r.choice(["bound", "bound", "bound", "fast", "zonal", "local", "manual", "lost-volume"])
                modes = [r.choice(["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"])]
                spec = {"accessModes": modes, "resources": {"requests": {"storage": "1Gi"}}}
                if kind in ("bound", "lost-volume"):
                    volume = f"pv-{ns}-{i}"
                    spec.update(volumeName=volume, storageClassName="fast")
                    self.add("v1", "PersistentVolumeClaim", name, ns, annotations={"pv.kubernetes.io/bind-completed": "yes"}, spec=spec, status={"phase": "Bound"})
                    if kind == "bound":
                        self.make_volume(volume, "fast", modes, claim=(ns, name))
                else:
                    spec["storageClassName"] = kind
                    self.add("v1", "PersistentVolumeClaim", name, ns, spec=spec, status={"phase": "Pending"})
                claims.append((name, kind))
            self.claims[ns] = claims
        for i in range(r.randint(0, 8)):
            size += 1  # no two of one size: between equals the order of a Go map decides
            self.make_volume(f"pv-local-{i}", "local", [r.choice(["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"])], gigabytes=size, on_node=True)

    def make_volume(self, name, storage_class, modes, claim=None, gigabytes=1, on_node=False):
        r = self.random
        spec = {"capacity": {"storage": f"{gigabytes}Gi"}, "accessModes": modes, "storageClassName": storage_class, "persistentVolumeReclaimPolicy": "Retain"}
        labels = {}
        if on_node:
            spec["local"] = {"path": f"/mnt/{name}"}
            hosts = [labels_of[HOST] for _, labels_of in self.nodes if HOST in labels_of] or ["n0"]
            spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": HOST, "operator": "In", "values": [r.choice(hosts)]}]}]}}
        else:
            spec["csi"] = {"driver": "csi.example.com", "volumeHandle": name}
            if self.has["zones"] and self.chance(0.4):
                spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": self.some(["z0", "z1", "z2"], 2)}]}]}}
            if self.has["zones"] and self.chance(0.3):
                labels[r.choice([ZONE, ZONE, ZONE_BETA, REGION])] = r.choice(["z0", "z1", "z0__z1", "r0"])
        if claim:
            spec["claimRef"] = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim[0], "name": claim[1], "uid": f"*v1.PersistentVolumeClaim/{claim[0]}/{claim[1]}"}
        self.add("v1", "PersistentVolume", name, labels=labels, spec=spec, status={"phase": "Bound" if claim else "Available"})

    # ---- pods ----

    def requests(self, small):
        r = self.random
        made = {}
        if self.chance(0.75):
            made["cpu"] = r.choice(CPU[:9] if small else CPU)
        if self.chance(0.75):
            made["memory"] = r.choice(MEMORY[:8] if small else MEMORY)
        if self.has["ephemeral_storage"] and self.chance(0.4):
            made["ephemeral-storage"] = r.choice(EPHEMERAL)
        return made

    def container(self, name, small):
        r = self.random
        image = f"registry.local/{r.choice(APPS)}" + r.choice([":1", "", ":latest", ":2"])
        made = {"name": name, "image": image}
        requests = self.requests(small)
        resources = {}
        if requests:
            resources["requests"] = requests
        if self.chance(0.1) and "cpu" not in requests:
            resources["limits"] = {"cpu": r.choice(["200m", "1"])}
        if self.has["extended"] and self.chance(0.25):
            resources.setdefault("limits", {})["example.com/gpu"] = r.choice(["1", "2"])
            if self.chance(0.5):
                resources.setdefault("requests", {})["example.com/gpu"] = resources["limits"]["example.com/gpu"]
        if self.has["extended"] and self.chance(0.15):
            resources.setdefault("limits", {})["hugepages-2Mi"] = "64Mi"
            resources.setdefault("requests", {})["hugepages-2Mi"] = "64Mi"
            resources["requests"].setdefault("cpu", "10m")
        if resources:
            made["resources"] = resources
        if self.has["ports"] and self.chance(0.4):
            port = {"containerPort": r.choice([80, 443, 9000])}
            if self.chance(0.8):
                port["hostPort"] = r.choice([80, 443, 8080])
            if self.chance(0.3):
                port["protocol"] = r.choice(["UDP", "TCP", "SCTP"])
            if self.chance(0.3):
                port["hostIP"] = r.choice(["0.0.0.0", "10.0.0.1", "10.0.0.2"])
            made["ports"] = [port]
        return made

    def node_requirement(self):
        r = self.random
        key = r.choice(["disk", "rank", ZONE, "rack", HOST, "absent"])
        operator = r.choice(["In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])
        if operator in ("Gt", "Lt"):
            return {"key": "rank", "operator": operator, "values": [r.choice(["0", "2", "5", "12"])]}
        made = {"key": key, "operator": operator}
        if operator in ("In", "NotIn"):
            values = {"disk": ["ssd", "hdd", "nvme"], "rank": ["1", "2", "x"], ZONE: ["z0", "z1", "z2"], "rack": ["k0", "k1", "k2"],
                      HOST: [f"n{i}" for i in range(min(4, self.node_count))], "absent": ["v"]}[key]
            made["values"] = self.some(values, 3)
        return made

    def node_term(self, may_name):
        r = self.random
        term = {}
        if may_name and self.chance(0.3):
            operator = r.choice(["In", "In", "NotIn"])
            term["matchFields"] = [{"key": "metadata.name", "operator": operator, "values": [f"n{r.randrange(self.node_count + 1)}"]}]
            if self.chance(0.5):
                return term
        term["matchExpressions"] = [self.node_requirement() for _ in range(r.randint(1, 2))]
        return term

    def pod_selector(self):
        r = self.random
        roll = r.random()
        if roll < 0.06:
            return None
        if roll < 0.12:
            return {}
        if roll < 0.7:
            return {"matchLabels": {"app": r.choice(APPS)}}
        operator = r.choice(["In", "NotIn", "Exists", "DoesNotExist"])
        requirement = {"key": r.choice(["app", "tier"]), "operator": operator}
        if operator in ("In", "NotIn"):
            requirement["values"] = self.some(APPS if requirement["key"] == "app" else ["1", "2"], 2)
        return {"matchExpressions": [requirement]}

    def affinity_term(self):
        r = self.random
        term = {"topologyKey": r.choice([HOST, HOST, ZONE, ZONE, "rack", REGION])}
        selector = self.pod_selector()
        if selector is not None:
            term["labelSelector"] = selector
        if self.chance(0.2):
            term["namespaces"] = self.some(["default", "prod", "test", "absent"], 2)
        if self.chance(0.25):
            term["namespaceSelector"] = r.choice([{}, {"matchLabels": {"stage": "live"}}, {"matchExpressions": [{"key": "stage", "operator": "DoesNotExist"}]}])
        if selector is not None and self.chance(0.15):
            used = {"app"} if "matchLabels" in selector else {e["key"] for e in selector.get("matchExpressions", [])}
            free = [k for k in ("tier", "version") if k not in used]
            if free:
                term[r.choice(["matchLabelKeys", "mismatchLabelKeys"])] = [r.choice(free)]
        return term

    def affinity(self):
        r = self.random
        made = {}
        if self.has["node_affinity"] and self.chance(0.5):
            node = {}
            if self.chance(0.6):
                node["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": [self.node_term(True) for _ in range(r.randint(1, 2))]}
            if self.chance(0.5):
                node["preferredDuringSchedulingIgnoredDuringExecution"] = [{"weight": r.randint(1, 100), "preference": self.node_term(False)} for _ in range(r.randint(1, 3))]
            if node:
                made["nodeAffinity"] = node
        if self.has["pod_affinity"]:
            for kind, share in (("podAffinity", 0.25), ("podAntiAffinity", 0.35)):
                if not self.chance(share):
                    continue
                entry = {}
                if self.chance(0.55):
                    entry["requiredDuringSchedulingIgnoredDuringExecution"] = [self.affinity_term() for _ in range(r.choice([1, 1, 1, 2]))]
                if self.chance(0.55):
                    entry["preferredDuringSchedulingIgnoredDuringExecution"] = [{"weight": r.randint(1, 100), "podAffinityTerm": self.affinity_term()} for _ in range(r.randint(1, 2))]
                if entry:
                    made[kind] = entry
        return made

    def spread(self):
        r = self.random
        made, seen = [], set()
        for _ in range(r.choice([1, 1, 2, 3])):
            constraint = {"maxSkew": r.randint(1, 3), "topologyKey": r.choice([HOST, ZONE, ZONE, "rack"]), "whenUnsatisfiable": r.choice(["DoNotSchedule", "ScheduleAnyway"])}
            if (constraint["topologyKey"], constraint["whenUnsatisfiable"]) in seen:
                continue
            seen.add((constraint["topologyKey"], constraint["whenUnsatisfiable"]))
            selector = self.pod_selector()
            if selector is not None:
                constraint["labelSelector"] = selector
            if constraint["whenUnsatisfiable"] == "DoNotSchedule" and self.chance(0.3):
                constraint["minDomains"] = r.randint(1, 5)
            if self.chance(0.4):
                constraint["nodeAffinityPolicy"] = r.choice(["Honor", "Ignore"])
            if self.chance(0.4):
                constraint["nodeTaintsPolicy"] = r.choice(["Honor", "Ignore"])
            if selector is not None and "matchLabels" in selector and self.chance(0.3):
                constraint["matchLabelKeys"] = self.some(["version", "tier"], 2)
            made.append(constraint)
        return made

    def make_pod(self, name, bound):
        r = self.random
        ns = r.choice(self.namespaces)
        app = r.choice(APPS)
        labels = {}
        if self.chance(0.9):
            labels["app"] = app
        if self.chance(0.4):
            labels["tier"] = r.choice(["1", "2"])
        if self.chance(0.3):
            labels["version"] = r.choice(["1", "2"])
        small = not self.has["tight"] or self.chance(0.5)
        spec = {"containers": [self.container(f"c{i}", small) for i in range(r.choice([1, 1, 1, 2, 3]))]}
        if self.has["init"] and self.chance(0.5):
            inits = []
            for i in range(r.randint(1, 3)):
                init = self.container(f"i{i}", small)
                if self.chance(0.4):
                    init["restartPolicy"] = "Always"
                inits.append(init)
            spec["initContainers"] = inits
        if self.has["overhead"] and self.chance(0.3):
            spec["overhead"] = {"cpu": r.choice(["50m", "250m"]), "memory": r.choice(["16Mi", "120Mi"])}
        if self.has["pod_level"] and self.chance(0.4):
            level = {}
            if self.chance(0.8):
                level["cpu"] = r.choice(["8", "10"]) if self.chance(0.3) else "6"
            if self.chance(0.8):
                level["memory"] = "14Gi"
            if level:
                spec["resources"] = {"requests": level}
        if self.chance(0.15 if self.has["node_affinity"] else 0.03):
            spec["nodeSelector"] = {r.choice(["disk", "rank", ZONE]): r.choice(["ssd", "1", "z0"])}
        affinity = self.affinity()
        if affinity:
            spec["affinity"] = affinity
        if self.has["spread"] and self.chance(0.45):
            spec["topologySpreadConstraints"] = self.spread()
        if (self.has["taints"] or self.has["cordons"]) and self.chance(0.5):
            tolerations = []
            for _ in range(r.randint(1, 2)):
                toleration = {}
                if self.chance(0.12):
                    toleration["operator"] = "Exists"
                else:
                    toleration["key"] = r.choice(["team", "gpu", "node.kubernetes.io/not-ready", "node.kubernetes.io/unschedulable"])
                    if self.chance(0.5):
                        toleration["operator"] = "Exists"
                    elif self.chance(0.8):
                        toleration["value"] = r.choice(["a", "b"])
                if self.chance(0.6):
                    toleration["effect"] = r.choice(["NoSchedule", "PreferNoSchedule", "NoExecute"])
                tolerations.append(toleration)
            spec["tolerations"] = tolerations
        if self.has["profiles"] and not bound and self.chance(0.4):
            spec["schedulerName"] = r.choice(["second", "second", "third", "somebody-else"])
        priority = 0
        if self.has["priorities"]:
            priority = r.choice([0, 0, 0, 10, 10, 100, 100, 1000, -5]) if not bound else r.choice([0, 0, 0, 10, 10, -5, 100, 2000])
        spec["priority"] = priority
        if priority > 0 and self.chance(0.1):
            spec["preemptionPolicy"] = "Never"
        if not bound and self.has["gates"] and self.chance(0.2):
            spec["schedulingGates"] = [{"name": "example.com/wait"}]
        owners = None
        if self.owners and self.chance(0.6):
            own_ns, own_app, kind, owner = r.choice(self.owners)
            ns = own_ns
            labels["app"] = own_app
            owners = [{"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": f"*v1.{kind}/{own_ns}/{owner}", "controller": True}]
        if self.claims.get(ns) and self.chance(0.5):
            usable = [c for c in self.claims[ns] if not bound or c[1] == "bound"]
            chosen = self.some(usable, 2) if usable else []
            volumes = []
            for i, (claim, kind) in enumerate(chosen):
                volumes.append({"name": f"v{i}", "persistentVolumeClaim": {"claimName": claim}})
            if not bound and self.chance(0.03):
                volumes.append({"name": "gone", "persistentVolumeClaim": {"claimName": "absent"}})
            if volumes:
                spec["volumes"] = volumes
        status = {"phase": "Pending"}
        if bound:
            spec["nodeName"] = f"n{r.randrange(self.node_count)}" if self.chance(0.98) else "gone"
            # Whole seconds; few equal ones.
            status = {"phase": "Running", "startTime": f"2026-01-01T{r.randrange(24):02}:{r.randrange(60):02}:{r.randrange(60):02}Z"}
        self.add("v1", "Pod", name, ns, labels=labels, owners=owners, spec=spec, status=status)


def profile(r, name):
    """A profile with other plugins, weights and arguments."""
    strategy = {"type": r.choice(["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"])}
    if r.random() < 0.6 or strategy["type"] != "LeastAllocated":
        strategy["resources"] = [{"name": name, "weight": r.randint(1, 5)} for name in r.sample(["cpu", "memory", "ephemeral-storage", "example.com/gpu"], r.randint(1, 4))]
    if strategy["type"] == "RequestedToCapacityRatio":
        points = sorted(r.sample(range(0, 101), r.randint(1, 4)))
        strategy["requestedToCapacityRatio"] = {"shape": [{"utilization": u, "score": r.randint(0, 10)} for u in points]}
    score = {"disabled": [{"name": name} for name in r.sample(["ImageLocality", "NodeResourcesBalancedAllocation", "PodTopologySpread", "TaintToleration"], r.randint(0, 2))],
             "enabled": [{"name": name, "weight": r.randint(1, 9)} for name in r.sample(["NodeResourcesFit", "InterPodAffinity", "NodeAffinity"], r.randint(0, 2))]}
    # Enabled again at its own point, a plugin takes the weight that is given there.
    score["disabled"] += [{"name": entry["name"]} for entry in score["enabled"]]
    if r.random() < 0.1:
        score["disabled"] = [{"name": "*"}]
        score["enabled"] = score["enabled"] or [{"name": "NodeResourcesFit"}]
    plugins = {"score": score}
    if r.random() < 0.3:
        plugins["multiPoint"] = {"disabled": [{"name": name} for name in r.sample(
            ["NodeUnschedulable", "NodeName", "TaintToleration", "NodeAffinity", "NodePorts", "NodeVolumeLimits", "VolumeZone", "InterPodAffinity", "ImageLocality",
             "NodeResourcesBalancedAllocation", "DefaultPreemption"], r.randint(0, 3))]}
        gone = {entry["name"] for entry in plugins["multiPoint"]["disabled"]} | {entry["name"] for entry in score["enabled"]}
        free = [name for name in ("NodeAffinity", "TaintToleration", "PodTopologySpread", "NodeResourcesFit", "InterPodAffinity", "ImageLocality") if name not in gone]
        plugins["multiPoint"]["enabled"] = [{"name": name, "weight": r.randint(1, 6)} for name in r.sample(free, r.randint(0, min(2, len(free))))]
        # What is disabled everywhere is not enabled at one point again: that would put it at another place of the order.
        score["enabled"] = [entry for entry in score["enabled"] if entry["name"] not in gone or entry["name"] not in {e["name"] for e in plugins["multiPoint"]["disabled"]}]
    if r.random() < 0.15:
        plugins["filter"] = {"disabled": [{"name": name} for name in r.sample(["NodeUnschedulable", "NodeName", "TaintToleration", "NodePorts", "NodeResourcesFit", "InterPodAffinity"], 2)]}
    if r.random() < 0.1:
        plugins["postFilter"] = {"disabled": [{"name": "DefaultPreemption"}]}
    config = [
        {"name": "NodeResourcesFit", "args": {"scoringStrategy": strategy}},
        {"name": "InterPodAffinity", "args": {"hardPodAffinityWeight": r.choice([0, 1, 20, 100]), "ignorePreferredTermsOfExistingPods": r.random() < 0.5}},
        {"name": "DefaultPreemption", "args": {"minCandidateNodesPercentage": r.choice([1, 10, 50]), "minCandidateNodesAbsolute": r.choice([1, 3, 100])}}]
    if r.random() < 0.3:
        config[0]["args"]["ignoredResources"] = r.sample(["example.com/gpu", "example.org/other", "hugepages-2Mi"], 2)
    if r.random() < 0.2:
        config[0]["args"]["ignoredResourceGroups"] = [r.choice(["example.com", "example.org"])]
    if r.random() < 0.3:
        config.append({"name": "NodeResourcesBalancedAllocation", "args": {"resources": [
            {"name": name, "weight": 1} for name in r.sample(["cpu", "memory", "ephemeral-storage", "example.com/gpu"], r.randint(1, 4))]}})
    if r.random() < 0.3:
        affinity = {}
        term = lambda: {"matchExpressions": [r.choice([{"key": "disk", "operator": "In", "values": ["ssd", "nvme"]}, {"key": "rank", "operator": "Gt", "values": ["1"]},
                                                       {"key": "rack", "operator": "DoesNotExist"}, {"key": ZONE, "operator": "NotIn", "values": ["z1"]}])]}
        if r.random() < 0.6:
            affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": [term() for _ in range(r.randint(1, 2))]}
        if r.random() < 0.6:
            affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [{"weight": r.randint(1, 100), "preference": term()} for _ in range(r.randint(1, 2))]
        config.append({"name": "NodeAffinity", "args": {"addedAffinity": affinity}})
    if r.random() < 0.35:
        constraints, seen = [], set()
        for _ in range(r.randint(1, 3)):
            one = {"maxSkew": r.randint(1, 4), "topologyKey": r.choice([HOST, ZONE, "rack"]), "whenUnsatisfiable": r.choice(["DoNotSchedule", "ScheduleAnyway", "ScheduleAnyway"])}
            if (one["topologyKey"], one["whenUnsatisfiable"]) in seen:
                continue
            seen.add((one["topologyKey"], one["whenUnsatisfiable"]))
            if one["whenUnsatisfiable"] == "DoNotSchedule" and r.random() < 0.4:
                one["minDomains"] = r.randint(1, 4)
            if r.random() < 0.3:
                one["nodeAffinityPolicy"] = r.choice(["Honor", "Ignore"])
            if r.random() < 0.3:
                one["nodeTaintsPolicy"] = r.choice(["Honor", "Ignore"])
            constraints.append(one)
        config.append({"name": "PodTopologySpread", "args": {"defaultingType": "List", "defaultConstraints": constraints}})
    made = {"schedulerName": name, "plugins": plugins, "pluginConfig": config}
    if r.random() < 0.2:
        made["percentageOfNodesToScore"] = r.choice([0, 5, 40, 100])
    return made


def configuration(r, several):
    names = ["default-scheduler"] + (["second"] if several else []) + (["third"] if several and r.random() < 0.4 else [])
    return {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration", "percentageOfNodesToScore": r.choice([0, 0, 10, 60, 100]),
            "profiles": [profile(r, name) for name in names]}


def cluster(seed, nodes_max=200):
    made = Cluster(seed, nodes_max)
    result = {"name": f"seed-{seed}", "objects": made.objects}
    if made.random.random() < 0.4 or made.has["profiles"]:
        result["config"] = configuration(made.random, made.has["profiles"])
    nominate(result["objects"], random.Random(f"nominations of {seed}"))
    all_off_and_on(result.get("config"), random.Random(f"all off of {seed}"))
    return result


# In the default order; those that a profile cannot do without here (or anywhere), and the others.
NEEDED = ["PrioritySort", "VolumeRestrictions", "VolumeBinding", "PodTopologySpread", "DefaultBinder", "SchedulingGates"]
IN_ORDER = ["SchedulingGates", "PrioritySort", "NodeUnschedulable", "NodeName", "TaintToleration", "NodeAffinity", "NodePorts", "NodeResourcesFit", "VolumeRestrictions",
            "NodeVolumeLimits", "VolumeBinding", "VolumeZone", "PodTopologySpread", "InterPodAffinity", "DefaultPreemption", "NodeResourcesBalancedAllocation",
            "ImageLocality", "DefaultBinder"]


def all_off_and_on(config, r):
    """Some profiles disable '*' and name what they want."""
    for one in (config or {}).get("profiles", []):
        if r.random() < 0.2:
            named = [{"name": name} for name in IN_ORDER if name in NEEDED or r.random() < 0.8]
            for plugin in named:
                if r.random() < 0.4:
                    plugin["weight"] = r.randint(1, 5)
            one["plugins"] = {"multiPoint": {"disabled": [{"name": "*"}], "enabled": named}}


def nominate(objects, r):
    """Some pending pods were promised a node before, as in a dump that was taken after a preemption; rarely one that is gone."""
    nodes = [o["metadata"]["name"] for o in objects if o["kind"] == "Node"]
    if not nodes or r.random() < 0.75:
        return
    for pod in objects:
        if pod["kind"] == "Pod" and not pod["spec"].get("nodeName") and not pod["spec"].get("schedulingGates") and r.random() < 0.2:
            pod.setdefault("status", {})["nominatedNodeName"] = "gone" if r.random() < 0.05 else r.choice(nodes)
