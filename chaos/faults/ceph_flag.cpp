/// ceph-flag: somebody sets a flag of the OSD map (`ceph osd set noout`), and takes it back when the duration is over.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "sim/models/rook/rook.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct CephFlag : FaultSpec {
  std::string flag;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    if (environment.world().rook == nullptr) {
      problems.error("there is no Ceph in this scenario: it has no section 'ceph'");
    } else if (flag != "pause" && !sim::ceph::OsdMonitor::is_known_flag(flag)) {
      problems.error(fmt::format("'{}' is no flag that is modelled: noout, nodown, noup, noin, norebalance, norecover, nobackfill, pause", flag));
    }
  }
};

void describe(Fields<CephFlag>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "When it is unset again; without it, never.");
  fields.add("flag", &CephFlag::flag, "noout, nodown, noup, noin, norebalance, norecover, nobackfill or pause.").required();
}

class CephFlagInjection : public Injection {
 public:
  CephFlagInjection(InjectionContext context, const CephFlag& spec) : context_(std::move(context)), spec_(spec) {}
  std::vector<std::string> targets() const override { return {"CephCluster/" + context_.environment.world().rook->config().name_space}; }
  void inject() override {
    for (const std::string& flag : flags()) {
      context_.environment.hold(FaultEnvironment::Held::kCephFlag, thing(flag));
      context_.environment.world().rook->cluster().set_flag(flag, true);
    }
  }
  void end() override {
    for (const std::string& flag : flags()) {
      if (context_.environment.release(FaultEnvironment::Held::kCephFlag, thing(flag))) context_.environment.world().rook->cluster().set_flag(flag, false);
    }
  }

 private:
  std::vector<std::string> flags() const { return spec_.flag == "pause" ? std::vector<std::string>{"pauserd", "pausewr"} : std::vector<std::string>{spec_.flag}; }
  static FaultEnvironment::HeldThing thing(const std::string& flag) { return {sim::ceph::crush::osd_map_flag_bit(flag).value_or(0), 0}; }
  InjectionContext context_;
  const CephFlag& spec_;
};

std::unique_ptr<Injection> CephFlag::make(InjectionContext context) const { return std::make_unique<CephFlagInjection>(std::move(context), *this); }

}  // namespace

void add_ceph_flag(FaultKinds& kinds) { kinds.add<CephFlag>("ceph-flag", "A flag of Ceph's OSD map is set, such as noout."); }

}  // namespace chaos
