#include "sim/core/event_queue.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace sim {

EventQueue::~EventQueue() {
  // What an action owns may cancel other events when it goes away: no handle is valid from here on.
  std::vector<Entry> left;
  left.swap(heap_);
  for (const Entry& entry : left) slots_[entry.slot].generation = 0;
  for (const Entry& entry : left) {
    Slot& slot = slots_[entry.slot];
    slot.invoke(slot.storage, Op::kDestroy);
  }
}

std::uint32_t EventQueue::acquire() {
  if (free_ != UINT32_MAX) {
    const std::uint32_t index = free_;
    free_ = slots_[index].position;
    return index;
  }
  slots_.emplace_back();
  return static_cast<std::uint32_t>(slots_.size() - 1);
}

void EventQueue::release(std::uint32_t index) noexcept {
  Slot& slot = slots_[index];
  if (++slot.generation == 0) slot.generation = 1;
  slot.position = free_;
  free_ = index;
}

void EventQueue::insert(std::uint32_t slot, SimTime when) {
  heap_.emplace_back();
  sift_up(heap_.size() - 1, Entry{when.time_since_epoch().count(), next_sequence_++, slot});
  peak_ = std::max<std::uint64_t>(peak_, heap_.size());
}

void EventQueue::sift_up(std::size_t position, Entry entry) noexcept {
  while (position > 0) {
    const std::size_t parent = (position - 1) / 4;
    if (!before(entry, heap_[parent])) break;
    heap_[position] = heap_[parent];
    slots_[heap_[position].slot].position = static_cast<std::uint32_t>(position);
    position = parent;
  }
  heap_[position] = entry;
  slots_[entry.slot].position = static_cast<std::uint32_t>(position);
}

void EventQueue::sift_down(std::size_t position, Entry entry) noexcept {
  const std::size_t size = heap_.size();
  for (;;) {
    const std::size_t first = 4 * position + 1;
    if (first >= size) break;
    std::size_t best = first;
    for (std::size_t child = first + 1; child < std::min(first + 4, size); ++child) {
      if (before(heap_[child], heap_[best])) best = child;
    }
    if (!before(heap_[best], entry)) break;
    heap_[position] = heap_[best];
    slots_[heap_[position].slot].position = static_cast<std::uint32_t>(position);
    position = best;
  }
  heap_[position] = entry;
  slots_[entry.slot].position = static_cast<std::uint32_t>(position);
}

void EventQueue::remove(std::size_t position) noexcept {
  const Entry last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  if (position > 0 && before(last, heap_[(position - 1) / 4])) {
    sift_up(position, last);
  } else {
    sift_down(position, last);
  }
}

bool EventQueue::cancel(TimerId timer) noexcept {
  if (!is_pending(timer)) return false;
  Slot& slot = slots_[timer.slot];
  remove(slot.position);
  ++cancelled_;
  // Freed before the action is destroyed (from a copy), since that may cancel further events.
  Slot copy = slot;
  release(timer.slot);
  copy.invoke(copy.storage, Op::kDestroy);
  return true;
}

SimTime EventQueue::next_time() noexcept {
  return heap_.empty() ? kEndOfTime : SimTime(SimDuration(heap_.front().time));
}

EventQueue::Due EventQueue::pop() noexcept {
  const Entry top = heap_.front();
  Slot& slot = slots_[top.slot];
  // From here on the handle is stale: an action that cancels itself changes nothing.
  if (++slot.generation == 0) slot.generation = 1;
  remove(0);
  return Due{SimTime(SimDuration(top.time)), top.sequence, slot.cause, top.slot};
}

void EventQueue::run(const Due& due) {
  // The action may push and so move slots_: it runs from a copy.
  Slot copy = slots_[due.slot];
  slots_[due.slot].position = free_;
  free_ = due.slot;
  copy.invoke(copy.storage, Op::kRun);
}

}  // namespace sim
