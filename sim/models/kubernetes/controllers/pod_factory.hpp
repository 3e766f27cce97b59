/// Makes pods from templates, as the controllers' client and the API server's admission do together.
///
/// Source: apiserver pkg/storage/names/generate.go ("<base>-" cut to 58 + 5 of 27 letters, 8 tries; reference chapter 4.6);
///         admission as in api/admission.hpp.
/// Leaves out: what admission.hpp leaves out.
/// Checked by: tests/models/kubernetes/controllers/pod_factory_test.cpp.
///
/// Names come from a stream of the owner's own, so that another workload shifts no name.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "sim/core/random.hpp"
#include "sim/models/kubernetes/controllers/controller.hpp"

namespace sim::k8s {

/// The 32-bit hash of a template as the names of ReplicaSets and ControllerRevisions show it: decimal digits in the alphabet of generated names.
/// Source: apimachinery pkg/util/rand SafeEncodeString.
std::string encoded_hash(std::uint64_t template_hash);

/// The words of FailedCreate. `error`: why admission refused, or empty when the names are in use.
std::string refused_creation(std::string_view owner_name, std::string_view error);

class PodFactory {
 public:
  explicit PodFactory(const ControllerContext& context) : api_(context.api), random_(context.random) {}

  /// The spec as admission leaves it, one for all pods of a template. Null when the pod is refused; then `error` says why.
  std::shared_ptr<const PodSpec> admit(const PodTemplate& from, std::string& error);
  /// "<base>-xxxxx", not in use by a pod; Symbol{} after eight names in use. The stream is that of the owner's name.
  Symbol random_name(ObjectRef owner, const ObjectMeta& owner_meta, std::string_view base);
  void forget(ObjectRef owner) { names_.erase(owner); }

  /// A pod with this spec (already admitted), owned by `owner`.
  Pod make(const ObjectMeta& owner_meta, ObjectRef owner, const PodTemplate& from, std::shared_ptr<const PodSpec> spec, Symbol name) const;

 private:
  struct Admitted {
    std::shared_ptr<const PodSpec> given;
    std::shared_ptr<const PodSpec> result;
  };
  ApiServer& api_;
  const Randomness& random_;
  std::map<std::uint64_t, Admitted> admitted_;  // by hash of the template
  std::map<ObjectRef, RandomStream> names_;
};

}  // namespace sim::k8s
