// Whatever is broken in whatever order: when all is mended, what the API says is what really runs, and nothing is left over.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::kGiB;
using test::kMiB;
using test::KubeletWorld;

class Storm {
 public:
  explicit Storm(std::uint64_t seed) : w(seed), draws(seed, "test", "storm") {
    w.images.default_bytes = 0;
    w.behaviours[0].start_up_sigma = 0.3;
    for (int i = 0; i < 4; ++i) {
      host::HostSpec spec = w.host_spec("w" + std::to_string(i));
      if (i == 3) spec.memory_exhaustion = host::MemoryExhaustion::kHang;
      w.add_node(spec);
    }
    w.start();
  }

  void step() {
    const std::size_t n = pick(w.nodes.size());
    const Ref<Pod> pod = pods.empty() ? Ref<Pod>{} : pods[pick(pods.size())];
    switch (draws.uniform_int(0, 16)) {
      case 0: w.hosts.crash(w.host_ids[n]); break;
      case 1: w.hosts.power_on(w.host_ids[n]); break;
      case 2: w.hosts.reboot(w.host_ids[n]); break;
      case 3: w.hosts.hang(w.host_ids[n], "test"); break;
      case 4: w.hosts.set_partition(w.host_ids[n], 1); break;
      case 5: w.hosts.set_partition(w.host_ids[n], 0); break;
      case 6: w.kubelets->kill_kubelet(w.nodes[n], std::chrono::seconds(draws.uniform_int(0, 60))); break;
      case 7: w.kubelets->restart_kubelet(w.nodes[n]); break;
      case 8: w.kubelets->kill_container(pod); break;
      case 9: w.kubelets->set_unready(pod, Says::kFault, true); break;
      case 10: w.kubelets->set_unready(pod, Says::kFault, false); break;
      case 11:
        if (!w.gone(pod)) w.api.remove(pod);
        break;
      case 12:
        if (!w.gone(pod)) {
          DeleteOptions force;
          force.grace_period_seconds = 0;
          w.api.remove(pod, force);
        }
        break;
      case 13:
        w.kubelets->leak_memory(pod, static_cast<double>(draws.uniform_int(1, 500) * kMiB));
        leaking.push_back(pod);
        break;
      case 14: w.api.set_availability(true, draws.chance(0.5)); break;
      default: create(n); break;
    }
    w.run_for(std::chrono::milliseconds(draws.uniform_int(0, 40'000)));
  }

  void create(std::size_t n) {
    pods.push_back(w.create_on(w.nodes[n], w.pod("p" + std::to_string(pods.size()), [&](PodSpec& spec) {
      spec.containers[0].requests.memory = draws.uniform_int(0, 800) * kMiB;
      spec.containers[0].requests.cpu_milli = 100;
      spec.priority = static_cast<std::int32_t>(draws.uniform_int(0, 2));
      spec.restart_policy = static_cast<RestartPolicy>(draws.uniform_int(0, 2));
      if (draws.chance(0.3)) spec.containers[0].readiness_probe = Probe{};
      if (draws.chance(0.3)) spec.containers[0].liveness_probe = Probe{};
      if (draws.chance(0.3)) {
        Container init = spec.containers[0];
        init.readiness_probe.reset();
        init.liveness_probe.reset();
        init.is_sidecar = draws.chance(0.5);
        spec.init_containers.push_back(init);
      }
      if (draws.chance(0.3)) spec.containers.push_back(spec.containers[0]);
    })));
  }

  void mend() {
    w.api.set_availability(true, true);
    for (std::size_t n = 0; n < w.nodes.size(); ++n) {
      w.hosts.set_partition(w.host_ids[n], 0);
      w.hosts.reset(w.host_ids[n]);
      w.hosts.power_on(w.host_ids[n]);
    }
    for (const Ref<Pod> pod : pods) w.kubelets->set_unready(pod, Says::kFault, false);
    // What still leaks is deleted, so that the rest can come to rest.
    for (const Ref<Pod> pod : leaking) {
      if (!w.gone(pod)) w.api.remove(pod);
    }
    w.run_for(30min);
  }
  std::size_t pick(std::size_t size) { return static_cast<std::size_t>(draws.uniform_int(0, static_cast<std::int64_t>(size) - 1)); }

  KubeletWorld w;
  RandomStream draws;
  std::vector<Ref<Pod>> pods;
  std::vector<Ref<Pod>> leaking;
};

TEST(KubeletStorm, AfterwardsTheApiTellsTheTruth) {
  std::size_t alive = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Storm storm(seed);
    for (int i = 0; i < 200; ++i) storm.step();
    storm.mend();
    KubeletWorld& w = storm.w;
    for (std::size_t n = 0; n < w.nodes.size(); ++n) {
      SCOPED_TRACE(n);
      EXPECT_EQ(w.at(w.nodes[n]).ready, ConditionStatus::kTrue);
      EXPECT_TRUE(w.kubelets->heartbeat(w.nodes[n]).renewing);
      EXPECT_FALSE(w.at(w.nodes[n]).memory_pressure);
    }
    for (const Ref<Pod> ref : storm.pods) {
      if (w.gone(ref)) {
        EXPECT_FALSE(w.kubelets->is_really_running(ref));
        EXPECT_FALSE(w.kubelets->is_serving(ref));
        continue;
      }
      const Pod& pod = w.at(ref);
      SCOPED_TRACE(w.text(pod.meta.name));
      EXPECT_FALSE(pod.meta.is_deleting());
      if (pod.is_terminal()) {
        EXPECT_FALSE(w.kubelets->is_really_running(ref));
        continue;
      }
      // Jobs that fail over and over do not occur: exit code 0, so OnFailure pods end and Always pods run.
      EXPECT_EQ(pod.phase, PodPhase::kRunning);
      EXPECT_TRUE(pod.ready);
      EXPECT_TRUE(w.kubelets->is_serving(ref));
      ++alive;
    }
    // Deleting everything gives every byte back.
    for (const Ref<Pod> ref : storm.pods) {
      if (!w.gone(ref)) w.api.remove(ref);
    }
    w.run_for(5min);
    for (const Ref<Pod> ref : storm.pods) EXPECT_TRUE(w.gone(ref));
    for (const Ref<Node> node : w.nodes) EXPECT_EQ(w.kubelets->memory_used(node), 0);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(alive, 100u);  // the storm leaves something to look at
}

TEST(KubeletStorm, IsReproducible) {
  const auto hash = [](std::uint64_t seed) {
    Storm storm(seed);
    for (int i = 0; i < 100; ++i) storm.step();
    return event_log_hash(storm.w.engine, storm.w.log);
  };
  EXPECT_EQ(hash(3), hash(3));
  EXPECT_NE(hash(3), hash(4));
}

}  // namespace
}  // namespace sim::k8s
