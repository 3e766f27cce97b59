#include "chaos/outages/outages.hpp"

#include <fmt/format.h>

namespace chaos {

namespace {

struct FunctionOutage {
  Function function;
  OutageKind kind;
  const char* subject;
  const char* lost;
};
constexpr FunctionOutage kFunctionOutages[] = {
    {Function::kRead, OutageKind::kApiUnreadable, "kube-apiserver (read)", "unreadable"},
    {Function::kWrite, OutageKind::kApiUnwritable, "kube-apiserver (write)", "unwritable"},
    {Function::kQuorum, OutageKind::kEtcdNoQuorum, "etcd", "no quorum"},
    {Function::kScheduling, OutageKind::kNoScheduler, "kube-scheduler", "nobody schedules"},
    {Function::kReconciling, OutageKind::kNoControllerManager, "kube-controller-manager", "nobody reconciles"},
};

}  // namespace

void summarize_control_plane(const ControlPlaneObserver& observer, const SummaryOptions& options, Verdict& verdict) {
  for (const FunctionOutage& f : kFunctionOutages) {
    if (!options.wants(f.subject)) continue;
    const Signal& signal = observer.of(f.function);
    verdict.components.push_back(signal_stats(signal, f.subject, options.warm_up_end, options.end));
    if (options.only != nullptr) continue;
    tell_outages(signal, f.kind, Severity::kNotice, f.subject, options.warm_up_end, options, verdict);
    verdict.lanes.push_back(lane_of("control-plane", f.subject, signal, options.end, [&f](double value, SimDuration) {
      return value > 0.0 ? std::pair(std::string("ok"), Severity::kNone) : std::pair(std::string(f.lost), Severity::kNotice);
    }));
  }
}

}  // namespace chaos
