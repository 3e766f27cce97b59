#include "sim/core/event_queue.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "sim/core/check.hpp"

namespace sim {

namespace detail {

namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// A mapping whose start is a multiple of the huge page, so that the kernel can use them.
void* map_aligned(std::size_t bytes) {
  void* raw = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<char*>(raw);
  const std::size_t skip = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (skip != 0) munmap(begin, skip);
  if (skip != kHugePage) munmap(begin + skip + bytes, kHugePage - skip);
  madvise(begin + skip, bytes, MADV_HUGEPAGE);  // a wish: without it everything works, slower
  return begin + skip;
}
}  // namespace

PageArray::~PageArray() { free(); }

void PageArray::free() {
  if (data_ == nullptr) return;
  if (mapped_) {
    munmap(data_, bytes_);
  } else {
    std::free(data_);
  }
  data_ = nullptr;
  bytes_ = 0;
}

void PageArray::grow(std::size_t bytes) {
  if (bytes <= bytes_) return;
  void* fresh = nullptr;
  const bool map = bytes >= kHugePage;
  if (map) {
    bytes = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    fresh = map_aligned(bytes);
    if (mapped_) {
      // Moves page tables, not bytes.
      if (mremap(data_, bytes_, bytes_, MREMAP_MAYMOVE | MREMAP_FIXED, fresh) == MAP_FAILED) {
        std::memcpy(fresh, data_, bytes_);
        munmap(data_, bytes_);
      }
      data_ = fresh;
      bytes_ = bytes;
      return;
    }
  } else {
    bytes = (bytes + 63) / 64 * 64;
    fresh = std::aligned_alloc(64, bytes);
    if (fresh == nullptr) throw std::bad_alloc();
  }
  if (bytes_ != 0) std::memcpy(fresh, data_, bytes_);
  free();
  data_ = fresh;
  bytes_ = bytes;
  mapped_ = map;
}

void PageArray::reset(std::size_t bytes) {
  if (bytes > bytes_ || (mapped_ && bytes < bytes_ / 4)) {
    free();
    mapped_ = false;
    grow(bytes);
    if (mapped_) return;  // fresh pages are zero
  }
  std::memset(data_, 0, bytes);
}

}  // namespace detail

namespace {

// Buckets are to hold this many events: fewer cost more refills, more cost more sorting and longer walks.
constexpr std::uint64_t kEventsPerBucket = 4;
// Up to so many pending events there are no buckets.
constexpr std::size_t kFew = 32;
// An entry is put into the run when it moves at most so many others; else it goes to the heap.
constexpr std::size_t kRunMoves = 48;
// With more in a bucket, on average, buckets have several lists.
constexpr std::uint64_t kManyInBucket = 64;
// Up to so many a bucket is sorted by rank.
constexpr unsigned kRanked = 16;// With fewer slots than this everything is in the cache anyway.
constexpr std::uint32_t kWalkFrom = 4096;

// With fewer buckets than this their heads are in a near cache.
constexpr std::size_t kLinksWaitFrom = 32'768;

struct alignas(64) Unsorted {
  std::uint64_t time[kRanked];
  std::uint64_t sequence[kRanked];
  std::uint32_t slot[kRanked];
  std::uint32_t generation[kRanked];
};

struct SortedEntry {  // as EventQueue::Ref
  std::uint64_t time;
  std::uint32_t slot;
  std::uint32_t generation;
};

/// Writes the entries to out, the latest first. An entry's place is the number of entries that are later: no branch depends
/// on the data. Entries from `count` to the next multiple of 8 must be zero; what they leave behind out[count] is garbage.
using RankSort = void (*)(const Unsorted& in, unsigned count, SortedEntry* out);

void rank_sort_portable(const Unsorted& in, unsigned count, SortedEntry* out) {
  for (unsigned i = 0; i < count; ++i) {
    unsigned rank = 0;
    const std::uint64_t time = in.time[i];
    const std::uint64_t sequence = in.sequence[i];
    for (unsigned j = 0; j < count; ++j) {
      rank += static_cast<unsigned>((in.time[j] > time) | ((in.time[j] == time) & (in.sequence[j] > sequence)));
    }
    out[rank] = {time, in.slot[i], in.generation[i]};
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,popcnt"))) void rank_sort_avx2(const Unsorted& in, unsigned count, SortedEntry* out) {
  const unsigned groups = (count + 3) / 4;
  __m256i times[kRanked / 4];
  __m256i sequences[kRanked / 4];
  for (unsigned g = 0; g < groups; ++g) {
    times[g] = _mm256_load_si256(reinterpret_cast<const __m256i*>(in.time + 4 * g));
    sequences[g] = _mm256_load_si256(reinterpret_cast<const __m256i*>(in.sequence + 4 * g));
  }
  for (unsigned i = 0; i < count; ++i) {
    // Times and sequences are below 2^63, so signed comparison will do.
    const __m256i time = _mm256_set1_epi64x(static_cast<long long>(in.time[i]));
    const __m256i sequence = _mm256_set1_epi64x(static_cast<long long>(in.sequence[i]));
    unsigned later = 0;
    for (unsigned g = 0; g < groups; ++g) {
      const __m256i after = _mm256_cmpgt_epi64(times[g], time);
      const __m256i tie = _mm256_and_si256(_mm256_cmpeq_epi64(times[g], time), _mm256_cmpgt_epi64(sequences[g], sequence));
      later += static_cast<unsigned>(
          __builtin_popcount(static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_or_si256(after, tie))))));
    }
    out[later] = {in.time[i], in.slot[i], in.generation[i]};
  }
}

// A fixed number of rounds, so that no branch depends on the count either. Empty places rank behind all others.
template <unsigned kRounds>
__attribute__((target("avx512f,popcnt"), always_inline)) inline void rank_rounds(const Unsorted& in, SortedEntry* out) {
  const __m512i times = _mm512_load_si512(in.time);
  const __m512i sequences = _mm512_load_si512(in.sequence);
#pragma GCC unroll 16
  for (unsigned i = 0; i < kRounds; ++i) {
    const __m512i time = _mm512_set1_epi64(static_cast<long long>(in.time[i]));
    const __m512i sequence = _mm512_set1_epi64(static_cast<long long>(in.sequence[i]));
    unsigned later = static_cast<unsigned>(_mm512_cmpgt_epu64_mask(times, time)) |
                     static_cast<unsigned>(_mm512_mask_cmpgt_epu64_mask(_mm512_cmpeq_epu64_mask(times, time), sequences, sequence));
    if constexpr (kRounds > 8) {
      const __m512i more_times = _mm512_load_si512(in.time + 8);
      const __m512i more_sequences = _mm512_load_si512(in.sequence + 8);
      later |= (static_cast<unsigned>(_mm512_cmpgt_epu64_mask(more_times, time)) |
                static_cast<unsigned>(
                    _mm512_mask_cmpgt_epu64_mask(_mm512_cmpeq_epu64_mask(more_times, time), more_sequences, sequence)))
               << 8;
    }
    out[__builtin_popcount(later)] = {in.time[i], in.slot[i], in.generation[i]};
  }
}

__attribute__((target("avx512f,popcnt"))) void rank_sort_avx512(const Unsorted& in, unsigned count, SortedEntry* out) {
  if (count <= 4) {
    rank_rounds<4>(in, out);
  } else if (count <= 8) {
    rank_rounds<8>(in, out);
  } else {
    rank_rounds<16>(in, out);
  }
}
#endif

/// The widest that this processor has. All give the same order.
RankSort choose_rank_sort() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return rank_sort_avx512;
  if (__builtin_cpu_supports("avx2")) return rank_sort_avx2;
#endif
  return rank_sort_portable;
}

const RankSort rank_sort = choose_rank_sort();

}  // namespace

EventQueue::EventQueue() {
  static_assert(sizeof(Ref) == sizeof(SortedEntry));
  reserve_run(2 * kFew);
  fifo_.reserve(16);
}

EventQueue::~EventQueue() {
  // What an action owns may cancel other events when it goes away: no handle is valid from here on.
  std::vector<std::uint32_t> boxed;
  for (std::uint32_t i = 1; i < used_; ++i) {
    if ((meta_[i] & kBoxed) != 0) boxed.push_back(i);
    meta_[i] = 0;
  }
  for (const std::uint32_t i : boxed) slots_[i].invoke(slots_[i].storage, Op::kDestroy);
}

std::uint32_t EventQueue::acquire_fresh() {
  if (used_ >= capacity_) {
    SIM_CHECK(capacity_ < UINT32_MAX / 2, "slots are named with 32 bits");
    const std::size_t capacity = std::max<std::size_t>(64, std::size_t{capacity_} * 2);
    slot_memory_.grow(capacity * sizeof(Slot));
    meta_memory_.grow(capacity * sizeof(Word));
    slots_ = static_cast<Slot*>(slot_memory_.data());
    meta_ = static_cast<Word*>(meta_memory_.data());
    if (capacity_ == 0) {
      ::new (static_cast<void*>(slots_)) Slot{};
      meta_[0] = 0;
    }
    capacity_ = static_cast<std::uint32_t>(capacity);
  }
  return used_++;
}

// `time` is slot.time, which may still be on its way to memory.
inline void EventQueue::place(std::uint32_t index, Slot& slot, std::uint64_t time) {
  const std::uint64_t bucket = time >> shift_;
  if (bucket - edge_ > mask_) [[unlikely]] {
    place_far(index, slot);
    return;
  }
  const std::uint64_t i = bucket & mask_;
  if (simple_) [[likely]] {
    link(i, index);
  } else if (const std::uint64_t head = head_of(bucket, index); links_wait_) {
    __builtin_prefetch(&heads_[head], 1);
    WaitingLink& waiting = waiting_links_[next_waiting_++ % kWaitingLinks];
    if (waiting.slot != 0) [[likely]] link(waiting.head, waiting.slot);
    waiting = {static_cast<std::uint32_t>(head), index};
    first_waiting_bucket_ = std::min(first_waiting_bucket_, bucket);
  } else {
    link(head, index);
  }
  const std::uint64_t word = words_[i >> 6];
  words_[i >> 6] = word | std::uint64_t{1} << (i & 63);
  if (word == 0) [[unlikely]] summary_[i >> 12] |= std::uint64_t{1} << ((i >> 6) & 63);
  ++near_;
}

TimerId EventQueue::insert(std::uint32_t index, SimTime when, CauseId cause, Word boxed) {
  const std::uint64_t sequence = next_sequence_++;
  // The low bits name the event in handles, and 0 stands for none there.
  if (next_sequence_ % (std::uint64_t{1} << kGenerationBits) == 0) [[unlikely]] ++next_sequence_;
  const Word generation = static_cast<Word>(sequence << 2) | boxed;
  meta_[index] = generation;
  Slot& slot = slots_[index];
  const std::uint64_t time = to_word(when);
  slot.time = time;
  slot.sequence = sequence;
  slot.cause = cause;
  ++live_;
  if (time >= run_end_) [[likely]] {
    place(index, slot, time);
    if (live_ > grow_at_) [[unlikely]] rebuild(0);
  } else {
    insert_loose(index);
  }
  return TimerId{index, generation};
}

[[gnu::noinline]] void EventQueue::place_far(std::uint32_t index, Slot& slot) {
  const std::uint64_t edge_time = edge_ << shift_;
  for (std::size_t i = 0;; ++i) {
    Level& level = levels_[i];
    const std::uint64_t bucket = slot.time >> level.shift;
    if (bucket - (edge_time >> level.shift) >= 64) continue;  // the last level reaches the end of time
    std::uint32_t& head = level.heads[bucket & 63][index % kLanes];
    slot.next = head;
    head = index;
    level.bits |= std::uint64_t{1} << (bucket & 63);
    far_min_ = std::min(far_min_, bucket << level.shift);
    return;
  }
}

[[gnu::noinline]] void EventQueue::insert_loose(std::uint32_t index) {
  const Ref ref = ref_to(index);
  meta_[index] |= kLoose;
  const std::uint64_t time = ref.time;
  if (time == last_time_) {
    // Everything else of this instant was scheduled before, or comes behind it here.
    fifo_.push_back(ref);
    mixed_ = true;
    return;
  }
  if (run_size_ >= kRunMoves && run_[run_size_ - kRunMoves].time <= time) {
    heap_.push_back({time, slots_[index].sequence, index, ref.generation});
    std::push_heap(heap_.begin(), heap_.end());
    mixed_ = true;
    run_moves_ += kRunMoves / 2;
    if (run_end_ == UINT64_MAX) rebuild(0);  // no longer few
    return;
  }
  if (run_size_ == run_capacity_) reserve_run(2 * run_capacity_);
  // Behind all of its time: its sequence is the greatest.
  std::size_t i = run_size_++;
  while (i > 0 && run_[i - 1].time <= time) {
    run_[i] = run_[i - 1];
    --i;
  }
  run_[i] = ref;
  run_moves_ += run_size_ - i;
  if (run_end_ == UINT64_MAX && live_ > 2 * kFew) rebuild(0);
}

bool EventQueue::cancel(TimerId timer) noexcept {
  if (!is_pending(timer)) return false;
  Due held;
  const bool boxed = (timer.generation & kBoxed) != 0;
  if (boxed) [[unlikely]] {
    held.invoke = slots_[timer.slot].invoke;
    std::memcpy(held.storage, slots_[timer.slot].storage, kInlineBytes);
  }
  --live_;
  ++cancelled_;
  if ((meta_[timer.slot] & kLoose) == 0) {
    meta_[timer.slot] = kDead;
    ++dead_;
  } else {
    release(timer.slot);
    if (++loose_dead_ > live_ + kNotWorthIt) purge_loose();
  }
  if (dead_ > dead_max()) [[unlikely]] relink();
  // Last, since what is destroyed may cancel further events.
  if (boxed) [[unlikely]] held.invoke(held.storage, Op::kDestroy);
  return true;
}

void EventQueue::cancel_withdrawn() noexcept {
  for (TimerId& timer : withdrawn_) cancel(std::exchange(timer, TimerId{}));
  any_withdrawn_ = false;
}

bool EventQueue::is_withdrawn(TimerId timer) const noexcept {
  return std::any_of(withdrawn_.begin(), withdrawn_.end(), [&](const TimerId& one) { return one.slot == timer.slot && one.generation == timer.generation; });
}

void EventQueue::purge_loose() {
  const auto gone = [this](const auto& entry) { return !is_event(entry.slot, entry.generation); };
  run_size_ = static_cast<std::size_t>(std::remove_if(run_, run_ + run_size_, gone) - run_);
  fifo_.erase(fifo_.begin(), fifo_.begin() + static_cast<std::ptrdiff_t>(fifo_head_));
  fifo_head_ = 0;
  std::erase_if(fifo_, gone);
  std::erase_if(heap_, gone);
  std::make_heap(heap_.begin(), heap_.end());
  mixed_ = !fifo_.empty() || !heap_.empty();
  loose_dead_ = 0;
}

/// Puts the earliest of run, heap and FIFO to the end of the run. False when nothing is pending.
bool EventQueue::front_of_mixed() {
  while (run_size_ > 0 && is_gone(run_[run_size_ - 1])) {
    --run_size_;
    --loose_dead_;
  }
  while (!heap_.empty() && !is_event(heap_.front().slot, heap_.front().generation)) {
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
    --loose_dead_;
  }
  while (fifo_head_ < fifo_.size() && is_gone(fifo_[fifo_head_])) {
    ++fifo_head_;
    --loose_dead_;
  }
  if (fifo_head_ + kFetchAhead < fifo_.size()) fetch(fifo_[fifo_head_ + kFetchAhead].slot);
  if (fifo_head_ == fifo_.size()) {
    fifo_.clear();
    fifo_head_ = 0;
  }
  if (heap_.empty() && fifo_.empty()) {
    mixed_ = false;
    return run_size_ > 0 || refill();
  }
  // Before the FIFO come all that were scheduled for its instant before.
  const bool run_before_fifo = run_size_ > 0 && (fifo_.empty() || run_[run_size_ - 1].time <= fifo_[fifo_head_].time);
  const bool heap_before_fifo = !heap_.empty() && (fifo_.empty() || heap_.front().time <= fifo_[fifo_head_].time);
  Ref first{};
  if (run_before_fifo && heap_before_fifo) {
    const Ref& run = run_[run_size_ - 1];
    const HeapEntry& top = heap_.front();
    if (run.time < top.time || (run.time == top.time && slots_[run.slot].sequence < top.sequence)) return true;
  } else if (run_before_fifo) {
    return true;
  }
  if (heap_before_fifo) {
    const HeapEntry& top = heap_.front();
    first = {top.time, top.slot, top.generation};
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
  } else {
    first = fifo_[fifo_head_++];
  }
  // The run's end is where take() looks. An entry of the heap stays in order there, should it not be taken now; one of the
  // FIFO too, since nothing earlier can be scheduled.
  if (run_size_ == run_capacity_) reserve_run(2 * run_capacity_);
  run_[run_size_++] = first;
  return true;
}

SimTime EventQueue::next_time() noexcept {
  settle();
  for (;;) {
    if (mixed_) {
      if (!front_of_mixed()) return kEndOfTime;
    } else if (run_size_ == 0) {
      if (!refill()) return kEndOfTime;
    }
    const Ref& ref = run_[run_size_ - 1];
    if (!is_gone(ref)) {
      return SimTime(SimDuration(static_cast<std::int64_t>(ref.time)));
    }
    --run_size_;
    --loose_dead_;
  }
}

// --- Buckets ---------------------------------------------------------------------------------------------------------

/// The first bucket at or after `from` that holds something, going round the window once. Needs near_ > 0.
std::uint64_t EventQueue::next_bucket(std::uint64_t from) const {
  const std::uint64_t i = from & mask_;
  std::uint64_t word = i >> 6;
  std::uint64_t bits = words_[word] & (~std::uint64_t{0} << (i & 63));
  if (bits == 0) {
    const std::uint64_t last = mask_ >> 12;
    std::uint64_t group = word >> 6;
    std::uint64_t words = summary_[group] & ((~std::uint64_t{0} << (word & 63)) << 1);
    while (words == 0) {
      group = group == last ? 0 : group + 1;
      words = summary_[group];
    }
    word = group << 6 | static_cast<std::uint64_t>(std::countr_zero(words));
    bits = words_[word];
  }
  const std::uint64_t found = word << 6 | static_cast<std::uint64_t>(std::countr_zero(bits));
  return from + ((found - i) & mask_);
}

/// The first bucket of a level that holds something. Needs level.bits != 0.
std::uint64_t EventQueue::next_far(const Level& level) const {
  const std::uint64_t first = (edge_ << shift_) >> level.shift;
  return first + static_cast<std::uint64_t>(std::countr_zero(std::rotr(level.bits, static_cast<int>(first & 63))));
}

void EventQueue::link_waiting() {
  for (WaitingLink& waiting : waiting_links_) {
    if (waiting.slot != 0) link(waiting.head, waiting.slot);
    waiting = {};
  }
  first_waiting_bucket_ = UINT64_MAX;
}

void EventQueue::find_far_min() {
  far_min_ = UINT64_MAX;
  for (const Level& level : levels_) {
    if (level.bits != 0) far_min_ = std::min(far_min_, next_far(level) << level.shift);
  }
}

/// Hands the first far bucket down to the window and lower levels.
void EventQueue::hand_down() {
  for (std::size_t i = levels_.size(); i-- > 0;) {
    Level& level = levels_[i];
    // From the widest down: a wide bucket that begins here may hold what is earlier than all of a narrow one.
    if (level.bits == 0) continue;
    const std::uint64_t bucket = next_far(level);
    if (bucket << level.shift != far_min_) continue;
    edge_ = std::max(edge_, far_min_ >> shift_);
    run_end_ = edge_ << shift_;
    level.bits &= ~(std::uint64_t{1} << (bucket & 63));
    std::array<std::uint32_t, kLanes> lanes = level.heads[bucket & 63];
    level.heads[bucket & 63] = {};
    for (bool more = true; more;) {
      more = false;
      for (std::uint32_t& lane : lanes) {
        if (lane == 0) continue;
        more = true;
        const std::uint32_t index = lane;
        Slot& slot = slots_[index];
        lane = slot.next;
        __builtin_prefetch(&slots_[lane], 1);
        if (meta_[index] == kDead) {
          --dead_;
          release(index);
        } else {
          place(index, slot, slot.time);
        }
      }
    }
    break;
  }
  find_far_min();
}

/// Sorts the next bucket into the run, which is empty, as are the FIFO and the heap. False when nothing is pending.
bool EventQueue::refill() {
  if (live_ == 0) return false;
  if (dead_ > dead_max()) relink();
  if (taken_at_correction_ + std::max<std::size_t>(1024, live_) < next_sequence_) correct_width();
  while (run_size_ == 0) {
    std::uint64_t bucket = 0;
    std::uint64_t start = UINT64_MAX;
    if (near_ != 0) {
      bucket = next_bucket(edge_);
      start = bucket << shift_;
    }
    if (far_min_ <= start) {
      SIM_CHECK(far_min_ != UINT64_MAX, "an event that is pending is in the run, in the window or in a far bucket");
      hand_down();
      continue;
    }
    if (first_waiting_bucket_ <= bucket) link_waiting();
    edge_ = bucket + 1;
    run_end_ = edge_ << shift_;
    const std::uint64_t i = bucket & mask_;
    if ((words_[i >> 6] &= ~(std::uint64_t{1} << (i & 63))) == 0) summary_[i >> 12] &= ~(std::uint64_t{1} << ((i >> 6) & 63));
    if (lane_bits_ != 0) {
      gather_lanes(i);
    } else {
      gather(std::exchange(heads_[i], 0));
      if (used_ >= kWalkFrom) walk_ahead();
    }
  }
  return true;
}

void EventQueue::gather(std::uint32_t head) {
  Unsorted in;
  unsigned count = 0;
  std::size_t linked = 0;
  const bool cold = used_ >= kWalkFrom;
  for (std::uint32_t index = head; index != 0;) {
    Slot& slot = slots_[index];
    const std::uint32_t next = slot.next;
    ++linked;
    const Word word = meta_[index];
    if (word == kDead) [[unlikely]] {
      --dead_;
      release(index);
    } else {
      if (count == kRanked) {
        // Too many: all again, from the ones that are already here.
        near_ -= linked - 1;
        for (unsigned i = 0; i < kRanked; ++i) scratch_.push_back({in.time[i], in.sequence[i], in.slot[i], in.generation[i]});
        gather_many(index);
        return;
      }
      in.time[count] = slot.time;
      in.sequence[count] = slot.sequence;
      in.slot[count] = index;
      in.generation[count] = word;
      ++count;
      meta_[index] = word | kLoose;
      if (cold) {
        // What an action holds first is mostly a pointer: an object, a coroutine's frame. When it is not, nothing is lost.
        const char* first = nullptr;
        std::memcpy(&first, slot.storage, sizeof first);
        __builtin_prefetch(first);
        __builtin_prefetch(first + 64);
        __builtin_prefetch(first + 128);
      }
    }
    index = next;
  }
  near_ -= linked;
  if (count == 0) return;
  for (unsigned i = count; i < (count <= 8 ? 8 : kRanked); ++i) in.time[i] = in.sequence[i] = 0;
  rank_sort(in, count, reinterpret_cast<SortedEntry*>(run_));
  run_size_ = count;
  ++buckets_taken_;
  events_taken_ += count;
  instants_taken_ += count;
}

/// The bucket's list from `head` on, with what is in scratch_ already.
void EventQueue::gather_many(std::uint32_t head) {
  for (std::uint32_t index = head; index != 0;) {
    Slot& slot = slots_[index];
    const std::uint32_t next = slot.next;
    --near_;
    const Word word = meta_[index];
    if (word == kDead) {
      --dead_;
      release(index);
    } else {
      meta_[index] = word | kLoose;
      scratch_.push_back({slot.time, slot.sequence, index, word});
    }
    index = next;
  }
  // Lists are last in, first out: events of one instant are in order already.
  if (!std::is_sorted(scratch_.begin(), scratch_.end())) std::sort(scratch_.begin(), scratch_.end());
  run_from_scratch();
}

/// The lists of a bucket side by side, so that a cache line of each is under way at once.
void EventQueue::gather_lanes(std::uint64_t bucket) {
  std::array<std::uint32_t, kLanes> lanes{};
  std::array<std::vector<HeapEntry>, kLanes>& found = lane_scratch_;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    lanes[lane] = std::exchange(heads_[bucket << kLaneBits | lane], 0);
    __builtin_prefetch(&slots_[lanes[lane]]);
    __builtin_prefetch(&meta_[lanes[lane]], 1);
    found[lane].clear();
  }
  for (bool more = true; more;) {
    more = false;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const std::uint32_t index = lanes[lane];
      if (index == 0) continue;
      more = true;
      const Slot& slot = slots_[index];
      lanes[lane] = slot.next;
      __builtin_prefetch(&slots_[slot.next]);
      __builtin_prefetch(&meta_[slot.next], 1);
      --near_;
      const Word word = meta_[index];
      if (word == kDead) [[unlikely]] {
        --dead_;
        release(index);
        continue;
      }
      meta_[index] = word | kLoose;
      found[lane].push_back({slot.time, slot.sequence, index, word});
    }
  }
  std::array<std::size_t, kLanes + 1> ends{};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    if (!std::is_sorted(found[lane].begin(), found[lane].end())) std::sort(found[lane].begin(), found[lane].end());
    scratch_.insert(scratch_.end(), found[lane].begin(), found[lane].end());
    ends[lane + 1] = scratch_.size();
  }
  const auto at = [this](std::size_t position) { return scratch_.begin() + static_cast<std::ptrdiff_t>(position); };
  for (std::size_t width = 1; width < kLanes; width *= 2) {
    for (std::size_t lane = 0; lane < kLanes; lane += 2 * width) {
      std::inplace_merge(at(ends[lane]), at(ends[lane + width]), at(ends[lane + 2 * width]));
    }
  }
  run_from_scratch();
}

/// What is in scratch_, sorted, becomes the run.
void EventQueue::run_from_scratch() {
  reserve_run(scratch_.size());
  std::size_t instants = 0;
  for (std::size_t i = 0; i < scratch_.size(); ++i) {
    const HeapEntry& entry = scratch_[i];
    if (i == 0 || entry.time != scratch_[i - 1].time) ++instants;
    run_[i] = {entry.time, entry.slot, entry.generation};
  }
  run_size_ = scratch_.size();
  ++buckets_taken_;
  events_taken_ += scratch_.size();
  instants_taken_ += instants;
  scratch_.clear();
}

/// Brings one more slot of each of the coming buckets into the cache.
void EventQueue::walk_ahead() {
  for (std::uint32_t& walker : walkers_) {
    walker = slots_[walker].next;  // slot 0 leads to itself
    __builtin_prefetch(&slots_[walker], 1);
    __builtin_prefetch(&meta_[walker], 1);
  }
  if (walked_until_ < edge_) walked_until_ = edge_;
  // Two at most, so that a refill stays short; a bucket is taken each time, so this keeps up.
  for (int i = 0; i < 2; ++i) {
    if (near_ == 0 || walked_buckets_[oldest_walker_] >= edge_) return;
    const std::uint64_t bucket = next_bucket(walked_until_);
    if (bucket - edge_ > mask_) return;
    const std::uint32_t head = heads_[bucket & mask_];
    walkers_[oldest_walker_] = head;
    walked_buckets_[oldest_walker_] = bucket;
    __builtin_prefetch(&slots_[head], 1);
    __builtin_prefetch(&meta_[head], 1);
    walked_until_ = bucket + 1;
    oldest_walker_ = (oldest_walker_ + 1) % kWalkers;
  }
}

// --- Layout ----------------------------------------------------------------------------------------------------------

void EventQueue::reserve_run(std::size_t entries) {
  if (entries + kRanked <= run_capacity_) return;
  run_memory_.grow((entries + 2 * kRanked) * sizeof(Ref));
  run_ = static_cast<Ref*>(run_memory_.data());
  run_capacity_ = run_memory_.bytes() / sizeof(Ref);
}

/// Looks whether the buckets held what they should, and whether there are as many as there should be.
void EventQueue::correct_width() {
  const std::uint64_t events = next_sequence_ - taken_at_correction_;
  int change = 0;
  unsigned lane_bits = lane_bits_;
  if (buckets_taken_ != 0) {
    if (events_taken_ > kManyInBucket * buckets_taken_) lane_bits = kLaneBits;
    if (events_taken_ < kManyInBucket / 4 * buckets_taken_) lane_bits = 0;
  }
  if (buckets_taken_ >= 64) {
    const std::uint64_t mean = instants_taken_ / buckets_taken_;
    if (mean > 3 * kEventsPerBucket || (run_moves_ > 8 * events && shift_ > 0)) {
      change = -std::max(1, static_cast<int>(std::bit_width(mean / kEventsPerBucket)) - 1);
    } else if (2 * events_taken_ < 3 * buckets_taken_) {
      change = 2;
    }
  }
  taken_at_correction_ = next_sequence_;
  buckets_taken_ = events_taken_ = instants_taken_ = run_moves_ = 0;
  if (run_end_ == UINT64_MAX) return;
  change = std::clamp(change, -static_cast<int>(shift_), 62 - static_cast<int>(shift_));
  if (change != 0 || lane_bits != lane_bits_ || live_ < kFew / 2 || live_ < grow_at_ / 16) rebuild(change, lane_bits);
}

unsigned EventQueue::choose_shift(const std::vector<std::uint32_t>& sample) const {
  // From the nearest quarter of what is pending: what lies behind says nothing of the time that comes first.
  std::vector<std::uint64_t> times;
  const std::size_t stride = sample.size() / 1024 + 1;
  for (std::size_t i = 0; i < sample.size(); i += stride) times.push_back(slots_[sample[i]].time);
  const std::size_t quarter = times.size() / 4;
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(quarter), times.end());
  const std::uint64_t reach = times[quarter] - std::min(times[quarter], last_time_);
  const std::uint64_t width = reach / std::max<std::uint64_t>(1, sample.size() / 4) * kEventsPerBucket;
  // The power of two that is nearest by ratio.
  const auto shift = static_cast<unsigned>(std::bit_width(width | 1)) - 1;
  return std::min(62u, shift + (shift > 0 && (width >> (shift - 1) & 1) != 0 ? 1 : 0));
}

void EventQueue::lay_out(unsigned shift, std::size_t buckets, unsigned lane_bits) {
  shift_ = shift;
  lane_bits_ = lane_bits;
  mask_ = buckets - 1;
  edge_ = last_time_ >> shift;
  run_end_ = edge_ << shift;
  const std::size_t words = buckets / 64;
  const std::size_t groups = words / 64 + 1;
  const std::size_t heads = buckets << lane_bits;
  head_memory_.reset(heads * sizeof *heads_ + (words + groups) * sizeof *words_);
  words_ = static_cast<std::uint64_t*>(head_memory_.data());
  summary_ = words_ + words;
  heads_ = reinterpret_cast<std::uint32_t*>(summary_ + groups);
  near_ = 0;
  links_wait_ = heads >= kLinksWaitFrom;
  simple_ = !links_wait_ && lane_bits == 0;
  const auto bucket_bits = static_cast<unsigned>(std::countr_zero(buckets));
  levels_.clear();
  // Two buckets of the first level are a window; 32 of a level are one of the next, of which 64 can be held.
  for (unsigned level_shift = shift + bucket_bits - 1;; level_shift += 5) {
    levels_.emplace_back();
    levels_.back().shift = std::min(level_shift, 63u);
    if (level_shift + 5 >= 63) break;
  }
  far_min_ = UINT64_MAX;
  walkers_.fill(0);
  walked_buckets_.fill(0);
  walked_until_ = 0;
}

void EventQueue::rebuild(int shift_change) { rebuild(shift_change, lane_bits_); }

/// Lays the buckets out anew for what is pending.
void EventQueue::rebuild(int shift_change, unsigned lane_bits) {
  ++rebuilds_;
  link_waiting();
  // Everything goes back: run, heap and FIFO, too.
  std::vector<std::uint32_t> pending;
  pending.reserve(live_);
  if (are_slots_dense()) {
    free_ = 0;
    for (std::uint32_t i = used_ - 1; i > 0; --i) {
      if (meta_[i] > kDead) {
        pending.push_back(i);
      } else {
        release(i);
      }
    }
    dead_ = 0;
  } else {
    // Few of many slots are in use: a pass over all would cost more than the lists.
    const auto collect = [&](std::uint32_t index) {
      while (index != 0) {
        const std::uint32_t next = slots_[index].next;
        if (meta_[index] != kDead) {
          pending.push_back(index);
        } else {
          release(index);
          --dead_;
        }
        index = next;
      }
    };
    if (run_end_ != UINT64_MAX) {
      for (std::uint64_t group = 0; group <= mask_ >> 12; ++group) {
        for (std::uint64_t words = summary_[group]; words != 0; words &= words - 1) {
          const std::uint64_t word = group << 6 | static_cast<std::uint64_t>(std::countr_zero(words));
          for (std::uint64_t bits = words_[word]; bits != 0; bits &= bits - 1) {
            const std::uint64_t bucket = word << 6 | static_cast<std::uint64_t>(std::countr_zero(bits));
            for (std::uint64_t lane = 0; lane >> lane_bits_ == 0; ++lane) collect(heads_[bucket << lane_bits_ | lane]);
          }
        }
      }
      for (Level& level : levels_) {
        for (auto& lanes : level.heads) {
          for (const std::uint32_t head : lanes) collect(head);
        }
      }
    }
    const auto collect_named = [&](const auto& entry) {
      if (is_event(entry.slot, entry.generation)) pending.push_back(entry.slot);
    };
    for (std::size_t i = 0; i < run_size_; ++i) collect_named(run_[i]);
    for (std::size_t i = fifo_head_; i < fifo_.size(); ++i) collect_named(fifo_[i]);
    for (const HeapEntry& entry : heap_) collect_named(entry);
  }
  run_size_ = 0;
  fifo_.clear();
  fifo_head_ = 0;
  heap_.clear();
  mixed_ = false;
  loose_dead_ = 0;
  taken_at_correction_ = next_sequence_;
  buckets_taken_ = events_taken_ = instants_taken_ = run_moves_ = 0;

  if (live_ <= kFew) {
    run_end_ = UINT64_MAX;
    far_min_ = UINT64_MAX;
    near_ = 0;
    grow_at_ = SIZE_MAX;
    for (const std::uint32_t index : pending) {
      scratch_.push_back({slots_[index].time, slots_[index].sequence, index, meta_[index] & ~kLoose});
    }
    std::sort(scratch_.begin(), scratch_.end());
    reserve_run(std::max(scratch_.size(), 2 * kFew));
    for (const HeapEntry& entry : scratch_) {
      meta_[entry.slot] |= kLoose;
      run_[run_size_++] = {entry.time, entry.slot, entry.generation};
    }
    scratch_.clear();
    return;
  }
  const unsigned shift = shift_change == 0 ? choose_shift(pending) : static_cast<unsigned>(static_cast<int>(shift_) + shift_change);
  // Three times as far as evenly spread events would reach: of exponential delays 5 % lie behind.
  const std::size_t buckets = 3 * live_ / (lane_bits == 0 ? kEventsPerBucket : kManyInBucket / 4);
  lay_out(shift, std::bit_ceil(std::max<std::size_t>(64, buckets)), lane_bits);
  grow_at_ = 2 * live_;
  for (const std::uint32_t index : pending) {
    meta_[index] &= ~kLoose;
    place(index, slots_[index], slots_[index].time);
  }
}

/// Frees what was cancelled.
void EventQueue::relink() {
  if (!are_slots_dense()) {
    rebuild(0);
    return;
  }
  ++rebuilds_;
  link_waiting();
  near_ = 0;
  std::memset(words_, 0, ((mask_ + 1) / 64 + (mask_ + 1) / 4096 + 1) * sizeof *words_);
  std::memset(heads_, 0, ((mask_ + 1) << lane_bits_) * sizeof *heads_);
  for (Level& level : levels_) {
    level.bits = 0;
    level.heads = {};
  }
  far_min_ = UINT64_MAX;
  walkers_.fill(0);
  walked_buckets_.fill(0);
  walked_until_ = 0;
  free_ = 0;
  dead_ = 0;
  constexpr std::uint32_t kAhead = 16;
  for (std::uint32_t i = used_ - 1; i > 0; --i) {
    if (i > kAhead) __builtin_prefetch(&heads_[head_of(slots_[i - kAhead].time >> shift_, i - kAhead)], 1);
    const Word word = meta_[i];
    if (word <= kDead) {
      release(i);
    } else if ((word & kLoose) == 0) {
      place(i, slots_[i], slots_[i].time);
    }
  }
}

}  // namespace sim
