/// The work that engines are compared on, through Squall's public calls: hold, cancel, phold, proc.
///
///   hold    N events pending; each, when it runs, schedules one at now + Exp(1)
///   cancel  N timers; one step in ten runs the earliest, nine in ten cancel a random one; both set it anew at now + Exp(1)
///   phold   1024 logical processes with m messages each: destination uniform over all with probability 0.9 (else the same),
///           delay 0.1 + Exp(0.9), a random stream for each process
///   proc    N processes, each sleeping Exp(1) for ever
///
/// One unit of model time is a second. Every kind draws from xoshiro256++ with -log(u), so that figures compare engines and
/// not generators; the same work over std::priority_queue with 24-byte entries {double, sequence, handle} is the baseline.
#pragma once

#include <array>
#include <cmath>
#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <queue>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/process.hpp"

namespace bench {

/// xoshiro256++ (Blackman and Vigna), seeded by SplitMix64.
class Xoshiro {
 public:
  explicit Xoshiro(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15ull;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
      word = z ^ (z >> 31);
    }
  }
  std::uint64_t next() {
    const std::uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }
  double uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1.0p-53; }
  double exponential() { return -std::log(uniform()); }
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }

 private:
  static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::array<std::uint64_t, 4> state_;
};

inline sim::SimDuration span(double seconds) { return sim::SimDuration(static_cast<std::int64_t>(seconds * 1e9)); }

/// Delays whose shapes queues trip over.
enum class Mix { kExponential, kTies, kZeroOrFar, kMicrosecondOrHour, kSecondGrid, kFourteenDecades, kOneInstant };

inline std::int64_t draw(Mix mix, Xoshiro& random) {
  switch (mix) {
    case Mix::kExponential: return static_cast<std::int64_t>(random.exponential() * 1e9);
    case Mix::kTies: return random.below(10);
    case Mix::kZeroOrFar: return random.below(2) == 0 ? 0 : 1'000'000'000'000;
    case Mix::kMicrosecondOrHour: return random.below(100) == 0 ? 3'600'000'000'000 : 1'000;
    case Mix::kSecondGrid: return 1'000'000'000ll * (1 + random.below(100));
    case Mix::kFourteenDecades: return static_cast<std::int64_t>(std::pow(10.0, 14 * random.uniform()));
    case Mix::kOneInstant: return 1'000'000'000;
  }
  return 0;
}

class Hold {
 public:
  explicit Hold(std::size_t n, Mix mix = Mix::kExponential) : mix_(mix) {
    for (std::size_t i = 0; i < n; ++i) set(i);
  }
  void run(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps; ++i) engine_.step();
  }
  sim::Engine& engine() { return engine_; }

 private:
  // Carries an index beside `this`, as an event of a model does.
  void set(std::size_t index) {
    engine_.after(sim::SimDuration(mix_ == Mix::kExponential ? span(random_.exponential()).count() : draw(mix_, random_)),
                  [this, index] { set(index); });
  }
  sim::Engine engine_;
  Xoshiro random_{42};
  Mix mix_;
};

class Cancel {
 public:
  explicit Cancel(std::size_t n) : timers_(n) {
    for (std::size_t i = 0; i < n; ++i) set(i);
  }
  void run(std::uint64_t steps) {
    const auto n = static_cast<std::uint32_t>(timers_.size());
    for (std::uint64_t i = 0; i < steps; ++i) {
      if (random_.below(10) == 0) {
        engine_.step();
      } else {
        const std::size_t index = random_.below(n);
        engine_.cancel(timers_[index]);
        set(index);
      }
    }
  }
  sim::Engine& engine() { return engine_; }

 private:
  void set(std::size_t index) {
    timers_[index] = engine_.after(span(random_.exponential()), [this, index] { set(index); });
  }
  sim::Engine engine_;
  Xoshiro random_{42};
  std::vector<sim::TimerId> timers_;
};

struct alignas(64) LogicalProcess {
  Xoshiro random;
  std::uint64_t count = 0;
  sim::SimTime last{};
};

class Phold {
 public:
  static constexpr std::uint32_t kProcesses = 1024;
  explicit Phold(unsigned messages) {
    processes_.reserve(kProcesses);
    for (std::uint32_t i = 0; i < kProcesses; ++i) processes_.push_back(LogicalProcess{Xoshiro(1000 + i), 0, {}});
    for (std::uint32_t i = 0; i < kProcesses; ++i) {
      for (unsigned j = 0; j < messages; ++j) send(processes_[i], i);
    }
  }
  void run(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps; ++i) engine_.step();
  }
  sim::Engine& engine() { return engine_; }

 private:
  void send(LogicalProcess& from, std::uint32_t to) {
    engine_.after(span(0.1 + 0.9 * from.random.exponential()), [this, to] { receive(to); });
  }
  void receive(std::uint32_t index) {
    LogicalProcess& process = processes_[index];
    ++process.count;
    process.last = engine_.now();
    const std::uint32_t to = process.random.uniform() <= 0.9 ? process.random.below(kProcesses) : index;
    send(process, to);
  }
  sim::Engine engine_;
  std::vector<LogicalProcess> processes_;
};

class Sleepers {
 public:
  explicit Sleepers(std::size_t n) {
    processes_.reserve(n);
    for (std::size_t i = 0; i < n; ++i) processes_.push_back(sleeper(*this, 1000 + i));
  }
  void run(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps; ++i) engine_.step();
  }
  sim::Engine& engine() { return engine_; }
  std::uint64_t count = 0;

 private:
  static sim::Process sleeper(Sleepers& world, std::uint64_t seed) {
    Xoshiro random(seed);
    for (;;) {
      const sim::SimDuration nap = span(random.exponential());
      co_await sim::Delay(world.engine_, nap);
      ++world.count;
    }
  }
  sim::Engine engine_;
  std::vector<sim::Process> processes_;
};

/// The baseline: {time, sequence, handle} in std::priority_queue.
class PriorityQueue {
 public:
  void push(double time, std::uint64_t handle) { queue_.push(Entry{time, sequence_++, handle}); }
  std::uint64_t pop(double& time) {
    const Entry entry = queue_.top();
    queue_.pop();
    time = entry.time;
    return entry.handle;
  }

 private:
  struct Entry {
    double time;
    std::uint64_t sequence;
    std::uint64_t handle;
    bool operator<(const Entry& other) const { return time != other.time ? time > other.time : sequence > other.sequence; }
  };
  std::priority_queue<Entry> queue_;
  std::uint64_t sequence_ = 0;
};

class BaselineHold {
 public:
  explicit BaselineHold(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) queue_.push(random_.exponential(), i);
  }
  void run(std::uint64_t steps) {
    double now = 0;
    for (std::uint64_t i = 0; i < steps; ++i) {
      const std::uint64_t handle = queue_.pop(now);
      queue_.push(now + random_.exponential(), handle);
    }
  }

 private:
  PriorityQueue queue_;
  Xoshiro random_{42};
};

/// Cancelled entries stay, and are skipped when they come up.
class BaselineCancel {
 public:
  explicit BaselineCancel(std::size_t n) : due_(n) {
    for (std::size_t i = 0; i < n; ++i) set(i);
  }
  void run(std::uint64_t steps) {
    const auto n = static_cast<std::uint32_t>(due_.size());
    for (std::uint64_t i = 0; i < steps; ++i) {
      if (random_.below(10) == 0) {
        double time = 0;
        std::uint64_t index = 0;
        do {
          index = queue_.pop(time);
        } while (due_[index] != time);
        now_ = time;
        set(index);
      } else {
        set(random_.below(n));
      }
    }
  }

 private:
  void set(std::size_t index) {
    due_[index] = now_ + random_.exponential();
    queue_.push(due_[index], index);
  }
  PriorityQueue queue_;
  Xoshiro random_{42};
  std::vector<double> due_;
  double now_ = 0;
};

class BaselinePhold {
 public:
  explicit BaselinePhold(unsigned messages) {
    for (std::uint32_t i = 0; i < Phold::kProcesses; ++i) processes_.push_back(LogicalProcess{Xoshiro(1000 + i), 0, {}});
    for (std::uint32_t i = 0; i < Phold::kProcesses; ++i) {
      for (unsigned j = 0; j < messages; ++j) queue_.push(0.1 + 0.9 * processes_[i].random.exponential(), i);
    }
  }
  void run(std::uint64_t steps) {
    double now = 0;
    for (std::uint64_t i = 0; i < steps; ++i) {
      const std::uint64_t index = queue_.pop(now);
      LogicalProcess& process = processes_[index];
      ++process.count;
      process.last = sim::SimTime(span(now));
      const std::uint64_t to = process.random.uniform() <= 0.9 ? process.random.below(Phold::kProcesses) : index;
      queue_.push(now + 0.1 + 0.9 * process.random.exponential(), to);
    }
  }

 private:
  PriorityQueue queue_;
  std::vector<LogicalProcess> processes_;
};

/// Coroutines woken by the baseline queue, with nothing else around them.
class BaselineSleepers {
 public:
  explicit BaselineSleepers(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      tasks_.push_back(sleeper(*this, i).handle);
      tasks_.back().resume();
    }
  }
  ~BaselineSleepers() {
    for (const auto task : tasks_) task.destroy();
  }
  BaselineSleepers(const BaselineSleepers&) = delete;
  BaselineSleepers& operator=(const BaselineSleepers&) = delete;
  void run(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps; ++i) {
      const std::uint64_t index = queue_.pop(now_);
      tasks_[index].resume();
    }
  }
  std::uint64_t count = 0;

 private:
  struct Task {
    struct promise_type {
      Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_always initial_suspend() noexcept { return {}; }
      std::suspend_always final_suspend() noexcept { return {}; }
      void return_void() {}
      void unhandled_exception() { std::abort(); }
    };
    std::coroutine_handle<> handle;
  };
  class Nap {
   public:
    Nap(BaselineSleepers& world, double span_seconds, std::uint64_t index) : world_(world), span_(span_seconds), index_(index) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) { world_.queue_.push(world_.now_ + span_, index_); }
    void await_resume() const noexcept {}

   private:
    BaselineSleepers& world_;
    double span_;
    std::uint64_t index_;
  };
  static Task sleeper(BaselineSleepers& world, std::uint64_t index) {
    Xoshiro random(1000 + index);
    for (;;) {
      const double nap = random.exponential();
      co_await Nap(world, nap, index);
      ++world.count;
    }
  }
  PriorityQueue queue_;
  std::vector<std::coroutine_handle<>> tasks_;
  double now_ = 0;
};

}  // namespace bench
