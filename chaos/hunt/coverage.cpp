#include "chaos/hunt/coverage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "chaos/hunt/instants.hpp"
#include "sim/core/hash.hpp"
#include "sim/models/rook/rook.hpp"
#include "sim/models/world.hpp"

namespace chaos::hunt {

struct Coverage::Seen {
  std::set<std::pair<std::uint32_t, std::uint32_t>> pg_states;  // (state, bucket of how many)
  std::set<std::uint32_t> pending;                              // buckets
  SimTime looked_at{SimDuration{-1}};
};

namespace {

std::uint32_t bucket(std::uint64_t count) { return static_cast<std::uint32_t>(std::bit_width(count)); }

}  // namespace

Coverage::Coverage(sim::World& world) : seen_(std::make_shared<Seen>()), world_(world) {
  // The world outlives its log's listeners.
  world.log.on_record([seen = seen_, &world](sim::CauseId, const sim::EventLog::Record& record) {
    if (record.time == seen->looked_at) return;
    seen->looked_at = record.time;
    seen->pending.insert(bucket(world.scheduler.pending_count()));
    if (world.rook == nullptr) return;
    for (const auto& [state, count] : world.rook->cluster().pgs().states()) seen->pg_states.insert({state, bucket(count)});
  });
}

std::vector<std::uint64_t> Coverage::features(const Verdict& verdict, const std::vector<double>& strain) const {
  const sim::EventLog& log = world_.log;
  std::vector<std::uint64_t> all;
  const auto add = [&all](const std::string& text) { all.push_back(sim::fnv1a(text)); };
  std::map<std::pair<sim::Symbol, std::string_view>, std::uint64_t> classes;
  std::set<std::pair<sim::Symbol, sim::Symbol>> pairs;
  for (const sim::EventLog::Record& record : log.records()) {
    ++classes[{record.kind, kind_of_subject(log.subject(record))}];
    if (record.cause) pairs.insert({log.at(record.cause).kind, record.kind});
  }
  for (const auto& [one, count] : classes) {
    const std::string& kind = world_.names.text(one.first);
    add(fmt::format("class {} {}", kind, one.second));
    add(fmt::format("count {} {} {}", kind, one.second, bucket(count)));
  }
  for (const auto& [cause, effect] : pairs) add(fmt::format("pair {} {}", world_.names.text(cause), world_.names.text(effect)));
  for (const auto& [state, count] : seen_->pg_states) add(fmt::format("pg {} {}", state, count));
  for (const std::uint32_t pending : seen_->pending) add(fmt::format("pending {}", pending));
  for (const Lane& lane : verdict.lanes) {
    if (lane.group == "fault") continue;
    for (const Lane::Interval& interval : lane.intervals) add(fmt::format("lane {} {} {}", lane.group, interval.state, lane.group == "node" ? std::string() : lane.subject));
  }
  for (std::size_t i = 0; i < strain.size(); ++i) {
    const double scaled = std::clamp(strain[i] * 16.0, 0.0, 1e9);
    add(fmt::format("strain {} {}", i, bucket(static_cast<std::uint64_t>(scaled))));
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::vector<double> strain_of(const Verdict& verdict) {
  std::vector<double> result;
  for (const ExpectationResult& expectation : verdict.expectations) {
    double most = expectation.not_judged.empty() ? 0.0 : 1.0;
    for (const Measure& measure : expectation.measures) {
      double share = 0.0;
      if (!measure.held) {
        share = 1.0 + std::abs(measure.excess) / std::max(std::abs(measure.bound), 1.0);
      } else if (measure.comparison == Comparison::kAtMost) {
        share = measure.bound > 0.0 ? measure.measured / measure.bound : 0.0;
      } else if (measure.unit == Unit::kRatio && measure.bound < 1.0) {
        share = (1.0 - measure.measured) / (1.0 - measure.bound);
      } else if (measure.measured > 0.0) {
        share = measure.bound / measure.measured;
      }
      most = std::max(most, std::min(share, 1e6));
    }
    result.push_back(most);
  }
  return result;
}

}  // namespace chaos::hunt
