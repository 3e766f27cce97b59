/// One experiment: a resource of a kind that selects something and does something to it.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/mesh/cluster.hpp"
#include "sim/core/engine.hpp"

namespace chaos::mesh {

namespace {

constexpr SimDuration kFirstRetry = std::chrono::milliseconds(5);
constexpr SimDuration kLongestRetry = std::chrono::seconds(1000);

class Experiment final : public Object {
 public:
  Experiment(Cluster& cluster, std::shared_ptr<const ChaosSpec> spec, const Meta& meta)
      : Object(cluster, spec->kind, meta.ns, meta.name), spec_(std::move(spec)), is_paused_(meta.is_paused()), end_(world().engine), retry_(world().engine) {}

  void start() override {
    sim::CauseId id = record(is_paused_ ? "Paused" : "Started", is_paused_ ? "Experiment has been paused" : "Experiment has started");
    const sim::ScopedCause because(world().engine, id);
    sim::RandomStream random = world().random.stream("chaos-mesh/select", subject());
    std::string why;
    std::vector<Target> targets = spec_->select(cluster_, ns_, random, why);
    for (Target& target : targets) records_.push_back({std::move(target)});
    for (const Record& one : records_) targets_.push_back(one.target);
    if (records_.empty()) {
      failure_ = "select targets: " + why;
      id = record("Failed", "Failed to select targets: " + why);
    }
    effect_ = spec_->make(cluster_);
    if (!is_paused_) apply_all();
    if (spec_->duration && !spec_->is_one_shot() && !is_paused_) end_.set_after(spec_->duration->value, [this] { time_up(); });
    tell();
  }

  bool is_finished() const override {
    if (is_deleted_) return true;
    if (is_paused_) return false;
    if (records_.empty()) return !spec_->duration || is_stopped_;
    if (spec_->is_one_shot()) return all_are(true);
    return is_stopped_ && all_are(false);
  }
  ObjectView view() const override {
    ObjectView view = Object::view();
    view.phase = is_deleted_ ? "Deleted" : is_stopped_ || is_paused_ ? "Stop" : "Run";
    view.has_conditions = true;
    view.is_selected = !records_.empty();
    view.all_injected = !records_.empty() && all_are(true);
    view.all_recovered = !records_.empty() && all_are(false);
    view.is_paused = is_paused_;
    view.targets = records_.size();
    return view;
  }

 private:
  struct Record {
    Target target;
    bool is_injected = false;
    std::string told = {};  // the failure that was recorded last
  };
  bool all_are(bool injected) const {
    return std::all_of(records_.begin(), records_.end(), [&](const Record& one) { return one.is_injected == injected; });
  }
  void apply_all() {
    bool again = false;
    for (Record& one : records_) {
      if (one.is_injected || is_stopped_ || is_deleted_) continue;
      const std::string error = apply_one(one);
      if (error.empty()) continue;
      again = true;
      if (one.told != error) record("Failed", fmt::format("Failed to apply chaos: {}", error));
      one.told = error;
      failure_ = "apply chaos: " + error;
    }
    if (records_.empty()) return;
    if (!again) {
      failure_.clear();
      return;
    }
    wait_ = wait_ == SimDuration::zero() ? kFirstRetry : std::min(kLongestRetry, wait_ * 2);
    retry_.set_after(wait_, [this] {
      apply_all();
      tell();
    });
  }
  std::string apply_one(Record& one) {
    std::string error = effect_->apply(one.target, targets_);
    if (!error.empty()) return error;
    one.is_injected = true;
    record("Applied", fmt::format("Successfully apply chaos for {}", one.target.id));
    return {};
  }
  void recover_all() {
    retry_.cancel();
    for (Record& one : records_) {
      if (!one.is_injected || spec_->is_one_shot()) continue;
      one.is_injected = false;
      const sim::CauseId id = record("Recovered", fmt::format("Successfully recover chaos for {}", one.target.id));
      const sim::ScopedCause because(world().engine, id);
      effect_->recover(one.target);
    }
  }
  void time_up() {
    cluster_.environment().when_writable(alive(), [this] {
      if (is_deleted_ || is_stopped_) return;
      is_stopped_ = true;
      const sim::CauseId id = record("TimeUp", "Time up according to the duration");
      const sim::ScopedCause because(world().engine, id);
      recover_all();
      tell();
    });
  }
  void removed() override {
    end_.cancel();
    recover_all();
    is_stopped_ = true;
  }

  std::shared_ptr<const ChaosSpec> spec_;
  bool is_paused_ = false;
  bool is_stopped_ = false;
  std::unique_ptr<Effect> effect_;
  std::vector<Record> records_;
  std::vector<Target> targets_;
  SimDuration wait_{};
  sim::Timer end_, retry_;
};

}  // namespace

std::unique_ptr<Object> make_experiment(Cluster& cluster, std::shared_ptr<const ChaosSpec> spec, const Meta& meta) {
  return std::make_unique<Experiment>(cluster, std::move(spec), meta);
}

}  // namespace chaos::mesh
