/// ceph: how available Ceph's quorum, one of its pools, file systems or object stores is, and that nothing is lost.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/checks/check_files.hpp"
#include "sim/models/rook/rook.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct CephExpectation : Expectation {
  std::string pool;  // with none of the three: the quorum
  std::string filesystem;
  std::string object_store;
  std::optional<double> availability;
  std::optional<SimDuration> longest_outage;
  std::optional<std::int64_t> lost_writes;
  std::optional<SimDuration> write_latency;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    if (preview.world.rook == nullptr) {
      problems.error("there is no Ceph in this scenario: it has no section 'ceph'");
      return;
    }
    const sim::ceph::CephCluster& cluster = preview.world.rook->cluster();
    const auto look_up = [&problems](std::string_view what, const std::string& wanted, const std::vector<std::string>& known) {
      if (wanted.empty() || std::find(known.begin(), known.end(), wanted) != known.end()) return;
      problems.error(fmt::format("Ceph has no {} '{}'; it has {}", what, wanted, known.empty() ? std::string("none") : fmt::format("{}", fmt::join(known, ", "))));
    };
    std::vector<std::string> pools;
    std::vector<std::string> file_systems;
    std::vector<std::string> object_stores;
    for (const sim::ceph::PoolConfig& one : cluster.config().pools) pools.push_back(one.name);
    for (std::size_t fs = 0; fs < cluster.file_systems().size(); ++fs) file_systems.push_back(cluster.file_systems().at(fs).config.name);
    for (std::size_t store = 0; store < preview.world.rook->object_stores().size(); ++store) object_stores.push_back(preview.world.rook->object_stores().name(store));
    look_up("pool", pool, pools);
    look_up("file system", filesystem, file_systems);
    look_up("object store", object_store, object_stores);
  }
};

void describe(Fields<CephExpectation>& fields) {
  describe_window(fields);
  fields.add("pool", &CephExpectation::pool, "The pool whose I/O is looked at: it is available while every one of its PGs answers writes. Without it, filesystem and objectStore: the quorum of monitors.")
      .default_text("")
      .add("filesystem", &CephExpectation::filesystem, "The file system that is looked at: it is available while every rank answers metadata requests.")
      .default_text("")
      .add("objectStore", &CephExpectation::object_store, "The object store that is looked at: it is available while its gateways answer every request.")
      .default_text("")
      .fraction("availability", &CephExpectation::availability, "Works for at least this share of the time.")
      .add("longestOutage", &CephExpectation::longest_outage, "Never fails for longer than this.")
      .add("writeLatency", &CephExpectation::write_latency, "With pool: a write takes at most this, also to its slowest placement group.")
      .add("lostWrites", &CephExpectation::lost_writes, 0, 1'000'000'000'000, "At most so many acknowledged writes are lost for good, over all pools and the whole run.")
      .rule([](const CephExpectation& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if ((e.pool.empty() ? 0 : 1) + (e.filesystem.empty() ? 0 : 1) + (e.object_store.empty() ? 0 : 1) > 1) {
          reader.diagnostics.error(node, fmt::format("expectation '{}' looks at one thing: a pool, a file system or an object store; make several of it", e.name));
        }
        if (!e.availability && !e.longest_outage && !e.lost_writes && !e.write_latency) {
          reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give availability, longestOutage, lostWrites or writeLatency", e.name));
        }
        if (e.write_latency && e.pool.empty()) {
          reader.diagnostics.error(node.find("writeLatency"), fmt::format("expectation '{}' has a writeLatency and no pool whose writes it is about", e.name));
        }
      });
}

class CephCheck : public Check {
 public:
  explicit CephCheck(const CephExpectation& spec) : spec_(spec) {}

  void judge(const Judgement& run, ExpectationResult& result) override {
    const CephObserver& ceph = run.observers.ceph();
    const Signal& signal = signal_of(ceph, result.subject);
    if (spec_.availability || spec_.longest_outage) {
      Signal works;
      for (const Signal::Step& step : signal.steps()) works.set(step.at, step.value >= 1.0 ? 1.0 : 0.0, step.cause);
      if (spec_.availability) result.measures.push_back(measure_availability(works, *spec_.availability, result.from, result.to));
      if (spec_.longest_outage) result.measures.push_back(measure_longest("longestOutage", works, 1.0, *spec_.longest_outage, result.from, result.to));
    }
    if (spec_.write_latency) {
      Measure measure;
      measure.name = "writeLatency";
      measure.unit = Unit::kSeconds;
      measure.comparison = Comparison::kAtMost;
      measure.bound = sim::seconds(*spec_.write_latency);
      const std::vector<Signal::Step>& steps = ceph.pool(spec_.pool)->latency.steps();
      for (std::size_t i = 0; i < steps.size(); ++i) {
        const SimTime until = i + 1 < steps.size() ? steps[i + 1].at : result.to;
        if (until <= result.from || steps[i].at >= result.to) continue;
        if (steps[i].value > measure.bound && !measure.first_violation) measure.first_violation = std::max(steps[i].at, result.from);
        if (steps[i].value <= measure.measured) continue;
        measure.measured = steps[i].value;
        measure.cause = steps[i].cause;
      }
      measure.held = measure.measured <= measure.bound;
      measure.excess = measure.held ? 0.0 : measure.measured - measure.bound;
      result.measures.push_back(std::move(measure));
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
  const Signal& signal_of(const CephObserver& ceph, std::string& subject) const {
    if (!spec_.filesystem.empty()) {
      subject = "CephFS/" + spec_.filesystem;
      return ceph.file_system(spec_.filesystem)->serves;
    }
    if (!spec_.object_store.empty()) {
      subject = "ObjectStore/" + spec_.object_store;
      return ceph.object_store(spec_.object_store)->serves;
    }
    subject = spec_.pool.empty() ? "Ceph/quorum" : "CephPool/" + spec_.pool;
    return spec_.pool.empty() ? ceph.quorum() : ceph.pool(spec_.pool)->serves;
  }
  const CephExpectation& spec_;
};

std::unique_ptr<Check> CephExpectation::make(sim::World&, SimTime) const { return std::make_unique<CephCheck>(*this); }

}  // namespace

void add_ceph(ExpectationKinds& kinds) {
  kinds.add<CephExpectation>("ceph", "How available Ceph's quorum, one of its pools, file systems or object stores is, and that no acknowledged write is lost.");
}

}  // namespace chaos
