#include "sim/models/kubernetes/flow_control/flow_controller.hpp"

#include <algorithm>
#include <cmath>

#include "sim/core/check.hpp"
#include "sim/models/kubernetes/flow_control/concurrency_allocation.hpp"

namespace sim::k8s::flow_control {

namespace {
constexpr double kMostOfALevel = 0.15;  // what one request may take of it
}

FlowController::FlowController(const Configuration& configuration, int concurrency_limit, SimTime now) {
  std::vector<const PriorityLevel*> specs;
  double share_sum = 0;
  for (const PriorityLevel& spec : configuration.levels) {
    specs.push_back(&spec);
    share_sum += spec.shares;
  }
  // The real one keeps them in a hash map and prints them by name; no sum here depends on the order but for rounding.
  std::sort(specs.begin(), specs.end(), [](const PriorityLevel* a, const PriorityLevel* b) { return a->name < b->name; });
  for (const PriorityLevel* spec : specs) {
    const int nominal = static_cast<int>(std::ceil(static_cast<double>(concurrency_limit) * spec->shares / share_sum));
    const int lendable = static_cast<int>(std::round(static_cast<double>(nominal) * spec->lendable_percent / 100));
    const int borrows = spec->borrowing_limit_percent && !spec->is_exempt
                            ? static_cast<int>(std::round(static_cast<double>(nominal) * *spec->borrowing_limit_percent / 100))
                            : concurrency_limit;
    auto level = std::make_unique<Level>(*spec, nominal - lendable / 2, now);
    level->nominal_seats = nominal;
    level->min_seats = nominal - lendable;
    level->max_seats = nominal + borrows;
    level->current_seats = nominal - lendable / 2;
    if (spec->queuing.queues > 0) {
      level->max_request_seats = static_cast<std::int64_t>(
          std::max(1.0, std::min(std::ceil(nominal * kMostOfALevel), static_cast<double>(nominal / spec->queuing.hand_size))));
    }
    nominal_sum_ += nominal;
    Level* place = level.get();
    level->queues.on_seat_demand = [place](SimTime at, std::int64_t seats) { place->integrator.set(at, static_cast<double>(seats)); };
    level->queues.on_dispatch = [this](std::uint64_t tag, QueueSet::RequestId id) {
      if (on_dispatch) on_dispatch(tag, id);
    };
    levels_.push_back(std::move(level));
  }
  schemas_ = configuration.schemas;
  const auto level_index = [&](const std::string& name) {
    const auto found = std::find_if(levels_.begin(), levels_.end(), [&](const auto& level) { return level->spec.name == name; });
    return found == levels_.end() ? UINT32_MAX : static_cast<std::uint32_t>(found - levels_.begin());
  };
  // A schema whose level does not exist is passed over.
  std::erase_if(schemas_, [&](const FlowSchema& schema) { return level_index(schema.level) == UINT32_MAX; });
  std::sort(schemas_.begin(), schemas_.end(), [](const FlowSchema& a, const FlowSchema& b) {
    return a.precedence != b.precedence ? a.precedence < b.precedence : a.name < b.name;
  });
  for (const FlowSchema& schema : schemas_) level_of_.push_back(level_index(schema.level));
  adjust(now);
}

Flow FlowController::classify(const RequestInfo& request) const {
  auto found = std::find_if(schemas_.begin(), schemas_.end(), [&](const FlowSchema& schema) { return schema.matches(request); });
  if (found == schemas_.end()) {
    found = std::find_if(schemas_.begin(), schemas_.end(), [](const FlowSchema& schema) { return schema.name == "catch-all"; });
    SIM_CHECK(found != schemas_.end(), "catch-all is mandatory");
  }
  Flow flow;
  flow.schema = static_cast<std::uint32_t>(found - schemas_.begin());
  flow.level = level_of_[flow.schema];
  if (levels_[flow.level]->spec.queuing.queues > 1) {
    using D = FlowSchema::Distinguisher;
    if (found->distinguisher != D::kNone) flow.distinguisher = found->distinguisher == D::kByUser ? request.user : request.ns;
    flow.hash = hash_flow(found->name, flow.distinguisher);
  }
  return flow;
}

FlowController::Started FlowController::start(SimTime now, const Flow& flow, const WorkEstimate& work, std::uint64_t tag) {
  return levels_[flow.level]->queues.start(now, work, flow.hash, tag);
}

bool FlowController::is_empty() const {
  return std::all_of(levels_.begin(), levels_.end(), [](const auto& level) { return level->queues.is_empty(); });
}

void FlowController::adjust(SimTime now) {
  std::vector<ConcurrencyClass> classes;
  int remaining = nominal_sum_;
  int min_sum = 0;
  int min_current_sum = 0;
  // No lower than what it needed of its own seats lately, and than what it does not lend.
  const auto min_current = [](const Level& level) {
    return level.spec.is_exempt ? std::max(level.min_seats, level.demand.high_watermark)
                                : std::max(level.min_seats, std::min(level.nominal_seats, level.demand.high_watermark));
  };
  for (const auto& level : levels_) {
    level->demand.update(level->integrator.reset(now));
    const int least = min_current(*level);
    if (level->spec.is_exempt) {
      remaining -= least;
      continue;
    }
    const double target = std::max(static_cast<double>(least), level->demand.smoothed);
    classes.push_back({static_cast<double>(least), static_cast<double>(level->max_seats), target});
    level->target = target;
    min_sum += level->min_seats;
    min_current_sum += least;
  }
  std::optional<ConcurrencyAllocation> allocation;
  const bool divides = remaining > min_sum && remaining > min_current_sum;
  if (divides) allocation = allocate_concurrency(nominal_sum_, classes);
  const double share = !divides && remaining > min_sum ? static_cast<double>(remaining - min_sum) / (min_current_sum - min_sum) : 0;
  std::size_t next = 0;
  for (const auto& level : levels_) {
    int seats = level->current_seats;
    if (level->spec.is_exempt) {
      seats = min_current(*level);
    } else {
      const std::size_t index = next++;
      if (remaining <= min_sum) {
        seats = level->min_seats;
      } else if (!divides) {
        seats = level->min_seats + static_cast<int>(std::round((min_current(*level) - level->min_seats) * share));
      } else if (allocation) {
        seats = static_cast<int>(std::round(allocation->seats[index]));
      }
    }
    level->current_seats = seats;
    level->queues.set_concurrency_limit(now, seats);
  }
}

}  // namespace sim::k8s::flow_control
