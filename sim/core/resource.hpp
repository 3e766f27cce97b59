/// Things that are shared: servers with a queue, bandwidth, a rate limit.
///
///   Server          c equal servers and one first-come-first-served queue (kubelet pull slots, controller workers)
///   SharedBandwidth flows over links with max-min fair shares (image pulls, recovery traffic)
///   TokenBucket     a rate with a burst (client-go's flowcontrol, node controller's eviction rate)
///
/// Cost follows change: nothing ticks; an event exists only for the end of a service or of a flow.
///
/// Source:     Bertsekas and Gallager, Data Networks, 6.5.2 (max-min fairness by progressive filling);
///             golang.org/x/time/rate (reservations: tokens may go below zero, who comes later waits longer).
/// Leaves out: priorities and preemption in Server; TCP's slow start and round trips in SharedBandwidth.
/// Checked by: tests/core/resource_test.cpp (M/M/c by Erlang C, fairness by hand and against its definition).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "sim/core/process.hpp"
#include "sim/core/statistics.hpp"

namespace sim {

/// `capacity` equal servers and a first-come-first-served queue.
class Server {
 public:
  class Acquisition;
  class Use;
  struct RequestId {
    std::uint64_t value = 0;  // 0 = none
  };

  Server(Engine& engine, std::int64_t capacity);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Calls `granted` in an event of its own once a server is free (at this instant if one is free now). The server is
  /// held until release().
  RequestId request(std::function<void()> granted);
  /// Takes a request that was not granted yet out of the queue. False when it was granted, cancelled or never made.
  /// (A grant whose call is still on its way counts as granted no more once cancelled: the server is passed on.)
  bool cancel(RequestId request);
  /// Gives one server back; the next in the queue has it.
  void release();
  /// Queues, holds a server for `span`, gives it back, then calls `done`.
  void serve(SimDuration span, std::function<void()> done);

  /// co_await server.acquire(): holds a server from then on; the process calls release(). Wake::kInterrupted: not held.
  Acquisition acquire();
  /// co_await server.use(span): queues, holds a server for `span`, gives it back. A process that ends or is interrupted on
  /// the way leaves the queue, or gives the server back.
  Use use(SimDuration span);

  /// May be fewer than are busy: then the next ones released are not given out again.
  void set_capacity(std::int64_t capacity);
  std::int64_t capacity() const { return capacity_; }
  std::int64_t busy() const { return busy_; }
  std::size_t queued() const { return queue_.size(); }
  const TimeWeighted& busy_over_time() const { return busy_over_time_; }
  const TimeWeighted& queue_over_time() const { return queue_over_time_; }

 private:
  struct Waiting {
    std::function<void()> granted;
    CauseId cause;  // of the request: a service is caused by who asked for it, not by who left
  };
  void grant_free();
  void note();

  Engine& engine_;
  std::int64_t capacity_;
  std::int64_t busy_ = 0;
  std::uint64_t last_request_ = 0;
  std::map<std::uint64_t, Waiting> queue_;
  struct Granted {
    std::function<void()> call;
    TimerId timer;
  };
  std::map<std::uint64_t, Granted> granted_;  // whose call is on its way
  TimeWeighted busy_over_time_;
  TimeWeighted queue_over_time_;
};

class Server::Acquisition : public QueuedWait {
 public:
  explicit Acquisition(Server& server) : QueuedWait(server.engine_, &Acquisition::leave), server_(server) {}
  ~Acquisition() {
    if (request_.value != 0) server_.cancel(request_);
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(Process::Handle waiting);
  Wake await_resume() noexcept { return end(); }

 protected:
  static void leave(QueuedWait& self);
  Server& server_;
  RequestId request_;
};

class Server::Use : public QueuedWait {
 public:
  Use(Server& server, SimDuration span) : QueuedWait(server.engine_, &Use::leave), server_(server), span_(span) {}
  ~Use() { leave(*this); }
  bool await_ready() const noexcept { return false; }
  void await_suspend(Process::Handle waiting);
  Wake await_resume() noexcept { return end(); }

 private:
  static void leave(QueuedWait& self);
  Server& server_;
  SimDuration span_;
  RequestId request_;
  bool held_ = false;
};

inline Server::Acquisition Server::acquire() { return Acquisition(*this); }
inline Server::Use Server::use(SimDuration span) { return Use(*this, span); }

/// Flows over links: each link's capacity is shared max-min fairly among the flows that cross it (no flow can get more
/// without taking from one that has no more than it). Shares are computed anew only when a flow or a capacity changes,
/// for the flows that the change can reach, and once for all changes of one instant.
///
/// A flow of which a link has no capacity stalls until it has some again. Rates are bytes a second.
class SharedBandwidth {
 public:
  struct LinkId {
    std::uint32_t value = UINT32_MAX;
    friend constexpr auto operator<=>(LinkId, LinkId) = default;
  };
  struct FlowId {
    std::uint32_t slot = UINT32_MAX;
    std::uint32_t generation = 0;
    friend constexpr auto operator<=>(FlowId, FlowId) = default;
  };
  static constexpr double kNoLimit = 1e300;

  explicit SharedBandwidth(Engine& engine) : engine_(engine) {}
  ~SharedBandwidth();
  SharedBandwidth(const SharedBandwidth&) = delete;
  SharedBandwidth& operator=(const SharedBandwidth&) = delete;

  /// capacity >= 0 in bytes a second.
  LinkId add_link(double capacity);
  void set_capacity(LinkId link, double capacity);
  double capacity(LinkId link) const { return links_[link.value].capacity; }

  /// Moves `bytes` over all of `links` at once and calls `done` at the first nanosecond at which they are there. A flow over
  /// no link is bounded by `limit` alone. Zero bytes are there at once (in an event of its own).
  FlowId start(std::span<const LinkId> links, double bytes, std::function<void()> done, double limit = kNoLimit);
  /// Ends a flow without calling `done`. False when it is over.
  bool cancel(FlowId flow);
  bool is_active(FlowId flow) const;
  /// The share that it has now. 0 when it is over.
  double rate(FlowId flow);
  /// Bytes that are still to come. 0 when it is over.
  double remaining(FlowId flow);
  std::size_t flows() const { return active_; }
  std::size_t flows_on(LinkId link) const { return links_[link.value].flows.size(); }
  /// What all flows of the link have now, together.
  double used(LinkId link);

 private:
  struct Link {
    double capacity = 0;
    std::vector<std::uint32_t> flows;  // slots, in ascending order of start
    bool changed = false;
    // While shares are computed:
    double left = 0;
    std::size_t open = 0;
    bool reached = false;
  };
  struct Flow {
    std::vector<LinkId> links;
    std::function<void()> done;
    double remaining = 0;
    double limit = kNoLimit;
    double rate = 0;
    SimTime settled{};
    TimerId completion{};
    CauseId cause{};  // of its start: its end is caused by that, not by who changed its share last
    std::uint64_t order = 0;  // of its start: ties are broken by it
    std::uint32_t generation = 1;
    bool active = false;
    bool fixed = false;
    bool reached = false;
    double share = 0;
  };

  void mark(LinkId link);
  void schedule();
  void solve();
  void settle(Flow& flow);
  void set_rate(std::uint32_t slot, double rate);
  void finish(std::uint32_t slot);
  void remove(std::uint32_t slot);

  Engine& engine_;
  std::vector<Link> links_;
  std::vector<Flow> flows_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> changed_links_;
  std::vector<std::uint32_t> changed_flows_;  // without links
  std::uint64_t started_ = 0;
  std::size_t active_ = 0;
  TimerId solve_timer_{};
};

/// A rate limit: `burst` tokens at most, `rate` new ones a second. Starts full.
class TokenBucket {
 public:
  TokenBucket(double rate, double burst, SimTime start = SimTime{}) : rate_(rate), burst_(burst), tokens_(burst), updated_(start) {}
  /// Takes `count` tokens when they are there.
  bool try_take(SimTime now, double count = 1);
  /// Takes `count` tokens, if need be ones that are still to come, and says how long to wait for them. Who comes later waits
  /// behind. SimDuration::max() when the rate is 0 and they will never come (then nothing is taken).
  SimDuration reserve(SimTime now, double count = 1);
  /// Gives back what was reserved and not used.
  void give_back(SimTime now, double count = 1);
  /// Tokens that are there now; below zero when some are taken in advance.
  double available(SimTime now) const;
  /// Changes the rate (node controller: 0.1/s, then 0.01/s, then 0 as a zone fails).
  void set_rate(SimTime now, double rate);
  double rate() const { return rate_; }
  double burst() const { return burst_; }

 private:
  void update(SimTime now);
  double rate_;
  double burst_;
  double tokens_;
  SimTime updated_;
};

}  // namespace sim
