#include "chaos/outages/control_plane_observer.hpp"

namespace chaos {

using sim::k8s::Component;

const char* to_string(Function function) {
  switch (function) {
    case Function::kRead: return "api-read";
    case Function::kWrite: return "api-write";
    case Function::kQuorum: return "etcd-quorum";
    case Function::kScheduling: return "scheduler";
    case Function::kReconciling: return "controller-manager";
  }
  return "";
}

ControlPlaneObserver::ControlPlaneObserver(sim::Engine& engine, sim::k8s::ApiServer& api, sim::k8s::ControlPlane& control_plane)
    : engine_(engine), api_(api), control_plane_(control_plane) {}

void ControlPlaneObserver::start() {
  api_.on_availability([this] { look(); });
  control_plane_.on_leadership([this](Component, bool) { look(); });
  control_plane_.on_reachability([this] { look(); });
}

namespace {

/// How the log words the end of a function; empty subject: any.
struct Wording {
  std::string_view kind;
  std::string_view subject;
};
Wording wording(Function function) {
  switch (function) {
    case Function::kRead: return {"ApiServerUnavailable", {}};
    case Function::kWrite: return {"ControlPlaneUnwritable", {}};
    case Function::kQuorum: return {"EtcdQuorumLost", {}};
    case Function::kScheduling: return {"LeaderLost", "Lease/kube-system/kube-scheduler"};
    case Function::kReconciling: return {"LeaderLost", "Lease/kube-system/kube-controller-manager"};
  }
  return {};
}

/// The record of this very instant that tells of the end in so many words; else what is current. Callbacks come in one instant from several sides.
CauseId cause_of_end(sim::Engine& engine, const sim::EventLog& log, Function function) {
  const Wording wanted = wording(function);
  for (auto id = static_cast<std::uint32_t>(log.size()); id > 0; --id) {
    const sim::EventLog::Record& record = log.at(CauseId{id});
    if (record.time != engine.now()) break;
    if (log.kind(record) == wanted.kind && (wanted.subject.empty() || log.subject(record) == wanted.subject)) return CauseId{id};
  }
  return engine.cause();
}

}  // namespace

void ControlPlaneObserver::look() {
  const auto set = [this](Function function, bool works) {
    Signal& signal = signals_[static_cast<std::size_t>(function)];
    // Nothing new, unless a nearer record of this same instant has come since.
    if (!signal.empty() && signal.value() == (works ? 1.0 : 0.0) && signal.steps().back().at != engine_.now()) return;
    signal.set(engine_.now(), works ? 1.0 : 0.0, works ? engine_.cause() : cause_of_end(engine_, api_.log(), function));
  };
  set(Function::kRead, api_.readable());
  set(Function::kWrite, api_.writable());
  set(Function::kQuorum, control_plane_.has_quorum());
  set(Function::kScheduling, control_plane_.leads(Component::kScheduler));
  set(Function::kReconciling, control_plane_.leads(Component::kControllerManager));
}

}  // namespace chaos
