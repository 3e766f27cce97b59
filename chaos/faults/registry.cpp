/// registry: a registry does not answer, refuses, is slow, or lacks images. What takes a registry in the cluster apart piece by piece (its pods, nodes,
/// volumes) are the other kinds.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "sim/models/registry/registries.hpp"

namespace chaos {
namespace {

using sim::registry::Registries;
using sim::scenario::Fields;

enum class How : std::uint8_t { kDown, kRefused, kUnauthorized, kRateLimited, kSlow, kImageMissing };

struct RegistryFault : FaultSpec {
  std::string registry;
  How how = How::kDown;
  std::optional<double> bytes_per_second;
  std::optional<SimDuration> latency;
  std::vector<std::string> images;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    const Registries* registries = environment.world().registries.get();
    if (registries == nullptr) {
      problems.error("there are no registries in this scenario: it has no section 'registries'");
      return;
    }
    std::vector<std::string> known;
    for (std::size_t i = 0; i < registries->size(); ++i) {
      if (registries->is_observed(i)) known.push_back(registries->host(i));
    }
    if (std::find(known.begin(), known.end(), registry) == known.end()) problems.unknown("registry", registry, known);
  }
};

void describe(Fields<RegistryFault>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long; without it, for ever.");
  fields.add("registry", &RegistryFault::registry, "The registry, by host.").required()
      .choice("how", &RegistryFault::how,
              {{"down", How::kDown}, {"refused", How::kRefused}, {"unauthorized", How::kUnauthorized}, {"rate-limited", How::kRateLimited},
               {"slow", How::kSlow}, {"image-missing", How::kImageMissing}},
              "down: packets to it are lost; refused: nobody listens; unauthorized: 401 for all credentials; rate-limited: 429; slow: see bandwidth and "
              "latency; image-missing: 404 for `images` (a tag that was deleted, or never pushed).")
      .bytes_per_second("bandwidth", &RegistryFault::bytes_per_second, "Of slow: what it sends in all.")
      .add("latency", &RegistryFault::latency, "Of slow: the median time until the first blob.")
      .add("images", &RegistryFault::images, "Of image-missing: patterns (* and ?) of full image names.")
      .rule([](const RegistryFault& fault, sim::scenario::Node node, sim::scenario::Reader& reader) {
        auto& told = reader.diagnostics;
        const bool slow = fault.how == How::kSlow;
        if (slow && !fault.bytes_per_second && !fault.latency) told.error(node, "a slow registry needs 'bandwidth' or 'latency'");
        if (!slow && fault.bytes_per_second) told.error(node.find("bandwidth"), "'bandwidth' is for how: slow");
        if (!slow && fault.latency) told.error(node.find("latency"), "'latency' is for how: slow");
        const bool missing = fault.how == How::kImageMissing;
        if (missing && fault.images.empty()) told.error(node, "which images are missing? give 'images'");
        if (!missing && !fault.images.empty()) told.error(node.find("images"), "'images' is for how: image-missing");
      });
}

class RegistryInjection : public Injection {
 public:
  RegistryInjection(InjectionContext context, const RegistryFault& spec) : context_(std::move(context)), spec_(spec) {}
  std::vector<std::string> targets() const override { return {"Registry/" + spec_.registry}; }
  void inject() override { set(true); }
  void end() override { set(false); }

 private:
  void set(bool on) {
    Registries& registries = *context_.environment.world().registries;
    const std::size_t registry = registries.find(spec_.registry);
    switch (spec_.how) {
      case How::kDown: registries.set_fault(registry, Registries::Fault::kDown, on); return;
      case How::kRefused: registries.set_fault(registry, Registries::Fault::kRefused, on); return;
      case How::kUnauthorized: registries.set_fault(registry, Registries::Fault::kDenied, on); return;
      case How::kRateLimited: registries.set_fault(registry, Registries::Fault::kTooMany, on); return;
      case How::kSlow:
        registries.set_slow(registry, spec_.bytes_per_second.value_or(sim::SharedBandwidth::kNoLimit), spec_.latency.value_or(SimDuration{}), on);
        return;
      case How::kImageMissing:
        for (const std::string& pattern : spec_.images) registries.set_missing(registry, pattern, on);
        return;
    }
  }
  InjectionContext context_;
  const RegistryFault& spec_;
};

std::unique_ptr<Injection> RegistryFault::make(InjectionContext context) const { return std::make_unique<RegistryInjection>(std::move(context), *this); }

}  // namespace

void add_registry_fault(FaultKinds& kinds) { kinds.add<RegistryFault>("registry", "An image registry does not answer, refuses, is slow, or lacks images."); }

}  // namespace chaos
