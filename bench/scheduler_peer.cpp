// Pods scheduled per second of processor time, of a cluster in manifests: Squall's half of scheduler_beside_kube_scheduler.py.
//
// usage: scheduler_peer FILE [REPETITIONS [WITHOUT_PLACEMENTS]]
//
// Prints {"pods", "scheduled", "cpuSeconds": [...], "placements": {pod: node}} as JSON. Each repetition begins with a scheduler that knows the nodes and
// the pods on them; timed are its queue, its cycles and what it assumes of the pods that it placed.
#include <fmt/core.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/scheduler_state.hpp"
#include "sim/scenario/manifests.hpp"

namespace {

using namespace sim;
using namespace sim::k8s;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: scheduler_peer FILE [REPETITIONS [WITHOUT_PLACEMENTS]]\n");
    return 2;
  }
  const int repetitions = argc > 2 ? std::atoi(argv[2]) : 1;
  Engine engine;
  Interner names;
  EventLog log{engine, names};
  ApiServer api{engine, log, names};
  const Randomness random{1};
  scenario::Diagnostics diagnostics;
  scenario::store(scenario::read_manifests({argv[1]}, names, diagnostics), api);
  if (diagnostics.has_errors()) {
    diagnostics.print(stderr);
    return 2;
  }
  std::vector<double> seconds;
  std::string placements;
  std::size_t pods = 0;
  std::size_t scheduled = 0;
  for (int i = 0; i < repetitions; ++i) {
    scheduling::SchedulerState scheduler(api, random, scheduling::QueueConfig{}, 0);
    api.all<Node>().for_each([&](Ref<Node> ref, const Node& node) { scheduler.cache.add_node(ref, node); });
    api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      if (pod.node_name) {
        scheduler.cache.assign(ref, pod, pod.node_name);
      } else {
        scheduler.cache.put_pending(ref, pod);
        scheduler.queue.add(ref, pod.spec->priority, false, SimTime{}, CauseId{});
      }
    });
    pods = scheduled = 0;
    const double before = cpu_seconds();
    SimTime now{};
    while (const scheduling::QueuedPod* queued = scheduler.queue.pop(now)) {
      now += std::chrono::microseconds(500);
      ++pods;
      const Ref<Pod> ref = queued->ref;
      const scheduling::Decision decision = scheduler.cycle.schedule(ref.slot, now, queued->attempts);
      if (decision.node == scheduling::kNoNode) {
        scheduler.queue.failed(ref.slot, decision.rejectors, now, CauseId{});
        continue;
      }
      ++scheduled;
      scheduler.queue.remove(ref.slot);
      scheduler.cache.assume(ref.slot, decision.node);
      scheduler.cache.confirm(ref.slot);
      scheduler.fire_pod(scheduling::Action::kPodAdd, ref.slot, now, CauseId{});
    }
    seconds.push_back(cpu_seconds() - before);
    if (i != 0 || argc > 3) continue;
    api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      const scheduling::PodInfo& known = scheduler.cache.pod(ref.slot);
      if (pod.node_name || !known.is_on_node()) return;
      placements += fmt::format("{}\"{}/{}\": \"{}\"", placements.empty() ? "" : ", ", names.text(pod.meta.ns), names.text(pod.meta.name), names.text(known.node_name));
    });
  }
  std::string times;
  for (const double one : seconds) times += fmt::format("{}{:.6f}", times.empty() ? "" : ", ", one);
  fmt::print("{{\"pods\": {}, \"scheduled\": {}, \"cpuSeconds\": [{}], \"placements\": {{{}}}}}\n", pods, scheduled, times, placements);
  return 0;
}
