// What programs do with the official JavaScript client, against the cluster of KUBECONFIG: run by clients.py beside its node_modules.
import assert from "node:assert";
import * as k8s from "@kubernetes/client-node";

const NS = "javascript";
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api), apps = config.makeApiClient(k8s.AppsV1Api), batch = config.makeApiClient(k8s.BatchV1Api);
const objects = k8s.KubernetesObjectApi.makeApiClient(config);

const POD = {
  apiVersion: "v1", kind: "Pod", metadata: {name: "one", labels: {app: "one"}},
  spec: {containers: [{name: "c", image: "busybox:1.36", resources: {requests: {cpu: "100m"}}}]},
};

async function until(what, condition, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    if (await condition()) return;
    await new Promise(done => setTimeout(done, 100));
  }
  throw new Error(`${what}: not within ${seconds} s`);
}
async function refused(status, call) {
  try {
    await call();
  } catch (e) {
    assert.equal(e.code, status, `${e.code}: ${e.body}`);
    return typeof e.body === "string" ? e.body : JSON.stringify(e.body);
  }
  throw new Error(`not refused with ${status}`);
}

const steps = {
  async "lists and pages"() {
    const nodes = await core.listNode();
    assert.deepEqual(nodes.items.map(n => n.metadata.name), ["control-plane-1", "worker-1", "worker-2", "worker-3"]);
    assert(nodes.metadata.resourceVersion);
    const seen = [];
    for (let token = undefined;;) {
      const page = await core.listPodForAllNamespaces({limit: 3, _continue: token});
      seen.push(...page.items.map(p => p.metadata.name));
      token = page.metadata._continue;
      if (!token) break;
    }
    assert.deepEqual(seen, (await core.listPodForAllNamespaces()).items.map(p => p.metadata.name));
  },
  async "an informer, and pods that come, change and go"() {
    const seen = [];
    const informer = k8s.makeInformer(config, `/api/v1/namespaces/${NS}/pods`, () => core.listNamespacedPod({namespace: NS}));
    for (const event of ["add", "update", "delete"]) informer.on(event, pod => seen.push(event + " " + pod.metadata.name));
    informer.on("error", e => seen.push("error " + e));
    await informer.start();
    const made = await core.createNamespacedPod({namespace: NS, body: POD});
    assert(made.metadata.uid && made.metadata.creationTimestamp instanceof Date);
    await until("it runs", async () => (await core.readNamespacedPod({name: "one", namespace: NS})).status.phase === "Running");
    assert.match(await refused(409, () => core.createNamespacedPod({namespace: NS, body: POD})), /already exists/);
    const patch = async (type, body) => core.patchNamespacedPod({name: "one", namespace: NS, body}, k8s.setHeaderOptions("Content-Type", type));
    assert.equal((await patch(k8s.PatchStrategy.StrategicMergePatch, {spec: {containers: [{name: "c", image: "busybox:1.37"}]}})).spec.containers[0].image, "busybox:1.37");
    assert.equal((await patch(k8s.PatchStrategy.MergePatch, {metadata: {labels: {tier: "front"}}})).metadata.labels.tier, "front");
    assert.equal((await patch(k8s.PatchStrategy.JsonPatch, [{op: "remove", path: "/metadata/labels/tier"}])).metadata.labels.tier, undefined);
    await core.deleteNamespacedPod({name: "one", namespace: NS, gracePeriodSeconds: 1});
    await until("the informer saw its end", () => seen.includes("delete one"));
    assert.equal(seen[0], "add one");
    assert(seen.includes("update one") && !seen.some(s => s.startsWith("error")), seen.join(", "));
    await informer.stop();
  },
  async "a watch from a version, with bookmarks"() {
    const version = (await core.listNamespacedConfigMap({namespace: NS})).metadata.resourceVersion;
    await core.createNamespacedConfigMap({namespace: NS, body: {metadata: {name: "early"}, data: {a: "1"}}});
    const types = [];
    await new Promise((done, fail) => {
      new k8s.Watch(config).watch(`/api/v1/namespaces/${NS}/configmaps`, {resourceVersion: version, allowWatchBookmarks: true, timeoutSeconds: 2},
        (type, object) => types.push(type + " " + (object.metadata.name || "")), e => (e && e.name !== "AbortError" && !/terminated|aborted/i.test(String(e)) ? fail(e) : done())).catch(fail);
    });
    assert(types.includes("ADDED early"), types.join(", "));
  },
  async "objects of any kind; server-side apply"() {
    const deployment = {
      apiVersion: "apps/v1", kind: "Deployment", metadata: {name: "api", namespace: NS},
      spec: {replicas: 2, selector: {matchLabels: {app: "api"}}, template: {metadata: {labels: {app: "api"}}, spec: {containers: [{name: "api", image: "api:1"}]}}},
    };
    await objects.create(deployment);
    await until("2 of 2", async () => (await apps.readNamespacedDeployment({name: "api", namespace: NS})).status.readyReplicas === 2);
    const applied = await objects.patch({...deployment, spec: {...deployment.spec, replicas: 3}}, undefined, undefined, "one", true, k8s.PatchStrategy.ServerSideApply);
    assert.equal(applied.spec.replicas, 3);
    await until("3 of 3", async () => (await objects.read(deployment)).status.readyReplicas === 3);
    await objects.delete(deployment, undefined, undefined, 0, undefined, "Foreground");
    await until("nothing is left", async () => (await core.listNamespacedPod({namespace: NS, labelSelector: "app=api"})).items.length === 0);
  },
  async "a Job to its end"() {
    await batch.createNamespacedJob({namespace: NS, body: {
      metadata: {name: "once"},
      spec: {template: {spec: {restartPolicy: "Never", containers: [{name: "c", image: "busybox:1.36"}]}}},
    }});
    await until("it is complete", async () => ((await batch.readNamespacedJob({name: "once", namespace: NS})).status.conditions || []).some(c => c.type === "Complete" && c.status === "True"));
    await core.deleteNamespace({name: NS});
    await until("the namespace is gone", async () => !(await core.listNamespace()).items.some(n => n.metadata.name === NS));
  },
};

await core.createNamespace({body: {metadata: {name: NS}}});
let failed = 0;
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log("ok: " + name);
  } catch (e) {
    ++failed;
    console.log(`FAILED: ${name}: ${e.stack || e}`.slice(0, 1500));
  }
}
process.exit(failed ? 1 : 0);
