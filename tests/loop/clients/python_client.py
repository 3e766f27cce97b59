"""What programs do with the official Python client, against the cluster of KUBECONFIG: run by clients.py in an environment that has it."""

import os
import sys
import threading
import time

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException

NS = "python"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one", "labels": {"app": "one"}},
    "spec": {"containers": [{"name": "c", "image": "busybox:1.36", "resources": {"requests": {"cpu": "100m"}}}]},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "api"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "api"}},
        "template": {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"name": "api", "image": "api:1"}]}},
    },
}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "bulbs.python.example.com"},
    "spec": {
        "group": "python.example.com",
        "scope": "Namespaced",
        "names": {"plural": "bulbs", "singular": "bulb", "kind": "Bulb"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "required": ["watts"], "properties": {"watts": {"type": "integer", "minimum": 1}}},
                            "status": {"type": "object", "properties": {"lit": {"type": "boolean"}}},
                        },
                    }
                },
            }
        ],
    },
}


def refused(status, call, *arguments, **keywords):
    """The call must be answered with this status; gives the body."""
    try:
        call(*arguments, **keywords)
    except ApiException as e:
        assert e.status == status, f"{e.status}, not {status}: {e.body}"
        return e.body
    raise AssertionError(f"not refused with {status}")


def until(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s")


def lists_and_pages(core, apps):
    assert [n.metadata.name for n in core.list_node().items] == ["control-plane-1", "worker-1", "worker-2", "worker-3"]
    assert core.list_node(label_selector="!node-role.kubernetes.io/control-plane").items.__len__() == 3
    every = core.list_pod_for_all_namespaces()
    seen, token = [], None
    while True:
        page = core.list_pod_for_all_namespaces(limit=3, _continue=token)
        assert len(page.items) <= 3
        seen += [p.metadata.name for p in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert seen == [p.metadata.name for p in every.items], (seen, every)
    assert "continue key is not valid" in refused(400, core.list_pod_for_all_namespaces, limit=3, _continue="nonsense")
    on_one = core.list_pod_for_all_namespaces(field_selector="spec.nodeName=worker-2").items
    assert all(p.spec.node_name == "worker-2" for p in on_one)


def pods(core):
    events = []

    def follow(version):
        for event in watch.Watch().stream(core.list_namespaced_pod, NS, resource_version=version, timeout_seconds=30):
            events.append((event["type"], event["object"].status.phase))
            if event["type"] == "DELETED":
                return

    version = core.list_namespaced_pod(NS).metadata.resource_version
    thread = threading.Thread(target=follow, args=(version,))
    thread.start()
    created = core.create_namespaced_pod(NS, POD)
    assert created.metadata.uid and created.spec.restart_policy == "Always" and created.status.phase == "Pending"
    assert "already exists" in refused(409, core.create_namespaced_pod, NS, POD)
    until("the pod runs", lambda: core.read_namespaced_pod("one", NS).status.phase == "Running")
    # Strategic merge by default: a list of containers is merged by name.
    patched = core.patch_namespaced_pod("one", NS, {"metadata": {"labels": {"tier": "front"}}, "spec": {"containers": [{"name": "c", "image": "busybox:1.37"}]}})
    assert patched.metadata.labels == {"app": "one", "tier": "front"} and patched.spec.containers[0].resources.requests == {"cpu": "100m"}
    assert "pod updates may not change fields other than" in refused(422, core.patch_namespaced_pod, "one", NS, {"spec": {"nodeName": "nowhere"}})
    stale = core.read_namespaced_pod("one", NS)
    fresh = core.read_namespaced_pod("one", NS)
    fresh.metadata.labels["turn"] = "1"
    core.replace_namespaced_pod("one", NS, fresh)
    stale.metadata.labels["turn"] = "2"
    assert "the object has been modified" in refused(409, core.replace_namespaced_pod, "one", NS, stale)
    assert core.read_namespaced_pod_log("one", NS) is not None
    core.delete_namespaced_pod("one", NS, grace_period_seconds=1)
    thread.join(60)
    assert not thread.is_alive() and events[0] == ("ADDED", "Pending") and ("MODIFIED", "Running") in events and events[-1][0] == "DELETED", events
    refused(404, core.read_namespaced_pod, "one", NS)


def deployments(core, apps):
    apps.create_namespaced_deployment(NS, DEPLOYMENT)
    until("2 of 2", lambda: apps.read_namespaced_deployment_status("api", NS).status.ready_replicas == 2)
    scale = apps.read_namespaced_deployment_scale("api", NS)
    scale.spec.replicas = 3
    apps.replace_namespaced_deployment_scale("api", NS, scale)
    until("3 of 3", lambda: apps.read_namespaced_deployment("api", NS).status.ready_replicas == 3)
    apps.patch_namespaced_deployment("api", NS, [{"op": "replace", "path": "/spec/replicas", "value": 1}])  # JSON patch: a list
    until("1 of 1", lambda: apps.read_namespaced_deployment("api", NS).status.replicas == 1)
    body = client.V1DeleteOptions(propagation_policy="Foreground")
    apps.delete_namespaced_deployment("api", NS, body=body)
    until("nothing is left", lambda: not core.list_namespaced_pod(NS, label_selector="app=api").items)
    until("no replica set is left", lambda: not apps.list_namespaced_replica_set(NS).items)


def applied(api):
    """Server-side apply, as the dynamic client has it: fields have owners, and conflicts are told."""
    maps = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "green"}}
    maps.server_side_apply(body=settings, name="settings", namespace=NS, field_manager="one")
    try:
        maps.server_side_apply(body=dict(settings, data={"colour": "red"}), name="settings", namespace=NS, field_manager="two")
        raise AssertionError("no conflict")
    except dynamic.exceptions.ConflictError as e:
        assert b".data.colour" in e.body or ".data.colour" in str(e.body)
    now = maps.server_side_apply(body=dict(settings, data={"colour": "red"}), name="settings", namespace=NS, field_manager="two", force_conflicts=True)
    assert now.data.colour == "red"


def custom(api):
    definitions, objects = client.ApiextensionsV1Api(api), client.CustomObjectsApi(api)
    definitions.create_custom_resource_definition(CRD)

    def established():
        conditions = definitions.read_custom_resource_definition("bulbs.python.example.com").status.conditions or []
        return any(c.type == "Established" and c.status == "True" for c in conditions)

    until("the definition is established", established)
    at = ("python.example.com", "v1", NS, "bulbs")
    bulb = {"apiVersion": "python.example.com/v1", "kind": "Bulb", "metadata": {"name": "desk"}, "spec": {"watts": 40, "colour": "red"}}
    made = objects.create_namespaced_custom_object(*at, bulb)
    assert made["spec"] == {"watts": 40}, "what the schema does not know is pruned"
    assert "should be greater than or equal to 1" in refused(422, objects.create_namespaced_custom_object, *at, dict(bulb, metadata={"name": "dark"}, spec={"watts": 0}))
    made["status"] = {"lit": True}
    assert objects.replace_namespaced_custom_object_status(*at, "desk", made)["status"] == {"lit": True}
    assert objects.list_namespaced_custom_object(*at)["items"][0]["status"] == {"lit": True}
    merged = objects.patch_namespaced_custom_object(*at, "desk", {"spec": {"watts": 60}})  # a map: a merge patch
    assert merged["spec"]["watts"] == 60 and merged["metadata"]["generation"] == 2
    definitions.delete_custom_resource_definition("bulbs.python.example.com")
    until("the objects go with it", lambda: not any(c.metadata.name.startswith("bulbs") for c in definitions.list_custom_resource_definition().items))
    refused(404, objects.list_namespaced_custom_object, *at)


def others(api, core):
    review = client.AuthorizationV1Api(api).create_self_subject_access_review({"spec": {"resourceAttributes": {"verb": "create", "resource": "pods"}}})
    assert review.status.allowed
    assert client.VersionApi(api).get_code().git_version.startswith("v1.36")
    leases = client.CoordinationV1Api(api)
    lease = leases.create_namespaced_lease(NS, {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}})
    lease.spec.holder_identity = "b"
    assert leases.replace_namespaced_lease("leader", NS, lease).spec.holder_identity == "b"
    budgets = client.PolicyV1Api(api)
    budgets.create_namespaced_pod_disruption_budget(NS, {"metadata": {"name": "all"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "one"}}}})
    core.create_namespaced_pod(NS, POD)
    until("it runs", lambda: core.read_namespaced_pod("one", NS).status.phase == "Running")
    until("the budget is counted", lambda: (budgets.read_namespaced_pod_disruption_budget("all", NS).status.expected_pods or 0) == 1)
    assert "disruption budget" in refused(429, core.create_namespaced_pod_eviction, "one", NS, {"metadata": {"name": "one", "namespace": NS}})
    budgets.delete_collection_namespaced_pod_disruption_budget(NS)
    core.create_namespaced_pod_eviction("one", NS, {"metadata": {"name": "one", "namespace": NS}})
    until("it is evicted", lambda: not core.list_namespaced_pod(NS).items, 120)
    core.delete_namespace(NS)
    until("the namespace is gone", lambda: NS not in [n.metadata.name for n in core.list_namespace().items])


def main():
    config.load_kube_config(os.environ["KUBECONFIG"])
    api = client.ApiClient()
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    core.create_namespace({"metadata": {"name": NS}})
    failed = 0
    steps = [
        ("lists and pages", lambda: lists_and_pages(core, apps)),
        ("pods: watch, patch, conflict, log, delete", lambda: pods(core)),
        ("deployments: scale, JSON patch, foreground deletion", lambda: deployments(core, apps)),
        ("server-side apply", lambda: applied(api)),
        ("custom resources", lambda: custom(api)),
        ("reviews, leases, budgets, evictions, namespaces", lambda: others(api, core)),
    ]
    for name, step in steps:
        try:
            step()
            print(f"ok: {name}")
        except Exception as e:  # noqa: BLE001: the next step is tried in any case
            failed += 1
            print(f"FAILED: {name}: {type(e).__name__}: {str(e)[:1500]}")
    return 1 if failed else 0


sys.exit(main())
