// Mode quorum: Galera. The members agree on one primary component; whoever is outside of it refuses every statement.
//
// - A member that leaves cleanly is taken out at once, and the others' majority is reckoned without it.
// - A member that falls silent (its machine died, the network is cut, the process was killed) is evicted after suspect_timeout; until then no commit
//   goes through anywhere. What is left stays primary with more than half of the weight of the last primary component.
// - Without a primary component: it forms again by itself once all members of the last one are together again (pc.recovery: the view is kept on disk
//   by those that did not leave cleanly). With the start script of openstack-helm, when all of them were restarted, every replica must have reported first;
//   then the most advanced one bootstraps. Otherwise a person bootstraps the most advanced member that runs.
// - A member that comes (back) fetches what it missed (IST) while a donor's gcache holds it, else everything (SST). It counts for the majority, and
//   serves nobody until it is synced.
// - A synced member whose volume hangs still answers its peers; its receive queue grows past gcs.fc_limit, and flow control pauses all of them.
//
// Source:     galera gcomm/src/pc_proto.cpp (have_quorum, is_prim: all members of the greatest last view), gcomm/src/defaults.cpp; openstack-helm
//             mariadb/templates/bin/_start.py.tpl; reference platform 7.1.
// Leaves out: partitions that are not transitive (so evs.inactive_timeout never decides), nodes that abort when they find no primary component within
//             pc.wait_prim_timeout, certification conflicts, segments, arbitrators without data, evs.auto_evict.
// Checked by: tests/chaos/services_test.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "sim/models/services/mode.hpp"

namespace sim::services {

namespace {

using k8s::ProcessState;

constexpr SimDuration kReformTime{std::chrono::seconds(2)};     // exchange of states, until the first commit (assumed)
constexpr SimDuration kTransferStart{std::chrono::seconds(5)};  // of an SST: donor chosen, backup started (assumed)

std::string megabytes(double bytes) {
  const double mebi = bytes / (1 << 20);
  return mebi >= 1024.0 ? fmt::format("{:.1f} GiB", mebi / 1024.0) : fmt::format("{:.1f} MiB", mebi);
}

class Quorum final : public ModeModel {
 public:
  explicit Quorum(ModeContext context) : ModeModel(std::move(context)), config_(context_.config.quorum) {}
  ~Quorum() override {
    for (const TimerId timer : {suspect_, reform_, person_, pause_}) engine().cancel(timer);
    for (const Node& node : nodes_) engine().cancel(node.join);
  }

  bool remembers_members() const override { return true; }
  void added(std::size_t member) override {
    Node node;
    if (const auto found = config_.weights.find(context_.member(member).name); found != config_.weights.end()) {
      std::from_chars(found->second.data(), found->second.data() + found->second.size(), node.weight);
    }
    // What joins while the cluster is first set up brings its data along; later it starts empty.
    node.has_data = !is_complete_;
    nodes_.push_back(node);
  }

  void process_changed(std::size_t member, ProcessState before) override {
    const k8s::PodProcess& process = context_.member(member).process;
    Node& node = nodes_[member];
    const bool was_peer = before == ProcessState::kUp || before == ProcessState::kHung;
    const bool is_peer = context_.member(member).answers_peers();
    if (process.state == ProcessState::kGone || process.state == ProcessState::kStarting) {
      engine().cancel(std::exchange(node.join, TimerId{}));
      if (was_peer || before == ProcessState::kFrozen) {
        node.was_restarted = true;
        node.left = engine().now();
        if (process.state == ProcessState::kGone && process.ended_cleanly) leave_cleanly(member);
      }
    }
    if (was_peer != is_peer || before == ProcessState::kHung || process.state == ProcessState::kHung) look();
  }
  void network_changed() override {
    look();
    for (std::size_t i = 0; i < nodes_.size(); ++i) change_rate(i);
  }
  void api_changed() override {
    if (!primary_) look();
  }

  bool answers(std::size_t member) const override {
    return primary_ && !is_stalled_ && !is_paused_ && nodes_[member].is_synced && in_view(member) && context_.member(member).process.state == ProcessState::kUp;
  }
  bool takes_part(std::size_t member) const override { return primary_ && nodes_[member].is_synced && in_view(member); }
  bool is_joining(std::size_t member) const override { return engine().is_pending(nodes_[member].join); }
  std::string outstanding() const override {
    if (primary_ || !is_formed_) return {};
    if (view_.empty()) {
      return config_.start_script ? std::string() : fmt::format("all members shut down cleanly: bootstrap {} by hand (safe_to_bootstrap)", context_.member(last_to_leave_).name);
    }
    return fmt::format("no primary component: bring {} back together, or bootstrap the most advanced member by hand", context_.names(view_));
  }
  std::string member_state(std::size_t member) const override {
    switch (context_.member(member).process.state) {
      case ProcessState::kGone: return "Down";
      case ProcessState::kStarting: return "Starting";
      case ProcessState::kFrozen: return "Frozen";
      case ProcessState::kUp:
      case ProcessState::kHung: break;
    }
    if (!primary_ || !in_view(member)) return "Non-primary";
    if (!nodes_[member].is_synced) return "Joining";
    if (context_.member(member).process.state == ProcessState::kHung) return "Hangs";
    return is_donor(member) ? "Donor" : "Synced";
  }
  std::string state() const override {
    if (!is_formed_) return "not formed";
    std::size_t synced = 0;
    for (const std::size_t i : view_) synced += nodes_[i].is_synced ? 1 : 0;
    if (!primary_) return "no primary component";
    return fmt::format("primary, {} of {} synced{}", synced, view_.size(), is_stalled_ ? ", commits wait" : is_paused_ ? ", paused by flow control" : "");
  }
  std::string degraded() const override {
    if (!primary_ || static_cast<std::int64_t>(view_.size()) >= size()) return {};
    return fmt::format("{} of {} members in the primary component", view_.size(), size());
  }

 private:
  struct Node {
    std::int64_t weight = 1;
    std::uint64_t view = 0;     // the newest primary component that it was part of
    bool is_synced = false;
    bool was_restarted = false;  // since it was last part of one
    bool has_data = false;
    SimTime left{};              // the component, or its process ended
    std::size_t donor = SIZE_MAX;
    bool full = false;           // it fetches everything
    TimerId join{};
    double rate = 0.0;           // of the transfer that is under way, bytes a second
    double missing = 0.0;        // of it, at `counted`
    SimTime counted{};           // not before its first byte
  };

  std::int64_t size() const { return std::max<std::int64_t>(std::ssize(nodes_), context_.replicas()); }
  bool in_view(std::size_t member) const { return std::find(view_.begin(), view_.end(), member) != view_.end(); }
  bool is_donor(std::size_t member) const {
    return std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& n) { return n.full && n.donor == member && engine().is_pending(n.join); });
  }
  std::int64_t weight(const std::vector<std::size_t>& members) const {
    std::int64_t sum = 0;
    for (const std::size_t i : members) sum += nodes_[i].weight;
    return sum;
  }
  void new_view(std::vector<std::size_t> members) {
    view_ = std::move(members);
    std::sort(view_.begin(), view_.end());
    ++view_number_;
    for (const std::size_t i : view_) {
      nodes_[i].view = view_number_;
      nodes_[i].was_restarted = false;
    }
  }

  void leave_cleanly(std::size_t member) {
    if (!in_view(member)) return;
    nodes_[member].is_synced = false;
    if (!primary_) return;  // its view stays on disk with the others; without a component nobody takes note
    last_to_leave_ = member;
    std::vector<std::size_t> rest = view_;
    std::erase(rest, member);
    if (!rest.empty()) {
      new_view(std::move(rest));
      return;
    }
    view_.clear();
    lose_primary("the last member shut down cleanly: nobody is left");
  }

  void lose_primary(const std::string& why) {
    primary_ = false;
    is_stalled_ = false;
    engine().cancel(std::exchange(suspect_, TimerId{}));
    for (Node& node : nodes_) {
      engine().cancel(std::exchange(node.join, TimerId{}));
      if (node.is_synced) node.left = engine().now();
      node.is_synced = false;
    }
    lost_ = context_.record("NoPrimaryComponent", why);
    const ScopedCause because(engine(), lost_);
    if (config_.bootstrap_after) person_ = engine().after(*config_.bootstrap_after, [this] { bootstrap_by_hand(); });
    context_.changed();
  }

  /// Everything is looked at anew after any change.
  void look() {
    if (primary_) look_at_primary();
    if (!primary_) look_for_primary();
    if (primary_) join_others();
    look_at_flow();
    const ScopedCause because(engine(), is_stalled_ ? stall_ : CauseId{});
    context_.changed();
  }

  bool view_is_whole() const {
    const std::vector<std::vector<std::size_t>> groups = context_.groups(view_);
    return groups.size() == 1 && groups.front().size() == view_.size();
  }

  void look_at_primary() {
    for (const std::size_t i : view_) {
      // Its process ended and is back before anybody evicted it: it joins anew.
      if (nodes_[i].was_restarted && context_.member(i).answers_peers()) nodes_[i].is_synced = nodes_[i].was_restarted = false;
    }
    if (view_is_whole()) {
      engine().cancel(std::exchange(suspect_, TimerId{}));
      is_stalled_ = false;
      return;
    }
    std::vector<std::size_t> silent;
    const std::vector<std::vector<std::size_t>> groups = context_.groups(view_);
    const auto largest = std::max_element(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
    for (const std::size_t i : view_) {
      const bool is_heard = largest != groups.end() && std::find(largest->begin(), largest->end(), i) != largest->end();
      if (!is_heard) silent.push_back(i);
    }
    if (silent == silent_ && is_stalled_) return;
    silent_ = silent;
    RandomStream draws(context_.random.seed(), "services/evs-check", context_.config.name, ++draws_);
    const SimDuration wait = config_.suspect_timeout + draws.uniform(SimDuration{}, config_.check_period);
    is_stalled_ = true;
    stall_ = context_.record("MemberSuspected", fmt::format("{} not heard: no commit goes through until evicted ({})", context_.names(silent_), format_duration(config_.suspect_timeout)));
    const ScopedCause because(engine(), stall_);
    engine().cancel(suspect_);
    suspect_ = engine().after(wait, [this] { evict(); });
  }

  void evict() {
    suspect_ = TimerId{};
    is_stalled_ = false;
    silent_.clear();
    std::vector<std::size_t> winners;
    for (const std::vector<std::size_t>& group : context_.groups(view_)) {
      if (2 * weight(group) > weight(view_)) winners = group;
    }
    if (winners.empty()) {
      std::size_t together = 0;
      for (const std::vector<std::size_t>& group : context_.groups(view_)) together = std::max(together, group.size());
      lose_primary(fmt::format("no majority of the last primary component: {} of {} members together ({})", together, view_.size(), context_.names(view_)));
    } else {
      std::vector<std::size_t> evicted;
      for (const std::size_t i : view_) {
        if (std::find(winners.begin(), winners.end(), i) != winners.end()) continue;
        evicted.push_back(i);
        engine().cancel(std::exchange(nodes_[i].join, TimerId{}));
        if (nodes_[i].is_synced) nodes_[i].left = engine().now() - config_.suspect_timeout;
        nodes_[i].is_synced = false;
      }
      const CauseId id = context_.record("MemberEvicted", fmt::format("{} evicted: {} of {} stay primary", context_.names(evicted), winners.size(), view_.size()));
      const ScopedCause because(engine(), id);
      new_view(winners);
      look();
      return;
    }
    look();
  }

  void look_for_primary() {
    const std::vector<std::size_t> all = context_.all();
    if (!is_formed_) {
      // The first one that runs makes the cluster.
      for (const std::size_t i : all) {
        if (!context_.member(i).answers_peers()) continue;
        is_formed_ = true;
        new_view({i});
        begin_primary({i});
        return;
      }
      return;
    }
    const std::vector<std::vector<std::size_t>> groups = context_.groups(all);
    const auto home = std::find_if(groups.begin(), groups.end(), [&](const std::vector<std::size_t>& group) {
      const bool all_of_last = !view_.empty() && std::all_of(view_.begin(), view_.end(), [&](std::size_t i) { return std::find(group.begin(), group.end(), i) != group.end(); });
      if (!config_.start_script) return all_of_last;
      // The script decides when nobody is left who remembers: then every replica has to be there.
      const bool somebody_stayed = std::any_of(view_.begin(), view_.end(), [&](std::size_t i) { return !nodes_[i].was_restarted; });
      return somebody_stayed ? all_of_last : std::ssize(group) >= size() && context_.is_api_writable();
    });
    if (home == groups.end()) {
      engine().cancel(std::exchange(reform_, TimerId{}));
      return;
    }
    if (engine().is_pending(reform_)) return;
    const bool by_script = config_.start_script && std::all_of(view_.begin(), view_.end(), [&](std::size_t i) { return nodes_[i].was_restarted; });
    reform_ = engine().after(by_script ? config_.start_script_ttl : kReformTime, [this, by_script] { reform(by_script); });
  }

  void reform(bool by_script) {
    reform_ = TimerId{};
    if (primary_) return;
    // Those with the newest view have everything that was committed.
    std::vector<std::size_t> newest = view_.empty() ? std::vector<std::size_t>{last_to_leave_} : view_;
    const CauseId id = by_script ? context_.record("ClusterBootstrapped", fmt::format("every replica has reported: {} has the newest state and bootstraps", context_.member(newest.front()).name))
                                 : context_.record("PrimaryComponentRestored", fmt::format("all members of the last primary component are together again: {}", context_.names(newest)));
    const ScopedCause because(engine(), id);
    new_view(newest);
    begin_primary(newest);
    look();
  }

  void bootstrap_by_hand() {
    person_ = TimerId{};
    if (primary_) return;
    std::size_t best = SIZE_MAX;
    for (const std::size_t i : context_.all()) {
      if (context_.member(i).process.state != ProcessState::kUp) continue;
      if (best == SIZE_MAX || nodes_[i].view > nodes_[best].view) best = i;
    }
    if (best == SIZE_MAX) {
      // Nothing to bootstrap from yet: they look again.
      person_ = engine().after(std::chrono::minutes(1), [this] { bootstrap_by_hand(); });
      return;
    }
    const bool complete = nodes_[best].view == view_number_;
    const CauseId id = context_.record("BootstrappedByHand", fmt::format("a person bootstraps {}{}", context_.member(best).name,
                                                                         complete ? "" : ": commits of members that are not there are lost"));
    const ScopedCause because(engine(), id);
    new_view({best});
    begin_primary({best});
    look();
  }

  void begin_primary(const std::vector<std::size_t>& synced) {
    primary_ = true;
    is_stalled_ = false;
    engine().cancel(std::exchange(person_, TimerId{}));
    engine().cancel(std::exchange(reform_, TimerId{}));
    for (const std::size_t i : synced) {
      nodes_[i].is_synced = true;
      nodes_[i].has_data = true;
    }
  }

  void join_others() {
    if (is_stalled_) return;
    for (const std::size_t i : context_.all()) {
      Node& node = nodes_[i];
      if (in_view(i) && node.is_synced) continue;
      const bool is_there = context_.connected(i, view_.front()) && context_.member(i).process.state == ProcessState::kUp;
      if (!is_there) {
        engine().cancel(std::exchange(node.join, TimerId{}));
        continue;
      }
      if (engine().is_pending(node.join)) {
        if (context_.connected(i, node.donor) && nodes_[node.donor].is_synced) continue;
        engine().cancel(std::exchange(node.join, TimerId{}));  // its donor is gone: from the beginning
        node.has_data = node.has_data && !node.full;
      }
      begin_join(i);
    }
    if (std::ssize(view_) >= size() && std::all_of(view_.begin(), view_.end(), [&](std::size_t i) { return nodes_[i].is_synced; })) is_complete_ = true;
  }

  /// A network that gets slower or faster while state is transferred.
  void change_rate(std::size_t member) {
    Node& node = nodes_[member];
    if (!engine().is_pending(node.join) || node.rate <= 0.0 || node.donor >= nodes_.size()) return;
    const double rate = context_.rate_between(context_.member(node.donor).pod, context_.member(member).pod, config_.transfer_rate);
    if (rate == node.rate) return;
    const SimTime from = std::max(engine().now(), node.counted);
    node.missing = std::max(0.0, node.missing - node.rate * seconds(from - node.counted));
    node.counted = from;
    node.rate = rate;
    engine().cancel(node.join);
    node.join = engine().after(from - engine().now() + from_seconds(node.missing / rate), [this, member] { joined(member); });
  }

  void begin_join(std::size_t member) {
    Node& node = nodes_[member];
    node.rate = 0.0;
    // A donor that does not serve clients' writes alone, if there is a choice: the last synced one.
    std::size_t donor = SIZE_MAX;
    for (const std::size_t i : view_) {
      if (i != member && nodes_[i].is_synced && context_.member(i).process.state == ProcessState::kUp && context_.connected(i, member)) donor = i;
    }
    if (donor == SIZE_MAX) return;
    node.donor = donor;
    const double missed = config_.write_rate * seconds(engine().now() - node.left);
    node.full = is_complete_ && (!node.has_data || missed > static_cast<double>(config_.gcache_bytes));
    SimDuration takes = std::chrono::seconds(1);
    CauseId id = engine().cause();
    if (is_complete_) {
      const double amount = node.full ? static_cast<double>(config_.data_bytes) : missed;
      const SimDuration starts = node.full ? kTransferStart : SimDuration(std::chrono::seconds(1));
      node.rate = context_.rate_between(context_.member(donor).pod, context_.member(member).pod, config_.transfer_rate);
      node.missing = amount;
      node.counted = engine().now() + starts;
      takes = starts + from_seconds(amount / node.rate);
      id = context_.record("MemberJoining", fmt::format("{} fetches {} of {} from {} ({})", context_.member(member).name, megabytes(amount),
                                                        node.full ? "all data (SST)" : "missed write sets (IST)", context_.member(donor).name, format_duration(takes)));
    }
    const ScopedCause because(engine(), id);
    if (!in_view(member)) {
      std::vector<std::size_t> more = view_;
      more.push_back(member);
      new_view(std::move(more));
    }
    node.join = engine().after(takes, [this, member] { joined(member); });
  }

  void joined(std::size_t member) {
    Node& node = nodes_[member];
    node.join = TimerId{};
    node.is_synced = true;
    node.has_data = true;
    CauseId id = engine().cause();
    if (is_complete_) id = context_.record("MemberSynced", fmt::format("{} is synced", context_.member(member).name));
    const ScopedCause because(engine(), id);
    look();
  }

  void look_at_flow() {
    std::size_t slow = SIZE_MAX;
    for (const std::size_t i : view_) {
      // A member that still joins or donates everything is out of step on purpose.
      if (primary_ && nodes_[i].is_synced && context_.member(i).process.state == ProcessState::kHung) slow = i;
    }
    if (slow == SIZE_MAX) {
      engine().cancel(std::exchange(pause_, TimerId{}));
      if (!std::exchange(is_paused_, false)) return;
      context_.record("FlowControlReleased", "every member keeps up again");
      return;
    }
    if (is_paused_ || engine().is_pending(pause_)) return;
    const double rate = std::max(config_.write_sets_per_second, 1e-6);
    pause_ = engine().after(from_seconds(static_cast<double>(config_.flow_control_limit) / rate), [this, slow] {
      pause_ = TimerId{};
      is_paused_ = true;
      const CauseId id = context_.record("FlowControlPaused", fmt::format("the volume of {} hangs: more than {} write sets wait, and flow control pauses every member",
                                                                          context_.member(slow).name, config_.flow_control_limit));
      const ScopedCause because(engine(), id);
      context_.changed();
    });
  }

  const QuorumConfig& config_;
  std::vector<Node> nodes_;
  std::vector<std::size_t> view_;  // the primary component, or the last one
  std::uint64_t view_number_ = 0;
  bool primary_ = false;
  bool is_formed_ = false;
  bool is_complete_ = false;  // all replicas were synced once
  bool is_stalled_ = false;
  bool is_paused_ = false;
  std::vector<std::size_t> silent_;
  std::size_t last_to_leave_ = 0;
  std::uint32_t draws_ = 0;
  CauseId lost_{};
  CauseId stall_{};
  TimerId suspect_{};
  TimerId reform_{};
  TimerId person_{};
  TimerId pause_{};
};

}  // namespace

std::unique_ptr<ModeModel> make_quorum(ModeContext context) { return std::make_unique<Quorum>(std::move(context)); }

}  // namespace sim::services
