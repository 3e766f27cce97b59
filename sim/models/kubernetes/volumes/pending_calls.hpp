/// Calls of a storage driver that are on their way: each takes its time once everything that it needs is there, and hangs as long as it is not. What is
/// lost on the way lets it begin anew. For backends.
///
/// Checked by: tests/models/kubernetes/volumes/simple_backend_test.cpp, tests/chaos/ceph_test.cpp, cephfs_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "sim/core/engine.hpp"
#include "sim/core/symbol.hpp"

namespace sim::k8s {

class PendingCalls {
 public:
  struct Call {
    Symbol volume;
    Symbol node;              // empty: of the controller
    std::uint32_t needs = 0;  // bits of the backend's own
    SimDuration takes{};
    std::function<void()> answer;
    TimerId timer{};
  };
  PendingCalls(Engine& engine, std::function<bool(const Call&)> is_possible) : engine_(engine), is_possible_(std::move(is_possible)) {}
  PendingCalls(const PendingCalls&) = delete;
  PendingCalls& operator=(const PendingCalls&) = delete;

  void begin(Call call) {
    calls_.emplace(++serial_, std::move(call));
    wake();
  }
  /// What calls need may be there now.
  void wake() {
    for (auto& [id, call] : calls_) {
      if (engine_.is_pending(call.timer) || !is_possible_(call)) continue;
      call.timer = engine_.after(call.takes, [this, id = id] { over(id); });
    }
  }
  /// Nobody waits for the calls of this node any more.
  void forget_node(Symbol node) {
    for (auto call = calls_.begin(); call != calls_.end();) {
      if (call->second.node != node) {
        ++call;
        continue;
      }
      engine_.cancel(call->second.timer);
      call = calls_.erase(call);
    }
  }

 private:
  void over(std::uint64_t id) {
    const auto found = calls_.find(id);
    found->second.timer = TimerId{};
    if (!is_possible_(found->second)) return;  // it began when all was well, and hangs now
    const std::function<void()> answer = std::move(found->second.answer);
    calls_.erase(found);
    answer();
  }

  Engine& engine_;
  std::function<bool(const Call&)> is_possible_;
  std::map<std::uint64_t, Call> calls_;  // by serial number: woken in the order in which they came
  std::uint64_t serial_ = 0;
};

}  // namespace sim::k8s
