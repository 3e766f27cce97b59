/// What becomes of the requests to a Service while nothing changes: which share is answered, why the others fail, and how long the answers take.
///
/// Clients are groups that see the same endpoints: each attempt goes to one of them, all equally likely (kube-proxy chooses so for each new connection). An attempt fails at once (nobody
/// listens, or the Service has no endpoint), or when its time is up (the endpoint's machine is gone; the pod has too much to do). Then it is made again, up to `retries` times, which is
/// more work for the pods: more attempts make more of them fail. The state that is told is the one that is reached from the state before: after an overload that retries keep up, the
/// requests go on failing although the pods could do the work.
///
/// Source:     kube-proxy's uniform choice (reference kubernetes 5.2); the retries' feedback: Bronson et al., Metastable Failures in Distributed Systems, HotOS 2021.
/// Leaves out: the time that it takes until the queues are in their steady state; pauses between retries.
/// Checked by: tests/models/traffic/request_mix_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/models/traffic/server_queue.hpp"

namespace sim::traffic {

/// What the pods do and what the clients are like.
struct Demand {
  double rate = 0.0;          ///< requests a second of all clients; retries come on top
  double service_time = 0.0;  ///< mean seconds that a worker takes for a request, where nothing slows it down
  std::int64_t workers = 1;   ///< requests that a pod works on at the same time
  double timeout = 1.0;       ///< seconds until a client gives an attempt up
  std::int64_t retries = 0;
};

/// Clients that see the same endpoints, and what they meet there: numbers of endpoints.
struct ClientGroup {
  double share = 1.0;                 ///< of all clients
  std::int64_t refusing = 0;          ///< nobody listens
  std::int64_t silent = 0;            ///< no answer of any kind
  std::vector<std::size_t> backends;  ///< those that serve, by number
  bool unserved = false;              ///< the clients' own way in is gone: every attempt is silent, whatever the endpoints
  friend bool operator==(const ClientGroup&, const ClientGroup&) = default;
};

enum class Failure : std::uint8_t { kNoEndpoints, kRefused, kSilent, kOverload };
inline constexpr std::size_t kFailures = 4;

class RequestMix {
 public:
  RequestMix() = default;
  /// `slowdowns`: of each backend, at least 1. `before`: the state that this one follows; null: none, nothing has failed yet.
  RequestMix(const Demand& demand, std::vector<ClientGroup> groups, const std::vector<double>& slowdowns, const RequestMix* before);

  double rate() const { return demand_.rate; }
  /// Of the requests, after all retries.
  double success() const { return success_; }
  double failed(Failure why) const { return failed_[static_cast<std::size_t>(why)]; }
  /// Attempts for each request.
  double attempts() const { return attempts_; }
  /// Share of all requests that are answered within `t` seconds, failed attempts before included.
  double answered_within(double t) const;
  /// Seconds within which a share `q` of the answered requests has its answer; 0 when none has.
  double quantile(double q) const;
  /// Of the busiest backend; 0 without one.
  double utilisation() const { return utilisation_; }
  /// The longest that an answer can take.
  double longest() const { return demand_.timeout * static_cast<double>(demand_.retries + 1); }

 private:
  struct Part {  // answers of one queue, after so many attempts that ran into their time-out
    double weight;
    std::size_t queue;
    double after;
  };
  Demand demand_;
  std::vector<double> failing_;  // by group: share of attempts that fail; what the next state starts from
  std::vector<ServerQueue> queues_;
  std::vector<Part> parts_;
  double success_ = 0.0;
  double attempts_ = 0.0;
  double utilisation_ = 0.0;
  double failed_[kFailures] = {};
};

}  // namespace sim::traffic
