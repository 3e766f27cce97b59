/// CronJob controller: Jobs by the clock.
///
/// Source: pkg/controller/cronjob/cronjob_controllerv2.go (reference chapter 2.6).
/// A sync costs what has changed since the last one, however many Jobs a CronJob has left.
/// Leaves out: status.active as a field (it follows from the Jobs); the local zone of the controller-manager is UTC.
/// Checked by: tests/models/kubernetes/controllers/cron_job_test.cpp.

#include <algorithm>
#include <array>
#include <compare>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
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
    scheduled_ = api_.names().intern("batch.kubernetes.io/cronjob-scheduled-timestamp");
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
      if (const auto state = states_.find(controller->owner); state != states_.end()) forget(state->second, event.ref<Job>(), job->meta.name);
    } else {
      note(event.ref<Job>(), *job);
      // Counters of a running Job change nothing here; its end does.
      if (event.type == WatchEvent::Type::kModified && event.changes == Change::kStatus) return;
    }
    queue_.add(controller->owner);
  }

 private:
  /// Orders ended Jobs as Kubernetes removes them: by start time, those without one last, then by name.
  struct Ended {
    bool never_started = false;
    SimTime start{};
    std::string name;
    Ref<Job> job;
    friend auto operator<=>(const Ended&, const Ended&) = default;
  };
  /// What the controller remembers of a CronJob.
  struct State {
    std::set<Ref<Job>> active;   // status.active
    std::vector<Ref<Job>> ends;  // ended since the last sync
    std::set<Ended> succeeded;
    std::set<Ended> failed;
    std::map<Ref<Job>, Ended> ended;  // where each is in the sets
    std::vector<std::string> missing;  // active ones that are gone
    std::string parsed_schedule;
    std::string parsed_zone;
    std::optional<CronSchedule> schedule;
    std::optional<std::int64_t> told_missed;  // scheduled times about which the log says already why nothing was started
    std::optional<std::int64_t> told_active;
    std::optional<std::int64_t> told_refused;
    bool told_many = false;
    bool told_impossible = false;
  };

  void note(Ref<Job> ref, const Job& job) {
    const OwnerReference* controller = job.meta.controller();
    if (controller == nullptr || controller->owner.kind != Kind::kCronJob) return;
    State& state = states_[controller->owner];
    if (state.ended.contains(ref)) return;
    if (!job.is_finished()) {
      state.active.insert(ref);
      return;
    }
    Ended entry{!job.start_time, job.start_time.value_or(SimTime{}), api_.names().text(job.meta.name), ref};
    (job.complete ? state.succeeded : state.failed).insert(entry);
    state.ended.emplace(ref, std::move(entry));
    state.ends.push_back(ref);
  }

  void forget(State& state, Ref<Job> ref, Symbol name) {
    if (state.active.erase(ref) != 0) state.missing.push_back(api_.names().text(name));
    if (const auto entry = state.ended.find(ref); entry != state.ended.end()) {
      state.succeeded.erase(entry->second);
      state.failed.erase(entry->second);
      state.ended.erase(entry);
    }
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

  /// "Thu, 01 Jan 2026 00:05:00 +0000"
  static std::string clock_text(std::int64_t unix_seconds) {
    constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const TimeZone::Local at = TimeZone::find("UTC")->local(unix_seconds);
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000", kDays[at.weekday], at.day, kMonths[at.month - 1], at.year, at.hour, at.minute, at.second);
  }
  /// RFC 3339 in the CronJob's zone: "2026-03-29T03:00:00+02:00".
  static std::string stamp_text(std::int64_t unix_seconds, const TimeZone* zone) {
    if (zone == nullptr) zone = TimeZone::find("UTC");
    const TimeZone::Local at = zone->local(unix_seconds);
    const std::int64_t offset = zone->offset_at(unix_seconds) / 60;
    const std::string date = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", at.year, at.month, at.day, at.hour, at.minute, at.second);
    if (offset == 0) return date + "Z";
    const std::int64_t minutes = offset < 0 ? -offset : offset;
    return fmt::format("{}{}{:02}:{:02}", date, offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
  }

  void sync(Ref<CronJob> ref) {
    const ObjectRef key = ApiServer::untyped(ref);
    State& state = states_[key];
    see_ended(ref, state);
    run(ref, state);
    clean_up_history(ref, state);
  }

  void run(Ref<CronJob> ref, State& state) {
    const CronJob& cron = *api_.get(ref);
    if (cron.meta.is_deleting() || cron.suspend || (!cron.time_zone.empty() && check_cron_time_zone(cron.time_zone))) return;
    if (!state.schedule || state.parsed_schedule != cron.schedule || state.parsed_zone != cron.time_zone) {
      std::string error;
      state.schedule = CronSchedule::parse(cron.schedule, error);
      state.parsed_schedule = cron.schedule;
      state.parsed_zone = cron.time_zone;
      state.told_impossible = false;
      if (state.schedule && !cron.time_zone.empty()) state.schedule->set_zone(TimeZone::find(cron.time_zone));
    }
    if (!state.schedule) return;  // the input reader refuses such
    if (start_due(ref, state, *state.schedule)) wait_for_next(ref, *state.schedule);
  }

  std::int64_t earliest_of(const CronJob& cron) const { return unix_of(cron.last_schedule_time.value_or(cron.meta.created)); }

  void wait_for_next(Ref<CronJob> ref, const CronSchedule& schedule) {
    const CronJob& cron = *api_.get(ref);
    const std::int64_t earliest = earliest_of(cron);
    const MissedRuns missed = missed_runs(schedule, earliest, now_unix());
    const std::optional<std::int64_t> next = schedule.next(missed.most_recent.value_or(missed.count == 0 && !missed.is_impossible ? earliest : now_unix()));
    if (!next) return;
    // The clock causes the run, not what made the controller look just now.
    const CauseId now_because = engine_.cause();
    engine_.set_cause(CauseId{});
    queue_.add_after(ApiServer::untyped(ref), std::max(SimDuration::zero(), time_of(*next) + kNextScheduleDelta - engine_.now() - skew_));
    engine_.set_cause(now_because);
  }

  void see_ended(Ref<CronJob> ref, State& state) {
    std::vector<Ref<Job>> ends = std::exchange(state.ends, {});
    std::sort(ends.begin(), ends.end());
    std::optional<SimTime> success = api_.get(ref)->last_successful_time;
    for (const Ref<Job> job_ref : ends) {
      const Job* job = api_.get(job_ref);
      if (job == nullptr) continue;
      if (job->complete && job->completion_time && (!success || *job->completion_time > *success)) success = job->completion_time;
      if (state.active.erase(job_ref) == 0) continue;
      const ScopedCause because(engine_, job->meta.cause);
      api_.record(ref, "SawCompletedJob",
                  fmt::format("Saw completed job: {}, condition: {}", api_.names().text(job->meta.name), job->complete ? "Complete" : "Failed"));
    }
    for (const std::string& name : std::exchange(state.missing, {})) {
      api_.record(ref, "MissingJob", fmt::format("Active job went missing: {}", name));
    }
    if (success == api_.get(ref)->last_successful_time) return;
    budget_.take();
    api_.update(ref, Change::kStatus, [&](CronJob& c) { c.last_successful_time = success; });
  }

  void clean_up_history(Ref<CronJob> ref, State& state) {
    for (const bool success : {true, false}) {
      const CronJob& cron = *api_.get(ref);
      std::set<Ended>& ended = success ? state.succeeded : state.failed;
      const auto limit = static_cast<std::size_t>(success ? cron.successful_history : cron.failed_history);
      while (ended.size() > limit) {
        const Ref<Job> oldest = ended.begin()->job;
        if (api_.get(oldest) == nullptr || api_.get(oldest)->meta.is_deleting()) {
          drop_ended(state, oldest);
        } else {
          remove_job(ref, state, oldest);
        }
      }
    }
  }

  static void drop_ended(State& state, Ref<Job> job) {
    const auto entry = state.ended.find(job);
    if (entry == state.ended.end()) return;
    state.succeeded.erase(entry->second);
    state.failed.erase(entry->second);
    // The entry itself stays until the Job is gone: later events about it are no news.
  }

  void remove_job(Ref<CronJob> ref, State& state, Ref<Job> job) {
    budget_.take();
    const CauseId deleted = api_.record(ref, "SuccessfulDelete", fmt::format("Deleted job {}", api_.names().text(api_.get(job)->meta.name)));
    const ScopedCause because(engine_, deleted);
    state.active.erase(job);
    drop_ended(state, job);
    api_.remove(job);
  }

  /// False: there is nothing to wait for.
  bool start_due(Ref<CronJob> ref, State& state, const CronSchedule& schedule) {
    const CronJob& cron = *api_.get(ref);
    const std::int64_t now = now_unix();
    std::int64_t earliest = earliest_of(cron);
    if (cron.starting_deadline_seconds) earliest = std::max(earliest, now - *cron.starting_deadline_seconds);
    const MissedRuns missed = missed_runs(schedule, earliest, now);
    if (missed.is_impossible) {
      if (!std::exchange(state.told_impossible, true)) {
        api_.record(ref, "InvalidSchedule", fmt::format("invalid schedule: {} : time difference between two schedules is less than 1 second", cron.schedule));
      }
      return false;
    }
    if (missed.count <= kTooManyMissedRuns) state.told_many = false;
    if (!missed.most_recent) return true;
    if (missed.count > kTooManyMissedRuns && !std::exchange(state.told_many, true)) {
      api_.record(ref, "TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
    }
    const std::int64_t due = *missed.most_recent;

    if (cron.starting_deadline_seconds && due + *cron.starting_deadline_seconds < now) {
      if (state.told_missed != due) {
        state.told_missed = due;
        api_.record(ref, "MissSchedule", fmt::format("Missed scheduled time to start a job: {}", clock_text(due)));
      }
      return true;
    }
    const Symbol job_name = api_.names().intern(fmt::format("{}-{}", api_.names().text(cron.meta.name), due / 60));
    if (cron.last_schedule_time && unix_of(*cron.last_schedule_time) == due) return true;
    if (const Ref<Job> there = api_.find<Job>(cron.meta.ns, job_name)) {
      const OwnerReference* owner = api_.get(there)->meta.controller();
      if (owner == nullptr || owner->owner != ApiServer::untyped(ref) || state.active.contains(there)) return true;
      // Made by a leader that could not say so any more.
      if (!api_.get(there)->is_finished()) state.active.insert(there);
      budget_.take();
      api_.update(ref, Change::kStatus, [&](CronJob& c) { c.last_schedule_time = time_of(due); });
      return true;
    }
    if (cron.concurrency == CronJob::Concurrency::kForbid && !state.active.empty()) {
      // lastScheduleTime stays: the run is made up for when the active Job ends, if it is still the latest one then.
      if (state.told_active != due) {
        state.told_active = due;
        api_.record(ref, "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid");
      }
      return true;
    }
    if (cron.concurrency == CronJob::Concurrency::kReplace) {
      const std::set<Ref<Job>> active = state.active;
      for (const Ref<Job> job : active) remove_job(ref, state, job);
    }
    create_job(ref, state, job_name, due);
    return true;
  }

  void create_job(Ref<CronJob> ref, State& state, Symbol job_name, std::int64_t due) {
    const CronJob& cron = *api_.get(ref);
    Job job;
    job.meta.ns = cron.meta.ns;
    job.meta.name = job_name;
    job.meta.labels = cron.job_labels;
    const TimeZone* zone = cron.time_zone.empty() ? nullptr : TimeZone::find(cron.time_zone);
    job.meta.annotations.set(scheduled_, api_.names().intern(stamp_text(due, zone)));
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
    state.active.insert(made);
    budget_.take();
    api_.update(ref, Change::kStatus, [&](CronJob& c) { c.last_schedule_time = time_of(due); });
  }

  Engine& engine_;
  ApiServer& api_;
  ApiClient& client_;
  std::int64_t start_;
  Symbol scheduled_;
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
