/// The pending events: (time, sequence) order, cancel by handle, actions stored in slots.
///
/// A 4-ary heap of 16-byte keys with a position in each slot, so that cancel is O(log n) and leaves nothing behind.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "sim/core/cause.hpp"
#include "sim/core/time.hpp"

namespace sim {

/// A handle to a scheduled event; TimerId{} stands for none.
struct TimerId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0 is never given out
  constexpr explicit operator bool() const { return generation != 0; }
};

class EventQueue {
 public:
  /// An event taken off the queue, ready to run.
  struct Due {
    SimTime time{};
    std::uint64_t sequence = 0;
    CauseId cause{};
    std::uint32_t slot = 0;
  };

  EventQueue() = default;
  ~EventQueue();
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;

  template <class Action>
  TimerId push(SimTime when, CauseId cause, Action&& action) {
    using Stored = std::decay_t<Action>;
    const std::uint32_t index = acquire();
    Slot& slot = slots_[index];
    if constexpr (sizeof(Stored) <= kInlineBytes && alignof(Stored) <= alignof(void*) &&
                  std::is_trivially_copyable_v<Stored> && std::is_trivially_destructible_v<Stored>) {
      ::new (static_cast<void*>(slot.storage)) Stored(std::forward<Action>(action));
      slot.invoke = [](void* storage, Op op) {
        if (op == Op::kRun) {
          Stored copy = *std::launder(reinterpret_cast<Stored*>(storage));
          copy();
        }
      };
    } else {
      auto* boxed = new Stored(std::forward<Action>(action));
      std::memcpy(slot.storage, &boxed, sizeof boxed);
      slot.invoke = [](void* storage, Op op) {
        Stored* held = nullptr;
        std::memcpy(&held, storage, sizeof held);
        if (op == Op::kRun) {
          struct Guard {
            Stored* action;
            ~Guard() { delete action; }
          } guard{held};
          (*held)();
        } else {
          delete held;
        }
      };
    }
    slot.cause = cause;
    insert(index, when);
    return TimerId{index, slot.generation};
  }

  bool cancel(TimerId timer) noexcept;
  bool is_pending(TimerId timer) const noexcept {
    return timer && timer.slot < slots_.size() && slots_[timer.slot].generation == timer.generation;
  }
  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  SimTime next_time() noexcept;
  /// Takes the earliest event off. Needs !empty(). run() must follow, once.
  Due pop() noexcept;
  /// Runs the action of an event that pop() returned; its slot is free from then on.
  void run(const Due& due);

  std::uint64_t pushed() const noexcept { return next_sequence_; }
  std::uint64_t cancelled() const noexcept { return cancelled_; }
  std::uint64_t peak() const noexcept { return peak_; }

 private:
  enum class Op : std::uint8_t { kRun, kDestroy };
  static constexpr std::size_t kInlineBytes = 24;
  struct Slot {
    void (*invoke)(void* storage, Op op) = nullptr;
    alignas(void*) unsigned char storage[kInlineBytes] = {};
    std::uint32_t generation = 1;
    CauseId cause{};
    std::uint32_t position = 0;  // in heap_; in a free slot: the next free one
  };
  struct Entry {
    std::int64_t time;
    std::uint64_t sequence;
    std::uint32_t slot;
  };

  std::uint32_t acquire();
  void release(std::uint32_t slot) noexcept;
  void insert(std::uint32_t slot, SimTime when);
  void remove(std::size_t position) noexcept;
  void sift_up(std::size_t position, Entry entry) noexcept;
  void sift_down(std::size_t position, Entry entry) noexcept;
  static bool before(const Entry& a, const Entry& b) noexcept {
    return a.time != b.time ? a.time < b.time : a.sequence < b.sequence;
  }

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::uint32_t free_ = UINT32_MAX;
  std::uint64_t next_sequence_ = 0;
  std::uint64_t cancelled_ = 0;
  std::uint64_t peak_ = 0;
};

}  // namespace sim
