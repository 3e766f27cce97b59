#include "chaos/outages/outages.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace chaos {

namespace {

/// Below this, self-healing has it: a dead node is NotReady after 50 s, its pods are evicted after 300 s more, and their replacements start.
constexpr SimDuration kSelfHealing = std::chrono::minutes(10);

}  // namespace

void summarize_replicas(const ReplicasObserver& observer, const sim::Interner& names, const SummaryOptions& options, Verdict& verdict) {
  for (const ReplicasHistory* workload : observer.histories()) {
    const std::string subject = fmt::format("{}/{}/{}", sim::k8s::to_string(workload->kind), names.text(workload->ns), names.text(workload->name));
    for (const Span& span : spans_below(workload->enough, 1.0, SimTime{}, options.end)) {
      if (span.length() <= kSelfHealing || span.end <= options.warm_up_end) continue;
      Outage outage = outage_of(OutageKind::kReplicasMissing, Severity::kNotice, subject, span, options);
      // Why they are still missing goes before why they went.
      const auto refusal = std::find_if(workload->refusals.rbegin(), workload->refusals.rend(),
                                        [&](const ReplicasHistory::Refusal& one) { return one.at >= span.start && one.at < span.end; });
      if (refusal != workload->refusals.rend()) {
        if (outage.cause) outage.contributing.push_back(outage.cause);
        outage.cause = refusal->record;
      }
      verdict.outages.push_back(std::move(outage));
    }
  }
}

}  // namespace chaos
