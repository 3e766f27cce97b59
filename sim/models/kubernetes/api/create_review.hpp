/// What admission webhooks say of a new object, for whoever makes one while the simulation runs.
///
/// Source: apiserver pkg/admission/plugin/webhook: models/webhooks is what stands behind it.
#pragma once

#include <string>

#include "sim/core/cause.hpp"
#include "sim/core/symbol.hpp"
#include "sim/core/time.hpp"
#include "sim/models/kubernetes/api/labels.hpp"
#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s {

struct CreateReview {
  bool allowed = true;
  std::string message;  // of a refusal, as the client gets it: "Internal error occurred: failed calling webhook ..."
  CauseId cause{};      // of a refusal: why the webhook does not answer
  SimDuration took{};   // until the answer: what time-outs cost
};

class CreateReviewer {
 public:
  virtual ~CreateReviewer() = default;
  /// Of a POST of an object of this kind: a pod, a ReplicaSet or a Job.
  virtual CreateReview review(Kind kind, Symbol ns, const Labels& labels) = 0;
};

}  // namespace sim::k8s
