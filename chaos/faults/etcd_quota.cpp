/// etcd-quota: the database grows to a size; over its quota etcd raises NOSPACE and refuses writes, until it is compacted, defragmented
/// and the alarm is cleared (the end of the fault).
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct EtcdQuota : FaultSpec {
  std::int64_t size = 16ll << 30;  // above every quota that etcd recommends (8 GiB)

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    if (environment.world().control_plane.member_count() == 0) problems.error("there is no etcd: this scenario has no control-plane nodes");
    if (size <= 0) problems.error("'size' must be more than 0");
  }
};

void describe(Fields<EtcdQuota>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long until somebody defragments it and clears the alarm; without it, for ever.");
  fields.bytes("size", &EtcdQuota::size, "What the database grows to. Over the quota (controlPlane.etcd) writes are refused.");
}

class EtcdQuotaInjection : public Injection {
 public:
  EtcdQuotaInjection(InjectionContext context, const EtcdQuota& spec) : context_(std::move(context)), spec_(spec) {}
  std::vector<std::string> targets() const override { return {"etcd"}; }
  void inject() override { context_.environment.world().control_plane.set_etcd_size(spec_.size); }
  void end() override {
    context_.environment.world().control_plane.set_etcd_size(0);
    context_.environment.world().control_plane.clear_alarm();
  }

 private:
  InjectionContext context_;
  const EtcdQuota& spec_;
};

std::unique_ptr<Injection> EtcdQuota::make(InjectionContext context) const {
  return std::make_unique<EtcdQuotaInjection>(std::move(context), *this);
}

}  // namespace

void add_etcd_quota(FaultKinds& kinds) {
  kinds.add<EtcdQuota>("etcd-quota", "etcd's database grows over its quota: writes are refused until the alarm is cleared.");
}

}  // namespace chaos
