/// ceph-disk: the disk of OSDs fails, hangs, gets slower, or fills up with something else.
///
/// Source: reference platform 2.1 (slow and stuck disks), 2.3 (fullness).
#include <fmt/format.h>

#include <algorithm>

#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/models/rook/rook.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

enum class DiskFault : std::uint8_t { kFail, kHang, kSlow, kFill };

struct CephDisk : FaultSpec {
  std::vector<std::int64_t> osds;
  DiskFault action = DiskFault::kFail;
  double factor = 10.0;
  double used = 0.96;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    const sim::World& world = environment.world();
    if (world.rook == nullptr) {
      problems.error("there is no Ceph in this scenario: it has no section 'ceph'");
      return;
    }
    const auto count = std::ssize(world.rook->cluster().osds());
    for (std::size_t i = 0; i < osds.size(); ++i) {
      const std::int64_t osd = osds[i];
      if (osd < 0 || osd >= count) problems.error(fmt::format("there is no osd.{}: the OSDs are 0 to {}", osd, count - 1));
      if (std::find(osds.begin(), osds.begin() + static_cast<std::ptrdiff_t>(i), osd) != osds.begin() + static_cast<std::ptrdiff_t>(i)) {
        problems.error(fmt::format("osd.{} is listed twice", osd));
      }
    }
    if (osds.empty()) problems.error("'osds' names no OSD");
  }
};

void describe(Fields<CephDisk>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long. A disk that failed is replaced by an empty one then; without it, for ever.");
  fields.add("osds", &CephDisk::osds, "Numbers of the OSDs: [3, 7].").required()
      .choice("action", &CephDisk::action, {{"fail", DiskFault::kFail}, {"hang", DiskFault::kHang}, {"slow", DiskFault::kSlow}, {"fill", DiskFault::kFill}},
              "fail: errors, and what was on it is gone. hang: operations do not return. slow: by `factor`. fill: `used` of it is taken.")
      .add("factor", &CephDisk::factor, 1.0, 1e6, "With slow: how many times longer each operation takes.")
      .fraction("used", &CephDisk::used, "With fill: how full the disk is then.");
}

class CephDiskInjection : public Injection {
 public:
  CephDiskInjection(InjectionContext context, const CephDisk& spec) : context_(std::move(context)), spec_(spec) {}
  std::vector<std::string> targets() const override {
    std::vector<std::string> subjects;
    for (const std::int64_t osd : spec_.osds) subjects.push_back(fmt::format("osd.{}", osd));
    return subjects;
  }
  void inject() override {
    for (const std::int64_t id : spec_.osds) {
      const int osd = static_cast<int>(id);
      switch (spec_.action) {
        case DiskFault::kFail:
          environment().hold(Held::kCephDiskFailed, thing(osd));
          cluster().fail_disk(osd);
          break;
        case DiskFault::kHang:
          environment().hold(Held::kCephDiskHangs, thing(osd));
          cluster().stick_disk(osd);
          break;
        case DiskFault::kSlow: slow(osd, environment().put(Held::kCephDiskSlow, thing(osd), spec_.factor)); break;
        case DiskFault::kFill: {
          const sim::ceph::Osd& one = cluster().osd(osd);
          const double wanted = std::max(0.0, spec_.used * static_cast<double>(one.capacity) - static_cast<double>(one.pg_used));
          taken_.push_back(wanted);
          fill(osd, environment().put(Held::kCephDiskFilled, thing(osd), wanted));
          break;
        }
      }
    }
  }
  void end() override {
    for (std::size_t i = 0; i < spec_.osds.size(); ++i) {
      const int osd = static_cast<int>(spec_.osds[i]);
      switch (spec_.action) {
        case DiskFault::kFail:
          if (!environment().release(Held::kCephDiskFailed, thing(osd))) break;
          cluster().replace_disk(osd);
          // Without its pod the daemon starts when the pod does.
          if (rook().runs_osd(osd)) cluster().start_osd(osd);
          break;
        case DiskFault::kHang:
          if (environment().release(Held::kCephDiskHangs, thing(osd))) cluster().free_disk(osd);
          break;
        case DiskFault::kSlow: slow(osd, environment().take_back(Held::kCephDiskSlow, thing(osd), spec_.factor)); break;
        case DiskFault::kFill: fill(osd, environment().take_back(Held::kCephDiskFilled, thing(osd), taken_[i])); break;
      }
    }
  }

 private:
  using Held = FaultEnvironment::Held;
  static FaultEnvironment::HeldThing thing(int osd) { return {static_cast<std::uint64_t>(osd), 0}; }
  FaultEnvironment& environment() { return context_.environment; }
  sim::rook::Rook& rook() { return *environment().world().rook; }
  sim::ceph::CephCluster& cluster() { return rook().cluster(); }
  /// Several faults multiply.
  void slow(int osd, const std::vector<double>& factors) {
    double product = 1.0;
    for (const double factor : factors) product *= factor;
    cluster().slow_disk(osd, product);
  }
  /// Of several faults the one that takes most counts, and what was on the disk from the start.
  void fill(int osd, const std::vector<double>& taken) {
    double most = static_cast<double>(cluster().config().osds[static_cast<std::size_t>(osd)].other_used_bytes);
    for (const double bytes : taken) most = std::max(most, bytes);
    cluster().fill_disk(osd, static_cast<std::int64_t>(most));
  }

  InjectionContext context_;
  const CephDisk& spec_;
  std::vector<double> taken_;  // by OSD of the fault
};

std::unique_ptr<Injection> CephDisk::make(InjectionContext context) const { return std::make_unique<CephDiskInjection>(std::move(context), *this); }

}  // namespace

void add_ceph_disk(FaultKinds& kinds) { kinds.add<CephDisk>("ceph-disk", "The disk of OSDs fails, hangs, gets slower or fills up."); }

}  // namespace chaos
