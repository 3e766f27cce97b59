/// Job controller: pods until enough of them have succeeded, or too many have failed.
///
/// Source: pkg/controller/job/job_controller.go (reference chapter 2.5). A pod carries the finalizer batch.kubernetes.io/job-tracking until it
/// has been counted, so that none is lost or counted twice when the controller was away.
/// Leaves out: podFailurePolicy, successPolicy, backoffLimitPerIndex, maxFailedIndexes, podReplacementPolicy Failed, managedBy, the labels
///             controller-uid; status.uncountedTerminatedPods (counting and taking the finalizer off are one step here).
/// Checked by: tests/models/kubernetes/controllers/job_test.cpp.

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/job_decisions.hpp"
#include "sim/models/kubernetes/controllers/pod_factory.hpp"
#include "sim/models/kubernetes/controllers/replica_set_ranking.hpp"
#include "sim/models/kubernetes/controllers/workload_controller.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kBatchPeriod = 1s;  // pod events are collected for this long
constexpr std::int64_t kMostPerSync = 500;

class JobController final : public WorkloadController<Job> {
 public:
  explicit JobController(const ControllerContext& context) : WorkloadController(context), factory_(context) {
    Interner& names = context.api.names();
    backoff_limit_exceeded_ = names.intern("BackoffLimitExceeded");
    deadline_exceeded_ = names.intern("DeadlineExceeded");
    legacy_job_name_ = names.intern("job-name");
    pod_changes_ = pod_changes_ | Change::kContainers;
  }

  std::string_view name() const override { return "job-controller"; }

 private:
  struct View {
    std::vector<Ref<Pod>> active;
    std::vector<Ref<Pod>> finished;  // not counted yet, in the order in which they finished
    std::int64_t terminating = 0;
    std::int64_t restarts = 0;  // of active pods
  };

  void open_watches() override { client_.watch({Kind::kJob, Kind::kPod}, *this); }
  void on_stop() override { backoffs_.clear(); }

  void sync_gone(ObjectRef key) override {
    factory_.forget(key);
    backoffs_.erase(key);
    std::vector<Ref<Pod>> tracked;
    pods_.for_each(key, [&](Ref<Pod> ref, const Pod& pod) {
      if (is_tracked(pod)) tracked.push_back(ref);
    });
    for (const Ref<Pod> ref : tracked) untrack(ref);
  }

  void on_own_event(const WatchEvent& event) override {
    // Its own status write tells the controller nothing new.
    if (event.type == WatchEvent::Type::kModified && event.changes == Change::kStatus) return;
    queue_.add(event.object);
  }

  void on_pod_event(const WatchEvent& event, const OwnedPods::Concerned& concerned) override {
    if (!concerned.owner) return;
    if (event.type == WatchEvent::Type::kModified && !has(event.changes, pod_changes_)) return;
    const Job* job = api_.get(ref_of(concerned.owner));
    if (job == nullptr) {
      queue_.add(concerned.owner);
      return;
    }
    // Restarts of containers concern only Jobs that count them.
    if (event.changes == Change::kContainers && job->spec.pod_template.spec->restart_policy != RestartPolicy::kOnFailure) return;
    queue_.add_after(concerned.owner, kBatchPeriod);
  }

  bool is_tracked(const Pod& pod) const {
    return std::find(pod.meta.finalizers.begin(), pod.meta.finalizers.end(), api_.well_known().job_tracking) != pod.meta.finalizers.end();
  }
  void untrack(Ref<Pod> ref) {
    budget_.take();
    api_.remove_finalizer(ref, api_.well_known().job_tracking);
    pods_.refresh(ref);
  }

  std::int64_t index_of(const Pod& pod) const {
    const std::optional<Symbol> label = pod.meta.labels.find(api_.well_known().job_completion_index);
    if (!label) return -1;
    const std::string& digits = api_.names().text(*label);
    std::int64_t index = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    return error == std::errc{} && end == digits.data() + digits.size() ? index : -1;
  }
  static std::int64_t completions_of(const Job& job) { return job.spec.completions.value_or(1); }
  static bool is_work_queue(const Job& job) { return !job.spec.completions && job.spec.parallelism; }

  View look(ObjectRef key) {
    View view;
    pods_.for_each(key, [&](Ref<Pod> ref, const Pod& pod) {
      if (pod.is_active()) {
        view.active.push_back(ref);
        for (const ContainerStatus& status : pod.containers) view.restarts += status.restart_count;
        for (const ContainerStatus& status : pod.init_containers) view.restarts += status.restart_count;
        return;
      }
      if (!pod.is_terminal()) ++view.terminating;
      // A pod that is being deleted counts as failed already: policy TerminatingOrFailed.
      if (is_tracked(pod)) view.finished.push_back(ref);
    });
    const SimTime now = engine_.now();
    std::stable_sort(view.finished.begin(), view.finished.end(),
                     [&](Ref<Pod> a, Ref<Pod> b) { return finish_time(*api_.get(a), now) < finish_time(*api_.get(b), now); });
    return view;
  }

  void sync(Ref<Job> ref) override {
    adopt(ref);
    const ObjectRef key = key_of(ref);
    const Job& job = *api_.get(ref);
    View view = look(key);
    if (job.is_finished()) {
      for (const Ref<Pod> pod : view.finished) untrack(pod);
      return;
    }

    begin_or_suspend(ref);
    CauseId newest_failure;
    count_finished(ref, view, newest_failure);
    if (!job.failure_target && !job.success_criteria_met) decide_failure(ref, view, newest_failure);

    if (!is_bursting(key) && !job.meta.is_deleting()) {
      if (job.failure_target) {
        remove_pods(ref, view.active, true);
      } else if (!job.success_criteria_met) {
        manage(ref, view);
      }
    }
    finish(ref);
  }

  void begin_or_suspend(Ref<Job> ref) {
    const Job& job = *api_.get(ref);
    if (job.spec.suspend != job.suspended) {
      api_.record(ref, job.spec.suspend ? "Suspended" : "Resumed", job.spec.suspend ? "Job suspended" : "Job resumed");
      write(ref, Change::kStatus, [&](Job& j) {
        j.suspended = j.spec.suspend;
        if (!j.suspended) j.start_time = engine_.now();
      });
    } else if (!job.start_time && !job.spec.suspend) {
      write(ref, Change::kStatus, [&](Job& j) { j.start_time = engine_.now(); });
    }
    if (job.start_time && !job.spec.suspend && job.spec.active_deadline_seconds) {
      const SimDuration left = *job.start_time + std::chrono::seconds(*job.spec.active_deadline_seconds) - engine_.now();
      if (left > SimDuration{}) queue_.add_after(key_of(ref), left);
    }
  }

  /// Counts what has ended since the last look, then takes the finalizers off.
  void count_finished(Ref<Job> ref, View& view, CauseId& newest_failure) {
    const Job& job = *api_.get(ref);
    if (view.finished.empty()) return;
    if (static_cast<std::int64_t>(view.finished.size()) > kMostPerSync) {
      view.finished.resize(kMostPerSync);
      queue_.add_after(key_of(ref), kBatchPeriod);
    }
    std::int64_t succeeded = job.succeeded;
    std::int64_t failed = job.failed;
    std::vector<std::int64_t> completed = job.completed_indexes;
    JobBackoff& backoff = backoffs_[key_of(ref)];
    for (const Ref<Pod> pod_ref : view.finished) {
      const Pod& pod = *api_.get(pod_ref);
      const bool success = pod.phase == PodPhase::kSucceeded;
      const std::int64_t index = index_of(pod);
      if (job.spec.indexed && (index < 0 || index >= completions_of(job))) continue;
      if (success && job.spec.indexed) {
        const auto place = std::lower_bound(completed.begin(), completed.end(), index);
        if (place == completed.end() || *place != index) completed.insert(place, index);
      }
      (success ? succeeded : failed) += 1;
      if (!success) newest_failure = pod.meta.cause;
      backoff.note(success, finish_time(pod, engine_.now()));
    }
    if (job.spec.indexed) succeeded = static_cast<std::int64_t>(completed.size());
    write(ref, Change::kStatus, [&](Job& j) {
      j.succeeded = succeeded;
      j.failed = failed;
      j.completed_indexes = completed;
    });
    for (const Ref<Pod> pod_ref : view.finished) untrack(pod_ref);
  }

  void decide_failure(Ref<Job> ref, const View& view, CauseId newest_failure) {
    const Job& job = *api_.get(ref);
    const bool on_failure = job.spec.pod_template.spec->restart_policy == RestartPolicy::kOnFailure;
    const bool restarted_too_often =
        on_failure && (job.spec.backoff_limit == 0 ? view.restarts > 0 : view.restarts >= job.spec.backoff_limit);
    const bool past_deadline = job.spec.active_deadline_seconds && job.start_time && !job.spec.suspend &&
                               engine_.now() - *job.start_time >= std::chrono::seconds(*job.spec.active_deadline_seconds);
    if (job.failed > job.spec.backoff_limit || restarted_too_often) {
      const ScopedCause because(engine_, newest_failure);
      fail(ref, backoff_limit_exceeded_, "Job has reached the specified backoff limit");
    } else if (past_deadline) {
      fail(ref, deadline_exceeded_, "Job was active longer than specified deadline");
    }
  }

  void fail(Ref<Job> ref, Symbol reason, std::string_view message) {
    api_.record(ref, api_.names().text(reason), message);
    write(ref, Change::kStatus, [&](Job& j) {
      j.failure_target = true;
      j.failed_reason = reason;
    });
  }

  void manage(Ref<Job> ref, const View& view) {
    const Job& job = *api_.get(ref);
    const ObjectRef key = key_of(ref);
    std::vector<CauseId> vacancies = pods_.take_vacancies(key);
    if (job.spec.suspend) {
      remove_pods(ref, view.active, false);
      return;
    }
    const auto active = static_cast<std::int64_t>(view.active.size());
    const std::int64_t wanted = wanted_active(job.spec, job.succeeded, active);
    const std::vector<Ref<Pod>> surplus = pods_to_remove(job, view, std::max<std::int64_t>(0, active - wanted));
    if (!surplus.empty()) {
      remove_pods(ref, surplus, false);
      return;
    }
    if (active >= wanted) return;
    if (const auto backoff = backoffs_.find(key); backoff != backoffs_.end()) {
      const SimDuration wait = backoff->second.remaining(engine_.now());
      if (wait > SimDuration{}) {
        // The reasons of the open places are needed when the wait is over.
        for (const CauseId cause : vacancies) pods_.add_vacancy(key, cause);
        queue_.add_after(key, wait);
        return;
      }
    }
    const std::int64_t count = std::min(wanted - active, kMostPerSync);
    std::vector<std::int64_t> indexes;
    if (job.spec.indexed) {
      std::vector<std::int64_t> running;
      for (const Ref<Pod> pod : view.active) running.push_back(index_of(*api_.get(pod)));
      std::sort(running.begin(), running.end());
      indexes = pending_indexes(completions_of(job), job.completed_indexes, running, count);
    } else {
      indexes.assign(static_cast<std::size_t>(count), -1);
    }
    if (vacancies.size() > indexes.size()) vacancies.erase(vacancies.begin(), vacancies.end() - static_cast<std::ptrdiff_t>(indexes.size()));
    const auto size = static_cast<std::int64_t>(indexes.size());
    create_pods(key, size, [this, ref, indexes = std::move(indexes), vacancies = std::move(vacancies)](std::int64_t i, const CreateReview& review) {
      const auto at = static_cast<std::size_t>(i);
      return create_pod(ref, indexes[at], at < vacancies.size() ? vacancies[at] : CauseId{}, review);
    });
  }

  /// Beyond the completions and duplicates of an index first, then as a ReplicaSet would choose, at least `count` in all.
  std::vector<Ref<Pod>> pods_to_remove(const Job& job, const View& view, std::int64_t count) {
    std::vector<Ref<Pod>> chosen;
    std::vector<RankedPod> others;
    std::map<std::int64_t, int> seen;
    for (const Ref<Pod> ref : view.active) {
      const Pod& pod = *api_.get(ref);
      if (job.spec.indexed) {
        const std::int64_t index = index_of(pod);
        if (index < 0 || index >= completions_of(job) || seen[index]++ > 0) {
          chosen.push_back(ref);
          continue;
        }
      }
      others.push_back(RankedPod{ref, &pod, 0, 0, 0});
    }
    if (static_cast<std::int64_t>(chosen.size()) < count) {
      for (RankedPod& other : others) {
        other.tie_break =
            random_.stream("pod-uid", fmt::format("{}/{}", api_.names().text(job.meta.ns), api_.names().text(other.pod->meta.name))).next();
      }
      const SimTime now = engine_.now();
      std::stable_sort(others.begin(), others.end(), [now](const RankedPod& a, const RankedPod& b) { return dies_before(a, b, now); });
      for (const RankedPod& other : others) {
        if (static_cast<std::int64_t>(chosen.size()) >= count) break;
        chosen.push_back(other.ref);
      }
    }
    if (static_cast<std::int64_t>(chosen.size()) > kMostPerSync) chosen.resize(kMostPerSync);
    return chosen;
  }

  /// Pods that the Job no longer wants are taken out of the count first, unless they are to count as failed.
  void remove_pods(Ref<Job> ref, std::vector<Ref<Pod>> victims, bool count_as_failed) {
    const auto count = static_cast<std::int64_t>(victims.size());
    at_once(key_of(ref), count, [this, ref, victims = std::move(victims), count_as_failed](std::int64_t i) {
      const Ref<Pod> victim = victims[static_cast<std::size_t>(i)];
      const Pod* pod = api_.get(victim);
      if (pod == nullptr || !pod->is_active()) return true;
      if (!count_as_failed) untrack(victim);
      const CauseId deleted = api_.record(ref, "SuccessfulDelete", fmt::format("Deleted pod: {}", api_.names().text(pod->meta.name)));
      const ScopedCause because(engine_, deleted);
      api_.remove(victim);
      pods_.refresh(victim);
      return true;
    });
  }

  bool create_pod(Ref<Job> ref, std::int64_t index, CauseId vacancy, const CreateReview& review) {
    const Job* job = api_.get(ref);
    if (job == nullptr || job->meta.is_deleting() || job->failure_target || job->is_finished()) return true;
    Interner& names = api_.names();
    const ScopedCause because(engine_, vacancy);
    if (!review.allowed) return refuse(ref, review, "FailedCreate", "Error creating: " + review.message);
    std::string error;
    std::shared_ptr<const PodSpec> spec = factory_.admit(job->spec.pod_template, error);
    Symbol pod_name;
    if (spec) {
      const std::string& job_name = names.text(job->meta.name);
      pod_name = factory_.random_name(key_of(ref), job->meta, index < 0 ? job_name : fmt::format("{}-{}", job_name, index));
    }
    if (!pod_name) {
      if (is_first_failure(key_of(ref))) {
        api_.record(ref, "FailedCreate", refused_creation(names.text(job->meta.name), error));
      }
      return false;
    }
    succeeded(key_of(ref));
    Pod pod = factory_.make(job->meta, key_of(ref), job->spec.pod_template, std::move(spec), pod_name);
    const WellKnown& wk = api_.well_known();
    pod.meta.finalizers.push_back(wk.job_tracking);
    pod.meta.labels.set(wk.job_name, job->meta.name);
    pod.meta.labels.set(legacy_job_name_, job->meta.name);
    if (index >= 0) pod.meta.labels.set(wk.job_completion_index, names.intern(fmt::format("{}", index)));
    const CauseId created = api_.record(ref, "SuccessfulCreate", fmt::format("Created pod: {}", names.text(pod_name)));
    const ScopedCause because_created(engine_, created);
    pods_.refresh(api_.create(std::move(pod)));
    return true;
  }

  /// The last part of a sync: SuccessCriteriaMet, the end when all pods have ended, and the number of active pods.
  void finish(Ref<Job> ref) {
    const Job& job = *api_.get(ref);
    const View view = look(key_of(ref));
    const auto active = static_cast<std::int64_t>(view.active.size());
    const bool all_done = is_work_queue(job) ? job.succeeded > 0 : job.succeeded >= completions_of(job);
    if (!job.failure_target && !job.success_criteria_met && all_done && active == 0) {
      write(ref, Change::kStatus, [](Job& j) { j.success_criteria_met = true; });
    }
    const bool ended = active == 0 && view.terminating == 0 && view.finished.empty();
    const bool completes = job.success_criteria_met && ended;
    const bool fails = job.failure_target && ended;
    if (!completes && !fails && job.active == active) return;
    if (completes) api_.record(ref, "Completed", "Job completed");
    const ScopedCause because(engine_, completes || fails ? job.meta.cause : CauseId{});
    write(ref, completes || fails ? Change::kStatus | Change::kPhase : Change::kStatus, [&](Job& j) {
      j.active = active;
      if (!completes && !fails) return;
      j.complete = completes;
      j.failed_condition = fails;
      j.finished_at = engine_.now();
      if (completes) j.completion_time = engine_.now();
    });
    if (completes || fails) backoffs_.erase(key_of(ref));
  }

  PodFactory factory_;
  std::map<ObjectRef, JobBackoff> backoffs_;
  Symbol backoff_limit_exceeded_;
  Symbol deadline_exceeded_;
  Symbol legacy_job_name_;
};

}  // namespace

std::unique_ptr<Controller> make_job_controller(const ControllerContext& context) { return std::make_unique<JobController>(context); }

}  // namespace sim::k8s
