/// ceph: how available Ceph's quorum or one of its pools is, and that nothing is lost.
#include <fmt/format.h>

#include "chaos/checks/check_files.hpp"
#include "sim/models/rook/rook.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct CephExpectation : Expectation {
  std::string pool;  // empty: the quorum
  std::optional<double> availability;
  std::optional<SimDuration> longest_outage;
  std::optional<std::int64_t> lost_writes;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    if (preview.world.rook == nullptr) {
      problems.error("there is no Ceph in this scenario: it has no section 'ceph'");
      return;
    }
    if (pool.empty()) return;
    std::vector<std::string> known;
    for (const sim::ceph::PoolConfig& one : preview.world.rook->cluster().config().pools) {
      if (one.name == pool) return;
      known.push_back(one.name);
    }
    problems.error(fmt::format("Ceph has no pool '{}'; it has {}", pool, fmt::join(known, ", ")));
  }
};

void describe(Fields<CephExpectation>& fields) {
  describe_window(fields);
  fields.add("pool", &CephExpectation::pool, "The pool whose I/O is looked at: it is available while every one of its PGs answers writes. Without it: the quorum of monitors.")
      .default_text("")
      .fraction("availability", &CephExpectation::availability, "Works for at least this share of the time.")
      .add("longestOutage", &CephExpectation::longest_outage, "Never fails for longer than this.")
      .add("lostWrites", &CephExpectation::lost_writes, 0, 1'000'000'000'000, "At most so many acknowledged writes are lost for good, over all pools and the whole run.")
      .rule([](const CephExpectation& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (!e.availability && !e.longest_outage && !e.lost_writes) {
          reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give availability, longestOutage or lostWrites", e.name));
        }
      });
}

class CephCheck : public Check {
 public:
  explicit CephCheck(const CephExpectation& spec) : spec_(spec) {}

  void judge(const Judgement& run, ExpectationResult& result) override {
    const CephObserver& ceph = run.observers.ceph();
    result.subject = spec_.pool.empty() ? "Ceph/quorum" : "CephPool/" + spec_.pool;
    const Signal& signal = spec_.pool.empty() ? ceph.quorum() : ceph.pool(spec_.pool)->serves;
    if (spec_.availability || spec_.longest_outage) {
      Signal works;
      for (const Signal::Step& step : signal.steps()) works.set(step.at, step.value >= 1.0 ? 1.0 : 0.0, step.cause);
      if (spec_.availability) result.measures.push_back(measure_availability(works, *spec_.availability, result.from, result.to));
      if (spec_.longest_outage) result.measures.push_back(measure_longest("longestOutage", works, 1.0, *spec_.longest_outage, result.from, result.to));
    }
    if (spec_.lost_writes) {
      Measure measure;
      measure.name = "lostWrites";
      measure.unit = Unit::kCount;
      measure.comparison = Comparison::kAtMost;
      measure.bound = static_cast<double>(*spec_.lost_writes);
      measure.measured = static_cast<double>(ceph.lost_writes());
      measure.held = measure.measured <= measure.bound;
      measure.excess = measure.held ? 0.0 : measure.measured - measure.bound;
      if (!measure.held) {
        const sim::ceph::PlacementGroups& pgs = run.world.rook->cluster().pgs();
        for (std::uint32_t i = 0; i < pgs.size(); ++i) {
          if (pgs.pg(i).lost_writes == 0) continue;
          measure.cause = pgs.pg(i).cause;
          measure.first_violation = pgs.pg(i).changed;
          break;
        }
      }
      result.measures.push_back(std::move(measure));
    }
  }

 private:
  const CephExpectation& spec_;
};

std::unique_ptr<Check> CephExpectation::make(sim::World&, SimTime) const { return std::make_unique<CephCheck>(*this); }

}  // namespace

void add_ceph(ExpectationKinds& kinds) {
  kinds.add<CephExpectation>("ceph", "How available Ceph's quorum or one of its pools is, and that no acknowledged write is lost.");
}

}  // namespace chaos
