#include "chaos/outages/outages.hpp"

#include <fmt/format.h>

namespace chaos {

void summarize_registries(const RegistryObserver& observer, const SummaryOptions& options, Verdict& verdict) {
  for (const RegistryHistory& registry : observer.histories()) {
    const std::string subject = "Registry/" + registry.host;
    if (!options.wants(subject)) continue;
    // What starts is not out; one that never came up is.
    Signal signal = registry.serves;
    if (signal.empty()) signal.set(SimTime{}, 0.0, observer.cause(registry));
    verdict.components.push_back(signal_stats(signal, subject, options.warm_up_end, options.end));
    if (options.only != nullptr) continue;
    // Nobody who runs notices; who must start does.
    tell_outages(signal, OutageKind::kRegistryDown, Severity::kNotice, subject, options.warm_up_end, options, verdict);
    verdict.lanes.push_back(lane_of("registry", subject, signal, options.end, [](double value, SimDuration length) {
      const bool works = value > 0.0;
      return std::pair(std::string(works ? "ok" : "no pulls"), works || length <= kTakeOver ? Severity::kNone : Severity::kNotice);
    }));
  }
}

}  // namespace chaos
