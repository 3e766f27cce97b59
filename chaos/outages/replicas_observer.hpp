/// Whether Deployments, StatefulSets and DaemonSets have as many pods that are ready as they want, as the API says, over time.
///
/// It follows the pods, which somebody watches anyway: what looks on does not take part in the run.
/// Leaves out: minReadySeconds; a workload of which no pod was ever made and none was refused.
/// Checked by: tests/chaos/replicas_observer_test.cpp.
#pragma once

#include <deque>
#include <map>
#include <string_view>
#include <vector>

#include "chaos/outages/signal.hpp"
#include "sim/core/event_log.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"

namespace chaos {

struct ReplicasHistory {
  sim::k8s::Kind kind = sim::k8s::Kind::kDeployment;
  sim::Symbol ns;
  sim::Symbol name;
  /// 1 while as many are ready as are wanted, else 0.
  Signal enough;
  /// Pods that could not be made for it, or of it that did not start (FailedCreate, FailedScheduling, Failed, FailedMount, FailedAttachVolume): the records.
  struct Refusal {
    SimTime at{};
    CauseId record{};
  };
  std::vector<Refusal> refusals;
};

class ReplicasObserver {
 public:
  ReplicasObserver(sim::k8s::ApiServer& api, sim::EventLog& log) : api_(api), log_(log) {}
  ReplicasObserver(const ReplicasObserver&) = delete;
  ReplicasObserver& operator=(const ReplicasObserver&) = delete;
  void start();
  void pod_changed(const sim::k8s::WatchEvent& event);
  /// By kind, namespace and name.
  std::vector<const ReplicasHistory*> histories() const;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Workload {
    ReplicasHistory history;
    std::int64_t ready = 0;
  };
  struct Known {
    std::uint32_t generation = 0;
    std::uint32_t workload = kNone;
    bool ready = false;
  };
  void note(sim::k8s::Ref<sim::k8s::Pod> ref, const sim::k8s::Pod* pod);
  void look_at(Workload& workload);
  void refused(CauseId id, const sim::EventLog::Record& record);
  /// The workload that something belongs to, by its owners; kNone: to none of those.
  std::uint32_t workload_of(const sim::k8s::ObjectMeta& owned);
  std::uint32_t workload(sim::k8s::Kind kind, const sim::k8s::ObjectMeta& meta);

  sim::k8s::ApiServer& api_;
  sim::EventLog& log_;
  std::vector<sim::Symbol> refusals_;  // kinds of records
  struct Key {
    sim::k8s::Kind kind;
    sim::Symbol ns;
    sim::Symbol name;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  std::map<Key, std::uint32_t> index_;
  std::deque<Workload> workloads_;
  std::vector<Known> pods_;  // by slot
};

}  // namespace chaos
