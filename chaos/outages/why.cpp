#include "chaos/outages/why.hpp"

#include <algorithm>

namespace chaos {
namespace {

CauseStep step_of(const sim::EventLog& log, CauseId id) {
  const sim::EventLog::Record& record = log.at(id);
  return CauseStep{id, record.time, log.kind(record), log.subject(record), std::string(log.message(record)), {}};
}

/// More would not be read.
constexpr std::size_t kContributingMax = 16;

}  // namespace

std::string fault_at_root(const sim::EventLog& log, CauseId cause) {
  if (!cause) return {};
  // Not chain(): that makes a vector, and this is asked for every contributing record.
  const sim::EventLog::Record* record = &log.at(cause);
  const sim::EventLog::Record* before = record;
  while (record->cause) {
    before = record;
    record = &log.at(record->cause);
  }
  // What fails by itself, and a maintenance by its calendar, are injected by a record of their own.
  const sim::EventLog::Record* injected = log.kind(*record) == kFaultInjected ? record : log.kind(*before) == kFaultInjected ? before : nullptr;
  if (injected == nullptr) return {};
  const std::string& subject = log.subject(*injected);
  return subject.starts_with(kFaultSubject) ? subject.substr(kFaultSubject.size()) : subject;
}

Why explain(const sim::EventLog& log, CauseId cause, std::span<const CauseId> contributing, std::size_t steps_max) {
  Why why;
  if (!cause) return why;
  const std::vector<CauseId> chain = log.chain(cause);
  const std::size_t bound = std::max<std::size_t>(steps_max, 2);
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const bool shown = chain.size() <= bound || i + 1 < bound || i + 1 == chain.size();
    if (shown) {
      why.steps.push_back(step_of(log, chain[i]));
    } else {
      ++why.left_out;
    }
  }
  std::vector<CauseId> others;
  const auto add = [&](CauseId id) {
    if (!id || others.size() >= kContributingMax) return;
    if (std::any_of(why.steps.begin(), why.steps.end(), [&](const CauseStep& step) { return step.id == id; })) return;
    if (std::find(others.begin(), others.end(), id) != others.end()) return;
    others.push_back(id);
  };
  for (CauseId id : contributing) add(id);
  // Of the steps that are shown: a chain may be very long (a container that restarts for a month).
  for (const CauseStep& step : why.steps) {
    for (CauseId more : log.contributing(step.id)) add(more);
  }
  why.fault = fault_at_root(log, cause);
  for (CauseId id : others) {
    CauseStep& also = why.contributing.emplace_back(step_of(log, id));
    also.fault = fault_at_root(log, id);
    if (why.fault.empty()) why.fault = also.fault;
  }
  return why;
}

}  // namespace chaos
