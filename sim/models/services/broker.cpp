// Mode broker: RabbitMQ. Nodes form a cluster; what happens when they do not see each other is a policy.
//
// - A node whose process ended is missed at once (its connections are reset); one that falls silent after net_ticktime -25 % to +25 %.
// - ignore: both sides go on, and stay apart when the network is back, until a person restarts one of them.
// - pause_minority: nodes that see no majority of the cluster stop listening; they look every second, and start again when they see one.
// - autoheal: both sides go on; when they see each other again the one with the most clients wins (of those with as many the larger one, then the first), and the others
//   restart without what was published to them meanwhile. Clients: pods that need the service, each on a side that it reached when the nodes missed each other.
// - After all nodes were down, one that runs again waits for those that ran when it stopped (it may not have the newest metadata): so the last ones to
//   go have to come back together. A person may force one up.
// - Quorum queues need a majority of the nodes together. Classic queues live on one node each: when it is lost, calls that wait there time out (rpc_timeout).
//
// Source:     rabbitmq-website docs/partitions, nettick, clustering#restarting; rabbit_node_monitor, rabbit_autoheal (partition_value: connections, then
//             nodes); reference platform 7.3.
// Leaves out: pause_if_all_down, memory and disk alarms, queue mirrors, the contents of queues, the time-out of a node that waits for others (it restarts and
//             waits on), Khepri.
// Checked by: tests/chaos/services_test.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "sim/models/services/mode.hpp"

namespace sim::services {

namespace {

using k8s::ProcessState;
using Members = std::vector<std::size_t>;

constexpr SimDuration kPauseCheck{std::chrono::seconds(1)};

bool has(const Members& members, std::size_t one) { return std::find(members.begin(), members.end(), one) != members.end(); }

class Broker final : public ModeModel {
 public:
  explicit Broker(ModeContext context) : ModeModel(std::move(context)), config_(context_.config.broker) {}
  ~Broker() override {
    for (const TimerId timer : {tick_, calls_, person_}) engine().cancel(timer);
    for (const Node& node : nodes_) engine().cancel(node.restart);
  }

  bool remembers_members() const override { return true; }
  void added(std::size_t) override { nodes_.emplace_back(); }

  void process_changed(std::size_t member, ProcessState before) override {
    const k8s::PodProcess& process = context_.member(member).process;
    Node& node = nodes_[member];
    const bool was_there = before == ProcessState::kUp || before == ProcessState::kHung || before == ProcessState::kFrozen;
    if (was_there && (process.state == ProcessState::kGone || process.state == ProcessState::kStarting)) {
      engine().cancel(std::exchange(node.restart, TimerId{}));
      node.is_paused = false;
      if (node.runs) {
        node.runs = false;
        // The kernel of a host that lives closes its connections; a host that died says nothing.
        if (process.host && context_.hosts.is_running(process.host)) missed({member});
      }
    }
    look();
  }
  void network_changed() override { look(); }

  bool answers(std::size_t member) const override {
    const Node& node = nodes_[member];
    if (!node.runs || node.is_paused || context_.member(member).process.state != ProcessState::kUp) return false;
    return !config_.quorum_queues || 2 * together(member, true) > size();
  }
  bool takes_part(std::size_t member) const override { return nodes_[member].runs && !nodes_[member].is_paused; }
  std::string degraded() const override {
    if (split_) return "the cluster is split: each side has its own queues";
    if (engine().is_pending(calls_)) return "calls that waited on a lost node time out";
    return {};
  }
  std::string outstanding() const override {
    if (split_ && config_.partition_handling == PartitionPolicy::kIgnore) return "the cluster is split: restart the nodes of one side by hand";
    if (is_formed_ && !anybody_runs() && !ran_last_.empty()) {
      return fmt::format("bring {} back together (they ran last), or force one up by hand (rabbitmqctl force_boot)", context_.names(ran_last_));
    }
    return {};
  }
  std::string member_state(std::size_t member) const override {
    const Node& node = nodes_[member];
    if (!context_.member(member).answers_peers()) return "Down";
    if (node.is_paused) return "Paused";
    if (!node.runs) return engine().is_pending(node.restart) ? "Restarting" : "Waits for peers";
    return context_.member(member).process.state == ProcessState::kHung ? "Hangs" : "Running";
  }
  std::string state() const override {
    std::size_t running = 0;
    for (const Node& node : nodes_) running += node.runs && !node.is_paused ? 1 : 0;
    return fmt::format("{} of {} running{}", running, size(), split_ ? ", split" : "");
  }

 private:
  struct Node {
    bool runs = false;  // RabbitMQ itself, inside its process
    bool is_paused = false;
    TimerId restart{};
  };

  std::size_t size() const { return std::max(nodes_.size(), static_cast<std::size_t>(std::max<std::int64_t>(0, context_.replicas()))); }
  bool anybody_runs() const {
    return std::any_of(nodes_.begin(), nodes_.end(), [](const Node& node) { return node.runs; });
  }
  /// How many nodes this one sees, itself included.
  std::size_t together(std::size_t member, bool running) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < nodes_.size(); ++i) count += context_.connected(member, i) && (!running || (nodes_[i].runs && !nodes_[i].is_paused)) ? 1 : 0;
    return count;
  }

  void look() {
    start_nodes();
    look_at_partition();
    resume();
    context_.changed();
  }

  void start_nodes() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].runs || !context_.member(i).answers_peers() || engine().is_pending(nodes_[i].restart)) continue;
      bool may_start = !is_formed_;
      for (std::size_t other = 0; other < nodes_.size(); ++other) may_start = may_start || (nodes_[other].runs && context_.connected(i, other));
      if (!may_start && !anybody_runs() && has(ran_last_, i)) {
        may_start = std::all_of(ran_last_.begin(), ran_last_.end(), [&](std::size_t other) { return context_.connected(i, other); });
        if (may_start) {
          const CauseId id = context_.record("ClusterRestarted", fmt::format("those that ran last are together again: {}", context_.names(ran_last_)));
          const ScopedCause because(engine(), id);
          const Members all = ran_last_;
          for (const std::size_t other : all) start(other);
          return;
        }
      }
      if (may_start) start(i);
    }
    if (is_formed_ && !anybody_runs() && config_.repair_after && !engine().is_pending(person_)) {
      person_ = engine().after(*config_.repair_after, [this] { force_boot(); });
    }
  }
  void start(std::size_t member) {
    nodes_[member].runs = true;
    nodes_[member].is_paused = false;
    if (!has(ran_last_, member)) ran_last_.push_back(member);
    if (is_formed_ && !anybody_else_runs(member)) {
      engine().cancel(std::exchange(person_, TimerId{}));
    }
    is_formed_ = true;
  }
  bool anybody_else_runs(std::size_t member) const {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (i != member && nodes_[i].runs) return true;
    }
    return false;
  }
  void force_boot() {
    person_ = TimerId{};
    if (anybody_runs()) return;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!context_.member(i).answers_peers()) continue;
      const CauseId id = context_.record("BootForced", fmt::format("a person forces {} up (rabbitmqctl force_boot): what only the others had is lost", context_.member(i).name));
      const ScopedCause because(engine(), id);
      ran_last_.clear();
      start(i);
      look();
      return;
    }
    person_ = engine().after(std::chrono::minutes(1), [this] { force_boot(); });
  }

  /// The others know that they are gone.
  void missed(const Members& gone) {
    for (const std::size_t i : gone) {
      // Whoever goes last is waited for after a restart; who was missed before is not.
      if (std::any_of(ran_last_.begin(), ran_last_.end(), [&](std::size_t other) { return nodes_[other].runs && context_.member(other).answers_peers(); })) {
        std::erase(ran_last_, i);
      }
    }
    const CauseId id = context_.record("BrokerNodeDown", fmt::format("{} is missed by the other nodes", context_.names(gone)));
    const ScopedCause because(engine(), id);
    // Calls that waited there do not come back; with quorum queues another replica takes over.
    if (!config_.quorum_queues && config_.rpc_timeout > SimDuration{}) {
      engine().cancel(calls_);
      calls_ = engine().after(config_.rpc_timeout, [this] {
        calls_ = TimerId{};
        context_.changed();
      });
    }
    pause_minorities();
  }
  void pause_minorities() {
    if (config_.partition_handling != PartitionPolicy::kPauseMinority) return;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      Node& node = nodes_[i];
      if (!node.runs || node.is_paused || !context_.member(i).answers_peers() || 2 * together(i, false) > size()) continue;
      node.is_paused = true;
      pause_ = context_.record("BrokerPaused", fmt::format("{} sees {} of {} nodes, no majority: it stops listening (pause_minority)", context_.member(i).name,
                                                           together(i, false), size()));
    }
  }

  /// Nodes that run and are not seen by others that run.
  std::vector<Members> sides() const {
    Members running;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].runs) running.push_back(i);
    }
    return context_.groups(running);
  }

  void look_at_partition() {
    // Silence: running nodes that some other one does not hear, machines that died included.
    Members silent;
    const std::vector<Members> groups = sides();
    const std::size_t largest = static_cast<std::size_t>(
        std::max_element(groups.begin(), groups.end(), [](const Members& a, const Members& b) { return a.size() < b.size(); }) - groups.begin());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const bool is_known = nodes_[i].runs || has(ran_last_, i);
      if (is_known && !groups.empty() && !has(groups[largest], i)) silent.push_back(i);
    }
    if (silent.empty()) {
      engine().cancel(std::exchange(tick_, TimerId{}));
      if (split_) heal();
      return;
    }
    if (silent == silent_ || groups.empty()) return;
    silent_ = silent;
    RandomStream draws(context_.random.seed(), "services/net-tick", context_.config.name, ++draws_);
    engine().cancel(tick_);
    tick_ = engine().after(from_seconds(seconds(config_.net_ticktime) * (0.75 + 0.5 * draws.uniform())), [this] { ticked(); });
  }
  void ticked() {
    tick_ = TimerId{};
    const Members silent = std::exchange(silent_, {});
    Members dead;
    for (const std::size_t i : silent) {
      if (!nodes_[i].runs || !context_.member(i).answers_peers()) dead.push_back(i);
    }
    const std::vector<Members> groups = sides();
    if (!dead.empty()) missed(dead);
    if (groups.size() > 1) {
      std::string text;
      for (const Members& group : groups) text += (text.empty() ? "" : " | ") + context_.names(group);
      const CauseId id = context_.record("BrokerPartitioned", fmt::format("the nodes do not hear each other (net_ticktime): {}", text));
      const ScopedCause because(engine(), id);
      if (config_.partition_handling == PartitionPolicy::kPauseMinority) {
        pause_minorities();
      } else {
        split_ = true;
        split_since_ = engine().now();
        split_cause_ = id;
        sides_ = groups;
        clients_ = context_.clients(groups);
      }
      const ScopedCause paused(engine(), std::exchange(pause_, CauseId{}));
      context_.changed();
      return;
    }
    const ScopedCause paused(engine(), std::exchange(pause_, CauseId{}));
    context_.changed();
  }

  /// The sides of a split see each other again.
  void heal() {
    if (config_.partition_handling == PartitionPolicy::kIgnore) {
      if (config_.repair_after && !engine().is_pending(person_)) person_ = engine().after(*config_.repair_after, [this] { repair(); });
      return;
    }
    restart_losers("autoheal");
  }
  void repair() {
    person_ = TimerId{};
    if (split_ && sides().size() == 1) restart_losers("a person");
  }
  void restart_losers(std::string_view who) {
    std::size_t wins = 0;
    for (std::size_t i = 1; i < sides_.size(); ++i) {
      const double more = clients_[i] - clients_[wins];
      if (more > 0.0 || (more == 0.0 && sides_[i].size() > sides_[wins].size())) wins = i;
    }
    const auto winner = sides_.begin() + static_cast<std::ptrdiff_t>(wins);
    double all_clients = 0.0;
    for (const double number : clients_) all_clients += number;
    const std::string told = all_clients > 0.0 ? fmt::format(" with {:.3g} of {:.3g} clients", clients_[wins], all_clients) : "";
    Members losers;
    for (const Members& side : sides_) {
      if (&side != &*winner) losers.insert(losers.end(), side.begin(), side.end());
    }
    std::erase_if(losers, [&](std::size_t i) { return !nodes_[i].runs; });
    const CauseId id = context_.record("PartitionHealed", fmt::format("{}: {} wins{}; {} {}, and what was published to {} in {} of split is dropped", who, context_.names(*winner), told,
                                                                      context_.names(losers), losers.size() == 1 ? "restarts" : "restart", losers.size() == 1 ? "it" : "them",
                                                                      format_duration(std::chrono::round<std::chrono::seconds>(engine().now() - split_since_))));
    context_.log.also_caused_by(id, split_cause_);
    const ScopedCause because(engine(), id);
    split_ = false;
    sides_.clear();
    for (const std::size_t i : losers) {
      nodes_[i].runs = false;
      nodes_[i].restart = engine().after(config_.restart_time, [this, i] {
        nodes_[i].restart = TimerId{};
        look();
      });
    }
    context_.changed();
  }

  /// Paused nodes look for a majority every second.
  void resume() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      Node& node = nodes_[i];
      if (!node.is_paused || engine().is_pending(node.restart) || 2 * together(i, false) <= size()) continue;
      node.restart = engine().after(kPauseCheck + config_.restart_time, [this, i] {
        nodes_[i].restart = TimerId{};
        if (2 * together(i, false) <= size()) return;
        nodes_[i].is_paused = false;
        const CauseId id = context_.record("BrokerResumed", fmt::format("{} sees a majority again", context_.member(i).name));
        const ScopedCause because(engine(), id);
        look();
      });
    }
  }

  const BrokerConfig& config_;
  std::vector<Node> nodes_;
  Members ran_last_;  // who is waited for when nobody runs
  bool is_formed_ = false;
  bool split_ = false;
  SimTime split_since_{};
  CauseId split_cause_{};
  CauseId pause_{};
  std::vector<Members> sides_;
  std::vector<double> clients_;  // of each of them
  Members silent_;
  std::uint32_t draws_ = 0;
  TimerId tick_{};
  TimerId calls_{};
  TimerId person_{};
};

}  // namespace

std::unique_ptr<ModeModel> make_broker(ModeContext context) { return std::make_unique<Broker>(std::move(context)); }

}  // namespace sim::services
