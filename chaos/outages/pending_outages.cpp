#include "chaos/outages/outages.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace chaos {

void summarize_pending(const PendingObserver& observer, const sim::Interner& names, const SummaryOptions& options, Verdict& verdict) {
  verdict.pods_pending_long = observer.left_out();
  for (const PendingSpan& span : observer.spans(options.end)) {
    if (span.end <= options.warm_up_end) continue;
    ++verdict.pods_pending_long;
    verdict.pods_pending_longest = std::max(verdict.pods_pending_longest, span.end - span.start);
    Outage outage;
    outage.kind = OutageKind::kPodPending;
    outage.severity = Severity::kNotice;
    outage.subject = fmt::format("Pod/{}/{}", names.text(span.ns), names.text(span.name));
    outage.start = span.start;
    outage.end = span.end;
    outage.open = span.open;
    outage.cause = span.cause;
    if (span.created_by && span.created_by != span.cause) outage.contributing.push_back(span.created_by);
    verdict.outages.push_back(std::move(outage));
  }
}

}  // namespace chaos
