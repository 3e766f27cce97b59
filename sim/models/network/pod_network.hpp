/// What somebody does to the network of pods: packets that are dropped, lost, delayed or slowed down on their way between pods, names that do not resolve, HTTP
/// that is answered wrongly. Nothing here while nobody does anything.
///
/// Felt by: clients and Services (a pod that nobody reaches serves nobody), the kubelet's probes that cross the network (all but exec), members of a platform's
/// services (who reaches whom, and what they need), state transfers (rate). Probes that fail now and then do so in spells: how many good ones come before the
/// failing ones is drawn when a spell begins, not probe by probe.
///
/// Records, subject the pod: NetworkCut, NetworkImpaired, NetworkRestored.
///
/// Source:     Linux tc-netem(8), iptables in a pod's network namespace (a rule at a pod's sending side affects all that it sends, answers to probes too); tcp.hpp.
/// Leaves out: requests one by one; the network of machines (host_network.hpp; what it does to a pod's packets counts here); duplicates, which TCP throws away, and packets out of order.
/// Checked by: tests/models/pod_network_test.cpp, tests/chaos/mesh_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/network/tcp.hpp"

namespace sim::network {

/// Done to packets on one way.
struct Impairment {
  bool drops = false;            ///< all of them
  double loss = 0.0;             ///< the share that does not arrive, or arrives corrupt
  SimDuration delay{};
  SimDuration jitter{};
  double bytes_per_second = 0.0;  ///< 0: no limit

  bool cuts() const { return drops || loss >= 1.0; }
  /// Another one on the same way; not its loss, of which shares that arrive multiply.
  void add(const Impairment& other);
  std::string describe() const;
};

/// Between two pods, both ways.
struct PathQuality {
  bool is_cut = false;
  RoundTrip trip;
  double bytes_per_second = 0.0;  ///< 0: no limit
  bool is_impaired() const { return is_cut || trip.loss_there > 0.0 || trip.loss_back > 0.0 || trip.delay > SimDuration::zero() || bytes_per_second > 0.0; }
  std::string describe() const;
};
/// TCP needs both.
PathQuality both_ways(const Impairment& there, const Impairment& back);

class PodNetwork {
 public:
  using PodRef = k8s::Ref<k8s::Pod>;
  using Id = std::uint64_t;

  PodNetwork(Engine& engine, EventLog& log, const Randomness& random, k8s::ApiServer& api, k8s::Kubelets& kubelets);
  PodNetwork(const PodNetwork&) = delete;
  PodNetwork& operator=(const PodNetwork&) = delete;

  /// Packets from any of `senders` to any of `receivers`. Empty: to (from) everything, pods or not.
  Id impair(std::vector<PodRef> senders, std::vector<PodRef> receivers, const Impairment& impairment);
  /// These pods find no host of a name that one of the patterns fits ('?' any character, '*' any end); without patterns, of no name.
  Id break_names(std::vector<PodRef> pods, std::vector<std::string> patterns);
  /// HTTP at a port of these pods: no answer or an error (`fails`), or an answer that comes later.
  Id disturb_http(std::vector<PodRef> pods, std::int32_t port, bool fails, SimDuration delay);
  /// Takes one of them back.
  void remove(Id id);

  bool any() const { return !rules_.empty(); }
  bool has_path_rules() const { return path_rules_ > 0 || host_path_; }
  PathQuality path(PodRef from, PodRef to) const;
  bool reaches(PodRef from, PodRef to) const { return !has_path_rules() || !path(from, to).is_cut; }
  /// What packets meet between the machines of two pods; an empty function: nothing. The current cause explains the change.
  void use_hosts(std::function<PathQuality(host::HostId, host::HostId)> path);
  /// "name.namespace.svc.cluster.local"
  bool resolves(PodRef pod, std::string_view name) const;
  /// After each change, with its cause as the current one.
  void on_change(std::function<void()> listener) { listeners_.push_back(std::move(listener)); }

 private:
  struct Rule {
    enum class Kind : std::uint8_t { kPath, kNames, kHttp } kind = Kind::kPath;
    std::vector<PodRef> senders;    // kPath; of the other kinds, the pods. Sorted, as the receivers are
    std::vector<PodRef> receivers;
    Impairment impairment;
    std::vector<std::string> patterns;
    std::int32_t port = 0;
    bool fails = false;
    SimDuration delay{};
  };
  /// A probe that fails now and then.
  struct Spells {
    double chance = 0.0;  // that one fails
    SimDuration period{};
    std::int64_t threshold = 1;
    bool fails = false;
    std::uint32_t drawn = 0;
    TimerId timer{};
  };
  struct Disturbed {
    PodRef pod;
    k8s::Kubelets::Interference now;
    std::string told;  // what was recorded last
    Spells readiness, liveness;
  };
  Id add(Rule rule);
  /// What a rule names is looked at when the instant is over: a thousand rules of one moment are one look at each pod.
  void changed(const Rule& rule);
  void look();
  /// Of the rules that name one of the two, each once: all others do not concern them.
  template <class Visit>
  void for_rules_of(const PodRef* a, const PodRef* b, Visit&& visit) const;
  void look_at(Disturbed& pod);
  void apply(Disturbed& pod);
  void begin_spell(Disturbed& pod, Spells& spells, std::string_view purpose);
  void set_spells(Disturbed& pod, Spells& spells, double chance, const k8s::Probe* probe, std::string_view purpose);
  double chance_of_failing(const k8s::Container& container, const k8s::Probe& probe, const PathQuality& from_node, PodRef ref) const;
  Impairment one_way(const PodRef* from, const PodRef* to) const;

  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  k8s::ApiServer& api_;
  k8s::Kubelets& kubelets_;
  std::map<Id, Rule> rules_;
  std::size_t path_rules_ = 0;
  std::function<PathQuality(host::HostId, host::HostId)> host_path_;
  Id last_ = 0;
  std::map<PodRef, std::vector<Id>> rules_of_;               // each list in ascending order
  std::map<PodRef, std::unique_ptr<Disturbed>> disturbed_;  // by handle; timers refer to the values
  std::map<PodRef, CauseId> dirty_;
  Timer look_;
  std::vector<std::function<void()>> listeners_;
};

/// A name fits a pattern of DNSChaos.
bool fits_name(std::string_view pattern, std::string_view name);

}  // namespace sim::network
