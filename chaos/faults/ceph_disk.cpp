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
    for (const std::int64_t osd : osds) {
      if (osd < 0 || osd >= count) problems.error(fmt::format("there is no osd.{}: the OSDs are 0 to {}", osd, count - 1));
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
        case DiskFault::kFail: cluster().fail_disk(osd); break;
        case DiskFault::kHang: cluster().stick_disk(osd); break;
        case DiskFault::kSlow: cluster().slow_disk(osd, spec_.factor); break;
        case DiskFault::kFill: {
          const sim::ceph::Osd& one = cluster().osd(osd);
          before_.push_back(one.other_used);
          const auto wanted = static_cast<std::int64_t>(spec_.used * static_cast<double>(one.capacity)) - one.pg_used;
          cluster().fill_disk(osd, std::max(one.other_used, wanted));
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
          cluster().replace_disk(osd);
          cluster().start_osd(osd);
          break;
        case DiskFault::kHang: cluster().free_disk(osd); break;
        case DiskFault::kSlow: cluster().slow_disk(osd, 1.0); break;
        case DiskFault::kFill: cluster().fill_disk(osd, before_[i]); break;
      }
    }
  }

 private:
  sim::ceph::CephCluster& cluster() { return context_.environment.world().rook->cluster(); }
  InjectionContext context_;
  const CephDisk& spec_;
  std::vector<std::int64_t> before_;
};

std::unique_ptr<Injection> CephDisk::make(InjectionContext context) const { return std::make_unique<CephDiskInjection>(std::move(context), *this); }

}  // namespace

void add_ceph_disk(FaultKinds& kinds) { kinds.add<CephDisk>("ceph-disk", "The disk of OSDs fails, hangs, gets slower or fills up."); }

}  // namespace chaos
