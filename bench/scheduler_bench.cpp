// Pods scheduled per second: queue, filters, scores and binding in memory, without virtual time.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <malloc.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "analysis/cluster_generator.hpp"
#include "sim/models/kubernetes/scheduler/schedule_all.hpp"
#include "sim/models/kubernetes/scheduler/scheduler_state.hpp"
#include "sim/scenario/manifests.hpp"

namespace {

using namespace sim;
using namespace sim::k8s;

struct World {
  Engine engine;
  Interner names;
  EventLog log{engine, names};
  ApiServer api{engine, log, names};
  Randomness random{1};
};

void load(const std::string& name, const std::string& text, scenario::ManifestReader& reader, scenario::Diagnostics& diagnostics) {
  const auto document = scenario::load_text(name, text, diagnostics);
  if (document != nullptr) reader.decode(*document);
}

/// Schedules what `fill` puts into a fresh world, again and again; only the scheduling is timed.
template <class Fill>
void measure(benchmark::State& state, Fill&& fill) {
  std::size_t pods = 0;
  std::size_t pending = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto world = std::make_unique<World>();
    fill(*world);
    state.ResumeTiming();
    const ScheduleResult result = schedule_all(world->api, SchedulerConfig{}, world->random);
    benchmark::DoNotOptimize(result.scheduled);
    state.PauseTiming();
    pods += result.cycles;
    pending = result.pods.size() - result.scheduled;
    world.reset();
    state.ResumeTiming();
  }
  state.counters["pods/s"] = benchmark::Counter(static_cast<double>(pods), benchmark::Counter::kIsRate);
  state.counters["pending"] = static_cast<double>(pending);
}

/// The same, but timed from the moment at which the scheduler knows nodes and pods: its queue, its cycles, what they assume.
template <class Fill>
void measure_cycles(benchmark::State& state, Fill&& fill) {
  std::size_t cycles = 0;
  std::size_t pending = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto world = std::make_unique<World>();
    fill(*world);
    auto scheduler = std::make_unique<scheduling::SchedulerState>(world->api, world->random, scheduling::QueueConfig{}, 0);
    world->api.all<Node>().for_each([&](Ref<Node> ref, const Node& node) { scheduler->cache.add_node(ref, node); });
    world->api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      if (pod.node_name) {
        scheduler->cache.assign(ref, pod, pod.node_name);
      } else {
        scheduler->cache.put_pending(ref, pod);
        scheduler->queue.add(ref, pod.spec->priority, false, SimTime{}, CauseId{});
      }
    });
    pending = 0;
    state.ResumeTiming();
    SimTime now{};
    while (const scheduling::QueuedPod* queued = scheduler->queue.pop(now)) {
      now += std::chrono::microseconds(500);
      ++cycles;
      const Ref<Pod> ref = queued->ref;
      const scheduling::Decision decision = scheduler->cycle.schedule(ref.slot, now, queued->attempts);
      if (decision.node == scheduling::kNoNode) {
        scheduler->queue.failed(ref.slot, decision.rejectors, now, CauseId{});
        ++pending;
        continue;
      }
      scheduler->queue.remove(ref.slot);
      scheduler->cache.assume(ref.slot, decision.node);
      scheduler->cache.confirm(ref.slot);
      scheduler->fire_pod(scheduling::Action::kPodAdd, ref.slot, now, CauseId{});
    }
    state.PauseTiming();
    scheduler.reset();
    world.reset();
    state.ResumeTiming();
  }
  state.counters["pods/s"] = benchmark::Counter(static_cast<double>(cycles), benchmark::Counter::kIsRate);
  state.counters["pending"] = static_cast<double>(pending);
}

void BM_Generated(benchmark::State& state) {
  const analysis::GeneratedCluster cluster = analysis::generate_k8s_sims(1213, 7064, 1);
  measure(state, [&](World& world) {
    scenario::Diagnostics diagnostics;
    scenario::ManifestReader reader(world.names, diagnostics);
    load("nodes.yaml", cluster.nodes, reader, diagnostics);
    load("pods.yaml", cluster.pods, reader, diagnostics);
    scenario::store(reader.finish(), world.api);
  });
}
BENCHMARK(BM_Generated)->Unit(benchmark::kMillisecond);

/// The published manifests, when they are there: in SQUALL_SHARED_DATA or beside the repository.
std::string published_manifests() {
  const char* given = std::getenv("SQUALL_SHARED_DATA");
  for (const std::filesystem::path& root : {std::filesystem::path(given == nullptr ? "" : given), std::filesystem::path(SQUALL_SOURCE_DIR) / ".." / "shared" / "data"}) {
    const std::filesystem::path folder = root / "k8s-sims" / "manifests";
    if (!root.empty() && std::filesystem::exists(folder / "nodes-1200.yaml")) return folder.string();
  }
  return {};
}

void BM_Published(benchmark::State& state) {
  const std::string folder = published_manifests();
  if (folder.empty()) {
    state.SkipWithError("left out: the published k8s-sims manifests are not here (set SQUALL_SHARED_DATA)");
    return;
  }
  measure(state, [&](World& world) {
    scenario::Diagnostics diagnostics;
    scenario::store(scenario::read_manifests({folder + "/nodes-1200.yaml", folder + "/pods-800.yaml"}, world.names, diagnostics), world.api);
  });
}
BENCHMARK(BM_Published)->Unit(benchmark::kMillisecond);

enum class Mix { kPlain, kSpread, kAntiAffinity };

/// 5,000 nodes in 5 zones, `already` pods on each, and 2,000 pods to place.
void large_cluster(World& world, int already, Mix mix) {
  Interner& names = world.names;
  ApiServer& api = world.api;
  constexpr int kNodes = 5000;
  constexpr int kPods = 2000;
  std::vector<Ref<Node>> nodes;
  for (int i = 0; i < kNodes; ++i) {
    Node node;
    node.meta.name = names.intern(fmt::format("node-{:04}", i));
    node.meta.labels.set(api.well_known().hostname, node.meta.name);
    node.meta.labels.set(api.well_known().zone, names.intern(fmt::format("zone-{}", i % 5)));
    node.allocatable.cpu_milli = 32'000;
    node.allocatable.memory = 128ll << 30;
    node.allocatable.pods = 110;
    nodes.push_back(api.create(std::move(node)));
  }
  const auto make_spec = [&](int app) {
    auto spec = std::make_shared<PodSpec>();
    Container container;
    container.requests.cpu_milli = 500;
    container.requests.memory = 1ll << 30;
    container.has_cpu_request = container.has_memory_request = true;
    spec->containers.push_back(container);
    LabelSelector selector{{Requirement{names.intern("app"), SelectorOperator::kIn, {names.intern(fmt::format("app-{}", app))}}}};
    if (mix == Mix::kSpread) {
      TopologySpreadConstraint zones;
      zones.topology_key = api.well_known().zone;
      zones.selector = selector;
      TopologySpreadConstraint hosts;
      hosts.topology_key = api.well_known().hostname;
      hosts.do_not_schedule = false;
      hosts.selector = selector;
      spec->topology_spread = {zones, hosts};
    } else if (mix == Mix::kAntiAffinity) {
      auto affinity = std::make_shared<Affinity>();
      PodAffinityTerm term;
      term.selector = selector;
      term.topology_key = api.well_known().hostname;
      affinity->required_pod_anti_affinity = {term};
      spec->affinity = affinity;
    }
    finish_pod_spec(*spec);
    return std::shared_ptr<const PodSpec>(spec);
  };
  constexpr int kApps = 20;
  std::vector<std::shared_ptr<const PodSpec>> specs;
  for (int app = 0; app < kApps; ++app) specs.push_back(make_spec(app));
  const auto make_pod = [&](int serial, int app) {
    Pod pod;
    pod.meta.ns = api.well_known().ns_default;
    pod.meta.name = names.intern(fmt::format("pod-{}", serial));
    pod.meta.labels.set(names.intern("app"), names.intern(fmt::format("app-{}", app)));
    pod.spec = specs[static_cast<std::size_t>(app)];
    return pod;
  };
  int serial = 0;
  for (int i = 0; i < kNodes; ++i) {
    for (int k = 0; k < already; ++k) {
      Pod pod = make_pod(serial++, (i + k) % kApps);
      pod.node = nodes[static_cast<std::size_t>(i)];
      pod.node_name = api.get(pod.node)->meta.name;
      api.create(std::move(pod));
    }
  }
  for (int i = 0; i < kPods; ++i) {
    const int app = i % kApps;
    api.create(make_pod(serial++, app));
  }
}

void BM_5000Nodes(benchmark::State& state, int already, Mix mix) {
  measure_cycles(state, [&](World& world) { large_cluster(world, already, mix); });
}
BENCHMARK_CAPTURE(BM_5000Nodes, empty, 0, Mix::kPlain)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_5000Nodes, half_full, 30, Mix::kPlain)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_5000Nodes, spread, 10, Mix::kSpread)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_5000Nodes, anti_affinity, 10, Mix::kAntiAffinity)->Unit(benchmark::kMillisecond);

/// Bytes of heap that the scheduler's own state takes for a node and for a pod on it, with the verdicts of 48 kinds of pods remembered.
void BM_Memory(benchmark::State& state) {
  const auto heap = [] { return static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd); };
  double per_node = 0;
  double per_pod = 0;
  for (auto _ : state) {
    constexpr int kPodsOfNode = 30;
    auto world = std::make_unique<World>();
    large_cluster(*world, kPodsOfNode, Mix::kPlain);
    // As many kinds of pods as the cycle remembers verdicts of.
    std::vector<Ref<Pod>> kinds;
    for (int kind = 0; kind < 48; ++kind) {
      Pod pod;
      pod.meta.ns = world->api.well_known().ns_default;
      pod.meta.name = world->names.intern(fmt::format("kind-{}", kind));
      auto spec = std::make_shared<PodSpec>();
      Container container;
      container.requests.cpu_milli = 100 + kind;
      spec->containers.push_back(container);
      finish_pod_spec(*spec);
      pod.spec = spec;
      kinds.push_back(world->api.create(std::move(pod)));
    }
    double at = heap();
    auto scheduling = std::make_unique<scheduling::SchedulerState>(world->api, world->random, scheduling::QueueConfig{}, 0);
    world->api.all<Node>().for_each([&](Ref<Node> ref, const Node& node) { scheduling->cache.add_node(ref, node); });
    const auto nodes = static_cast<double>(scheduling->cache.node_count());
    per_node = (heap() - at) / nodes;
    at = heap();
    std::size_t pods = 0;
    world->api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      if (!pod.node_name) return;
      scheduling->cache.assign(ref, pod, pod.node_name);
      ++pods;
    });
    for (const Ref<Pod> ref : kinds) scheduling->cache.put_pending(ref, *world->api.get(ref));
    per_pod = (heap() - at) / static_cast<double>(pods);
    at = heap();
    for (const Ref<Pod> ref : kinds) scheduling->cycle.schedule(ref.slot, SimTime{}, 1);
    per_node += (heap() - at) / nodes;
  }
  state.counters["bytes/node"] = per_node;
  state.counters["bytes/pod"] = per_pod;
}
BENCHMARK(BM_Memory)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
