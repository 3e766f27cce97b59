// Mode proxy: each instance hands on to one member of the service behind it, as its monitor saw it last.
//
// Source: MaxScale galeramon (reference platform 7.2): polls every monitor_interval; a member that is gone without a word costs the poll a
// connect timeout; the write node is the synced one with the lowest index, and comes back to it (disable_master_failback false).
// Leaves out: read-write splitting, several write nodes, transactions and connections that break at a fail-over.
#include <fmt/format.h>

#include <algorithm>

#include "sim/models/services/mode.hpp"

namespace sim::services {

namespace {

class Proxy final : public ModeModel {
 public:
  Proxy(ModeContext context, std::unique_ptr<Backend> backend) : ModeModel(std::move(context)), backend_(std::move(backend)) {}
  ~Proxy() override {
    for (const Instance& instance : instances_) engine().cancel(instance.poll);
  }

  void added(std::size_t member) override {
    Instance instance;
    RandomStream draws = context_.random.stream("services/monitor-phase", context_.member(member).name);
    instance.phase = draws.uniform(SimDuration{}, context_.config.proxy.monitor_interval);
    instances_.push_back(instance);
  }
  void process_changed(std::size_t member, k8s::ProcessState before) override {
    if (before != k8s::ProcessState::kUp) instances_[member].chosen = kNone;  // a monitor that starts knows nothing
    look(member);
    context_.changed();
  }
  void network_changed() override { backend_changed(); }
  void backend_changed() override {
    for (std::size_t i = 0; i < instances_.size(); ++i) look(i);
    context_.changed();
  }
  bool answers(std::size_t member) const override {
    const std::size_t chosen = instances_[member].chosen;
    return is_up(member) && chosen < backend_->size() && backend_->answers(chosen) && reaches(member, chosen);
  }
  std::string state() const override {
    for (std::size_t i = 0; i < instances_.size(); ++i) {
      if (answers(i)) return {};
    }
    for (std::size_t i = 0; i < instances_.size(); ++i) {
      const std::size_t chosen = instances_[i].chosen;
      if (is_up(i) && chosen < backend_->size()) return fmt::format("{} does not answer, to which it hands on", backend_->member(chosen).name);
    }
    return fmt::format("no member of {} to hand on to", context_.config.proxy.backend);
  }
  std::string member_state(std::size_t member) const override {
    if (!is_up(member)) return "Down";
    const std::size_t chosen = instances_[member].chosen;
    return chosen < backend_->size() ? "-> " + backend_->member(chosen).name : "No backend";
  }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;
  struct Instance {
    std::size_t chosen = kNone;
    SimDuration phase{};
    TimerId poll{};
  };
  bool is_up(std::size_t member) const { return context_.member(member).process.state == k8s::ProcessState::kUp; }
  bool reaches(std::size_t member, std::size_t backend) const {
    return context_.hosts.reachable(context_.member(member).process.host, backend_->member(backend).process.host) &&
           context_.pods_reach(context_.member(member).pod, backend_->member(backend).pod);
  }
  std::size_t best(std::size_t member) const {
    for (std::size_t i = 0; i < backend_->size(); ++i) {
      if (backend_->answers(i) && reaches(member, i)) return i;
    }
    return kNone;
  }
  /// What the monitor would choose may be new: it finds out at its next poll.
  void look(std::size_t member) {
    Instance& instance = instances_[member];
    if (!is_up(member) || best(member) == instance.chosen) {
      engine().cancel(std::exchange(instance.poll, TimerId{}));
      return;
    }
    if (engine().is_pending(instance.poll)) return;
    const ProxyConfig& config = context_.config.proxy;
    const SimDuration interval = std::max(config.monitor_interval, SimDuration(1));
    const SimDuration since = (engine().now().time_since_epoch() - instance.phase) % interval;
    SimDuration wait = since < SimDuration{} ? -since : interval - since;
    // The member that is gone does not refuse: the poll waits for its connection.
    if (instance.chosen < backend_->size() && !reaches(member, instance.chosen)) wait += config.connect_timeout;
    instance.poll = engine().after(wait, [this, member] { polled(member); });
  }
  void polled(std::size_t member) {
    Instance& instance = instances_[member];
    instance.poll = TimerId{};
    const std::size_t next = best(member);
    if (next == instance.chosen || !is_up(member)) return;
    const std::size_t before = std::exchange(instance.chosen, next);
    CauseId id = engine().cause();
    // The first choice of an instance that starts is no news.
    if (before != kNone && next != kNone) {
      id = context_.record("ProxyFailover", fmt::format("{} hands on to {} instead of {}", context_.member(member).name, backend_->member(next).name,
                                                        before < backend_->size() ? backend_->member(before).name : "nobody"));
    }
    const ScopedCause because(engine(), id);
    context_.changed();
  }

  std::unique_ptr<Backend> backend_;
  std::vector<Instance> instances_;
};

}  // namespace

std::unique_ptr<ModeModel> make_proxy(ModeContext context, std::unique_ptr<Backend> backend) {
  return std::make_unique<Proxy>(std::move(context), std::move(backend));
}

}  // namespace sim::services
