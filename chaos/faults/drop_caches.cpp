/// drop-caches: somebody writes to /proc/sys/vm/drop_caches: clean page cache goes, or dentries and inodes, or both, and the dying memory cgroups that
/// they kept.
///
/// Source: reference platform 9.2, 9.3.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct DropCachesFault : FaultSpec {
  NodeTarget target;
  sim::host::DropCaches what = sim::host::DropCaches::kBoth;

  Lasting lasting() const override { return Lasting::kInstant; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override { target.check(environment, problems); }
};

void describe(Fields<DropCachesFault>& fields) {
  using sim::host::DropCaches;
  describe_schedule(fields);
  fields.add("target", &DropCachesFault::target, "Which nodes.").required()
      .choice("what", &DropCachesFault::what,
              {{"page-cache", DropCaches::kPageCache}, {"slab", DropCaches::kSlab}, {"both", DropCaches::kBoth}},
              "What is dropped: echo 1, 2 or 3.");
}

class DropCachesInjection : public NodeInjection {
 public:
  DropCachesInjection(InjectionContext context, const DropCachesFault& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {}
  void inject() override {
    for (const sim::k8s::Ref<sim::k8s::Node> node : nodes_) world().kubelets.drop_caches(node, spec_.what);
  }

 private:
  const DropCachesFault& spec_;
};

std::unique_ptr<Injection> DropCachesFault::make(InjectionContext context) const {
  return std::make_unique<DropCachesInjection>(std::move(context), *this);
}

}  // namespace

void add_drop_caches(FaultKinds& kinds) {
  kinds.add<DropCachesFault>("drop-caches", "Somebody drops the page cache, or dentries and inodes, or both.");
}

}  // namespace chaos
