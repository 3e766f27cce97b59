#include "chaos/outages/outages.hpp"

#include <fmt/format.h>

namespace chaos {

void summarize_ceph(const CephObserver& observer, const SummaryOptions& options, Verdict& verdict) {
  if (!observer.present()) return;
  const auto add = [&](const Signal& signal, OutageKind kind, Severity severity, const std::string& subject, std::string_view lost) {
    if (!options.wants(subject)) return;
    verdict.components.push_back(signal_stats(signal, subject, options.warm_up_end, options.end));
    if (options.only != nullptr) return;
    tell_outages(signal, kind, severity, subject, options.warm_up_end, options, verdict);
    verdict.lanes.push_back(lane_of("storage", subject, signal, options.end, [&](double value, SimDuration length) {
      const bool works = value >= 1.0;
      const std::string state = works ? "ok" : value > 0.0 ? fmt::format("{} of {:.0f} %", lost, 100.0 * (1.0 - value)) : std::string(lost);
      return std::pair(state, works || length <= kTakeOver ? Severity::kNone : severity);
    }));
  };
  add(observer.quorum(), OutageKind::kMonNoQuorum, Severity::kAlert, "Ceph/quorum", "no quorum");
  for (const CephPoolHistory& pool : observer.pools()) add(pool.serves, OutageKind::kCephPoolBlocked, Severity::kAlert, "CephPool/" + pool.name, "I/O blocked");
  for (const CephServiceHistory& fs : observer.file_systems()) add(fs.serves, OutageKind::kCephFsUnavailable, Severity::kAlert, "CephFS/" + fs.name, "metadata requests hang");
  for (const CephServiceHistory& store : observer.object_stores()) {
    if (!store.serves.empty()) add(store.serves, OutageKind::kObjectStoreBlocked, Severity::kAlert, "ObjectStore/" + store.name, "requests hang");
  }
}

}  // namespace chaos
