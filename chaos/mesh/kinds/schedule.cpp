/// Schedule: makes experiments (or workflows) at times.
///
/// Source:     controllers/schedule/cron/controller.go (the latest time that was missed counts; Forbid: not while one has not finished), gc/controller.go (the oldest
///             above historyLimit are deleted: finished ones, and those that would never finish). The clock is the run's (run.start in the scenario).
/// Leaves out: schedules with seconds and time zones; after a Forbid, a start before the next time of the schedule.
#include "chaos/mesh/kinds/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "chaos/mesh/kinds/kind_files.hpp"

namespace chaos::mesh {

namespace {

using sim::k8s::CronSchedule;

class ScheduleObject final : public Object {
 public:
  ScheduleObject(Cluster& cluster, std::shared_ptr<const ScheduleSpec> spec, const Meta& meta)
      : Object(cluster, "Schedule", meta.ns, meta.name), spec_(std::move(spec)), meta_(meta), timer_(world().engine), gc_(world().engine) {}

  void start() override {
    // Counted from the creation; also `@every`, whose first run is one period later.
    last_ = now_unix();
    if (!meta_.is_paused()) wait();
    tell();
  }
  bool is_finished() const override { return is_deleted_; }
  ObjectView view() const override {
    ObjectView view = Object::view();
    view.phase = is_deleted_ ? "Deleted" : meta_.is_paused() ? "Paused" : "Run";
    view.is_paused = meta_.is_paused();
    view.targets = static_cast<std::size_t>(std::count_if(children_.begin(), children_.end(), [](const Object* child) { return !child->is_deleted(); }));
    return view;
  }

 private:
  std::int64_t start_unix() const { return cluster_.start_unix_seconds(); }
  std::int64_t now_unix() const { return start_unix() + std::chrono::floor<std::chrono::seconds>(world().engine.now().time_since_epoch()).count(); }
  void wait() {
    const std::optional<std::int64_t> next = spec_->schedule->next(last_);
    if (!next) return;
    // The clock causes the run, not what the last one did.
    const sim::CauseId before = world().engine.cause();
    world().engine.set_cause(began_);
    timer_.set_at(std::max(world().engine.now(), SimTime{} + std::chrono::seconds(*next - start_unix())), [this, due = *next] { fire(due); });
    world().engine.set_cause(before);
  }
  void fire(std::int64_t due) {
    if (!began_) began_ = world().engine.cause();
    if (!world().api.writable()) {
      // Found when the API can be written again: the latest time that was missed.
      cluster_.environment().when_writable(alive(), [this] {
        if (!is_deleted_) catch_up();
      });
      return;
    }
    run(due);
  }
  void catch_up() {
    const sim::k8s::MissedRuns missed = sim::k8s::missed_runs(*spec_->schedule, last_, now_unix());
    constexpr std::int64_t kTooMany = 100;
    if (missed.count > kTooMany) {
      record("Failed", "Failed to get run time: too many missed start time (> 100). Set or decrease .spec.startingDeadlineSeconds or check clock skew");
      failure_ = "too many missed start times";
      return;
    }
    if (missed.most_recent) run(*missed.most_recent);
    else wait();
  }
  void run(std::int64_t due) {
    if (spec_->deadline_seconds && due + *spec_->deadline_seconds < now_unix()) {
      record("MissSchedule", fmt::format("Missed scheduled time to start a job: {}s after the start of the run", due - start_unix()));
      last_ = now_unix();
      wait();
      return;
    }
    const auto running = std::find_if(children_.begin(), children_.end(), [](const Object* child) { return !child->is_finished(); });
    if (spec_->forbids && running != children_.end()) {
      record("Forbid", fmt::format("Forbid spawning new job because: {} is still running", (*running)->name()));
    } else {
      Meta meta;
      meta.ns = ns_;
      meta.name = cluster_.generate_name(name_ + "-");
      const sim::CauseId id = record("Spawned", fmt::format("Create new object: {}", meta.name));
      const sim::ScopedCause because(world().engine, id);
      Object& child = cluster_.create(spec_->embedded.spec, meta);
      children_.push_back(&child);
      child.changed = [this, &child] {
        if (!child.failure().empty()) failure_ = child.failure();
        if (child.is_finished()) clean_up_soon();
      };
      clean_up_soon();
    }
    last_ = std::max(due, now_unix());
    wait();
  }
  /// Not from inside of what just finished.
  void clean_up_soon() {
    if (!gc_.is_pending()) gc_.set_after(SimDuration::zero(), [this] { clean_up(); });
  }
  void clean_up() {
    if (is_deleted_) return;
    const std::int64_t surplus = std::ssize(children_) - spec_->history;
    const auto* chaos = dynamic_cast<const ChaosSpec*>(spec_->embedded.spec.get());
    // What has neither finished nor an end in sight is deleted as well.
    const bool never_ends = chaos != nullptr && !chaos->duration && !chaos->is_one_shot();
    const std::vector<Object*> oldest(children_.begin(), children_.begin() + std::max<std::int64_t>(0, surplus));
    for (Object* child : oldest) {
      if (child->is_finished() || never_ends) child->remove();
    }
    const std::vector<Object*> all = std::exchange(children_, {});
    for (Object* child : all) {
      if (child->is_deleted()) cluster_.forget(*child);
      else children_.push_back(child);
    }
  }
  void removed() override {
    timer_.cancel();
    gc_.cancel();
    // They are its own: the garbage collector takes them with it.
    const std::vector<Object*> all = children_;
    for (Object* child : all) child->remove();
  }

  std::shared_ptr<const ScheduleSpec> spec_;
  Meta meta_;
  sim::Timer timer_, gc_;
  std::int64_t last_ = 0;
  sim::CauseId began_{};
  std::vector<Object*> children_;
};

}  // namespace

void describe(Fields<ScheduleSpec>& fields) {
  fields.title("Experiments at times.")
      .custom("schedule", TypeInfo{.kind = TypeInfo::Kind::kString}, "Cron with five fields (UTC), @hourly and the like, or @every 10m.",
              [](Node node, ScheduleSpec& to, Reader& reader) {
                if (!sim::scenario::detail::read_string(node, to.text, reader)) return false;
                std::string error;
                to.schedule = CronSchedule::parse(to.text, error);
                if (to.schedule) return true;
                const auto fields_in = static_cast<std::size_t>(std::count(to.text.begin(), to.text.end(), ' ')) + 1;
                if (fields_in == 6 && !to.text.starts_with('@')) {
                  reader.diagnostics.error(node, fmt::format("{}a schedule with seconds", kNotModelled)).hint = "@every 10s, or five fields";
                } else {
                  reader.diagnostics.error(node, fmt::format("parse schedule field error: {}", error)).expected = "five fields such as \"*/10 * * * *\", or \"@every 10m\"";
                }
                return false;
              })
      .required()
      .choice("type", &ScheduleSpec::type, embedded_types(true), "Of what kind.")
      .required()
      .choice("concurrencyPolicy", &ScheduleSpec::forbids, std::vector<std::pair<std::string, bool>>{{"Forbid", true}, {"Allow", false}}, "Forbid: none while the one before has not finished.")
      .add("historyLimit", &ScheduleSpec::history, 1, 1'000'000, "How many are kept. Without it none: as Chaos Mesh does it, each is deleted when it has finished, and at once if it would never finish.")
      .add("startingDeadlineSeconds", &ScheduleSpec::deadline_seconds, 0, 1'000'000'000, "A start that is missed for longer is left out.");
  describe_embedded(fields, &ScheduleSpec::embedded, true);
  refused(fields, "remoteCluster", TypeInfo::Kind::kString, "one cluster is simulated");
  fields.rule([](const ScheduleSpec& spec, Node node, Reader& reader) { check_embedded(spec.embedded, spec.type, node, reader); });
}

std::unique_ptr<Object> make_schedule(Cluster& cluster, std::shared_ptr<const ScheduleSpec> spec, const Meta& meta) { return std::make_unique<ScheduleObject>(cluster, std::move(spec), meta); }

Kind schedule() { return make_kind<ScheduleSpec>("Schedule", "schedule", "Experiments or workflows at times."); }

}  // namespace chaos::mesh
