/// The pending events: taken in the order (time, sequence of scheduling), cancelled by handle in O(1).
///
/// How it is built (measured: docs/engine.md):
/// - An event is one slot of one cache line: time, sequence, action. Slots lie in one array and are named by index. Whether
///   a slot holds an event, and which, stands in a word of a second array.
/// - Near future: a sliding window of buckets of equal width (a power of two), each a list through the slots. To schedule is
///   to write the slot and one 4-byte head. Far future: levels of 64 wider buckets, each level 32 times as wide as the one
///   below; a bucket is handed down when the window reaches it, so that an event moves at most once a level.
/// - The bucket whose time has come is sorted into the *run*, from whose end events are taken. What is scheduled before
///   the end of the run goes into it, or, when that would move many entries, into a heap; what is scheduled for the very
///   instant that is running goes into a FIFO.
/// - While few events are pending there are no buckets: everything is in the run.
/// - Widths follow what is pending and are corrected by what the buckets turn out to hold; a rebuild costs a pass over the
///   slots and comes at most once for as many events as are pending. No operation is worse than O(log n) amortised.
/// - A cancelled event that is in a list stays there as a dead slot until its bucket comes, or until more are dead than
///   alive: then one pass over the slots frees them.
/// - Coming buckets are walked ahead of time, a step each refill, so that their slots are in the cache when they are taken;
///   so is what their actions point to first.
///
/// Nothing of this can be seen from outside: the order is (time, sequence) whatever the widths are.
///
/// Checked by: tests/core/event_queue_test.cpp, event by event against a reference heap.
#pragma once

#include <array>
#include <cstddef>
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

namespace detail {

/// An array that grows in place as far as the system allows, on huge pages when it is large. Contents are moved as bytes.
class PageArray {
 public:
  PageArray() = default;
  ~PageArray();
  PageArray(const PageArray&) = delete;
  PageArray& operator=(const PageArray&) = delete;
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  /// Grows to at least `bytes`; what was there stays.
  void grow(std::size_t bytes);
  /// At least `bytes`, all zero; what was there is lost.
  void reset(std::size_t bytes);

 private:
  void free();
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  bool mapped_ = false;
};

}  // namespace detail

class EventQueue {
 private:
  enum class Op : std::uint8_t { kRun, kDestroy };
  using Invoke = void (*)(void* storage, Op op);

 public:
  /// Actions that are trivially copyable and no larger than this are stored in the event itself.
  static constexpr std::size_t kInlineBytes = 24;

  /// An event taken off the queue.
  struct Due {
    SimTime time;
    std::uint64_t sequence;
    CauseId cause;
    Invoke invoke;
    alignas(void*) unsigned char storage[kInlineBytes];
    void run() { invoke(storage, Op::kRun); }
  };

  EventQueue();
  ~EventQueue();
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;

  /// `when` is not before the time of the event that was taken last.
  template <class Action>
  TimerId push(SimTime when, CauseId cause, Action&& action) {
    using Stored = std::decay_t<Action>;
    if constexpr (sizeof(Stored) <= kInlineBytes && alignof(Stored) <= alignof(void*) && std::is_trivially_copyable_v<Stored> &&
                  std::is_trivially_destructible_v<Stored>) {
      const std::uint32_t index = acquire();
      Slot& slot = slots_[index];
      ::new (static_cast<void*>(slot.storage)) Stored(std::forward<Action>(action));
      slot.invoke = [](void* storage, Op op) {
        if (op == Op::kRun) (*std::launder(static_cast<Stored*>(storage)))();
      };
      return insert(index, when, cause, 0);
    } else {
      auto* held = new Stored(std::forward<Action>(action));  // before the slot is taken: its constructor may schedule
      const std::uint32_t index = acquire();
      Slot& slot = slots_[index];
      std::memcpy(slot.storage, &held, sizeof held);
      slot.invoke = [](void* storage, Op op) {
        Stored* boxed = nullptr;
        std::memcpy(&boxed, storage, sizeof boxed);
        struct Guard {
          Stored* action;
          ~Guard() { delete action; }
        } guard{boxed};
        if (op == Op::kRun) (*boxed)();
      };
      return insert(index, when, cause, kBoxed);
    }
  }

  /// Takes a pending event off. False when it is none (any more).
  bool cancel(TimerId timer) noexcept;
  /// The same for whom does not ask whether it was pending: done some calls later, so that nobody waits for the memory where
  /// that stands. Nobody can tell, but for dead().
  void withdraw(TimerId timer) noexcept {
    if (used_ < kManySlots || !timer || (timer.generation & kBoxed) != 0) {  // what is boxed is to be destroyed now
      cancel(timer);
      return;
    }
    __builtin_prefetch(&meta_[timer.slot], 1);
    TimerId& place = withdrawn_[next_withdrawn_++ % kWithdrawn];
    cancel(std::exchange(place, timer));
    any_withdrawn_ = true;
  }
  bool is_pending(TimerId timer) const noexcept {
    return timer && timer.slot < used_ && is_event(timer.slot, timer.generation) && !(any_withdrawn_ && is_withdrawn(timer));
  }
  bool empty() noexcept { return size() == 0; }
  std::size_t size() noexcept {
    settle();
    return live_;
  }
  /// kEndOfTime when there is none.
  SimTime next_time() noexcept;

  /// Runs the earliest event when it is not after `limit`: `begin(time, sequence, cause)`, then its action. False when there
  /// is none.
  template <class Begin>
  bool run_next(SimTime limit, Begin&& begin) {
    const std::uint32_t index = next_slot(limit);
    if (index == 0) return false;
    const Slot& slot = slots_[index];
    const std::uint64_t time = slot.time;
    const std::uint64_t sequence = slot.sequence;
    const CauseId cause = slot.cause;
    const Invoke invoke = slot.invoke;
    // A copy: what the action schedules takes this slot, which is in the cache, and may move all of them.
    alignas(void*) unsigned char storage[kInlineBytes];
    std::memcpy(storage, slot.storage, kInlineBytes);
    give_up(index);
    begin(SimTime(SimDuration(static_cast<std::int64_t>(time))), sequence, cause);
    invoke(storage, Op::kRun);
    return true;
  }
  /// The same in two steps. due.run() must follow, once.
  bool take(SimTime limit, Due& due) {
    const std::uint32_t index = next_slot(limit);
    if (index == 0) return false;
    const Slot& slot = slots_[index];
    due.time = SimTime(SimDuration(static_cast<std::int64_t>(slot.time)));
    due.sequence = slot.sequence;
    due.cause = slot.cause;
    due.invoke = slot.invoke;
    std::memcpy(due.storage, slot.storage, kInlineBytes);
    give_up(index);
    return true;
  }

  /// Ever scheduled; ever cancelled; the most that were pending when an event was taken, it included.
  std::uint64_t pushed() const noexcept { return next_sequence_ - 1 - (next_sequence_ >> kGenerationBits); }
  std::uint64_t cancelled() noexcept {
    settle();
    return cancelled_;
  }
  std::uint64_t peak() const noexcept { return peak_; }
  /// Slots that hold a cancelled event. At most size() and a constant.
  std::size_t dead() const noexcept { return dead_; }
  /// Times the buckets were laid out anew.
  std::uint64_t rebuilds() const noexcept { return rebuilds_; }

 private:
  /// What a slot holds, in a word of its own: a cancel touches this word and no slot. 0: nothing. kDead: a cancelled event
  /// that is still in a list. Else the event's generation (its sequence, as far as it fits, and kBoxed), with kLoose when
  /// an entry of the run, the FIFO or the heap names it, and without when it is in a list.
  using Word = std::uint32_t;
  static constexpr Word kLoose = 1;
  static constexpr Word kBoxed = 2;
  static constexpr Word kDead = kLoose;  // no generation is 0
  static constexpr unsigned kGenerationBits = 30;
  /// One cache line.
  struct alignas(64) Slot {
    std::uint64_t time;
    std::uint64_t sequence;
    std::uint32_t next;  // in the list of a bucket, or of free slots; 0 ends it
    CauseId cause;
    Invoke invoke;
    alignas(void*) unsigned char storage[kInlineBytes];
  };
  static_assert(sizeof(Slot) == 64);

  /// Names an event by value: when the slot's generation is another, the event was cancelled.
  struct Ref {
    std::uint64_t time;
    std::uint32_t slot;
    std::uint32_t generation;
  };
  struct HeapEntry {
    std::uint64_t time;
    std::uint64_t sequence;
    std::uint32_t slot;
    std::uint32_t generation;
    bool operator<(const HeapEntry& other) const {  // std's heaps have the greatest in front
      return time != other.time ? time > other.time : sequence > other.sequence;
    }
  };
  /// Buckets that hold many events have several lists, so that walking them waits for several cache lines at once.
  static constexpr unsigned kLaneBits = 3;
  static constexpr std::size_t kLanes = 1 << kLaneBits;
  struct Level {
    unsigned shift = 0;
    std::uint64_t bits = 0;  // of the buckets that hold something
    std::array<std::array<std::uint32_t, kLanes>, 64> heads{};
  };

  static constexpr std::uint64_t to_word(SimTime time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }

  /// Takes the earliest event that is not after `limit` off the run; its slot is still full. 0 when there is none.
  std::uint32_t next_slot(SimTime limit) {
    settle();
    if (live_ > peak_) peak_ = live_;
    for (;;) {
      if (mixed_) [[unlikely]] {
        if (!front_of_mixed()) return 0;
      } else if (run_size_ == 0) {
        if (!refill()) return 0;
        continue;
      }
      const Ref ref = run_[run_size_ - 1];
      if (ref.time > to_word(limit)) return 0;
      --run_size_;
      if (run_size_ > kFetchAhead) fetch(run_[run_size_ - kFetchAhead].slot);
      if (is_gone(ref)) [[unlikely]] {
        --loose_dead_;  // cancelled
        continue;
      }
      last_time_ = ref.time;
      return ref.slot;
    }
  }
  /// From here on its handle is stale: an action that cancels itself changes nothing.
  void give_up(std::uint32_t index) {
    release(index);
    --live_;
  }

  std::uint32_t acquire() {
    const std::uint32_t index = free_;
    if (index != 0) [[likely]] {
      free_ = slots_[index].next;
      __builtin_prefetch(&slots_[free_], 1);  // after a pass over the slots the next free one is a cold line
      return index;
    }
    return acquire_fresh();
  }
  void release(std::uint32_t index) noexcept {
    meta_[index] = 0;
    slots_[index].next = free_;
    free_ = index;
  }
  /// In a long run, slots have left the cache since they were gathered.
  static constexpr std::size_t kFetchAhead = 16;
  void fetch(std::uint32_t index) const {
    __builtin_prefetch(&slots_[index], 1);
    __builtin_prefetch(&meta_[index], 1);
  }
  bool is_event(std::uint32_t index, std::uint32_t generation) const { return (meta_[index] & ~kLoose) == generation; }
  bool is_gone(const Ref& ref) const { return !is_event(ref.slot, ref.generation); }
  Ref ref_to(std::uint32_t index) const { return {slots_[index].time, index, meta_[index] & ~kLoose}; }
  std::uint32_t acquire_fresh();
  TimerId insert(std::uint32_t index, SimTime when, CauseId cause, Word boxed);
  void insert_loose(std::uint32_t index);
  void place(std::uint32_t index, Slot& slot, std::uint64_t time);
  void place_far(std::uint32_t index, Slot& slot);
  void link(std::uint64_t head, std::uint32_t index) {
    slots_[index].next = heads_[head];
    heads_[head] = index;
  }
  std::uint64_t head_of(std::uint64_t bucket, std::uint32_t index) const {
    return (bucket & mask_) << lane_bits_ | (index & ((1u << lane_bits_) - 1));
  }
  /// Does what withdraw() put off.
  void settle() noexcept {
    if (any_withdrawn_) [[unlikely]] cancel_withdrawn();
  }
  void cancel_withdrawn() noexcept;
  bool is_withdrawn(TimerId timer) const noexcept;
  void link_waiting();
  bool refill();
  void hand_down();
  void gather(std::uint32_t head);
  void gather_many(std::uint32_t head);
  void gather_lanes(std::uint64_t bucket);
  void run_from_scratch();
  void walk_ahead();
  bool front_of_mixed();
  std::uint64_t next_bucket(std::uint64_t from) const;
  std::uint64_t next_far(const Level& level) const;
  void find_far_min();
  void correct_width();
  void rebuild(int shift_change);
  void rebuild(int shift_change, unsigned lane_bits);
  void relink();
  void lay_out(unsigned shift, std::size_t buckets, unsigned lane_bits);
  void reserve_run(std::size_t entries);
  void purge_loose();
  /// More than these are not kept. With many events memory counts for more than the passes that free it.
  std::size_t dead_max() const { return kNotWorthIt + (live_ < kManySlots ? live_ : live_ / 2); }
  static constexpr std::size_t kNotWorthIt = 64;
  static constexpr std::size_t kManySlots = 65'536;
  /// Whether a pass over all slots costs no more than walking the lists.
  bool are_slots_dense() const { return used_ <= 8 * (live_ + dead_) + 1024; }
  unsigned choose_shift(const std::vector<std::uint32_t>& sample) const;

  // Slots.
  Slot* slots_ = nullptr;
  Word* meta_ = nullptr;  // of each slot
  std::uint32_t used_ = 1;  // slot 0 is the end of every list
  std::uint32_t capacity_ = 0;
  std::uint32_t free_ = 0;
  std::size_t live_ = 0;
  std::size_t dead_ = 0;

  // The run, descending: the next event is the last entry.
  Ref* run_ = nullptr;
  std::size_t run_size_ = 0;
  std::uint64_t run_end_ = UINT64_MAX;  // buckets hold times from here on; no buckets: the end of time
  std::uint64_t last_time_ = 0;         // of the event taken last
  bool mixed_ = false;                  // the FIFO or the heap holds something

  // The window: buckets [edge_, edge_ + mask_ + 1), each of 2^shift_ ns.
  std::uint32_t* heads_ = nullptr;
  std::uint64_t* words_ = nullptr;    // a bit for each bucket that holds something
  std::uint64_t* summary_ = nullptr;  // a bit for each word of words_ that is not zero
  std::uint64_t edge_ = 0;
  std::uint64_t mask_ = 0;
  unsigned shift_ = 0;
  unsigned lane_bits_ = 0;  // lists a bucket, as a power of two: several when many events have one time
  std::size_t near_ = 0;  // slots linked in the window
  std::uint64_t far_min_ = UINT64_MAX;  // start of the first far bucket that holds something

  std::uint64_t next_sequence_ = 1;
  std::size_t grow_at_ = 0;
  std::uint64_t cancelled_ = 0;
  std::uint64_t peak_ = 0;
  std::uint64_t rebuilds_ = 0;

  std::size_t run_capacity_ = 0;
  std::size_t level_count_ = 0;
  std::vector<Level> levels_;
  std::vector<Ref> fifo_;
  std::size_t fifo_head_ = 0;
  std::vector<HeapEntry> heap_;
  std::size_t loose_dead_ = 0;
  std::vector<HeapEntry> scratch_;
  std::array<std::vector<HeapEntry>, kLanes> lane_scratch_;

  static constexpr std::size_t kWithdrawn = 16;
  std::array<TimerId, kWithdrawn> withdrawn_{};
  std::size_t next_withdrawn_ = 0;
  bool any_withdrawn_ = false;

  // With many buckets the heads lie in no near cache: a head's line is asked for at once, and written some events later.
  static constexpr std::size_t kWaitingLinks = 16;
  struct WaitingLink {
    std::uint32_t head;
    std::uint32_t slot;  // 0: none
  };
  std::array<WaitingLink, kWaitingLinks> waiting_links_{};
  std::size_t next_waiting_ = 0;
  std::uint64_t first_waiting_bucket_ = UINT64_MAX;  // none of them waits for an earlier one
  bool links_wait_ = false;
  bool simple_ = true;  // one list a bucket, and links do not wait

  // What the buckets turned out to hold since the widths were chosen.
  std::uint64_t buckets_taken_ = 0;
  std::uint64_t events_taken_ = 0;
  std::uint64_t instants_taken_ = 0;
  std::uint64_t run_moves_ = 0;
  std::uint64_t taken_at_correction_ = 0;

  // Buckets that are walked ahead of time.
  static constexpr std::size_t kWalkers = 8;
  std::array<std::uint32_t, kWalkers> walkers_{};
  std::array<std::uint64_t, kWalkers> walked_buckets_{};
  std::size_t oldest_walker_ = 0;
  std::uint64_t walked_until_ = 0;

  detail::PageArray slot_memory_;
  detail::PageArray meta_memory_;
  detail::PageArray head_memory_;
  detail::PageArray run_memory_;
};

}  // namespace sim
