// Modes raft and leader: one member leads. With raft a majority of all members must be together, and every member of it answers; with leader any
// member may lead, and only the leader answers.
//
// Source: reference platform 7.3 (quorum queues: a majority, election within a few seconds). The majority is of the members that were ever seen: a
// Raft group keeps its size until somebody takes a member out.
// Leaves out: log replication, members that join as learners, leases.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sim/models/services/mode.hpp"

namespace sim::services {

namespace {

class Election final : public ModeModel {
 public:
  using ModeModel::ModeModel;
  ~Election() override { engine().cancel(timer_); }

  bool remembers_members() const override { return true; }
  void process_changed(std::size_t, k8s::ProcessState) override { look(); }
  void network_changed() override { look(); }

  bool answers(std::size_t member) const override {
    if (!leader_ || !is_able(member)) return false;
    if (!is_raft()) return member == *leader_;
    return context_.connected(member, *leader_);
  }
  std::string member_state(std::size_t member) const override {
    if (!is_able(member)) return "Down";
    if (leader_ && *leader_ == member) return "Leader";
    return answers(member) ? "Follower" : is_raft() ? "No leader" : "Standby";
  }
  std::string state() const override {
    if (leader_) return "led by " + context_.member(*leader_).name;
    return engine().is_pending(timer_) ? "electing" : "no leader";
  }

 private:
  bool is_raft() const { return context_.config.mode == Mode::kRaft; }
  bool is_able(std::size_t member) const {
    const k8s::PodProcess& process = context_.member(member).process;
    if (context_.config.host_datapath) return context_.member(member).is_set_up && context_.hosts.is_running(process.host);
    return process.state == k8s::ProcessState::kUp;
  }
  bool together(std::size_t a, std::size_t b) const {
    return a == b || (context_.hosts.reachable(context_.member(a).process.host, context_.member(b).process.host) &&
                      context_.pods_reach(context_.member(a).pod, context_.member(b).pod));
  }
  /// Who can lead: the first member of the largest group that is large enough.
  std::vector<std::size_t> electorate() const {
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < context_.members.size(); ++i) {
      if (!is_able(i)) continue;
      // A standby takes over where clients are; what is cut off from them leads nobody.
      if (!is_raft() && !context_.hosts.has_network(context_.member(i).process.host)) continue;
      const auto home = std::find_if(groups.begin(), groups.end(), [&](const std::vector<std::size_t>& group) { return together(group.front(), i); });
      if (home == groups.end()) groups.push_back({i});
      else home->push_back(i);
    }
    const std::size_t majority = is_raft() ? size() / 2 + 1 : 1;
    for (std::vector<std::size_t>& group : groups) {
      if (group.size() >= majority) return group;
    }
    return {};
  }
  std::size_t size() const {
    return std::max(context_.members.size(), static_cast<std::size_t>(std::max<std::int64_t>(1, context_.replicas())));
  }
  void look() {
    const std::vector<std::size_t> group = electorate();
    const bool keeps = leader_ && std::find(group.begin(), group.end(), *leader_) != group.end();
    if (keeps) {
      engine().cancel(std::exchange(timer_, TimerId{}));
      context_.changed();
      return;
    }
    if (leader_) {
      CauseId id = context_.record("LeaderLost", group.empty() && is_raft() ? fmt::format("{} is lost, and no majority of {} members is left to elect another leader", context_.member(*leader_).name, size())
                                                                 : fmt::format("{} led and is lost", context_.member(*leader_).name));
      lost_ = id;
      leader_.reset();
    }
    if (group.empty()) {
      engine().cancel(std::exchange(timer_, TimerId{}));
    } else if (!engine().is_pending(timer_)) {
      const SimDuration wait = was_led_ ? context_.config.election.time : SimDuration{};
      const ScopedCause because(engine(), lost_);
      timer_ = engine().after(wait, [this] { elected(); });
    }
    const ScopedCause because(engine(), lost_);
    context_.changed();
  }
  void elected() {
    timer_ = TimerId{};
    const std::vector<std::size_t> group = electorate();
    if (group.empty()) return;
    leader_ = group.front();
    if (std::exchange(was_led_, true)) lost_ = context_.record("LeaderElected", fmt::format("{} leads", context_.member(*leader_).name));
    const ScopedCause because(engine(), std::exchange(lost_, CauseId{}));
    context_.changed();
  }

  std::optional<std::size_t> leader_;
  bool was_led_ = false;
  CauseId lost_{};
  TimerId timer_{};
};

}  // namespace

std::unique_ptr<ModeModel> make_election(ModeContext context) { return std::make_unique<Election>(std::move(context)); }

}  // namespace sim::services
