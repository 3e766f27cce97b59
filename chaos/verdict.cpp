#include "chaos/verdict.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace chaos {

const char* to_string(Severity severity) {
  switch (severity) {
    case Severity::kNone: return "none";
    case Severity::kNotice: return "notice";
    case Severity::kAlert: return "alert";
  }
  return "";
}

const char* to_string(Unit unit) {
  switch (unit) {
    case Unit::kRatio: return "ratio";
    case Unit::kSeconds: return "seconds";
    case Unit::kCount: return "count";
    case Unit::kBytes: return "bytes";
  }
  return "";
}

const char* to_string(Comparison comparison) { return comparison == Comparison::kAtLeast ? ">=" : "<="; }

const char* to_string(OutageKind kind) {
  switch (kind) {
    case OutageKind::kServiceDown: return "service-down";
    case OutageKind::kServiceDegraded: return "service-degraded";
    case OutageKind::kApiUnreadable: return "api-unreadable";
    case OutageKind::kApiUnwritable: return "api-unwritable";
    case OutageKind::kEtcdNoQuorum: return "etcd-no-quorum";
    case OutageKind::kNoScheduler: return "no-scheduler";
    case OutageKind::kNoControllerManager: return "no-controller-manager";
    case OutageKind::kNodeNotReady: return "node-not-ready";
    case OutageKind::kNodeDown: return "node-down";
    case OutageKind::kPodPending: return "pod-pending";
    case OutageKind::kMonNoQuorum: return "ceph-no-quorum";
    case OutageKind::kCephPoolBlocked: return "ceph-pool-blocked";
    case OutageKind::kCephFsUnavailable: return "cephfs-unavailable";
    case OutageKind::kObjectStoreBlocked: return "object-store-blocked";
    case OutageKind::kRegistryDown: return "registry-down";
    case OutageKind::kOperationImpossible: return "operation-impossible";
    case OutageKind::kOperationDegraded: return "operation-degraded";
    case OutageKind::kPlatformServiceDown: return "platform-service-down";
    case OutageKind::kPlatformServiceDegraded: return "platform-service-degraded";
    case OutageKind::kVmsStopped: return "vms-stopped";
    case OutageKind::kVmsUnreachable: return "vms-unreachable";
    case OutageKind::kReplicasMissing: return "replicas-missing";
    case OutageKind::kRequestsFailing: return "requests-failing";
  }
  return "";
}

std::string format_figure(Unit unit, double value) {
  switch (unit) {
    case Unit::kRatio: {
      // 99.9995 % must not read as 100 %: as many digits as it takes to differ from that, six at most.
      const double percent = value * 100.0;
      for (int digits = 2; digits < 6; ++digits) {
        std::string text = fmt::format("{:.{}f} %", percent, digits);
        if (percent >= 100.0 || text != fmt::format("{:.{}f} %", 100.0, digits)) return text;
      }
      return fmt::format("{:.6f} %", percent);
    }
    case Unit::kSeconds: {
      std::string text = sim::humanize(sim::from_seconds(value));
      // A bound of 5s reads as it was written.
      if (text.ends_with(".00s")) text.replace(text.size() - 4, 4, "s");
      return text;
    }
    case Unit::kCount: return fmt::format("{:.0f}", value);
    case Unit::kBytes: {
      constexpr double kKiB = 1024.0;
      const char* const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
      std::size_t unit_index = 0;
      while (std::abs(value) >= kKiB && unit_index + 1 < std::size(names)) {
        value /= kKiB;
        ++unit_index;
      }
      return fmt::format("{:.{}f} {}", value, value == std::floor(value) ? 0 : 1, names[unit_index]);
    }
  }
  return "";
}

}  // namespace chaos
