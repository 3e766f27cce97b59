/// CronJob controller: Jobs by the clock.
///
/// Source: pkg/controller/cronjob/cronjob_controllerv2.go (reference chapter 2.6).
/// Leaves out: time zones other than UTC (refused on input); status.active and status.lastSuccessfulTime as fields (they follow from the Jobs);
///             adoption of Jobs without an owner; the annotation with the scheduled time (it is in the Job's name).
/// Checked by: tests/models/kubernetes/controllers/cron_job_test.cpp.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/cron_schedule.hpp"
#include "sim/models/kubernetes/controllers/workload_controller.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kNextScheduleDelta = 100ms;

class CronJobController final : public Controller, public Watcher {
 public:
  CronJobController(const ControllerContext& context, std::int64_t start_unix_seconds)
      : engine_(context.engine),
        api_(context.api),
        client_(context.client()),
        start_(start_unix_seconds),
        budget_(context),
        queue_(context.engine, budget_, [this](ObjectRef key) { dispatch(key); }) {
    client_.on_availability([this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) on_availability();
    });
  }
  ~CronJobController() override {
    if (running_) api_.unwatch(*this);
  }

  std::string_view name() const override { return "cronjob-controller"; }

  void start() override {
    if (running_) return;
    running_ = true;
    client_.watch({Kind::kCronJob, Kind::kJob}, *this);
    api_.all<Job>().for_each([&](Ref<Job> ref, const Job& job) { note(ref, job); });
    for (const Ref<CronJob> ref : api_.all<CronJob>().refs()) queue_.add(ApiServer::untyped(ref));
  }

  void stop() override {
    if (!running_) return;
    running_ = false;
    api_.unwatch(*this);
    queue_.clear();
    states_.clear();
    blocked_.clear();
  }

  void set_clock_skew(SimDuration skew) override {
    skew_ = skew;
    if (!running_) return;
    for (const Ref<CronJob> ref : api_.all<CronJob>().refs()) queue_.add(ApiServer::untyped(ref));
  }

  void on_event(const WatchEvent& event) override {
    if (event.is<CronJob>()) {
      if (event.type == WatchEvent::Type::kModified && event.changes == Change::kStatus) return;
      queue_.add(event.object);
      return;
    }
    const Job* job = event.type == WatchEvent::Type::kDeleted ? &event.last_state<Job>() : api_.get(event.ref<Job>());
    const OwnerReference* controller = job == nullptr ? nullptr : job->meta.controller();
    if (controller == nullptr || controller->owner.kind != Kind::kCronJob) return;
    if (event.type == WatchEvent::Type::kDeleted) {
      const auto state = states_.find(controller->owner);
      if (state != states_.end()) {
        std::erase(state->second.jobs, event.ref<Job>());
        state->second.active.erase(event.ref<Job>());
      }
    } else {
      note(event.ref<Job>(), *job);
      // Counters of a running Job change nothing here; its end does.
      if (event.type == WatchEvent::Type::kModified && event.changes == Change::kStatus) return;
    }
    queue_.add(controller->owner);
  }

 private:
  /// What the controller remembers of a CronJob.
  struct State {
    std::vector<Ref<Job>> jobs;     // in the order in which they were seen
    std::set<Ref<Job>> active;      // status.active
    std::optional<std::int64_t> told_missed;  // scheduled times about which the log says already why nothing was started
    std::optional<std::int64_t> told_active;
    std::optional<std::int64_t> told_refused;
    bool told_many = false;
  };

  void note(Ref<Job> ref, const Job& job) {
    const OwnerReference* controller = job.meta.controller();
    if (controller == nullptr || controller->owner.kind != Kind::kCronJob) return;
    State& state = states_[controller->owner];
    if (std::find(state.jobs.begin(), state.jobs.end(), ref) != state.jobs.end()) return;
    state.jobs.push_back(ref);
    if (!job.is_finished()) state.active.insert(ref);
  }

  void dispatch(ObjectRef key) {
    const Ref<CronJob> ref{key.slot, key.generation};
    if (api_.get(ref) == nullptr) {
      states_.erase(key);
      return;
    }
    if (!client_.writable()) {
      blocked_.try_emplace(key, engine_.cause());
      return;
    }
    sync(ref);
  }

  void on_availability() {
    if (!running_ || !client_.writable()) return;
    const std::map<ObjectRef, CauseId> keys = std::exchange(blocked_, {});
    for (const auto& [key, cause] : keys) {
      const ScopedCause because(engine_, cause);
      queue_.add(key);
    }
  }

  std::int64_t unix_of(SimTime time) const { return start_ + std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count(); }
  /// As the clock of this process has it.
  std::int64_t now_unix() const { return unix_of(engine_.now() + skew_); }
  SimTime time_of(std::int64_t unix_seconds) const { return SimTime{} + std::chrono::seconds(unix_seconds - start_); }

  static std::string clock_text(std::int64_t unix_seconds) {
    const std::int64_t days = unix_seconds / 86'400;
    const std::int64_t rest = unix_seconds % 86'400;
    const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days(days)}};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()), rest / 3600, rest % 3600 / 60, rest % 60);
  }

  void sync(Ref<CronJob> ref) {
    const ObjectRef key = ApiServer::untyped(ref);
    State& state = states_[key];
    std::erase_if(state.jobs, [&](Ref<Job> job) { return api_.get(job) == nullptr; });
    std::erase_if(state.active, [&](Ref<Job> job) { return api_.get(job) == nullptr; });
    see_finished(ref, state);
    clean_up_history(ref, state);

    const CronJob& cron = *api_.get(ref);
    if (cron.meta.is_deleting() || cron.suspend || check_cron_time_zone(cron.time_zone)) return;
    std::string error;
    const std::optional<CronSchedule> schedule = CronSchedule::parse(cron.schedule, error);
    if (!schedule) return;  // the input reader refuses such

    start_due(ref, state, *schedule);
    wait_for_next(ref, *schedule);
  }

  std::int64_t earliest_of(const CronJob& cron) const { return unix_of(cron.last_schedule_time.value_or(cron.meta.created)); }

  void wait_for_next(Ref<CronJob> ref, const CronSchedule& schedule) {
    const CronJob& cron = *api_.get(ref);
    const std::int64_t earliest = earliest_of(cron);
    const MissedRuns missed = missed_runs(schedule, earliest, now_unix());
    const std::optional<std::int64_t> next = schedule.next(missed.most_recent.value_or(earliest));
    if (!next) return;
    // The clock causes the run, not what made the controller look just now.
    const CauseId now_because = engine_.cause();
    engine_.set_cause(CauseId{});
    queue_.add_after(ApiServer::untyped(ref), std::max(SimDuration::zero(), time_of(*next) + kNextScheduleDelta - engine_.now() - skew_));
    engine_.set_cause(now_because);
  }

  void see_finished(Ref<CronJob> ref, State& state) {
    std::vector<Ref<Job>> finished;
    for (const Ref<Job> job : state.active) {
      if (api_.get(job)->is_finished()) finished.push_back(job);
    }
    for (const Ref<Job> job_ref : finished) {
      const Job& job = *api_.get(job_ref);
      state.active.erase(job_ref);
      const ScopedCause because(engine_, job.meta.cause);
      api_.record(ref, "SawCompletedJob",
                  fmt::format("Saw completed job: {}, condition: {}", api_.names().text(job.meta.name), job.complete ? "Complete" : "Failed"));
    }
  }

  void clean_up_history(Ref<CronJob> ref, State& state) {
    for (const bool success : {true, false}) {
      const CronJob& cron = *api_.get(ref);
      const std::int64_t limit = success ? cron.successful_history : cron.failed_history;
      std::vector<Ref<Job>> ended;
      for (const Ref<Job> job_ref : state.jobs) {
        const Job& job = *api_.get(job_ref);
        if (job.is_finished() && job.complete == success && !job.meta.is_deleting()) ended.push_back(job_ref);
      }
      const std::int64_t surplus = static_cast<std::int64_t>(ended.size()) - limit;
      if (surplus <= 0) continue;
      std::stable_sort(ended.begin(), ended.end(), [&](Ref<Job> a, Ref<Job> b) {
        return api_.get(a)->start_time.value_or(api_.get(a)->meta.created) < api_.get(b)->start_time.value_or(api_.get(b)->meta.created);
      });
      for (std::int64_t i = 0; i < surplus; ++i) remove_job(ref, state, ended[static_cast<std::size_t>(i)]);
    }
  }

  void remove_job(Ref<CronJob> ref, State& state, Ref<Job> job) {
    budget_.take();
    const CauseId deleted = api_.record(ref, "SuccessfulDelete", fmt::format("Deleted job {}", api_.names().text(api_.get(job)->meta.name)));
    const ScopedCause because(engine_, deleted);
    state.active.erase(job);
    std::erase(state.jobs, job);
    api_.remove(job);
  }

  void start_due(Ref<CronJob> ref, State& state, const CronSchedule& schedule) {
    const CronJob& cron = *api_.get(ref);
    const std::int64_t now = now_unix();
    std::int64_t earliest = earliest_of(cron);
    if (cron.starting_deadline_seconds) earliest = std::max(earliest, now - *cron.starting_deadline_seconds);
    const MissedRuns missed = missed_runs(schedule, earliest, now);
    if (missed.count > kTooManyMissedRuns && !state.told_many) {
      state.told_many = true;
      api_.record(ref, "TooManyMissedTimes",
                  fmt::format("too many missed start times: {}. Set or decrease .spec.startingDeadlineSeconds or check clock skew", missed.count));
    }
    if (missed.count <= kTooManyMissedRuns) state.told_many = false;
    if (!missed.most_recent) return;
    const std::int64_t due = *missed.most_recent;

    if (cron.starting_deadline_seconds && due + *cron.starting_deadline_seconds < now) {
      if (state.told_missed != due) {
        state.told_missed = due;
        api_.record(ref, "MissSchedule", fmt::format("Missed scheduled time to start a job: {}", clock_text(due)));
      }
      return;
    }
    const Symbol job_name = api_.names().intern(fmt::format("{}-{}", api_.names().text(cron.meta.name), due / 60));
    if (cron.last_schedule_time && unix_of(*cron.last_schedule_time) == due) return;
    if (api_.find<Job>(cron.meta.ns, job_name)) return;
    if (cron.concurrency == CronJob::Concurrency::kForbid && !state.active.empty()) {
      // lastScheduleTime stays: the run is made up for when the active Job ends, if it is still the latest one then.
      if (state.told_active != due) {
        state.told_active = due;
        api_.record(ref, "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid");
      }
      return;
    }
    if (cron.concurrency == CronJob::Concurrency::kReplace) {
      const std::set<Ref<Job>> active = state.active;
      for (const Ref<Job> job : active) remove_job(ref, state, job);
    }
    create_job(ref, state, job_name, due);
  }

  void create_job(Ref<CronJob> ref, State& state, Symbol job_name, std::int64_t due) {
    const CronJob& cron = *api_.get(ref);
    Job job;
    job.meta.ns = cron.meta.ns;
    job.meta.name = job_name;
    job.meta.labels = cron.job_labels;
    job.meta.owners.push_back(OwnerReference{ApiServer::untyped(ref), cron.meta.uid, true});
    job.spec = cron.job_template;
    if (const CreateReview review = api_.review(Kind::kJob, job.meta.ns, job.meta.labels); !review.allowed) {
      if (state.told_refused != due) {
        state.told_refused = due;
        const CauseId wanted = engine_.cause();
        const ScopedCause because(engine_, review.cause ? review.cause : wanted);
        api_.log().also_caused_by(api_.record(ref, "FailedCreate", "Error creating job: " + review.message), wanted);
      }
      queue_.add_rate_limited(ApiServer::untyped(ref));
      return;
    }
    queue_.forget(ApiServer::untyped(ref));
    budget_.take();
    const CauseId created = api_.record(ref, "SuccessfulCreate", fmt::format("Created job {}", api_.names().text(job_name)));
    const ScopedCause because(engine_, created);
    const Ref<Job> made = api_.create(std::move(job));
    state.jobs.push_back(made);
    state.active.insert(made);
    budget_.take();
    api_.update(ref, Change::kStatus, [&](CronJob& c) { c.last_schedule_time = time_of(due); });
  }

  Engine& engine_;
  ApiServer& api_;
  ApiClient& client_;
  std::int64_t start_;
  SimDuration skew_{};
  ClientBudget budget_;
  WorkQueue queue_;
  std::map<ObjectRef, State> states_;
  std::map<ObjectRef, CauseId> blocked_;
  bool running_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

std::unique_ptr<Controller> make_cron_job_controller(const ControllerContext& context, std::int64_t start_unix_seconds) {
  return std::make_unique<CronJobController>(context, start_unix_seconds);
}

}  // namespace sim::k8s
