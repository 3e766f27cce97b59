/// Job controller: pods until enough of them have succeeded, or too many have failed.
///
/// Source: pkg/controller/job/job_controller.go (reference chapter 2.5). A pod carries the finalizer batch.kubernetes.io/job-tracking until it
/// has been counted, so that none is lost or counted twice when the controller was away.
/// A Job that fails is told of (BackoffLimitExceeded ...) when its condition FailureTarget is set, which Kubernetes' event does when its pods have ended.
/// Leaves out: status.uncountedTerminatedPods (counting and taking the finalizer off are one step here); the Workload and PodGroup objects of the alpha gate
///             WorkloadWithJob.
/// Checked by: tests/models/kubernetes/controllers/job_test.cpp, job_policies_test.cpp.

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/job_decisions.hpp"
#include "sim/models/kubernetes/controllers/job_policies.hpp"
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
    success_policy_ = names.intern("SuccessPolicy");
    completions_reached_ = names.intern("CompletionsReached");
    legacy_job_name_ = names.intern("job-name");
    index_failures_ = names.intern("batch.kubernetes.io/job-index-failure-count");
    index_ignored_failures_ = names.intern("batch.kubernetes.io/job-index-ignored-failure-count");
    own_name_ = names.intern("kubernetes.io/job-controller");
    pod_changes_ = pod_changes_ | Change::kContainers;
  }

  std::string_view name() const override { return "job-controller"; }

 private:
  struct View {
    std::vector<Ref<Pod>> active;
    std::vector<Ref<Pod>> finished;  // not counted yet, in the order in which they finished
    std::vector<Ref<Pod>> leaving;   // being deleted, and no failure before they end: with the replacement policy Failed
    std::vector<Ref<Pod>> failed;    // counted or not, in the order of creation
    std::vector<std::int64_t> terminating_indexes;
    std::int64_t terminating = 0;
    std::int64_t ready = 0;
    std::int64_t restarts = 0;  // of pods that are Pending or Running
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
    const Job& job = *api_.get(ref_of(key));
    const bool waits_for_ends = replaces_only_failed(job.spec);
    pods_.for_each(key, [&](Ref<Pod> ref, const Pod& pod) {
      if (!pod.is_terminal()) {
        for (const ContainerStatus& status : pod.containers) view.restarts += status.restart_count;
        for (const ContainerStatus& status : pod.init_containers) view.restarts += status.restart_count;
      }
      if (pod.is_active()) {
        view.active.push_back(ref);
        view.ready += pod.ready ? 1 : 0;
        return;
      }
      if (!pod.is_terminal()) {
        ++view.terminating;
        if (job.spec.indexed) view.terminating_indexes.push_back(index_of(pod));
        if (waits_for_ends) {
          if (is_tracked(pod)) view.leaving.push_back(ref);
          return;
        }
      }
      // A pod that is being deleted counts as failed already: policy TerminatingOrFailed.
      if (pod.phase != PodPhase::kSucceeded) view.failed.push_back(ref);
      if (is_tracked(pod)) view.finished.push_back(ref);
    });
    const SimTime now = engine_.now();
    // A failure at the very time of a success counts as before it.
    std::stable_sort(view.finished.begin(), view.finished.end(), [&](Ref<Pod> a, Ref<Pod> b) {
      const Pod& first = *api_.get(a);
      const Pod& second = *api_.get(b);
      return std::pair(finish_time(first, now), first.phase == PodPhase::kSucceeded) < std::pair(finish_time(second, now), second.phase == PodPhase::kSucceeded);
    });
    return view;
  }

  void sync(Ref<Job> ref) override {
    const ObjectRef key = key_of(ref);
    const Job& job = *api_.get(ref);
    if (is_managed_elsewhere(job)) return;
    adopt(ref);
    View view = look(key);
    if (job.is_finished()) {
      for (const Ref<Pod> pod : view.finished) untrack(pod);
      for (const Ref<Pod> pod : view.leaving) untrack(pod);
      return;
    }

    if (!job.start_time && !job.spec.suspend) {
      write(ref, Change::kStatus, [&](Job& j) { j.start_time = engine_.now(); });
    }
    const Tally tally = tally_of(job, view);
    if (!is_finishing(job)) decide(ref, view, tally);
    count_finished(ref, view, tally);

    if (is_finishing(job)) {
      // What a failed Job still ran counts as failed; what a successful one no longer needs counts as nothing.
      if (!is_bursting(key) && !job.meta.is_deleting()) remove_pods(ref, view.active, job.failure_target);
    } else {
      suspend_or_resume(ref, view);
      if (!is_bursting(key) && !job.meta.is_deleting()) manage(ref, view, tally);
    }
    finish(ref);
  }

  bool is_managed_elsewhere(const Job& job) const { return job.spec.managed_by && job.spec.managed_by != own_name_; }
  static bool is_finishing(const Job& job) { return job.failure_target || job.success_criteria_met; }
  static bool replaces_only_failed(const JobSpec& spec) {
    return spec.replaces_only_failed || (spec.policies && spec.policies->failure_rules);
  }
  static bool has_limit_per_index(const Job& job) { return job.spec.indexed && job.spec.policies && job.spec.policies->backoff_limit_per_index; }
  static bool is_done(const Job& job, std::int64_t active) {
    return active == 0 && (is_work_queue(job) ? job.succeeded > 0 : job.succeeded >= completions_of(job));
  }

  void suspend_or_resume(Ref<Job> ref, const View& view) {
    const Job& job = *api_.get(ref);
    if (job.spec.suspend != job.suspended && !is_done(job, static_cast<std::int64_t>(view.active.size()))) {
      api_.record(ref, job.spec.suspend ? "Suspended" : "Resumed", job.spec.suspend ? "Job suspended" : "Job resumed");
      write(ref, Change::kStatus, [&](Job& j) {
        j.suspended = j.spec.suspend;
        // The deadline counts from the last resume only (v1.36: the time is taken away while suspended).
        j.start_time = j.suspended ? std::nullopt : std::optional(engine_.now());
      });
    }
    if (job.start_time && !job.spec.suspend && job.spec.active_deadline_seconds) {
      const SimDuration left = *job.start_time + std::chrono::seconds(*job.spec.active_deadline_seconds) - engine_.now();
      if (left > SimDuration{}) queue_.add_after(key_of(ref), left);
    }
  }

  /// What the pods that ended and are not counted yet make of the Job's numbers.
  struct Tally {
    std::int64_t failed = 0;  // counted ones and those that count, without the ignored
    CauseId newest_failure;
    std::vector<std::int64_t> succeeded_indexes;
    std::vector<std::int64_t> failed_indexes;
    /// With a limit per index: the last failure of each index that is to run again. It keeps its finalizer until its replacement has inherited its count.
    std::map<std::int64_t, Ref<Pod>> replaced_later;
  };

  bool has_valid_index(const Job& job, const Pod& pod) const {
    if (!job.spec.indexed) return true;
    const std::int64_t index = index_of(pod);
    return index >= 0 && index < completions_of(job);
  }

  Tally tally_of(const Job& job, const View& view) const {
    Tally tally;
    tally.failed = job.failed;
    tally.succeeded_indexes = within_completions(job, job.completed_indexes);
    tally.failed_indexes = within_completions(job, job.failed_indexes);
    if (view.finished.empty()) return tally;
    std::set<std::int64_t> succeeded;
    std::set<std::int64_t> failed;
    for (const Ref<Pod> ref : view.finished) {
      const Pod& pod = *api_.get(ref);
      if (!has_valid_index(job, pod)) continue;
      if (pod.phase == PodPhase::kSucceeded) {
        if (job.spec.indexed) succeeded.insert(index_of(pod));
        continue;
      }
      const PodFailureVerdict verdict = judge_failed_pod(job.spec.policies.get(), pod, api_.names());
      if (verdict.counts) {
        ++tally.failed;
        tally.newest_failure = pod.meta.cause;
      }
      if (!has_limit_per_index(job)) continue;
      const bool is_last = verdict.counts && number_in(pod, index_failures_) >= *job.spec.policies->backoff_limit_per_index;
      if (verdict.action == PodFailureAction::kFailIndex || is_last) failed.insert(index_of(pod));
    }
    tally.succeeded_indexes = merged_indexes(tally.succeeded_indexes, {succeeded.begin(), succeeded.end()});
    tally.failed_indexes = merged_indexes(tally.failed_indexes, {failed.begin(), failed.end()});
    if (has_limit_per_index(job)) tally.replaced_later = last_failures(job, view, tally);
    return tally;
  }

  static std::vector<std::int64_t> within_completions(const Job& job, const std::vector<std::int64_t>& indexes) {
    return {indexes.begin(), std::lower_bound(indexes.begin(), indexes.end(), completions_of(job))};
  }

  std::map<std::int64_t, Ref<Pod>> last_failures(const Job& job, const View& view, const Tally& tally) const {
    std::set<std::int64_t> settled(tally.succeeded_indexes.begin(), tally.succeeded_indexes.end());
    settled.insert(tally.failed_indexes.begin(), tally.failed_indexes.end());
    for (const Ref<Pod> ref : view.active) settled.insert(index_of(*api_.get(ref)));
    std::map<std::int64_t, Ref<Pod>> last;
    for (const Ref<Pod> ref : view.finished) {
      const Pod& pod = *api_.get(ref);
      if (pod.phase == PodPhase::kSucceeded || !has_valid_index(job, pod) || settled.contains(index_of(pod))) continue;
      const auto [entry, is_new] = last.try_emplace(index_of(pod), ref);
      // view.finished is in the order of the ends.
      if (!is_new && failures_of(*api_.get(entry->second)) <= failures_of(pod)) entry->second = ref;
    }
    return last;
  }

  /// Earlier failures of the pod's index, the ignored ones too.
  std::int64_t failures_of(const Pod& pod) const { return number_in(pod, index_failures_) + number_in(pod, index_ignored_failures_); }
  std::int64_t number_in(const Pod& pod, Symbol annotation) const {
    const std::optional<Symbol> text = pod.meta.annotations.find(annotation);
    if (!text) return 0;
    const std::string& digits = api_.names().text(*text);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return error == std::errc{} && end == digits.data() + digits.size() && number >= 0 && number <= kWithoutLimit ? number : 0;
  }

  /// Counts what has ended since the last look, then takes the finalizers off.
  void count_finished(Ref<Job> ref, View& view, const Tally& tally) {
    const Job& job = *api_.get(ref);
    const bool keeps_none = is_finishing(job) || job.meta.is_deleting();
    JobBackoff* backoff = nullptr;
    std::int64_t succeeded = job.succeeded;
    std::int64_t failed = job.failed;
    std::vector<Ref<Pod>> counted;
    std::vector<std::int64_t> completed;
    const auto count_failure = [&](const Pod& pod) {
      if (has_valid_index(job, pod) && judge_failed_pod(job.spec.policies.get(), pod, api_.names()).counts) ++failed;
    };
    for (const Ref<Pod> pod_ref : view.finished) {
      const Pod& pod = *api_.get(pod_ref);
      const bool success = pod.phase == PodPhase::kSucceeded;
      if (!success && !keeps_none) {
        const auto last = tally.replaced_later.find(index_of(pod));
        if (last != tally.replaced_later.end() && last->second == pod_ref) continue;
      }
      if (static_cast<std::int64_t>(counted.size()) >= kMostPerSync) {
        queue_.add_after(key_of(ref), kBatchPeriod);
        break;
      }
      counted.push_back(pod_ref);
      if (has_valid_index(job, pod)) {
        if (backoff == nullptr) backoff = &backoffs_[key_of(ref)];
        backoff->note(success, finish_time(pod, engine_.now()));
      }
      if (!success) {
        count_failure(pod);
      } else if (!job.spec.indexed) {
        ++succeeded;
      } else if (has_valid_index(job, pod)) {
        completed.push_back(index_of(pod));
      }
    }
    if (keeps_none) {
      // Of a failed Job, what still ends counts as failed, whatever the replacement policy.
      for (const Ref<Pod> pod_ref : view.leaving) {
        if (job.failure_target) count_failure(*api_.get(pod_ref));
        counted.push_back(pod_ref);
      }
    }
    if (!counted.empty() || tally.failed_indexes != job.failed_indexes) {
      std::sort(completed.begin(), completed.end());
      completed.erase(std::unique(completed.begin(), completed.end()), completed.end());
      std::vector<std::int64_t> all_completed = merged_indexes(within_completions(job, job.completed_indexes), completed);
      if (job.spec.indexed) succeeded = static_cast<std::int64_t>(all_completed.size());
      write(ref, Change::kStatus, [&](Job& j) {
        j.succeeded = succeeded;
        j.failed = failed;
        j.completed_indexes = std::move(all_completed);
        j.failed_indexes = tally.failed_indexes;
      });
    }
    for (const Ref<Pod> pod_ref : counted) untrack(pod_ref);
  }

  /// Whether the Job has failed, or succeeded before all its completions. The order of the questions is Kubernetes'.
  void decide(Ref<Job> ref, const View& view, const Tally& tally) {
    const Job& job = *api_.get(ref);
    const JobPolicies* policies = job.spec.policies.get();
    if (policies != nullptr && policies->failure_rules) {
      for (const Ref<Pod> pod_ref : view.failed) {
        const Pod& pod = *api_.get(pod_ref);
        const PodFailureVerdict verdict = judge_failed_pod(policies, pod, api_.names());
        if (!verdict.fails_job) continue;
        const ScopedCause because(engine_, pod.meta.cause);
        fail(ref, "PodFailurePolicy", *verdict.fails_job);
        return;
      }
    }
    const bool on_failure = job.spec.pod_template.spec->restart_policy == RestartPolicy::kOnFailure;
    const bool restarted_too_often =
        on_failure && (job.spec.backoff_limit == 0 ? view.restarts > 0 : view.restarts >= job.spec.backoff_limit);
    const bool past_deadline = job.spec.active_deadline_seconds && job.start_time && !job.spec.suspend &&
                               engine_.now() - *job.start_time >= std::chrono::seconds(*job.spec.active_deadline_seconds);
    const auto fail_for_failures = [&](std::string_view reason, std::string_view message) {
      const ScopedCause because(engine_, tally.newest_failure ? tally.newest_failure : engine_.cause());
      fail(ref, reason, message);
    };
    if (tally.failed > job.spec.backoff_limit || restarted_too_often) {
      fail_for_failures("BackoffLimitExceeded", "Job has reached the specified backoff limit");
      return;
    }
    if (past_deadline) {
      fail(ref, "DeadlineExceeded", "Job was active longer than specified deadline");
      return;
    }
    if (!job.spec.indexed || policies == nullptr) return;
    const auto succeeded = static_cast<std::int64_t>(tally.succeeded_indexes.size());
    const auto failed = static_cast<std::int64_t>(tally.failed_indexes.size());
    if (policies->backoff_limit_per_index) {
      if (policies->max_failed_indexes && failed > *policies->max_failed_indexes) {
        fail_for_failures("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
        return;
      }
      if (failed > 0 && failed + succeeded >= completions_of(job)) {
        fail_for_failures("FailedIndexes", "Job has failed indexes");
        return;
      }
    }
    if (const std::optional<std::string> met = met_success_rule(policies->success_rules, tally.succeeded_indexes)) {
      api_.record(ref, "SuccessCriteriaMet", *met);
      write(ref, Change::kStatus, [&](Job& j) {
        j.success_criteria_met = true;
        j.success_reason = success_policy_;
        j.condition_message = *met;
      });
    }
  }

  void fail(Ref<Job> ref, std::string_view reason, std::string_view message) {
    api_.record(ref, reason, message);
    write(ref, Change::kStatus, [&](Job& j) {
      j.failure_target = true;
      j.failed_reason = api_.names().intern(reason);
      j.condition_message = message;
    });
  }

  void manage(Ref<Job> ref, const View& view, const Tally& tally) {
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
    const bool waits_for_ends = replaces_only_failed(job.spec);
    const std::int64_t missing = wanted - active - (waits_for_ends ? view.terminating : 0);
    const auto wait = [&](SimDuration left) {
      // The reasons of the open places are needed when the wait is over.
      for (const CauseId cause : vacancies) pods_.add_vacancy(key, cause);
      if (left > SimDuration{}) queue_.add_after(key, left);
    };
    if (missing <= 0) {
      if (active < wanted) wait(SimDuration{});
      return;
    }
    if (const auto backoff = backoffs_.find(key); backoff != backoffs_.end() && !has_limit_per_index(job)) {
      const SimDuration left = backoff->second.remaining(engine_.now());
      if (left > SimDuration{}) {
        wait(left);
        return;
      }
    }
    const std::int64_t count = std::min(missing, kMostPerSync);
    std::vector<Slot> slots;
    if (job.spec.indexed) {
      std::vector<std::int64_t> taken;
      for (const Ref<Pod> pod : view.active) taken.push_back(index_of(*api_.get(pod)));
      if (waits_for_ends) taken.insert(taken.end(), view.terminating_indexes.begin(), view.terminating_indexes.end());
      std::sort(taken.begin(), taken.end());
      taken.erase(std::unique(taken.begin(), taken.end()), taken.end());
      SimDuration shortest{};
      for (const std::int64_t index : pending_indexes(completions_of(job), merged_indexes(tally.succeeded_indexes, tally.failed_indexes), taken, count)) {
        const SimDuration left = fill_slot(slots, job, index, tally);
        if (left > SimDuration{} && (shortest == SimDuration{} || left < shortest)) shortest = left;
      }
      if (slots.empty()) {
        wait(shortest);
        return;
      }
    } else {
      slots.assign(static_cast<std::size_t>(count), Slot{});
    }
    if (vacancies.size() > slots.size()) vacancies.erase(vacancies.begin(), vacancies.end() - static_cast<std::ptrdiff_t>(slots.size()));
    for (std::size_t i = 0; i < slots.size() && i < vacancies.size(); ++i) {
      if (!slots[i].vacancy) slots[i].vacancy = vacancies[i];
    }
    const auto size = static_cast<std::int64_t>(slots.size());
    create_pods(key, size, [this, ref, slots = std::move(slots)](std::int64_t i, const CreateReview& review) {
      return create_pod(ref, slots[static_cast<std::size_t>(i)], review);
    });
  }

  /// One pod to be made.
  struct Slot {
    std::int64_t index = -1;
    std::int64_t failures = -1;  // of its index so far; negative: without a limit per index
    std::int64_t ignored_failures = 0;
    CauseId vacancy;
  };

  /// Adds a slot for this index, unless the back-off of its last failure still runs: then gives what is left of it.
  SimDuration fill_slot(std::vector<Slot>& slots, const Job& job, std::int64_t index, const Tally& tally) {
    Slot slot;
    slot.index = index;
    if (has_limit_per_index(job)) {
      slot.failures = 0;
      if (const auto last = tally.replaced_later.find(index); last != tally.replaced_later.end()) {
        const Pod& pod = *api_.get(last->second);
        const JobBackoff backoff{failures_of(pod) + 1, finish_time(pod, engine_.now())};
        const SimDuration left = backoff.remaining(engine_.now());
        if (left > SimDuration{}) return left;
        const bool counts = judge_failed_pod(job.spec.policies.get(), pod, api_.names()).counts;
        slot.failures = number_in(pod, index_failures_) + (counts ? 1 : 0);
        slot.ignored_failures = number_in(pod, index_ignored_failures_) + (counts ? 0 : 1);
        slot.vacancy = pod.meta.cause;
      }
    }
    slots.push_back(slot);
    return SimDuration{};
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

  bool create_pod(Ref<Job> ref, const Slot& slot, const CreateReview& review) {
    const Job* job = api_.get(ref);
    if (job == nullptr || job->meta.is_deleting() || is_finishing(*job) || job->is_finished()) return true;
    Interner& names = api_.names();
    const ScopedCause because(engine_, slot.vacancy);
    if (!review.allowed) return refuse(ref, review, "FailedCreate", "Error creating: " + review.message);
    std::string error;
    std::shared_ptr<const PodSpec> spec = factory_.admit(job->spec.pod_template, error);
    Symbol pod_name;
    if (spec) {
      const std::string& job_name = names.text(job->meta.name);
      pod_name = factory_.random_name(key_of(ref), job->meta, slot.index < 0 ? job_name : name_with_index(job_name, slot.index));
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
    if (slot.index >= 0) {
      const Symbol index = names.intern(fmt::format("{}", slot.index));
      pod.meta.labels.set(wk.job_completion_index, index);
      pod.meta.annotations.set(wk.job_completion_index, index);
    }
    if (slot.failures >= 0) pod.meta.annotations.set(index_failures_, names.intern(fmt::format("{}", slot.failures)));
    if (slot.ignored_failures > 0) pod.meta.annotations.set(index_ignored_failures_, names.intern(fmt::format("{}", slot.ignored_failures)));
    const CauseId created = api_.record(ref, "SuccessfulCreate", fmt::format("Created pod: {}", names.text(pod_name)));
    const ScopedCause because_created(engine_, created);
    pods_.refresh(api_.create(std::move(pod)));
    return true;
  }

  /// The last part of a sync: SuccessCriteriaMet, the end when all pods have ended, and the numbers of active, ready and terminating pods.
  void finish(Ref<Job> ref) {
    const Job& job = *api_.get(ref);
    const View view = look(key_of(ref));
    const auto active = static_cast<std::int64_t>(view.active.size());
    if (!is_finishing(job) && is_done(job, active)) {
      write(ref, Change::kStatus, [&](Job& j) {
        j.success_criteria_met = true;
        j.success_reason = completions_reached_;
        j.condition_message = "Reached expected number of succeeded pods";
      });
    }
    const bool ended = active == 0 && view.terminating == 0 && view.finished.empty() && view.leaving.empty();
    const bool completes = job.success_criteria_met && ended;
    const bool fails = job.failure_target && ended;
    if (!completes && !fails && job.active == active && job.ready == view.ready && job.terminating == view.terminating) return;
    if (completes) {
      if (job.spec.completions && job.succeeded > *job.spec.completions) {
        api_.record(ref, "TooManySucceededPods", "Too many succeeded pods running after completion count reached");
      }
      api_.record(ref, "Completed", "Job completed");
    }
    const ScopedCause because(engine_, completes || fails ? job.meta.cause : CauseId{});
    write(ref, completes || fails ? Change::kStatus | Change::kPhase : Change::kStatus, [&](Job& j) {
      j.active = active;
      j.ready = view.ready;
      j.terminating = view.terminating;
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
  Symbol success_policy_;
  Symbol completions_reached_;
  Symbol legacy_job_name_;
  Symbol index_failures_;
  Symbol index_ignored_failures_;
  Symbol own_name_;
};

}  // namespace

std::unique_ptr<Controller> make_job_controller(const ControllerContext& context) { return std::make_unique<JobController>(context); }

}  // namespace sim::k8s
