/// One pod as a queue: requests arrive at random, some workers serve them one by one, and who has waited for too long gives up (M/M/c+D). In its steady state.
///
/// Source:     the virtual waiting time of a queue whose customers join only when it is no longer than D (Gnedenko and Kovalenko, Introduction to Queueing Theory, ch. 1; Barrer,
///             Operations Research 5(5), 1957): below D it falls as in M/M/c, exp(-(c mu - lambda) x); beyond it nobody joins.
/// Leaves out: service times that are not exponential; requests that are given up while they are served still take their worker.
/// Checked by: tests/models/traffic/server_queue_test.cpp (M/M/1, Erlang C, and a simulation of the queue).
#pragma once

#include <cstdint>

namespace sim::traffic {

class ServerQueue {
 public:
  /// `arrivals` and `service_rate` (of one worker) per second; `patience` in seconds, more than 0. With 0 arrivals: what a single request would meet.
  ServerQueue(double arrivals, double service_rate, std::int64_t workers, double patience);

  /// Share of the requests that give up before anybody looks at them.
  double gives_up() const { return gives_up_; }
  /// Share of all requests that are answered within `t` seconds, 0 <= t <= patience, waiting included.
  double answered_within(double t) const;
  /// Share of the time that a worker is busy.
  double utilisation() const { return utilisation_; }

 private:
  double service_rate_;
  double patience_;
  double slack_;         // c mu - lambda
  double no_wait_;       // an arriving request finds a free worker
  double density_;       // of the wait just above 0 (where slack_ is negative: at `patience`)
  double gives_up_;
  double utilisation_;
};

}  // namespace sim::traffic
