/// TTL-after-finished controller: deletes a Job ttlSecondsAfterFinished after it ended, dependents first.
///
/// Source: pkg/controller/ttlafterfinished (reference chapter 2.5).
/// Checked by: tests/models/kubernetes/controllers/job_test.cpp.

#include <chrono>

#include "sim/models/kubernetes/controllers/workload_controller.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"

namespace sim::k8s {

namespace {

class TtlAfterFinishedController final : public WorkloadController<Job> {
 public:
  explicit TtlAfterFinishedController(const ControllerContext& context) : WorkloadController(context) {}
  std::string_view name() const override { return "ttl-after-finished-controller"; }

 private:
  void open_watches() override { client_.watch({Kind::kJob}, *this); }

  void on_own_event(const WatchEvent& event) override {
    if (event.type == WatchEvent::Type::kDeleted) return;
    const Job* job = api_.get(event.ref<Job>());
    if (job != nullptr && job->finished_at && job->spec.ttl_seconds_after_finished) queue_.add(event.object);
  }

  void sync(Ref<Job> ref) override {
    const Job& job = *api_.get(ref);
    if (!job.finished_at || !job.spec.ttl_seconds_after_finished || job.meta.is_deleting()) return;
    const SimDuration left = *job.finished_at + std::chrono::seconds(*job.spec.ttl_seconds_after_finished) - engine_.now();
    if (left > SimDuration{}) {
      queue_.add_after(key_of(ref), left);
      return;
    }
    budget_.take();
    DeleteOptions options;
    options.propagation = DeleteOptions::Propagation::kForeground;
    api_.remove(ref, options);
  }
};

}  // namespace

std::unique_ptr<Controller> make_ttl_after_finished_controller(const ControllerContext& context) {
  return std::make_unique<TtlAfterFinishedController>(context);
}

}  // namespace sim::k8s
