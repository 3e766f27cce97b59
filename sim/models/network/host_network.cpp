#include "sim/models/network/host_network.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "sim/core/check.hpp"
#include "sim/models/network/network.hpp"

namespace sim::network {

namespace {

using namespace std::chrono_literals;

// A try to renew a lease, and the time between two of them.
constexpr SimDuration kRenew = 10s;
// A kubelet's node is given up after 40 s and more without a renewal: stalls that could do that begin with one of this length, twice as long as the one before.
constexpr SimDuration kContactStall = 20s;
// http2: 30 s without a frame, then 15 s for an answer to a ping.
constexpr SimDuration kConnectionGivenUp = 45s;
constexpr SimDuration kDial = 30s;
constexpr int kDialSendings = 5;  // SYNs at 0, 1, 3, 7 and 15 s
// OSDs: heartbeat_grace; pings 0.5 + 0.6 k seconds apart, k from 0 to 9.
constexpr SimDuration kPingGrace = 20s;
constexpr SimDuration kPing = 3200ms;

bool is_in(const std::vector<host::HostId>& hosts, host::HostId host) { return host && std::binary_search(hosts.begin(), hosts.end(), host); }

void sort(std::vector<host::HostId>& hosts) {
  std::sort(hosts.begin(), hosts.end());
  hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
}

double lost_of(const PathQuality& path) { return 1.0 - (1.0 - path.trip.loss_there) * (1.0 - path.trip.loss_back); }

}  // namespace

HostNetwork::HostNetwork(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, k8s::ApiServer& api, k8s::ControlPlane& control_plane,
                         k8s::Kubelets& kubelets, Network* network)
    : engine_(engine), log_(log), random_(random), hosts_(hosts), api_(api), control_plane_(control_plane), kubelets_(kubelets), network_(network) {}

HostNetwork::~HostNetwork() {
  hosts_.set_link_filter({});
  control_plane_.set_links({});
}

void HostNetwork::talk(std::vector<HostId> hosts) {
  SIM_CHECK(rules_.empty(), "who talks is said before the first rule");
  talkers_ = std::move(hosts);
  sort(talkers_);
}

HostNetwork::Id HostNetwork::impair(std::vector<HostId> senders, std::vector<HostId> receivers, const Impairment& impairment) {
  SIM_CHECK(!senders.empty() || !receivers.empty(), "a rule names somebody");
  Rule rule{std::move(senders), std::move(receivers), impairment};
  sort(rule.senders);
  sort(rule.receivers);
  const Id id = ++last_;
  if (rules_.empty()) {
    hosts_.set_link_filter([this](HostId a, HostId b) { return is_cut(a, b); });
    control_plane_.set_links([this](HostId a, HostId b) { return path(a, b).trip; });
  }
  changed(rules_.emplace(id, std::move(rule)).first->second, true);
  return id;
}

void HostNetwork::remove(Id id) {
  const auto found = rules_.find(id);
  if (found == rules_.end()) return;
  const Rule rule = std::move(found->second);
  rules_.erase(found);
  if (rules_.empty()) {
    hosts_.set_link_filter({});
    control_plane_.set_links({});
  }
  changed(rule, false);
}

Impairment HostNetwork::one_way(HostId from, HostId to) const {
  Impairment all;
  double arrives = 1.0;
  for (const auto& [id, rule] : rules_) {
    if (!(rule.senders.empty() || is_in(rule.senders, from)) || !(rule.receivers.empty() || is_in(rule.receivers, to))) continue;
    all.add(rule.impairment);
    arrives *= 1.0 - rule.impairment.loss;
  }
  all.loss = 1.0 - arrives;
  return all;
}

PathQuality HostNetwork::path(HostId from, HostId to) const {
  if (from == to || rules_.empty()) return {};
  PathQuality path = both_ways(one_way(from, to), one_way(to, from));
  if (!spells_.empty() && from && to) {
    const auto found = spells_.find(std::minmax(from, to));
    path.is_cut = path.is_cut || (found != spells_.end() && found->second.stalls);
  }
  return path;
}

bool HostNetwork::is_cut(HostId a, HostId b) const { return path(a, b).is_cut; }

void HostNetwork::changed(const Rule& rule, bool added) {
  const CauseId root = engine_.cause();
  CauseId last = root;
  for (const std::vector<HostId>* hosts : {&rule.senders, &rule.receivers}) {
    for (const HostId host : *hosts) {
      if (hosts == &rule.receivers && is_in(rule.senders, host)) continue;
      const ScopedCause because(engine_, root);
      last = tell(host, rule, added);
    }
  }
  const ScopedCause because(engine_, last);
  control_plane_.links_changed();
  api_.all<k8s::Node>().for_each([&](k8s::Ref<k8s::Node> ref, const k8s::Node&) {
    if (const HostId host = kubelets_.host_of(ref)) look_at_contact(host);
  });
  // Pairs of which a rule names one; all others are as they were.
  for (const HostId a : talkers_) {
    const bool is_named = is_in(rule.senders, a) || is_in(rule.receivers, a);
    for (const HostId b : talkers_) {
      if (a < b && (is_named || is_in(rule.senders, b) || is_in(rule.receivers, b))) look_at_pair(a, b);
    }
  }
  for (const auto& listener : listeners_) listener();
}

CauseId HostNetwork::tell(HostId host, const Rule& rule, bool added) {
  const bool sends = is_in(rule.senders, host);
  const std::vector<HostId>& others = sends ? rule.receivers : rule.senders;
  std::string whom = "everybody";
  if (!others.empty()) {
    whom = hosts_.spec(others.front()).name;
    if (others.size() > 1) whom += fmt::format(" and {} more", others.size() - 1);
  }
  const std::string about = fmt::format("{} {}", sends ? "to" : "from", whom);
  const std::string what = rule.impairment.describe();
  const CauseId id = log_.record(added ? "HostNetworkImpaired" : "HostNetworkRestored", fmt::format("host/{}", hosts_.spec(host).name),
                                 added ? fmt::format("packets {}: {}", about, what.empty() ? "some twice, which TCP throws away" : what) : fmt::format("packets {} get through as they should", about));
  const ScopedCause because(engine_, id);
  limit_card(host);
  hosts_.links_changed(host, added);
  return id;
}

void HostNetwork::limit_card(HostId host) {
  if (network_ == nullptr) return;
  double out = 0.0;
  double in = 0.0;
  for (const auto& [id, rule] : rules_) {
    const double rate = rule.impairment.bytes_per_second;
    if (rate <= 0.0) continue;
    if (rule.receivers.empty() && is_in(rule.senders, host)) out = out <= 0.0 ? rate : std::min(out, rate);
    if (rule.senders.empty() && is_in(rule.receivers, host)) in = in <= 0.0 ? rate : std::min(in, rate);
  }
  network_->limit_card(host, out, in);
}

// ---- connections that stall ----------------------------------------------------------------------------------------------------

void HostNetwork::look_at_contact(HostId host) {
  // The load balancer passes on to any API server; a connection that goes well stays.
  std::optional<PathQuality> best;
  const auto consider = [&](HostId other) {
    const PathQuality way = path(host, other);
    if (way.is_cut) return;  // told by Hosts::reachable
    if (!best || std::pair(lost_of(way), way.trip.delay) < std::pair(lost_of(*best), best->trip.delay)) best = way;
  };
  if (control_plane_.is_external()) consider(HostId{});
  for (std::size_t i = 0; i < control_plane_.member_count(); ++i) consider(control_plane_.member_host(i));
  double chance = 0.0;
  if (best) chance = best->trip.delay >= kRenew ? 1.0 : stalls_longer_than(best->trip, kContactStall);
  set_spells({host, HostId{}}, chance, best ? lost_of(*best) : 0.0);
}

void HostNetwork::look_at_pair(HostId a, HostId b) {
  const PathQuality way = both_ways(one_way(a, b), one_way(b, a));
  set_spells({a, b}, way.is_cut ? 0.0 : stalls_longer_than(way.trip, kPingGrace), lost_of(way));
}

void HostNetwork::set_spells(const Pair& pair, double chance, double lost) {
  const auto found = spells_.find(pair);
  if (found == spells_.end()) {
    if (chance <= 0.0) return;
  } else if (found->second.chance == chance) {
    return;
  }
  Spells& spells = found == spells_.end() ? spells_[pair] : found->second;
  if (found == spells_.end()) spells.timer = Timer(engine_);
  spells.timer.cancel();
  spells.chance = chance;
  spells.lost = lost;
  if (chance >= 1.0 || chance <= 0.0) {
    set_stalls(pair, chance >= 1.0);
    return;
  }
  set_stalls(pair, false);
  begin_spell(pair);
}

SimDuration HostNetwork::length_of_stall(const Pair& pair, Spells& spells) {
  RandomStream draws = random_.stream("host-network/stall", fmt::format("{}#{}", words(pair), spells.drawn));
  const bool is_contact = !pair.second;
  constexpr int kMost = 200;
  int losses = sendings_within(is_contact ? kContactStall : kPingGrace);
  while (losses < kMost && draws.chance(spells.lost)) ++losses;
  SimDuration length = stall_after(losses);
  if (!is_contact || length < kConnectionGivenUp) return length;
  // A new connection: dials until one gets through.
  length = kConnectionGivenUp;
  double fails = 1.0;
  for (int i = 0; i < kDialSendings; ++i) fails *= spells.lost;
  for (int dial = 0; dial < kMost && draws.chance(fails); ++dial) length += kDial;
  return length;
}

void HostNetwork::begin_spell(const Pair& pair) {
  Spells& spells = spells_.at(pair);
  SimDuration wait{};
  if (spells.stalls) {
    wait = length_of_stall(pair, spells);
  } else {
    // How many messages go well before one does not.
    const double draw = random_.stream("host-network/good", fmt::format("{}#{}", words(pair), ++spells.drawn)).uniform();
    constexpr double kFarAhead = 1e7;
    const double messages = std::min(1.0 + std::floor(std::log1p(-draw) / std::log1p(-spells.chance)), kFarAhead);
    wait = from_seconds(seconds(pair.second ? kPing : kRenew) * messages);
  }
  spells.timer.set_after(wait, [this, pair] {
    set_stalls(pair, !spells_.at(pair).stalls);
    begin_spell(pair);
  });
}

void HostNetwork::set_stalls(const Pair& pair, bool stalls) {
  Spells& spells = spells_.at(pair);
  if (spells.stalls == stalls) return;
  spells.stalls = stalls;
  const CauseId id = log_.record(stalls ? "ConnectionStalled" : "ConnectionRestored", fmt::format("host/{}", hosts_.spec(pair.first).name),
                                 fmt::format("{} between {}", stalls ? "too many packets are lost, or too late: nothing comes through" : "packets come through again", words(pair)));
  const ScopedCause because(engine_, id);
  if (!pair.second) {
    const k8s::Ref<k8s::Node> node = kubelets_.node_of(pair.first);
    if (api_.get(node) != nullptr) kubelets_.set_no_contact(node, k8s::Kubelets::NoContact::kPackets, stalls);
    return;
  }
  hosts_.links_changed(pair.first, stalls);
  hosts_.links_changed(pair.second, stalls);
}

std::string HostNetwork::words(const Pair& pair) const {
  return fmt::format("{} and {}", hosts_.spec(pair.first).name, pair.second ? hosts_.spec(pair.second).name : std::string("the API servers"));
}

}  // namespace sim::network
